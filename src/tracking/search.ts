/**
 * Searches the files of the tracking history, the newest event first. Files are read backwards in blocks, so that
 * memory does not depend on their size, and what is asked for by its text is found without reading the lines between.
 * A page ends when it is full, or when so much was read that whoever waits should hear something: then it has a
 * `next`, even where it found nothing. A line that cannot be read is passed over and counted.
 */
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { byAge, mayHold, parseFileName, type TrackingFile } from './files.ts'
import { matches, type SearchPlan, searchPlan, type TrackingFilter } from './filter.ts'
import { readTrackedEvent, type TrackedEvent } from './tracked-event.ts'

export interface SearchOptions {
  readonly limit: number
  /** The `next` of the page before; null for the first. */
  readonly after: string | null
  /** How much may be read for one page. */
  readonly mostBytes?: number
}

export interface TrackingPage {
  readonly events: readonly TrackedEvent[]
  /** The same, as they stand in the files. */
  readonly lines: readonly string[]
  readonly next: string | null
  /** Lines that could not be read. */
  readonly broken: number
}

/** `MSGTRK2026010508-1.LOG:4711`: goes on with what stands before that byte, then with older files. */
const cursor = /^(MSGTRK\d{10}-\d{1,9}\.LOG):(\d{1,12})$/
export const isCursor = (text: string): boolean => cursor.test(text)

const blockBytes = 256 * 1024
const mostPageChars = 1024 ** 2
const mostBytesAPage = 64 * 1024 ** 2

export async function searchTracking(
  { dir }: { readonly dir: string },
  filter: TrackingFilter,
  options: SearchOptions,
): Promise<TrackingPage> {
  const plan = searchPlan(filter)
  const start = options.after === null ? null : readCursor(options.after)
  const search = new Search(filter, { plan, options })
  for (const file of await filesToRead(dir, plan, start)) {
    const endAt = file.name === start?.file.name ? start.offset : null
    const next = await search.read(join(dir, file.name), endAt)
    if (next !== null) return { ...search.found, next: `${file.name}:${next}` }
  }
  return { ...search.found, next: null }
}

function readCursor(text: string): { file: TrackingFile; offset: number } {
  const match = cursor.exec(text)
  const file = match && parseFileName(match[1]!)
  if (!file) throw new TypeError(`Not a cursor of the tracking history: ${JSON.stringify(text)}`)
  return { file, offset: Number(match![2]) }
}

/** The newest first. A file that was removed since the page before is simply no longer there. */
async function filesToRead(
  dir: string,
  plan: SearchPlan,
  start: { readonly file: TrackingFile } | null,
): Promise<TrackingFile[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    // Nothing has been tracked yet.
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names
    .map(parseFileName)
    .filter((file) => file !== null)
    .filter((file) => mayHold(file, plan) && (start === null || byAge(file, start.file) <= 0))
    .sort((a, b) => byAge(b, a))
}

class Search {
  readonly #filter: TrackingFilter
  readonly #texts: readonly Buffer[] | null
  readonly #lowerCaseText: string | null
  readonly #limit: number
  readonly #events: TrackedEvent[] = []
  readonly #lines: string[] = []
  #broken = 0
  #chars = 0
  #bytesLeft: number

  constructor(filter: TrackingFilter, { plan, options }: { plan: SearchPlan; options: SearchOptions }) {
    this.#filter = filter
    this.#texts = plan.texts?.map((text) => Buffer.from(text)) ?? null
    this.#lowerCaseText = plan.lowerCaseText
    this.#limit = options.limit
    this.#bytesLeft = options.mostBytes ?? mostBytesAPage
  }

  get found(): Omit<TrackingPage, 'next'> {
    return { events: this.#events, lines: this.#lines, broken: this.#broken }
  }

  /** Reads the file from `endAt` (null: its end) to its beginning. Where the page ended in it, or null. */
  async read(path: string, endAt: number | null): Promise<number | null> {
    const handle = await open(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (handle === null) return null
    try {
      return await this.#readBlocks(handle, endAt ?? (await handle.stat()).size)
    } finally {
      await handle.close()
    }
  }

  async #readBlocks(handle: FileHandle, endAt: number): Promise<number | null> {
    /** The beginning of a line whose rest stands in a block that was read before. */
    let begun = Buffer.alloc(0)
    let atEnd = true
    for (let end = endAt; end > 0; ) {
      const start = Math.max(0, end - blockBytes)
      const block = await readBlock(handle, start, end)
      this.#bytesLeft -= block.length
      // An unfinished last line is being written, or was when the power went.
      const whole: Buffer = atEnd
        ? block.subarray(0, block.lastIndexOf(0x0a) + 1)
        : Buffer.concat([block, begun])
      atEnd &&= whole.length === 0
      const from = start === 0 ? 0 : behindFirstLine(whole)
      const stoppedAt = this.#takeLines(whole.subarray(from))
      if (stoppedAt !== null) return start + from + stoppedAt
      begun = Buffer.from(whole.subarray(0, from))
      end = start
      if (this.#bytesLeft <= 0 && start > 0 && from < whole.length) return start + from
    }
    return null
  }

  /** Whole lines, the last one first. Where it stopped because the page is full, or null. */
  #takeLines(bytes: Buffer): number | null {
    let end = bytes.length
    while (end > 0) {
      const hit = this.#lastCandidate(bytes, end)
      if (hit === -1) return null
      const start = hit === 0 ? 0 : bytes.lastIndexOf(0x0a, hit - 1) + 1
      const lineEnd = bytes.indexOf(0x0a, hit)
      if (!this.#takeLine(bytes.toString('utf8', start, lineEnd))) return lineEnd + 1
      end = start
    }
    return null
  }

  /** A byte of the last line before `end` that may match. */
  #lastCandidate(bytes: Buffer, end: number): number {
    if (this.#texts === null) return end - 1
    let last = -1
    const before = bytes.subarray(0, end)
    for (const text of this.#texts) last = Math.max(last, before.lastIndexOf(text))
    return last
  }

  /** False where the page had no room for it. */
  #takeLine(line: string): boolean {
    if (line.startsWith('#')) return true
    if (this.#lowerCaseText !== null && !line.toLowerCase().includes(this.#lowerCaseText)) return true
    const event = readTrackedEvent(line)
    if (event === null) {
      this.#broken++
      return true
    }
    if (!matches(event, this.#filter)) return true
    const isFull = this.#events.length >= this.#limit
    if (isFull || (this.#events.length > 0 && this.#chars + line.length > mostPageChars)) return false
    this.#events.push(event)
    this.#lines.push(line.endsWith('\r') ? line.slice(0, -1) : line)
    this.#chars += line.length
    return true
  }
}

/** All of it where no line ends in it: a line of ours is shorter. */
function behindFirstLine(bytes: Buffer): number {
  const lineFeed = bytes.indexOf(0x0a)
  return lineFeed === -1 ? bytes.length : lineFeed + 1
}

async function readBlock(handle: FileHandle, start: number, end: number): Promise<Buffer> {
  const block = Buffer.allocUnsafe(end - start)
  let length = 0
  while (length < block.length) {
    const { bytesRead } = await handle.read(block, length, block.length - length, start + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return block.subarray(0, length)
}
