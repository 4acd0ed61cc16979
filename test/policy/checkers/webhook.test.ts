import { createHmac } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { NotChecked } from '../../../src/policy/checkers/checker.ts'
import { Webhook } from '../../../src/policy/checkers/webhook.ts'
import { type CheckedFields, checkedMessage, textOf } from '../../support/checked-message.ts'
import { HttpServer, json } from '../../support/http-server.ts'
import { t0 } from '../../support/queue-fixtures.ts'
import { TestClock } from '../../support/test-clock.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

async function webhookTo(answer: Parameters<typeof HttpServer.start>[0]) {
  const server = await HttpServer.start(answer)
  const config = { name: 'hook', url: `${server.url}/mail` }
  const webhook = new Webhook(config, { secret: 'geheim', clock: new TestClock(t0 + 500) })
  open.push(webhook, server)
  const { signal } = new AbortController()
  return {
    server,
    check: (fields: CheckedFields = {}) => webhook.check(checkedMessage(fields), signal),
  }
}

describe('a webhook', () => {
  it('is told of the message, and can tell that it was us, and when', async () => {
    const { check, server } = await webhookTo(json({ verdict: 'accept' }))
    const header = 'From: =?utf-8?q?J=C3=BCrgen?=\r\n <sender@example.com>\r\nX-Raw : \xfc\r\nodd\r\n\r\n'
    const client = { address: '2001:db8::1', listener: 'exchange', user: 'alice' }
    const session = { client, protocol: 'ESMTPSA', tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384' }
    await check({
      header: Buffer.from(header, 'latin1'),
      body: 'secret',
      session,
      to: ['a@example.org', 'b@example.org'],
    })
    const [question] = server.questions
    expect(JSON.parse(question!.body.toString())).toEqual({
      messageId: expect.stringMatching(/^[0-9A-Z]{20}$/),
      receivedAt: '2026-01-05T08:00:00.500Z',
      envelope: { from: 'sender@example.com', to: ['a@example.org', 'b@example.org'] },
      client: { ...session.client, helo: 'client.example.com', protocol: session.protocol, tls: session.tls },
      headers: [
        {
          name: 'From',
          value: 'Jürgen <sender@example.com>',
          raw: 'From: =?utf-8?q?J=C3=BCrgen?=\r\n <sender@example.com>\r\n',
        },
        { name: 'X-Raw', value: '\ufffd', raw: 'X-Raw : \ufffd\r\n' },
        { name: null, value: null, raw: 'odd\r\n' },
      ],
      sizeBytes: Buffer.byteLength(header, 'latin1') + 6,
    })
    const seconds = t0 / 1000
    const mac = createHmac('sha256', 'geheim').update(`${seconds}.${question!.body}`).digest('hex')
    expect(question).toMatchObject({
      path: '/mail',
      headers: { 'content-type': 'application/json', 'x-relay-signature': `t=${seconds},v1=${mac}` },
    })
  })

  it.each<[object, object]>([
    [{ verdict: 'accept' }, { kind: 'pass', hold: null, note: null, added: [], removed: [] }],
    [
      { verdict: 'accept', reason: 'known' },
      { kind: 'pass', note: 'known' },
    ],
    [{ verdict: 'hold' }, { kind: 'pass', hold: 'held by hook' }],
    [
      { verdict: 'hold', reason: 'odd' },
      { kind: 'pass', hold: 'odd', note: 'odd' },
    ],
    [
      { verdict: 'drop', reason: 'spam' },
      { kind: 'drop', note: 'spam' },
    ],
    [
      { verdict: 'reject' },
      {
        kind: 'refuse',
        reply: { code: 550, enhanced: '5.7.1', text: 'Delivery not authorized, message refused' },
        note: null,
      },
    ],
    [
      { verdict: 'reject', code: 552, enhanced: '5.3.4', text: 'Too large', reason: 'over 1 MB' },
      { kind: 'refuse', reply: { code: 552, enhanced: '5.3.4', text: 'Too large' }, note: 'over 1 MB' },
    ],
    [
      { verdict: 'defer' },
      { kind: 'refuse', reply: { code: 451, enhanced: '4.7.1', text: 'Delivery deferred by policy' } },
    ],
    [
      { verdict: 'defer', code: 421, text: 'Busy' },
      { kind: 'refuse', reply: { code: 451, enhanced: '4.7.1', text: 'Busy' } },
    ],
    [
      { verdict: 'accept', redirectTo: ['box@EXAMPLE.net'], addRecipients: ['c@example.net'] },
      { added: ['box@example.net', 'c@example.net'], removed: ['a@example.org', 'b@example.org'] },
    ],
    [
      { verdict: 'hold', redirectTo: ['a@example.org'] },
      { added: ['a@example.org'], removed: ['b@example.org'], hold: 'held by hook' },
    ],
    [
      { verdict: 'accept', removeRecipients: ['b@example.org'] },
      { added: [], removed: ['b@example.org'] },
    ],
  ])('that answers %j makes it so', async (answer, verdict) => {
    const { check } = await webhookTo(json(answer))
    expect(await check({ to: ['a@example.org', 'b@example.org'] })).toMatchObject(verdict)
  })

  it('changes the header, and nothing else', async () => {
    const { check } = await webhookTo(
      json({
        verdict: 'accept',
        removeHeaders: ['x-gone'],
        setHeaders: [{ name: 'Subject', value: 'Grüße' }],
        addHeaders: [{ name: 'X-Seen', value: 'yes' }],
      }),
    )
    const verdict = await check({ header: 'X-Gone: 1\nSubject: a\n subject\nX-Raw: \0\n\n', body: '\0\n' })
    if (verdict.kind !== 'pass') throw new Error('It did not pass')
    expect(await textOf(verdict.draft)).toMatch(
      /^Subject: =\?utf-8\?[qb]\?[^?]+\?=\r\nX-Raw: \0\nX-Seen: yes\r\n\n\0\n$/i,
    )
  })

  it.each<[string, Parameters<typeof HttpServer.start>[0], string]>([
    ['no JSON', (response) => void response.end('accept'), 'answered what is no JSON'],
    ['nothing', (response) => void response.end(), 'answered what is no JSON'],
    ['a list', json([]), 'answered what cannot be understood: the whole'],
    ['no verdict', json({}), 'answered what cannot be understood: verdict'],
    ['a verdict we do not know', json({ verdict: 'maybe' }), 'answered what cannot be understood: verdict'],
    ['a key we do not know', json({ verdict: 'accept', setHeader: [] }), 'setHeader'],
    ['a key of another verdict', json({ verdict: 'drop', text: 'No' }), 'text'],
    ['a code that is no refusal', json({ verdict: 'reject', code: 250 }), 'code'],
    ['a code of another class', json({ verdict: 'defer', code: 550 }), 'code'],
    ['an enhanced code of another class', json({ verdict: 'reject', enhanced: '4.7.1' }), 'enhanced'],
    ['a text of two lines', json({ verdict: 'reject', text: 'a\r\nb' }), 'text'],
    [
      'a field of two lines',
      json({ verdict: 'accept', addHeaders: [{ name: 'X-A', value: 'a\r\nBcc: b' }] }),
      'addHeaders.0.value',
    ],
    ['a field without name', json({ verdict: 'accept', removeHeaders: ['a b'] }), 'removeHeaders.0'],
    ['an address that is none', json({ verdict: 'accept', redirectTo: ['nobody'] }), 'redirectTo.0'],
    ['too much', json({ verdict: 'accept', reason: 'x'.repeat(70_000) }), 'answered more than 65536 bytes'],
    ['an error', json({ verdict: 'accept' }, 500), 'answered with HTTP status 500'],
    ['another status', json({ verdict: 'accept' }, 201), 'answered with HTTP status 201'],
    [
      'a redirect',
      (response) => void response.writeHead(302, { Location: '/' }).end(),
      'answered with HTTP status 302',
    ],
  ])('that answers %s is away', async (_what, answer, reason) => {
    const { check } = await webhookTo(answer)
    await expect(check()).rejects.toThrow(reason)
  })

  it('that finds the header too large has no verdict', async () => {
    const { check } = await webhookTo(json({}, 413))
    await expect(check()).rejects.toThrow(NotChecked)
  })
})
