/**
 * The queue's port. Two backends keep its promises, `embedded` and `redis`, and one contract suite holds
 * both to them (test/queue/contract.ts). The promises:
 *
 * - `put` resolves only when the message and all its items are durable, and until then nobody sees them. A
 *   rejected put leaves nothing behind.
 * - An item is leased to one claimer at a time. A lease that ran out is gone: whoever settles with it is
 *   refused with `LeaseLost` and has changed nothing.
 * - `settle` is one atomic, durable step: the leased item is replaced by what it becomes (nothing, itself
 *   changed, or several), and the DSN it caused is queued, or none of it happens.
 * - A body comes back byte for byte, and is kept as long as one item needs it.
 * - A record that cannot be read is set aside and counted; every other goes on.
 * - Memory and the cost of each call do not grow with the number of items waiting.
 *
 * State is computed, never stored: `suspended`, `leased`, `deferred` (next attempt in the future), `ready`.
 * `now` is an argument everywhere, in epoch milliseconds.
 */
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import type { Reply } from '../reply.ts'

export interface QueuedRecipient extends EnvelopeRecipient {
  readonly state: 'pending' | 'delivered' | 'failed'
  /** The last answer to this recipient, ours or the smart host's; null before the first attempt. */
  readonly lastReply: Reply | null
  /** Who gave it: the smart host's name, or null for a reply of our own. */
  readonly lastHost: string | null
}

/** Who handed the message over; null fields where a DSN of ours is meant. */
export interface Client {
  readonly address: string | null
  readonly listener: string | null
  readonly user: string | null
}

export interface QueueItem {
  readonly id: string
  readonly messageId: string
  /** The connector's id, as text; `unreachable` for mail that waits for a route. */
  readonly connector: string
  readonly sender: EnvelopeSender
  readonly recipients: readonly QueuedRecipient[]
  readonly client: Client
  /** The message's own Message-ID field; null where it has none. */
  readonly internetMessageId: string | null
  /** Whether header or body hold octets above 127: then the next hop must offer 8BITMIME (RFC 6152). */
  readonly eightBit: boolean
  readonly sizeBytes: number
  readonly receivedAt: number
  readonly expiresAt: number
  /** When the sender is told of the delay; null where that has happened or will not. */
  readonly delayNoticeAt: number | null
  readonly attempts: number
  readonly nextAttemptAt: number
  /** Why an operator or a policy rule holds it; null where nobody does. A suspended item is never claimed. */
  readonly suspended: string | null
  /** A policy rule demands TLS for this message, whatever its connector does. Records from before it existed read as false. */
  readonly requireTls: boolean
  /** It leaves with the mark of sender-bound mail (delivery/bound-mark.ts). Records from before it existed read as false. */
  readonly boundMark: boolean
  readonly lastError: string | null
}

export type ItemState = 'suspended' | 'leased' | 'deferred' | 'ready'

/** The bytes of a message: in memory while small, else already in the store under `messageId`, staged. */
export type Body =
  | { readonly kind: 'inline'; readonly bytes: Buffer }
  | { readonly kind: 'staged'; readonly stage: Stage }

/** A body being written to the store before its message is put. What is never put is reclaimed by the backend. */
export interface Stage {
  readonly messageId: string
  readonly sizeBytes: number
  /** Resolves when the store has taken the chunk (not yet: durable). At most 256 KiB a chunk. */
  append(chunk: Buffer): Promise<void>
  /** What was appended so far, from the beginning, each time it is asked for; nothing is appended meanwhile. */
  read(): AsyncIterable<Buffer>
  /** Gives the bytes up: idempotent, and a no-op once the message is put. */
  discard(): Promise<void>
}

export interface NewMessage {
  readonly id: string
  readonly body: Body
  /** At least one; ids from `itemId(message.id, 1…)`. */
  readonly items: readonly QueueItem[]
}

export interface Lease {
  readonly itemId: string
  /** The fence: grows with each lease of the item; a settle with an older one is refused. */
  readonly token: string
  readonly expiresAt: number
}

export interface LeasedItem {
  readonly item: QueueItem
  readonly lease: Lease
  /** The body, where it was small enough to come in the same step; else read it with `body`. */
  readonly body: Buffer | null
}

export interface PutOptions {
  readonly now: number
  /** Items to lease to the caller in the same step, so that it may deliver them from memory. */
  readonly lease?: { readonly itemIds: readonly string[]; readonly leaseMs: number }
  /**
   * Messages kept in the same step, all or none: what policy made of one message for other recipients, and what it
   * tells somebody. Their ids are `siblingMessageId`s of the message's; `lease` may name their items too.
   */
  readonly siblings?: readonly NewMessage[]
}

export interface ClaimOptions {
  readonly now: number
  readonly leaseMs: number
  /** Which connectors' queues to look at, and how many items to take from each at most. */
  readonly connectors: readonly { readonly connector: string; readonly limit: number }[]
}

export interface Claim {
  /** For each connector in order of next attempt, then age. */
  readonly leased: readonly LeasedItem[]
  /**
   * For each connector asked: when its next item falls due that is neither suspended nor leased (a time
   * not after `now` means that more is due than the limit took); absent where there is none.
   */
  readonly nextDueAt: ReadonlyMap<string, number>
}

export interface Outcome {
  /**
   * What the leased item becomes: nothing (removed), itself with new recipients and next attempt, moved to
   * another connector, or split in several of the same message. Leases on it end.
   */
  readonly items: readonly QueueItem[]
  /** A message to queue in the same step; its id must be a `siblingMessageId` of the item's. */
  readonly dsn: NewMessage | null
}

export interface ListFilter {
  readonly connector?: string | undefined
  readonly state?: ItemState | undefined
  /** Item id or message id. */
  readonly id?: string | undefined
  /** Exact canonical address, or `@domain`. */
  readonly sender?: string | undefined
  readonly recipient?: string | undefined
}

export interface ListedItem {
  readonly item: QueueItem
  readonly state: ItemState
}

export interface ListOptions {
  readonly now: number
  readonly limit: number
  readonly after: string | null
  /** By reception; left out: as the store finds what the filter means fastest. */
  readonly order?: 'oldest' | 'newest' | undefined
}

export interface Page {
  /** May be fewer than asked for, even none, though more follow: a page looks at so many items and no further. */
  readonly items: readonly ListedItem[]
  /** Pass as `after` for the next page; null at the end. */
  readonly next: string | null
}

/** What an operator does to an item. A leased item is refused (`busy`): its attempt is under way. */
export type Change =
  | { readonly kind: 'suspend'; readonly reason: string }
  | { readonly kind: 'resume' }
  | { readonly kind: 'retry' }
  /** To another connector's queue, due at once. */
  | { readonly kind: 'redirect'; readonly connector: string }
  | { readonly kind: 'remove'; readonly dsn: NewMessage | null }

export type ChangeResult = 'done' | 'busy' | 'missing'

export interface Depth {
  readonly ready: number
  readonly deferred: number
  readonly leased: number
  readonly suspended: number
}

export interface QueueTotals {
  /** Connectors with at least one item. */
  readonly connectors: ReadonlyMap<string, Depth>
  readonly items: number
  /** Of all bodies, against `maxBytes`. */
  readonly bytes: number
  /** Records set aside because they could not be read, since the store was made. */
  readonly corrupt: number
}

/** One rate limit, and how much of it is wanted now. */
export interface RateWindow {
  /** Its key in the configuration. What is counted has this name, beside the length of the window. */
  readonly limit: string
  /** A multiple of 50 (see rate.ts). */
  readonly windowMs: number
  readonly most: number
  readonly amount: number
}

export interface Spending {
  /** Whose limits these are: a connector's id, which has no colon, or `limit:` and more for a limit of policy. */
  readonly key: string
  readonly windows: readonly RateWindow[]
  readonly now: number
}

export type Spent =
  | { readonly granted: true }
  /** `limit` is the one that has no room for longest; asking before `retryAt` is in vain. */
  | { readonly granted: false; readonly limit: string; readonly retryAt: number }

/** How much of one window is used. */
export interface Counted {
  readonly key: string
  readonly limit: string
  readonly windowMs: number
  readonly amount: number
  /** The limit when it was last counted against; 0 where that is not known. */
  readonly most: number
}

export interface Queue {
  readonly store: 'embedded' | 'redis'

  /**
   * Begins a body that is too large to be held in memory. A message may have several at a time (as it was received,
   * and as policy changed it), of which `put` takes one.
   */
  stage(messageId: string): Promise<Stage>

  /**
   * Keeps the message. Resolves with the leases asked for once all is durable. Rejects with `QueueFull`
   * (a limit or the disk), or `QueueUnavailable`; then nothing was kept. The staged body is then
   * still the caller's to discard.
   */
  put(message: NewMessage, options: PutOptions): Promise<readonly Lease[]>

  claim(options: ClaimOptions): Promise<Claim>

  /**
   * Leases, oldest deadline first, then age, items whose deadline has passed, whatever their connector and next attempt:
   * `deadlineOf(item) <= now`, not suspended, not leased. A connector that is down touches no item, yet its mail
   * must still expire and its senders be told of the delay; so backends keep an index by `deadlineOf`.
   */
  overdue(options: { now: number; leaseMs: number; limit: number }): Promise<readonly LeasedItem[]>

  /** Prolongs leases of attempts under way. Returns those still held; the others are lost. */
  renew(leases: readonly Lease[], options: { now: number; leaseMs: number }): Promise<readonly Lease[]>

  /**
   * Ends a lease. Rejects with `LeaseLost`, or with `QueueUnavailable` only when the queue is closed
   * meanwhile: while the store is away, the outcome is kept and stored when it returns.
   */
  settle(lease: Lease, outcome: Outcome, options: { now: number }): Promise<void>

  /**
   * Counts what is about to be sent against rate limits: in all windows, or in none where one has no room. No
   * interval of `windowMs`, wherever it begins, ever has more than `most` in it; an amount that is larger than
   * `most` itself is granted where nothing else is counted. What is granted is durable, and all nodes share it.
   * Rejects with `QueueUnavailable`; then it may be counted all the same.
   */
  spend(spending: Spending): Promise<Spent>

  /**
   * What is counted now under keys that begin with `prefix`, the fullest windows first (by `amount` of `most`), at most
   * `limit` of them. Its cost is bounded too: where more than ten thousand windows are counted, those that a backend
   * takes for the fullest without a look at all of them. Keys of which nothing counts any more are left out, and in
   * time forgotten by the store.
   */
  counted(prefix: string, options: { now: number; limit: number }): Promise<readonly Counted[]>

  /** The stored bytes exactly, in chunks. Throws `BodyMissing` at the first read where there are none. */
  body(messageId: string): AsyncIterable<Buffer>

  list(filter: ListFilter, options: ListOptions): Promise<Page>
  get(itemId: string, options: { now: number }): Promise<ListedItem | null>
  change(itemId: string, change: Change, options: { now: number }): Promise<ChangeResult>
  totals(options: { now: number }): Promise<QueueTotals>

  /** Null where the store can be written to now; else why not, for `/readyz`. */
  fault(): string | null

  /** Ends all leases this process holds and closes the store. Pending settles get `deadlineMs` to be stored. */
  close(options: { deadlineMs: number }): Promise<void>
}

/** The queue's limits or the disk are exhausted: `452 4.3.1`. */
export class QueueFull extends Error {
  override name = 'QueueFull'
}

/** The store cannot be reached or written to: `451 4.3.0`. */
export class QueueUnavailable extends Error {
  override name = 'QueueUnavailable'
}

export class LeaseLost extends Error {
  override name = 'LeaseLost'
}

export class BodyMissing extends Error {
  override name = 'BodyMissing'
}

/** When the item needs attention without an attempt: its delay notice or its expiry, whichever comes first. */
export function deadlineOf(item: QueueItem): number {
  return item.delayNoticeAt === null ? item.expiresAt : Math.min(item.delayNoticeAt, item.expiresAt)
}

/** The state of an item at `now`; whether a lease on it is running is the backend's knowledge. */
export function stateOf(item: QueueItem, options: { now: number; leased: boolean }): ItemState {
  if (options.leased) return 'leased'
  if (item.suspended !== null) return 'suspended'
  return item.nextAttemptAt > options.now ? 'deferred' : 'ready'
}
