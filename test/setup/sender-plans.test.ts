import { describe, expect, it } from 'vitest'
import type { Plan } from '../../src/setup/plan.ts'
import { mostBindings } from '../../src/setup/sender-check.ts'
import {
  type ImportedBinding,
  type ImportPlan,
  importRefused,
  planImport,
} from '../../src/setup/sender-import-plan.ts'
import { planBind, planUnbind, type SenderPlan } from '../../src/setup/sender-plans.ts'
import { plainFile } from '../support/running-setup.ts'
import { PlannedState, type Planner, refusalOf } from './planned-state.ts'

const yaml = `${plainFile}
senders:
  - { address: file@example.com, connector: 29 }
  - { domain: example.net, connector: 29 }
`

function state(): PlannedState {
  const made = new PlannedState({ yaml })
  const settings = { name: 'Thirty', smartHosts: ['192.0.2.30'] }
  return made
    .put('connector', '30', { settings, password: null, clientKey: null, createdAt: 1 })
    .put('connector', '31', {
      settings: { ...settings, name: 'Asleep', enabled: false },
      password: null,
      clientKey: null,
      createdAt: 1,
    })
}

type Bind = Parameters<typeof planBind>[2]
const bind =
  (asked: Bind): Planner<SenderPlan> =>
  (current, planning) =>
    planBind(current, planning, asked)
const unbind =
  (asked: Parameters<typeof planUnbind>[1]): Planner<Plan> =>
  (current) =>
    planUnbind(current, asked)
const bound = (made: PlannedState) =>
  Object.fromEntries(
    [...made.current.senders.values()]
      .filter(({ origin }) => origin === 'api')
      .map(({ id, connector }) => [id, connector]),
  )

describe('planBind', () => {
  it.each<[string, Bind]>([
    ['an address', { sender: 'a@example.com', connector: '30' }],
    ["a domain's default", { sender: '@example.com', connector: '29' }],
    ['an address to none', { sender: 'a@example.net', connector: null }],
    ['a domain that is known, without a default', { sender: '@example.org', connector: null }],
  ])('binds %s', (_, asked) => {
    const made = state()
    const { audit, warnings } = made.apply(bind(asked))
    expect(bound(made)).toEqual({ [asked.sender]: asked.connector })
    expect(audit).toEqual([
      {
        act: 'created',
        what: 'sender',
        id: asked.sender,
        before: null,
        after: { connector: asked.connector },
      },
    ])
    expect(warnings).toEqual([])
  })

  it('changes what is bound already, and remembers since when it is', () => {
    const made = state()
    made.apply(bind({ sender: 'a@example.com', connector: '30' }))
    made.now = 2_000
    const { audit } = made.apply(bind({ sender: 'a@example.com', connector: null, version: 1 }))
    expect(audit).toMatchObject([{ act: 'changed', before: { connector: '30' }, after: { connector: null } }])
    expect(made.current.senders.get('a@example.com')).toMatchObject({
      connector: null,
      stored: { version: 2, createdAt: 1_000, changedAt: 2_000 },
    })
  })

  it('changes nothing where it is bound so', () => {
    const made = state()
    made.apply(bind({ sender: 'a@example.com', connector: '30' }))
    expect(made.plan(bind({ sender: 'a@example.com', connector: '30' }))).toEqual({
      changes: [],
      audit: [],
      warnings: [],
    })
  })

  it('says that a connector is disabled, and binds', () => {
    const made = state()
    const { warnings } = made.apply(bind({ sender: 'a@example.com', connector: '31' }))
    expect(bound(made)).toEqual({ 'a@example.com': '31' })
    expect(warnings).toEqual([
      {
        field: 'connector',
        message: 'connector 31 is disabled: such mail is refused with 451 4.3.2 until it is enabled',
      },
    ])
  })

  it.each<[string, Bind, string]>([
    [
      'a connector that is missing',
      { sender: 'a@example.com', connector: '33' },
      'invalid connector: connector must be the id of a connector, or 0 for none: there is no 33; did you mean 30?',
    ],
    [
      'a sender of the file',
      { sender: 'file@example.com', connector: '30' },
      'readOnly sender: file@example.com is bound in the configuration file, which alone can change it',
    ],
    [
      'a domain of the file',
      { sender: '@example.net', connector: null },
      'readOnly sender: @example.net is bound in the configuration file, which alone can change it',
    ],
    [
      'a version of what is not there',
      { sender: 'a@example.com', connector: '30', version: 1 },
      'missing -: There is no binding of a@example.com',
    ],
    [
      'another version than is there',
      { sender: 'there@example.com', connector: '29', version: 7 },
      'conflict version: The binding of there@example.com was changed meanwhile: it is at version 1, not 7',
    ],
    [
      'another version, also where it is bound so',
      { sender: 'there@example.com', connector: '30', version: 7 },
      'conflict version: The binding of there@example.com was changed meanwhile: it is at version 1, not 7',
    ],
  ])('refuses %s', (_, asked, refusal) => {
    const made = state()
    made.apply(bind({ sender: 'there@example.com', connector: '30' }))
    expect(refusalOf(() => made.plan(bind(asked)))).toBe(refusal)
  })

  it('makes anew what cannot be used', () => {
    const made = state().put('sender', 'a@example.com', { connector: 7 }).unreadable('sender/b@example.com')
    made.apply(bind({ sender: 'a@example.com', connector: '30' }))
    expect(bound(made)).toEqual({ 'a@example.com': '30' })
    const { changes } = made.plan(bind({ sender: 'b@example.com', connector: '30' }))
    expect(changes).toMatchObject([{ expected: null }])
  })
})

describe('planUnbind', () => {
  it('removes a binding', () => {
    const made = state()
    made.apply(bind({ sender: 'a@example.com', connector: '30' }))
    const { audit } = made.apply(unbind({ sender: 'a@example.com', version: 1 }))
    expect(bound(made)).toEqual({})
    expect(audit).toEqual([
      { act: 'removed', what: 'sender', id: 'a@example.com', before: { connector: '30' }, after: null },
    ])
  })

  it('removes what cannot be used', () => {
    const made = state().put('sender', 'a@example.com', { connector: 7 }).unreadable('sender/b@example.com')
    made.apply(unbind({ sender: 'a@example.com' }))
    expect(made.get('sender', 'a@example.com')).toBeUndefined()
    expect(made.plan(unbind({ sender: 'b@example.com' })).changes).toMatchObject([
      { expected: null, value: null },
    ])
  })

  it.each([
    ['what is not bound', { sender: 'x@example.com' }, 'missing -: There is no binding of x@example.com'],
    [
      'a sender of the file',
      { sender: 'file@example.com' },
      'readOnly sender: file@example.com is bound in the configuration file, which alone can change it',
    ],
    [
      'another version than is there',
      { sender: 'there@example.com', version: 2 },
      'conflict version: The binding of there@example.com was changed meanwhile: it is at version 1, not 2',
    ],
  ])('refuses %s', (_, asked, refusal) => {
    const made = state()
    made.apply(bind({ sender: 'there@example.com', connector: '30' }))
    expect(refusalOf(() => made.plan(unbind(asked)))).toBe(refusal)
  })
})

describe('planImport', () => {
  const lines = (...bindings: [string, string | null][]): ImportedBinding[] => linesOf(bindings)
  const linesOf = (bindings: [string, string | null][]): ImportedBinding[] =>
    bindings.map(([sender, connector], index) => ({ sender, connector, at: `line ${index + 1}` }))
  const importing =
    (bindings: readonly ImportedBinding[], { replace = false } = {}): Planner<ImportPlan> =>
    (current, planning) =>
      planImport(current, planning, { bindings, replace })

  it('creates, changes and leaves alone, in one step', () => {
    const made = state()
    made.apply(importing(lines(['a@example.com', '30'], ['b@example.com', '30'], ['c@example.com', null])))
    const planned = made.apply(
      importing(lines(['b@example.com', '29'], ['a@example.com', '30'], ['@example.org', null])),
    )
    expect(planned).toMatchObject({ created: 1, changed: 1, unchanged: 1, removed: 0 })
    expect(planned.audit).toMatchObject([
      { act: 'changed', id: 'b@example.com', before: { connector: '30' }, after: { connector: '29' } },
      { act: 'created', id: '@example.org', before: null, after: { connector: null } },
    ])
    expect(bound(made)).toEqual({
      'a@example.com': '30',
      'b@example.com': '29',
      'c@example.com': null,
      '@example.org': null,
    })
  })

  it('removes those that are not named where it replaces, and never those of the file', () => {
    const made = state()
    made.apply(importing(lines(['a@example.com', '30'], ['b@example.com', '30'])))
    const planned = made.apply(importing(lines(['b@example.com', '30']), { replace: true }))
    expect(planned).toMatchObject({ created: 0, changed: 0, unchanged: 1, removed: 1 })
    expect(planned.audit).toMatchObject([{ act: 'removed', id: 'a@example.com' }])
    expect([...made.current.senders.keys()].sort()).toEqual([
      '@example.net',
      'b@example.com',
      'file@example.com',
    ])
  })

  it('takes what it exported: a sender of the file that stays as it is', () => {
    expect(state().plan(importing(lines(['file@example.com', '29'])))).toMatchObject({
      changes: [],
      unchanged: 1,
    })
  })

  it('says once that a connector is disabled', () => {
    const { warnings } = state().plan(importing(lines(['a@example.com', '31'], ['b@example.com', '31'])))
    expect(warnings).toMatchObject([{ message: expect.stringMatching(/^connector 31 is disabled/) }])
  })

  it('tells the audit of many together', () => {
    const many = Array.from({ length: 1001 }, (_, n): [string, string] => [`u${n}@example.com`, '30'])
    const made = state()
    const { audit } = made.apply(importing(linesOf(many)))
    expect(audit.map(({ act, id }) => `${act} ${id}`)).toEqual([
      'created u0@example.com and 499 more',
      'created u500@example.com and 499 more',
      'created u1000@example.com and 0 more',
    ])
    expect(Object.keys(Object.assign({}, ...audit.map(({ after }) => after)))).toHaveLength(1001)
    const removed = made.plan(importing(lines(['@example.org', null]), { replace: true }))
    expect(removed.audit[1]).toMatchObject({
      act: 'removed',
      before: { 'u0@example.com': '30' },
      after: null,
    })
  })

  it.each<[string, ImportedBinding[], { replace?: boolean }, string]>([
    [
      'connectors that are missing, naming the lines',
      lines(['a@example.com', '33'], ['b@example.com', '30'], ['c@example.com', 'x']),
      {},
      'invalid line 1: line 1: the connector must be the id of a connector, or 0 for none: there is no 33; did you mean 30?\n' +
        'line 3: the connector must be the id of a connector, or 0 for none: there is no x',
    ],
    [
      'other bindings of senders of the file',
      lines(['a@example.com', '30'], ['file@example.com', '30']),
      {},
      'readOnly line 2: line 2: file@example.com is bound in the configuration file, which alone can change it',
    ],
    [
      'to replace all by nothing',
      [],
      { replace: true },
      'invalid replace: There is nothing to replace the bindings with: it would remove them all',
    ],
  ])('refuses %s', (_, bindings, options, refusal) => {
    const made = state()
    expect(refusalOf(() => made.plan(importing(bindings, options)))).toBe(refusal)
  })

  it('refuses more than there may be', () => {
    const many = Array.from({ length: mostBindings }, (_, n): [string, null] => [`u${n}@example.com`, null])
    expect(refusalOf(() => state().plan(importing(linesOf(many))))).toBe(
      'invalid sender: There would be 200002 bindings, and there may be 200000',
    )
  })

  it('tells twenty problems, and how many more there are', () => {
    const problems = Array.from({ length: 22 }, (_, n) => ({ at: `line ${n}`, message: 'wrong' }))
    const { message, field } = importRefused(problems)
    expect(field).toBe('line 0')
    expect(message.split('\n')).toHaveLength(21)
    expect(message).toMatch(/\nline 19: wrong\n… and 2 more$/)
  })
})
