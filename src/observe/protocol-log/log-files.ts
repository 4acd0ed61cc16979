/**
 * The files of one protocol log: written in the background, a new one each hour and whenever one is full, old ones
 * removed. Mail never waits for them and never fails with them. What cannot be written is kept in bounded
 * memory and tried again; what exceeds that is lost and counted, and the program log says so: once when writing
 * begins to fail, once when it goes on.
 */
import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import type { Log } from '../log.ts'
import { type Direction, formatHeader } from './record.ts'
import { fileName, hourOf, nextInstance, outdated, type StoredFile } from './retention.ts'

export interface LogFilesOptions {
  readonly directory: string
  readonly maxFileBytes: number
  readonly maxDirectoryBytes: number
  readonly maxAgeMs: number
  readonly clock: Clock
  readonly log: Log
}

/** Some 50,000 records. */
const mostBufferedBytes = 8 * 1024 ** 2
const pieceBytes = 64 * 1024
const gatherMs = 200
const retryMs = 1000
const closeDeadlineMs = 2000
const cleanEveryMs = 60 * 60_000

const LF = 0x0a
const nothing: Buffer = Buffer.alloc(0)

interface OpenFile {
  readonly handle: FileHandle
  readonly name: string
  readonly hour: string
  bytes: number
}

export class LogFiles {
  readonly #direction: Direction
  readonly #options: LogFilesOptions
  #lines: string[] = []
  #bufferedBytes = 0
  #lost = 0
  #file: OpenFile | null = null
  /** What a full disk left of a piece: it belongs in the open file, before anything else. */
  #unwritten: Buffer = nothing
  #timer: NodeJS.Timeout | null = null
  #draining: Promise<void> | null = null
  #failing = false
  #closed = false
  readonly #cleaning: NodeJS.Timeout

  constructor(direction: Direction, options: LogFilesOptions) {
    this.#direction = direction
    this.#options = options
    // Also where nothing is written any more: what is kept for a time ends with that time.
    this.#cleaning = setInterval(() => void this.#clean(), cleanEveryMs).unref()
    void this.#clean()
  }

  /** `line` with its line end. */
  write(line: string): void {
    if (this.#closed || this.#bufferedBytes + line.length > mostBufferedBytes) {
      this.#lost++
      return
    }
    this.#lines.push(line)
    this.#bufferedBytes += line.length
    if (this.#draining === null) this.#drainAfter(gatherMs)
  }

  /** Resolves when what was written until now is in the files, or failed to get there. */
  async flush(): Promise<void> {
    await this.#draining
    await this.#drain()
  }

  /** Writes what is left, within a short time. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#cleaning)
    const deadline = new Promise<void>((resolve) => setTimeout(resolve, closeDeadlineMs).unref())
    await Promise.race([this.flush(), deadline])
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#lost += this.#lines.length + this.#unwritten.filter((octet) => octet === LF).length
    this.#tellLost()
    await Promise.race([this.#file?.handle.close().catch((error: unknown) => this.#tell(error)), deadline])
  }

  #drainAfter(delayMs: number): void {
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => void this.#drain(), delayMs).unref()
  }

  #drain(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#draining ??= this.#writeAll()
      .then(
        () => this.#caughtUp(),
        (error: unknown) => this.#tell(error),
      )
      .finally(() => {
        this.#draining = null
        if (this.#lines.length + this.#unwritten.length > 0 && !this.#closed)
          this.#drainAfter(this.#failing ? retryMs : gatherMs)
      })
    return this.#draining
  }

  async #writeAll(): Promise<void> {
    while (this.#lines.length + this.#unwritten.length > 0) {
      if (this.#unwritten.length === 0) {
        const header = await this.#rotate()
        this.#unwritten = Buffer.concat([header, this.#take()])
      }
      await this.#writeOut(this.#file!)
    }
  }

  /** Byte for byte, so that a disk that is full in the middle of a record splits none. */
  async #writeOut(file: OpenFile): Promise<void> {
    while (this.#unwritten.length > 0) {
      const { bytesWritten } = await file.handle.write(this.#unwritten)
      file.bytes += bytesWritten
      this.#unwritten = this.#unwritten.subarray(bytesWritten)
    }
  }

  #take(): Buffer {
    let bytes = 0
    let count = 0
    while (count < this.#lines.length && bytes < pieceBytes) bytes += this.#lines[count++]!.length
    this.#bufferedBytes -= bytes
    return Buffer.from(this.#lines.splice(0, count).join(''))
  }

  /** Makes sure that the open file is that of this hour, with room for the next piece; a new one begins with what it returns. */
  async #rotate(): Promise<Buffer> {
    const now = this.#options.clock.now()
    const hour = hourOf(now)
    const nextBytes = Math.min(this.#bufferedBytes, pieceBytes)
    const file = this.#file
    if (file !== null && file.hour === hour && file.bytes + nextBytes <= this.#options.maxFileBytes)
      return nothing
    this.#file = await this.#create(hour)
    await file?.handle.close().catch((error: unknown) => this.#tell(error))
    await this.#clean()
    return Buffer.from(formatHeader(this.#direction, now))
  }

  /** Another process may write to the same directory: each has files of its own. */
  async #create(hour: string): Promise<OpenFile> {
    const { directory } = this.#options
    await mkdir(directory, { recursive: true, mode: 0o700 })
    for (let instance = nextInstance(this.#direction, hour, await readdir(directory)); ; instance++) {
      const name = fileName(this.#direction, hour, instance)
      try {
        return { handle: await open(join(directory, name), 'ax', 0o600), name, hour, bytes: 0 }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
    }
  }

  async #clean(): Promise<void> {
    const { directory, clock, maxAgeMs, maxDirectoryBytes, maxFileBytes } = this.#options
    try {
      const files = await storedFiles(directory, this.#file?.name)
      // The file being written may yet become as large as a file may be.
      const maxBytes = maxDirectoryBytes - maxFileBytes
      for (const name of outdated(this.#direction, files, { now: clock.now(), maxAgeMs, maxBytes }))
        await unlink(join(directory, name))
    } catch (error) {
      // Nothing was ever written here, or another process has removed the same file.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#tell(error)
    }
  }

  #caughtUp(): void {
    this.#failing = false
    this.#tellLost()
  }

  #tell(error: unknown): void {
    if (this.#failing) return
    this.#failing = true
    const { directory, log } = this.#options
    log.warn(
      { err: error, directory },
      'The protocol log cannot be written, or its old files not removed; mail goes on',
    )
  }

  #tellLost(): void {
    if (this.#lost === 0) return
    const { directory, log } = this.#options
    log.warn({ directory, lines: this.#lost }, 'Lines of the protocol log could not be written')
    this.#lost = 0
  }
}

async function storedFiles(directory: string, except: string | undefined): Promise<StoredFile[]> {
  const files: StoredFile[] = []
  for (const name of await readdir(directory)) {
    if (name !== except) files.push({ name, sizeBytes: (await stat(join(directory, name))).size })
  }
  return files
}
