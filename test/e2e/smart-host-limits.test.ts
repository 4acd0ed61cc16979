/** A smart host that takes only so much: the relay keeps to it, loses nothing over it, and does not hammer. */
import { expect, it } from 'vitest'
import { permanent, temporary } from '../../src/reply.ts'
import { quickRetries, startHost, startRawHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf, failuresReportedAt } from '../support/mail-ledger.ts'
import { ehlo } from '../support/raw-server.ts'
import { connectorTo } from '../support/relay-process.ts'
import { letter, load, submit } from '../support/submit.ts'

it('keeps to the connections that the host takes, and to the messages on each', async () => {
  const host = await startHost()
  host.switches.maxConnections = 2
  host.switches.maxMessagesPerConnection = 5
  const relay = await startRelay({ connectors: [connectorTo(host.port)], delivery: quickRetries })
  const run = await load(relay, { run: 'little', sessions: 10, messages: 100 })
  await host.received(100)
  expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 100 }),
  )
  // Twenty carry the messages; the others were turned away.
  expect(host.counts.connections).toBeLessThan(60)
})

it.each([
  ['421', temporary('3.2', 'Not now', 421)],
  ['554', permanent('3.2', 'No service here', 554)],
])('waits, and bounces nobody, while the greeting is %s', async (code, greeting) => {
  const host = await startHost()
  host.switches.greeting = greeting
  const relay = await startRelay({ connectors: [connectorTo(host.port)], delivery: quickRetries })
  const accepted = [await submit(relay, { to: ['anna@example.org'] })]
  const line = await relay.line((one) => one.event === 'connector')
  expect(line).toMatchObject({ state: 'retry', fault: 'greeting', reply: expect.stringContaining(code) })
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ queued: 1 }))
  host.switches.greeting = null
  await host.received(1)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
})

it('bounces at once what the host can never take: too large, or 8-bit where it takes none', async () => {
  const host = await startRawHost({ script: { EHLO: ehlo('PIPELINING', 'SIZE 20000') } })
  const reports = await startHost()
  const relay = await startRelay({
    connectors: [
      connectorTo(host.port, {
        smartHostAuthMechanism: 'none',
        user: null,
        password: null,
        requireTLS: false,
        tlsAuthLevel: undefined,
      }),
      connectorTo(reports.port, { id: 'home', name: 'Home', addressSpaces: ['example.com'] }),
    ],
    delivery: { messageRetry: ['1h'] },
  })
  const accepted = [
    await submit(relay, { to: ['large@example.org'], content: letter('x', 'x\r\n'.repeat(10_000)) }),
    await submit(relay, { to: ['eight@example.org'], content: letter('x', 'Gr\u00fc\u00dfe\r\n') }),
    await submit(relay, { to: ['small@example.org'] }),
  ]
  await reports.received(2)
  await relay.until(() => relay.events('failed').length === 2)
  expect(failuresReportedAt(reports).sort()).toEqual(['eight@example.org', 'large@example.org'])
  const failed = relay.events('failed').map(({ recipients }) => recipients)
  expect(failed).toContainEqual([
    { address: 'large@example.org', reply: expect.stringMatching(/^552 5\.3\.4 /) },
  ])
  expect(failed).toContainEqual([
    { address: 'eight@example.org', reply: expect.stringMatching(/^5\d\d 5\.6\.3 /) },
  ])
  expect(await balanceOf({ accepted, hosts: [host, reports], relays: [relay] })).toEqual(
    balanced({ delivered: 1, bounced: 2 }),
  )
})
