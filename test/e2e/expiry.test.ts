/** Mail whose time is over: its sender is told, by another way than the one that is down; nobody else is. */
import { expect, it } from 'vitest'
import { quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf, failuresReportedAt } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { letter, submit } from '../support/submit.ts'

it('tells the sender of the delay, then of the failure, and keeps nothing', async () => {
  const gone = await startHost()
  await gone.stop()
  const host = await startHost()
  const relay = await startRelay({
    connectors: [
      connectorTo(gone.port, { id: 'down', name: 'Down', addressSpaces: ['example.org'] }),
      connectorTo(host.port, { addressSpaces: ['example.com', 'example.net'] }),
    ],
    delivery: { ...quickRetries, delayNoticeAfter: '1s', expireAfter: '7s' },
  })
  const accepted = [
    await submit(relay, { to: ['unreached@example.org'], content: letter('Down') }),
    await submit(relay, {
      ...{ from: 'other@example.com', to: ['rcpt-450-deferred@example.net'], content: letter('Deferred') },
    }),
    await submit(relay, { from: '', to: ['silent@example.org'], content: letter('A report') }),
  ]
  await host.received(4)

  const reports = host.messages.map(({ envelope, raw }) => ({
    to: envelope.to.map(({ address }) => address).join(),
    from: envelope.from,
    about: /^Final-Recipient: rfc822; ?(.*)\r$/m.exec(raw.toString())?.[1],
    action: /^Action: (.*)\r$/m.exec(raw.toString())?.[1],
    status: /^Status: (.*)\r$/m.exec(raw.toString())?.[1],
  }))
  const delayed = { from: '', action: 'delayed' }
  const failed = { from: '', action: 'failed' }
  expect(reports.slice(0, 2).sort(byRecipient)).toMatchObject([
    { ...delayed, to: 'other@example.com', about: 'rcpt-450-deferred@example.net', status: '4.1.1' },
    { ...delayed, to: 'sender@example.com', about: 'unreached@example.org', status: '4.4.7' },
  ])
  expect(reports.slice(2).sort(byRecipient)).toMatchObject([
    { ...failed, to: 'other@example.com', about: 'rcpt-450-deferred@example.net', status: '4.1.1' },
    { ...failed, to: 'sender@example.com', about: 'unreached@example.org', status: '4.4.7' },
  ])
  const toSender = host.messages.filter(({ envelope }) => envelope.to[0]!.address === 'sender@example.com')
  for (const { raw } of toSender) expect(raw.toString()).toContain('ECONNREFUSED')

  const expired = await relay.line(
    (line) =>
      line.event === 'expired' && (line.recipients as { address: string }[])[0]!.address.startsWith('silent'),
  )
  expect(expired.dsnId).toBeNull()
  expect(failuresReportedAt(host)).not.toContain('silent@example.org')
  expect(await balanceOf({ accepted, hosts: [host, gone], relays: [relay] })).toEqual(
    balanced({ bounced: 3 }),
  )
  expect(await relay.queue()).toEqual([])
}, 40_000)

const byRecipient = (a: { to: string }, b: { to: string }): number => a.to.localeCompare(b.to)
