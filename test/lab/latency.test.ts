import { describe, expect, it } from 'vitest'
import { Latencies } from '../../src/lab/latency.ts'
import { seededRandom } from '../../src/lab/prng.ts'

describe('Latencies', () => {
  it('is never below the exact percentile and at most 1/32 above it', () => {
    const random = seededRandom(3)
    const latencies = new Latencies()
    const exact = Array.from({ length: 5000 }, () => 10 ** (random() * 7 - 3))
    for (const durationMs of exact) latencies.record(durationMs)
    exact.sort((a, b) => a - b)
    for (const percent of [1, 10, 50, 90, 99, 99.9, 100]) {
      const durationMs = exact[Math.ceil((percent / 100) * exact.length) - 1]!
      const found = latencies.percentileMs(percent)
      expect(found).toBeGreaterThanOrEqual(durationMs - 0.001)
      expect(found).toBeLessThanOrEqual(durationMs * (1 + 1 / 32) + 0.001)
    }
  })

  it('knows count, mean and maximum exactly', () => {
    const latencies = new Latencies()
    for (const durationMs of [1, 2, 6]) latencies.record(durationMs)
    expect(latencies.summary()).toMatchObject({ count: 3, meanMs: 3, maxMs: 6 })
  })

  it('is all zero without a message', () => {
    expect(new Latencies().summary()).toEqual({ count: 0, meanMs: 0, p50Ms: 0, p90Ms: 0, p99Ms: 0, maxMs: 0 })
  })

  it('takes what no message should last', () => {
    const latencies = new Latencies()
    latencies.record(1e12)
    latencies.record(-5)
    expect(latencies.summary()).toMatchObject({ count: 2, maxMs: 1e12 })
  })
})
