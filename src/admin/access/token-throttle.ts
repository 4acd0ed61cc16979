/**
 * What bad tokens cost the address that presents them: two are free, then each refusal waits longer, then it is a
 * 429 until a pause has passed. A good token is always taken, also from such an address: guessing 256 random bits
 * is hopeless, and behind a reverse proxy or on the relay's own machine everybody has the same address.
 */
import type { Clock } from '../../clock.ts'
import { delayAfter, FailureCounts, mostFailures, network } from '../../smtp/failure-counts.ts'

export type Penalty =
  /** The refusal is to be sent after the delay. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** 429 at once; for the Retry-After field. */
  | { readonly kind: 'pause'; readonly retryAfterMs: number }

export class TokenThrottle {
  readonly #failures: FailureCounts

  constructor(clock: Clock) {
    this.#failures = new FailureCounts(clock)
  }

  /** To be called for each token that was presented and is none; not for requests without one. */
  refused(address: string): Penalty {
    const key = network(plain(address))
    if (this.#failures.of(key) >= mostFailures)
      return { kind: 'pause', retryAfterMs: this.#failures.pauseOf(key) }
    this.#failures.add(key)
    return { kind: 'delay', delayMs: delayAfter(this.#failures.of(key)) }
  }
}

/** A listener on `::` sees IPv4 clients in IPv6 clothes, of which all would be one network. */
export const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')
