/**
 * The rules asked about a message that nobody sends: for `relay explain` and `relay policy test`. It is the same
 * evaluation as the mail's; outside checkers, limits and signatures are not part of it.
 */
import type { MessageContent } from '../message/content/content.ts'
import type { Draft } from '../message/draft.ts'
import { applyEdits } from '../message/edit/edits.ts'
import { HeaderView } from '../message/header-view.ts'
import type { Client } from '../queue/queue.ts'
import { isPermanent, type Reply } from '../reply.ts'
import { type CompiledRules, explainRules } from './rules/evaluate.ts'
import type { RuleOutcome, Variant, Verdict } from './rules/verdict.ts'

export interface RehearsedMessage {
  readonly sender: string
  readonly recipients: readonly string[]
  readonly client: Client
  readonly now: number
  readonly draft: Draft
  readonly sizeBytes: number
}

export interface Rehearsal {
  readonly verdict: Verdict
  /** Of every rule. */
  readonly outcomes: readonly RuleOutcome[]
  readonly fates: readonly RecipientFate[]
}

/** What becomes of one recipient of the envelope. */
export interface RecipientFate {
  readonly recipient: string
  readonly fate: 'pass' | 'hold' | 'reject' | 'defer' | 'drop'
  readonly reply: Reply | null
  /** Null where it does not go on. */
  readonly variant: Variant | null
}

export async function rehearse(
  rules: CompiledRules,
  message: RehearsedMessage,
  inspector: { inspect(draft: Draft): Promise<MessageContent> },
): Promise<Rehearsal> {
  const view = { ...message, header: new HeaderView(message.draft.header) }
  const known = explainRules(rules, { ...view, content: 'unread' })
  const explained =
    known === 'needsContent'
      ? explainRules(rules, { ...view, content: await inspector.inspect(message.draft) })
      : known
  if (explained === 'needsContent') throw new Error('A rule asked for content that it was given')
  return {
    ...explained,
    fates: message.recipients.map((recipient) => fateOf(explained.verdict, recipient)),
  }
}

/** The header that a recipient would see; null where it cannot be made, or he gets nothing. */
export async function headerFor(draft: Draft, variant: Variant | null): Promise<HeaderView | null> {
  if (variant === null) return null
  const edited = await applyEdits(draft, variant.edits)
  return 'refused' in edited ? null : new HeaderView(edited.header)
}

function fateOf(verdict: Verdict, recipient: string): RecipientFate {
  if (verdict.kind === 'refuse') return refused(recipient, verdict.reply)
  const variant = verdict.variants.find(({ recipients }) => recipients.includes(recipient))
  if (variant !== undefined)
    return { recipient, fate: variant.hold === null ? 'pass' : 'hold', reply: null, variant }
  const bounced = verdict.bounced.find(({ recipients }) => recipients.includes(recipient))
  if (bounced !== undefined) return refused(recipient, bounced.reply)
  return { recipient, fate: 'drop', reply: null, variant: null }
}

function refused(recipient: string, reply: Reply): RecipientFate {
  return { recipient, fate: isPermanent(reply) ? 'reject' : 'defer', reply, variant: null }
}
