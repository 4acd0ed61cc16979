/**
 * Where log lines go: a file descriptor, written in the background twenty times a second at most.
 * The log never stands in the way of mail: a closed pipe, a full disk or a reader that has stopped reading
 * costs lines, which are counted, and never the process, its memory or its end. (pino's own destination
 * ends the process at ENOSPC while it runs, and waits at exit until the disk has room again.)
 */
import { write, writeSync } from 'node:fs'
import { LineBuffer } from './line-buffer.ts'

/** Some 50,000 lines. */
const maxBufferedBytes = 16 * 1024 ** 2
const gatherMs = 50
const retryMs = 500
const exitDeadlineMs = 1000

interface Options {
  readonly fd: number
  /** Called when writing goes on after `lines` were dropped. */
  readonly onLost: (lines: number) => void
}

export class StandardOutput {
  readonly #options: Options
  readonly #lines = new LineBuffer()
  #lost = 0
  /** What was taken from `#lines` and could not be written yet. */
  #unwritten: Buffer = Buffer.alloc(0)
  /** `gathering`: a timer will write; `writing`: the system is; `closed`: nobody reads any more (EPIPE). */
  #state: 'idle' | 'gathering' | 'writing' | 'closed' = 'idle'

  constructor(options: Options) {
    this.#options = options
    process.once('exit', () => this.#finish())
  }

  write(line: string): void {
    if (this.#state === 'closed') return
    if (this.#lines.add(line, maxBufferedBytes - this.#lines.length) === 0) this.#lost++
    if (this.#state === 'idle') this.#writeAfter(gatherMs)
  }

  #writeAfter(delayMs: number): void {
    this.#state = 'gathering'
    setTimeout(() => this.#writeOn(), delayMs).unref()
  }

  #writeOn(): void {
    const chunk = this.#unwritten.length > 0 ? this.#unwritten : this.#lines.take()
    if (chunk.length === 0) {
      this.#caughtUp()
      return
    }
    this.#state = 'writing'
    write(this.#options.fd, chunk, (error, written) => {
      this.#unwritten = error ? chunk : chunk.subarray(written)
      if (error?.code === 'EPIPE') this.#close()
      else if (error) this.#writeAfter(retryMs)
      else this.#writeOn()
    })
  }

  #caughtUp(): void {
    this.#state = 'idle'
    const lines = this.#lost
    this.#lost = 0
    if (lines > 0) this.#options.onLost(lines)
  }

  #close(): void {
    this.#state = 'closed'
    this.#lines.take()
    this.#unwritten = Buffer.alloc(0)
  }

  /** At exit there is no event loop to write in the background, and nobody to wait for long. */
  #finish(): void {
    const deadlineAt = Date.now() + exitDeadlineMs
    // A chunk that the system is writing is left to it: written again, it would stand there twice.
    let rest = this.#state === 'writing' ? Buffer.alloc(0) : this.#unwritten
    rest = Buffer.concat([rest, this.#lines.take()])
    while (rest.length > 0 && Date.now() < deadlineAt) {
      try {
        rest = rest.subarray(writeSync(this.#options.fd, rest))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
      }
    }
  }
}
