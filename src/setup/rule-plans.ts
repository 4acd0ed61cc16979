/**
 * How policy rules are made, changed, moved and removed while the relay runs. Those of the configuration file come first
 * and are read-only. A rule and its place in the order change in one step, and nothing is stored that could not be
 * compiled with the rules that are there.
 */
import type { Rule } from '../config/policy-schema.ts'
import type { StateChange } from '../state/state.ts'
import type { CurrentSetup } from './current.ts'
import { demandVersion, type Plan, type Planning, SetupRefused } from './plan.ts'
import { checkRule, type GivenRule, type RuleWarning, ruleOf } from './rule-check.ts'
import { orderId, orderKind, orderValue, ruleKind, ruleValue } from './rule-object.ts'

export interface RulePlan extends Plan {
  /** The name it has then. */
  readonly name: string
  readonly warnings: readonly RuleWarning[]
}

/** Of file and API together: each costs time with every message. */
export const mostRules = 1000

/** `place` is among the rules of the API, from 1; without one it is the last. */
export function planRuleAdd(
  current: CurrentSetup,
  { now }: Pick<Planning, 'now'>,
  { rule: given, place }: { readonly rule: GivenRule; readonly place?: number | undefined },
): RulePlan {
  const rule = ruleOf(given)
  const { name } = rule
  demandFreeName(name, current)
  if (current.rules.length >= mostRules)
    throw new SetupRefused('invalid', `There are ${mostRules} rules already, and there may be no more`)
  const warnings = checkRule(rule, current)
  const names = orderOf(current)
  const order = place === undefined ? [...names, name] : placed(name, { names, place, current })
  return {
    name,
    warnings,
    changes: [
      { kind: ruleKind, id: name, expected: null, value: { rule: given, createdAt: now } },
      orderChange(order, current),
    ],
    audit: [{ act: 'created', what: 'rule', id: name, before: null, after: given }],
  }
}

/** The whole rule; also under another name, in the same place. */
export function planRuleReplace(
  current: CurrentSetup,
  { now }: Pick<Planning, 'now'>,
  asked: { readonly name: string; readonly version?: number | undefined; readonly rule: GivenRule },
): RulePlan {
  const before = storedRule(asked, current)
  const rule = ruleOf(asked.rule)
  const { name } = rule
  const others = { ...current, rules: current.rules.filter((each) => each.name !== asked.name) }
  if (name !== asked.name) demandFreeName(name, current)
  const warnings = checkRule(rule, others)
  const value = { rule: asked.rule, createdAt: before.createdAt ?? now }
  const audit = [
    { act: 'changed', what: 'rule', id: asked.name, before: before.rule, after: asked.rule } as const,
  ]
  if (name === asked.name)
    return { name, warnings, changes: [{ kind: ruleKind, id: name, expected: before.version, value }], audit }
  const order = orderOf(current).map((each) => (each === asked.name ? name : each))
  return {
    name,
    warnings,
    changes: [
      { kind: ruleKind, id: asked.name, expected: before.version, value: null },
      { kind: ruleKind, id: name, expected: null, value },
      orderChange(order, current),
    ],
    audit,
  }
}

/** Its mode, its place, or both; what is left out stays as it is. */
export function planRuleChange(
  current: CurrentSetup,
  planning: Pick<Planning, 'now'>,
  asked: {
    readonly name: string
    readonly version?: number | undefined
    readonly mode?: Rule['mode'] | undefined
    readonly place?: number | undefined
  },
): RulePlan {
  const { name, version, mode, place } = asked
  const before = storedRule(asked, current)
  const moved = place === undefined ? nothing : planMove(current, { name, place })
  const rule = current.rules.find((each) => each.name === name)
  if (mode === undefined || rule?.rule.mode === mode) return { name, warnings: [], ...moved }
  const changed = planRuleReplace(current, planning, { name, version, rule: { ...before.rule, name, mode } })
  return {
    ...changed,
    changes: [...changed.changes, ...moved.changes],
    audit: [...changed.audit, ...moved.audit],
  }
}

export function planRuleRemove(
  current: CurrentSetup,
  asked: { readonly name: string; readonly version?: number | undefined },
): Plan {
  const { name } = asked
  const before = storedRule(asked, current)
  const names = orderOf(current)
  const order = names.includes(name)
    ? [
        orderChange(
          names.filter((each) => each !== name),
          current,
        ),
      ]
    : []
  return {
    changes: [{ kind: ruleKind, id: name, expected: before.version, value: null }, ...order],
    audit: [{ act: 'removed', what: 'rule', id: name, before: before.rule, after: null }],
  }
}

const nothing: Plan = { changes: [], audit: [] }

function planMove(current: CurrentSetup, { name, place }: { name: string; place: number }): Plan {
  const names = orderOf(current)
  const order = placed(name, { names, place, current })
  if (order.join('\n') === names.join('\n')) return nothing
  return {
    changes: [orderChange(order, current)],
    audit: [{ act: 'changed', what: 'rule order', id: orderId, before: { names }, after: { names: order } }],
  }
}

interface StoredRule {
  /** Null where not even that can be read; so with the rest. */
  readonly version: number | null
  readonly rule: GivenRule | null
  readonly createdAt: number | null
}

function storedRule(
  { name, version }: { readonly name: string; readonly version?: number | undefined },
  { rules, unusable, snapshot }: CurrentSetup,
): StoredRule {
  if (rules.some((rule) => rule.name === name && rule.origin === 'file'))
    throw new SetupRefused(
      'readOnly',
      `The rule ${name} stands in the configuration file, which alone can change it`,
    )
  const object = snapshot.objects.find(({ kind, id }) => kind === ruleKind && id === name)
  if (object !== undefined) {
    demandVersion(`The rule ${name}`, object, version)
    const value = ruleValue.safeParse(object.value).data
    return { version: object.version, rule: value?.rule ?? null, createdAt: value?.createdAt ?? null }
  }
  if (unusable.some(({ kind, id }) => kind === ruleKind && id === name))
    return { version: null, rule: null, createdAt: null }
  throw new SetupRefused('missing', `There is no rule ${name}`)
}

function demandFreeName(name: string, { rules, unusable }: CurrentSetup): void {
  const isTaken =
    rules.some((rule) => rule.name === name) ||
    unusable.some(({ kind, id }) => kind === ruleKind && id === name)
  if (isTaken) throw new SetupRefused('conflict', `name must be another: there is a rule ${name}`, 'name')
}

/** Every rule of the API, also those that cannot be used. */
function orderOf({ rules, unusable, snapshot }: CurrentSetup): readonly string[] {
  const object = snapshot.objects.find(({ kind, id }) => kind === orderKind && id === orderId)
  const ordered = orderValue.safeParse(object?.value).data?.names ?? []
  const usable = rules.filter(({ origin }) => origin === 'api').map(({ name }) => name)
  const others = unusable.filter(({ kind }) => kind === ruleKind).map(({ id }) => id)
  const there = new Set([...usable, ...others])
  return [...new Set([...ordered.filter((name) => there.has(name)), ...there])]
}

/** The names with this one before the rule that is at the place; those that cannot be used have none. */
function placed(
  name: string,
  { names, place, current }: { names: readonly string[]; place: number; current: CurrentSetup },
): readonly string[] {
  const rest = names.filter((each) => each !== name)
  const usable = new Set(current.rules.map((rule) => rule.name))
  const counted = rest.filter((each) => usable.has(each))
  if (place > counted.length + 1)
    throw new SetupRefused('invalid', `place must be 1 to ${counted.length + 1}`, 'place')
  const before = counted[place - 1]
  const at = before === undefined ? rest.length : rest.indexOf(before)
  return [...rest.slice(0, at), name, ...rest.slice(at)]
}

const orderChange = (names: readonly string[], { ruleOrderVersion }: CurrentSetup): StateChange => ({
  kind: orderKind,
  id: orderId,
  expected: ruleOrderVersion,
  value: { names },
})
