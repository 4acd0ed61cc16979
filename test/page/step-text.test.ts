import { describe, expect, it } from 'vitest'
import { policyNotes } from '../../src/page/explain/policy-note.ts'
import { decisionText, outcomeText, replyText, stepText, whyText } from '../../src/page/explain/step-text.ts'
import { de } from '../../src/page/explain/words-de.ts'
import { en } from '../../src/page/explain/words-en.ts'
import type { RuleOutcome } from '../../src/policy/rules/verdict.ts'
import { permanent } from '../../src/reply.ts'
import { describeCandidate, describeStep, type RankedCandidate, type Step } from '../../src/route/steps.ts'

const candidate = (outcome: RankedCandidate['outcome']): RankedCandidate => ({
  ...{ connector: '29', name: 'Provider', space: 'SMTP:*;1', outcome },
})

const steps: readonly Step[] = [
  { step: 'binding', sender: null, binding: null },
  { step: 'binding', sender: 'a@example.com', binding: null },
  ...([null, '29'] as const).flatMap((connector): Step[] => [
    {
      step: 'binding',
      sender: 'a@example.com',
      binding: { of: 'address', value: 'a@example.com', connector },
    },
    { step: 'binding', sender: 'a@example.com', binding: { of: 'domain', value: 'example.com', connector } },
  ]),
  ...(['chosen', 'notCovered', 'disabled', 'tooSmall', 'missing'] as const).map(
    (outcome): Step => ({ step: 'boundConnector', connector: '29', outcome }),
  ),
  { step: 'addressSpaces', candidates: [candidate('chosen')] },
  { step: 'addressSpaces', candidates: [candidate('tooSmall')] },
  { step: 'default', connector: null, outcome: 'none' },
  ...(['chosen', 'disabled', 'tooSmall', 'none'] as const).map(
    (outcome): Step => ({ step: 'default', connector: '29', outcome }),
  ),
  ...(['tooLarge', 'reject', 'hold'] as const).map((outcome): Step => ({ step: 'nothing', outcome })),
]

describe('a step', () => {
  it.each(steps)('says what `relay explain` says: %j', (step) => {
    expect(stepText(step, en)).toBe(`${describeStep(step)}.`)
  })

  it.each(steps)('has German words of its own: %j', (step) => {
    expect(stepText(step, de)).not.toBe(stepText(step, en))
  })
})

it.each(['chosen', 'disabled', 'tooSmall', 'lessSpecific', 'higherCost', 'laterName', 'noMatch'] as const)(
  'says of a candidate what `relay explain` says: %s',
  (outcome) => {
    expect(en.candidateOutcomes[outcome]).toBe(describeCandidate(candidate(outcome)))
  },
)

describe('the outcome of a rule', () => {
  const match = {
    ...{ rule: 'Cards', because: [{ condition: 'senderIs', value: 'a@example.com' }], severity: null },
    ...{ recipients: ['b@example.org'], actions: ['hold'] },
  }
  const table: [RuleOutcome['outcome'], string][] = [
    [
      { kind: 'matched', match: { ...match, mode: 'enforce' } },
      'matches (senderIs a@example.com) for b@example.org: hold',
    ],
    [
      { kind: 'matched', match: { ...match, because: [], mode: 'test' } },
      'matches for b@example.org: hold (test: not done)',
    ],
    [{ kind: 'notMatched', condition: 'senderIs' }, 'does not match: senderIs'],
    [{ kind: 'excepted', condition: 'senderIs', value: 'a@example.com' }, 'excepted: senderIs a@example.com'],
    [{ kind: 'stoppedBefore' }, 'not asked: an earlier rule ended it'],
  ]
  it.each(table)('%j', (outcome, text) => {
    expect(outcomeText(outcome, en)).toBe(text)
  })
})

describe('the decision', () => {
  const nameOf = (connector: string) => `Provider (${connector})`
  const said = (decision: Parameters<typeof decisionText>[0]) => decisionText(decision, { words: en, nameOf })

  it('names the connector, or the reply', () => {
    const why = { rule: 'addressSpace', entry: 'SMTP:*;1' } as const
    expect(said({ kind: 'connector', connector: '29', why })).toBe('Leaves by connector Provider (29)')
    expect(whyText(why, en)).toBe('address space SMTP:*;1')
    expect(said({ kind: 'refuse', reply: permanent('1.1', 'No such user') })).toBe(
      'Refused: 550 5.1.1 No such user',
    )
    expect(said(null)).toBe('Dropped')
  })

  it('leaves out an enhanced code that a reply does not have', () => {
    expect(replyText({ code: 550, enhanced: null, text: 'No' })).toBe('550 No')
  })
})

describe('what rules do to a recipient', () => {
  it.each([
    ['dropped: nobody is told', ['The rules drop it: nobody is told.']],
    ['added by a rule', ['Added by a rule.']],
    ['held: four; eyes', ['Held for an operator: four; eyes']],
    [
      'in place of b@example.org; held: a look',
      ['In place of b@example.org, by a rule.', 'Held for an operator: a look'],
    ],
    ['something new', ['something new']],
  ])('%s', (note, notes) => {
    expect(policyNotes(note, en)).toEqual(notes)
  })
})
