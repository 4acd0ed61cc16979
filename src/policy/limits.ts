/**
 * How much each sender, domain, client, user and listener may submit. What is counted is in the queue's store, so
 * that all nodes count together and a restart forgets nothing.
 *
 * Each limit counts for itself. A message that a limit refuses has been counted by those asked before it: so the
 * ones that concern few are asked first, as an application that goes on too fast must not use up what its whole
 * server has; and what is known to have no room is not asked again, however often a client repeats itself.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Limit } from '../config/policy-schema.ts'
import type { Queue, RateWindow } from '../queue/queue.ts'
import type { Reply } from '../reply.ts'
import { LimitHolders, type Submitter } from './limit-holder.ts'
import {
  type Held,
  limitWindows,
  type MessageAmounts,
  neverFitting,
  neverRoom,
  noRoom,
  tooLarge,
} from './limit-windows.ts'

export interface LimitReached {
  readonly limit: string
  /** Whose it is. */
  readonly of: string
  readonly over: Limit['over']
  /** What the client is told; with `hold`, the reason. */
  readonly reply: Reply
  /** Under which it is counted in the store. */
  readonly key: string
}

/** Longer ones are named by their digest. */
const longestKeyBytes = 200
/** How many that have no room are remembered. */
const mostFull = 10_000

const narrowestFirst: readonly Limit['per'][] = ['sender', 'user', 'senderDomain', 'client', 'listener']

interface Counting extends Held {
  readonly key: string
  readonly windows: readonly RateWindow[]
}

/** For this amount, and so for a larger one, there is no room before then. */
interface Full {
  readonly window: RateWindow
  readonly until: number
}

export class SubmissionLimits {
  /** Whether there are none. */
  readonly empty: boolean
  readonly #limits: readonly { readonly limit: Limit; readonly holders: LimitHolders }[]
  readonly #queue: Pick<Queue, 'spend'>
  readonly #clock: Clock
  /** By key, the oldest first. */
  readonly #full = new Map<string, Full>()

  constructor(options: {
    readonly limits: readonly Limit[]
    readonly queue: Pick<Queue, 'spend'>
    readonly clock: Clock
  }) {
    this.#limits = options.limits
      .toSorted((a, b) => narrowestFirst.indexOf(a.per) - narrowestFirst.indexOf(b.per))
      .map((limit) => ({ limit, holders: new LimitHolders(limit) }))
    this.#queue = options.queue
    this.#clock = options.clock
    this.empty = options.limits.length === 0
  }

  /** Why the message is too large for this submitter; null where it is not. Counts nothing. */
  sizeRefusal(message: Submitter & Pick<MessageAmounts, 'sizeBytes'>): Reply | null {
    return this.#tooLarge(message)?.reply ?? null
  }

  /**
   * Counts the message: null where all limits have room for it. Else the gravest answer, and of a `hold` only where
   * nothing refuses. Rejects as the queue's `spend` does.
   */
  async check(message: Submitter & MessageAmounts): Promise<LimitReached | null> {
    if (this.empty) return null
    const countings = this.#countings(message)
    const foreseen = countings.map((each) => this.#foreseen(each))
    const refused = this.#tooLarge(message) ?? foreseen.find(refuses) ?? null
    if (refused !== null) return refused
    let held: LimitReached | null = null
    for (const [n, each] of countings.entries()) {
      const reached = foreseen[n] ?? (await this.#count(each))
      if (refuses(reached)) return reached
      held ??= reached
    }
    return held
  }

  #tooLarge(message: Submitter & Pick<MessageAmounts, 'sizeBytes'>): LimitReached | null {
    for (const { limit, holders } of this.#limits) {
      const { maxMessageSize } = limit
      if (maxMessageSize === null || message.sizeBytes <= maxMessageSize) continue
      const holder = holders.of(message)
      if (holder === null) continue
      const held = { limit, holder, key: keyOf(limit, holder) }
      return reachedBy(held, 'reject', tooLarge(held, maxMessageSize))
    }
    return null
  }

  #countings(message: Submitter & MessageAmounts): readonly Counting[] {
    return this.#limits.flatMap(({ limit, holders }) => {
      const windows = limitWindows(limit, message)
      const holder = windows.length === 0 ? null : holders.of(message)
      return holder === null ? [] : [{ limit, holder, key: keyOf(limit, holder), windows }]
    })
  }

  /** What is sure without asking the store. */
  #foreseen(counting: Counting): LimitReached | null {
    const { limit, windows, key } = counting
    const never = neverFitting(windows)
    if (never !== null)
      return reachedBy(counting, limit.over === 'hold' ? 'hold' : 'reject', neverRoom(counting, never))
    const full = this.#full.get(key)
    if (full === undefined) return null
    if (full.until <= this.#clock.now()) {
      this.#full.delete(key)
      return null
    }
    const isTooMuch = windows.some(
      (window) => window.limit === full.window.limit && window.amount >= full.window.amount,
    )
    return isTooMuch ? reachedBy(counting, limit.over, noRoom(counting, full.window, full.until)) : null
  }

  async #count(counting: Counting): Promise<LimitReached | null> {
    const { key, windows, limit } = counting
    const spent = await this.#queue.spend({ key, windows, now: this.#clock.now() })
    if (spent.granted) return null
    const window = windows.find((each) => each.limit === spent.limit)!
    this.#remember(key, { window, until: spent.retryAt })
    return reachedBy(counting, limit.over, noRoom(counting, window, spent.retryAt))
  }

  #remember(key: string, full: Full): void {
    this.#full.delete(key)
    this.#full.set(key, full)
    if (this.#full.size > mostFull) this.#full.delete(this.#full.keys().next().value!)
  }
}

function reachedBy(
  { limit, holder, key }: Held & { readonly key: string },
  over: Limit['over'],
  reply: Reply,
): LimitReached {
  return { limit: limit.name, of: holder, over, reply, key }
}

const refuses = (answer: LimitReached | null | undefined): answer is LimitReached =>
  answer != null && answer.over !== 'hold'

/** No connector's id has a colon, so that theirs and these never meet. */
function keyOf({ name }: Limit, holder: string): string {
  const key = `limit:${name}:${holder}`
  if (Buffer.byteLength(key) <= longestKeyBytes) return key
  return `limit:${name}:sha256-${createHash('sha256').update(holder).digest('base64url')}`
}
