import { expect, it } from 'vitest'
import { limitViews } from '../../src/admin/limit-view.ts'
import { limitSchema } from '../../src/config/policy-schema.ts'

const limits = [limitSchema.parse({ name: 'per-user', per: 'user', messagesPerHour: 10 })]
const counted = (key: string, amount: number, limit = 'messagesPerHour') => ({
  ...{ key, amount, limit },
  windowMs: 3_600_000,
  most: 10,
})

it.each([
  ['a count and what is left', counted('limit:per-user:anna', 4), { used: 4, most: 10, left: 6, of: 'anna' }],
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
])('shows %s', (_, one, view) => {
  expect(limitViews([one], limits)).toMatchObject([view])
})

it('leaves out what a connector counts', () => {
  expect(limitViews([counted('29', 4, 'messagesPerMinute')], limits)).toEqual([])
})
