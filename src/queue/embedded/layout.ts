/**
 * How the embedded store lays out mail: the keys, the record of an item (the size of its body, a space, the item
 * as JSON), and the chunks of a body. Chunks are small because LMDB needs the pages of one value in a row.
 */

import { deadlineOf, type QueueItem } from '../queue.ts'
import { decodeItem, encodeItem } from '../record.ts'
import type { FullPlace } from './leases.ts'
import type { Counts } from './place-index.ts'
import type { EmbeddedStore, KeyRange, Write } from './store.ts'

export const chunkBytes = 64 * 1024

export interface StoredItem {
  readonly item: QueueItem
  readonly bodyBytes: number
}

/** An item ready to be written. */
export interface EncodedItem {
  readonly place: FullPlace
  readonly record: string
}

export function encode(item: QueueItem, bodyBytes: number): EncodedItem {
  return { place: placeOf(item), record: `${bodyBytes} ${encodeItem(item)}` }
}

/** Null where the text is not the record of this item. */
export function decode(id: string, record: string): StoredItem | null {
  const space = record.indexOf(' ')
  if (!/^\d{1,15}$/.test(record.slice(0, space))) return null
  const item = decodeItem(record.slice(space + 1))
  return item?.id === id ? { item, bodyBytes: Number(record.slice(0, space)) } : null
}

export function placeOf(item: QueueItem): FullPlace {
  const { connector, nextAttemptAt, id } = item
  return { connector, nextAttemptAt, id, suspended: item.suspended !== null, deadlineAt: deadlineOf(item) }
}

const empty = Buffer.alloc(0)

/** Enters a place into the index, or takes it out. */
export function indexWrites(place: FullPlace, present: boolean): readonly Write[] {
  const { connector, nextAttemptAt, id } = place
  const value = present ? empty : null
  if (place.suspended) return [['suspended', [connector, id], value]]
  return [
    ['due', [connector, nextAttemptAt, id], value],
    ['deadlines', [place.deadlineAt, id], value],
  ]
}

export function countsWrite(connector: string, counts: Counts | null): Write {
  if (counts === null) return ['counts', connector, null]
  const { waiting, suspended, due, horizon } = counts
  return ['counts', connector, `${waiting} ${suspended} ${due} ${horizon}`]
}

export function decodeCounts(text: string): Counts {
  const [waiting = 0, suspended = 0, due = 0, horizon = -1] = text.split(' ').map(Number)
  return { waiting, suspended, due, horizon }
}

/** The keys of all items of a message. */
export const itemsOf = (messageId: string): KeyRange => ({ start: `${messageId}-`, end: `${messageId}.` })

/**
 * The name under which the body of a message is stored: that of the stage that its full chunks were written to. A
 * body that has none needs no look.
 */
export function bodyNameOf(
  store: EmbeddedStore,
  { messageId, bodyBytes }: { messageId: string; bodyBytes: number },
): string {
  if (bodyBytes < chunkBytes) return messageId
  return store.get(store.bodyNames, messageId) ?? messageId
}

export const chunkCount = (bodyBytes: number): number => Math.ceil(bodyBytes / chunkBytes)

/** The chunks of `bytes`, the first of which has the number `first`. */
export function* chunksOf(bytes: Buffer, first: number): Iterable<[number: number, chunk: Buffer]> {
  for (let at = 0, n = first; at < bytes.length; at += chunkBytes, n++)
    yield [n, bytes.subarray(at, at + chunkBytes)]
}
