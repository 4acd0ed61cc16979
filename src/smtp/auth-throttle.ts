/**
 * What repeated AUTH failures cost, per client address and per user: the first are free, then each answer is
 * held back longer, then nothing is checked any more until a pause has passed. Others are not affected: an
 * address that a user has logged in from is not made to pay for guesses at that user's name from elsewhere.
 * Memory is bounded: the oldest records go first.
 */
import type { Clock } from '../clock.ts'
import { delayAfter, dropOldest, FailureCounts, mostFailures, network } from './failure-counts.ts'

export interface AuthAttempt {
  readonly address: string
  readonly user: string
}

export type Admission = { readonly kind: 'check'; readonly delayMs: number } | { readonly kind: 'drop' }

export class AuthThrottle {
  readonly #failures: FailureCounts
  /** `user address` of logins that succeeded, the latest last. */
  readonly #known = new Set<string>()

  constructor(clock: Clock) {
    this.#failures = new FailureCounts(clock)
  }

  /**
   * Counts the attempt as failed before it is checked, so that many at the same time do not slip through;
   * `succeeded` takes that back. The delay is for the answer, should it be a refusal.
   */
  attempt(attempt: AuthAttempt): Admission {
    const keys = this.#keysOf(attempt)
    const before = Math.max(...keys.map((key) => this.#failures.of(key)))
    if (before >= mostFailures) return { kind: 'drop' }
    for (const key of keys) this.#failures.add(key)
    return { kind: 'check', delayMs: delayAfter(before + 1) }
  }

  succeeded(attempt: AuthAttempt): void {
    for (const key of this.#keysOf(attempt)) this.#failures.forget(key)
    const known = knownKey(attempt)
    this.#known.delete(known)
    this.#known.add(known)
    dropOldest(this.#known)
  }

  #keysOf(attempt: AuthAttempt): string[] {
    const address = `address ${network(attempt.address)}`
    return this.#known.has(knownKey(attempt)) ? [address] : [address, `user ${attempt.user}`]
  }
}

const knownKey = ({ user, address }: AuthAttempt): string => `${user} ${network(address)}`
