/**
 * The octets between DATA and its reply (RFC 5321 §4.5.2): the stored body, with a dot before each line that
 * begins with one, and the final dot. The dot leaves in one write with the last piece of the body, and only
 * when the whole body was there: a source that fails or ends early never gets one.
 *
 * Stored bodies have CRLF line ends. Should one hold a bare CR or LF, it goes out as CRLF: passed on raw it
 * could end the data early at the next hop and smuggle a message in.
 */
import type { Writable } from 'node:stream'

/** Enough to keep a fast connection busy, little enough that one piece shows progress on a slow one. */
const pieceBytes = 64 * 1024

const CR = 0x0d
const LF = 0x0a
const dot = 0x2e
const nothing: Buffer = Buffer.alloc(0)

export interface TransmitOptions {
  /** Of the body as it is stored; a body of another length is not the message that was accepted. */
  readonly sizeBytes: number
  /** A piece has been taken by the operating system. */
  readonly onProgress: () => void
  /** The final dot is handed over now: from here on the host may have the message. */
  readonly onDot: () => void
}

/** Resolves when the operating system has taken everything; rejects where the body or the socket failed. */
export async function transmit(
  socket: Writable,
  body: Buffer | AsyncIterable<Buffer>,
  options: TransmitOptions,
): Promise<void> {
  const stuffing = new DotStuffing()
  let bytes = 0
  let held = nothing
  for await (const chunk of Buffer.isBuffer(body) ? [body] : body) {
    for (let from = 0; from < chunk.length; from += pieceBytes) {
      if (held.length > 0) {
        await written(socket, held)
        options.onProgress()
      }
      const piece = chunk.subarray(from, from + pieceBytes)
      bytes += piece.length
      held = stuffing.stuff(piece)
    }
  }
  if (bytes !== options.sizeBytes)
    throw new Error(`The body has ${bytes} bytes instead of ${options.sizeBytes}`)
  options.onDot()
  await written(socket, held, stuffing.end())
}

/** One write, however many pieces: a last small one would wait for the peer's delayed ACK, or cost a TLS record. */
function written(socket: Writable, ...pieces: readonly Buffer[]): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.cork()
    for (const [index, piece] of pieces.entries()) {
      if (index < pieces.length - 1) socket.write(piece)
      else socket.write(piece, (error) => (error ? reject(error) : resolve()))
    }
    socket.uncork()
  })
}

/** Keeps the last octet between pieces, so that a line end split by a boundary is one line end. */
export class DotStuffing {
  /** Data begins at the start of a line. */
  #last = LF

  stuff(piece: Buffer): Buffer {
    if (piece.length === 0) return piece
    const insertAt = hasBareCr(piece) ? everyOctet : everyLine
    const parts: Buffer[] = []
    let from = 0
    insertAt(piece, this.#last, (at, insertion) => {
      parts.push(piece.subarray(from, at), insertion)
      from = at
    })
    this.#last = piece[piece.length - 1]!
    if (parts.length === 0) return piece
    parts.push(piece.subarray(from))
    return Buffer.concat(parts)
  }

  /** The final dot on a line of its own. */
  end(): Buffer {
    if (this.#last === LF) return endings.atLineStart
    return this.#last === CR ? endings.afterCr : endings.inLine
  }
}

const endings = {
  atLineStart: Buffer.from('.\r\n'),
  afterCr: Buffer.from('\n.\r\n'),
  inLine: Buffer.from('\r\n.\r\n'),
}
const insertions = {
  lf: Buffer.from('\n'),
  lfDot: Buffer.from('\n.'),
  cr: Buffer.from('\r'),
  dot: Buffer.from('.'),
}

type Insert = (at: number, insertion: Buffer) => void

/** Native searches are many times as fast as a look at each octet, and no mail but damaged mail has a bare CR. */
function everyLine(piece: Buffer, last: number, insert: Insert): void {
  const first = insertionBetween(last, piece[0]!)
  if (first !== null) insert(0, first)
  for (let at = piece.indexOf(LF); at >= 0; at = piece.indexOf(LF, at + 1)) {
    if (at > 0 && piece[at - 1] !== CR) insert(at, insertions.cr)
    if (piece[at + 1] === dot) insert(at + 1, insertions.dot)
  }
}

function everyOctet(piece: Buffer, last: number, insert: Insert): void {
  for (const [at, octet] of piece.entries()) {
    const insertion = insertionBetween(last, octet)
    if (insertion !== null) insert(at, insertion)
    last = octet
  }
}

function hasBareCr(piece: Buffer): boolean {
  for (let at = piece.indexOf(CR); at >= 0; at = piece.indexOf(CR, at + 1))
    if (at + 1 < piece.length && piece[at + 1] !== LF) return true
  return false
}

function insertionBetween(last: number, octet: number): Buffer | null {
  if (last === CR && octet !== LF) return octet === dot ? insertions.lfDot : insertions.lf
  if (octet === LF && last !== CR) return insertions.cr
  return octet === dot && last === LF ? insertions.dot : null
}
