/**
 * Writes the tracking history: files that only grow (files.ts), a batch of lines five times a second, in the background.
 * It never stands in the way of mail: while the disk is full or the directory is not ours, lines wait in bounded
 * memory, then are dropped and counted, which is told once at the beginning and once at the end. A relay that dies loses
 * the lines of its last moment.
 *
 * Each file is made new by who writes it, so that relays that share a directory do not write into each other's lines,
 * and the half line of a crash has nothing behind it.
 */
import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { MailEvent } from '../observe/events.ts'
import { LineBuffer } from '../observe/line-buffer.ts'
import type { Log } from '../observe/log.ts'
import { fileHead } from './csv.ts'
import { expendable, fileName, hourOf, type Keeping, maxFileBytes, parseFileName } from './files.ts'
import { trackingLines } from './lines.ts'
import { RefusalAllowance } from './refusal-allowance.ts'

export interface TrackingLogOptions extends Keeping {
  readonly dir: string
  /** The relay's own name. */
  readonly hostname: string
  readonly clock: Clock
  readonly log: Log
}

/** Some 20,000 lines. */
const maxWaitingBytes = 8 * 1024 ** 2
const gatherMs = 200
const retryMs = 2_000
const stopDeadlineMs = 2_000
const sweepMs = 10 * 60_000

/** Lines of one hour, in their order. */
interface Batch {
  readonly hourAt: number
  readonly lines: LineBuffer
  /** Those in front, which are being written; whole lines. */
  taken: Buffer
}

/** The file that is being written. */
interface OpenFile {
  readonly handle: FileHandle
  readonly path: string
  readonly hourAt: number
  readonly number: number
  sizeBytes: number
}

export class TrackingLog {
  readonly #options: TrackingLogOptions
  readonly #refusals: RefusalAllowance
  /** The last one; what policy found of it is told next. */
  #accepted = ''
  /** Lines about refused messages that were too many. */
  #leftOut = 0
  #batches: Batch[] = []
  #waitingBytes = 0
  #dropped = 0
  #failing = false
  #file: OpenFile | null = null
  #timer: NodeJS.Timeout | null = null
  /** The last of what is done with files: one thing after the other. */
  #work: Promise<void> = Promise.resolve()
  #sweeper: NodeJS.Timeout | null = null

  constructor(options: TrackingLogOptions) {
    this.#options = options
    this.#refusals = new RefusalAllowance({ ...options, now: options.clock.now() })
  }

  /** Removes what was kept long enough, now and from time to time. */
  start(): void {
    const sweep = () => {
      this.#tellLeftOut()
      this.#work = this.#work.then(() => this.#sweep())
    }
    sweep()
    this.#sweeper = setInterval(sweep, sweepMs)
    this.#sweeper.unref()
  }

  /** Takes the event; it is in a file a moment later. */
  track(event: MailEvent): void {
    const at = this.#options.clock.now()
    if (event.event === 'accepted') this.#accepted = event.messageId
    const isOfRefused = this.#isOfRefused(event)
    for (const line of trackingLines(event, { at, hostname: this.#options.hostname })) {
      if (!isOfRefused) this.#refusals.earn(line.length)
      else if (!this.#refusals.spend(line.length, at)) {
        this.#leftOut++
        continue
      }
      this.#add(line, at)
    }
  }

  /** Resolves when what was tracked until now is in its file, or could not be written. */
  async flush(): Promise<void> {
    this.#writeAfter(null)
    this.#work = this.#work.then(() => this.#write())
    await this.#work
  }

  /** Writes what is left, within a deadline: a disk that hangs does not keep the relay from ending. */
  async stop(): Promise<void> {
    if (this.#sweeper !== null) clearInterval(this.#sweeper)
    this.#tellLeftOut()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, stopDeadlineMs)
    })
    await Promise.race([this.flush().then(() => this.#close()), late])
    clearTimeout(timer)
    this.#writeAfter(null)
  }

  #isOfRefused(event: MailEvent): boolean {
    switch (event.event) {
      case 'rejected':
        return true
      case 'rule':
      case 'checked':
      case 'limited':
        return event.messageId !== this.#accepted
      default:
        return false
    }
  }

  #tellLeftOut(): void {
    if (this.#leftOut > 0)
      this.#options.log.warn(
        { lines: this.#leftOut },
        'So many messages are refused that the tracking history does not hold all; the mail log does',
      )
    this.#leftOut = 0
  }

  #add(line: string, at: number): void {
    const bytes = this.#batchOf(hourOf(at)).lines.add(line, maxWaitingBytes - this.#waitingBytes)
    if (bytes === 0) {
      this.#dropped++
      return
    }
    this.#waitingBytes += bytes
    if (this.#timer === null) this.#writeAfter(this.#failing ? retryMs : gatherMs)
  }

  #batchOf(hourAt: number): Batch {
    const last = this.#batches.at(-1)
    if (last?.hourAt === hourAt) return last
    const batch = { hourAt, lines: new LineBuffer(), taken: nothing }
    this.#batches.push(batch)
    return batch
  }

  #writeAfter(delayMs: number | null): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (delayMs === null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#work = this.#work.then(() => this.#write())
    }, delayMs)
    this.#timer.unref()
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    try {
      while (this.#waitingBytes > 0) {
        const batch = this.#batches[0]!
        await this.#writeBatch(batch)
        // The last one stays, and its memory with it: most likely there is more for it.
        if (this.#batches.length > 1 && batch.lines.length === 0) this.#batches.shift()
      }
      this.#succeeded()
    } catch (error) {
      await this.#failed(error)
    }
  }

  /** What could be written is no longer in the batch afterwards; lines may be added to it meanwhile. */
  async #writeBatch(batch: Batch): Promise<void> {
    for (;;) {
      if (batch.taken.length === 0) batch.taken = batch.lines.take()
      if (batch.taken.length === 0) return
      const bytes = firstLines(batch.taken)
      let written = 0
      try {
        const file = await this.#fileFor(batch.hourAt)
        while (written < bytes.length) {
          const { bytesWritten } = await file.handle.write(bytes, written)
          written += bytesWritten
          file.sizeBytes += bytesWritten
        }
      } finally {
        // A line of which only the beginning could be written is written again, into the next file.
        const done = bytes.subarray(0, written).lastIndexOf(lineFeed) + 1
        batch.taken = batch.taken.subarray(done)
        this.#waitingBytes -= done
      }
    }
  }

  async #fileFor(hourAt: number): Promise<OpenFile> {
    const current = this.#file
    if (current?.hourAt === hourAt && current.sizeBytes < maxFileBytes) return current
    await this.#close()
    const number = current?.hourAt === hourAt ? current.number + 1 : 1
    this.#file = await this.#create(hourAt, number)
    await this.#sweep()
    return this.#file
  }

  async #create(hourAt: number, firstNumber: number): Promise<OpenFile> {
    const { dir, clock } = this.#options
    await mkdir(dir, { recursive: true, mode: 0o700 })
    for (let number = firstNumber; ; number++) {
      const path = join(dir, fileName(hourAt, number))
      const handle = await open(path, 'ax', 0o600).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
        return null
      })
      if (handle === null) continue
      const file = { handle, path, hourAt, number, sizeBytes: 0 }
      const head = Buffer.from(fileHead(clock.now()))
      // Before anything can fail, so that a file without a line is found and removed.
      this.#file = file
      await handle.writeFile(head)
      return file
    }
  }

  /** A file that holds nothing but its head is not worth keeping. */
  async #close(): Promise<void> {
    const file = this.#file
    this.#file = null
    if (file === null) return
    // What could not be written is known by now, and told; nothing else can come of a file that is only written.
    await file.handle.close().catch(() => {})
    if (file.sizeBytes === 0) await rm(file.path, { force: true }).catch(() => {})
  }

  #succeeded(): void {
    if (this.#failing)
      this.#options.log.warn(
        { lines: this.#dropped },
        'The tracking history is written again; lines were lost',
      )
    this.#failing = false
    this.#dropped = 0
  }

  async #failed(error: unknown): Promise<void> {
    await this.#close()
    const reason = error instanceof Error ? error.message : String(error)
    if (!this.#failing)
      this.#options.log.warn({ reason }, 'The tracking history cannot be written; mail goes on')
    this.#failing = true
    this.#writeAfter(retryMs)
  }

  /** Never rejects: what cannot be removed now is tried again at the next file. */
  async #sweep(): Promise<void> {
    const { dir, clock, log } = this.#options
    try {
      const files = await sizedFiles(dir)
      // Room for the file that is being written.
      const maxBytes = Math.max(0, this.#options.maxBytes - maxFileBytes)
      const old = files.filter(({ name }) => this.#file === null || !this.#file.path.endsWith(name))
      for (const { name } of expendable(old, { ...this.#options, maxBytes, now: clock.now() }))
        await rm(join(dir, name), { force: true })
    } catch (error) {
      // A directory that is none will be told when a line is to be written.
      const code = (error as NodeJS.ErrnoException).code
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && !this.#failing)
        log.warn({ err: error }, 'Old tracking files cannot be removed')
    }
  }
}

const nothing = Buffer.alloc(0)
/** No value holds one: it stands at the end of each line only. */
const lineFeed = 0x0a
const bytesAtOnce = 1024 ** 2

/** As many as are written at once; the size of a file is looked at between. */
function firstLines(bytes: Buffer): Buffer {
  return bytes.length <= bytesAtOnce ? bytes : bytes.subarray(0, bytes.indexOf(lineFeed, bytesAtOnce - 1) + 1)
}

async function sizedFiles(dir: string) {
  const files = (await readdir(dir)).map(parseFileName).filter((file) => file !== null)
  return Promise.all(
    files.map(async (file) => ({
      ...file,
      // Another relay on this directory may have removed it meanwhile.
      sizeBytes: await stat(join(dir, file.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    })),
  )
}
