import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ConditionKey } from '../../../src/policy/rules/condition.ts'
import { evaluate, explainRules } from '../../../src/policy/rules/evaluate.ts'
import type { Verdict } from '../../../src/policy/rules/verdict.ts'
import { attachment, rulesOf, type TestMessage, viewOf } from '../messages.ts'
import { naiveFates, type SimpleRule } from '../naive-rules.ts'

const addresses = ['a@example.org', 'b@example.org', 'c@example.net', 'd@example.com']
const recipients = fc.array(fc.constantFrom(...addresses), { minLength: 1, maxLength: 6 })

/** All recipients that a verdict speaks of. */
function spokenOf(verdict: Verdict): string[] {
  if (verdict.kind === 'refuse') return []
  return [...verdict.variants, ...verdict.bounced, ...verdict.dropped].flatMap((part) => part.recipients)
}

describe('rules about recipients', () => {
  const simpleRule: fc.Arbitrary<SimpleRule> = fc.record({
    recipientIs: fc.option(fc.subarray(addresses, { minLength: 1 })),
    exceptRecipientIs: fc.option(fc.subarray(addresses, { minLength: 1 })),
    anyRecipientIs: fc.option(fc.subarray(addresses, { minLength: 1 })),
    recipientCountOver: fc.option(fc.integer({ min: 1, max: 4 })),
    mode: fc.constantFrom('enforce', 'enforce', 'enforce', 'audit', 'test'),
    action: fc.constantFrom('prefix', 'prefix', 'prefix', 'reject', 'drop', 'defer'),
    stop: fc.boolean(),
  })

  it('do for each recipient what the prose says, and split as little as possible', () => {
    fc.assert(
      fc.property(fc.array(simpleRule, { maxLength: 8 }), recipients, (rules, to) => {
        const verdict = evaluate(rulesOf(rules.map(configured)), viewOf({ recipients: to }))
        if (verdict === 'needsContent') throw new Error('Nothing asks for content')
        expect(fatesOf(verdict, to)).toEqual(naiveFates(rules, to))
        if (verdict.kind === 'refuse') return
        const plans = verdict.variants.map(({ edits }) => JSON.stringify(edits))
        expect(new Set(plans).size).toBe(plans.length)
        expect(spokenOf(verdict).sort()).toEqual([...to].sort())
        for (const variant of verdict.variants) expect(inOrderOf(to, variant.recipients)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  function configured(rule: SimpleRule, index: number): Record<string, unknown> {
    const conditions = {
      ...(rule.recipientIs && { recipientIs: rule.recipientIs }),
      ...(rule.anyRecipientIs && { anyRecipientIs: rule.anyRecipientIs }),
      ...(rule.recipientCountOver && { recipientCountOver: rule.recipientCountOver }),
    }
    const exceptions = rule.exceptRecipientIs ? { recipientIs: rule.exceptRecipientIs } : {}
    const actions = {
      prefix: { prefixSubject: `${index};` },
      reject: { reject: {} },
      drop: { drop: true },
      defer: { defer: {} },
    }
    return { conditions, exceptions, actions: actions[rule.action], mode: rule.mode, stop: rule.stop }
  }

  /** By recipient: `deferred`, `rejected`, `dropped`, or the prefixes of its subject. */
  function fatesOf(verdict: Verdict, to: readonly string[]): Record<string, string> {
    if (verdict.kind === 'refuse') {
      const fate = verdict.reply.code === 451 ? 'deferred' : 'rejected'
      return Object.fromEntries(to.map((recipient) => [recipient, fate]))
    }
    const fates: Record<string, string> = {}
    for (const { recipients } of verdict.bounced) for (const each of recipients) fates[each] = 'rejected'
    for (const { recipients } of verdict.dropped) for (const each of recipients) fates[each] = 'dropped'
    for (const { recipients, edits } of verdict.variants)
      for (const each of recipients)
        fates[each] = edits.map((edit) => (edit.kind === 'prefixSubject' ? edit.text : edit.kind)).join('')
    return fates
  }

  /** Whether one list can be had from the other by leaving out. */
  function inOrderOf(all: readonly string[], some: readonly string[]): boolean {
    let at = 0
    for (const each of all) if (each === some[at]) at++
    return at === some.length
  }
})

const words = fc.array(fc.string({ minLength: 1, maxLength: 10, unit: 'binary' }), {
  minLength: 1,
  maxLength: 3,
})
const patterns = fc.array(
  fc.constantFrom('a*', '(a|b)*c', '^.{0,9}$', '\\p{L}+', '\\d{4}', '[^a]', '\\bx\\b', '(?s).*', '$'),
  { minLength: 1, maxLength: 3 },
)
const someAddresses = fc.subarray(addresses, { minLength: 1 })
const domains = fc.subarray(['example.org', '*.example.org', '*', '*.net'], { minLength: 1 })
const listNames = fc.subarray(['one', 'two'], { minLength: 1 })
const headerName = fc.constantFrom('Subject', 'From', 'X-A', 'Importance', 'x')
const flag = fc.constant(true)

const values: Record<ConditionKey, fc.Arbitrary<unknown>> = {
  senderIs: someAddresses,
  senderDomainIs: domains,
  senderContainsWords: words,
  senderMatches: patterns,
  senderIn: listNames,
  fromIs: someAddresses,
  fromDomainIs: domains,
  fromContainsWords: words,
  fromMatches: patterns,
  fromIn: listNames,
  fromDefectIs: fc.subarray(['none', 'several', 'unparsable'], { minLength: 1 }),
  senderDiffersFromFrom: flag,
  recipientIs: someAddresses,
  recipientDomainIs: domains,
  recipientContainsWords: words,
  recipientMatches: patterns,
  recipientIn: listNames,
  anyRecipientIs: someAddresses,
  anyRecipientDomainIs: domains,
  anyRecipientContainsWords: words,
  anyRecipientMatches: patterns,
  anyRecipientIn: listNames,
  recipientCountOver: fc.integer({ min: 1, max: 5 }),
  clientNetworkIs: fc.constant(['192.0.2.0/24', '::/0']),
  userIs: fc.constant(['anna']),
  listenerIs: fc.constant(['exchange']),
  subjectContainsWords: words,
  subjectMatches: patterns,
  subjectOrBodyContainsWords: words,
  subjectOrBodyMatches: patterns,
  headerContainsWords: fc.array(fc.record({ header: headerName, words }), { minLength: 1, maxLength: 2 }),
  headerMatches: fc.array(fc.record({ header: headerName, patterns }), { minLength: 1, maxLength: 2 }),
  headerPresent: fc.array(headerName, { minLength: 1, maxLength: 2 }),
  headerAbsent: fc.array(headerName, { minLength: 1, maxLength: 2 }),
  messageSizeOver: fc.integer({ min: 1, max: 9000 }),
  messageTypeIs: fc.subarray(['autoReply', 'calendar'], { minLength: 1 }),
  importanceIs: fc.subarray(['low', 'normal', 'high'], { minLength: 1 }),
  characterSetIs: fc.constant(['utf-8']),
  sensitiveData: fc.constantFrom(
    [{ type: 'cardNumber', minimumCount: 2 }],
    [{ type: 'iban', keywords: ['a'] }],
    [{ type: 'custom', pattern: '.' }],
  ),
  attachmentNameMatches: patterns,
  attachmentExtensionIs: fc.constant(['exe']),
  attachmentTypeIs: fc.constant(['executable']),
  attachmentSizeOver: fc.integer({ min: 1, max: 9000 }),
  attachmentCountOver: fc.integer({ min: 0, max: 3 }),
  attachmentNotInspected: flag,
  contentAmbiguous: flag,
}

const conditions = fc.record(values, { requiredKeys: [] })
const fewConditions = fc
  .tuple(conditions, fc.array(fc.constantFrom(...Object.keys(values)), { maxLength: 3 }))
  .map(([all, keys]) =>
    Object.fromEntries(keys.flatMap((key) => (key in all ? [[key, all[key as ConditionKey]]] : []))),
  )

const actions = fc.constantFrom<Record<string, unknown>>(
  { audit: 'low' },
  { reject: {} },
  { drop: true },
  { defer: {} },
  { redirectTo: ['x@example.com'], addTo: ['y@example.com'], notify: { to: ['z@example.com'] } },
  { prefixSubject: 'x', hold: 'y', stripReceived: true },
)
const rule = fc.record({
  conditions: fewConditions,
  exceptions: fewConditions,
  actions,
  mode: fc.constantFrom('enforce', 'audit', 'test'),
  onError: fc.constantFrom('defer', 'ignore'),
  stop: fc.boolean(),
})

const headerLine = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .tuple(headerName, fc.string({ unit: 'binary', maxLength: 60 }))
    .map(([name, value]) => `${name}: ${value}`),
  fc.constantFrom(
    'From: a@example.org, "b <c@example.net>',
    'Subject: =?utf-8?B?w6TD?= =?x?Q?=?=',
    ' folded',
    'Importance: ?',
    ':',
  ),
)
const message: fc.Arbitrary<TestMessage> = fc.record({
  sender: fc.constantFrom('', ...addresses),
  recipients,
  sizeBytes: fc.nat(10_000),
  header: fc.oneof(
    fc.array(headerLine, { maxLength: 12 }).map((lines) => lines.join('\r\n')),
    fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets)),
  ),
  content: fc.oneof(
    fc.constantFrom('unread' as const, 'failed' as const),
    fc.record({
      text: fc.string({ unit: 'binary', maxLength: 500 }),
      characterSets: fc.constant(['utf-8']),
      attachments: fc.array(
        fc.option(fc.string({ unit: 'binary' })).map((name) => attachment(name)),
        { maxLength: 3 },
      ),
      ambiguities: fc.array(fc.string(), { maxLength: 2 }),
    }),
  ),
})

describe('any rules and any message', () => {
  const lists = { one: ['a@example.org'], two: ['*.example.net'] }

  it('have a verdict on every recipient exactly once, and explained it is the same', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), message, (rules, fields) => {
        const compiled = rulesOf(rules, lists)
        const verdict = evaluate(compiled, viewOf(fields))
        const explained = explainRules(compiled, viewOf(fields))
        if (verdict === 'needsContent') {
          expect(fields.content).toBe('unread')
          expect(explained).toBe('needsContent')
          return
        }
        if (explained === 'needsContent') throw new Error('Explaining asks for more than judging')
        expect(explained.verdict).toEqual(verdict)
        expect(explained.outcomes.map((outcome) => outcome.rule)).toEqual(
          rules.map((_, index) => `rule ${index}`),
        )
        if (verdict.kind === 'pass') expect(spokenOf(verdict).sort()).toEqual([...fields.recipients!].sort())
        for (const { value } of verdict.matches.flatMap(({ because }) => because)) {
          expect(value.length).toBeLessThanOrEqual(100)
          expect(value).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
        }
      }),
      { numRuns: 1500 },
    )
  })

  it('without a match the message goes on as one, untouched', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), message, (rules, fields) => {
        const never = rules.map((each) => ({
          ...each,
          conditions: { ...each.conditions, listenerIs: ['nowhere'] },
        }))
        expect(evaluate(rulesOf(never, lists), viewOf(fields))).toEqual({
          kind: 'pass',
          matches: [],
          notices: [],
          variants: [
            {
              recipients: fields.recipients,
              redirectTo: null,
              added: [],
              edits: [],
              sender: null,
              hold: null,
              connector: null,
              requireTls: false,
            },
          ],
          bounced: [],
          dropped: [],
        })
      }),
      { numRuns: 300 },
    )
  })
})
