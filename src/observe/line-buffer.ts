/**
 * Lines on their way to a file, kept as the octets that they will be there. They are encoded as they come: kept as
 * strings, each made of dozens of pieces, thousands of them would grow old before they are written, and what grows old
 * costs the collector most. Two pieces of memory take turns, so that nothing is made for each batch.
 */

const initialBytes = 64 * 1024
/** Memory that grew beyond this, as nobody could write for long, is not kept. */
const mostKeptBytes = 1024 ** 2

export class LineBuffer {
  #bytes: Buffer = Buffer.allocUnsafeSlow(initialBytes)
  #length = 0
  #other: Buffer | null = null

  get length(): number {
    return this.#length
  }

  /** How many octets the line took; 0, and it was not added, where it has more than `mostBytes`. */
  add(line: string, mostBytes: number): number {
    const room = Math.min(mostBytes, this.#bytes.length - this.#length)
    // A character has three octets at most.
    if (line.length * 3 > room) {
      const needed = Buffer.byteLength(line)
      if (needed > mostBytes) return 0
      if (needed > this.#bytes.length - this.#length) this.#grow(needed)
    }
    const bytes = this.#bytes.write(line, this.#length)
    this.#length += bytes
    return bytes
  }

  /** All that was added, which is then no longer here. It stands until the next `take`. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
    const next = this.#other
    this.#other = this.#bytes.length > mostKeptBytes ? null : this.#bytes
    this.#bytes = next ?? Buffer.allocUnsafeSlow(initialBytes)
    this.#length = 0
    return taken
  }

  #grow(by: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + by))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}
