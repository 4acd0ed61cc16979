/**
 * A body on its way into the embedded store. Its full chunks are written as they come, under a name that nobody
 * reads before the message is put; the rest goes with the put. What a crash leaves behind is removed when the
 * store is opened.
 */

import type { Stage } from '../queue.ts'
import { chunkBytes } from './layout.ts'

export interface StageHost {
  /** Never used before, and not the message's id: a message may have several stages, and a body that was in none. */
  readonly name: string
  /** Takes this many of the bytes the store may still hold, or throws `QueueFull`. */
  reserve(sizeBytes: number): void
  release(sizeBytes: number): void
  write(chunk: { number: number; bytes: Buffer }): Promise<void>
  /** A chunk that was written; throws where it is not there. */
  read(number: number): Buffer
  /** Resolves also where the chunks can be removed only later. */
  remove(count: number): Promise<void>
}

/** What is still to be written of a body, from chunk number `chunksStored` on, and under which name. */
export interface BodyEnd {
  readonly bodyName: string
  readonly rest: Buffer
  readonly chunksStored: number
}

export class EmbeddedStage implements Stage {
  readonly messageId: string
  readonly #host: StageHost
  #sizeBytes = 0
  #chunks = 0
  #rest: Buffer[] = []
  #restBytes = 0
  #writing: Promise<void> = Promise.resolve()
  #putting: Promise<unknown> = Promise.resolve()
  #state: 'open' | 'putting' | 'put' | 'discarded' = 'open'

  constructor(messageId: string, host: StageHost) {
    this.messageId = messageId
    this.#host = host
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** One write is under way while the next chunk arrives, and no more: so much memory a stage may take. */
  async append(chunk: Buffer): Promise<void> {
    this.#assertOpen()
    this.#host.reserve(chunk.length)
    this.#sizeBytes += chunk.length
    this.#rest.push(chunk)
    this.#restBytes += chunk.length
    if (this.#restBytes < chunkBytes) return
    const full = this.#takeFullChunks()
    await this.#writing
    this.#assertOpen()
    this.#writing = Promise.all(full.map((part) => this.#host.write(part))).then(() => undefined)
    this.#writing.catch(() => undefined)
  }

  async *read(): AsyncIterable<Buffer> {
    this.#assertOpen()
    await this.#writing
    for (let n = 0; n < this.#chunks; n++) {
      this.#assertOpen()
      yield this.#host.read(n)
    }
    yield* this.#rest
  }

  /**
   * Hands `commit` what is still to be written, once all before it is written. Where it fails, the body is the
   * caller's again, to be discarded; a discard meanwhile waits to see whether there is anything to discard.
   */
  put<T>(commit: (end: BodyEnd) => Promise<T>): Promise<T> {
    this.#assertOpen()
    this.#state = 'putting'
    const { name } = this.#host
    const put = this.#writing
      .then(() => commit({ bodyName: name, rest: Buffer.concat(this.#rest), chunksStored: this.#chunks }))
      .then(
        (result) => {
          this.#end('put')
          return result
        },
        (error: unknown) => {
          this.#state = 'open'
          throw error
        },
      )
    this.#putting = put.catch(() => undefined)
    return put
  }

  async discard(): Promise<void> {
    await this.#putting
    if (this.#state !== 'open') return
    this.#end('discarded')
    await this.#writing.catch(() => undefined)
    if (this.#chunks > 0) await this.#host.remove(this.#chunks)
  }

  #end(state: 'put' | 'discarded'): void {
    this.#state = state
    this.#rest = []
    this.#host.release(this.#sizeBytes)
  }

  #takeFullChunks(): { number: number; bytes: Buffer }[] {
    const bytes = Buffer.concat(this.#rest)
    const full = Math.floor(bytes.length / chunkBytes)
    this.#rest = [bytes.subarray(full * chunkBytes)]
    this.#restBytes = bytes.length - full * chunkBytes
    return Array.from({ length: full }, (_, n) => ({
      number: this.#chunks++,
      bytes: bytes.subarray(n * chunkBytes, (n + 1) * chunkBytes),
    }))
  }

  #assertOpen(): void {
    if (this.#state !== 'open')
      throw new Error(`Cannot use the body staged for ${this.messageId}: it is ${this.#state}`)
  }
}
