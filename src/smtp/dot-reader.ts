/**
 * Finds the end of a message's data and takes the dot-stuffing away (RFC 5321 §4.5.2). A line ends with CRLF and
 * nothing else, so only CRLF.CRLF ends the data, whatever else a sender may hope for; the answer does not depend
 * on how the network cut the octets. It takes the place of smtp-server's own, which walks over each octet,
 * turns to the event loop for each stuffed line, and removes dots after a bare LF too.
 */

export interface DataPiece {
  readonly content: Buffer
  /** What came after the end of the data; null where the end has not come. */
  readonly rest: Buffer | null
}

export class DotReader {
  /** A dot at the beginning of a line, or that and a CR: the next octets say what it is. */
  #held: Buffer = nothing
  /** How much of CRLF the octets so far end with. The data begins at the beginning of a line. */
  #lineEnd: 'none' | 'cr' | 'crlf' = 'crlf'

  /** The chunk is this reader's from now on. */
  write(chunk: Buffer): DataPiece {
    const input = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = nothing
    const content = new Unstuffed(input)
    for (let dot = this.#firstDot(input); dot !== -1; dot = nextDot(input, dot + 1)) {
      const after = input[dot + 1]
      if (after === undefined || (after === CR && input[dot + 2] === undefined)) {
        this.#held = input.subarray(dot)
        this.#lineEnd = 'crlf'
        return { content: content.upTo(dot), rest: null }
      }
      if (after === CR && input[dot + 2] === LF)
        return { content: content.upTo(dot), rest: input.subarray(dot + 3) }
      content.leaveOut(dot)
    }
    this.#lineEnd = this.#lineEndOf(input)
    return { content: content.upTo(input.length), rest: null }
  }

  #firstDot(input: Buffer): number {
    if (this.#lineEnd === 'crlf' && input[0] === DOT) return 0
    if (this.#lineEnd === 'cr' && input[0] === LF && input[1] === DOT) return 1
    return nextDot(input, 0)
  }

  #lineEndOf(input: Buffer): 'none' | 'cr' | 'crlf' {
    if (input.length === 0) return this.#lineEnd
    const last = input[input.length - 1]
    if (last === CR) return 'cr'
    const before = input.length > 1 ? input[input.length - 2] === CR : this.#lineEnd === 'cr'
    return last === LF && before ? 'crlf' : 'none'
  }
}

const nothing = Buffer.alloc(0)
const CR = 0x0d
const LF = 0x0a
const DOT = 0x2e

function nextDot(input: Buffer, from: number): number {
  const at = input.indexOf('\r\n.', from, 'latin1')
  return at === -1 ? -1 : at + 2
}

/**
 * The input without some of its octets; they are taken out where it lies, as nobody else reads it any more. What stands
 * behind the last octet left out is not moved before `upTo`.
 */
class Unstuffed {
  readonly #input: Buffer
  #length = 0
  #from = 0

  constructor(input: Buffer) {
    this.#input = input
  }

  leaveOut(at: number): void {
    this.#keep(at)
    this.#from = at + 1
  }

  upTo(end: number): Buffer {
    this.#keep(end)
    return this.#input.subarray(0, this.#length)
  }

  #keep(end: number): void {
    if (this.#from > 0) this.#input.copyWithin(this.#length, this.#from, end)
    this.#length += end - this.#from
  }
}
