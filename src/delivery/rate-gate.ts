/**
 * Where a connector with rate limits asks before each message whether it may go. What is refused waits: that is
 * no attempt, and nothing is written to the item. Nobody asks again before there can be room; so whoever comes
 * first is served first, and a message to many recipients is not overtaken by smaller ones until it never fits.
 */
import type { Clock } from '../clock.ts'
import type { Connector } from '../config/connector.ts'
import type { Log } from '../observe/log.ts'
import type { QueueItem, Spending, Spent } from '../queue/queue.ts'
import { rateWindows } from './rate.ts'

/** What waits is kept at hand for so long; for longer it goes back to the store. */
const soonMs = 5_000

/** `limit` is null where nobody knows what has been sent, because the store is away. */
export type Passage = Spent | { readonly granted: false; readonly limit: null; readonly retryAt: number }

export interface RateGateHost {
  readonly clock: Clock
  readonly log: Log
  /** Never rejects. */
  spend(spending: Spending): Promise<Passage>
  /** There may be room again. */
  opened(): void
}

interface Shut {
  readonly until: number
  readonly limit: string | null
  readonly timer: NodeJS.Timeout
}

export class RateGate {
  readonly #connector: Connector
  readonly #host: RateGateHost
  #shut: Shut | null = null
  #stopped = false

  constructor(connector: Connector, host: RateGateHost) {
    this.#connector = connector
    this.#host = host
  }

  /** Counts the message; false where it must wait, and then the gate is shut. */
  async passes(item: QueueItem): Promise<boolean> {
    const recipients = item.recipients.filter(({ state }) => state === 'pending').length
    const passage = await this.#host.spend({
      key: this.#connector.id,
      windows: rateWindows(this.#connector.limits, { recipients }),
      now: this.#host.clock.now(),
    })
    if (!passage.granted) this.#shutUntil(passage.retryAt, passage.limit)
    return passage.granted
  }

  /** Until when nobody may pass; null while one may ask. */
  get shutUntil(): number | null {
    return this.#shut !== null && this.#shut.until > this.#host.clock.now() ? this.#shut.until : null
  }

  /** The limit that keeps it shut. */
  get shutBy(): string | null {
    return this.shutUntil === null ? null : this.#shut!.limit
  }

  /** Whether what waits need not go back to the store meanwhile. */
  get opensSoon(): boolean {
    return this.#isSoon(this.shutUntil ?? 0)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#shut?.timer)
    this.#shut = null
  }

  /** Of several that were refused side by side, the one that has to wait longest was not to be overtaken. */
  #shutUntil(until: number, limit: string | null): void {
    if (this.#stopped || (this.#shut !== null && this.#shut.until >= until)) return
    if (!this.#isSoon(until) && this.opensSoon) this.#log(until, limit)
    clearTimeout(this.#shut?.timer)
    const timer = setTimeout(() => this.#open(), Math.max(1, until - this.#host.clock.now()))
    this.#shut = { until, limit, timer }
  }

  #open(): void {
    const { shutUntil } = this
    const limit = this.#shut?.limit ?? null
    this.#shut = null
    // A timer and the clock may differ.
    if (shutUntil === null) this.#host.opened()
    else this.#shutUntil(shutUntil, limit)
  }

  #isSoon(at: number): boolean {
    return at - this.#host.clock.now() <= soonMs
  }

  #log(until: number, limit: string | null): void {
    const { id } = this.#connector
    this.#host.log.info(
      { connector: id, limit, until: new Date(until).toISOString() },
      'mail waits for a rate limit',
    )
  }
}
