import { describe, expect, it } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { nextRetryAt, slowestRetryAt } from '../../src/delivery/schedule.ts'

const minutes = (count: number) => count * 60_000
const { connectionRetry, messageRetry } = configSchema.shape.delivery.parse(undefined)

describe('nextRetryAt', () => {
  it("follows Exchange's times for a connector: 4 times 1 minute, 6 times 5, then 10", () => {
    const waits = Array.from(
      { length: 13 },
      (_, index) => nextRetryAt(connectionRetry, index + 1, { now: 7, jitter: 0 }) - 7,
    )
    expect(waits).toEqual([1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 10, 10, 10].map(minutes))
  })

  it('repeats the last wait for as long as it takes', () => {
    expect(nextRetryAt(messageRetry, 100_000, { now: 0, jitter: 0 })).toBe(minutes(10))
  })

  it.each([
    [60_000, 0, 60_000],
    [60_000, 0.5, 63_000],
    [60_000, 1, 66_000],
    [5_000, 1, 5_500],
    [300_000, 1, 330_000],
    [86_400_000, 0.5, 86_415_000],
    [86_400_000, 1, 86_430_000],
  ])('a wait of %i ms with jitter %d is %i ms', (waitMs, jitter, expected) => {
    expect(nextRetryAt([waitMs], 1, { now: 0, jitter })).toBe(expected)
  })

  it.each([
    [[1000], 0, 0, /'attempts' must be at least 1: it is 0/],
    [[1000], 1.5, 0, /'attempts'/],
    [[1000], 1, 1.1, /'jitter' must be from 0 to 1: it is 1.1/],
    [[1000], 1, -0.1, /'jitter'/],
    [[1000], 1, Number.NaN, /'jitter'/],
    [[], 1, 0, /schedule is empty/],
  ])('refuses schedule %j, attempts %d, jitter %d', (schedule, attempts, jitter, message) => {
    expect(() => nextRetryAt(schedule, attempts, { now: 0, jitter })).toThrow(message)
  })
})

it('slowestRetryAt takes the last wait, with jitter', () => {
  expect(slowestRetryAt([1000, 600_000], { now: 5, jitter: 0.5 })).toBe(615_005)
  expect(() => slowestRetryAt([], { now: 0, jitter: 0 })).toThrow(/schedule is empty/)
})
