/**
 * Reads a message once and says what is in it. Whatever the message, it ends, and its memory is bounded: 256 KB of
 * text, 1 MB of the part being read, and for attachments the one being kept (16 MB, twice while it grows) with one
 * unpacked file (16 MB, twice while it is unpacked) for each of four archives in each other: 200 MB at the very
 * worst, with what waits to be collected; 1 MB for most mail. Time is linear in what is read and unpacked;
 * `inspector.ts` sets it a deadline.
 */

import { type Draft, readDraft } from '../draft.ts'
import { ArchiveOpener, type OpenFile } from './archive.ts'
import { decodeText } from './charset.ts'
import type { MessageContent, MessageType } from './content.ts'
import { cmsType, headBytes } from './file-type.ts'
import { FoundAttachment, listAttachments } from './found-attachment.ts'
import { htmlText } from './html-text.ts'
import { type InspectionLimits, inspectionLimits } from './inspection-limits.ts'
import { headerTypes, partTypes, textTypes } from './message-type.ts'
import { type MimePart, MimeReader } from './mime-reader.ts'
import type { PartSink } from './transfer-encoding.ts'
import { UuencodeFinder } from './uuencode.ts'

export async function inspect(
  draft: Draft,
  limits: InspectionLimits = inspectionLimits,
): Promise<MessageContent> {
  const inspection = new Inspection(limits)
  for await (const chunk of readDraft(draft)) {
    inspection.write(chunk)
    if (inspection.hasFiles) await inspection.openFiles()
  }
  return await inspection.end()
}

/** Where a part stands. */
interface Place {
  /** In the message itself, not in one attached to it. */
  readonly own: boolean
  readonly found: FoundAttachment[]
  /** How many messages it lies in. */
  readonly messages: number
  /** How many archives it lies in. */
  readonly archives: number
}

interface ReadFile extends OpenFile {
  readonly found: FoundAttachment
}

class Inspection {
  readonly #limits: InspectionLimits
  readonly #opener: ArchiveOpener
  readonly #reader: MimeReader
  readonly #found: FoundAttachment[] = []
  readonly #ambiguities = new Set<string>()
  readonly #types = new Set<MessageType>()
  readonly #characterSets = new Set<string>()
  readonly #texts: string[] = []
  #textLeft: number
  #textIncomplete = false
  #parts = 0
  /** Attachments that have been read and not been opened. */
  #files: ReadFile[] = []

  constructor(limits: InspectionLimits) {
    this.#limits = limits
    this.#textLeft = limits.text
    this.#opener = new ArchiveOpener({ limits, readMessage: (found, file) => this.#readMessage(found, file) })
    this.#reader = this.#readerAt({ own: true, found: this.#found, messages: 0, archives: 0 })
  }

  get hasFiles(): boolean {
    return this.#files.length > 0
  }

  write(chunk: Buffer): void {
    this.#reader.write(chunk)
  }

  /** Opening takes turns of the event loop, reading does not; so what a chunk brought is opened behind it. */
  async openFiles(): Promise<void> {
    for (let file = this.#files.shift(); file !== undefined; file = this.#files.shift())
      await this.#opener.open(file.found, file)
  }

  async end(): Promise<MessageContent> {
    this.#reader.end()
    await this.openFiles()
    return {
      text: this.#texts.join('\n'),
      textIncomplete: this.#textIncomplete,
      characterSets: [...this.#characterSets],
      attachments: listAttachments(this.#found),
      types: [...this.#types],
      ambiguities: [...this.#ambiguities].sort(),
    }
  }

  #readerAt(place: Place): MimeReader {
    return new MimeReader({
      mostLevels: this.#limits.nesting - place.messages,
      countPart: () => this.#countPart(),
      multipart: (part) => this.#noteTypes(part, place),
      leaf: (part) => this.#leaf(part, place),
      ambiguous: (what) => this.#ambiguities.add(what),
    })
  }

  #countPart(): boolean {
    this.#parts++
    if (this.#parts <= this.#limits.parts) return true
    this.#ambiguities.add('more parts than can be read')
    return false
  }

  #noteTypes({ header, root }: MimePart, { own }: Place): void {
    if (!own) return
    for (const type of partTypes(header)) this.#types.add(type)
    if (root) for (const type of headerTypes(header.header)) this.#types.add(type)
  }

  #leaf(part: MimePart, place: Place): PartSink {
    this.#noteTypes(part, place)
    const { contentType, encoding, charset } = part.header
    const isText = contentType.startsWith('text/')
    if (isText && place.own && charset !== null) this.#characterSets.add(charset)
    const sinks: PartSink[] = []
    if (isAttachment(part)) sinks.push(this.#attachmentSink(part, place))
    if (isShownText(part)) {
      if (place.own) sinks.push(this.#textSink(part))
      sinks.push(this.#uuencodeFinder(place))
    } else if (encoding === 'uuencode') sinks.push(this.#uuencodeFinder(place))
    return sinks.length === 1 ? sinks[0]! : new Several(sinks)
  }

  #attachmentSink(part: MimePart, place: Place): PartSink {
    const { name, contentType } = part.header
    const found = new FoundAttachment(name, contentType)
    place.found.push(found)
    if (part.parent === 'multipart/encrypted') found.notInspected = 'encrypted'
    if (isMessage(contentType)) return new Several([new Size(found), this.#messageSink(found, place)])
    return this.#fileSink(found, { place, isSmime: place.own && isSmime(part, found) })
  }

  #fileSink(found: FoundAttachment, { place, isSmime }: { place: Place; isSmime: boolean }): PartSink {
    const { openedBytes } = this.#limits
    return new FileSink(
      { mostBytes: openedBytes, otherwiseBytes: headBytes },
      ({ bytes, complete, sizeBytes }) => {
        found.sizeBytes = sizeBytes
        const cms = isSmime ? cmsType(bytes) : null
        if (cms === 'signed' || cms === 'encrypted') this.#types.add(cms)
        this.#files.push({ found, bytes, complete, depth: place.archives })
      },
    )
  }

  #messageSink(found: FoundAttachment, place: Place): PartSink {
    const messages = place.messages + 1
    if (messages < this.#limits.nesting)
      return this.#readerAt({ own: false, found: found.inside, messages, archives: place.archives })
    found.notInspected = 'tooDeep'
    this.#ambiguities.add('parts nested deeper than can be read')
    return new Several([])
  }

  /** A message as a file. It was kept whole, so it counts as an archive does. */
  async #readMessage(found: FoundAttachment, file: OpenFile): Promise<void> {
    const place = { own: false, found: found.inside, messages: 0, archives: file.depth + 1 }
    const reader = this.#readerAt(place)
    reader.write(file.bytes)
    reader.end()
    await this.openFiles()
  }

  #uuencodeFinder(place: Place): PartSink {
    return new UuencodeFinder((name) => {
      const found = new FoundAttachment(name)
      place.found.push(found)
      return this.#fileSink(found, { place, isSmime: false })
    })
  }

  #textSink({ header }: MimePart): PartSink {
    const mostBytes = this.#limits.textPartBytes
    return new FileSink({ mostBytes, otherwiseBytes: mostBytes }, ({ bytes, complete }) => {
      const decoded = decodeText(bytes, header.charset)
      const text = header.contentType === 'text/html' ? htmlText(decoded) : decoded
      for (const type of textTypes(text)) this.#types.add(type)
      if (!complete || text.length > this.#textLeft) this.#textIncomplete = true
      const kept = text.slice(0, this.#textLeft)
      this.#textLeft -= kept.length
      if (kept !== '') this.#texts.push(kept)
    })
  }
}

/** What is not shown as text, and what has a name: mail readers offer to save it. */
function isAttachment({ header }: MimePart): boolean {
  return header.disposition === 'attachment' || header.name !== null || !isReadable(header.contentType)
}

/** Text with a name is both: most mail readers show it all the same. */
function isShownText({ header }: MimePart): boolean {
  return header.disposition !== 'attachment' && isReadable(header.contentType)
}

/** Reports about messages are text for people, too; a multipart that has no parts is shown as it stands. */
function isReadable(contentType: string): boolean {
  return /^(?:text|multipart|message)\//.test(contentType) && !isMessage(contentType)
}

function isMessage(contentType: string): boolean {
  return /^message\/(?:rfc822|global|news)$/.test(contentType)
}

/** Where the declared type does not say whether it is signed or encrypted, the content does. */
function isSmime({ header, root }: MimePart, { extension }: FoundAttachment): boolean {
  return /^application\/(?:x-)?pkcs7-mime$/.test(header.contentType) || (root && extension === 'p7m')
}

class Several implements PartSink {
  readonly #sinks: readonly PartSink[]

  constructor(sinks: readonly PartSink[]) {
    this.#sinks = sinks
  }

  write(bytes: Buffer): void {
    for (const sink of this.#sinks) sink.write(bytes)
  }

  end(): void {
    for (const sink of this.#sinks) sink.end()
  }
}

class Size implements PartSink {
  readonly #found: FoundAttachment

  constructor(found: FoundAttachment) {
    this.#found = found
  }

  write(bytes: Buffer): void {
    this.#found.sizeBytes += bytes.length
  }

  end(): void {}
}

interface Kept {
  readonly bytes: Buffer
  /** False where these are only the first of them. */
  readonly complete: boolean
  readonly sizeBytes: number
}

interface Room {
  readonly mostBytes: number
  /** What is kept of a part that is larger. */
  readonly otherwiseBytes: number
}

/** One growing buffer: a part that comes in crumbs must not cost an object for each. */
class FileSink implements PartSink {
  readonly #room: Room
  readonly #done: (kept: Kept) => void
  #kept: Buffer = Buffer.alloc(0)
  #sizeBytes = 0

  constructor(room: Room, done: (kept: Kept) => void) {
    this.#room = room
    this.#done = done
  }

  write(bytes: Buffer): void {
    const start = this.#sizeBytes
    this.#sizeBytes += bytes.length
    const { mostBytes, otherwiseBytes } = this.#room
    const complete = this.#sizeBytes <= mostBytes
    if (!complete && this.#kept.length > otherwiseBytes)
      this.#kept = Buffer.from(this.#kept.subarray(0, otherwiseBytes))
    const end = complete ? this.#sizeBytes : otherwiseBytes
    if (start >= end) return
    this.#grow(end)
    bytes.copy(this.#kept, start, 0, end - start)
  }

  end(): void {
    const complete = this.#sizeBytes <= this.#room.mostBytes
    const length = complete ? this.#sizeBytes : Math.min(this.#sizeBytes, this.#room.otherwiseBytes)
    this.#done({ bytes: this.#kept.subarray(0, length), complete, sizeBytes: this.#sizeBytes })
  }

  #grow(length: number): void {
    if (length <= this.#kept.length) return
    const grown = Buffer.allocUnsafe(Math.max(length, Math.min(2 * this.#kept.length, this.#room.mostBytes)))
    this.#kept.copy(grown)
    this.#kept = grown
  }
}
