/**
 * Searches the files of the tracking history, the newest event first. Files are read backwards in blocks, so that
 * memory does not depend on their size, and what is asked for by its text is found without reading the lines between.
 * A page ends when it is full, or when so much was read that whoever waits should hear something: then it has a
 * `next`, even where it found nothing. A line that cannot be read is passed over and counted.
 *
 * Messages are asked for by names that others gave them too: their Message-ID, and Exchange's id. Not each line of a
 * message says these, so they are looked for first (the step `naming`), and then the events of the messages found.
 */
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cursor, cursorText, mostNamed, type Place, readCursor } from './cursor.ts'
import { byAge, mayHold, parseFileName, type TrackingFile } from './files.ts'
import { matches, namesOnly, type SearchPlan, searchPlan, type TrackingFilter } from './filter.ts'
import { readTrackedEvent, relatedMessageId, type TrackedEvent } from './tracked-event.ts'

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

const blockBytes = 256 * 1024
const mostPageChars = 1024 ** 2
const mostBytesAPage = 64 * 1024 ** 2

export async function searchTracking(
  { dir }: { readonly dir: string },
  filter: TrackingFilter,
  options: SearchOptions,
): Promise<TrackingPage> {
  const share = { bytes: options.mostBytes ?? mostBytesAPage }
  const page = new Page(options.limit)
  const names = namesOnly(filter)
  const start = await nameMessages(dir, startOf(options.after, names), { names, share })
  if ('next' in start) return page.endedAt(start.next)
  const { named } = start
  const scan = new Scan(named === null ? filter : { ...filter, named }, {
    share,
    take: (event, line) => page.take(event, line),
  })
  const place = await scan.read(dir, start.place)
  return page.endedAt(place && { step: 'events', place, named }, scan.broken)
}

/** The first step: where the second begins, or with what the page ends before it. */
async function nameMessages(
  dir: string,
  start: Cursor,
  { names, share }: { names: TrackingFilter | null; share: { bytes: number } },
): Promise<Cursor | { readonly next: Next | null }> {
  if (names === null || start.step === 'events') return start
  const naming = new Naming(start.named ?? [])
  const scan = new Scan(names, { share, take: (event) => naming.take(event) })
  const place = await scan.read(dir, start.place)
  if (naming.isTooMany) return { step: 'events', place: null, named: null }
  const named = naming.ids
  if (place !== null) return { next: { step: 'naming', place, named } }
  return named.length === 0 ? { next: null } : { step: 'events', place: null, named }
}

/** A cursor that can be written. */
type Next = Cursor & { readonly place: Place }

/** The newest event first: the first page begins where the history ends. */
function startOf(after: string | null, names: TrackingFilter | null): Cursor {
  if (after !== null) return readCursor(after)
  return { step: names === null ? 'events' : 'naming', place: null, named: null }
}

/** Which messages bear the names that are asked for. */
class Naming {
  readonly #ids: Set<string>

  constructor(found: readonly string[]) {
    this.#ids = new Set(found)
  }

  get ids(): readonly string[] {
    return [...this.#ids]
  }

  /** Something writes one Message-ID for everything: then only the events that say it are found. */
  get isTooMany(): boolean {
    return this.#ids.size > mostNamed
  }

  take(event: TrackedEvent): boolean {
    if (this.isTooMany) return false
    const related = relatedMessageId(event)
    if (related !== null) this.#ids.add(related)
    // A report is told of in the history of what it is about; a form has a history of its own too.
    if (related === null || event.event === 'TRANSFER') this.#ids.add(event.messageId)
    return true
  }
}

/** What one page holds. */
class Page {
  readonly #limit: number
  readonly #events: TrackedEvent[] = []
  readonly #lines: string[] = []
  #chars = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** False where there is no room for it. */
  take(event: TrackedEvent, line: string): boolean {
    const isFull = this.#events.length >= this.#limit
    if (isFull || (this.#events.length > 0 && this.#chars + line.length > mostPageChars)) return false
    this.#events.push(event)
    this.#lines.push(line.endsWith('\r') ? line.slice(0, -1) : line)
    this.#chars += line.length
    return true
  }

  endedAt(next: Next | null, broken = 0): TrackingPage {
    return { events: this.#events, lines: this.#lines, next: next && cursorText(next), broken }
  }
}

/** The newest first. A file that was removed since the page before is simply no longer there. */
async function filesToRead(dir: string, plan: SearchPlan, start: Place | null): Promise<TrackingFile[]> {
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

/** Reads files backwards and hands over each event that matches, until that is not taken or the share is used up. */
class Scan {
  readonly #filter: TrackingFilter
  readonly #plan: SearchPlan
  readonly #texts: readonly Buffer[] | null
  readonly #share: { bytes: number }
  readonly #take: (event: TrackedEvent, line: string) => boolean
  #broken = 0

  constructor(
    filter: TrackingFilter,
    options: {
      /** How much may be read yet. */
      readonly share: { bytes: number }
      /** False where it is not taken: then the scan ends before it. */
      readonly take: (event: TrackedEvent, line: string) => boolean
    },
  ) {
    this.#filter = filter
    this.#plan = searchPlan(filter)
    this.#texts = this.#plan.texts?.map((text) => Buffer.from(text)) ?? null
    this.#share = options.share
    this.#take = options.take
  }

  get broken(): number {
    return this.#broken
  }

  /** From `start` on, or from the end. Where it ended, or null where nothing is left. */
  async read(dir: string, start: Place | null): Promise<Place | null> {
    for (const file of await filesToRead(dir, this.#plan, start)) {
      const endAt = file.name === start?.file.name ? start.offset : null
      const offset = await this.#readFile(join(dir, file.name), endAt)
      if (offset !== null) return { file, offset }
    }
    return null
  }

  /** From `endAt` (null: its end) to its beginning. Where the scan ended in it, or null. */
  async #readFile(path: string, endAt: number | null): Promise<number | null> {
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
      this.#share.bytes -= block.length
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
      if (this.#share.bytes <= 0 && start > 0 && from < whole.length) return start + from
    }
    return null
  }

  /** Whole lines, the last one first. Where it stopped because one was not taken, or null. */
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

  /** False where it was not taken. */
  #takeLine(line: string): boolean {
    if (line.startsWith('#')) return true
    const { lowerCaseText } = this.#plan
    if (lowerCaseText !== null && !line.toLowerCase().includes(lowerCaseText)) return true
    const event = readTrackedEvent(line)
    if (event === null) {
      this.#broken++
      return true
    }
    return !matches(event, this.#filter) || this.#take(event, line)
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
