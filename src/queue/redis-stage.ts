/**
 * A body on its way into Redis, chunk by chunk, under its message's id. Each chunk has its number, so that one
 * sent twice is stored once. The whole expires until a message takes it.
 */
import type { Stage } from './queue.ts'

const largestChunkBytes = 256 * 1024

export interface Chunk {
  readonly messageId: string
  readonly number: number
  /** How many bytes precede it. */
  readonly before: number
  readonly bytes: Buffer
}

export interface ChunkStore {
  append(chunk: Chunk): Promise<void>
  discard(messageId: string): Promise<void>
}

export class RedisStage implements Stage {
  readonly messageId: string
  readonly #store: ChunkStore
  #sizeBytes = 0
  #chunks = 0

  constructor(messageId: string, store: ChunkStore) {
    this.messageId = messageId
    this.#store = store
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get chunks(): number {
    return this.#chunks
  }

  async append(bytes: Buffer): Promise<void> {
    if (bytes.length > largestChunkBytes)
      throw new RangeError(`A chunk of ${bytes.length} bytes is larger than ${largestChunkBytes}`)
    if (bytes.length === 0) return
    const chunk = { messageId: this.messageId, number: this.#chunks, before: this.#sizeBytes, bytes }
    this.#chunks += 1
    this.#sizeBytes += bytes.length
    await this.#store.append(chunk)
  }

  discard(): Promise<void> {
    return this.#store.discard(this.messageId)
  }
}
