import { describe, expect, it } from 'vitest'
import { LoadSchedule, type LoadScheduleOptions } from '../../src/lab/load-schedule.ts'

const startedAt = 1000

/** The turns that are taken at these instants. */
function turns(options: Partial<LoadScheduleOptions>, instants: readonly number[]) {
  const schedule = new LoadSchedule({ messages: null, durationMs: null, rate: null, ...options }, startedAt)
  return instants.map((now) => schedule.next(now)?.startAt ?? null)
}

describe('LoadSchedule', () => {
  const cases: [string, Partial<LoadScheduleOptions>, number[], (number | null)[]][] = [
    ['gives a turn at once without a rate', {}, [1000, 1007, 1500], [1000, 1007, 1500]],
    [
      'spaces turns by the rate, however early they are taken',
      { rate: 100 },
      [1000, 1000, 1000],
      [1000, 1010, 1020],
    ],
    ['keeps to the rate when they are taken late', { rate: 100 }, [1000, 1900, 1900], [1000, 1010, 1020]],
    ['ends after so many messages', { messages: 2 }, [1000, 1000, 1000], [1000, 1000, null]],
    ['ends after so long', { durationMs: 500 }, [1000, 1499, 1500], [1000, 1499, null]],
    [
      'ends where the next turn would be too late',
      { rate: 1, durationMs: 1500 },
      [1000, 1000, 1000],
      [1000, 2000, null],
    ],
    [
      'ends with the time also when turns are left over',
      { rate: 100, durationMs: 50 },
      [1000, 1060],
      [1000, null],
    ],
  ]
  it.each(cases)('%s', (_, options, instants, expected) => {
    expect(turns(options, instants)).toEqual(expected)
  })

  it('numbers messages from 1 and gives no turn after it was stopped', () => {
    const schedule = new LoadSchedule({ messages: null, durationMs: null, rate: null }, startedAt)
    expect([schedule.next(0)?.seq, schedule.next(0)?.seq]).toEqual([1, 2])
    schedule.stop()
    expect(schedule.next(0)).toBeNull()
  })
})
