import { describe, expect, it } from 'vitest'
import { RefusalAllowance } from '../../src/tracking/refusal-allowance.ts'

const now = Date.UTC(2026, 0, 5, 8)
const megabyte = 1024 ** 2
const dayMs = 24 * 3_600_000

/** Keeps 100 MB over ten days: a megabyte a day for refusals. */
const allowance = () => new RefusalAllowance({ keepMs: 10 * dayMs, maxBytes: 100 * megabyte, now })

describe('what refused messages may take of the history', () => {
  it('is a megabyte at once, and then nothing', () => {
    const allowed = allowance()
    expect([1, 2, 3].map(() => allowed.spend(megabyte / 2, now))).toEqual([true, true, false])
  })

  it('is a tenth of all in the time that it is kept', () => {
    const allowed = allowance()
    allowed.spend(megabyte, now)
    expect(allowed.spend(megabyte / 2, now + dayMs / 2 - 1000)).toBe(false)
    expect(allowed.spend(megabyte / 2, now + dayMs / 2)).toBe(true)
  })

  it('is a quarter of what accepted mail takes', () => {
    const allowed = allowance()
    allowed.spend(megabyte, now)
    allowed.earn(4000)
    expect([allowed.spend(1000, now), allowed.spend(1, now)]).toEqual([true, false])
  })

  it('is never saved up beyond a megabyte', () => {
    const allowed = allowance()
    allowed.earn(100 * megabyte)
    expect([allowed.spend(megabyte, now + 5 * dayMs), allowed.spend(1, now + 5 * dayMs)]).toEqual([
      true,
      false,
    ])
  })

  it('is not lost where the clock is set back', () => {
    const allowed = allowance()
    expect(allowed.spend(megabyte, now - dayMs)).toBe(true)
    expect(allowed.spend(megabyte / 2, now - dayMs / 2)).toBe(true)
  })
})
