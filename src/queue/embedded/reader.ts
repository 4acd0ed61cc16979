/**
 * What the embedded queue reads: records by id or by their place in the index, and bodies. A record that cannot be
 * read, or is not what the index says, is null; a body that is not whole is missing.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isMessageId } from '../../message-id.ts'
import { BodyMissing } from '../queue.ts'
import { bodyNameOf, chunkBytes, chunkCount, decode, itemsOf, type StoredItem } from './layout.ts'
import type { Place } from './leases.ts'
import type { DueKeys } from './place-index.ts'
import type { EmbeddedStore } from './store.ts'

/** How many keys a search looks at before others get their turn. */
export const sliceLength = 250

export class EmbeddedReader implements DueKeys {
  readonly #store: EmbeddedStore

  constructor(store: EmbeddedStore) {
    this.#store = store
  }

  *from(connector: string, from: Place | null): Iterable<Place> {
    const start = from === null ? [connector] : [connector, from.nextAttemptAt, from.id]
    const range = { start, end: [connector, Number.MAX_SAFE_INTEGER] }
    for (const [, nextAttemptAt, id] of this.#store.keys(this.#store.due, range))
      yield { connector, nextAttemptAt, id, suspended: false }
  }

  count(connector: string, { after, until }: { after: number; until: number }): number {
    return this.#store.count(this.#store.due, { start: [connector, after + 1], end: [connector, until + 1] })
  }

  /** Those that are not suspended and have their deadline by `now`, oldest deadline first. */
  overdue(now: number): Iterable<[deadlineAt: number, id: string]> {
    return this.#store.keys(this.#store.deadlines, { end: [now + 1] })
  }

  exists(id: string): boolean {
    return this.#store.has(this.#store.items, id)
  }

  byId(id: string): StoredItem | null {
    return decode(id, this.#store.get(this.#store.items, id) ?? '')
  }

  at(place: Place): StoredItem | null {
    const stored = this.byId(place.id)
    if (stored === null) return null
    const { connector, nextAttemptAt, suspended } = stored.item
    const meant = connector === place.connector && nextAttemptAt === place.nextAttemptAt
    return meant && suspended === null ? stored : null
  }

  isStored(id: string, record: string): boolean {
    return this.#store.get(this.#store.items, id) === record
  }

  /** Searched key by key: for the rare record that is met by its id and does not say itself where it stands. */
  async placeOf(id: string, connectors: readonly string[]): Promise<Place | null> {
    for (const connector of connectors)
      if (this.#store.has(this.#store.suspended, [connector, id]))
        return { connector, nextAttemptAt: 0, id, suspended: true }
    for (const connector of connectors)
      for (let from: Place | null = null, read = sliceLength; read === sliceLength; await nextTurn()) {
        read = 0
        for (const place of this.from(connector, from)) {
          if (place.id === id) return place
          from = place
          if (++read === sliceLength) break
        }
      }
    return null
  }

  /** A body that is one chunk; null where it is more, or not there. */
  smallBody({ item, bodyBytes }: StoredItem): Buffer | null {
    if (bodyBytes === 0) return Buffer.alloc(0)
    if (bodyBytes > chunkBytes) return null
    const name = bodyNameOf(this.#store, { messageId: item.messageId, bodyBytes })
    const chunk = this.#store.get(this.#store.bodies, [name, 0])
    return chunk?.length === bodyBytes ? chunk : null
  }

  /** Each chunk is read when it is asked for, from the state of that moment. */
  *body(messageId: string): Iterable<Buffer> {
    const bodyBytes = this.#bodyBytesOf(messageId)
    const name = bodyNameOf(this.#store, { messageId, bodyBytes })
    for (let n = 0; n < chunkCount(bodyBytes); n++) {
      const chunk = this.#store.get(this.#store.bodies, [name, n])
      if (chunk?.length !== Math.min(chunkBytes, bodyBytes - n * chunkBytes))
        throw new BodyMissing(`The body of ${messageId} is not whole`)
      yield chunk
    }
  }

  /** A chunk of a body that no message has taken yet. */
  stagedChunk(name: string, number: number): Buffer {
    const chunk = this.#store.get(this.#store.bodies, [name, number])
    if (chunk === undefined) throw new BodyMissing(`The body staged as ${name} is not whole`)
    return chunk
  }

  #bodyBytesOf(messageId: string): number {
    if (isMessageId(messageId))
      for (const id of this.#store.keys(this.#store.items, itemsOf(messageId))) {
        const stored = this.byId(id)
        if (stored !== null) return stored.bodyBytes
      }
    throw new BodyMissing(`There is no message ${messageId} in the queue`)
  }
}
