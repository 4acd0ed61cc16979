import { describe, expect, it } from 'vitest'
import { type Limit, limitSchema } from '../../src/config/policy-schema.ts'
import { limitWindows, neverFitting, neverRoom, noRoom, tooLarge } from '../../src/policy/limit-windows.ts'
import { formatReply } from '../../src/reply.ts'

const limit = (fields: object): Limit => limitSchema.parse({ name: 'n', per: 'sender', ...fields })
const amounts = { recipients: 5, sizeBytes: 2048 }
const minute = 60_000

it.each<[object, readonly (readonly [string, number, number, number])[]]>([
  [{}, []],
  [{ maxMessageSize: '1MB' }, []],
  [{ messagesPerMinute: 7 }, [['messagesPerMinute', minute, 7, 1]]],
  [
    { recipientsPerHour: 100, bytesPerDay: '1GB', messagesPerDay: 9 },
    [
      ['messagesPerDay', 1440 * minute, 9, 1],
      ['recipientsPerHour', 60 * minute, 100, 5],
      ['bytesPerDay', 1440 * minute, 1024 ** 3, 2048],
    ],
  ],
  [
    { bytesPerMinute: 4096, bytesPerHour: 8192, recipientsPerMinute: 3, recipientsPerDay: 4 },
    [
      ['recipientsPerMinute', minute, 3, 5],
      ['recipientsPerDay', 1440 * minute, 4, 5],
      ['bytesPerMinute', minute, 4096, 2048],
      ['bytesPerHour', 60 * minute, 8192, 2048],
    ],
  ],
  [{ messagesPerHour: 1 }, [['messagesPerHour', 60 * minute, 1, 1]]],
])('%j counts %j', (fields, expected) => {
  const windows = limitWindows(limit(fields), amounts)
  expect(windows.map(({ limit, windowMs, most, amount }) => [limit, windowMs, most, amount])).toEqual(
    expected,
  )
})

it.each<[object, string | null]>([
  [{ messagesPerMinute: 1, recipientsPerDay: 5, bytesPerHour: 2048 }, null],
  [{ messagesPerMinute: 1, recipientsPerDay: 4 }, 'recipientsPerDay'],
  [{ bytesPerHour: 2047, recipientsPerDay: 9 }, 'bytesPerHour'],
])('%j never has room for the message by %j', (fields, expected) => {
  expect(neverFitting(limitWindows(limit(fields), amounts))?.limit ?? null).toBe(expected)
})

describe('what is said', () => {
  const retryAt = Date.UTC(2026, 0, 5, 9, 0, 0, 400)
  it.each<[object, string]>([
    [
      { messagesPerHour: 100 },
      '451 4.7.28 The limit n is reached: sender a@example.com may submit 100 messages per hour; there is room again at 2026-01-05T09:00:01Z',
    ],
    [
      { messagesPerMinute: 1, over: 'reject' },
      '550 5.7.28 The limit n is reached: sender a@example.com may submit 1 message per minute',
    ],
    [
      { bytesPerDay: '20MB', over: 'hold' },
      '451 4.7.28 The limit n is reached: sender a@example.com may submit 20MB per day; there is room again at 2026-01-05T09:00:01Z',
    ],
    [
      { per: 'senderDomain', bytesPerDay: 5000, over: 'reject' },
      '550 5.7.28 The limit n is reached: sender domain a@example.com may submit 5000 bytes per day',
    ],
  ])('of %j: %s', (fields, expected) => {
    const held = { limit: limit(fields), holder: 'a@example.com' }
    const [window] = limitWindows(held.limit, amounts)
    expect(formatReply(noRoom(held, window!, retryAt))).toBe(expected)
  })

  it('of a message that no wait makes room for is permanent', () => {
    const held = { limit: limit({ per: 'client', recipientsPerHour: 4 }), holder: '192.0.2.1' }
    const [window] = limitWindows(held.limit, amounts)
    expect(formatReply(neverRoom(held, window!))).toBe(
      '550 5.7.28 The limit n: client 192.0.2.1 may submit 4 recipients per hour; the message has 5 recipients',
    )
  })

  it('of a message that is too large names the size', () => {
    const held = { limit: limit({ maxMessageSize: '1KB' }), holder: 'a@example.com' }
    expect(formatReply(tooLarge(held, 1024))).toBe(
      '552 5.3.4 Message too large, the limit n of sender a@example.com is 1024 bytes',
    )
  })

  it('is one line whatever the name', () => {
    const held = { limit: limit({ messagesPerHour: 1 }), holder: 'a\r\n250 ok\u2028@example.com' }
    const [window] = limitWindows(held.limit, amounts)
    expect(noRoom(held, window!, retryAt).text).toMatch(/^[^\r\n\u2028]+$/)
  })
})
