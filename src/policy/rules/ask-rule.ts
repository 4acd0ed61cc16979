/**
 * Whether one rule matches, and for whom: all conditions and no exception, the cheapest asked first, the content
 * only where everything else holds.
 */
import type { ConditionKey } from './condition.ts'
import type { Asked, AskedOfContent } from './conditions.ts'
import type { EnvelopeFacts, MessageFacts } from './facts.ts'
import type { Mailbox } from './mailbox.ts'
import { type CompiledRule, inactivity } from './rules.ts'
import type { RuleMatch, RuleOutcome } from './verdict.ts'

export interface Matched {
  readonly kind: 'matched'
  /** On whom the rule acts. */
  readonly recipients: readonly Mailbox[]
  readonly because: RuleMatch['because']
}

export type Unmatched = Exclude<RuleOutcome['outcome'], { kind: 'matched' }>

export type Answer = Matched | Unmatched | { readonly kind: 'needsContent' }

export const stoppedBefore: Unmatched = { kind: 'stoppedBefore' }

/** `open` are the recipients that no rule before has settled. */
export function askRule(rule: CompiledRule, facts: MessageFacts, open: readonly Mailbox[]): Answer {
  const inactive = inactivity(rule, facts.now)
  if (inactive !== null) return inactive
  if (open.length === 0) return stoppedBefore
  const byEnvelope = askEnvelope(rule, facts, open)
  if (byEnvelope.kind !== 'matched') return byEnvelope
  const { conditions, exceptions } = rule
  const because = [...byEnvelope.because]
  const unmet = firstUnmet(conditions.message, facts, because)
  if (unmet !== null) return notMatched(unmet)
  const excepted = firstHolding(exceptions.message, facts)
  if (excepted !== null) return excepted
  return askContent(rule, facts, { kind: 'matched', recipients: byEnvelope.recipients, because })
}

/** Of a rule all that is known at RCPT; there it is all of the rule. */
export function askEnvelope(
  rule: CompiledRule,
  facts: EnvelopeFacts,
  open: readonly Mailbox[],
): Matched | Unmatched {
  const { conditions, exceptions } = rule
  const because: { condition: string; value: string }[] = []
  const unmet = firstUnmet(conditions.session, facts, because)
  if (unmet !== null) return notMatched(unmet)
  let recipients = open
  for (const { key, find } of conditions.recipient) {
    recipients = recipients.filter((recipient) => find(recipient) !== null)
    if (recipients.length === 0) return notMatched(key)
  }
  const excepted = firstHolding(exceptions.session, facts)
  if (excepted !== null) return excepted
  for (const asked of exceptions.recipient) {
    const [first] = recipients
    recipients = recipients.filter((recipient) => asked.find(recipient) === null)
    if (recipients.length === 0) return firstHolding([asked], first!)!
  }
  firstUnmet(conditions.recipient, recipients[0]!, because)
  return { kind: 'matched', recipients, because }
}

function askContent(rule: CompiledRule, facts: MessageFacts, soFar: Matched): Answer {
  const conditions = rule.conditions.content
  const exceptions = rule.exceptions.content
  if (conditions.length === 0 && exceptions.length === 0) return soFar
  for (const { key, inHeader } of exceptions) {
    const value = inHeader?.(facts) ?? null
    if (value !== null) return { kind: 'excepted', condition: key, value }
  }
  const because = [...soFar.because]
  for (const asked of conditions) {
    const value = valueIn(asked, facts)
    if (value === unknown) return withoutContent(rule, facts)
    if (value === null) return notMatched(asked.key)
    because.push({ condition: asked.key, value })
  }
  for (const asked of exceptions) {
    const value = valueIn(asked, facts)
    if (value === unknown) return withoutContent(rule, facts)
    if (value !== null) return { kind: 'excepted', condition: asked.key, value }
  }
  return { ...soFar, because }
}

/** The content would say, and is not there. */
const unknown = Symbol('unknown')

function valueIn(asked: AskedOfContent, facts: MessageFacts): string | null | typeof unknown {
  const inHeader = asked.inHeader?.(facts) ?? null
  if (inHeader !== null) return inHeader
  const { content } = facts
  return typeof content === 'string' ? unknown : asked.find(facts, content)
}

/** A rule that changes nothing defers nothing either. */
function withoutContent(rule: CompiledRule, { content }: MessageFacts): Answer {
  if (content === 'unread') return { kind: 'needsContent' }
  return { kind: rule.mode === 'enforce' && rule.onError === 'defer' ? 'notInspected' : 'passedOver' }
}

/** The key of the first that does not hold; the values of those that do are noted. */
function firstUnmet<Subject>(
  list: readonly Asked<Subject>[],
  subject: Subject,
  because: { condition: string; value: string }[],
): ConditionKey | null {
  for (const { key, find } of list) {
    const value = find(subject)
    if (value === null) return key
    because.push({ condition: key, value })
  }
  return null
}

function firstHolding<Subject>(list: readonly Asked<Subject>[], subject: Subject) {
  for (const { key, find } of list) {
    const value = find(subject)
    if (value !== null) return { kind: 'excepted', condition: key, value } as const
  }
  return null
}

function notMatched(condition: ConditionKey): Unmatched {
  return { kind: 'notMatched', condition }
}
