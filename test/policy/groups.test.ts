import { describe, expect, it } from 'vitest'
import type { EnvelopeRecipient } from '../../src/envelope.ts'
import { type Before, type Group, groupsOf } from '../../src/policy/groups.ts'
import type { Variant } from '../../src/policy/rules/verdict.ts'
import { sender } from '../support/queue-fixtures.ts'

function variant(recipients: string, fields: Partial<Variant> = {}): Variant {
  return {
    recipients: recipients.split(' '),
    redirectTo: null,
    added: [],
    edits: [],
    sender: null,
    hold: null,
    connector: null,
    requireTls: false,
    ...fields,
  }
}

function envelope(fields: Partial<Before> = {}): Before {
  const recipients = ['a', 'b', 'c'].map(
    (address): EnvelopeRecipient => ({ address, notify: null, orcpt: `rfc822;${address}` }),
  )
  return {
    sender: sender('sender@example.com'),
    recipients: new Map(recipients.map((recipient) => [recipient.address, recipient])),
    hold: null,
    ...fields,
  }
}

const of = (variants: readonly Variant[], others: readonly Variant[] = [], before = envelope()): Group[] =>
  groupsOf(variants, { before, all: [...variants, ...others] })
const to = (groups: readonly Group[]): string[] =>
  groups.map(({ recipients }) => recipients.map(({ address }) => address).join(' '))

describe('nobody gets a form of the message twice', () => {
  const added = (...addresses: string[]) => ({ added: addresses })
  const redirectTo = (...addresses: string[]) => ({ redirectTo: addresses })
  const hold = 'wait'
  it.each<[string, Variant[], string[]]>([
    ['added once', [variant('a', added('x', 'x'))], ['a x']],
    ['added for two', [variant('a', added('x')), variant('b', { ...added('x'), hold })], ['a x', 'b']],
    ['added who is a recipient', [variant('a b', added('b', 'x'))], ['a b x']],
    ['added who comes later', [variant('a', added('b')), variant('b', { hold })], ['a', 'b']],
    ['redirected to one twice', [variant('a', redirectTo('x', 'x'))], ['x']],
    [
      'redirected for two',
      [variant('a', redirectTo('x')), variant('b', { ...redirectTo('x', 'y'), hold })],
      ['x', 'y'],
    ],
    [
      'redirected for two to the same',
      [variant('a', redirectTo('x')), variant('b', { ...redirectTo('x'), hold })],
      ['x'],
    ],
    ['redirected to one who is a recipient', [variant('a', redirectTo('b')), variant('b', { hold })], ['b']],
    [
      'redirected to one who is a recipient before',
      [variant('b', { hold }), variant('a', redirectTo('b'))],
      ['b'],
    ],
    [
      'added whom another is redirected to',
      [variant('a', added('x')), variant('b', redirectTo('x'))],
      ['a', 'x'],
    ],
    ['redirected away and added again', [variant('a', { ...redirectTo('x'), ...added('a') })], ['x a']],
    ['redirected to itself', [variant('a', redirectTo('a'))], ['a']],
  ])('%s', (_, variants, expected) => {
    expect(to(of(variants))).toEqual(expected)
  })

  it('whom a rule adds gets nothing where the message comes in another form', () => {
    expect(to(of([variant('a', added('b', 'x'))], [variant('b')]))).toEqual(['a x'])
    // Instead of somebody is another matter: that form goes to nobody else.
    expect(to(of([variant('a', redirectTo('b'))], [variant('b')]))).toEqual(['b'])
  })
})

it('recipients keep what the client said of them; others are named by us', () => {
  const [group] = of([variant('a', { added: ['x'] })])
  expect(group!.recipients).toEqual([
    { address: 'a', notify: null, orcpt: 'rfc822;a' },
    { address: 'x', notify: 'never', orcpt: null },
  ])
})

it.each([
  ['of who wants to hear of failures', ['never', null] as const, null],
  ['of who does not', ['never', 'never'] as const, 'never'],
])('a failure where it went instead is told: %s', (_, [a, b], expected) => {
  const recipients = new Map([
    ['a', { address: 'a', notify: a, orcpt: null }],
    ['b', { address: 'b', notify: b, orcpt: null }],
  ])
  const [group] = of([variant('a b', { redirectTo: ['x'] })], [], envelope({ recipients }))
  expect(group!.recipients).toEqual([{ address: 'x', notify: expected, orcpt: null }])
})

it('a new sender needs SMTPUTF8 where it is not ASCII, and a report keeps the null reverse-path', () => {
  const changed = (from: string, to: string) =>
    of([variant('a', { sender: to })], [], envelope({ sender: sender(from, { envid: 'e1' }) }))[0]!.sender
  expect(changed('sender@example.com', 'b@example.com')).toEqual(sender('b@example.com', { envid: 'e1' }))
  expect(changed('sender@example.com', 'ü@example.com')).toMatchObject({ smtpUtf8: true })
  expect(changed('', 'b@example.com')).toMatchObject({ from: '' })
})

it('for the operator the first reason is the one', () => {
  const holdOf = (before: string | null, hold: string | null) =>
    of([variant('a', { hold })], [], envelope({ hold: before }))[0]!.hold
  expect([holdOf(null, null), holdOf('virus', null), holdOf(null, 'rule'), holdOf('virus', 'rule')]).toEqual([
    null,
    'virus',
    'rule',
    'virus',
  ])
})

it.each<[string, Variant['edits'], boolean]>([
  ['nothing of it', [{ kind: 'prefixSubject', text: 'ü' }], false],
  ['an ASCII author', [{ kind: 'rewriteFrom', address: 'a@example.com' }], false],
  ['an author without an ASCII form', [{ kind: 'rewriteFrom', address: 'ä@example.com' }], true],
  [
    'such a recipient',
    [{ kind: 'addMailboxes', field: 'Cc', addresses: ['a@example.com', 'ö@example.com'] }],
    true,
  ],
])('asks the next hop for SMTPUTF8 where the header gets %s', (_, edits, smtpUtf8) => {
  const [group] = of([variant('a', { edits })])
  expect(group!.sender.smtpUtf8).toBe(smtpUtf8)
})
