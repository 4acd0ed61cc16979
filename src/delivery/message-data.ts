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
/** Looked up once: V8 does not inline what is looked up on a buffer, and mail has many lines. */
const { indexOf } = Buffer.prototype
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
  const outgoing = new Outgoing(socket, options)
  if (Buffer.isBuffer(body) && body.length <= pieceBytes) outgoing.hold(body)
  else for await (const chunk of Buffer.isBuffer(body) ? [body] : body) await outgoing.add(chunk)
  await outgoing.end()
}

/** Each piece is held until it is known whether it is the last one, and the dot goes with it. */
class Outgoing {
  readonly #socket: Writable
  readonly #options: TransmitOptions
  readonly #stuffing = new DotStuffing()
  #bytes = 0
  #held = nothing

  constructor(socket: Writable, options: TransmitOptions) {
    this.#socket = socket
    this.#options = options
  }

  async add(chunk: Buffer): Promise<void> {
    for (let from = 0; from < chunk.length; from += pieceBytes) {
      if (this.#held.length > 0) {
        await written(this.#socket, this.#held)
        this.#options.onProgress()
      }
      this.hold(chunk.subarray(from, from + pieceBytes))
    }
  }

  hold(piece: Buffer): void {
    this.#bytes += piece.length
    this.#held = this.#stuffing.stuff(piece)
  }

  end(): Promise<void> {
    const { sizeBytes } = this.#options
    if (this.#bytes !== sizeBytes)
      throw new Error(`The body has ${this.#bytes} bytes instead of ${sizeBytes}`)
    this.#options.onDot()
    return written(this.#socket, this.#held, this.#stuffing.end())
  }
}

/** One write also with a second piece: a small one alone would wait for the peer's delayed ACK, or cost a TLS record. */
function written(socket: Writable, piece: Buffer, last: Buffer | null = null): Promise<void> {
  return new Promise((resolve, reject) => {
    const taken = (error: Error | null | undefined) => (error ? reject(error) : resolve())
    if (last === null) {
      socket.write(piece, taken)
      return
    }
    socket.cork()
    socket.write(piece)
    socket.write(last, taken)
    socket.uncork()
  })
}

/** Keeps the last octet between pieces, so that a line end split by a boundary is one line end. */
export class DotStuffing {
  /** Data begins at the start of a line. */
  #last = LF

  stuff(piece: Buffer): Buffer {
    if (piece.length === 0) return piece
    const last = this.#last
    this.#last = piece[piece.length - 1]!
    const dots = missingDots(piece, last)
    if (dots === null) return repaired(piece, last)
    return dots.length === 0 ? piece : withDots(piece, dots)
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

/**
 * Before which octets a dot has to be inserted; null where there are bare CR or LF. Native searches are many times as
 * fast as a look at each octet: where each LF stands right behind the next CR, none of them is bare.
 */
function missingDots(piece: Buffer, last: number): readonly number[] | null {
  const first = insertionBetween(last, piece[0]!)
  if (first !== null && first !== insertions.dot) return null
  const dots = first === null ? [] : [0]
  // Behind a CR of the piece before, an LF is no bare one.
  for (let at = piece[0] === LF ? 1 : 0, isLine = at === 1; ; isLine = true) {
    if (isLine && piece[at] === dot) dots.push(at)
    const lineFeed = indexOf.call(piece, LF, at)
    const carriageReturn = indexOf.call(piece, CR, at)
    if (lineFeed === -1) return carriageReturn === -1 || carriageReturn === piece.length - 1 ? dots : null
    if (carriageReturn !== lineFeed - 1) return null
    at = lineFeed + 1
  }
}

function withDots(piece: Buffer, dots: readonly number[]): Buffer {
  const stuffed = Buffer.allocUnsafe(piece.length + dots.length)
  let length = 0
  let from = 0
  for (const at of dots) {
    length += piece.copy(stuffed, length, from, at)
    stuffed[length++] = dot
    from = at
  }
  piece.copy(stuffed, length, from)
  return stuffed
}

/** Octet by octet: no mail but damaged mail comes here. */
function repaired(piece: Buffer, last: number): Buffer {
  const parts: Buffer[] = []
  let from = 0
  for (const [at, octet] of piece.entries()) {
    const insertion = insertionBetween(last, octet)
    if (insertion !== null) {
      parts.push(piece.subarray(from, at), insertion)
      from = at
    }
    last = octet
  }
  parts.push(piece.subarray(from))
  return Buffer.concat(parts)
}

function insertionBetween(last: number, octet: number): Buffer | null {
  if (last === CR && octet !== LF) return octet === dot ? insertions.lfDot : insertions.lf
  if (octet === LF && last !== CR) return insertions.cr
  return octet === dot && last === LF ? insertions.dot : null
}
