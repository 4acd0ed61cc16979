/** The queue as operators see it: pages in the order of item ids, which is by age, and counts. */
import { isItemId, isMessageId } from '../../message-id.ts'
import { matches } from '../operator.ts'
import {
  type Depth,
  type ListedItem,
  type ListFilter,
  type ListOptions,
  type Page,
  type QueueTotals,
  stateOf,
} from '../queue.ts'
import type { RedisStore } from './store.ts'

/** How many items one call reads from a partition, and how many one page looks at where its filter finds few. */
const readItems = 500
const scannedItems = 5000

/** A record as it is stored, and when the lease on it ends or ended. */
export interface FoundRecord {
  readonly record: Buffer
  readonly leasedUntil: number
}

export async function readRecord(store: RedisStore, itemId: string): Promise<FoundRecord | null> {
  if (!isItemId(itemId)) return null
  const partition = store.connection.partitionOf(itemId)
  const [record, leasedUntil] = (await store.bytesStep('readItem', partition, () => [
    itemId,
  ])) as (Buffer | null)[]
  return record ? { record, leasedUntil: Number(leasedUntil) } : null
}

/** The item with its state; null where it cannot be read, and is set aside. */
export async function listedItem(
  store: RedisStore,
  itemId: string,
  found: FoundRecord & { now: number },
): Promise<ListedItem | null> {
  const item = await store.decode(itemId, found.record)
  if (item === null) return null
  return { item, state: stateOf(item, { now: found.now, leased: found.leasedUntil > found.now }) }
}

export async function listItems(store: RedisStore, filter: ListFilter, options: ListOptions): Promise<Page> {
  const newestFirst = options.order === 'newest'
  const range = rangeOf(store, filter)
  const found: ListedItem[] = []
  let after = options.after
  for (let scanned = 0; range !== null && scanned < scannedItems; scanned += readItems) {
    const { records, complete } = await readRange(store, { ...range, after, newestFirst })
    for (const [n, record] of records.entries()) {
      after = record.id
      const listed = await listedItem(store, record.id, { ...record, now: options.now })
      if (listed === null || !matches(listed.item, listed.state, filter)) continue
      found.push(listed)
      if (found.length === options.limit)
        return { items: found, next: complete && n === records.length - 1 ? null : after }
    }
    if (complete) return { items: found, next: null }
  }
  return { items: found, next: range === null ? null : after }
}

interface Range {
  readonly partitions: readonly number[]
  /** Bounds of ZRANGEBYLEX. */
  readonly min: string
  readonly max: string
}

/** Where the filter's items are; null where there can be none. */
function rangeOf(store: RedisStore, { id }: ListFilter): Range | null {
  if (id === undefined) return { partitions: store.partitions, min: '-', max: '+' }
  if (!isItemId(id) && !isMessageId(id)) return null
  const partitions = [store.connection.partitionOf(id)]
  // `.` follows `-`, so that it ends the items of one message.
  return isItemId(id)
    ? { partitions, min: `[${id}`, max: `[${id}` }
    : { partitions, min: `[${id}-`, max: `(${id}.` }
}

/** The next records of all partitions together; `complete` where there are no more. */
async function readRange(
  store: RedisStore,
  { partitions, min, max, after, newestFirst }: Range & { after: string | null; newestFirst: boolean },
): Promise<{ records: (FoundRecord & { id: string })[]; complete: boolean }> {
  const beyond = after === null ? null : `(${after}`
  const args = () =>
    newestFirst ? [min, beyond ?? max, readItems, 'newest'] : [beyond ?? min, max, readItems, 'oldest']
  const isBefore = (a: string, b: string) => (newestFirst ? a > b : a < b)
  const pages = await Promise.all(
    partitions.map(async (partition) => {
      const fields = (await store.bytesStep('listItems', partition, args)) as Buffer[]
      return Array.from({ length: fields.length / 3 }, (_, n) => ({
        id: fields[n * 3]!.toString(),
        record: fields[n * 3 + 1]!,
        leasedUntil: Number(fields[n * 3 + 2]),
      }))
    }),
  )
  // Behind the last item of a full page its partition may have more: beyond the first such item nothing is certain.
  const certain = pages
    .flatMap((page) => (page.length === readItems ? page.at(-1)!.id : []))
    .sort((a, b) => (isBefore(a, b) ? -1 : 1))[0]
  const records = pages.flat().filter(({ id }) => certain === undefined || !isBefore(certain, id))
  return { records: records.sort((a, b) => (isBefore(a.id, b.id) ? -1 : 1)), complete: certain === undefined }
}

export async function countItems(store: RedisStore, options: { now: number }): Promise<QueueTotals> {
  const connectors = new Map<string, Depth>()
  let items = 0
  let bytes = 0
  let corrupt = 0
  for (const partition of store.partitions) {
    const answer = await store.step('countItems', partition, [options.now])
    const [corruptHere, itemsHere, bytesHere] = answer.slice(0, 3).map(Number) as [number, number, number]
    store.heard(partition, [answer[1], answer[2]])
    items += itemsHere
    bytes += bytesHere
    corrupt += corruptHere
    for (let at = 3; at < answer.length; at += 5) {
      const [ready, deferred, leased, suspended] = answer.slice(at + 1, at + 5).map(Number) as Counts
      const depth = { ready, deferred, leased, suspended }
      const connector = answer[at]!
      connectors.set(connector, sum(depth, connectors.get(connector) ?? none))
    }
  }
  return { connectors, items, bytes, corrupt }
}

type Counts = [ready: number, deferred: number, leased: number, suspended: number]

const none: Depth = { ready: 0, deferred: 0, leased: 0, suspended: 0 }

const sum = (a: Depth, b: Depth): Depth => ({
  ready: a.ready + b.ready,
  deferred: a.deferred + b.deferred,
  leased: a.leased + b.leased,
  suspended: a.suspended + b.suspended,
})
