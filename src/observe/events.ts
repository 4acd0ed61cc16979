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
  readonly connector: string
}

export type MailEvent =
  /** We answered 250 to DATA: the message is ours. */
  | {
      readonly event: 'accepted'
      readonly messageId: string
      readonly internetMessageId: string | null
      readonly from: string
      readonly recipients: readonly { readonly address: string; readonly connector: string }[]
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
    })

export type RecordEvent = (event: MailEvent) => void
