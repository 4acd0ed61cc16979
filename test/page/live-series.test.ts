import { describe, expect, it } from 'vitest'
import {
  chartRows,
  keptMs,
  type LiveSample,
  queueLength,
  summaryOf,
  within,
  withSamples,
} from '../../src/page/overview/live-series.ts'

const start = 1_800_000_000_000

function sample(second: number, fields: Partial<LiveSample> = {}): LiveSample {
  return {
    ...{ at: start + second * 1000, accepted: second, relayed: 0, deferred: 0, failed: 0, refused: 0 },
    ...{ latencyMs: null, queue: { ready: 1, deferred: 2, leased: 3, suspended: 4 } },
    ...fields,
  }
}

const seconds = (samples: readonly LiveSample[]) => samples.map(({ at }) => (at - start) / 1000)

describe('samples that come', () => {
  it('follow those that are known, each second once and in order', () => {
    const all = withSamples([sample(1), sample(2)], [sample(4), sample(2, { accepted: 9 }), sample(3)])
    expect(seconds(all)).toEqual([1, 2, 3, 4])
    expect(all[1]!.accepted).toBe(9)
  })

  it('push out what is older than fifteen minutes', () => {
    const old = sample(0)
    expect(seconds(withSamples([old, sample(1)], [sample(keptMs / 1000)]))).toEqual([1, keptMs / 1000])
  })

  it('change nothing where none came', () => {
    const kept = [sample(1)]
    expect(withSamples(kept, [])).toBe(kept)
  })
})

it('shows the last minutes before the newest sample', () => {
  const samples = Array.from({ length: 400 }, (_, second) => sample(second))
  expect(seconds(within(samples, 1))).toHaveLength(60)
  expect(seconds(within(samples, 1))[0]).toBe(340)
  expect(within(samples, 5)).toHaveLength(300)
  expect(within([], 5)).toEqual([])
})

describe('rows of a chart', () => {
  it('are seconds and one row for each line', () => {
    const rows = chartRows([sample(1), sample(2)], [(each) => each.accepted, queueLength])
    expect(rows).toEqual([
      [start / 1000 + 1, start / 1000 + 2],
      [1, 2],
      [10, 10],
    ])
  })

  it('have a gap where the relay has no samples', () => {
    const [times, accepted] = chartRows([sample(1), sample(2), sample(9)], [(each) => each.accepted])
    expect(times).toEqual([1, 2, 3, 9].map((second) => start / 1000 + second))
    expect(accepted).toEqual([1, 2, null, 9])
  })

  it('have none where a timer was only late', () => {
    const late = { ...sample(3), at: start + 4200 }
    expect(chartRows([sample(2), late], [queueLength])[0]).toHaveLength(2)
  })
})

describe('a summary', () => {
  it('tells the newest value, the mean and the most', () => {
    expect(summaryOf([sample(1), sample(2), sample(6)], (each) => each.accepted)).toEqual({
      now: 6,
      mean: 3,
      most: 6,
    })
  })

  it('leaves out seconds without a value', () => {
    const p50 = (each: LiveSample) => each.latencyMs?.p50 ?? null
    const measured = sample(1, { latencyMs: { p50: 8, p95: 9, p99: 10 } })
    expect(summaryOf([measured, sample(2)], p50)).toEqual({ now: 8, mean: 8, most: 8 })
    expect(summaryOf([measured, sample(6)], p50)).toEqual({ now: null, mean: 8, most: 8 })
    expect(summaryOf([sample(2)], p50)).toEqual({ now: null, mean: null, most: null })
    expect(summaryOf([], p50)).toEqual({ now: null, mean: null, most: null })
  })
})

it('does not know the queue’s length where the store could not be read', () => {
  expect(queueLength(sample(1, { queue: null }))).toBeNull()
})
