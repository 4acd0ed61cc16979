/**
 * The content of one message as it comes from the parser, for one reader. Lighter than a stream's own
 * iterator, which is made of a generator and half a dozen listeners for each message; and it gathers what comes
 * in crumbs (a parser gives each dot-stuffed line for itself, a client may send octet by octet), so that what
 * is behind it pays for octets and not for pieces. A reader that stops early leaves the rest to `discard`; a
 * connection that breaks ends the reading with an error.
 */
import type { Readable } from 'node:stream'

/** The reader is woken for so much, or at the end. */
const enoughBytes = 16 * 1024
/** What the network may bring while the reader is busy. One piece is at most this and one read of the socket. */
const mostBufferedBytes = 64 * 1024

/** The connection broke before the final dot: there is no message, and nobody to answer. */
export class ContentCutOff extends Error {
  override name = 'ContentCutOff'
}

export class Content implements AsyncIterableIterator<Buffer> {
  readonly #source: Readable
  #chunks: Buffer[] = []
  #bufferedBytes = 0
  #state: 'flowing' | 'ended' | 'failed' = 'flowing'
  #wake: (() => void) | null = null

  constructor(source: Readable) {
    this.#source = source
    source.on('data', (chunk: Buffer) => this.#push(chunk))
    source.on('end', () => this.#finish('ended'))
    source.on('error', () => this.#finish('failed'))
    source.on('close', () => this.#finish('failed'))
  }

  /** The client waits for us, not we for it. */
  get paused(): boolean {
    return this.#bufferedBytes > mostBufferedBytes
  }

  /** Whether the final dot has come. */
  get ended(): boolean {
    return this.#state === 'ended'
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    const bytes = await this.#read()
    if (bytes !== null) return { done: false, value: bytes }
    if (this.#state === 'ended') return { done: true, value: undefined }
    throw new ContentCutOff('The connection closed before the message was complete')
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    return { done: true, value: undefined }
  }

  /** Reads what is left without keeping it, `mostBytes` at most. */
  async discard(mostBytes: number): Promise<'ended' | 'failed' | 'too-much'> {
    for (let left = mostBytes; left >= 0; ) {
      const bytes = await this.#read()
      if (bytes === null) return this.#state === 'ended' ? 'ended' : 'failed'
      left -= bytes.length
    }
    return 'too-much'
  }

  /** Null at the end, good or bad. */
  async #read(): Promise<Buffer | null> {
    while (this.#bufferedBytes < enoughBytes && this.#state === 'flowing') {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#state === 'failed' || this.#chunks.length === 0) return null
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    const wasPaused = this.paused
    this.#chunks = []
    this.#bufferedBytes = 0
    if (wasPaused) this.#source.resume()
    return bytes
  }

  #push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bufferedBytes += chunk.length
    if (this.paused) this.#source.pause()
    if (this.#bufferedBytes >= enoughBytes) this.#wakeReader()
  }

  #finish(state: 'ended' | 'failed'): void {
    if (this.#state !== 'flowing') return
    this.#state = state
    this.#wakeReader()
  }

  #wakeReader(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}
