/**
 * A new body, handed on while the filter still sends it. Its lines end with CRLF, whatever the filter wrote: Sendmail and
 * Postfix repair that too, and a bare CR or LF is what smuggling needs (see intake.ts).
 */
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { BodySource } from '../../message/draft.ts'
import { MilterError } from './milter-protocol.ts'

export interface ReplacedBodyOptions {
  readonly keep: (chunks: AsyncIterable<Buffer>) => Promise<BodySource>
  readonly mostBytes: number
}

export class ReplacedBody {
  readonly #pieces = new PassThrough()
  readonly #kept: Promise<BodySource>
  readonly #newlines = new NewlineRepair()
  #remaining: number

  constructor({ keep, mostBytes }: ReplacedBodyOptions) {
    this.#remaining = mostBytes
    // Whoever destroys it has the reason.
    this.#pieces.on('error', () => undefined)
    this.#kept = keep(this.#pieces)
    this.#kept.catch(() => undefined)
  }

  /** Resolves when more may come. */
  async write(piece: Buffer): Promise<void> {
    this.#remaining -= piece.length
    if (this.#remaining < 0) throw new MilterError('sends a body without end')
    await this.#pass(this.#newlines.repair(piece))
  }

  async end(): Promise<BodySource> {
    await this.#pass(this.#newlines.end())
    this.#pieces.end()
    return this.#kept
  }

  /** The message does not need it any more. */
  abandon(): void {
    this.#pieces.destroy(new Error('The new body was given up'))
  }

  async #pass(bytes: Buffer): Promise<void> {
    if (bytes.length === 0 || this.#pieces.write(bytes)) return
    await Promise.race([once(this.#pieces, 'drain'), this.#kept])
  }
}

/** However the pieces are cut. */
class NewlineRepair {
  /** A CR at the end of a piece waits for the LF that may follow. */
  #endsWithCr = false

  repair(piece: Buffer): Buffer {
    if (piece.length === 0) return piece
    const text = (this.#endsWithCr ? '\r' : '') + piece.toString('latin1')
    this.#endsWithCr = text.endsWith('\r')
    const whole = this.#endsWithCr ? text.slice(0, -1) : text
    return Buffer.from(whole.replace(/\r\n|\r|\n/g, '\r\n'), 'latin1')
  }

  end(): Buffer {
    return Buffer.from(this.#endsWithCr ? '\r\n' : '')
  }
}
