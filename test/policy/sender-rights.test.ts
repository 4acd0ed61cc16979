import { describe, expect, it } from 'vitest'
import { HeaderView } from '../../src/message/header-view.ts'
import { fromRefusal, isSenderPattern, maySendAs } from '../../src/policy/sender-rights.ts'
import { formatReply } from '../../src/reply.ts'

const rights = ['alice@Example.com', '*@shop.example.com', '*@münchen.example']

describe('an address', () => {
  it.each<[string, boolean]>([
    ['alice@example.com', true],
    ['ALICE@example.com', true],
    ['bob@example.com', false],
    ['alice@sub.example.com', false],
    ['anyone@shop.example.com', true],
    ['anyone@a.shop.example.com', false],
    ['anyone@evilshop.example.com', false],
    ['any@xn--mnchen-3ya.example', true],
    ['any@evil-xn--mnchen-3ya.example', false],
  ])('%s: %s', (address, allowed) => {
    expect(maySendAs(rights, address)).toBe(allowed)
  })
  it('is everybody’s where all are allowed, and nobody’s where none is', () => {
    expect(maySendAs('all', 'any@example.org')).toBe(true)
    expect(maySendAs([], 'any@example.org')).toBe(false)
  })
})

it.each<[string, boolean]>([
  ['*', true],
  ['*@example.com', true],
  ['*@münchen.example', true],
  ['a@example.com', true],
  ['*@*.example.com', false],
  ['*@', false],
  ['example.com', false],
  ['*example.com', false],
  ['*a@example.com', true], // an asterisk is a letter like others in a local part
  ['a@b@example.com', false],
  ['', false],
])('a pattern: %j, %s', (pattern, is) => {
  expect(isSenderPattern(pattern)).toBe(is)
})

/** The reply that the header gets, or null. */
function refusal(...fields: string[]): string | null {
  const reply = fromRefusal(rights, new HeaderView(Buffer.from(`${fields.join('\r\n')}\r\n\r\n`, 'utf8')))
  return reply && formatReply(reply)
}
const notAs = (what: string) => `550 5.7.60 Client does not have permissions to send as this sender: ${what}`

describe('a From field', () => {
  it.each([
    ['From: alice@example.com'],
    ['FROM : "Alice, of Sales" <Alice@EXAMPLE.com> (hello)'],
    ['from: =?utf-8?q?ceo=40example=2Eorg=2C?= <news@shop.example.com>'],
    ['From: Alice <alice@example.com>,\r\n news@shop.example.com'],
    ['From: Us: alice@example.com, news@shop.example.com;'],
    ['From: any@münchen.example'],
    ['Reply-To: boss@example.org', 'From: alice@example.com'],
    ['From: alice@example.com', 'Sender: news@shop.example.com'],
  ])('is allowed: %j', (...fields) => {
    expect(refusal(...fields)).toBeNull()
  })

  it.each([
    ['From: bob@example.com', 'bob@example.com'],
    ['From: alice@example.com <Bob@example.com>', 'the From field cannot be read'],
    ['From: "alice@example.com" <Bob@Example.COM>', 'Bob@example.com'],
    ['From: alice@example.com, bob@example.com', 'bob@example.com'],
    ['From: Us: alice@example.com, bob@example.com;', 'bob@example.com'],
    ['From: <@example.org:alice@example.com>', 'the From field cannot be read'],
    ['From: alice@example.com (unfinished', 'the From field cannot be read'],
    ['From: undisclosed:;', 'the From field has no address'],
    ['From:', 'the From field has no address'],
    ['Subject: none', 'the message has no From field'],
  ])('is refused: %j, %s', (field, what) => {
    expect(refusal(field)).toBe(notAs(what))
  })

  it('is refused twice, whichever of both a reader would show', () => {
    const both = ['From: alice@example.com', 'From: bob@example.org']
    expect(refusal(...both)).toBe(notAs('the message has more than one From field'))
    expect(refusal(...both.reverse())).toBe(notAs('the message has more than one From field'))
    expect(refusal('From: alice@example.com', 'From : alice@example.com')).not.toBeNull()
  })

  it('is refused behind more fields than are read', () => {
    const many = Array.from({ length: 2500 }, (_, index) => `X-${index}: a`)
    expect(refusal('From: alice@example.com', ...many, 'From: bob@example.org')).toBe(
      notAs('the message has more than one From field'),
    )
    expect(refusal(...many, 'From: bob@example.org')).toBe(notAs('the From field cannot be read'))
  })

  it('is anybody’s where all senders are allowed', () => {
    const headers = ['From: bob@example.org', 'From: a\r\nFrom: b', 'Sender: (', '']
    for (const text of headers)
      expect(fromRefusal('all', new HeaderView(Buffer.from(`${text}\r\n\r\n`)))).toBeNull()
  })
})

describe('a Sender field', () => {
  it.each([
    [['Sender: bob@example.org'], 'bob@example.org'],
    [['Sender: alice@example.com', 'Sender: bob@example.org'], 'bob@example.org'],
    [['Sender: alice@example.com (unfinished'], 'the Sender field cannot be read'],
    [['Sender:'], 'the Sender field has no address'],
  ])('is refused: %j, %s', (fields, what) => {
    expect(refusal('From: alice@example.com', ...fields)).toBe(notAs(what))
  })
})
