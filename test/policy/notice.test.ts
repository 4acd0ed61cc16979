/** Notices as whom they tell reads them, and as a mail program takes them apart. */
import { describe, expect, it } from 'vitest'
import { HeaderView } from '../../src/message/header-view.ts'
import { composeNotice, type NoticeContext } from '../../src/policy/notice.ts'
import type { Notice } from '../../src/policy/rules/verdict.ts'
import { type CheckedFields, checkedMessage } from '../support/checked-message.ts'
import { t0 } from '../support/queue-fixtures.ts'

const notice: Notice = {
  rule: 'Cards',
  to: ['watch@example.com'],
  subject: 'A rule matched',
  text: 'Please look.',
  because: [{ condition: 'sensitiveData', value: 'cardNumber, 2 found' }],
}

function compose(
  change: Partial<Notice> = {},
  about: CheckedFields = {},
  context: Partial<NoticeContext> = {},
) {
  const { transaction, draft } = checkedMessage(about)
  return composeNotice(
    { ...notice, ...change },
    {
      id: '01JNOTICEFGHJKMNPQRS',
      hostname: 'relay.example.com',
      postmaster: 'postmaster@example.com',
      messageId: '01JABCDEFGHJKMNPQRST',
      receivedAt: t0,
      transaction,
      draft,
      ...context,
    },
  )
}

const bytesOf = (...args: Parameters<typeof compose>): string => compose(...args).bytes.toString('latin1')

/** RFC 5322 §2.1.1, §2.3: nothing but CRLF ends a line, none is longer than 998 octets, all is ASCII. */
function expectProper(bytes: string): void {
  expect(bytes).toMatch(/^[\x20-\x7e\t\r\n]*$/)
  expect(bytes.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  expect(Math.max(...bytes.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998)
}

it('says who wrote to whom, and why the rule matched, below what the administrator wrote', () => {
  const header = 'Subject: Our\r\n offer\r\nMessage-ID: <1@example.com>\r\n\r\n'
  const client = { address: '192.0.2.7', listener: 'exchange', user: 'alice' }
  const { bytes, envelope, internetMessageId, eightBit } = compose(
    {},
    { header, to: ['a@example.org', 'b@example.org'], session: { client } },
  )
  expect(bytes.toString()).toBe(
    [
      'From: Mail Delivery System <postmaster@example.com>',
      'To: <watch@example.com>',
      'Subject: A rule matched',
      'Date: Mon, 05 Jan 2026 08:00:00 +0000',
      'Message-ID: <01JNOTICEFGHJKMNPQRS@relay.example.com>',
      'Auto-Submitted: auto-generated',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: 7bit',
      '',
      'Please look.',
      '',
      'Rule: Cards',
      'Matched: sensitiveData: cardNumber, 2 found',
      'Queue id: 01JABCDEFGHJKMNPQRST',
      'Received: Mon, 05 Jan 2026 08:00:00 +0000',
      'Client: 192.0.2.7 as alice',
      'Sender: <sender@example.com>',
      'Recipients: a@example.org, b@example.org',
      'Subject: Our offer',
      'Message-ID: <1@example.com>',
      '',
    ].join('\r\n'),
  )
  // Nobody answers a notice, not even another relay.
  expect(envelope).toEqual({
    from: '',
    to: [{ address: 'watch@example.com', notify: 'never', orcpt: null }],
    bodyType: '7bit',
    smtpUtf8: false,
    ret: null,
    envid: null,
  })
  expect({ internetMessageId, eightBit }).toEqual({
    internetMessageId: '<01JNOTICEFGHJKMNPQRS@relay.example.com>',
    eightBit: false,
  })
})

it('begins with the rule where the administrator wrote nothing', () => {
  expect(bytesOf({ text: null })).toMatch(/\r\n\r\nRule: Cards\r\n/)
})

describe('stays a proper message', () => {
  const long = 'word '.repeat(1000)
  it.each<[string, Partial<Notice>, CheckedFields?]>([
    ['with a long text', { text: long }],
    ['with one long word', { text: 'x'.repeat(5000) }],
    ['with a text of many lines', { text: 'a\nb\r\nc\rd\n\n.\n' }],
    ['with a text that is not ASCII', { text: 'Grüße, 你好 😀 '.repeat(200) }],
    ['with a long subject', { subject: long.slice(0, 2000) }],
    ['with a subject that is not ASCII', { subject: 'Über 😀 '.repeat(200) }],
    ['with a rule of several lines', { rule: 'a\r\nSubject: b' }],
    ['with hostile reasons', { because: [{ condition: 'headerMatches', value: 'a\r\n\r\nb\0\u202e' }] }],
    [
      'about a hostile subject',
      {},
      { header: 'Subject: =?utf-8?q?a=0D=0ABcc:_x@example.net=0D=0A=0D=0Ab?=\r\n\r\n' },
    ],
    [
      'about an 8-bit header',
      {},
      { header: Buffer.from('Subject: \xfc\xff\0\r\nMessage-ID: \xe4\r\n\r\n', 'latin1') },
    ],
    ['about no header', {}, { header: '' }],
    ['about a long subject', {}, { header: `Subject: ${'é'.repeat(20_000)}\r\n\r\n` }],
  ])('%s', (_, change, about) => {
    const bytes = bytesOf(change, about)
    expectProper(bytes)
    const { names, subject, text } = read(bytes)
    expect(names).toEqual([
      ...['From', 'To', 'Subject', 'Date', 'Message-ID', 'Auto-Submitted', 'MIME-Version'],
      ...['Content-Type', 'Content-Transfer-Encoding'],
    ])
    expect(subject).toBe((change.subject ?? notice.subject).trim())
    expect(text).toMatch(/^Recipients: user@example\.org\r$/m)
    expect(text.replace(/[\r\n]/g, '')).toContain((change.text ?? notice.text)!.replace(/[\r\n]/g, ''))
  })
})

function read(bytes: string): { names: string[]; subject: string; text: string } {
  const end = bytes.indexOf('\r\n\r\n')
  const header = bytes.slice(0, end + 4)
  const body = bytes.slice(end + 4)
  const isEncoded = /^Content-Transfer-Encoding: base64\r$/m.test(header)
  return {
    names: [...header.matchAll(/^(\S+?):/gm)].map(([, name]) => name!),
    subject: new HeaderView(Buffer.from(header, 'latin1')).subject,
    text: isEncoded ? Buffer.from(body, 'base64').toString() : body,
  }
}

it('names the first ten recipients, and how many more there are', () => {
  const to = Array.from({ length: 5000 }, (_, n) => `${n}@example.org`)
  expect(bytesOf({}, { to: to.slice(0, 10) })).toMatch(/^Recipients: 0@example.org, .*, 9@example.org\r$/m)
  expect(bytesOf({}, { to })).toMatch(/^Recipients: 0@example.org, .*, 9@example.org and 4990 more\r$/m)
})

it('tells many, each once', () => {
  const to = Array.from({ length: 300 }, (_, n) => `watch${n}@example.com`)
  const { bytes, envelope } = compose({ to: [...to, ...to] })
  expect(envelope.to.map(({ address }) => address)).toEqual(to)
  expectProper(bytes.toString('latin1'))
  expect(bytes.toString().match(/<watch\d+@/g)).toHaveLength(300)
})

it('to an address that is not ASCII says what it needs of the smart host', () => {
  const { envelope, eightBit } = compose({ to: ['jürgen@example.com'] })
  expect({ ...envelope, eightBit }).toMatchObject({ smtpUtf8: true, bodyType: '8bitmime', eightBit: true })
})

it('says that the sender is the null reverse-path, and the client unknown', () => {
  const client = { address: null, listener: null, user: null }
  expect(bytesOf({}, { from: '', session: { client } })).toMatch(/^Client: unknown\r\nSender: <>\r$/m)
})
