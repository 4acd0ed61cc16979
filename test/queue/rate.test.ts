import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RateWindow } from '../../src/queue/queue.ts'
import {
  countedNow,
  decodeTallies,
  encodeTallies,
  spend,
  type Tallies,
  type Tally,
} from '../../src/queue/rate.ts'

const second = 1000
const day = 86_400_000
const t0 = Date.UTC(2026, 0, 5, 8, 0, 0)

const perSecond = (most: number, amount = 1): RateWindow => ({
  limit: 'messagesPerSecond',
  windowMs: second,
  most,
  amount,
})
const recipientsPerDay = (most: number, amount: number): RateWindow => ({
  limit: 'recipientsPerDay',
  windowMs: day,
  most,
  amount,
})

/** Asks at each of the times, and tells when each was granted, or else when to ask again: both after `t0`. */
function askAt(times: readonly number[], window: RateWindow): string[] {
  let tallies: Tallies = {}
  return times.map((at) => {
    const asked = spend(tallies, { windows: [window], now: t0 + at })
    tallies = asked.tallies
    return asked.spent.granted ? 'granted' : `wait until ${asked.spent.retryAt - t0}`
  })
}

describe('a limit', () => {
  it.each<[string, readonly number[], RateWindow, readonly string[]]>([
    ['grants as many as it says', [0, 0, 0], perSecond(3), ['granted', 'granted', 'granted']],
    [
      'then nothing until the first are a window ago, to the end of their slot of 20 ms',
      [0, 5, 6, 1019, 1020, 1020],
      perSecond(2),
      ['granted', 'granted', 'wait until 1020', 'wait until 1020', 'granted', 'granted'],
    ],
    [
      'says when enough has ended, not only the first',
      [0, 300, 600, 700],
      perSecond(3),
      ['granted', 'granted', 'granted', 'wait until 1020'],
    ],
    [
      'has no border at which two windows meet',
      [990, 990, 1000, 1990, 2000, 2000],
      perSecond(2),
      ['granted', 'granted', 'wait until 2000', 'wait until 2000', 'granted', 'granted'],
    ],
    [
      'grants what is larger than itself where nothing else is counted',
      [0, 2 * day],
      recipientsPerDay(100, 250),
      ['granted', 'granted'],
    ],
  ])('%s', (_, times, window, expected) => {
    expect(askAt(times, window)).toEqual(expected)
  })

  it('waits for as many as the amount needs', () => {
    const tallies = counted('messagesPerSecond:1000', [
      [0, 2],
      [10, 3],
      [20, 1],
    ])
    const retryAfter = (amount: number) => {
      const { spent } = spend(tallies, { windows: [perSecond(6, amount)], now: t0 + 500 })
      return spent.granted ? 0 : spent.retryAt - t0
    }
    expect([1, 2, 3, 5, 6, 100].map(retryAfter)).toEqual([1020, 1020, 1220, 1220, 1420, 1420])
  })

  it('keeps others waiting after an amount that was larger than itself', () => {
    const { tallies } = spend({}, { windows: [recipientsPerDay(100, 250)], now: t0 })
    const next = spend(tallies, { windows: [recipientsPerDay(100, 1)], now: t0 + day })
    expect(next.spent).toMatchObject({ granted: false, limit: 'recipientsPerDay' })
  })
})

describe('several limits', () => {
  const both = (recipients: number) => [perSecond(2), recipientsPerDay(10, recipients)]

  it('grant together or not at all', () => {
    const first = spend({}, { windows: both(9), now: t0 })
    const refused = spend(first.tallies, { windows: both(2), now: t0 })
    expect(refused.spent).toMatchObject({ granted: false, limit: 'recipientsPerDay' })
    expect(refused.tallies).toEqual(first.tallies)
    expect(spend(refused.tallies, { windows: both(1), now: t0 }).spent).toEqual({ granted: true })
  })

  it('name the one that keeps longest', () => {
    let { tallies } = spend({}, { windows: both(5), now: t0 })
    tallies = spend(tallies, { windows: both(5), now: t0 }).tallies
    const { spent } = spend(tallies, { windows: both(1), now: t0 })
    const slotMs = day / 50
    const retryAt = (Math.floor(t0 / slotMs) + 51) * slotMs
    expect(spent).toEqual({ granted: false, limit: 'recipientsPerDay', retryAt })
  })

  it('count on where the configuration has others now', () => {
    let { tallies } = spend({}, { windows: [perSecond(1)], now: t0 })
    tallies = spend(tallies, { windows: [recipientsPerDay(10, 1)], now: t0 }).tallies
    expect(spend(tallies, { windows: [perSecond(1)], now: t0 }).spent.granted).toBe(false)
  })
})

describe('a clock', () => {
  it.each<[string, readonly number[], RateWindow, readonly string[]]>([
    ['set back frees nothing', [500, 0], perSecond(1), ['granted', 'wait until 1520']],
    [
      'of a node that is some seconds behind counts the others',
      [5000, 0],
      perSecond(1),
      ['granted', 'wait until 6020'],
    ],
    ['set back far is believed: the limit begins anew', [5020, 0], perSecond(1), ['granted', 'granted']],
    [
      'set back by more than a long window too',
      [1.02 * day, 0],
      recipientsPerDay(1, 1),
      ['granted', 'granted'],
    ],
  ])('%s', (_, times, window, expected) => {
    expect(askAt(times, window)).toEqual(expected)
  })
})

it('never has more than the limit in any interval, and loses no more than a fiftieth of it', () => {
  const arrivals = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 5 })), {
    maxLength: 60,
  })
  fc.assert(
    fc.property(arrivals, fc.integer({ min: 5, max: 12 }), (list, most) => {
      let tallies: Tallies = {}
      let now = t0
      const granted: { at: number; amount: number }[] = []
      for (const [pause, amount] of list) {
        now += pause
        const asked = spend(tallies, { windows: [perSecond(most, amount)], now })
        tallies = asked.tallies
        const { spent } = asked
        const since = (ms: number) =>
          granted.filter(({ at }) => at > now - ms).reduce((sum, one) => sum + one.amount, 0)
        if (spent.granted) {
          granted.push({ at: now, amount })
          expect(since(second)).toBeLessThanOrEqual(most)
        } else {
          expect(since(second + 20) + amount).toBeGreaterThan(most)
          expect(spent.retryAt).toBeGreaterThan(now)
          // Asking then, and not a moment earlier, is worth it.
          const window = perSecond(most, amount)
          expect(spend(tallies, { windows: [window], now: spent.retryAt - 1 }).spent.granted).toBe(false)
          expect(spend(tallies, { windows: [window], now: spent.retryAt }).spent.granted).toBe(true)
        }
      }
      expect(tallies['messagesPerSecond:1000']?.tallies.length ?? 0).toBeLessThanOrEqual(51)
    }),
  )
})

it('is read back as it was written, and what was not written by it is not read', () => {
  const { tallies } = spend({}, { windows: [perSecond(2), recipientsPerDay(10, 3)], now: t0 })
  expect(decodeTallies(encodeTallies(tallies))).toEqual(tallies)
  for (const text of ['', 'x', '[]', '{"a":[[1]]}', '{"a":[[1,-1]]}', 'null'])
    expect(decodeTallies(text), text).toBeNull()
})

it('is read back from before the limit was kept with it, and counts', () => {
  const slot = t0 / 20
  const tallies = decodeTallies(`{"messagesPerSecond:1000":[[${slot},2]]}`)!
  expect(spend(tallies, { windows: [perSecond(2)], now: t0 }).spent.granted).toBe(false)
  expect(countedNow(tallies, { key: '29', now: t0 })).toEqual([
    { key: '29', limit: 'messagesPerSecond', windowMs: second, amount: 2, most: 0 },
  ])
  const { tallies: after } = spend(tallies, { windows: [perSecond(3)], now: t0 })
  expect(countedNow(after, { key: '29', now: t0 })).toMatchObject([{ amount: 3, most: 3 }])
})

/** Amounts by slots after `t0`. */
function counted(name: string, amounts: readonly Tally[]): Tallies {
  return { [name]: { most: 6, tallies: amounts.map(([slot, amount]) => [t0 / 20 + slot, amount]) } }
}
