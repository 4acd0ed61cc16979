/**
 * Puts a message in the queue with all that policy made of it, in one step. What can go out at once is leased in
 * the same step and handed to delivery with the bytes that are still in memory; the rest is claimed in its turn.
 */
import type { Clock } from '../clock.ts'
import type { Delivery } from '../delivery/delivery.ts'
import type { Lease, NewMessage, Queue, QueueItem } from '../queue/queue.ts'

export interface HandOverOptions {
  readonly queue: Queue
  readonly deliver: Pick<Delivery, 'reserve' | 'unreserve' | 'deliver' | 'wake'>
  readonly leaseMs: number
  readonly clock: Clock
}

/** Resolves when all is durable; rejects as `Queue.put`, and then nothing was kept. */
export async function handOver(messages: readonly NewMessage[], options: HandOverOptions): Promise<void> {
  const { queue, deliver, leaseMs, clock } = options
  const [message, ...siblings] = messages
  if (message === undefined) return
  const parcels: Parcel[] = []
  for (const each of messages) parcels.push(...parcelsOf(each))
  const itemIds: string[] = []
  for (const parcel of parcels) {
    const { item, heldBytes } = parcel
    parcel.isDirect = item.suspended === null && deliver.reserve(item.connector, heldBytes)
    if (parcel.isDirect) itemIds.push(item.id)
  }
  let leases: readonly Lease[]
  try {
    leases = await queue.put(message, { now: clock.now(), lease: { itemIds, leaseMs }, siblings })
  } catch (error) {
    for (const { isDirect, heldBytes } of parcels) if (isDirect) deliver.unreserve(heldBytes)
    throw error
  }
  const leaseOf = (id: string) => leases.find(({ itemId }) => itemId === id)
  // A put whose answer was lost and asked for again may come back without a lease that another node has by now.
  for (const { item, isDirect, heldBytes } of parcels)
    if (isDirect && leaseOf(item.id) === undefined) deliver.unreserve(heldBytes)
  for (const { item, body, heldBytes } of parcels) {
    const lease = leaseOf(item.id)
    if (lease !== undefined) deliver.deliver({ item, lease, body }, heldBytes)
    else if (item.suspended === null) deliver.wake(item.connector)
  }
}

interface Parcel {
  readonly item: QueueItem
  /** Null where it is in the store only. */
  readonly body: Buffer | null
  readonly heldBytes: number
  /** Delivery has room for it now. */
  isDirect: boolean
}

function parcelsOf({ body, items }: NewMessage): Parcel[] {
  const bytes = body.kind === 'inline' ? body.bytes : null
  return items.map((item) => ({ item, body: bytes, heldBytes: bytes?.length ?? 0, isDirect: false }))
}
