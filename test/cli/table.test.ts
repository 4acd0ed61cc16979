import { describe, expect, it } from 'vitest'
import { formatAge, formatBytes, formatInstant, formatInstantFrom } from '../../src/cli/for-people.ts'
import { formatFields, formatTable } from '../../src/cli/table.ts'

const columns = [
  { title: 'name', value: (row: [string, number]) => row[0] },
  { title: 'count', value: (row: [string, number]) => row[1] },
  { title: 'again', value: (row: [string, number]) => row[0] },
]

describe('formatTable', () => {
  it('aligns text to the left and numbers to the right, without trailing blanks', () => {
    expect(
      formatTable(
        columns,
        [
          ['münchen', 5],
          ['a', 1000],
        ],
        { width: undefined },
      ),
    ).toBe('NAME     COUNT  AGAIN\nmünchen      5  münchen\na         1000  a\n')
  })
  it('cuts lines to the width of a terminal', () => {
    expect(formatTable(columns, [['abcdef', 1]], { width: 10 })).toBe('NAME    C…\nabcdef   …\n')
  })
  it('sends no control characters to the terminal', () => {
    expect(formatTable(columns, [['\u001b[2J\n', 1]], { width: undefined })).not.toMatch(/\u001b|\n\n/)
  })
})

it('formatFields leaves out what is not known', () => {
  expect(
    formatFields(
      [
        ['Item', 'x'],
        ['Last error', null],
        ['Attempts', 0],
      ],
      { width: undefined },
    ),
  ).toBe('Item        x\nAttempts    0\n')
})

it.each([
  [0, '0s'],
  [-5, '0s'],
  [999, '0s'],
  [61_000, '1m 1s'],
  [3_600_000, '1h'],
  [93_784_000, '1d 2h'],
  [86_400_000 + 60_000, '1d'],
])('formatAge(%d) is %s', (durationMs, text) => {
  expect(formatAge(durationMs)).toBe(text)
})

it.each([
  [0, '0B'],
  [1023, '1023B'],
  [1024, '1KB'],
  [4200, '4.1KB'],
  [36 * 1024 ** 2, '36MB'],
  [5 * 1024 ** 4, '5120GB'],
])('formatBytes(%d) is %s', (sizeBytes, text) => {
  expect(formatBytes(sizeBytes)).toBe(text)
})

it('shows instants in local time, and how far they are', () => {
  const at = new Date(2026, 0, 31, 18, 5, 0, 250).getTime()
  expect(formatInstant(at)).toBe('2026-01-31T18:05:00')
  expect(formatInstantFrom(at, at - 240_000)).toBe('2026-01-31T18:05:00 (in 4m)')
  expect(formatInstantFrom(at, at + 60_000)).toBe('2026-01-31T18:05:00 (1m ago)')
  expect(formatInstant(null)).toBeNull()
})
