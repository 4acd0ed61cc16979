/** Whoever reads the log goes away: lines are lost then, and nothing else. */
import { expect, it } from 'vitest'
import { startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { patient, untilEmpty } from '../support/relay-load.ts'
import { connectorTo } from '../support/relay-process.ts'
import { load } from '../support/submit.ts'

it('relays on, and stops when it is told to', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)] })
  const runs = [await load(relay, { run: 'read', ...patient, messages: 20 })]
  await host.received(20)
  relay.stopReading()
  runs.push(await load(relay, { run: 'unread', ...patient, messages: 300 }))
  expect(runs[1]).toMatchObject({ accepted: 300, retries: 0 })
  await untilEmpty(relay)
  expect(await balanceOf({ runs, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 320 }))
  expect(await relay.stop()).toBe(0)
})
