import { describe, expect, it } from 'vitest'
import { fileName, hourOf, nextInstance, outdated } from '../../../src/observe/protocol-log/retention.ts'

const hourMs = 60 * 60_000
const now = Date.UTC(2026, 10, 21, 23, 30)

it('names a file as Exchange does, by its hour and its number in it', () => {
  expect(fileName('send', hourOf(now), 1)).toBe('SEND2026112123-1.LOG')
  expect(fileName('receive', hourOf(Date.UTC(2027, 0, 2, 3)), 12)).toBe('RECV2027010203-12.LOG')
})

it.each<[readonly string[], number]>([
  [[], 1],
  [['SEND2026112123-1.LOG', 'SEND2026112123-10.LOG', 'SEND2026112123-9.LOG'], 11],
  [['SEND2026112122-7.LOG', 'RECV2026112123-7.LOG', 'SEND2026112123-7.LOG.gz', 'notes'], 1],
])('after %j the next number is %i', (names, next) => {
  expect(nextInstance('send', '2026112123', names)).toBe(next)
})

describe('what is removed', () => {
  const files = [
    { name: 'SEND2026112123-2.LOG', sizeBytes: 10 },
    { name: 'SEND2026112123-10.LOG', sizeBytes: 10 },
    { name: 'SEND2026112122-1.LOG', sizeBytes: 10 },
    { name: 'SEND2026112120-1.LOG', sizeBytes: 10 },
    { name: 'RECV2020010100-1.LOG', sizeBytes: 1000 },
    { name: 'SEND2020010100-1.LOG.gz', sizeBytes: 1000 },
  ]
  it.each<[string, number, number, string[]]>([
    ['nothing while there is room and time', 100, 24, []],
    ['the oldest while there is too much', 25, 24, ['SEND2026112122-1.LOG', 'SEND2026112120-1.LOG']],
    [
      'by number in an hour, not by letters',
      15,
      24,
      ['SEND2026112123-2.LOG', 'SEND2026112122-1.LOG', 'SEND2026112120-1.LOG'],
    ],
    ['what is too old', 100, 2, ['SEND2026112120-1.LOG']],
    ['not a file of which some is young enough', 100, 3, []],
  ])('is %s', (_claim, maxBytes, hours, names) => {
    expect(outdated('send', files, { now, maxAgeMs: hours * hourMs, maxBytes })).toEqual(names)
  })
})
