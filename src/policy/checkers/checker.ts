/**
 * What the station asks of an outside scanner, and gets. A checker streams the message; it never holds a second
 * copy of it in memory. It throws where the scanner is away or says something that cannot be understood:
 * `guard.ts` turns that into the answer its configuration states.
 */
import type { EnvelopeRecipient } from '../../envelope.ts'
import type { BodySource, Draft } from '../../message/draft.ts'
import type { Reply } from '../../reply.ts'
import type { Transaction } from '../../smtp/transaction.ts'

export interface CheckedMessage {
  readonly messageId: string
  /** Who submits, and the envelope as it stands after the checkers before. */
  readonly transaction: Transaction
  /** The same transaction as at RCPT, the very object: what a checker remembered of it there, it finds by it. */
  readonly submitted: Transaction
  readonly draft: Draft
  /** Of the draft, where nobody has changed the body; else of the message as submitted. An estimate for progress, not a promise. */
  readonly sizeBytes: number
  /** Keeps a new body, in the store where it is large, until the message is done. */
  keep(chunks: AsyncIterable<Buffer>): Promise<BodySource>
}

export type CheckerVerdict =
  | {
      readonly kind: 'pass'
      /** The same object where nothing was changed. */
      readonly draft: Draft
      /** The new envelope sender; null: unchanged. */
      readonly sender: string | null
      /** Recipients that are added, silently; canonical. */
      readonly added: readonly string[]
      /** Recipients that are taken away without a word. */
      readonly removed: readonly string[]
      /** Recipients refused while others go on: told by a DSN. */
      readonly refused: readonly { readonly recipient: string; readonly reply: Reply }[]
      /** For an operator to decide; null: goes on. */
      readonly hold: string | null
      /** What it found, one line for the log: `spam score 3.1`. */
      readonly note: string | null
    }
  | { readonly kind: 'refuse'; readonly reply: Reply; readonly note: string | null }
  /** Accepted and not delivered to anybody. */
  | { readonly kind: 'drop'; readonly note: string | null }

export interface RecipientQuestion {
  readonly transaction: Transaction
  readonly recipient: EnvelopeRecipient
}

export interface Checker {
  readonly name: string
  /** At the end of DATA. Rejects when `signal` aborts: the time is up. */
  check(message: CheckedMessage, signal: AbortSignal): Promise<CheckerVerdict>
  /** At RCPT, of checkers that want to be asked there: null accepts. Rejects as `check` does. */
  recipient?(question: RecipientQuestion, signal: AbortSignal): Promise<Reply | null>
  /** Closes connections that are kept. */
  close(): Promise<void>
}

/**
 * The scanner is there and answered, but has no verdict on this message: it is too large for it, for example. The
 * message gets the answer for a scanner that is away; the scanner is not taken to be down.
 */
export class NotChecked extends Error {
  override name = 'NotChecked'
}

export type PassVerdict = Extract<CheckerVerdict, { kind: 'pass' }>

/** A pass that changes nothing. */
export function unchanged(message: CheckedMessage, note: string | null = null): PassVerdict {
  return {
    kind: 'pass',
    draft: message.draft,
    sender: null,
    added: [],
    removed: [],
    refused: [],
    hold: null,
    note,
  }
}
