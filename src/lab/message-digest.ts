/**
 * What the ledger needs to know of a message, gathered while its content streams by: size, the hash of its
 * body, its Message-ID and the mark of the load run that sent it. The hash covers what follows the header
 * block, so that the trace fields each hop adds do not change it. Nothing but an unfinished header block is held.
 */
import { createHash, type Hash, hash } from 'node:crypto'

/** `X-Relay-Load: run=a1b2; seq=17; sha256=…`: which message of which run this is. */
export interface LoadMark {
  readonly run: string
  readonly seq: number
  /** Hash of the body as the load generator made it. */
  readonly sha256: string
}

export interface MessageFacts {
  readonly sizeBytes: number
  /** Of the body, in hex. */
  readonly sha256: string
  readonly messageId: string | null
  readonly mark: LoadMark | null
}

export const loadMarkField = 'X-Relay-Load'

export function formatLoadMark(mark: LoadMark): string {
  return `run=${mark.run}; seq=${mark.seq}; sha256=${mark.sha256}`
}

export function parseLoadMark(value: string): LoadMark | null {
  const match = /^\s*run=([\w.-]{1,64});\s*seq=(\d{1,15});\s*sha256=([0-9a-f]{64})\s*$/.exec(value)
  return match ? { run: match[1]!, seq: Number(match[2]), sha256: match[3]! } : null
}

const headerEnd = Buffer.from('\r\n\r\n')
const emptyLine = Buffer.from('\r\n')
/** A header block beyond this is taken for one without the fields that are looked for. */
const longestHeader = 1024 ** 2

export class MessageDigest {
  #sizeBytes = 0
  /** The beginning of the message while its header block has not ended; null afterwards. */
  #opening: Buffer | null = Buffer.alloc(0)
  #header = ''
  /** The first piece of the body: most messages have no second, and hashing at once is cheaper. */
  #firstPiece: Buffer | null = null
  #hash: Hash | null = null

  update(content: Buffer): void {
    if (content.length === 0) return
    this.#sizeBytes += content.length
    if (this.#opening === null) this.#hashPiece(content)
    else this.#readHeader(this.#opening.length === 0 ? content : Buffer.concat([this.#opening, content]))
  }

  finish(): MessageFacts {
    if (this.#opening !== null) this.#header = this.#opening.toString('latin1')
    return {
      sizeBytes: this.#sizeBytes,
      sha256: this.#hash?.digest('hex') ?? hash('sha256', this.#firstPiece ?? '', 'hex'),
      messageId: field(this.#header, /^message-id:[ \t]*(.*(?:\r\n[ \t].*)*)/im),
      mark: parseLoadMark(field(this.#header, /^x-relay-load:[ \t]*(.*(?:\r\n[ \t].*)*)/im) ?? ''),
    }
  }

  #readHeader(opening: Buffer): void {
    const end = endOfHeader(opening)
    if (end === null && opening.length <= longestHeader) {
      this.#opening = opening
      return
    }
    this.#opening = null
    if (end !== null) this.#header = opening.toString('latin1', 0, end)
    this.#hashPiece(end === null ? opening : opening.subarray(end))
  }

  #hashPiece(piece: Buffer): void {
    if (this.#hash !== null) this.#hash.update(piece)
    else if (this.#firstPiece === null) this.#firstPiece = piece
    else this.#hash = createHash('sha256').update(this.#firstPiece).update(piece)
  }
}

/** Where the body begins; null where the header block has not ended. */
function endOfHeader(opening: Buffer): number | null {
  if (opening.subarray(0, 2).equals(emptyLine)) return 2
  const at = opening.indexOf(headerEnd)
  return at < 0 ? null : at + headerEnd.length
}

function field(header: string, pattern: RegExp): string | null {
  const match = pattern.exec(header)
  return match ? match[1]!.replaceAll('\r\n', '').trim() : null
}
