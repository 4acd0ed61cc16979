/**
 * Decoders for what RFC 2045 §6 puts around content, chunk by chunk: any split gives the same octets. Tolerant
 * as mail readers are, and they say where readers differ.
 */
import { hexAt } from './mime-value.ts'
import type { TransferEncoding } from './part-header.ts'

/** Takes the octets of a part in their order. */
export interface PartSink {
  write(bytes: Buffer): void
  end(): void
}

interface DecoderOptions {
  readonly sink: PartSink
  readonly ambiguous: (what: string) => void
}

export function decoder(encoding: TransferEncoding, options: DecoderOptions): PartSink {
  if (encoding === 'base64') return new Base64Decoder(options)
  if (encoding === 'quoted-printable') return new QuotedPrintableDecoder(options.sink)
  return options.sink
}

const CR = 0x0d
const LF = 0x0a
const space = 0x20
const tab = 0x09
const equals = 0x3d

/** The six bits of a character; `skipped` for white space, `padding` for `=`, `foreign` for all others. */
const skipped = 64
const padding = 65
const foreign = 66
const sextets = new Uint8Array(256).fill(foreign)
for (const [bits, character] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries())
  sextets[character.charCodeAt(0)] = bits
for (const blank of [CR, LF, space, tab]) sextets[blank] = skipped
sextets[equals] = padding

/** Reads on behind padding, as some readers do and others do not. */
class Base64Decoder implements PartSink {
  readonly #options: DecoderOptions
  #bits = 0
  /** How many characters of a group of four have come. */
  #count = 0
  #padded = false
  #foreign = false
  #behindPadding = false

  constructor(options: DecoderOptions) {
    this.#options = options
  }

  write(bytes: Buffer): void {
    // A group that the last chunk began may end in this one.
    const decoded = Buffer.allocUnsafe(Math.ceil((bytes.length * 3) / 4) + 3)
    let length = 0
    let bits = this.#bits
    let count = this.#count
    for (let at = 0; at < bytes.length; at++) {
      const value = sextets[bytes[at]!]!
      if (value < 64) {
        bits = (bits << 6) | value
        if (++count < 4) continue
        if (this.#padded) this.#behindPadding = true
        decoded[length++] = bits >> 16
        decoded[length++] = bits >> 8
        decoded[length++] = bits
        bits = 0
        count = 0
      } else if (value === padding) {
        length = this.#pad(decoded, { length, bits, count })
        bits = 0
        count = 0
      } else if (value === foreign) this.#foreign = true
    }
    this.#bits = bits
    this.#count = count
    if (length > 0) this.#options.sink.write(decoded.subarray(0, length))
  }

  end(): void {
    const rest = Buffer.alloc(3)
    const length = this.#pad(rest, { length: 0, bits: this.#bits, count: this.#count })
    if (length > 0) this.#options.sink.write(rest.subarray(0, length))
    if (this.#foreign) this.#options.ambiguous('characters in base64 that do not belong there')
    if (this.#behindPadding) this.#options.ambiguous('base64 that goes on behind its padding')
    this.#options.sink.end()
  }

  /** What an unfinished group holds: two characters are one octet, three are two. */
  #pad(decoded: Buffer, group: { length: number; bits: number; count: number }): number {
    let { length } = group
    if (group.count >= 2) decoded[length++] = group.bits >> (group.count === 2 ? 4 : 10)
    if (group.count === 3) decoded[length++] = group.bits >> 2
    if (group.count > 0) {
      if (this.#padded) this.#behindPadding = true
      this.#padded = true
    }
    return length
  }
}

/** Blanks that may stand between `=` and the end of a line; more is text. */
const mostBlanks = 64

class QuotedPrintableDecoder implements PartSink {
  readonly #sink: PartSink
  /** An `=` at the end of a chunk, and what came behind it. */
  #held: Buffer = Buffer.alloc(0)

  constructor(sink: PartSink) {
    this.#sink = sink
  }

  write(bytes: Buffer): void {
    this.#decode(this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]), false)
  }

  end(): void {
    this.#decode(this.#held, true)
    this.#sink.end()
  }

  #decode(bytes: Buffer, final: boolean): void {
    const decoded = Buffer.allocUnsafe(bytes.length)
    let length = 0
    let at = 0
    while (at < bytes.length) {
      const sign = bytes.indexOf(equals, at)
      const end = sign === -1 ? bytes.length : sign
      length += bytes.copy(decoded, length, at, end)
      at = end
      if (sign === -1) break
      const code = hexAt(bytes, sign + 1)
      const after = code === -1 ? softBreakEnd(bytes, sign + 1) : sign + 3
      if (after === -1 && !final) break
      if (code !== -1) decoded[length++] = code
      else if (after === sign || after === -1) decoded[length++] = equals
      at = after === -1 ? sign + 1 : Math.max(after, sign + 1)
    }
    this.#held = Buffer.from(bytes.subarray(at))
    if (length > 0) this.#sink.write(decoded.subarray(0, length))
  }
}

/** Behind a soft line break; `start - 1`, the sign, where there is none; -1 where the chunk ends too early to tell. */
function softBreakEnd(bytes: Buffer, start: number): number {
  let at = start
  const most = start + mostBlanks
  while (at < most && (bytes[at] === space || bytes[at] === tab)) at++
  if (bytes[at] === LF) return at + 1
  if (bytes[at] === CR && at + 1 < bytes.length) return bytes[at + 1] === LF ? at + 2 : start - 1
  const mayGoOn = at === bytes.length ? at < most : bytes[at] === CR
  // One hexadecimal digit at the end may have its second in the next chunk.
  const halfCode = at === start && bytes.length === start + 1
  return mayGoOn || halfCode ? -1 : start - 1
}
