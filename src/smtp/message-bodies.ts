/**
 * The bodies of one message under way: as it was received, and what policy makes of it. Whatever becomes of the
 * message, `release` gives back the memory, and the bytes in the store that nothing took.
 */
import type { BodySource } from '../message/draft.ts'
import type { Log } from '../observe/log.ts'
import type { Queue } from '../queue/queue.ts'
import { BodyWriter, type MemoryBudget } from './body-writer.ts'

export class MessageBodies {
  readonly #queue: Queue
  readonly #budget: MemoryBudget
  readonly #log: Log
  readonly #writers: BodyWriter[] = []

  constructor(options: { readonly queue: Queue; readonly memory: MemoryBudget; readonly log: Log }) {
    this.#queue = options.queue
    this.#budget = options.memory
    this.#log = options.log
  }

  open(messageId: string): BodyWriter {
    const writer = new BodyWriter(messageId, { queue: this.#queue, budget: this.#budget })
    this.#writers.push(writer)
    return writer
  }

  /** Bytes to be read again before the message is done. */
  async keep(messageId: string, chunks: AsyncIterable<Buffer>): Promise<BodySource> {
    const writer = this.open(messageId)
    for await (const chunk of chunks) await writer.write(chunk)
    return { read: () => writer.read(0) }
  }

  /**
   * What cannot be discarded is no reason to tell the client anything else about its message. A promise only where
   * the store has to be waited for.
   */
  release(): Promise<void> | undefined {
    let discarded: Promise<void> | undefined
    for (const writer of this.#writers) {
      const discarding = writer.release()?.catch((error: unknown) => {
        this.#log.error({ err: error }, 'a staged body could not be discarded')
      })
      if (discarding !== undefined) discarded = (discarded ?? Promise.resolve()).then(() => discarding)
    }
    return discarded
  }
}
