/**
 * The items that delivery has in hand: the leases it has them under, and what they weigh in memory, all together and by
 * connector.
 */
import { BriefMap } from '../brief-map.ts'
import type { Clock } from '../clock.ts'
import type { Lease, LeasedItem, Queue } from '../queue/queue.ts'

/** What an item in hand weighs beside its body. */
const itemBytes = 4096

interface Held {
  readonly leased: LeasedItem
  readonly bytes: number
  /** The one that is running: it is renewed, and may be a later one than came with the item. */
  lease: Lease
  /** Somebody else may have the item now. */
  lost: boolean
  /** On its way back to the store, which may lease it anew before we hear that it has it. */
  givenBack: boolean
}

export class InHand {
  readonly #options: {
    readonly queue: Queue
    readonly clock: Clock
    readonly leaseMs: number
    readonly memory: number
  }
  readonly #held = new BriefMap<string, Held>()
  #bytes = 0
  /** The same by connector. */
  readonly #share = new Map<string, number>()
  #reservedBytes = 0

  constructor(options: { queue: Queue; clock: Clock; leaseMs: number; memory: number }) {
    this.#options = options
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Memory that is neither taken nor reserved. */
  get freeBytes(): number {
    return this.#options.memory - this.#bytes - this.#reservedBytes
  }

  shareOf(connector: string): number {
    return this.#share.get(connector) ?? 0
  }

  /** Keeps room for a message of a connector, until `unreserve`; false where it would have more than is left free. */
  reserve(connector: string, sizeBytes: number): boolean {
    if (sizeBytes + itemBytes > this.freeBytes - this.shareOf(connector)) return false
    this.#reservedBytes += sizeBytes
    return true
  }

  unreserve(sizeBytes: number): void {
    this.#reservedBytes -= sizeBytes
  }

  /**
   * Takes an item into our hands. False where we have it already: its lease ran out, as the process or the
   * machine stood still, and came back to us. Then the attempt under way goes on under the new one; a second
   * one beside it would send the message twice.
   */
  take(leased: LeasedItem): boolean {
    const { item, lease } = leased
    const held = this.#held.get(item.id)
    if (held !== undefined && !held.givenBack) {
      held.lease = lease
      held.lost = false
      return false
    }
    if (held !== undefined) this.release(held.leased)
    const bytes = itemBytes + (leased.body?.length ?? 0)
    this.#held.set(item.id, { leased, lease, bytes, lost: false, givenBack: false })
    this.#weigh(item.connector, bytes)
    return true
  }

  /**
   * Whether an attempt may begin. Leases are renewed every third of their time, so that two thirds are left
   * while all is well. With less than one, the store is slow or away, and the lease may end before the attempt
   * does: its outcome would be refused, and the message sent again.
   */
  holds(leased: LeasedItem): boolean {
    const { clock, leaseMs } = this.#options
    const held = this.#held.get(leased.item.id)
    if (held?.leased !== leased || held.lost) return false
    return held.lease.expiresAt - clock.now() > leaseMs / 3
  }

  lease(leased: LeasedItem): Lease {
    return this.#held.get(leased.item.id)?.lease ?? leased.lease
  }

  /** From here on the item may be leased to us again before it is released. */
  givingBack(leased: LeasedItem): void {
    const held = this.#held.get(leased.item.id)
    if (held?.leased === leased) held.givenBack = true
  }

  release(leased: LeasedItem): void {
    const held = this.#held.get(leased.item.id)
    if (held === undefined || held.leased !== leased) return
    this.#held.delete(leased.item.id)
    this.#weigh(leased.item.connector, -held.bytes)
  }

  /** Prolongs every lease; rejects as `Queue.renew`. */
  async renew(): Promise<void> {
    const { queue, clock, leaseMs } = this.#options
    const leases = this.#held
      .values()
      .filter((held) => !held.lost)
      .map((held) => held.lease)
    if (leases.length === 0) return
    const renewed = new Map<string, Lease>()
    for (const lease of await queue.renew(leases, { now: clock.now(), leaseMs }))
      renewed.set(lease.itemId, lease)
    for (const { itemId, token } of leases) {
      const held = this.#held.get(itemId)
      if (held?.lease.token !== token) continue
      const lease = renewed.get(itemId)
      // What is lost and still waits must not be sent: someone else has it. An attempt under way learns it at settle.
      if (lease === undefined) held.lost = true
      else held.lease = lease
    }
  }

  #weigh(connector: string, bytes: number): void {
    this.#bytes += bytes
    this.#share.set(connector, this.shareOf(connector) + bytes)
  }
}
