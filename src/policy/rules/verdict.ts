/** What policy says of a message: who goes on, changed how; who does not, and which rule, condition and value decided. */
import type { Edit } from '../../message/edit/edit.ts'
import type { Reply } from '../../reply.ts'

/** That a rule matched, and why: for the log, tracking, metrics and `relay explain`. */
export interface RuleMatch {
  readonly rule: string
  readonly mode: 'enforce' | 'audit' | 'test'
  /** Every condition of the rule with the value that satisfied it; empty for a rule without conditions. */
  readonly because: readonly { readonly condition: string; readonly value: string }[]
  /** On whom it acted; all of them for a rule about the whole message. */
  readonly recipients: readonly string[]
  /** The keys of its actions: `reject`, `setHeaders` … */
  readonly actions: readonly string[]
  readonly severity: 'low' | 'medium' | 'high' | null
}

/** Recipients that get the same message: one variant of it. */
export interface Variant {
  /** Of the envelope, in its order. */
  readonly recipients: readonly string[]
  /** Instead of them, where a rule redirected. */
  readonly redirectTo: readonly string[] | null
  /** Beside them; they may hold each other and the recipients: the station sends once to each. */
  readonly added: readonly string[]
  readonly edits: readonly Edit[]
  /** The new envelope sender; null: unchanged. */
  readonly sender: string | null
  /** The reason an operator sees. */
  readonly hold: string | null
  /** The connector it must leave by; null: as routing says. */
  readonly connector: string | null
  readonly requireTls: boolean
}

export interface Notice {
  readonly rule: string
  readonly to: readonly string[]
  readonly subject: string
  readonly text: string | null
  /** Why the rule matched. */
  readonly because: RuleMatch['because']
}

export type Verdict =
  /** Nobody gets it: the client is told. */
  | {
      readonly kind: 'refuse'
      readonly reply: Reply
      readonly rule: string
      readonly matches: readonly RuleMatch[]
      readonly notices: readonly Notice[]
    }
  | {
      readonly kind: 'pass'
      readonly matches: readonly RuleMatch[]
      readonly notices: readonly Notice[]
      /** Together with `bounced` and `dropped`: all recipients, each once. Empty where all were dropped. */
      readonly variants: readonly Variant[]
      /** Refused while others go on: one reply answers for all, so these are told by a DSN. */
      readonly bounced: readonly {
        readonly recipients: readonly string[]
        readonly reply: Reply
        readonly rule: string
      }[]
      readonly dropped: readonly { readonly recipients: readonly string[]; readonly rule: string }[]
    }

/** How one rule came out, for those who ask why: also where it did not match. */
export interface RuleOutcome {
  readonly rule: string
  readonly outcome:
    | { readonly kind: 'matched'; readonly match: RuleMatch }
    | { readonly kind: 'notMatched'; readonly condition: string }
    | { readonly kind: 'excepted'; readonly condition: string; readonly value: string }
    | { readonly kind: 'disabled' | 'notYetActive' | 'noLongerActive' }
    /** Rules before it have settled all recipients, or deferred the message. */
    | { readonly kind: 'stoppedBefore' }
    /** The content could not be inspected: `onError` ignores that, or defers the message. */
    | { readonly kind: 'passedOver' | 'notInspected' }
}
