import { describe, expect, it } from 'vitest'
import { InForce } from '../../src/setup/in-force.ts'
import type { Plan } from '../../src/setup/plan.ts'
import {
  mostRules,
  planRuleAdd,
  planRuleChange,
  planRuleRemove,
  planRuleReplace,
  type RulePlan,
} from '../../src/setup/rule-plans.ts'
import { plainFile } from '../support/running-setup.ts'
import { PlannedState, type Planner, refusalOf } from './planned-state.ts'

const yaml = `${plainFile}
policy:
  lists: { partners: [example.org] }
  rules: [{ name: Of the file, actions: { drop: true } }]
`

const add =
  (asked: Parameters<typeof planRuleAdd>[2]): Planner<RulePlan> =>
  (current, planning) =>
    planRuleAdd(current, planning, asked)
const replace =
  (asked: Parameters<typeof planRuleReplace>[2]): Planner<RulePlan> =>
  (current, planning) =>
    planRuleReplace(current, planning, asked)
const change =
  (asked: Parameters<typeof planRuleChange>[2]): Planner<RulePlan> =>
  (current, planning) =>
    planRuleChange(current, planning, asked)
const remove =
  (asked: Parameters<typeof planRuleRemove>[1]): Planner<Plan> =>
  (current) =>
    planRuleRemove(current, asked)

const drops = (name: string, rest: object = {}) => ({ name, actions: { drop: true }, ...rest })

/** With rules of these names made at run time, in this order. */
function state(...names: readonly string[]): PlannedState {
  const made = new PlannedState({ yaml })
  for (const name of names) made.apply(add({ rule: drops(name) }))
  return made
}

const namesIn = (made: PlannedState) => made.current.rules.map(({ name }) => name)

describe('a new rule', () => {
  it('comes last, behind those of the file, as it was given', () => {
    const made = state('a')
    const rule = drops('b', { conditions: { senderIn: ['partners'] }, mode: 'audit' })
    const { name, audit, warnings } = made.apply(add({ rule }))
    expect(name).toBe('b')
    expect(warnings).toEqual([])
    expect(namesIn(made)).toEqual(['Of the file', 'a', 'b'])
    expect(made.get('rule', 'b')?.value).toEqual({ rule, createdAt: 1_000 })
    expect(audit).toEqual([{ act: 'created', what: 'rule', id: 'b', before: null, after: rule }])
    expect(new InForce(made.current).rules.rules.map(({ name }) => name)).toEqual(['Of the file', 'a', 'b'])
  })

  it.each([
    [1, ['c', 'a', 'b']],
    [2, ['a', 'c', 'b']],
    [3, ['a', 'b', 'c']],
  ])('takes the place %i among those made here', (place, names) => {
    const made = state('a', 'b')
    made.apply(add({ rule: drops('c'), place }))
    expect(namesIn(made)).toEqual(['Of the file', ...names])
  })

  it('may route through a connector made at run time', () => {
    const made = state()
    const settings = { name: 'Thirty', smartHosts: ['192.0.2.30'] }
    made.put('connector', '30', { settings, password: null, clientKey: null, createdAt: 1 })
    made.apply(add({ rule: { name: 'r', actions: { routeThrough: 30 } } }))
    expect(made.current.rules.at(-1)!.rule.actions.routeThrough).toBe('30')
  })

  it('may be doubtful, which is said', () => {
    const made = state()
    const settings = { name: 'Thirty', smartHosts: ['192.0.2.30'], enabled: false }
    made.put('connector', '30', { settings, password: null, clientKey: null, createdAt: 1 })
    const { warnings } = made.apply(add({ rule: { name: 'r', actions: { routeThrough: '30' } } }))
    expect(warnings).toEqual([
      {
        field: 'actions.routeThrough',
        message:
          'actions.routeThrough connector 30 is disabled: such mail is refused with 451 4.3.2 until it is enabled',
      },
    ])
  })

  it.each<[string, Parameters<typeof planRuleAdd>[2], string]>([
    ['without a name', { rule: { actions: { drop: true } } }, 'invalid name: name is missing'],
    [
      'with a name of two lines',
      { rule: drops('a\nb') },
      'invalid name: name must be one line of text, and not . or ..',
    ],
    [
      'that no path could name',
      { rule: drops('..') },
      'invalid name: name must be one line of text, and not . or ..',
    ],
    ['without actions', { rule: { name: 'r' } }, 'invalid actions: actions is missing'],
    [
      'with no action',
      { rule: { name: 'r', actions: {} } },
      'invalid actions: actions must have at least one action',
    ],
    [
      'with a field that is none',
      { rule: drops('r', { condition: {} }) },
      'invalid condition: There is no field condition in a rule: did you mean conditions?',
    ],
    [
      'with a condition that is none',
      { rule: drops('r', { conditions: { sender: ['a@example.com'] } }) },
      'invalid conditions.sender: There is no field conditions.sender in a rule',
    ],
    [
      'with a value of the wrong type',
      { rule: drops('r', { stop: 'yes' }) },
      'invalid stop: stop must be true or false',
    ],
    [
      'with an address that is none',
      { rule: drops('r', { conditions: { senderIs: ['a@example.com', 'b'] } }) },
      'invalid conditions.senderIs.1: conditions.senderIs.1 must be a mail address such as user@example.com',
    ],
    [
      'with a pattern that is none',
      { rule: drops('r', { conditions: { subjectMatches: ['('] } }) },
      "invalid conditions.subjectMatches.0: conditions.subjectMatches.0 must be a pattern in RE2's syntax (missing closing ): ()",
    ],
    [
      'that names no list',
      { rule: drops('r', { exceptions: { recipientIn: ['partner'] } }) },
      'invalid exceptions.recipientIn.0: exceptions.recipientIn.0 must be the name of a list in policy.lists: there is no partner; did you mean partners?',
    ],
    [
      'through a connector that is missing',
      { rule: { name: 'r', actions: { routeThrough: 28 } } },
      'invalid actions.routeThrough: actions.routeThrough must be the id of a connector: there is no 28; did you mean 29?',
    ],
    [
      'that would never be active',
      { rule: drops('r', { activeFrom: '2027-02-01', activeUntil: '2027-01-31' }) },
      'invalid activeUntil: activeUntil must be later than activeFrom: the rule would never be active',
    ],
    [
      'of a name that is taken',
      { rule: drops('a') },
      'conflict name: name must be another: there is a rule a',
    ],
    [
      'of a name that the file has',
      { rule: drops('Of the file') },
      'conflict name: name must be another: there is a rule Of the file',
    ],
    ['beyond the last place', { rule: drops('r'), place: 3 }, 'invalid place: place must be 1 to 2'],
  ])('is refused %s', (_, asked, refusal) => {
    const made = state('a')
    expect(refusalOf(() => made.plan(add(asked)))).toBe(refusal)
  })

  it('is refused where there are very many', () => {
    const made = state()
    for (let n = 1; n < mostRules; n++) made.put('rule', `r${n}`, { rule: drops(`r${n}`), createdAt: 1 })
    expect(refusalOf(() => made.plan(add({ rule: drops('x') })))).toMatch(/There are 1000 rules already/)
  })
})

describe('a rule that is replaced', () => {
  it('keeps its place, and remembers when it was made', () => {
    const made = state('a', 'b')
    made.now = 2_000
    const { audit } = made.apply(replace({ name: 'a', version: 1, rule: drops('a', { stop: true }) }))
    expect(namesIn(made)).toEqual(['Of the file', 'a', 'b'])
    expect(made.current.rules[1]).toMatchObject({
      rule: { stop: true },
      stored: { version: 2, createdAt: 1_000, changedAt: 2_000 },
    })
    expect(audit).toEqual([
      { act: 'changed', what: 'rule', id: 'a', before: drops('a'), after: drops('a', { stop: true }) },
    ])
  })

  it('keeps its place under another name', () => {
    const made = state('a', 'b')
    made.apply(replace({ name: 'a', version: 1, rule: drops('z') }))
    expect(namesIn(made)).toEqual(['Of the file', 'z', 'b'])
    expect(made.get('rule', 'a')).toBeUndefined()
    expect(made.current.rules[1]).toMatchObject({ stored: { version: 1, createdAt: 1_000 } })
  })

  it('may have been one that cannot be used', () => {
    const made = state('a').put('rule', 'bad', { rule: { actions: {} }, createdAt: 7 })
    made.apply(replace({ name: 'bad', version: 1, rule: drops('bad') }))
    expect(namesIn(made)).toEqual(['Of the file', 'a', 'bad'])
    expect(made.current.unusable).toEqual([])
  })

  it.each<[string, Parameters<typeof planRuleReplace>[2], string]>([
    ['that is missing', { name: 'x', version: 1, rule: drops('x') }, 'missing -: There is no rule x'],
    [
      'of the file',
      { name: 'Of the file', version: 1, rule: drops('Of the file') },
      'readOnly -: The rule Of the file stands in the configuration file, which alone can change it',
    ],
    [
      'at another version',
      { name: 'a', version: 3, rule: drops('a') },
      'conflict version: The rule a was changed meanwhile: it is at version 1, not 3',
    ],
    [
      'by the name of another',
      { name: 'a', version: 1, rule: drops('b') },
      'conflict name: name must be another: there is a rule b',
    ],
    [
      'by one that is none',
      { name: 'a', version: 1, rule: { name: 'a', actions: { drop: false } } },
      'invalid actions.drop: actions.drop must be true, or left out',
    ],
  ])('is refused %s', (_, asked, refusal) => {
    expect(refusalOf(() => state('a', 'b').plan(replace(asked)))).toBe(refusal)
  })
})

describe('mode and place', () => {
  it('change together, in one step', () => {
    const made = state('a', 'b', 'c')
    const { changes, audit } = made.apply(change({ name: 'c', version: 1, mode: 'test', place: 1 }))
    expect(namesIn(made)).toEqual(['Of the file', 'c', 'a', 'b'])
    expect(made.current.rules[1]).toMatchObject({ rule: { mode: 'test' }, stored: { version: 2 } })
    expect(changes).toHaveLength(2)
    expect(audit).toMatchObject([
      { what: 'rule', id: 'c', after: { mode: 'test' } },
      { what: 'rule order', before: { names: ['a', 'b', 'c'] }, after: { names: ['c', 'a', 'b'] } },
    ])
  })

  it.each([
    ['a', 1, ['a', 'b', 'c']],
    ['a', 2, ['b', 'a', 'c']],
    ['a', 3, ['b', 'c', 'a']],
    ['c', 2, ['a', 'c', 'b']],
  ])('moves %s to the place %i', (name, place, names) => {
    const made = state('a', 'b', 'c')
    made.apply(change({ name, version: 1, place }))
    expect(namesIn(made)).toEqual(['Of the file', ...names])
  })

  it('that are so already change nothing', () => {
    const made = state('a', 'b')
    expect(made.plan(change({ name: 'b', version: 1, mode: 'enforce', place: 2 }))).toEqual({
      name: 'b',
      warnings: [],
      changes: [],
      audit: [],
    })
  })

  it('leave those their places that cannot be used', () => {
    const made = state('a', 'b', 'c').put('rule', 'b', { rule: {}, createdAt: 1 })
    made.apply(change({ name: 'c', version: 1, place: 1 }))
    expect(made.get('rule-order', 'rules')?.value).toEqual({ names: ['c', 'a', 'b'] })
  })

  it.each<[string, Parameters<typeof planRuleChange>[2], string]>([
    ['of a rule that is missing', { name: 'x', place: 1 }, 'missing -: There is no rule x'],
    [
      'of a rule of the file',
      { name: 'Of the file', mode: 'test' },
      'readOnly -: The rule Of the file stands in the configuration file, which alone can change it',
    ],
    ['of no place', { name: 'a', place: 3 }, 'invalid place: place must be 1 to 2'],
    [
      'at another version',
      { name: 'a', version: 2, place: 2 },
      'conflict version: The rule a was changed meanwhile: it is at version 1, not 2',
    ],
  ])('are refused %s', (_, asked, refusal) => {
    expect(refusalOf(() => state('a', 'b').plan(change(asked)))).toBe(refusal)
  })
})

describe('a rule that is removed', () => {
  it('leaves the order too', () => {
    const made = state('a', 'b')
    const { audit } = made.apply(remove({ name: 'a', version: 1 }))
    expect(namesIn(made)).toEqual(['Of the file', 'b'])
    expect(made.get('rule-order', 'rules')?.value).toEqual({ names: ['b'] })
    expect(audit).toEqual([{ act: 'removed', what: 'rule', id: 'a', before: drops('a'), after: null }])
  })

  it('may be one that cannot be used, or not even be read', () => {
    const made = state().put('rule', 'bad', { rule: 7 }).unreadable('rule/worse')
    made.apply(remove({ name: 'bad' }))
    expect(made.get('rule', 'bad')).toBeUndefined()
    expect(made.plan(remove({ name: 'worse' })).changes[0]).toMatchObject({ expected: null, value: null })
  })

  it.each([
    ['that is missing', 'x', 'missing -: There is no rule x'],
    [
      'of the file',
      'Of the file',
      'readOnly -: The rule Of the file stands in the configuration file, which alone can change it',
    ],
  ])('is refused %s', (_, name, refusal) => {
    expect(refusalOf(() => state().plan(remove({ name })))).toBe(refusal)
  })
})
