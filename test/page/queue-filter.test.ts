import { describe, expect, it } from 'vitest'
import {
  filterQuery,
  meantBy,
  type QueueFilter,
  readFilter,
  readOrder,
  withField,
} from '../../src/page/queues/queue-filter.ts'

describe('the queue’s filter', () => {
  const table: [string, QueueFilter][] = [
    ['', {}],
    ['connector=29&state=deferred', { connector: '29', state: 'deferred' }],
    [
      'sender=%40example.com&recipient=b%40example.org',
      { sender: '@example.com', recipient: 'b@example.org' },
    ],
    ['id=01JABCDEFGHJKMNPQRST-1', { id: '01JABCDEFGHJKMNPQRST-1' }],
    ['sender=%3C%3E', { sender: '<>' }],
  ]
  it.each(table)('stands in the address bar as %j', (text, filter) => {
    expect(readFilter(new URLSearchParams(text))).toEqual(filter)
    expect(filterQuery(filter).toString()).toBe(text)
  })

  it('leaves out what is empty or none of its own', () => {
    expect(readFilter(new URLSearchParams('sender=&state=%20&other=1'))).toEqual({})
  })

  it('changes one field and takes it away again', () => {
    expect(withField({ state: 'ready' }, 'sender', ' a@example.com ')).toEqual({
      ...{ state: 'ready', sender: 'a@example.com' },
    })
    expect(withField({ state: 'ready', id: 'x' }, 'id', ' ')).toEqual({ state: 'ready' })
  })

  it.each([
    ['order=newest', 'newest'],
    ['state=ready&order=oldest', 'oldest'],
    ['', ''],
    ['order=sender', ''],
  ] as const)('reads from %j the order %j, which is no part of it', (text, order) => {
    expect(readOrder(new URLSearchParams(text))).toBe(order)
    expect(readFilter(new URLSearchParams(text))).not.toHaveProperty('order')
  })

  it('means items by their id, which the acts on many do not know', () => {
    expect(meantBy({ id: 'x' })).toEqual({ kind: 'byId', id: 'x' })
    expect(meantBy({ connector: '29' })).toEqual({ kind: 'byFilter', filter: { connector: '29' } })
    expect(meantBy({})).toEqual({ kind: 'byFilter', filter: {} })
  })
})
