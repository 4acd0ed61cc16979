/**
 * A body on its way in. It stays in memory while it is small and memory is to be had; past that it goes to the
 * store chunk by chunk, so that 50 sessions of 100 MB each cost memory for their chunks only.
 */
import type { Body, Queue, Stage } from '../queue/queue.ts'

/** Bodies up to this size are kept in memory and travel to the store in one piece. */
const inlineBytes = 256 * 1024
/** The largest chunk that `Stage.append` takes. */
const chunkBytes = 256 * 1024

/** Memory that bodies being received share. */
export class MemoryBudget {
  readonly limitBytes: number
  #usedBytes = 0

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.limitBytes) return false
    this.#usedBytes += bytes
    return true
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes
  }
}

export class BodyWriter {
  readonly #queue: Queue
  readonly #messageId: string
  readonly #budget: MemoryBudget
  #chunks: Buffer[] = []
  #bufferedBytes = 0
  #stage: Stage | null = null
  #sizeBytes = 0

  constructor(messageId: string, options: { queue: Queue; budget: MemoryBudget }) {
    this.#messageId = messageId
    this.#queue = options.queue
    this.#budget = options.budget
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Keeps the chunk; returns a promise only where the store has to be waited for. */
  write(chunk: Buffer): Promise<void> | undefined {
    this.#sizeBytes += chunk.length
    if (this.#stage === null && this.#sizeBytes <= inlineBytes && this.#budget.take(chunk.length)) {
      this.#chunks.push(chunk)
      this.#bufferedBytes += chunk.length
      return undefined
    }
    return this.#toStage(chunk)
  }

  /** What was written, from `skipBytes` on, as often as it is asked for; before `finish` or after it. */
  async *read(skipBytes: number): AsyncIterable<Buffer> {
    let skip = skipBytes
    for await (const chunk of this.#stage === null ? this.#chunks : this.#stage.read()) {
      if (chunk.length > skip) yield skip === 0 ? chunk : chunk.subarray(skip)
      skip = Math.max(0, skip - chunk.length)
    }
  }

  /** The whole body; memory it holds stays counted until `release`. */
  finish(): Body {
    if (this.#stage !== null) return { kind: 'staged', stage: this.#stage }
    // The pieces are let go: so many messages are under way that a second copy of each would be felt.
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#chunks = [bytes]
    return { kind: 'inline', bytes }
  }

  /**
   * Ends the writer, whatever became of the message: gives the memory back, and the bytes that no message took. A
   * promise only where the store has some.
   */
  release(): Promise<void> | undefined {
    this.#releaseMemory()
    return this.#stage?.discard()
  }

  async #toStage(chunk: Buffer): Promise<void> {
    this.#stage ??= await this.#queue.stage(this.#messageId)
    const pending = [...this.#chunks, chunk]
    this.#releaseMemory()
    for (const bytes of pending) {
      for (let at = 0; at < bytes.length; at += chunkBytes)
        await this.#stage.append(bytes.subarray(at, at + chunkBytes))
    }
  }

  #releaseMemory(): void {
    this.#budget.give(this.#bufferedBytes)
    this.#bufferedBytes = 0
    this.#chunks = []
  }
}
