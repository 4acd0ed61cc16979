import { describe, expect, it } from 'vitest'
import { byAge, expendable, fileName, mayHold, parseFileName } from '../../src/tracking/files.ts'

const hourMs = 3_600_000
const eight = Date.UTC(2026, 0, 5, 8)
const file = (hour: number, number = 1, sizeBytes = 10) => ({
  ...parseFileName(fileName(eight + hour * hourMs, number))!,
  sizeBytes,
})

describe('the name of a file', () => {
  it("is Exchange's, with the hour in UTC", () => {
    expect(fileName(eight, 3)).toBe('MSGTRK2026010508-3.LOG')
    expect(parseFileName('MSGTRK2026010508-3.LOG')).toEqual({
      name: 'MSGTRK2026010508-3.LOG',
      hourAt: eight,
      number: 3,
    })
  })

  it.each([
    'MSGTRKMD2026010508-1.LOG',
    'MSGTRK20260105-1.LOG',
    'x',
    '../MSGTRK2026010508-1.LOG',
    'MSGTRK2026010508-1.LOG.gz',
  ])('is not %s', (name) => {
    expect(parseFileName(name)).toBeNull()
  })

  it('sorts by hour, then by number, not by letters', () => {
    const files = [file(1, 1), file(0, 10), file(0, 2), file(-24, 1)]
    expect(files.sort(byAge).map(({ name }) => name)).toEqual([
      'MSGTRK2026010408-1.LOG',
      'MSGTRK2026010508-2.LOG',
      'MSGTRK2026010508-10.LOG',
      'MSGTRK2026010509-1.LOG',
    ])
  })
})

describe('a search by time', () => {
  it.each([
    ['no times', {}, true],
    ['its hour', { from: eight + 1, until: eight + 2 }, true],
    ['an hour before', { until: eight - hourMs }, false],
    ['an hour after', { from: eight + 2 * hourMs }, false],
    ['just after: the clock may have been set back', { from: eight + hourMs + 60_000 }, true],
    ['just before', { until: eight - 60_000 }, true],
  ])('with %s', (_name, times, looks) => {
    expect(mayHold(file(0), times)).toBe(looks)
  })
})

describe('what is removed', () => {
  const keeping = { keepMs: 24 * hourMs, maxBytes: 100, now: eight + 30 * 60_000 }
  const names = (files: readonly { name: string }[]) => files.map(({ name }) => name)
  it.each([
    ['nothing', [file(0), file(-1)], []],
    ['what is past keeping, a whole hour after', [file(0), file(-25), file(-24)], [file(-25)]],
    ['the oldest, until the rest fits', [file(0, 1, 60), file(0, 2, 30), file(-1, 1, 50)], [file(-1)]],
    ['a file that is too large alone', [file(0, 1, 101)], [file(0)]],
    [
      'no more than has to be',
      [file(0, 2, 90), file(0, 1, 5), file(-25, 1, 500), file(-2, 1, 5)],
      [file(-25)],
    ],
  ])('is %s', (_name, files, removed) => {
    expect(names(expendable(files, keeping))).toEqual(names(removed))
  })
})
