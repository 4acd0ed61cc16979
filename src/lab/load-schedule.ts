/**
 * Which message is sent when. With a rate, the schedule is open: a message's turn does not depend on how
 * fast the server was before, and its latency counts from its turn, so that a server that stalls is charged for
 * every message that had to wait. Without a rate each session sends as soon as it can.
 */

export interface LoadScheduleOptions {
  /** Null: no limit. */
  readonly messages: number | null
  /** Null: no limit. */
  readonly durationMs: number | null
  /** Messages per second; null: as fast as the sessions can. */
  readonly rate: number | null
}

export interface Turn {
  readonly seq: number
  readonly startAt: number
}

export class LoadSchedule {
  readonly #options: LoadScheduleOptions
  readonly #startedAt: number
  #taken = 0
  #stopped = false

  constructor(options: LoadScheduleOptions, startedAt: number) {
    this.#options = options
    this.#startedAt = startedAt
  }

  /** The next turn; null when there are no more. */
  next(now: number): Turn | null {
    const { messages, durationMs, rate } = this.#options
    if (this.#stopped || (messages !== null && this.#taken >= messages)) return null
    const startAt = rate === null ? now : this.#startedAt + (this.#taken * 1000) / rate
    if (durationMs !== null && Math.max(startAt, now) - this.#startedAt >= durationMs) return null
    return { seq: ++this.#taken, startAt }
  }

  /** Turns that were given out already are still used. */
  stop(): void {
    this.#stopped = true
  }
}
