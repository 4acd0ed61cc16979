/**
 * Everything that happens to mail, as one union. `record()` (record.ts) turns each event into one line of the
 * mail log and moves the counters, so that the two cannot disagree. An event carries no secrets and no text of the message.
 */
import type { ConnectionFault } from '../delivery/attempt.ts'
import type { Client } from '../queue/queue.ts'
import type { Reply } from '../reply.ts'

interface OfItem {
  readonly itemId: string
  readonly messageId: string
  /** The message's own Message-ID field. */
  readonly internetMessageId?: string | null
  readonly connector: string
}

/** A message that we answered 4yz or 5yz: it is the client's still. */
export interface RefusedMessage {
  readonly messageId: string
  readonly internetMessageId: string | null
  readonly networkMessageId: string | null
  readonly recipients: readonly string[]
  /** Null where we did not read it to its end. */
  readonly sizeBytes: number | null
  /** Who would not have it: policy, or reception for its form, size or way, or because we are full. */
  readonly by: 'policy' | 'reception'
}

/** A change of what is configured while the relay runs, without secrets. */
export interface Configured {
  readonly act: 'created' | 'changed' | 'removed'
  readonly what: 'connector' | 'sender' | 'rule' | 'rule order' | 'token' | 'state key'
  readonly id: string
  /** Null where there was nothing before. */
  readonly before: object | null
  /** Null where nothing is left. */
  readonly after: object | null
}

export type MailEvent =
  /** We answered 250 to DATA: the message is ours. */
  | {
      readonly event: 'accepted'
      readonly messageId: string
      readonly internetMessageId: string | null
      /** By which Exchange knows the message on all its servers; where it says so (X-MS-Exchange-Organization-…). */
      readonly networkMessageId?: string | null
      readonly from: string
      readonly recipients: readonly { readonly address: string; readonly connector: string }[]
      /** Where policy made several forms of the message: their message ids. */
      readonly forms: readonly string[] | null
      readonly client: Client
      readonly sizeBytes: number
      readonly tls: string | null
      readonly durationMs: number
    }
  /** We answered 4yz or 5yz inside a session; `command` is where. */
  | {
      readonly event: 'rejected'
      readonly command: 'CONNECT' | 'AUTH' | 'MAIL' | 'RCPT' | 'DATA'
      readonly client: Client
      readonly from: string | null
      readonly to: string | null
      readonly reply: Reply
      /** What we had been sent: at DATA. */
      readonly message?: RefusedMessage
    }
  /**
   * A policy rule matched; `mode` says whether it acted. This and what checkers and limits say of a message is told in
   * one go with what becomes of it: after its `accepted`, or before its `rejected`.
   */
  | {
      readonly event: 'rule'
      /** Null where it refused a recipient at RCPT: there is no message yet. */
      readonly messageId: string | null
      readonly rule: string
      readonly mode: 'enforce' | 'audit' | 'test'
      readonly because: readonly { readonly condition: string; readonly value: string }[]
      readonly actions: readonly string[]
      readonly severity: 'low' | 'medium' | 'high' | null
      readonly from: string
      readonly recipients: readonly string[]
    }
  /** An outside checker answered, or was away and its configuration did. */
  | {
      readonly event: 'checked'
      readonly messageId: string
      readonly checker: string
      readonly verdict: 'pass' | 'hold' | 'reject' | 'defer' | 'drop'
      /** Why it did not answer; null where it did. */
      readonly away: string | null
      readonly note: string | null
      readonly durationMs: number
    }
  /** A limit of `policy.limits` was reached. */
  | {
      readonly event: 'limited'
      readonly messageId: string
      readonly limit: string
      /** Whose it is: the sender, domain, client, user or listener. */
      readonly of: string
      readonly over: 'reject' | 'defer' | 'hold'
    }
  /** Policy accepted these recipients and delivers nothing to them; nobody is told. */
  | {
      readonly event: 'dropped'
      readonly messageId: string
      readonly by: string
      readonly from: string
      readonly recipients: readonly string[]
    }
  /** Policy refused these recipients while others went on: a DSN tells the sender, if one was due. */
  | {
      readonly event: 'refused'
      readonly messageId: string
      readonly by: string
      readonly from: string
      readonly recipients: readonly string[]
      readonly reply: Reply
      readonly dsnId: string | null
    }
  /** A rule told somebody of a message. */
  | {
      readonly event: 'notice'
      readonly messageId: string
      readonly about: string
      readonly rule: string
      readonly to: readonly string[]
    }
  | (OfItem & {
      readonly event: 'delivered'
      readonly from: string
      readonly recipients: readonly { readonly address: string; readonly reply: Reply }[]
      readonly host: string
      readonly attempts: number
      readonly sizeBytes: number
      /** From our 250 to the smart host's. */
      readonly delayMs: number
    })
  | (OfItem & {
      readonly event: 'deferred'
      readonly from: string
      readonly recipients: readonly { readonly address: string; readonly reply: Reply }[]
      readonly host: string | null
      readonly attempts: number
      readonly nextAttemptAt: number
      /** The connection broke after the final dot: a duplicate is possible. */
      readonly uncertain: boolean
    })
  /** Permanently refused, or out of time; `dsnId` is the message that tells the sender, if one was due. */
  | (OfItem & {
      readonly event: 'failed' | 'expired'
      readonly from: string
      readonly recipients: readonly { readonly address: string; readonly reply: Reply }[]
      readonly host: string | null
      readonly attempts: number
      readonly dsnId: string | null
    })
  /** A DSN was queued: `about` is the item it reports on. */
  | {
      readonly event: 'dsn'
      readonly messageId: string
      readonly about: string
      /** The Message-ID field of what it reports on. */
      readonly aboutInternetMessageId?: string | null
      readonly kind: 'failed' | 'delayed' | 'relayed'
      readonly to: string
      readonly connector: string
    }
  /** A DSN was due but cannot be sent: its recipient cannot be routed. */
  | { readonly event: 'dsn-unroutable'; readonly about: string; readonly to: string; readonly reply: Reply }
  /** A lease ended while its attempt was under way; another node has the item. */
  | (OfItem & { readonly event: 'lease-lost' })
  /** A connector's whole queue stops or goes on; no item is touched. */
  | {
      readonly event: 'connector'
      readonly connector: string
      readonly state: 'ready' | 'retry' | 'suspended'
      readonly fault: ConnectionFault | null
      readonly host: string | null
      readonly reply: Reply | null
      readonly nextAttemptAt: number | null
    }
  /** An operator's or a rule's act on one item. */
  | (OfItem & {
      readonly event: 'suspended' | 'resumed' | 'retried' | 'removed' | 'rerouted'
      readonly reason: string
      /** Which operator: the holder of a token; absent where a rule or the relay itself acted. */
      readonly by?: string
      /** Of an item that is rerouted: where it was; `connector` is where it is now. */
      readonly fromConnector?: string
      /** Sender, and the recipients that still waited. */
      readonly from?: string
      readonly recipients?: readonly string[]
    })
  /** The audit: somebody changed the configuration at run time; `by` is the holder of a token. */
  | (Configured & { readonly event: 'configured'; readonly by: string })

export type RecordEvent = (event: MailEvent) => void
