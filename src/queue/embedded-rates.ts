/**
 * What the embedded queue has counted against rate limits. It is counted here at once, so that whoever asks next
 * sees it, and then written; a write that never happens leaves here, until a restart, more than was sent.
 */
import type { Log } from '../observe/log.ts'
import type { EmbeddedStore, Write } from './embedded-store.ts'
import type { Spending, Spent } from './queue.ts'
import { decodeTallies, encodeTallies, spend, type Tallies } from './rate.ts'

export class EmbeddedRates {
  readonly #store: EmbeddedStore
  readonly #log: Log
  /** By key, once it was asked for. */
  readonly #tallies = new Map<string, Tallies>()

  constructor(store: EmbeddedStore, options: { readonly log: Log }) {
    this.#store = store
    this.#log = options.log
  }

  spend({ key, windows, now }: Spending): Spent {
    const { spent, tallies } = spend(this.#of(key), { windows, now })
    this.#tallies.set(key, tallies)
    return spent
  }

  /** All that is counted for the key, in this moment. */
  write(key: string): Write {
    return ['rates', key, encodeTallies(this.#of(key))]
  }

  #of(key: string): Tallies {
    return this.#tallies.get(key) ?? this.#read(key)
  }

  #read(key: string): Tallies {
    const stored = this.#store.get(this.#store.rates, key)
    const tallies = stored === undefined ? {} : decodeTallies(stored)
    if (tallies === null)
      this.#log.error({ connector: key }, 'What rate limits have counted cannot be read: they begin anew')
    return tallies ?? {}
  }
}
