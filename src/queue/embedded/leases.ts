/**
 * The leases of the embedded store. They live in memory alone: the store belongs to one process, so a lease
 * dies with the process that held it and a claim writes nothing. An item whose change is being committed
 * stays held until the commit is done, whatever the time: nobody may see it between two states.
 */
import { BriefMap } from '../../brief-map.ts'
import type { Lease } from '../queue.ts'

/** Where an item stands: among the suspended, or in the order of its connector's queue. */
export interface Place {
  readonly connector: string
  readonly nextAttemptAt: number
  readonly id: string
  readonly suspended: boolean
}

/** And where among the deadlines of all items that are not suspended. */
export interface FullPlace extends Place {
  readonly deadlineAt: number
}

export interface Hold {
  readonly place: FullPlace
  readonly bodyBytes: number
  readonly token: string
  /** Infinity while the item's change is being committed. */
  expiresAt: number
}

export class Leases {
  readonly #holds = new BriefMap<string, Hold>()
  readonly #epoch: number
  #granted = 0
  /** No lease runs out before this instant, so that nobody needs to look. */
  #firstExpiry = Number.POSITIVE_INFINITY

  /** `epoch` grows with each opening of the store: a lease of an earlier one is never mistaken for ours. */
  constructor(epoch: number) {
    this.#epoch = epoch
  }

  has(itemId: string): boolean {
    return this.#holds.has(itemId)
  }

  values(): readonly Hold[] {
    return this.#holds.values()
  }

  /** Leases an item nobody holds. */
  grant(place: FullPlace, options: { bodyBytes: number; expiresAt: number }): Hold {
    if (this.#holds.has(place.id)) throw new Error(`Cannot lease ${place.id}: it is leased`)
    const token = `${this.#epoch}.${++this.#granted}`
    const hold = { place, bodyBytes: options.bodyBytes, token, expiresAt: options.expiresAt }
    this.#holds.set(place.id, hold)
    this.#firstExpiry = Math.min(this.#firstExpiry, hold.expiresAt)
    return hold
  }

  /** Holds an item until `end`, whatever the time. */
  freeze(hold: Hold): void {
    hold.expiresAt = Number.POSITIVE_INFINITY
  }

  /** Takes a `freeze` back: nothing was committed. */
  thaw(hold: Hold, expiresAt: number): void {
    hold.expiresAt = expiresAt
    this.#firstExpiry = Math.min(this.#firstExpiry, expiresAt)
  }

  /** The hold that a lease stands for, if it is running and nothing is being committed under it. */
  running(lease: Lease): Hold | null {
    const hold = this.#holds.get(lease.itemId)
    return hold?.token === lease.token && hold.expiresAt !== Number.POSITIVE_INFINITY ? hold : null
  }

  /** Prolongs a lease; one under which an outcome is being committed is as good as prolonged. */
  renew(lease: Lease, expiresAt: number): Lease | null {
    const hold = this.#holds.get(lease.itemId)
    if (hold?.token !== lease.token) return null
    hold.expiresAt = Math.max(hold.expiresAt, expiresAt)
    return { ...lease, expiresAt }
  }

  end(itemId: string): void {
    this.#holds.delete(itemId)
  }

  /** Ends the leases that ran out by `now`, and returns them. */
  expire(now: number): readonly Hold[] {
    if (now < this.#firstExpiry) return []
    const expired = this.#holds.values().filter((hold) => hold.expiresAt <= now)
    for (const hold of expired) this.end(hold.place.id)
    this.#firstExpiry = Number.POSITIVE_INFINITY
    for (const { expiresAt } of this.#holds.values())
      this.#firstExpiry = Math.min(this.#firstExpiry, expiresAt)
    return expired
  }
}

export const leaseOf = (hold: Hold): Lease => ({
  itemId: hold.place.id,
  token: hold.token,
  expiresAt: hold.expiresAt,
})
