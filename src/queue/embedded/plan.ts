/**
 * What one commit of the embedded queue writes, on behalf of all the calls that share it. A plan reads the
 * state before the commit and remembers what the calls before it in the same plan have changed of that.
 */
import { messageIdOf } from '../../message-id.ts'
import { bodyNameOf, chunkCount, chunksOf, type EncodedItem, indexWrites } from './layout.ts'
import type { FullPlace, Hold } from './leases.ts'
import type { BodyEnd } from './stage.ts'
import type { EmbeddedStore, Write } from './store.ts'

/** A new message ready to be written. */
export interface Parcel extends BodyEnd {
  readonly messageId: string
  readonly items: readonly EncodedItem[]
  readonly bodyBytes: number
}

export class Plan {
  readonly writes: Write[] = []
  /** Where items leave the queue and enter it: an item that moves does both. */
  readonly left: FullPlace[] = []
  readonly entered: FullPlace[] = []
  /** By how much the commit changes the bytes of all bodies. */
  bytes = 0
  readonly #store: EmbeddedStore
  readonly #arriving = new Set<string>()
  /** How many items need a body, where this plan changes that. */
  readonly #sharers = new Map<string, number>()

  constructor(store: EmbeddedStore) {
    this.#store = store
  }

  /** Throws where an item of these ids is there already: ids are never used twice. */
  refuseExisting(items: readonly EncodedItem[]): void {
    for (const { place } of items)
      if (this.#arriving.has(place.id) || this.#store.has(this.#store.items, place.id))
        throw new TypeError(`Cannot queue item ${place.id}: it is queued already`)
  }

  add(parcel: Parcel): void {
    for (const item of parcel.items) this.#insert(item)
    this.#share(parcel.messageId, { before: 1, after: parcel.items.length })
    const { messageId, chunksStored } = parcel
    const name = chunksStored === 0 ? messageId : parcel.bodyName
    for (const [n, chunk] of chunksOf(parcel.rest, chunksStored))
      this.writes.push(['bodies', [name, n], chunk])
    if (chunksStored > 0) this.writes.push(['staged', name, null])
    if (name !== messageId) this.writes.push(['bodyNames', messageId, name])
    this.bytes += parcel.bodyBytes
  }

  /** Replaces a held item by what it becomes, and removes the body with the last item that needs it. */
  replace(hold: Hold, becomes: readonly EncodedItem[]): void {
    const itself = becomes.find(({ place }) => place.id === hold.place.id)
    if (itself === undefined) this.writes.push(['items', hold.place.id, null])
    this.#leave(hold.place)
    for (const item of becomes) this.#insert(item)

    const messageId = messageIdOf(hold.place.id)
    const before = this.#sharersOf(messageId)
    this.#share(messageId, { before, after: before - 1 + becomes.length })
    if (before === 1 && becomes.length === 0) this.#removeBody(messageId, hold.bodyBytes)
  }

  /** Takes what is no record out of the queue and keeps its bytes. Its body stays, for whoever repairs it. */
  setAside(id: string, place: FullPlace | null): void {
    const { corrupt, items } = this.#store
    const bytes = this.#store.getBytes(items, id)
    if (bytes !== undefined) this.writes.push(['corrupt', id, bytes], ['items', id, null])
    else if (!this.#store.has(corrupt, id)) this.writes.push(['corrupt', id, Buffer.alloc(0)])
    if (place !== null) this.#leave(place)
  }

  /** A chunk of a body whose message is not put yet. */
  stage(name: string, chunk: { number: number; bytes: Buffer }): void {
    if (chunk.number === 0) this.writes.push(['staged', name, Buffer.alloc(0)])
    this.writes.push(['bodies', [name, chunk.number], chunk.bytes])
  }

  unstage(name: string, chunks: number): void {
    this.writes.push(['staged', name, null])
    for (let n = 0; n < chunks; n++) this.writes.push(['bodies', [name, n], null])
  }

  #leave(place: FullPlace): void {
    this.left.push(place)
    this.writes.push(...indexWrites(place, false))
  }

  #insert({ place, record }: EncodedItem): void {
    this.#arriving.add(place.id)
    this.entered.push(place)
    this.writes.push(['items', place.id, record], ...indexWrites(place, true))
  }

  #sharersOf(messageId: string): number {
    return this.#sharers.get(messageId) ?? Number(this.#store.get(this.#store.shared, messageId) ?? 1)
  }

  #share(messageId: string, count: { before: number; after: number }): void {
    if (count.before === count.after) return
    this.#sharers.set(messageId, count.after)
    if (count.after > 1) this.writes.push(['shared', messageId, String(count.after)])
    else if (count.before > 1) this.writes.push(['shared', messageId, null])
  }

  #removeBody(messageId: string, bodyBytes: number): void {
    const name = bodyNameOf(this.#store, { messageId, bodyBytes })
    for (let n = 0; n < chunkCount(bodyBytes); n++) this.writes.push(['bodies', [name, n], null])
    if (name !== messageId) this.writes.push(['bodyNames', messageId, null])
    this.bytes -= bodyBytes
  }
}
