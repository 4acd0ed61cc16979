import { describe, expect, it } from 'vitest'
import { connectorSchema } from '../../src/config/schema.ts'
import { mostAtOnce, rateWindows } from '../../src/delivery/rate.ts'

const limits = (given: Record<string, number>) =>
  connectorSchema.parse({ id: 1, name: 'Provider', smartHosts: ['smtp.example.com'], limits: given }).limits

describe('what a message of three recipients asks', () => {
  it.each<[Record<string, number>, readonly string[]]>([
    [{}, []],
    [{ connections: 1, messagesPerConnection: 1 }, []],
    [{ messagesPerSecond: 25 }, ['1 of 25 messagesPerSecond in 1000', '1 of 3 messagesPerSecond in 100']],
    [{ messagesPerSecond: 1 }, ['1 of 1 messagesPerSecond in 1000', '1 of 1 messagesPerSecond in 100']],
    [
      { messagesPerMinute: 60, messagesPerHour: 600, messagesPerDay: 6000 },
      [
        '1 of 60 messagesPerMinute in 60000',
        '1 of 600 messagesPerHour in 3600000',
        '1 of 6000 messagesPerDay in 86400000',
      ],
    ],
    [{ recipientsPerDay: 200 }, ['3 of 200 recipientsPerDay in 86400000']],
  ])('of %j', (given, asked) => {
    const windows = rateWindows(limits(given), { recipients: 3 })
    expect(
      windows.map(({ limit, windowMs, most, amount }) => `${amount} of ${most} ${limit} in ${windowMs}`),
    ).toEqual(asked)
  })
})

it.each<[Record<string, number>, number]>([
  [{}, Number.POSITIVE_INFINITY],
  [{ messagesPerSecond: 20 }, 20],
  [{ messagesPerSecond: 20, messagesPerMinute: 5 }, 5],
  [{ messagesPerDay: 5000, recipientsPerDay: 1 }, 1],
])('keeps for %j at most %j messages in memory', (given, most) => {
  expect(mostAtOnce(limits(given))).toBe(most)
})
