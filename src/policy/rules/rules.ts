/**
 * The rules of a configuration, compiled once: patterns, words, lists and networks are ready, each rule's conditions
 * are in the order of their cost, and what its actions say is worked out.
 */
import type { Actions, PolicyConfig, Rule } from '../../config/policy-schema.ts'
import type { Edit } from '../../message/edit/edit.ts'
import { permanent, type Reply, temporary } from '../../reply.ts'
import { NamedLists } from './address-list.ts'
import { type ConditionSet, compileConditions } from './conditions.ts'
import type { Change } from './recipients.ts'
import type { Notice, RuleOutcome } from './verdict.ts'

export interface CompiledRule {
  readonly name: string
  readonly enabled: boolean
  readonly mode: Rule['mode']
  readonly activeFrom: number | null
  readonly activeUntil: number | null
  readonly onError: Rule['onError']
  readonly conditions: ConditionSet
  readonly exceptions: ConditionSet
  readonly stop: boolean
  /** The keys of its actions. */
  readonly actions: readonly string[]
  /** The end of the matter for the recipients it acts on; null: they go on, changed. */
  readonly end:
    | { readonly kind: 'reject' | 'defer'; readonly reply: Reply }
    | { readonly kind: 'drop' }
    | null
  readonly change: Change
  readonly notice: Omit<Notice, 'because'> | null
  readonly severity: 'low' | 'medium' | 'high' | null
  /** Whether all it asks is known at RCPT, and all it does then can be done there. */
  readonly decidedAtRcpt: boolean
}

export interface CompiledRules {
  readonly rules: readonly CompiledRule[]
  readonly empty: boolean
  /** The rules that are asked at RCPT already; empty where none of them could refuse anybody there. */
  readonly atRcpt: readonly CompiledRule[]
}

export function compileRules(policy: Pick<PolicyConfig, 'rules' | 'lists'>): CompiledRules {
  const lists = new NamedLists(policy.lists)
  const rules = policy.rules.map((rule) => compileRule(rule, lists))
  return { rules, empty: rules.every(({ enabled }) => !enabled), atRcpt: askedAtRcpt(rules) }
}

/** Why the rule is not asked at all now; null where it is. */
export function inactivity(
  rule: CompiledRule,
  now: number,
): (RuleOutcome['outcome'] & { kind: Inactive }) | null {
  if (!rule.enabled) return { kind: 'disabled' }
  if (rule.activeFrom !== null && now < rule.activeFrom) return { kind: 'notYetActive' }
  return rule.activeUntil !== null && now >= rule.activeUntil ? { kind: 'noLongerActive' } : null
}
type Inactive = 'disabled' | 'notYetActive' | 'noLongerActive'

/** Up to the first rule that always comes into play and needs more; one with dates may be asleep. */
function askedAtRcpt(rules: readonly CompiledRule[]): readonly CompiledRule[] {
  const enabled = rules.filter((rule) => rule.enabled)
  const end = enabled.findIndex(
    (rule) => !rule.decidedAtRcpt && rule.activeFrom === null && rule.activeUntil === null,
  )
  const leading = end === -1 ? enabled : enabled.slice(0, end)
  const refuses = leading.some(
    ({ decidedAtRcpt, mode, end }) =>
      decidedAtRcpt && mode === 'enforce' && end !== null && end.kind !== 'drop',
  )
  return refuses ? leading : []
}

function compileRule(rule: Rule, lists: NamedLists): CompiledRule {
  const { actions } = rule
  const conditions = compileConditions(rule.conditions, lists)
  const exceptions = compileConditions(rule.exceptions, lists)
  const notice = actions.notify === undefined ? null : { rule: rule.name, ...actions.notify }
  const keys = Object.keys(actions) as (keyof Actions)[]
  return {
    name: rule.name,
    enabled: rule.enabled,
    mode: rule.mode,
    activeFrom: rule.activeFrom,
    activeUntil: rule.activeUntil,
    onError: rule.onError,
    conditions,
    exceptions,
    stop: rule.stop,
    actions: keys.filter((key) => actions[key] !== undefined),
    end: endOf(actions),
    change: changeOf(actions),
    notice,
    severity: actions.audit ?? null,
    // A notice is kept in the same step as the message it is about, and at RCPT there is none.
    decidedAtRcpt:
      asksEnvelopeAlone(conditions) &&
      asksEnvelopeAlone(exceptions) &&
      (notice === null || rule.mode === 'test'),
  }
}

function asksEnvelopeAlone({ message, content }: ConditionSet): boolean {
  return message.length === 0 && content.length === 0
}

function endOf({ reject, defer, drop }: Actions): CompiledRule['end'] {
  if (reject !== undefined) {
    const detail = reject.enhanced.slice(reject.enhanced.indexOf('.') + 1)
    return { kind: 'reject', reply: permanent(detail, reject.text, reject.code) }
  }
  if (defer !== undefined) return { kind: 'defer', reply: temporary('7.1', defer.text) }
  return drop === undefined ? null : { kind: 'drop' }
}

function changeOf(actions: Actions): Change {
  const { addTo = [], addCc = [], addBcc = [] } = actions
  return {
    redirectTo: actions.redirectTo ?? null,
    added: [...addTo, ...addCc, ...addBcc],
    edits: editsOf(actions),
    sender: actions.rewriteSender ?? null,
    hold: actions.hold ?? null,
    connector: actions.routeThrough ?? null,
    requireTls: actions.requireTLS ?? false,
  }
}

/** Fields go before others come, so that a rule can replace some of its own; the disclaimer, which reads the text, is last. */
function editsOf(actions: Actions): Edit[] {
  const edits: Edit[] = []
  if (actions.stripReceived) edits.push({ kind: 'stripReceived' })
  for (const name of actions.removeHeaders ?? []) edits.push({ kind: 'removeHeader', name })
  for (const field of actions.setHeaders ?? []) edits.push({ kind: 'setHeader', ...field })
  for (const field of actions.addHeaders ?? []) edits.push({ kind: 'addHeader', ...field })
  if (actions.prefixSubject !== undefined) edits.push({ kind: 'prefixSubject', text: actions.prefixSubject })
  if (actions.rewriteFrom !== undefined) edits.push({ kind: 'rewriteFrom', address: actions.rewriteFrom })
  if (actions.addTo !== undefined) edits.push({ kind: 'addMailboxes', field: 'To', addresses: actions.addTo })
  if (actions.addCc !== undefined) edits.push({ kind: 'addMailboxes', field: 'Cc', addresses: actions.addCc })
  if (actions.disclaimer !== undefined) edits.push({ kind: 'disclaimer', ...actions.disclaimer })
  return edits
}
