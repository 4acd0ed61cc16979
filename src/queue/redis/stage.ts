/**
 * A body on its way into Redis, chunk by chunk, under a name of its own. Each chunk has its number, so that one
 * sent twice is stored once. The whole expires until a message takes it.
 */
import type { Stage } from '../queue.ts'

const largestChunkBytes = 256 * 1024

export interface Chunk {
  /** Of the stage. */
  readonly name: string
  readonly number: number
  /** How many bytes precede it. */
  readonly before: number
  readonly bytes: Buffer
}

export interface ChunkStore {
  append(chunk: Chunk): Promise<void>
  chunk(name: string, number: number): Promise<Buffer>
  discard(name: string): Promise<void>
}

export class RedisStage implements Stage {
  readonly messageId: string
  /** Never used before, and begins with the message's id: a message may have several stages. */
  readonly name: string
  readonly #store: ChunkStore
  #sizeBytes = 0
  #chunks = 0

  constructor(messageId: string, { name, store }: { name: string; store: ChunkStore }) {
    this.messageId = messageId
    this.name = name
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
    const chunk = { name: this.name, number: this.#chunks, before: this.#sizeBytes, bytes }
    this.#chunks += 1
    this.#sizeBytes += bytes.length
    await this.#store.append(chunk)
  }

  async *read(): AsyncIterable<Buffer> {
    for (let number = 0; number < this.#chunks; number++) yield await this.#store.chunk(this.name, number)
  }

  discard(): Promise<void> {
    return this.#store.discard(this.name)
  }
}
