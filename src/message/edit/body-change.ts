/**
 * A body of which some stretches are written anew while it streams; all other bytes pass as they are. It can be
 * read as often as the body it is made of, and holds no more of it in memory than a chunk.
 */
import type { BodySource } from '../draft.ts'

/** Takes the old bytes of a stretch, chunk by chunk, and gives the new ones. */
export interface Rewriter {
  write(bytes: Buffer): Buffer
  end(): Buffer
}

export interface BodyChange {
  /** Octets of the body before the stretch, and before what follows it. */
  readonly from: number
  readonly to: number
  /** Asked once for each reading. */
  readonly rewriter: () => Rewriter
}

/** Other bytes instead of the stretch. */
export function replaceBy(bytes: Buffer): () => Rewriter {
  return () => ({ write: () => nothing, end: () => bytes })
}

/** The changes stand in their order and do not overlap. */
export function changedBody(body: BodySource, changes: readonly BodyChange[]): BodySource {
  return {
    async *read() {
      const reading = new Reading(changes)
      for await (const chunk of body.read()) yield* reading.take(chunk)
      yield* reading.end()
    },
  }
}

const nothing = Buffer.alloc(0)

class Reading {
  readonly #changes: readonly BodyChange[]
  #next = 0
  /** Of the stretch that is being read; null between stretches. */
  #rewriter: Rewriter | null = null
  /** Octets of the body that were taken. */
  #at = 0

  constructor(changes: readonly BodyChange[]) {
    this.#changes = changes
  }

  *take(chunk: Buffer): Generator<Buffer> {
    let rest = chunk
    while (rest.length > 0) {
      const change = this.#changes[this.#next]
      const until = change === undefined ? Number.POSITIVE_INFINITY : this.#rewriter ? change.to : change.from
      const piece = rest.subarray(0, until - this.#at)
      rest = rest.subarray(piece.length)
      this.#at += piece.length
      yield* some(this.#rewriter === null ? piece : this.#rewriter.write(piece))
      if (change === undefined || this.#at < until) continue
      if (this.#rewriter === null) this.#rewriter = change.rewriter()
      else yield* this.#endStretch(this.#rewriter)
    }
  }

  *end(): Generator<Buffer> {
    for (const change of this.#changes.slice(this.#next))
      yield* this.#endStretch(this.#rewriter ?? change.rewriter())
  }

  *#endStretch(rewriter: Rewriter): Generator<Buffer> {
    this.#rewriter = null
    this.#next++
    yield* some(rewriter.end())
  }
}

/** Chunks are never empty: readers may take one for the end. */
function* some(bytes: Buffer): Generator<Buffer> {
  if (bytes.length > 0) yield bytes
}
