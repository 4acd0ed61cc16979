/**
 * The MIME structure of one message (RFC 2046 §5.1), read once, chunk by chunk; any split gives the same parts.
 * A parser that delivers mail must choose one reading. This one is for policy: where programs disagree it reads
 * what yields more parts, and says what is ambiguous. So delimiters of all enclosing multiparts count, with
 * blanks behind them or more text, and a part behind the closing delimiter is a part.
 *
 * Memory: one header, or one line that may be a delimiter, of 256 KB and 1 KB at most.
 */
import { type PartHeader, readPartHeader } from './part-header.ts'
import { decoder, type PartSink } from './transfer-encoding.ts'

export interface MimePart {
  readonly header: PartHeader
  /** The first: the message itself. */
  readonly root: boolean
  /** The type of the multipart it stands in; null for the root. */
  readonly parent: string | null
  /** How many multiparts enclose it. */
  readonly level: number
  /** Where its header and its content begin: octets of the message before them. */
  readonly at: { readonly header: number; readonly content: number }
}

export interface MimeReaderOptions {
  /** How many multiparts may enclose a part. */
  readonly mostLevels: number
  /** False where there are more parts than may be read; the rest is skipped. */
  readonly countPart: () => boolean
  readonly multipart: (part: MimePart) => void
  /** Where the decoded octets of a part go that is no multipart. */
  readonly leaf: (part: MimePart) => PartSink
  /** Before a leaf's `end`: where its content ends, without the line break that belongs to the delimiter. */
  readonly leafEnd?: (at: number) => void
  readonly ambiguous: (what: string) => void
}

interface Level {
  readonly contentType: string
  readonly boundary: Buffer
  /** Its closing delimiter has been seen. */
  closed: boolean
}

interface Delimiter {
  /** Index in the stack. */
  readonly level: number
  readonly closing: boolean
}

const CR = 0x0d
const LF = 0x0a
const dash = 0x2d
const mostHeaderBytes = 256 * 1024
const mostDelimiterBytes = 1024
const nothing = Buffer.alloc(0)
const crlf = Buffer.from('\r\n')
const bareLineFeed = Buffer.from('\n')

export class MimeReader implements PartSink {
  readonly #options: MimeReaderOptions
  /** The multiparts that are open, outermost first. */
  readonly #levels: Level[] = []
  #state: 'header' | 'content' = 'header'
  #atLineStart = true
  /** Octets that cannot be judged before the next ones are here. */
  #held: Buffer = nothing
  /** The last two octets. */
  #tail = ''
  #headerChunks: Buffer[] = []
  #headerBytes = 0
  #headerAt = 0
  #root = true
  /** Octets of the message before those that are being read. */
  #position = 0
  /** Null in a preamble or epilogue, and for what is skipped. */
  #sink: PartSink | null = null
  /** The line break before a line that may be a delimiter, to which it then belongs. */
  #lineBreak: Buffer = nothing

  constructor(options: MimeReaderOptions) {
    this.#options = options
  }

  write(chunk: Buffer): void {
    this.#lookForBareCr(chunk)
    this.#read(this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]), false)
  }

  end(): void {
    this.#read(this.#held, true)
    if (this.#state === 'header') this.#startPart(this.#position)
    this.#endPart(this.#position)
    if (this.#levels.some((level) => !level.closed)) this.#options.ambiguous('a closing boundary is missing')
  }

  /** For some programs it ends a line. */
  #lookForBareCr(chunk: Buffer): void {
    const seam = this.#tail + chunk.toString('latin1', 0, 2)
    if (seam.includes('\r--') || chunk.includes('\r--'))
      this.#options.ambiguous('a bare CR before what may be a boundary')
    this.#tail = (this.#tail + chunk.toString('latin1', Math.max(0, chunk.length - 2))).slice(-2)
  }

  #read(bytes: Buffer, final: boolean): void {
    let at = 0
    while (at < bytes.length) {
      const next =
        this.#state === 'header' ? this.#readHeader(bytes, at, final) : this.#readContent(bytes, at, final)
      if (next === at) break
      at = next
    }
    this.#position += at
    this.#held = at === bytes.length ? nothing : Buffer.from(bytes.subarray(at))
  }

  /** To the end of the header, or as far as it is there; `at` where more must be there first. */
  #readHeader(bytes: Buffer, start: number, final: boolean): number {
    let at = start
    while (at < bytes.length) {
      const lineFeed = bytes.indexOf(LF, at)
      const next = lineFeed === -1 ? bytes.length : lineFeed + 1
      if (lineFeed === -1 && !final && this.#atLineStart && next - at < mostDelimiterBytes) break
      if (this.#atLineStart && this.#endsHeader(bytes, at, next)) {
        this.#keepHeader(bytes.subarray(start, at))
        this.#endHeader(bytes, at, next)
        return next
      }
      this.#atLineStart = lineFeed !== -1
      at = next
    }
    this.#keepHeader(bytes.subarray(start, at))
    return at
  }

  #endsHeader(bytes: Buffer, at: number, next: number): boolean {
    return isEmptyLine(bytes, at, next) || this.#delimiterAt(bytes, at, next) !== null
  }

  #endHeader(bytes: Buffer, at: number, next: number): void {
    const delimiter = isEmptyLine(bytes, at, next) ? null : this.#delimiterAt(bytes, at, next)
    this.#startPart(this.#position + (delimiter === null ? next : at))
    if (delimiter === null) return
    this.#options.ambiguous('a part whose header does not end')
    this.#endPart(this.#position + at)
    this.#pass(delimiter, this.#position + next)
  }

  #keepHeader(bytes: Buffer): void {
    if (bytes.length === 0) return
    const room = mostHeaderBytes - this.#headerBytes
    if (bytes.length > room) this.#options.ambiguous('a header larger than can be read')
    if (room <= 0) return
    const kept = bytes.subarray(0, room)
    this.#headerChunks.push(Buffer.from(kept))
    this.#headerBytes += kept.length
  }

  /** Up to the next line that may be a delimiter; `at` where more must be there first. */
  #readContent(bytes: Buffer, at: number, final: boolean): number {
    if (this.#levels.length === 0) {
      this.#sink?.write(bytes.subarray(at))
      return bytes.length
    }
    if (this.#atLineStart && this.#mayBeDelimiter(bytes, at, final))
      return this.#readCandidate(bytes, at, final)
    this.#flushLineBreak()
    const dashes = bytes.indexOf('\n--', at)
    if (dashes === -1) return this.#passContent(bytes, at, final)
    const end = dashes > at && bytes[dashes - 1] === CR ? dashes - 1 : dashes
    if (end > at) this.#sink?.write(bytes.subarray(at, end))
    this.#lineBreak = end === dashes ? bareLineFeed : crlf
    this.#atLineStart = true
    return dashes + 1
  }

  #mayBeDelimiter(bytes: Buffer, at: number, final: boolean): boolean {
    if (bytes[at] !== dash) return false
    return at + 1 < bytes.length ? bytes[at + 1] === dash : !final
  }

  /** No delimiter is in sight; what may be the beginning of one stays. */
  #passContent(bytes: Buffer, at: number, final: boolean): number {
    const end = final ? bytes.length : Math.max(at, bytes.length - unfinished(bytes))
    if (end > at) {
      this.#sink?.write(bytes.subarray(at, end))
      this.#atLineStart = false
    }
    return end
  }

  /** A line that begins with two dashes. */
  #readCandidate(bytes: Buffer, at: number, final: boolean): number {
    const lineFeed = bytes.subarray(at, at + mostDelimiterBytes).indexOf(LF)
    const wholeOrTooLong = lineFeed !== -1 || final || bytes.length - at >= mostDelimiterBytes
    if (!wholeOrTooLong) return at
    const next = lineFeed === -1 ? bytes.length : at + lineFeed + 1
    const delimiter = this.#delimiterAt(bytes, at, next)
    if (delimiter !== null) {
      const end = this.#position + at - this.#lineBreak.length
      this.#lineBreak = nothing
      this.#endPart(end)
      this.#pass(delimiter, this.#position + next)
      return next
    }
    this.#flushLineBreak()
    this.#atLineStart = false
    // The line break behind it may belong to a delimiter, so it is left for the next step.
    this.#sink?.write(bytes.subarray(at, at + 2))
    return at + 2
  }

  #flushLineBreak(): void {
    if (this.#lineBreak.length > 0) this.#sink?.write(this.#lineBreak)
    this.#lineBreak = nothing
  }

  /** The innermost delimiter that the line is; where it is none exactly, the innermost that it begins with. */
  #delimiterAt(bytes: Buffer, at: number, next: number): Delimiter | null {
    if (this.#levels.length === 0 || bytes[at] !== dash || bytes[at + 1] !== dash) return null
    const tooLong = next - at >= mostDelimiterBytes
    const line = bytes.subarray(at + 2, tooLong ? at + mostDelimiterBytes : next)
    let begins: Delimiter | null = null
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const { boundary } = this.#levels[level]!
      if (line[0] !== boundary[0] || !line.subarray(0, boundary.length).equals(boundary)) continue
      const rest = line.toString('latin1', boundary.length).trimEnd()
      if (rest === '' && !tooLong) return { level, closing: false }
      if (rest === '--' && !tooLong) return { level, closing: true }
      begins ??= { level, closing: rest.startsWith('--') }
    }
    if (begins !== null) this.#options.ambiguous('a line that begins as a boundary and goes on')
    return tooLong ? null : begins
  }

  #pass({ level, closing }: Delimiter, next: number): void {
    const inner = this.#levels.splice(level + 1)
    if (inner.some((each) => !each.closed)) this.#options.ambiguous('a closing boundary is missing')
    const own = this.#levels[level]!
    this.#atLineStart = true
    if (closing) {
      own.closed = true
      return
    }
    if (own.closed) this.#options.ambiguous('a part behind the closing boundary')
    this.#state = 'header'
    this.#headerAt = next
  }

  /** Its header is complete. */
  #startPart(contentAt: number): void {
    const parent = this.#levels.at(-1)?.contentType ?? null
    const root = this.#root
    const bytes = this.#headerChunks.length === 1 ? this.#headerChunks[0]! : Buffer.concat(this.#headerChunks)
    this.#headerChunks = []
    this.#headerBytes = 0
    this.#root = false
    this.#state = 'content'
    this.#atLineStart = true
    if (!this.#options.countPart()) return
    const defaultType = parent === 'multipart/digest' ? 'message/rfc822' : 'text/plain'
    const header = readPartHeader(bytes, { root, defaultType })
    for (const ambiguity of header.ambiguities) this.#options.ambiguous(ambiguity)
    const at = { header: this.#headerAt, content: contentAt }
    const part = { header, root, parent, level: this.#levels.length, at }
    if (header.boundary === null) this.#startLeaf(part)
    else this.#startMultipart(part, Buffer.from(header.boundary))
  }

  #startLeaf(part: MimePart): void {
    const { ambiguous } = this.#options
    this.#sink = decoder(part.header.encoding, { sink: this.#options.leaf(part), ambiguous })
  }

  #startMultipart(part: MimePart, boundary: Buffer): void {
    this.#options.multipart(part)
    if (this.#levels.some((level) => level.boundary.equals(boundary)))
      this.#options.ambiguous('two multiparts with the same boundary')
    if (this.#levels.length < this.#options.mostLevels)
      this.#levels.push({ contentType: part.header.contentType, boundary, closed: false })
    else this.#options.ambiguous('parts nested deeper than can be read')
  }

  #endPart(at: number): void {
    this.#flushLineBreak()
    if (this.#sink !== null) this.#options.leafEnd?.(at)
    this.#sink?.end()
    this.#sink = null
  }
}

function isEmptyLine(bytes: Buffer, at: number, next: number): boolean {
  return bytes[at] === LF || (bytes[at] === CR && bytes[at + 1] === LF && next === at + 2)
}

/** How many octets at the end may be the beginning of a line break and two dashes. */
function unfinished(bytes: Buffer): number {
  const tail = bytes.toString('latin1', Math.max(0, bytes.length - 3))
  return /(?:\r?\n-|\r?\n|\r)$/.exec(tail)?.[0].length ?? 0
}
