/**
 * The queue as plain maps: what each call must answer, in the simplest words. The model test holds the backends
 * to it; it is right by being short.
 */
import { messageIdOf } from '../../src/message-id.ts'
import { changed, matches } from '../../src/queue/operator.ts'
import {
  type Change,
  type ChangeResult,
  type ClaimOptions,
  type Depth,
  deadlineOf,
  type ItemState,
  type Lease,
  type ListFilter,
  type NewMessage,
  type Outcome,
  type QueueItem,
  stateOf,
} from '../../src/queue/queue.ts'

export class QueueModel {
  readonly items = new Map<string, QueueItem>()
  readonly bodies = new Map<string, Buffer>()
  readonly leases = new Map<string, Lease>()
  now: number

  constructor(now: number) {
    this.now = now
  }

  put(message: NewMessage): void {
    if (message.body.kind !== 'inline') throw new Error('The model takes inline bodies')
    this.bodies.set(message.id, message.body.bytes)
    for (const item of message.items) this.items.set(item.id, item)
  }

  lease(leases: readonly Lease[]): void {
    for (const lease of leases) this.leases.set(lease.itemId, lease)
  }

  isLeased(id: string): boolean {
    return (this.leases.get(id)?.expiresAt ?? 0) > this.now
  }

  holds(lease: Lease): boolean {
    return this.isLeased(lease.itemId) && this.leases.get(lease.itemId)?.token === lease.token
  }

  /** What a claim takes from a connector, and the time of the first that it leaves. */
  claimable({ connector, limit }: ClaimOptions['connectors'][number]): [QueueItem[], number | undefined] {
    const free = this.#free((item) => item.connector === connector)
    const taken = inOrder(free, (item) => item.nextAttemptAt).filter((item) => item.nextAttemptAt <= this.now)
    const left = free.filter((item) => !taken.slice(0, limit).includes(item))
    return [taken.slice(0, limit), inOrder(left, (item) => item.nextAttemptAt)[0]?.nextAttemptAt]
  }

  overdue(limit: number): QueueItem[] {
    const overdue = this.#free((item) => deadlineOf(item) <= this.now)
    return inOrder(overdue, deadlineOf).slice(0, limit)
  }

  settle(lease: Lease, outcome: Outcome): void {
    this.leases.delete(lease.itemId)
    this.#replace(lease.itemId, outcome)
  }

  change(id: string, change: Change): ChangeResult {
    const item = this.items.get(id)
    if (item === undefined) return 'missing'
    if (this.isLeased(id)) return 'busy'
    if (change.kind === 'remove') this.#replace(id, { items: [], dsn: change.dsn })
    else this.items.set(id, changed(item, change, { now: this.now }))
    return 'done'
  }

  stateOf(item: QueueItem): ItemState {
    return stateOf(item, { now: this.now, leased: this.isLeased(item.id) })
  }

  list(filter: ListFilter): QueueItem[] {
    return [...this.items.values()].filter((item) => matches(item, this.stateOf(item), filter))
  }

  depths(): Map<string, Depth> {
    const depths = new Map<string, Record<ItemState, number>>()
    for (const item of this.items.values()) {
      const depth = depths.get(item.connector) ?? { ready: 0, deferred: 0, leased: 0, suspended: 0 }
      depth[this.stateOf(item)]++
      depths.set(item.connector, depth)
    }
    return depths
  }

  #free(wanted: (item: QueueItem) => boolean): QueueItem[] {
    return [...this.items.values()].filter(
      (item) => item.suspended === null && !this.isLeased(item.id) && wanted(item),
    )
  }

  #replace(id: string, outcome: Outcome): void {
    this.items.delete(id)
    for (const item of outcome.items) this.items.set(item.id, item)
    if (outcome.dsn !== null) this.put(outcome.dsn)
    const messageId = messageIdOf(id)
    if (![...this.items.values()].some((item) => item.messageId === messageId)) this.bodies.delete(messageId)
  }
}

function inOrder(items: readonly QueueItem[], at: (item: QueueItem) => number): QueueItem[] {
  return items.toSorted((a, b) => at(a) - at(b) || (a.id < b.id ? -1 : 1))
}
