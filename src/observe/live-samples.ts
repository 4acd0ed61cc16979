/**
 * What this node did in each of the last 900 seconds, for charts: counters, latency percentiles, and how long the queue
 * was. `note` stands on the way of every message, so it adds to numbers and to one histogram bucket; the percentiles of
 * a second are worked out once, when it is over. Its memory is fixed. It has no clock of its own.
 */
import type { QueueTotals } from '../queue/queue.ts'
import type { MailEvent } from './events.ts'

export interface LiveSample {
  /** When the second began. */
  readonly at: number
  /** Messages. */
  readonly accepted: number
  /** Recipients. */
  readonly relayed: number
  readonly deferred: number
  readonly failed: number
  /** Commands of clients, and recipients that policy refused. */
  readonly refused: number
  /** From our 250 to the smart host's; null where nothing was relayed. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | null
  /** Null where nobody looked in this second. */
  readonly queue: QueueDepth | null
}

export interface QueueDepth {
  readonly ready: number
  readonly deferred: number
  readonly leased: number
  readonly suspended: number
}

export const sampleSeconds = 900
export const sampleMs = 1000

const counters = ['accepted', 'relayed', 'deferred', 'failed', 'refused'] as const
const depths = ['ready', 'deferred', 'leased', 'suspended'] as const
const percentiles = [50, 95, 99] as const

/** A clock that goes back by more than this was set: what is counted begins at the new time. */
const mostSkewSeconds = 5

export class LiveSamples {
  /** Of each place of the ring: which second since 1970 it holds. */
  readonly #seconds = new Float64Array(sampleSeconds).fill(-1)
  readonly #counts = new Uint32Array(sampleSeconds * counters.length)
  /** The first is NaN where nothing was relayed. */
  readonly #latencies = new Float32Array(sampleSeconds * percentiles.length)
  /** The first is NaN where it was not looked at. */
  readonly #depths = new Float64Array(sampleSeconds * depths.length)
  readonly #histogram = new LatencyHistogram()
  #second = Number.NEGATIVE_INFINITY

  note(event: MailEvent, now: number): void {
    switch (event.event) {
      case 'accepted':
        this.#add(0, 1, now)
        break
      case 'delivered':
        this.#add(1, event.recipients.length, now)
        this.#histogram.add(event.delayMs)
        break
      case 'deferred':
        this.#add(2, event.recipients.length, now)
        break
      case 'failed':
      case 'expired':
        this.#add(3, event.recipients.length, now)
        break
      case 'rejected':
        this.#add(4, 1, now)
        break
      case 'refused':
        this.#add(4, event.recipients.length, now)
        break
    }
  }

  noteQueue(depth: QueueDepth, now: number): void {
    this.#turnTo(now)
    const base = this.#place * depths.length
    for (const [n, name] of depths.entries()) this.#depths[base + n] = depth[name]
  }

  /** Of whole seconds that began after `since`, the oldest first. */
  samples({ since, now }: { since: number; now: number }): LiveSample[] {
    this.#turnTo(now)
    const first = Math.max(Math.floor(since / sampleMs) + 1, this.#second - sampleSeconds + 1)
    const found: LiveSample[] = []
    for (let second = first; second < this.#second; second++) found.push(this.#sampleOf(second))
    return found
  }

  #add(counter: number, amount: number, now: number): void {
    this.#turnTo(now)
    this.#counts[this.#place * counters.length + counter]! += amount
  }

  /** What comes late, as a clock was set back a little, counts in the newest second. */
  #turnTo(now: number): void {
    const second = Math.floor(now / sampleMs)
    if (second <= this.#second && second >= this.#second - mostSkewSeconds) return
    this.#conclude()
    this.#second = second
    const place = this.#place
    this.#seconds[place] = second
    this.#counts.fill(0, place * counters.length, (place + 1) * counters.length)
    this.#latencies[place * percentiles.length] = Number.NaN
    this.#depths[place * depths.length] = Number.NaN
  }

  #conclude(): void {
    if (this.#histogram.isEmpty) return
    const base = this.#place * percentiles.length
    for (const [n, percent] of percentiles.entries())
      this.#latencies[base + n] = this.#histogram.percentile(percent)
    this.#histogram.clear()
  }

  get #place(): number {
    return this.#second % sampleSeconds
  }

  #sampleOf(second: number): LiveSample {
    const place = second % sampleSeconds
    const isKnown = this.#seconds[place] === second
    const count = (n: number): number => (isKnown ? this.#counts[place * counters.length + n]! : 0)
    return {
      at: second * sampleMs,
      accepted: count(0),
      relayed: count(1),
      deferred: count(2),
      failed: count(3),
      refused: count(4),
      latencyMs: isKnown ? this.#latencyAt(place * percentiles.length) : null,
      queue: isKnown ? this.#depthAt(place * depths.length) : null,
    }
  }

  #latencyAt(base: number): LiveSample['latencyMs'] {
    const [p50, p95, p99] = this.#latencies.subarray(base, base + 3) as unknown as [number, number, number]
    return Number.isNaN(p50) ? null : { p50, p95, p99 }
  }

  #depthAt(base: number): QueueDepth | null {
    const [ready, deferred, leased, suspended] = this.#depths.subarray(base, base + 4) as unknown as number[]
    if (Number.isNaN(ready)) return null
    return { ready: ready!, deferred: deferred!, leased: leased!, suspended: suspended! }
  }
}

/** Of all connectors together. */
export function depthOf({ connectors }: QueueTotals): QueueDepth {
  const sum = { ready: 0, deferred: 0, leased: 0, suspended: 0 }
  for (const depth of connectors.values()) for (const name of depths) sum[name] += depth[name]
  return sum
}

const perDoubling = 16
/** Up to nine days. */
const bucketCount = 1 + perDoubling * 30

/** Of one second: bucket 0 is below a millisecond, above it sixteen for each doubling, so 4 % wide. */
class LatencyHistogram {
  readonly #buckets = new Uint32Array(bucketCount)
  #count = 0
  #highest = 0

  get isEmpty(): boolean {
    return this.#count === 0
  }

  add(durationMs: number): void {
    const bucket = durationMs < 1 ? 0 : 1 + Math.floor(Math.log2(durationMs) * perDoubling)
    const place = Math.min(bucket, bucketCount - 1)
    this.#buckets[place]!++
    this.#count++
    if (place > this.#highest) this.#highest = place
  }

  /** The upper edge of the bucket that holds it. */
  percentile(percent: number): number {
    const rank = Math.ceil((percent / 100) * this.#count)
    let seen = 0
    let bucket = -1
    while (seen < rank) seen += this.#buckets[++bucket]!
    return Math.round(2 ** (bucket / perDoubling))
  }

  clear(): void {
    this.#buckets.fill(0, 0, this.#highest + 1)
    this.#count = 0
    this.#highest = 0
  }
}
