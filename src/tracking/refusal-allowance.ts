/**
 * How much of the history messages may take that we refused: they are one client's mistake most often, repeated a
 * thousand times, and the files are kept by size. They get a quarter of what accepted mail takes, and a tenth
 * of all where there is little mail; what is beyond that stands in the mail log alone. Pure.
 */
import type { Keeping } from './files.ts'

/** Some two thousand lines, so that what happens in a moment is there whole. */
const mostChars = 1024 ** 2
const ofMail = 4
const ofAll = 10

export class RefusalAllowance {
  readonly #charsPerMs: number
  #chars = mostChars
  #at: number

  constructor({ keepMs, maxBytes, now }: Keeping & { readonly now: number }) {
    this.#charsPerMs = maxBytes / ofAll / keepMs
    this.#at = now
  }

  /** Accepted mail took that much. */
  earn(chars: number): void {
    this.#chars = Math.min(mostChars, this.#chars + chars / ofMail)
  }

  /** False where so much is not allowed now. */
  spend(chars: number, now: number): boolean {
    // A clock that was set back costs nothing.
    const passedMs = Math.max(0, now - this.#at)
    this.#at = now
    this.#chars = Math.min(mostChars, this.#chars + passedMs * this.#charsPerMs)
    if (chars > this.#chars) return false
    this.#chars -= chars
    return true
  }
}
