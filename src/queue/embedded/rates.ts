/**
 * What the embedded queue has counted against rate limits. It is counted here at once, so that whoever asks next
 * sees it, and then written; a write that never happens leaves here, until a restart, more than was sent.
 *
 * There may be as many keys as senders in the world. Those in use are kept in memory, the others read when they are
 * asked for. And whenever a key is new to the store, the next two in it are looked at, in turn, and forgotten where
 * nothing of them counts any more: so what is dead in the store is never more than about as much as is alive.
 */
import type { Log } from '../../observe/log.ts'
import type { Counted, Spending, Spent } from '../queue.ts'
import { countedNow, decodeTallies, encodeTallies, fullestFirst, spend, type Tallies } from '../rate.ts'
import type { EmbeddedStore, Write } from './store.ts'

/** Some kilobytes each, where a window is counted in all of its slots. */
const mostRemembered = 2000
const sweptAtATime = 2
/** How many keys of the store a listing looks at, and after how many of them others get their turn. */
const mostListed = 10_000
const sliceLength = 250

interface Entry {
  tallies: Tallies
  isStored: boolean
  /** Writes under way: until they are done the store must not be asked. */
  writing: number
}

export class EmbeddedRates {
  readonly #store: EmbeddedStore
  readonly #log: Log
  /** By key, the least recently used first. */
  readonly #entries = new Map<string, Entry>()
  #sweptTo: string | null = null

  constructor(store: EmbeddedStore, options: { readonly log: Log }) {
    this.#store = store
    this.#log = options.log
  }

  /** What is granted must be written with `writes`, and told when that is over with `written`. */
  spend({ key, windows, now }: Spending): Spent {
    const entry = this.#entryOf(key)
    const { spent, tallies } = spend(entry.tallies, { windows, now })
    entry.tallies = tallies
    if (spent.granted) entry.writing++
    return spent
  }

  /** All that is counted for the key, in this moment. */
  writes({ key, now }: Spending): readonly Write[] {
    const { tallies, isStored } = this.#entryOf(key)
    const own: Write = ['rates', key, encodeTallies(tallies)]
    return isStored ? [own] : [own, ...this.#forget(now)]
  }

  written(key: string): void {
    const entry = this.#entryOf(key)
    entry.writing--
    entry.isStored = true
  }

  /** `turn` lets others run, and throws where the store cannot be read any more. */
  async counted(
    prefix: string,
    options: { now: number; limit: number; turn: () => Promise<void> },
  ): Promise<readonly Counted[]> {
    const { now, limit, turn } = options
    const found = new Map<string, readonly Counted[]>()
    for (const [key, { tallies }] of this.#entries)
      if (key.startsWith(prefix)) found.set(key, countedNow(tallies, { key, now }))
    let after: string | null = null
    for (let listed = 0; listed < mostListed; listed += sliceLength) {
      const keys = this.#keys({ from: after ?? prefix, exclusive: after !== null, limit: sliceLength })
      for (const key of keys)
        if (key.startsWith(prefix) && !found.has(key))
          found.set(key, countedNow(this.#read(key) ?? {}, { key, now }))
      after = keys.at(-1) ?? null
      if (keys.length < sliceLength || !after!.startsWith(prefix)) break
      await turn()
    }
    return fullestFirst([...found.values()].flat()).slice(0, limit)
  }

  #entryOf(key: string): Entry {
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      const stored = this.#read(key)
      entry = { tallies: stored ?? {}, isStored: stored !== null, writing: 0 }
    }
    this.#entries.delete(key)
    this.#trim()
    this.#entries.set(key, entry)
    return entry
  }

  /** Makes room for one more. */
  #trim(): void {
    for (const [key, { writing }] of this.#entries) {
      if (this.#entries.size < mostRemembered) return
      if (writing === 0) this.#entries.delete(key)
    }
  }

  /** Removes what is dead among the next keys. What is in memory is in use, or may be about to be written. */
  #forget(now: number): readonly Write[] {
    const keys = this.#keys({ from: this.#sweptTo, exclusive: true, limit: sweptAtATime })
    this.#sweptTo = keys.length < sweptAtATime ? null : keys.at(-1)!
    return keys
      .filter((key) => !this.#entries.has(key))
      .filter((key) => countedNow(this.#read(key) ?? {}, { key, now }).length === 0)
      .map((key): Write => ['rates', key, null])
  }

  #keys(range: { from: string | null; exclusive: boolean; limit: number }): readonly string[] {
    const { from, exclusive, limit } = range
    const start = from === null || from === '' ? {} : { start: from, exclusiveStart: exclusive }
    return [...this.#store.keys(this.#store.rates, { ...start, limit })]
  }

  /** Null where nothing is stored. */
  #read(key: string): Tallies | null {
    const stored = this.#store.get(this.#store.rates, key)
    if (stored === undefined) return null
    const tallies = decodeTallies(stored)
    if (tallies === null)
      this.#log.error({ key }, 'What rate limits have counted cannot be read: they begin anew')
    return tallies ?? {}
  }
}
