/**
 * A file that only grows, by whole lines. The lines of one turn of the event loop are written together, and a
 * line's `written` callback comes after the operating system has it: it then survives the end of this process,
 * also by kill -9, though not a power cut (there is no fsync: a laboratory does not promise what the relay does).
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'

type Written = (error: Error | null) => void

export class LineFile {
  readonly #fd: number
  #lines: string[] = []
  #callbacks: Written[] = []
  #scheduled: NodeJS.Immediate | null = null
  #error: Error | null = null

  constructor(file: string) {
    this.#fd = openSync(file, 'a+')
    // A process killed while writing leaves half a line, which must not swallow our first.
    if (endsInsideLine(this.#fd)) writeSync(this.#fd, '\n')
  }

  /** Without `written`, what goes wrong is told by `close`. */
  append(line: string, written?: Written): void {
    this.#lines.push(line)
    if (written) this.#callbacks.push(written)
    this.#scheduled ??= setImmediate(() => this.flush())
  }

  flush(): void {
    if (this.#scheduled) clearImmediate(this.#scheduled)
    this.#scheduled = null
    if (this.#lines.length === 0) return
    const lines = this.#lines
    const callbacks = this.#callbacks
    this.#lines = []
    this.#callbacks = []
    const error = this.#write(Buffer.from(`${lines.join('\n')}\n`))
    if (callbacks.length === 0) this.#error ??= error
    for (const written of callbacks) written(error)
  }

  close(): void {
    this.flush()
    closeSync(this.#fd)
    if (this.#error) throw this.#error
  }

  #write(bytes: Buffer): Error | null {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
      return null
    } catch (error) {
      return error as Error
    }
  }
}

function endsInsideLine(fd: number): boolean {
  const { size } = fstatSync(fd)
  if (size === 0) return false
  const last = Buffer.alloc(1)
  readSync(fd, last, 0, 1, size - 1)
  return last[0] !== 0x0a
}
