/**
 * The content of one message as the parser gives it, for one reader. Lighter than a stream, which is made of two
 * buffers and half a dozen listeners for each message; and it gathers what comes in crumbs (a client may send octet
 * by octet), so that what is behind it pays for octets and not for pieces. A reader that stops early leaves the rest
 * to `discard`; a connection that breaks ends the reading with an error.
 */

/** The reader is woken for so much, or at the end. */
const enoughBytes = 16 * 1024
/** What the network may bring while the reader is busy. One piece is at most this and one read of the socket. */
const mostBufferedBytes = 64 * 1024

/** The connection broke before the final dot: there is no message, and nobody to answer. */
export class ContentCutOff extends Error {
  override name = 'ContentCutOff'
}

export class Content implements AsyncIterableIterator<Buffer> {
  #chunks: Buffer[] = []
  #bufferedBytes = 0
  #state: 'flowing' | 'ended' | 'failed' = 'flowing'
  #wakeReader: (() => void) | null = null
  /** Lets the network go on. */
  #resume: (() => void) | null = null

  /** Takes what came; `resume` is called when more may come: at once, unless the reader is behind. */
  push(chunk: Buffer, resume: () => void): void {
    if (this.#state !== 'flowing') {
      resume()
      return
    }
    if (chunk.length > 0) this.#chunks.push(chunk)
    this.#bufferedBytes += chunk.length
    if (this.#bufferedBytes >= enoughBytes) this.#wake()
    if (this.paused) this.#resume = resume
    else resume()
  }

  /** The final dot has come, behind this. */
  end(last: Buffer): void {
    if (this.#state !== 'flowing') return
    if (last.length > 0) this.#chunks.push(last)
    this.#bufferedBytes += last.length
    this.#state = 'ended'
    this.#wake()
  }

  /** The connection is gone. What came to its end is left to the reader. */
  cutOff(): void {
    if (this.#state !== 'flowing') return
    this.#state = 'failed'
    this.#wake()
    this.#goOn()
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

  next(): Promise<IteratorResult<Buffer, undefined>> {
    return this.#isReady ? this.#result() : this.#ready().then(() => this.#result())
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    return { done: true, value: undefined }
  }

  /** Reads what is left without keeping it, `mostBytes` at most. */
  async discard(mostBytes: number): Promise<'ended' | 'failed' | 'too-much'> {
    for (let left = mostBytes; left >= 0; ) {
      if (!this.#isReady) await this.#ready()
      const bytes = this.#take()
      if (bytes === null) return this.#state === 'ended' ? 'ended' : 'failed'
      left -= bytes.length
    }
    return 'too-much'
  }

  get #isReady(): boolean {
    return this.#bufferedBytes >= enoughBytes || this.#state !== 'flowing'
  }

  #ready(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeReader = resolve
    })
  }

  #result(): Promise<IteratorResult<Buffer, undefined>> {
    const bytes = this.#take()
    if (bytes !== null) return Promise.resolve({ done: false, value: bytes })
    if (this.#state === 'ended') return Promise.resolve({ done: true, value: undefined })
    return Promise.reject(new ContentCutOff('The connection closed before the message was complete'))
  }

  /** Null at the end, good or bad. */
  #take(): Buffer | null {
    if (this.#state === 'failed' || this.#chunks.length === 0) return null
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#chunks = []
    this.#bufferedBytes = 0
    this.#goOn()
    return bytes
  }

  #wake(): void {
    const wake = this.#wakeReader
    this.#wakeReader = null
    wake?.()
  }

  #goOn(): void {
    const resume = this.#resume
    this.#resume = null
    resume?.()
  }
}
