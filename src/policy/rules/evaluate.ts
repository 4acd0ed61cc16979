/**
 * What the rules say of a message, as Exchange's mail-flow rules do: asked in their order; a rule matches where all
 * its conditions hold and none of its exceptions does; all its actions apply. One algorithm for the mail and for
 * `explain`, which asks it to note how each rule came out.
 *
 * Rules look at the message as it was submitted (and as checkers left it), not at what rules before them changed;
 * recipients, though, that a rule refused, dropped or stopped for are no longer there for the next one. Conditions
 * about any recipient, or how many there are, always look at the whole envelope.
 *
 * A condition about a recipient selects those that the rule acts on, and such an exception exempts that recipient
 * alone. Pure, and bounded by the sizes of message and rules: patterns are (`pattern.ts`).
 */
import { type Reply, temporary } from '../../reply.ts'
import { askEnvelope, askRule, type Matched, stoppedBefore } from './ask-rule.ts'
import { EnvelopeFacts, MessageFacts } from './facts.ts'
import type { Mailbox } from './mailbox.ts'
import { Recipients } from './recipients.ts'
import { type CompiledRule, type CompiledRules, inactivity } from './rules.ts'
import type { Notice, RuleMatch, RuleOutcome, Verdict } from './verdict.ts'
import type { MessageView } from './view.ts'

export { type CompiledRules, compileRules } from './rules.ts'

/** `needsContent` only where the verdict depends on content that is `unread`. */
export function evaluate(rules: CompiledRules, view: MessageView): Verdict | 'needsContent' {
  return judge(rules, view, null)
}

/** The same verdict with how every rule came out. */
export function explainRules(
  rules: CompiledRules,
  view: MessageView,
): { readonly verdict: Verdict; readonly outcomes: readonly RuleOutcome[] } | 'needsContent' {
  const outcomes: RuleOutcome[] = []
  const verdict = judge(rules, view, outcomes)
  return verdict === 'needsContent' ? verdict : { verdict, outcomes }
}

export interface RcptQuestion extends Pick<MessageView, 'sender' | 'client' | 'now'> {
  readonly recipient: string
}

/**
 * RCPT is the best place to refuse somebody: nobody else is concerned, and no DSN is needed. Rules are asked there as
 * far as they look at the envelope alone; behind the first that needs more, the message has to come, because that
 * one could stop those behind it. The matches are those up to the refusal, its own the last.
 */
export function envelopeVerdict(
  rules: CompiledRules,
  question: RcptQuestion,
): { readonly reply: Reply; readonly matches: readonly RuleMatch[] } | null {
  if (rules.atRcpt.length === 0) return null
  const { sender, client, now, recipient } = question
  const facts = new EnvelopeFacts({ sender, client, now, recipients: [recipient] })
  const matches: RuleMatch[] = []
  for (const rule of rules.atRcpt) {
    if (inactivity(rule, question.now) !== null) continue
    if (!rule.decidedAtRcpt) return null
    const answer = askEnvelope(rule, facts, facts.recipients)
    if (answer.kind !== 'matched') continue
    matches.push(matchOf(rule, answer))
    if (rule.mode !== 'enforce') continue
    if (rule.end !== null) return rule.end.kind === 'drop' ? null : { reply: rule.end.reply, matches }
    if (rule.stop) return null
  }
  return null
}

function judge(
  rules: CompiledRules,
  view: MessageView,
  outcomes: RuleOutcome[] | null,
): Verdict | 'needsContent' {
  const facts = new MessageFacts(view)
  const recipients = new Recipients(facts.recipients)
  const matches: RuleMatch[] = []
  const notices: Notice[] = []
  let deferral: Verdict | null = null
  for (const rule of rules.rules) {
    if (outcomes === null && (deferral !== null || recipients.open.length === 0)) break
    const answer = deferral === null ? askRule(rule, facts, recipients.open) : stoppedBefore
    if (answer.kind === 'needsContent') return 'needsContent'
    if (answer.kind === 'matched') {
      const match = matchOf(rule, answer)
      matches.push(match)
      if (rule.notice !== null && rule.mode !== 'test')
        notices.push({ ...rule.notice, because: match.because })
      if (rule.mode === 'enforce') act(recipients, rule, answer.recipients)
      if (rule.mode === 'enforce' && rule.end?.kind === 'defer')
        deferral = deferred(rule, { reply: rule.end.reply, matches, notices })
      outcomes?.push({ rule: rule.name, outcome: { kind: 'matched', match } })
    } else {
      if (answer.kind === 'notInspected') deferral = deferred(rule, { reply: notInspected, matches, notices })
      outcomes?.push({ rule: rule.name, outcome: answer })
    }
  }
  return deferral ?? conclusion(recipients, { matches, notices })
}

function act(recipients: Recipients, rule: CompiledRule, members: readonly Mailbox[]): void {
  const { name, end, change, stop } = rule
  if (end === null) recipients.change(members, { change, stop })
  else if (end.kind === 'reject') recipients.bounce(members, { rule: name, reply: end.reply })
  else if (end.kind === 'drop') recipients.drop(members, { rule: name })
}

/**
 * Not 4.7.1: nobody decided that delivery is not authorized; a security check could not be made, and RFC 3463 §3.8
 * has nothing narrower than X.7.0 for it.
 */
const notInspected = temporary('7.0', 'The content could not be inspected, please try again later')

/**
 * One reply answers DATA for all recipients, and only the client can keep a message: to defer it for some would lose it
 * for them or bring it to the others again each time, so it is deferred for all. It comes again and is judged again,
 * so of the notices only the rule's own is sent.
 */
function deferred(
  { name }: CompiledRule,
  verdict: { reply: Reply; matches: readonly RuleMatch[]; notices: readonly Notice[] },
): Verdict {
  return {
    kind: 'refuse',
    rule: name,
    ...verdict,
    notices: verdict.notices.filter(({ rule }) => rule === name),
  }
}

/** Where somebody was dropped, the client must not hear that nobody gets it: the rest is told by DSN. */
function conclusion(
  recipients: Recipients,
  { matches, notices }: { matches: readonly RuleMatch[]; notices: readonly Notice[] },
): Verdict {
  const outcome = recipients.outcome()
  const [first] = outcome.bounced
  if (first === undefined || outcome.variants.length > 0 || outcome.dropped.length > 0)
    return {
      kind: 'pass',
      matches,
      notices,
      variants: outcome.variants,
      bounced: outcome.bounced,
      dropped: outcome.dropped,
    }
  return { kind: 'refuse', reply: first.reply, rule: first.rule, matches, notices }
}

function matchOf(rule: CompiledRule, { recipients, because }: Matched): RuleMatch {
  return {
    rule: rule.name,
    mode: rule.mode,
    because,
    recipients: recipients.map(({ address }) => address),
    actions: rule.actions,
    severity: rule.severity,
  }
}
