/**
 * Files that older programs put into text itself: `begin 644 name`, lines of uuencode, `end` (POSIX). Before MIME
 * there was nothing else, and mail readers still show them as attachments. Found while the text streams by.
 */
import type { PartSink } from './transfer-encoding.ts'

const LF = 0x0a
const space = 0x20
/** A line of uuencode has 61 characters; a `begin` line a mode and a name. */
const mostLineBytes = 1024
const nothing = Buffer.alloc(0)

export class UuencodeFinder implements PartSink {
  /** Where the octets of a file go that was found. */
  readonly #found: (name: string) => PartSink
  #held: Buffer = nothing
  /** The rest of a line that is too long to mean anything. */
  #skipping = false
  #file: PartSink | null = null

  constructor(found: (name: string) => PartSink) {
    this.#found = found
  }

  write(chunk: Buffer): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    let at = 0
    for (;;) {
      if (this.#file === null && !this.#skipping) at = this.#nextBegin(bytes, at)
      const lineFeed = bytes.indexOf(LF, at)
      if (lineFeed === -1) break
      if (!this.#skipping) this.#line(bytes.subarray(at, Math.min(lineFeed, at + mostLineBytes)))
      this.#skipping = false
      at = lineFeed + 1
    }
    this.#hold(bytes.subarray(at))
  }

  end(): void {
    if (!this.#skipping && this.#held.length > 0) this.#line(this.#held)
    this.#file?.end()
    this.#file = null
  }

  /** Most text has none: lines are looked at only where one may begin a file. `at` is the start of a line. */
  #nextBegin(bytes: Buffer, at: number): number {
    if (bytes.toString('latin1', at, at + begin.length) === begin) return at
    const next = bytes.indexOf(`\n${begin}`, at)
    if (next !== -1) return next + 1
    return bytes.lastIndexOf(LF) < at ? at : bytes.lastIndexOf(LF) + 1
  }

  #hold(rest: Buffer): void {
    if (!this.#skipping && rest.length > mostLineBytes) {
      this.#skipping = true
      if (this.#file !== null || rest.toString('latin1', 0, begin.length) === begin)
        this.#line(rest.subarray(0, mostLineBytes))
    }
    this.#held = this.#skipping ? nothing : Buffer.from(rest)
  }

  #line(line: Buffer): void {
    if (this.#file === null) this.#beginLine(line)
    else if (/^end\s*$/.test(line.toString('latin1', 0, 8))) {
      this.#file.end()
      this.#file = null
    } else {
      const decoded = decodeLine(line)
      if (decoded.length > 0) this.#file.write(decoded)
    }
  }

  #beginLine(line: Buffer): void {
    const name = /^begin [0-7]{3,4} +(\S.*)$/.exec(line.toString('latin1').trimEnd())?.[1]
    if (name !== undefined) this.#file = this.#found(name)
  }
}

const begin = 'begin '

/** The first character says how many octets follow; what is missing are zeros, blanks that were cut off. */
function decodeLine(line: Buffer): Buffer {
  const length = line.length === 0 ? 0 : sextet(line[0]!)
  const decoded = Buffer.alloc(length + 2)
  for (let octet = 0, at = 1; octet < length; octet += 3, at += 4) {
    const bits =
      (sextet(line[at] ?? space) << 18) |
      (sextet(line[at + 1] ?? space) << 12) |
      (sextet(line[at + 2] ?? space) << 6) |
      sextet(line[at + 3] ?? space)
    decoded.writeUIntBE(bits, octet, 3)
  }
  return decoded.subarray(0, length)
}

const sextet = (byte: number): number => (byte - space) & 0x3f
