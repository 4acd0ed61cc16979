/**
 * Which text parts are the body of a message, as a reader sees it, so that a text can be put into them: the text
 * itself; of multipart/alternative each plain and HTML version; of multipart/related the root; of any other
 * multipart the first part that has a body. Attachments are none, nor is what is in attached messages.
 *
 * The message is read as far as it takes: attachments behind the body are not looked at.
 */

import { type MimePart, MimeReader } from '../content/mime-reader.ts'
import type { PartSink } from '../content/transfer-encoding.ts'
import { type Draft, readDraft } from '../draft.ts'
import { fieldsNamed } from '../header.ts'

/** One of the parts that are the body. */
export interface TextPart {
  readonly kind: 'plain' | 'html'
  readonly part: MimePart
}

/** Takes the decoded content of a text part. `ambiguous`: its base64 is such that programs read it in different ways. */
export interface TextReader extends PartSink {
  ambiguous(): void
  /** Before `end`: where its content ends, as octets of the message. */
  endsAt(at: number): void
}

export type BodyText =
  | 'found'
  /** There is no text, or not where a body is. */
  | 'none'
  /** Signed or encrypted (RFC 1847, RFC 8551): nothing in it may be changed. */
  | 'sealed'

/** Nobody nests a body deeper. */
const mostLevels = 100
const mostParts = 10_000

/** Calls `open` for each part of the body, in their order. */
export async function findBodyText(draft: Draft, open: (text: TextPart) => TextReader): Promise<BodyText> {
  const finder = new BodyFinder(open)
  for await (const chunk of readDraft(draft)) {
    finder.reader.write(chunk)
    if (finder.isDone) return finder.result
  }
  finder.reader.end()
  return finder.result
}

interface Multipart {
  readonly kind: 'alternative' | 'related' | 'other' | 'closed'
  /** Of multipart/related: the Content-ID of its root; null for the first part. */
  readonly root: string | null
  /** Parts in it so far. */
  count: number
  /** The body may be in the part that is being read. */
  isOpen: boolean
  /** The body was in a part before. */
  isTaken: boolean
}

class BodyFinder {
  readonly reader: MimeReader
  readonly #open: (text: TextPart) => TextReader
  /** The multiparts around what is being read, outermost first. */
  readonly #around: Multipart[] = []
  #parts = 0
  #found = false
  #sealed = false
  #isDone = false
  #current: TextReader | null = null

  constructor(open: (text: TextPart) => TextReader) {
    this.#open = open
    this.reader = new MimeReader({
      mostLevels,
      countPart: () => ++this.#parts <= mostParts,
      multipart: (part) => this.#multipart(part),
      leaf: (part) => this.#leaf(part),
      leafEnd: (at) => this.#current?.endsAt(at),
      // Of other things it may speak at another time, as the message is cut.
      ambiguous: (what) => {
        if (what.includes('base64')) this.#current?.ambiguous()
      },
    })
  }

  /** Nothing that follows can be part of the body. */
  get isDone(): boolean {
    return this.#isDone
  }

  get result(): BodyText {
    if (this.#sealed) return 'sealed'
    return this.#found ? 'found' : 'none'
  }

  #multipart(part: MimePart): void {
    const isBody = this.#enter(part)
    const { contentType } = part.header
    if (isBody && /^multipart\/(?:signed|encrypted)$/.test(contentType)) this.#seal()
    this.#around.push({
      kind: isBody ? multipartKind(contentType) : 'closed',
      root: part.header.parameter('start'),
      count: 0,
      isOpen: false,
      isTaken: false,
    })
  }

  #leaf(part: MimePart): PartSink {
    const isBody = this.#enter(part)
    if (isBody && part.root && isSealed(part)) this.#seal()
    const kind = textKind(part)
    if (!isBody || kind === null || this.#isDone) return skipped
    for (const multipart of this.#around) multipart.isTaken = true
    this.#found = true
    const current = this.#open({ kind, part })
    this.#current = current
    return {
      write: (bytes) => current.write(bytes),
      end: () => {
        this.#current = null
        current.end()
      },
    }
  }

  /** Whether a part that begins can be part of the body. */
  #enter(part: MimePart): boolean {
    this.#around.length = Math.min(this.#around.length, part.level)
    const parent = this.#around.at(-1)
    if (parent !== undefined) {
      parent.isOpen = mayHold(parent, part)
      parent.count++
    }
    if (this.#found && !this.#around.some(mayHoldMore)) this.#isDone = true
    return this.#around.every((multipart) => multipart.isOpen)
  }

  #seal(): void {
    this.#sealed = true
    this.#isDone = true
  }
}

const skipped: PartSink = { write: () => {}, end: () => {} }

/** Messages in a digest are attachments; what is unknown is read as mixed (RFC 2046 §5.1.3, §5.1.5). */
function multipartKind(contentType: string): Multipart['kind'] {
  if (contentType === 'multipart/alternative') return 'alternative'
  if (contentType === 'multipart/related') return 'related'
  return contentType === 'multipart/digest' ? 'closed' : 'other'
}

function mayHold(multipart: Multipart, part: MimePart): boolean {
  switch (multipart.kind) {
    case 'alternative':
      return true
    case 'related':
      return multipart.root === null ? multipart.count === 0 : multipart.root === contentId(part)
    case 'other':
      return !multipart.isTaken
    case 'closed':
      return false
  }
}

/** Whether what comes in it can still be part of the body: in the part being read, or behind it. */
function mayHoldMore(multipart: Multipart): boolean {
  return multipart.kind === 'alternative' || (multipart.kind !== 'closed' && multipart.isOpen)
}

function contentId(part: MimePart): string | null {
  const [field] = fieldsNamed(part.header.header, 'content-id')
  return field === undefined ? null : (/<[^>]*>/.exec(field.raw.toString('latin1'))?.[0] ?? null)
}

/** A text with a name is an attachment, whatever its disposition (as in Exchange and Outlook). */
function textKind({ header }: MimePart): TextPart['kind'] | null {
  if (header.disposition === 'attachment' || header.name !== null) return null
  if (header.contentType === 'text/plain') return 'plain'
  return header.contentType === 'text/html' ? 'html' : null
}

/** Opaque S/MIME (RFC 8551 §3.2): all of the message is one part, which Outlook sometimes knows by its name alone. */
function isSealed({ header }: MimePart): boolean {
  return (
    /^application\/(?:x-)?pkcs7-mime$/.test(header.contentType) || /\.p7m$/i.test(header.name?.trim() ?? '')
  )
}
