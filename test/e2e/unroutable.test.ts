/** Recipients that no connector takes, and mail whose connector is no more. */
import { expect, it } from 'vitest'
import { quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { offer, submit } from '../support/submit.ts'

const onlyOrg = { addressSpaces: ['example.org'] }

it('refuses at RCPT what no connector takes, naming the domain, and relays the rest', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port, onlyOrg)] })
  const mixed = await submit(relay, { to: ['anna@example.org', 'bert@nowhere.example.net'] })
  expect(mixed.refused).toEqual({
    'bert@nowhere.example.net': expect.stringMatching(/^550 5\.4\.4 .*nowhere\.example\.net/),
  })
  const none = await offer(relay, { to: ['carl@example.net'] })
  expect(none).toMatchObject({ to: [], reply: expect.stringMatching(/^550 5\.4\.4 /) })
  await host.received(1)
  expect(await balanceOf({ accepted: [mixed], hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 1 }),
  )
})

it('holds it where it is told to, until a configuration has a connector for it', async () => {
  const host = await startHost()
  const routing = { unroutable: 'hold' }
  const relay = await startRelay({ routing, connectors: [connectorTo(host.port, onlyOrg)] })
  const accepted = [await submit(relay, { to: ['anna@example.org', 'bert@example.net', 'carl@example.com'] })]
  await relay.line((line) => line.event === 'delivered')
  expect(await relay.queue()).toMatchObject([
    {
      connector: 'unreachable',
      recipients: [{ address: 'bert@example.net' }, { address: 'carl@example.com' }],
    },
  ])
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 1, queued: 2 }),
  )

  await relay.stop()
  await relay.restart({ connectors: [connectorTo(host.port, { addressSpaces: ['example.net'] })] })
  await host.received(2)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 2, queued: 1 }),
  )
})

it('routes again the mail of a connector that is not configured any more, or not enabled', async () => {
  const gone = await startHost()
  await gone.stop()
  const host = await startHost()
  const removed = connectorTo(gone.port, { id: 'removed', name: 'Removed', addressSpaces: ['example.org'] })
  const disabled = connectorTo(gone.port, {
    id: 'disabled',
    name: 'Disabled',
    addressSpaces: ['example.net'],
  })
  const relay = await startRelay({
    connectors: [removed, disabled],
    delivery: { ...quickRetries, connectionRetry: ['1h'] },
  })
  const accepted = [await submit(relay, { to: ['anna@example.org', 'bert@example.net'] })]
  await relay.until(() => relay.events('connector').length === 2)
  await relay.stop()
  await relay.restart({ connectors: [{ ...disabled, enabled: false }, connectorTo(host.port)] })
  await host.received(2)
  expect(relay.events('rerouted')).toHaveLength(2)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 2 }))
})
