import { describe, expect, it } from 'vitest'
import { spend } from '../../../src/admin/access/allowance.ts'

const rate = { perSecond: 10, burst: 3 }

/** What becomes of requests at these instants: 0 for each that is granted, else how long to wait. */
function waits(instants: readonly number[]): number[] {
  let spentUntil = 0
  return instants.map((now) => {
    const spent = spend(spentUntil, { now, ...rate })
    spentUntil = spent.spentUntil
    return spent.waitMs
  })
}

describe('an allowance of ten a second and a burst of three', () => {
  it.each<[string, number[], number[]]>([
    ['grants the burst at once, then names the wait', [1000, 1000, 1000, 1000], [0, 0, 0, 100]],
    ['grants the next after that wait', [1000, 1000, 1000, 1100], [0, 0, 0, 0]],
    ['does not count what it refused', [1000, 1000, 1000, 1000, 1000, 1100], [0, 0, 0, 100, 100, 0]],
    ['sustains ten a second', [1000, 1100, 1200, 1300, 1400, 1500], [0, 0, 0, 0, 0, 0]],
    ['gathers no more than the burst', [1000, 900_000, 900_000, 900_000, 900_000], [0, 0, 0, 0, 100]],
    [
      'heals where the clock was set back',
      [900_000, 900_000, 1000, 1000, 1100, 1200],
      [0, 0, 100, 100, 0, 0],
    ],
  ])('%s', (_name, instants, expected) => {
    expect(waits(instants)).toEqual(expected)
  })
})
