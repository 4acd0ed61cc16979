/**
 * The relaxed canonical form of header fields and bodies (RFC 6376 §3.4.2, §3.4.4): what a signature covers, so
 * that blanks, folding and the letter case of field names may change on the way. A bare CR or LF counts as a line
 * end, as it leaves by SMTP as CRLF. Octets are never decoded: 8-bit text stays what it is.
 */

const CR = 0x0d
const LF = 0x0a
const space = 0x20
const tab = 0x09

/** `name:value` and CRLF, a character for each octet. The field ends with its line break, or the message does. */
export function relaxedField(raw: Buffer): string {
  const text = raw.toString('latin1')
  const colon = text.indexOf(':')
  const name = text
    .slice(0, colon)
    .toLowerCase()
    .replace(/[ \t]+$/, '')
  let value = text.slice(colon + 1, text.endsWith('\r\n') ? -2 : undefined)
  if (/[\t\r\n]| {2}/.test(value)) value = value.replace(/[\r\n]+/g, '').replace(/[ \t]+/g, ' ')
  const start = value.startsWith(' ') ? 1 : 0
  const end = value.length > start && value.endsWith(' ') ? -1 : undefined
  return `${name}:${value.slice(start, end)}\r\n`
}

/** A header as it will leave. The same buffer where its lines end as they should, which is nearly always. */
export function withLineEnds(header: Buffer): Buffer {
  const text = header.toString('latin1')
  if (!/\r(?!\n)|(?<!\r)\n/.test(text)) return header
  return Buffer.from(text.replace(/\r\n|\r|\n/g, '\r\n'), 'latin1')
}

/** A body in pieces, cut anywhere. What may turn out to be its end is only counted, so nothing grows with it. */
export class RelaxedBody {
  readonly #sink: (bytes: Buffer) => void
  readonly #out: Buffer = Buffer.allocUnsafe(2 * pieceBytes + 1)
  /** Since the last octet that was put out. */
  #lineEnds = 0
  /** Since then, and since the last line end. */
  #blank = false
  #afterCr = false
  #empty = true

  /** The sink must not keep what it is given. */
  constructor(sink: (bytes: Buffer) => void) {
    this.#sink = sink
  }

  write(chunk: Buffer): void {
    for (let from = 0; from < chunk.length; from += pieceBytes)
      this.#writePiece(chunk.subarray(from, from + pieceBytes))
  }

  /** A body that is not empty ends with one CRLF, whether it had one or not. */
  end(): void {
    if (!this.#empty) this.#put(lineEnd)
  }

  #writePiece(piece: Buffer): void {
    // Nothing needs more room than bare line ends, which become two octets each; and a blank may be left from before.
    const out = this.#out
    let at = 0
    let lineEnds = this.#lineEnds
    let blank = this.#blank
    let afterCr = this.#afterCr
    for (let index = 0; index < piece.length; index++) {
      const octet = piece[index]!
      if (octet === CR || octet === LF) {
        if (octet === CR || !afterCr) lineEnds++
        afterCr = octet === CR
        blank = false
      } else if (octet === space || octet === tab) {
        afterCr = false
        blank = true
      } else {
        // What is left from before this piece may be more than there is room for.
        if (lineEnds > 0 && at === 0) lineEnds = this.#putLineEnds(lineEnds)
        for (; lineEnds > 0; lineEnds--) {
          out[at++] = CR
          out[at++] = LF
        }
        if (blank) out[at++] = space
        afterCr = blank = false
        out[at++] = octet
        // The rest of the word, which is most of any body.
        while (index + 1 < piece.length && piece[index + 1]! > space) out[at++] = piece[++index]!
      }
    }
    this.#lineEnds = lineEnds
    this.#blank = blank
    this.#afterCr = afterCr
    this.#put(out.subarray(0, at))
  }

  #putLineEnds(count: number): 0 {
    for (let left = count; left > 0; left -= mostAtOnce)
      this.#put(manyLineEnds.subarray(0, 2 * Math.min(left, mostAtOnce)))
    return 0
  }

  #put(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#empty = false
    this.#sink(bytes)
  }
}

const pieceBytes = 4096
const mostAtOnce = 1024
const lineEnd = Buffer.from('\r\n')
const manyLineEnds = Buffer.alloc(2 * mostAtOnce, lineEnd)
