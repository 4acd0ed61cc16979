/** The embedded store belongs to one relay. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo, RelayProcess } from '../support/relay-process.ts'
import { submit } from '../support/submit.ts'

it('refuses a second relay, naming the first and what to do, and the first relays on', async () => {
  const host = await startHost()
  const connectors = [connectorTo(host.port)]
  const relay = await startRelay({ connectors })
  const dataDir = join(relay.directory, 'data')
  const { code, text } = await RelayProcess.refused({ dataDir, connectors })
  expect(code).toBe(1)
  expect(text).toContain(
    `The queue in ${join(dataDir, 'queue')} is in use by process ${relay.pid}: ` +
      'each relay needs a directory of its own, or use Redis',
  )
  expect(text).not.toContain('listening')

  const accepted = [await submit(relay, { to: ['kept@example.org'] })]
  await host.received(1)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
})
