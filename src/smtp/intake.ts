/**
 * A message on its way in, judged while it streams: size, header size, line length, bare CR and LF, NUL, and
 * the number of hops. Pure, and independent of how the network cut the message: every split gives the same
 * bytes, the same facts and the same refusal, the one for the earliest octet that is wrong.
 *
 * Bare CR and LF are what smuggling needs (two readings of where a message ends), so they never pass through
 * as they came: `reject` refuses the message, `repair` writes CRLF. Repair changes bytes, so it breaks
 * signatures made before.
 */
import { isAscii } from 'node:buffer'
import { permanent, printable, type Reply } from '../reply.ts'
import { tooLarge } from './parameters.ts'
import type { MessageLimits } from './transaction.ts'

export interface IntakeFacts {
  /** With the empty line that ends it; all of the message where it has no body. */
  readonly header: Buffer
  readonly sizeBytes: number
  readonly eightBit: boolean
  /** How many bare CR and LF became CRLF. */
  readonly repaired: number
  readonly receivedCount: number
  /** The first Message-ID field; null where there is none. */
  readonly messageId: string | null
  /** The first of Exchange's fields that names the message in its organisation; null where there is none. */
  readonly networkMessageId: string | null
  readonly hasFinalNewline: boolean
}

export class MessageRefused extends Error {
  override name = 'MessageRefused'
  readonly reply: Reply

  constructor(reply: Reply) {
    super(reply.text)
    this.reply = reply
  }
}

export class Intake {
  readonly #limits: MessageLimits
  readonly #header: HeaderCollector
  #sizeBytes = 0
  #lineAt = 0
  #endsWithCr = false
  #endsWithLf = false
  #eightBit = false
  #repaired = 0
  /** A CR at the end of a chunk was completed to CRLF; the LF that may follow is then dropped. */
  #completedCr = false

  constructor(limits: MessageLimits) {
    this.#limits = limits
    this.#header = new HeaderCollector(limits)
  }

  /** The bytes to keep: the chunk itself, unless something in it was repaired. Throws `MessageRefused`. */
  write(chunk: Buffer): Buffer {
    const bytes = this.#limits.bareNewlines === 'repair' ? this.#repair(chunk) : chunk
    if (bytes.length > 0) this.#check(bytes)
    return bytes
  }

  end(): IntakeFacts {
    if (this.#endsWithCr) throw new MessageRefused(bareNewline)
    if (this.#completedCr) this.#repaired++
    const { header, receivedCount, messageId, networkMessageId } = this.#header.end()
    return {
      header,
      receivedCount,
      messageId,
      networkMessageId,
      sizeBytes: this.#sizeBytes,
      eightBit: this.#eightBit,
      repaired: this.#repaired,
      hasFinalNewline: this.#endsWithLf,
    }
  }

  /**
   * Large pieces are checked as one. Where one fails, its halves are checked in their order, down to the
   * octet that is to blame: so the refusal does not depend on the split, and clean mail pays nothing for it.
   */
  #check(bytes: Buffer): void {
    const refusal = this.#take(bytes)
    if (refusal === null) return
    if (bytes.length > 1) {
      const half = bytes.length >> 1
      this.#check(bytes.subarray(0, half))
      this.#check(bytes.subarray(half))
    }
    throw new MessageRefused(refusal)
  }

  /** Null where the piece is clean and counted; else the refusal, and nothing has changed. */
  #take(bytes: Buffer): Reply | null {
    const lineAt = this.#scanLines(bytes)
    if (typeof lineAt !== 'number') return lineAt
    const sizeBytes = this.#sizeBytes + bytes.length
    if (sizeBytes - lineAt > this.#limits.maxLineLength) return this.#lineTooLong()
    if (bytes.includes(0)) return permanent('6.0', 'The message contains a NUL octet', 554)
    if (sizeBytes > this.#limits.maxMessageSize) return tooLarge(this.#limits)
    const refusal = this.#header.take(bytes)
    if (refusal !== null) return refusal
    this.#sizeBytes = sizeBytes
    this.#lineAt = lineAt
    const last = bytes[bytes.length - 1]
    this.#endsWithCr = last === CR
    this.#endsWithLf = last === LF
    if (!this.#eightBit) this.#eightBit = !isAscii(bytes)
    return null
  }

  /** Where the unfinished last line of the piece begins in the message, or the refusal of a line in it. */
  #scanLines(bytes: Buffer): number | Reply {
    if (this.#endsWithCr && bytes[0] !== LF) return bareNewline
    let lineAt = this.#lineAt
    let at = 0
    if (this.#endsWithCr) {
      lineAt = this.#sizeBytes + 1
      at = 1
      if (lineAt - this.#lineAt > this.#limits.maxLineLength) return this.#lineTooLong()
    }
    for (;;) {
      const cr = indexOf.call(bytes, CR, at)
      const lf = indexOf.call(bytes, LF, at)
      if (lf === -1) return cr === -1 || cr === bytes.length - 1 ? lineAt : bareNewline
      if (cr === -1 || cr !== lf - 1) return bareNewline
      at = lf + 1
      const nextAt = this.#sizeBytes + at
      if (nextAt - lineAt > this.#limits.maxLineLength) return this.#lineTooLong()
      lineAt = nextAt
    }
  }

  #repair(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk
    let text = chunk.toString('latin1')
    if (this.#completedCr) {
      if (text.startsWith('\n')) text = text.slice(1)
      else this.#repaired++
    }
    this.#completedCr = text.endsWith('\r')
    if (text.length === chunk.length && !this.#completedCr && !hasBareNewline(text)) return chunk
    const bodyEnd = this.#completedCr ? text.length - 1 : text.length
    const repaired = text.slice(0, bodyEnd).replace(/\r\n|\r|\n/g, (newline) => {
      if (newline.length === 1) this.#repaired++
      return '\r\n'
    })
    return Buffer.from(this.#completedCr ? `${repaired}\r\n` : repaired, 'latin1')
  }

  #lineTooLong(): Reply {
    return permanent('6.0', `A line is longer than ${this.#limits.maxLineLength} bytes`, 554)
  }
}

/** Looked up once: V8 does not inline what is looked up on a buffer, and mail has many lines. */
const { indexOf } = Buffer.prototype
const CR = 0x0d
const LF = 0x0a
const bareNewline = permanent('6.11', 'The message contains a bare CR or LF; lines must end with CRLF')

function hasBareNewline(text: string): boolean {
  for (let at = 0; ; ) {
    const cr = text.indexOf('\r', at)
    const lf = text.indexOf('\n', at)
    if (lf === -1) return cr !== -1
    if (cr === -1 || cr !== lf - 1) return true
    at = lf + 1
  }
}

/** Keeps the header until its empty line has come, then reads from it what the relay itself must know. */
class HeaderCollector {
  readonly #limits: MessageLimits
  #kept: Buffer = nothing
  #length = 0
  /** The last octets before the next piece: a message that begins with an empty line has an empty header. */
  #tail = '\r\n'
  #facts: HeaderFacts | null = null

  constructor(limits: MessageLimits) {
    this.#limits = limits
  }

  take(bytes: Buffer): Reply | null {
    if (this.#facts !== null) return null
    const emptyLine = this.#emptyLineEnd(bytes)
    const end = emptyLine === -1 ? bytes.length : emptyLine
    if (this.#length + end > this.#limits.maxHeaderSize)
      return permanent('3.4', `The header is larger than ${this.#limits.maxHeaderSize} bytes`, 552)
    const header = bytes.subarray(0, end)
    if (emptyLine === -1) {
      this.#append(header)
      this.#tail = (this.#tail + bytes.toString('latin1', Math.max(0, bytes.length - 3))).slice(-3)
      return null
    }
    const facts = readHeader(this.#length === 0 ? header : this.#joined(header))
    if (facts.receivedCount > this.#limits.maxHops) return tooManyHops
    this.#facts = facts
    this.#kept = nothing
    return null
  }

  /** Where the header ends in this piece; -1 where it goes on. */
  #emptyLineEnd(bytes: Buffer): number {
    const seam = (this.#tail + bytes.toString('latin1', 0, 3)).indexOf('\r\n\r\n')
    if (seam !== -1) return seam + 4 - this.#tail.length
    const at = bytes.indexOf('\r\n\r\n', 0, 'latin1')
    return at === -1 ? -1 : at + 4
  }

  end(): HeaderFacts {
    if (this.#facts !== null) return this.#facts
    const facts = readHeader(this.#kept.subarray(0, this.#length))
    if (facts.receivedCount > this.#limits.maxHops) throw new MessageRefused(tooManyHops)
    return facts
  }

  /** One growing buffer: a client that sends octet by octet must not cost an object for each. */
  #append(bytes: Buffer): void {
    const length = this.#length + bytes.length
    if (length > this.#kept.length) {
      const grown = Buffer.allocUnsafe(Math.max(4096, length * 2))
      this.#kept.copy(grown, 0, 0, this.#length)
      this.#kept = grown
    }
    bytes.copy(this.#kept, this.#length)
    this.#length = length
  }

  #joined(last: Buffer): Buffer {
    return Buffer.concat([this.#kept.subarray(0, this.#length), last])
  }
}

const nothing = Buffer.alloc(0)
const tooManyHops = permanent('4.6', 'Too many hops: the message has been relayed too often', 554)

type HeaderFacts = Pick<IntakeFacts, 'header' | 'receivedCount' | 'messageId' | 'networkMessageId'>

/** White space before the colon is obsolete (RFC 5322 §4.5), but a loop must be seen all the same. */
const received = /received[ \t]*:/iy
const messageIdField = /message-id[ \t]*:/iy
const restOfField = /(?:[^\r]|\r\n[ \t])*/y
const networkMessageIdField =
  /x-ms-exchange-organization-network-message-id:[ \t]*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\r\n/iy

function readHeader(header: Buffer): HeaderFacts {
  const text = header.toString('latin1')
  let receivedCount = 0
  let messageId: string | null = null
  let networkMessageId: string | null = null
  for (let at = 0; at < text.length; ) {
    const initial = text.charCodeAt(at) | 0x20
    if (initial === 0x72) {
      received.lastIndex = at
      if (received.test(text)) receivedCount++
    } else if (initial === 0x6d && messageId === null) {
      messageIdField.lastIndex = at
      if (messageIdField.test(text))
        messageId = readMessageId(header, { text, from: messageIdField.lastIndex })
    } else if (initial === 0x78 && networkMessageId === null) {
      networkMessageIdField.lastIndex = at
      networkMessageId = networkMessageIdField.exec(text)?.[1] ?? null
    }
    const lineFeed = text.indexOf('\n', at)
    at = lineFeed === -1 ? text.length : lineFeed + 1
  }
  return { header, receivedCount, messageId, networkMessageId }
}

/** Read from the octets: cut out of the text, it would keep all of the text in memory for as long as the item lives. */
function readMessageId(header: Buffer, { text, from }: { text: string; from: number }): string | null {
  restOfField.lastIndex = from
  restOfField.test(text)
  const value = header.toString('latin1', from, restOfField.lastIndex).replace(/\r\n/g, '').trim()
  return value ? printable(value) : null
}
