/**
 * Puts text into a part while it streams: its transfer encoding is taken off, its character set changed where that
 * must be, the text put in at one place, and all encoded again. The old octets come out as they went in.
 */

import type { TransferEncoding } from '../content/part-header.ts'
import { decoder } from '../content/transfer-encoding.ts'
import type { Rewriter } from './body-change.ts'
import { convertToUtf8 } from './text-carriage.ts'
import { encoder, type WrittenEncoding } from './transfer-encoder.ts'

export interface Insertion {
  /** Octets of the content before it, decoded and converted. */
  readonly at: number
  readonly bytes: Buffer
}

export interface PartRewriting {
  readonly decode: TransferEncoding
  /** Null where the character set stays. */
  readonly convertFrom: string | null
  readonly insertion: Insertion
  readonly encode: WrittenEncoding
  /** No delimiter follows, whose line break would end the last line. */
  readonly isRoot: boolean
}

export function partRewriter(rewriting: PartRewriting): Rewriter {
  return chain([
    decoding(rewriting.decode),
    ...(rewriting.convertFrom === null ? [] : [convertToUtf8(rewriting.convertFrom)]),
    new Inserter(rewriting.insertion),
    encoder(rewriting.encode),
    ...(rewriting.isRoot && rewriting.encode === 'base64' ? [lineEnd] : []),
  ])
}

const lineEnd: Rewriter = { write: (bytes) => bytes, end: () => Buffer.from('\r\n') }

/** The decoder pushes; here what it has is pulled after each chunk. */
export function decoding(encoding: TransferEncoding): Rewriter {
  let decoded: Buffer[] = []
  const sink = { write: (bytes: Buffer) => void decoded.push(bytes), end: () => {} }
  const own = decoder(encoding, { sink, ambiguous: () => {} })
  const take = (): Buffer => {
    const bytes = decoded.length === 1 ? decoded[0]! : Buffer.concat(decoded)
    decoded = []
    return bytes
  }
  return {
    write(bytes) {
      own.write(bytes)
      return take()
    },
    end() {
      own.end()
      return take()
    },
  }
}

function chain(steps: readonly Rewriter[]): Rewriter {
  const pass = (bytes: Buffer, from: number): Buffer =>
    steps.slice(from).reduce((passed, step) => step.write(passed), bytes)
  return {
    write: (bytes) => pass(bytes, 0),
    end: () => Buffer.concat(steps.map((step, index) => pass(step.end(), index + 1))),
  }
}

class Inserter implements Rewriter {
  readonly #insertion: Insertion
  #passed = 0
  #done = false

  constructor(insertion: Insertion) {
    this.#insertion = insertion
  }

  write(bytes: Buffer): Buffer {
    const before = this.#insertion.at - this.#passed
    this.#passed += bytes.length
    // At the end of a chunk it waits: the end of the content comes last.
    if (this.#done || before >= bytes.length) return bytes
    this.#done = true
    return Buffer.concat([bytes.subarray(0, before), this.#insertion.bytes, bytes.subarray(before)])
  }

  end(): Buffer {
    return this.#done ? Buffer.alloc(0) : this.#insertion.bytes
  }
}
