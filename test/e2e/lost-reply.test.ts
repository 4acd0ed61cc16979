/**
 * A smart host that takes the message and is gone before its 250: SMTP cannot tell whether it was taken, so it is
 * sent again, counted as uncertain, and may arrive twice. It is never lost, and it is the only duplicate there is.
 */
import { expect, it } from 'vitest'
import { quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { load } from '../support/submit.ts'

it('sends again what broke after the final dot, and counts it as uncertain', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)], delivery: quickRetries })
  const run = await load(relay, {
    ...{ run: 'uncertain', messages: 60 },
    to: ['drop-dot-kept-first-1-{seq}@example.org', 'safe-{seq}@example.org', 'sound-{seq}@example.org'],
  })
  await host.received(80)
  await relay.until(() => relay.events('delivered').length === 60)
  const uncertain = relay.events('deferred').filter((line) => line.uncertain === true)
  expect(uncertain).toHaveLength(20)
  for (const { recipients } of uncertain)
    expect(recipients).toMatchObject([{ address: expect.stringMatching(/^drop-dot-kept-/) }])
  expect(await relay.metrics()).toContain('relay_deliveries_uncertain_total{connector="1"} 20')
  expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 60, duplicates: 20 }),
  )
})

it('sends again, once, what broke before the final dot was there', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)], delivery: quickRetries })
  const run = await load(relay, {
    ...{ run: 'certain', messages: 40, sizes: { kind: 'list', bytes: [200_000] } },
    to: ['drop-body-first-1-{seq}@example.org', 'drop-dot-first-1-{seq}@example.org'],
  })
  await relay.until(() => relay.events('delivered').length === 40)
  expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 40 }),
  )
})
