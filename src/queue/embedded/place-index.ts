/**
 * What the embedded queue remembers of each connector, so that no call reads the whole backlog: how many items
 * it has, how many of those are due, and from which key on there can be one to claim. Memory grows with the
 * connectors, not with the items.
 *
 * The store is read through `DueKeys`, and always in the state that the last `insert` and `remove` describe.
 */

import type { Depth } from '../queue.ts'
import type { Hold, Place } from './leases.ts'

export interface DueKeys {
  /** The places of a connector that are not suspended, in order, beginning at `from`. */
  from(connector: string, from: Place | null): Iterable<Place>
  /** How many of them have `after < nextAttemptAt <= until`. */
  count(connector: string, range: { after: number; until: number }): number
}

/** What is stored of a connector, in the commit that changes it, so that opening the store counts nothing. */
export interface Counts {
  readonly waiting: number
  readonly suspended: number
  /** How many of the waiting fall due at or before `horizon`. */
  readonly due: number
  readonly horizon: number
}

interface ConnectorEntry {
  waiting: number
  suspended: number
  /** Moves with the time that `depths` is asked for. */
  horizon: number
  due: number
  leased: number
  /** Every place before this one is held. Null: nothing is known, begin at the first. */
  front: Place | null
}

export class PlaceIndex {
  readonly #connectors = new Map<string, ConnectorEntry>()
  readonly #keys: DueKeys
  #items = 0

  constructor(keys: DueKeys) {
    this.#keys = keys
  }

  get items(): number {
    return this.#items
  }

  get connectors(): Iterable<string> {
    return this.#connectors.keys()
  }

  restore(connector: string, counts: Counts): void {
    this.#connectors.set(connector, { ...counts, leased: 0, front: null })
    this.#items += counts.waiting + counts.suspended
  }

  /** The counts of each connector that places leave and enter, as they will be; null where nothing is left. */
  countsAfter(left: readonly Place[], entered: readonly Place[]): Map<string, Counts | null> {
    const after = new Map<string, { -readonly [field in keyof Counts]: Counts[field] }>()
    const count = (place: Place, by: 1 | -1): void => {
      let counts = after.get(place.connector)
      if (counts === undefined) {
        const { waiting, suspended, due, horizon } = this.#connectors.get(place.connector) ?? emptyEntry
        counts = { waiting, suspended, due, horizon }
        after.set(place.connector, counts)
      }
      if (place.suspended) counts.suspended += by
      else {
        counts.waiting += by
        if (place.nextAttemptAt <= counts.horizon) counts.due += by
      }
    }
    for (const place of left) count(place, -1)
    for (const place of entered) count(place, 1)
    return new Map(
      [...after].map(([id, counts]) => [id, counts.waiting + counts.suspended === 0 ? null : counts]),
    )
  }

  insert(place: Place): void {
    const entry = this.#entry(place.connector)
    this.#items++
    if (place.suspended) {
      entry.suspended++
      return
    }
    entry.waiting++
    if (place.nextAttemptAt <= entry.horizon) entry.due++
    if (entry.front !== null && comparePlaces(place, entry.front) < 0) entry.front = place
  }

  /**
   * A held place is gone. The front stays where it is: were it set back to each item that is settled, every
   * claim would pass again over all that are leased behind it.
   */
  remove(place: Place): void {
    const entry = this.#entry(place.connector)
    this.#items--
    if (place.suspended) entry.suspended--
    else {
      entry.waiting--
      entry.leased--
      if (place.nextAttemptAt <= entry.horizon) entry.due--
    }
    if (entry.waiting + entry.suspended === 0) this.#connectors.delete(place.connector)
  }

  /** A place is held: claims pass over it. */
  hold(place: Place): void {
    if (!place.suspended) this.#entry(place.connector).leased++
  }

  /** A hold ended and the item is still there: it can be claimed again. */
  release(place: Place): void {
    if (place.suspended) return
    const entry = this.#entry(place.connector)
    entry.leased--
    if (entry.front !== null && comparePlaces(place, entry.front) < 0) entry.front = place
  }

  /**
   * The places of a connector that nobody holds, in order. The caller must hold each one that it takes before
   * it asks for the next: what has been passed is not looked at again.
   */
  *claimable(connector: string, isHeld: (id: string) => boolean): Iterable<Place> {
    const entry = this.#connectors.get(connector)
    if (entry === undefined || entry.waiting === entry.leased) return
    for (const place of this.#keys.from(connector, entry.front)) {
      entry.front = place
      if (!isHeld(place.id)) yield place
    }
  }

  /** Exact at `now`; costs one step for each connector, each hold and each item that fell due since last time. */
  depths(now: number, holds: Iterable<Hold>): Map<string, Depth> {
    const leasedDue = new Map<string, number>()
    for (const { place } of holds)
      if (!place.suspended && place.nextAttemptAt <= now)
        leasedDue.set(place.connector, (leasedDue.get(place.connector) ?? 0) + 1)
    const depths = new Map<string, Depth>()
    for (const [connector, entry] of this.#connectors) {
      this.#moveHorizon(connector, now)
      const ready = entry.due - (leasedDue.get(connector) ?? 0)
      const deferred = entry.waiting - entry.leased - ready
      depths.set(connector, { ready, deferred, leased: entry.leased, suspended: entry.suspended })
    }
    return depths
  }

  #moveHorizon(connector: string, now: number): void {
    const entry = this.#entry(connector)
    if (now > entry.horizon) entry.due += this.#keys.count(connector, { after: entry.horizon, until: now })
    if (now < entry.horizon) entry.due -= this.#keys.count(connector, { after: now, until: entry.horizon })
    entry.horizon = now
  }

  #entry(connector: string): ConnectorEntry {
    let entry = this.#connectors.get(connector)
    if (entry === undefined) {
      entry = { ...emptyEntry }
      this.#connectors.set(connector, entry)
    }
    return entry
  }
}

const emptyEntry: Readonly<ConnectorEntry> = {
  waiting: 0,
  suspended: 0,
  due: 0,
  horizon: -1,
  leased: 0,
  front: null,
}

/** The order of claims: next attempt, then age, which item ids sort by. */
export function comparePlaces(a: Place, b: Place): number {
  return a.nextAttemptAt - b.nextAttemptAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
