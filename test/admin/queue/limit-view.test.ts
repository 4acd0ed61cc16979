import { describe, expect, it } from 'vitest'
import { limitViews } from '../../../src/admin/queue/limit-view.ts'
import { limitSchema } from '../../../src/config/policy-schema.ts'
import { connectorSchema } from '../../../src/config/schema.ts'

const hourMs = 3_600_000
const limits = [limitSchema.parse({ name: 'per-user', per: 'user', messagesPerHour: 10 })]
const provider = connectorSchema.parse({
  id: 29,
  name: 'Provider',
  smartHosts: ['192.0.2.1'],
  limits: { messagesPerSecond: 5, messagesPerHour: 100 },
})
const counted = (key: string, amount: number, limit = 'messagesPerHour') => ({
  ...{ key, amount, limit },
  windowMs: hourMs,
  most: 10,
})

describe("policy's limits", () => {
  it.each([
    [
      'a count and what is left',
      counted('limit:per-user:anna', 4),
      { kind: 'policy', used: 4, most: 10, left: 6, of: 'anna', windowMs: hourMs },
    ],
    ['nothing left, and never less', counted('limit:per-user:anna', 12), { used: 12, left: 0 }],
    [
      'a holder with colons',
      counted('limit:per-user:2001:db8::/64', 1),
      { limit: 'per-user', of: '2001:db8::/64' },
    ],
    ['a limit that was taken away', counted('limit:gone:anna', 3), { used: 3, most: null, left: null }],
    [
      'a window that was taken away',
      counted('limit:per-user:anna', 3, 'bytesPerDay'),
      { most: null, left: null },
    ],
  ])('show %s', (_, one, view) => {
    expect(limitViews([one], { limits, connectors: [], complete: new Set() })).toMatchObject([view])
  })
})

describe("connectors' rate limits", () => {
  const views = (complete: boolean) =>
    limitViews([counted('29', 40), counted('gone', 4)], {
      limits,
      connectors: [provider],
      complete: new Set(complete ? [provider] : []),
    })

  it('are shown with what is used, also where that is nothing; the pace of tenths is not', () => {
    const shared = { kind: 'connector', limit: 'Provider', of: '29' }
    expect(views(true)).toEqual([
      { ...shared, counts: 'messagesPerHour', windowMs: hourMs, used: 40, most: 100, left: 60 },
      { ...shared, counts: 'messagesPerSecond', windowMs: 1000, used: 0, most: 5, left: 5 },
    ])
  })
  it('are not said to be unused where not all counts were read', () => {
    expect(views(false).map(({ counts }) => counts)).toEqual(['messagesPerHour'])
  })
})

it('lists the fullest first, whosever it is, and what is configured no more last', () => {
  const views = limitViews(
    [
      counted('limit:gone:x', 99),
      counted('limit:per-user:anna', 3),
      counted('29', 90),
      counted('limit:per-user:bo', 10),
    ],
    { limits, connectors: [provider], complete: new Set() },
  )
  expect(views.map(({ of }) => of)).toEqual(['bo', '29', 'anna', 'x'])
})
