/**
 * Writes content in a transfer encoding (RFC 2045 §6.7, §6.8), chunk by chunk; any split gives the same lines. What it
 * writes decodes to the very octets it was given, in lines of 76 at most.
 */
import type { Rewriter } from './body-change.ts'

export type WrittenEncoding = 'identity' | 'quoted-printable' | 'base64'

export function encoder(encoding: WrittenEncoding): Rewriter {
  if (encoding === 'base64') return new Base64Encoder()
  if (encoding === 'quoted-printable') return new QuotedPrintableEncoder()
  return { write: (bytes) => bytes, end: () => nothing }
}

/** All of it at once. */
export function encodeAll(encoding: WrittenEncoding, bytes: Buffer): Buffer {
  const whole = encoder(encoding)
  return Buffer.concat([whole.write(bytes), whole.end()])
}

const nothing = Buffer.alloc(0)
/** Octets that make a line of 76 characters. */
const base64Line = 57
/** A soft line break needs the 76th character for its `=`. */
const quotedLine = 75

const CR = 0x0d
const LF = 0x0a
const space = 0x20
const tab = 0x09
const equals = 0x3d

class Base64Encoder implements Rewriter {
  #rest: Buffer = nothing
  #begun = false

  write(bytes: Buffer): Buffer {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const whole = all.length - (all.length % base64Line)
    this.#rest = Buffer.from(all.subarray(whole))
    return this.#lines(all.subarray(0, whole))
  }

  end(): Buffer {
    return this.#lines(this.#rest)
  }

  /** Line breaks stand between lines: the one behind the last belongs to a delimiter. */
  #lines(bytes: Buffer): Buffer {
    const lines: string[] = []
    for (let at = 0; at < bytes.length; at += base64Line)
      lines.push(bytes.toString('base64', at, Math.min(at + base64Line, bytes.length)))
    if (lines.length === 0) return nothing
    const joined = (this.#begun ? '\r\n' : '') + lines.join('\r\n')
    this.#begun = true
    return Buffer.from(joined, 'latin1')
  }
}

class QuotedPrintableEncoder implements Rewriter {
  #line = ''
  /** A blank that is not to stand at the end of a line, or a CR that a LF may follow. */
  #held: '' | ' ' | '\t' | '\r' = ''

  write(bytes: Buffer): Buffer {
    let written = ''
    for (const octet of bytes) written += this.#take(octet)
    return Buffer.from(written, 'latin1')
  }

  end(): Buffer {
    const written = this.#putHeld({ literal: false }) + this.#line
    this.#line = ''
    return Buffer.from(written, 'latin1')
  }

  #take(octet: number): string {
    if (this.#held === '\r' && octet === LF) {
      const line = `${this.#line}\r\n`
      this.#line = ''
      this.#held = ''
      return line
    }
    // A blank before a line break would be lost on its way, before anything else it is safe.
    const written = this.#putHeld({ literal: octet !== CR })
    if (octet === CR) {
      this.#held = '\r'
      return written
    }
    if (octet === space || octet === tab) {
      this.#held = octet === space ? ' ' : '\t'
      return written
    }
    const literal = octet > space && octet < 0x7f && octet !== equals
    return written + this.#put(literal ? String.fromCharCode(octet) : hex(octet))
  }

  #putHeld({ literal }: { literal: boolean }): string {
    const held = this.#held
    this.#held = ''
    if (held === '') return ''
    return this.#put(literal && held !== '\r' ? held : hex(held.charCodeAt(0)))
  }

  #put(piece: string): string {
    if (this.#line.length + piece.length <= quotedLine) {
      this.#line += piece
      return ''
    }
    const line = `${this.#line}=\r\n`
    this.#line = piece
    return line
  }
}

const hex = (octet: number): string => `=${octet.toString(16).toUpperCase().padStart(2, '0')}`
