/**
 * The station between DATA and the queue, read straight down: may this client write as this author; is it within
 * its limits; what do the outside checkers say, each of what the one before made of the message; what do the rules
 * say; then the changes they ask for, and last the signature. What comes out is whom the message goes on to, in
 * which form; reception keeps all of it in one step.
 *
 * Limits count what is submitted, also what is refused afterwards: they protect the checkers too.
 */
import type { Clock } from '../clock.ts'
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import type { MessageContent } from '../message/content/content.ts'
import type { BodySource, Draft } from '../message/draft.ts'
import type { Edit } from '../message/edit/edit.ts'
import { applyEdits } from '../message/edit/edits.ts'
import { HeaderView } from '../message/header-view.ts'
import type { RecordEvent } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import { formatReply, isPermanent, isTemporary, type Reply } from '../reply.ts'
import type { Transaction } from '../smtp/transaction.ts'
import type { CheckerVerdict, PassVerdict } from './checkers/checker.ts'
import type { GuardedChecker } from './checkers/guard.ts'
import { type Group, groupsOf, silent, withAddress } from './groups.ts'
import type { LimitReached, SubmissionLimits } from './limits.ts'
import { type CompiledRules, envelopeVerdict, evaluate } from './rules/evaluate.ts'
import type { Notice, RuleMatch, Variant, Verdict } from './rules/verdict.ts'
import type { MessageView } from './rules/view.ts'
import { fromRefusal } from './sender-rights.ts'
import type { DkimSigner } from './signing.ts'

export interface Submission {
  readonly messageId: string
  readonly receivedAt: number
  readonly transaction: Transaction
  readonly draft: Draft
  /** Without our trace field. */
  readonly sizeBytes: number
  /** Takes what is found, until it is known what becomes of the message. */
  readonly record: RecordEvent
  /** Keeps a changed body until the message is done. */
  keep(chunks: AsyncIterable<Buffer>): Promise<BodySource>
}

/** One form of the message. The draft is the submission's own where nothing was changed. */
export interface Form {
  readonly draft: Draft
  readonly groups: readonly Group[]
}

export interface Refused {
  readonly recipients: readonly EnvelopeRecipient[]
  readonly reply: Reply
  readonly by: string
}

/** Nothing is delivered to them, and nobody is told. */
export interface Dropped {
  readonly recipients: readonly EnvelopeRecipient[]
  readonly by: string
}

export type Ruling =
  | { readonly kind: 'refuse'; readonly reply: Reply; readonly notices: readonly Notice[] }
  /** Forms are empty where somebody was dropped, and nobody is left. */
  | {
      readonly kind: 'pass'
      readonly forms: readonly Form[]
      /** Refused while others go on. */
      readonly refused: readonly Refused[]
      readonly dropped: readonly Dropped[]
      readonly notices: readonly Notice[]
    }

export interface StationOptions {
  /** Those in force now: they may change while a transaction is under way. */
  readonly rules: () => CompiledRules
  readonly limits: SubmissionLimits
  readonly checkers: readonly GuardedChecker[]
  readonly signer: DkimSigner
  readonly inspector: { inspect(draft: Draft): Promise<MessageContent>; close(): Promise<void> }
  readonly clock: Clock
  readonly log: Log
  readonly record: RecordEvent
}

export class PolicyStation {
  readonly #options: StationOptions
  /** Whether nothing but the rules can concern anybody. */
  readonly #rulesAlone: boolean

  constructor(options: StationOptions) {
    this.#options = options
    const { limits, checkers, signer } = options
    this.#rulesAlone = limits.empty && checkers.length === 0 && signer.empty
  }

  /** Whether a message of this client has to be judged at all. */
  concerns(transaction: Transaction): boolean {
    return !this.#isIdle || transaction.session.senders !== 'all'
  }

  get #isIdle(): boolean {
    return this.#rulesAlone && this.#options.rules().empty
  }

  /** At RCPT, where a refusal concerns this recipient alone: size limits, rules about the envelope, delegation. */
  recipient(transaction: Transaction, recipient: EnvelopeRecipient): Reply | null | Promise<Reply | null> {
    if (this.#isIdle) return null
    const { limits, checkers, clock } = this.#options
    const { sender, declaredSizeBytes, session } = transaction
    const tooLarge = limits.empty
      ? null
      : limits.sizeRefusal({ sender: sender.from, ...session.client, sizeBytes: declaredSizeBytes ?? 0 })
    if (tooLarge !== null) return tooLarge
    const verdict = envelopeVerdict(this.#options.rules(), {
      sender: sender.from,
      recipient: recipient.address,
      client: session.client,
      now: clock.now(),
    })
    if (verdict !== null) {
      const { record } = this.#options
      recordMatches({ messageId: null, transaction, record }, verdict.matches.slice(-1))
      return verdict.reply
    }
    const asked = checkers.filter((checker) => checker.asksRecipients)
    return asked.length === 0 ? null : firstRefusal(asked, { transaction, recipient })
  }

  /** At the end of DATA. Rejects only where the queue that keeps the counts does. */
  async judge(submission: Submission): Promise<Ruling> {
    const { draft, transaction } = submission
    const notTheirs = fromRefusal(transaction.session.senders, new HeaderView(draft.header))
    if (notTheirs !== null) return refuse(notTheirs)
    const limited = this.#options.limits.empty ? null : await this.#limit(submission)
    if (limited !== null && limited.over !== 'hold') return refuse(limited.reply)
    const checked = await this.#check(submission, limited && formatReply(limited.reply))
    if (checked.kind === 'refuse') return checked
    if (checked.recipients.length === 0) return concluded({ ...checked, forms: [], notices: [] })
    const verdict = await this.#rule(submission, checked)
    recordMatches(submission, verdict.matches)
    if (verdict.kind === 'refuse') return verdict
    return this.#forms(submission, { checked, verdict })
  }

  async close(): Promise<void> {
    const { inspector, checkers } = this.#options
    await Promise.all([inspector.close(), ...checkers.map((checker) => checker.close())])
  }

  async #limit(submission: Submission): Promise<LimitReached | null> {
    const { transaction, messageId, sizeBytes } = submission
    const answer = await this.#options.limits.check({
      ...transaction.session.client,
      sender: transaction.sender.from,
      recipients: transaction.recipients.length,
      sizeBytes,
    })
    if (answer === null) return null
    const { limit, of, over } = answer
    submission.record({ event: 'limited', messageId, limit, of, over })
    return answer
  }

  /** Each checker sees what the one before made of the message. Those behind one that left nobody are not asked. */
  async #check(submission: Submission, hold: string | null): Promise<Checked> {
    const { sender, recipients } = submission.transaction
    let checked: CheckedPass = {
      kind: 'pass',
      draft: submission.draft,
      sender,
      recipients,
      hold,
      refused: [],
      dropped: [],
    }
    for (const checker of this.#options.checkers) {
      const after = afterCheck(checked, {
        verdict: await this.#ask(checker, submission, checked),
        by: checker.name,
      })
      if (after.kind === 'refuse' || after.recipients.length === 0) return after
      checked = after
    }
    return checked
  }

  async #ask(checker: GuardedChecker, submission: Submission, soFar: CheckedPass): Promise<CheckerVerdict> {
    const { transaction, messageId } = submission
    const { verdict, away, durationMs } = await checker.check({
      messageId,
      submitted: transaction,
      transaction: { ...transaction, sender: soFar.sender, recipients: soFar.recipients },
      draft: soFar.draft,
      sizeBytes: submission.sizeBytes,
      keep: (chunks) => submission.keep(chunks),
    })
    submission.record({
      ...{ event: 'checked', messageId, checker: checker.name, verdict: verdictWord(verdict) },
      ...{ away, note: verdict.note, durationMs },
    })
    return verdict
  }

  /** Most mail is judged by envelope and header; its content is read where a rule depends on it. */
  async #rule(submission: Submission, checked: CheckedPass): Promise<Verdict> {
    const rules = this.#options.rules()
    const { transaction, receivedAt, sizeBytes } = submission
    const view: MessageView = {
      sender: checked.sender.from,
      recipients: checked.recipients.map(({ address }) => address),
      client: transaction.session.client,
      now: receivedAt,
      sizeBytes,
      header: new HeaderView(checked.draft.header),
      content: 'unread',
    }
    const verdict = evaluate(rules, view)
    if (verdict !== 'needsContent') return verdict
    const read = evaluate(rules, { ...view, content: await this.#inspect(submission, checked.draft) })
    if (read === 'needsContent') throw new Error('A rule asked for content that it was given')
    return read
  }

  async #inspect({ messageId }: Submission, draft: Draft): Promise<MessageContent | 'failed'> {
    try {
      return await this.#options.inspector.inspect(draft)
    } catch (error) {
      // What becomes of the message is the rule's to say (`onError`).
      this.#options.log.warn({ messageId, err: error }, 'the content of a message could not be inspected')
      return 'failed'
    }
  }

  /** The verdict carried out: each form of the message made once, whoever gets it. */
  async #forms(
    submission: Submission,
    { checked, verdict }: { checked: CheckedPass; verdict: Extract<Verdict, { kind: 'pass' }> },
  ): Promise<Ruling> {
    const recipients = new Map(checked.recipients.map((recipient) => [recipient.address, recipient]))
    const named = (addresses: readonly string[]) => addresses.map((address) => recipients.get(address)!)
    const refused = [
      ...checked.refused,
      ...verdict.bounced.map(({ rule, ...each }) => ({
        ...each,
        recipients: named(each.recipients),
        by: rule,
      })),
    ]
    const dropped = [
      ...checked.dropped,
      ...verdict.dropped.map(({ rule, ...each }) => ({ recipients: named(each.recipients), by: rule })),
    ]
    const made: { readonly draft: Draft; readonly variants: readonly Variant[] }[] = []
    for (const variants of byEdits(verdict.variants)) {
      const draft = await this.#edit(checked.draft, variants[0]!.edits)
      if ('refused' in draft)
        refused.push({
          ...{ reply: draft.refused, by: 'disclaimer' },
          recipients: named(variants.flatMap((variant) => variant.recipients)),
        })
      else made.push({ draft, variants })
    }
    const all = made.flatMap(({ variants }) => variants)
    const before = { sender: checked.sender, recipients, hold: checked.hold }
    const unsigned = made.map(({ draft, variants }) => ({
      draft,
      groups: groupsOf(variants, { before, all }),
    }))
    const forms = await this.#signed(unsigned, submission)
    return concluded({ forms, refused, dropped, notices: verdict.notices })
  }

  async #edit(draft: Draft, edits: readonly Edit[]): Promise<Draft | { readonly refused: Reply }> {
    return edits.length === 0 ? draft : applyEdits(draft, edits)
  }

  /** Last, so that nothing of ours breaks the signature. */
  async #signed(made: readonly Form[], { receivedAt }: Submission): Promise<readonly Form[]> {
    const { signer } = this.#options
    const forms = made.filter(({ groups }) => groups.length > 0)
    if (signer.empty) return forms
    return Promise.all(
      forms.map(async ({ draft, groups }) => ({
        draft: await signer.sign(draft, { now: receivedAt }),
        groups,
      })),
    )
  }
}

function recordMatches(
  {
    messageId,
    transaction,
    record,
  }: { messageId: string | null; transaction: Transaction; record: RecordEvent },
  matches: readonly RuleMatch[],
): void {
  const { from } = transaction.sender
  for (const { rule, mode, because, recipients, actions, severity } of matches)
    record({ event: 'rule', messageId, rule, mode, because, actions, severity, from, recipients })
}

interface CheckedPass {
  readonly kind: 'pass'
  readonly draft: Draft
  readonly sender: EnvelopeSender
  readonly recipients: readonly EnvelopeRecipient[]
  readonly refused: readonly Refused[]
  readonly dropped: readonly Dropped[]
  readonly hold: string | null
}
type Checked = CheckedPass | Extract<Ruling, { kind: 'refuse' }>

function refuse(reply: Reply, notices: readonly Notice[] = []): Extract<Ruling, { kind: 'refuse' }> {
  return { kind: 'refuse', reply, notices }
}

/** Where somebody was dropped, the client must not hear that nobody gets it: those refused are told by DSN. */
function concluded(
  outcome: Pick<Extract<Ruling, { kind: 'pass' }>, 'forms' | 'refused' | 'dropped' | 'notices'>,
): Ruling {
  const { forms, refused, dropped, notices } = outcome
  const [first] = refused
  if (first !== undefined && forms.length === 0 && dropped.length === 0) return refuse(first.reply, notices)
  return { kind: 'pass', forms, refused, dropped, notices }
}

/** All are asked at once, so that a recipient waits for the slowest and not for their sum; the first in order is told. */
async function firstRefusal(
  asked: readonly GuardedChecker[],
  question: { transaction: Transaction; recipient: EnvelopeRecipient },
): Promise<Reply | null> {
  const answers = await Promise.all(asked.map((checker) => checker.recipient(question)))
  return answers.find((answer) => answer !== null) ?? null
}

function verdictWord(verdict: CheckerVerdict): 'pass' | 'hold' | 'reject' | 'defer' | 'drop' {
  if (verdict.kind === 'drop') return 'drop'
  const refusal = verdict.kind === 'refuse' ? verdict.reply : deferralIn(verdict)
  if (refusal !== null) return isPermanent(refusal) ? 'reject' : 'defer'
  return verdict.kind === 'pass' && verdict.hold !== null ? 'hold' : 'pass'
}

/**
 * One reply answers DATA for all recipients, and only the client can keep a message: one that cannot be decided for
 * some of them yet comes again for all.
 */
function deferralIn({ refused }: PassVerdict): Reply | null {
  return refused.find(({ reply }) => isTemporary(reply))?.reply ?? null
}

function afterCheck(before: CheckedPass, { verdict, by }: { verdict: CheckerVerdict; by: string }): Checked {
  if (verdict.kind === 'refuse') return refuse(verdict.reply)
  if (verdict.kind === 'drop')
    return {
      ...before,
      recipients: [],
      dropped: [...before.dropped, { recipients: before.recipients, by }],
    }
  const deferral = deferralIn(verdict)
  return deferral === null ? afterPass(before, { verdict, by }) : refuse(deferral)
}

function afterPass(before: CheckedPass, { verdict, by }: { verdict: PassVerdict; by: string }): CheckedPass {
  const { draft, sender, refused, hold } = verdict
  const replies = new Map(refused.map(({ recipient, reply }) => [recipient, reply]))
  const removed = new Set(verdict.removed)
  const gone = before.recipients.filter(({ address }) => removed.has(address) && !replies.has(address))
  const left = before.recipients.filter(({ address }) => !removed.has(address) && !replies.has(address))
  const known = new Set(left.map(({ address }) => address))
  const added = [...new Set(verdict.added)].filter((address) => !known.has(address))
  return {
    kind: 'pass',
    draft,
    sender: sender === null ? before.sender : withAddress(before.sender, sender),
    recipients: [...left, ...added.map(silent)],
    refused: [
      ...before.refused,
      ...before.recipients.flatMap((recipient) => {
        const reply = replies.get(recipient.address)
        return reply === undefined ? [] : { recipients: [recipient], reply, by }
      }),
    ],
    // Who is replaced by others is not lost: the message goes to those instead.
    dropped:
      gone.length === 0 || added.length > 0 ? before.dropped : [...before.dropped, { recipients: gone, by }],
    hold: before.hold ?? hold,
  }
}

/** The variants of each form, in the order of their first. */
function byEdits(variants: readonly Variant[]): Iterable<readonly Variant[]> {
  const forms = new Map<string, Variant[]>()
  for (const variant of variants) {
    const key = JSON.stringify(variant.edits)
    const others = forms.get(key)
    if (others === undefined) forms.set(key, [variant])
    else others.push(variant)
  }
  return forms.values()
}
