import { describe, expect, it } from 'vitest'
import { parseQueueQuery } from '../../src/admin/queue-query.ts'

const id = '01JABCDEFGHJKMNPQRST'

describe('parseQueueQuery', () => {
  it.each([
    [{}, { filter: {}, limit: 100, after: null }],
    [{ connector: '29', state: 'deferred' }, { filter: { connector: '29', state: 'deferred' } }],
    [{ connector: 'unreachable' }, { filter: { connector: 'unreachable' } }],
    [{ id }, { filter: { id } }],
    [{ id: `${id}-2` }, { filter: { id: `${id}-2` } }],
    [{ sender: 'User@Example.COM' }, { filter: { sender: 'User@example.com' } }],
    [{ sender: '<>' }, { filter: { sender: '' } }],
    [{ recipient: '@München.example' }, { filter: { recipient: '@xn--mnchen-3ya.example' } }],
    [
      { limit: '1000', after: '0 ["29",1700000000000]' },
      { filter: {}, limit: 1000, after: '0 ["29",1700000000000]' },
    ],
  ])('reads %j', (query, expected) => {
    expect(parseQueueQuery(query)).toMatchObject(expected)
  })

  it.each([
    [{ limit: '0' }, 'limit', 'limit must be a number from 1 to 1000; it is "0"'],
    [{ limit: '1001' }, 'limit', 'limit must be a number from 1 to 1000; it is "1001"'],
    [{ limit: '1e2' }, 'limit', 'limit must be a number from 1 to 1000; it is "1e2"'],
    [{ state: 'held' }, 'state', 'state must be ready, deferred, leased or suspended; it is "held"'],
    [{ connector: 'a b' }, 'connector', 'connector must be the id of a connector; it is "a b"'],
    [{ id: '4711' }, 'id', 'id must be the id of an item or of a message; it is "4711"'],
    [
      { recipient: '<>' },
      'recipient',
      'recipient must be an address such as user@example.com, or @example.com for a whole domain; it is "<>"',
    ],
    [{ sender: 'example.com' }, 'sender', expect.stringContaining('or <> for the null reverse-path')],
    [{ after: 'a\nb' }, 'after', expect.stringContaining('the `next` of the page before')],
    [{ state: ['ready', 'leased'] }, 'state', 'state must be given once'],
    [{ sort: 'age' }, 'sort', expect.stringContaining('There is no parameter sort; there are connector, ')],
    [JSON.parse('{"__proto__":"x"}'), '__proto__', expect.stringContaining('There is no parameter')],
  ])('refuses %j', (query, field, message) => {
    expect(parseQueueQuery(query)).toEqual({ field, message })
  })
})
