/** Rules on their way through the relay: who gets what, who is told, and what stands in the log; on both stores. */
import { describe, expect, it } from 'vitest'
import { startHost } from '../support/end-to-end.ts'
import { type AcceptedMail, balanced, balanceOf } from '../support/mail-ledger.ts'
import { logged, messageTo, recipientsOf, startPolicyRelay, withoutTrace } from '../support/policy-relay.ts'
import { connectorTo } from '../support/relay-process.ts'
import { stores } from '../support/stores.ts'
import { letter, offer, submit } from '../support/submit.ts'

describe.each(stores)('on the %s store', (store) => {
  it('refuses some recipients by a DSN and lets the others go on unharmed, in one durable step', async () => {
    const { host, relay } = await startPolicyRelay(
      {
        rules: [
          {
            name: 'Secret projects stay here',
            conditions: { recipientDomainIs: ['example.net'], subjectContainsWords: ['secret'] },
            actions: { reject: { enhanced: '5.7.901', text: 'Secret projects stay here' } },
          },
        ],
      },
      { store },
    )
    const content = letter('A Secret, not a secretary', '.A dot, and 8 bit: \u00e4\r\n')
    const mail = {
      to: ['anna@example.org', 'bert@example.net', 'carl@example.org'],
      content: Buffer.from(content, 'latin1'),
    }
    const accepted = [await submit(relay, mail)]
    await host.received(2)
    const message = messageTo(host, 'anna@example.org')
    expect(recipientsOf(message)).toEqual(['anna@example.org', 'carl@example.org'])
    expect(withoutTrace(message)).toBe(content)
    const dsn = messageTo(host, 'sender@example.com')
    expect(dsn.envelope.from).toBe('')
    expect(dsn.raw.toString()).toContain('Final-Recipient: rfc822; bert@example.net')
    expect(dsn.raw.toString()).toContain('Secret projects stay here')
    expect(await logged(relay, 'refused')).toMatchObject([
      {
        by: 'Secret projects stay here',
        recipients: ['bert@example.net'],
        reply: '550 5.7.901 Secret projects stay here',
      },
    ])
    expect(await logged(relay, 'rule')).toMatchObject([
      { rule: 'Secret projects stay here', recipients: ['bert@example.net'], actions: ['reject'] },
    ])
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 2, bounced: 1 }),
    )
  })

  it.each([
    ['small', 'A few words.\r\n'],
    ['large', 'Words that do not fit into memory together.\r\n'.repeat(20_000)],
  ])('makes several forms of a %s message, each recipient gets one of them', async (_, body) => {
    const { host, relay } = await startPolicyRelay(
      {
        rules: [
          {
            name: 'Mark external',
            conditions: { recipientDomainIs: ['example.net'] },
            actions: { prefixSubject: '[external] ', setHeaders: [{ name: 'X-Class', value: 'external' }] },
          },
          {
            name: 'Disclaimer',
            conditions: { recipientIs: ['dora@example.net'] },
            actions: { disclaimer: { text: 'Confidential.' }, addBcc: ['archive@example.com'] },
          },
        ],
      },
      { store },
    )
    const recipients = ['anna@example.org', 'bert@example.net', 'dora@example.net']
    const accepted = [await submit(relay, { to: recipients, content: letter('Offer', body) })]
    await host.received(3)
    const [anna, bert, dora] = recipients.map((recipient) => messageTo(host, recipient))
    expect(withoutTrace(anna!)).toBe(letter('Offer', body))
    expect(withoutTrace(bert!)).toContain('Subject: [external] Offer\r\n')
    expect(withoutTrace(bert!)).toContain('X-Class: external\r\n')
    expect(withoutTrace(bert!).endsWith(`\r\n\r\n${body}`)).toBe(true)
    expect(recipientsOf(dora!)).toEqual(['dora@example.net', 'archive@example.com'])
    expect(withoutTrace(dora!)).toContain('Confidential.')
    expect(withoutTrace(dora!)).toContain(body)
    const [event] = await logged(relay, 'accepted')
    expect(event!.forms).toHaveLength(3)
    expect(
      await balanceOf({
        accepted: [...accepted, { from: 'sender@example.com', to: ['archive@example.com'] }],
        hosts: [host],
        relays: [relay],
      }),
    ).toEqual(balanced({ delivered: 4 }))
  })

  it('holds, drops and redirects, and says so in queue and log', async () => {
    const { host, relay } = await startPolicyRelay(
      {
        rules: [
          {
            name: 'Hold',
            conditions: { subjectContainsWords: ['hold'] },
            actions: { hold: 'Asks for a second look' },
          },
          { name: 'Drop', conditions: { subjectContainsWords: ['drop'] }, actions: { drop: true } },
          {
            name: 'Redirect',
            conditions: { subjectContainsWords: ['redirect'] },
            actions: { redirectTo: ['desk@example.com'] },
          },
        ],
      },
      { store },
    )
    const accepted: AcceptedMail[] = []
    for (const word of ['hold', 'drop', 'redirect'])
      accepted.push(await submit(relay, { to: [`${word}@example.org`], content: letter(`Please ${word}`) }))
    await host.received(1)
    expect(host.ledger.map((entry) => entry.to)).toEqual([['desk@example.com']])
    await relay.until(() => relay.events('delivered').length === 1)
    expect(await relay.queue()).toMatchObject([
      {
        state: 'suspended',
        holdReason: 'Asks for a second look',
        recipients: [{ address: 'hold@example.org' }],
      },
    ])
    expect(await logged(relay, 'suspended')).toMatchObject([{ reason: 'Asks for a second look' }])
    expect(await logged(relay, 'dropped')).toMatchObject([{ by: 'Drop', recipients: ['drop@example.org'] }])
    const books = {
      accepted: [accepted[0]!, accepted[1]!, { from: 'sender@example.com', to: ['desk@example.com'] }],
      hosts: [host],
      relays: [relay],
    }
    expect(await balanceOf(books)).toEqual(balanced({ queued: 1, removed: 1, delivered: 1 }))
  })
})

it('refuses at RCPT what the envelope alone decides, and at DATA what needs the header', async () => {
  const { host, relay } = await startPolicyRelay({
    rules: [
      {
        name: 'Competitors',
        conditions: { recipientDomainIs: ['*.example.net'] },
        actions: { reject: { text: 'No mail to competitors' } },
      },
      {
        name: 'Later',
        conditions: { headerPresent: ['X-Later'] },
        actions: { defer: { text: 'Come back later' } },
      },
    ],
  })
  const mail = await submit(relay, { to: ['anna@example.org', 'bert@sub.example.net'] })
  expect(mail.refused).toEqual({ 'bert@sub.example.net': '550 5.7.1 No mail to competitors' })
  const deferred = await offer(relay, {
    to: ['carl@example.org'],
    content: `X-Later: yes\r\n${letter('Hello')}`,
  })
  expect(deferred.reply).toMatch(/^451 4\.7\.\d+ Come back later$/)
  await host.received(1)
  expect(await logged(relay, 'rejected', 2)).toMatchObject([
    { command: 'RCPT', to: 'bert@sub.example.net' },
    { command: 'DATA', to: 'carl@example.org' },
  ])
  expect(await balanceOf({ accepted: [mail], hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 1 }),
  )
})

it('routes through the connector a rule names, rewrites the sender, and tells whom a rule notifies', async () => {
  const host = await startHost()
  const { relay } = await startPolicyRelay(
    {
      rules: [
        {
          name: 'Newsletter',
          conditions: {
            fromIs: ['sender@example.com'],
            headerContainsWords: [{ header: 'List-Id', words: ['news'] }],
          },
          actions: {
            routeThrough: 'bulk',
            rewriteSender: 'bounces@example.com',
            notify: { to: ['watch@example.org'], subject: 'Newsletter is out', text: 'One left.' },
            audit: 'low',
          },
        },
      ],
    },
    {
      host,
      config: {
        connectors: [
          connectorTo(host.port, { id: 'main', name: 'Main' }),
          connectorTo(host.port, { id: 'bulk', name: 'Bulk', addressSpaces: [] }),
        ],
      },
    },
  )
  const content = `List-Id: <news.example.com>\r\n${letter('News')}`
  const accepted = [await submit(relay, { to: ['anna@example.org'], content })]
  await host.received(2)
  const news = messageTo(host, 'anna@example.org')
  expect(news.envelope.from).toBe('bounces@example.com')
  const delivered = await logged(relay, 'delivered', 2)
  expect(delivered.find(({ from }) => from === 'bounces@example.com')).toMatchObject({ connector: 'bulk' })
  const notice = messageTo(host, 'watch@example.org')
  expect(notice.raw.toString()).toMatch(
    /Subject: Newsletter is out\r\n(.*\r\n)*\r\nOne left\.\r\n\r\nRule: Newsletter\r\n/,
  )
  expect(await logged(relay, 'rule')).toMatchObject([{ rule: 'Newsletter', severity: 'low' }])
  expect(
    await balanceOf({
      accepted: [...accepted, { from: '', to: ['watch@example.org'] }],
      hosts: [host],
      relays: [relay],
    }),
  ).toEqual(balanced({ delivered: 2 }))
})

it('only records what a rule on trial would have done', async () => {
  const reject = { reject: {} }
  const { host, relay } = await startPolicyRelay({
    rules: [
      { name: 'On trial', mode: 'test', actions: reject },
      { name: 'Watched', mode: 'audit', actions: reject },
      { name: 'Off', enabled: false, actions: reject },
      { name: 'Over', activeUntil: '2020-01-01', actions: reject },
    ],
  })
  const accepted = [await submit(relay, { to: ['anna@example.org'] })]
  await host.received(1)
  expect(await logged(relay, 'rule', 2)).toMatchObject([
    { rule: 'On trial', mode: 'test' },
    { rule: 'Watched', mode: 'audit' },
  ])
  const metrics = await relay.metrics()
  expect(metrics).toContain('relay_policy_rule_matches_total{rule="On trial",mode="test"} 1')
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
})

it('finds a program in an archive, whatever its name, and refuses it', async () => {
  const { host, relay } = await startPolicyRelay({
    rules: [
      {
        name: 'Programs',
        conditions: { attachmentTypeIs: ['executable'] },
        actions: { reject: { text: 'Programs are not sent by mail' } },
      },
    ],
  })
  const program = Buffer.concat([
    Buffer.from('MZ'),
    Buffer.alloc(62),
    Buffer.from('PE\0\0'),
    Buffer.alloc(200),
  ])
  program.writeUInt32LE(64, 0x3c)
  const refused = await offer(relay, {
    to: ['anna@example.org'],
    content: withAttachment('holiday.jpg', program),
  })
  expect(refused.reply).toBe('550 5.7.1 Programs are not sent by mail')
  const accepted = [
    await submit(relay, {
      to: ['bert@example.org'],
      content: withAttachment('notes.txt', Buffer.from('Notes')),
    }),
  ]
  await host.received(1)
  expect(await logged(relay, 'rule')).toMatchObject([
    {
      rule: 'Programs',
      because: [{ condition: 'attachmentTypeIs', value: expect.stringContaining('holiday.jpg') }],
    },
  ])
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
})

function withAttachment(name: string, bytes: Buffer): string {
  return [
    'From: <sender@example.com>',
    'Subject: With something',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b1',
    '',
    '--b1',
    'Content-Type: text/plain',
    '',
    'See below.',
    '--b1',
    `Content-Type: image/jpeg; name="${name}"`,
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment; filename="${name}"`,
    '',
    bytes.toString('base64').replace(/.{76}/g, '$&\r\n'),
    '--b1--',
    '',
  ].join('\r\n')
}
