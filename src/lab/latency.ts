/**
 * Latencies in a fixed number of buckets: microseconds, each bucket 1/32 of a power of two wide, so a percentile is
 * at most 3 percent too high, and a million messages cost no more memory than ten.
 */

export interface LatencySummary {
  readonly count: number
  readonly meanMs: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

const perDoubling = 32
const doublings = 40

export class Latencies {
  readonly #buckets = new Uint32Array(perDoubling * (doublings + 1))
  #count = 0
  #sumMs = 0
  #maxMs = 0

  record(durationMs: number): void {
    const positiveMs = Math.max(0, durationMs)
    this.#buckets[bucketOf(positiveMs * 1000)]!++
    this.#count++
    this.#sumMs += positiveMs
    if (positiveMs > this.#maxMs) this.#maxMs = positiveMs
  }

  /** The upper edge of the bucket that holds the given share of all, in milliseconds. */
  percentileMs(percent: number): number {
    const rank = Math.ceil((percent / 100) * this.#count)
    let seen = 0
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) {
      seen += this.#buckets[bucket]!
      if (seen >= rank) return Math.min(this.#maxMs, upperEdge(bucket) / 1000)
    }
    return this.#maxMs
  }

  summary(): LatencySummary {
    return {
      count: this.#count,
      meanMs: rounded(this.#count === 0 ? 0 : this.#sumMs / this.#count),
      p50Ms: rounded(this.percentileMs(50)),
      p90Ms: rounded(this.percentileMs(90)),
      p99Ms: rounded(this.percentileMs(99)),
      maxMs: rounded(this.#maxMs),
    }
  }
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000

/** Below 32 µs one bucket a microsecond; above, 32 buckets for each doubling. */
function bucketOf(us: number): number {
  if (us < perDoubling) return Math.floor(us)
  const exponent = Math.min(doublings, Math.floor(Math.log2(us / perDoubling)))
  const within = Math.min(perDoubling - 1, Math.floor(us / 2 ** exponent) - perDoubling)
  return Math.min(perDoubling * (exponent + 1) + within, perDoubling * (doublings + 1) - 1)
}

function upperEdge(bucket: number): number {
  if (bucket < perDoubling) return bucket + 1
  const exponent = Math.floor(bucket / perDoubling) - 1
  return ((bucket % perDoubling) + perDoubling + 1) * 2 ** exponent
}
