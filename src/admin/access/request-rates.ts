/**
 * How many requests one holder of a token, or one address without one, may send: generous, so that pages and commands
 * stay far below, and bounded, so that a program gone wild leaves the processor to the mail.
 */
import type { Clock } from '../../clock.ts'
import { dropOldest } from '../../smtp/failure-counts.ts'
import { type Allowance, spend } from './allowance.ts'

export const requestAllowance: Allowance = { perSecond: 100, burst: 500 }

export class RequestRates {
  readonly #clock: Clock
  readonly #spent = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How long to wait until a request is allowed; 0: it is, and is counted. */
  take(key: string): number {
    const { spentUntil, waitMs } = spend(this.#spent.get(key) ?? 0, {
      now: this.#clock.now(),
      ...requestAllowance,
    })
    this.#spent.delete(key)
    this.#spent.set(key, spentUntil)
    dropOldest(this.#spent)
    return waitMs
  }
}
