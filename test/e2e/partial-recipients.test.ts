/** One message, a fate for each recipient: what the smart host says of one of them is true for that one alone. */
import { expect, it } from 'vitest'
import { quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf, failuresReportedAt } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { letter, submit } from '../support/submit.ts'

it('delivers to some, tries some again, and names those that failed in one DSN', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)], delivery: quickRetries })
  const good = ['anna@example.org', 'bert@example.org']
  const deferred = ['rcpt-450-first-1-carl@example.org', 'rcpt-451-first-2-dora@example.org']
  const failed = ['rcpt-550-emil@example.org', 'rcpt-554-fina@example.org']
  const accepted = [await submit(relay, { to: [...good, ...failed, ...deferred], content: letter('To all') })]
  await host.received(4)

  const to = host.ledger.map((entry) => entry.to)
  expect(to.filter(([first]) => first !== 'sender@example.com')).toEqual([good, [deferred[0]], [deferred[1]]])
  const reports = host.messages.filter(({ envelope }) => envelope.from === '')
  expect(reports).toHaveLength(1)
  expect(reports[0]!.envelope.to.map(({ address }) => address)).toEqual(['sender@example.com'])
  expect(failuresReportedAt(host)).toEqual(failed)
  const text = reports[0]!.raw.toString()
  expect(text).toMatch(/^Diagnostic-Code: smtp; 550 5\.1\.1 Refused at RCPT, as asked for\r$/m)
  expect(text).toMatch(/^Subject: To all\r$/m)
  for (const address of [...good, ...deferred])
    expect(text).not.toContain(`Final-Recipient: rfc822;${address}`)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 4, bounced: 2 }),
  )
})

it('shows in the queue which recipients are done with, and why the others wait', async () => {
  const host = await startHost()
  const relay = await startRelay({
    connectors: [connectorTo(host.port)],
    delivery: { messageRetry: ['1h'] },
  })
  const to = ['anna@example.org', 'rcpt-550-emil@example.org', 'rcpt-450-carl@example.org']
  const accepted = [await submit(relay, { to })]
  await relay.line((line) => line.event === 'deferred')
  const [item] = await relay.queue()
  expect(item).toMatchObject({
    state: 'deferred',
    attempts: 1,
    lastError: expect.stringContaining('450 4.1.1'),
  })
  expect(item!.recipients).toEqual([
    { address: to[0], state: 'delivered', lastReply: expect.stringMatching(/^250 2\.0\.0 Ok: queued as /) },
    { address: to[1], state: 'failed', lastReply: '550 5.1.1 Refused at RCPT, as asked for' },
    { address: to[2], state: 'pending', lastReply: '450 4.1.1 Refused at RCPT, as asked for' },
  ])
  await host.received(2)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 1, bounced: 1, queued: 1 }),
  )
})

it('takes a refusal of the message for all of its recipients', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)], delivery: quickRetries })
  const accepted = [
    await submit(relay, { to: ['dot-554-anna@example.org', 'bert@example.org'] }),
    await submit(relay, { to: ['data-451-first-1-carl@example.org', 'dora@example.org'] }),
    await submit(relay, { to: ['emil@example.org'], from: 'mail-550@example.com' }),
  ]
  await host.received(3)
  expect(failuresReportedAt(host).sort()).toEqual([
    'bert@example.org',
    'dot-554-anna@example.org',
    'emil@example.org',
  ])
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 2, bounced: 3 }),
  )
})
