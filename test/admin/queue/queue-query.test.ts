import { describe, expect, it } from 'vitest'
import { checked } from '../../../src/admin/bad-input.ts'
import { Refused } from '../../../src/admin/problem.ts'
import { queueQuery } from '../../../src/admin/queue/queue-query.ts'

const id = '01JABCDEFGHJKMNPQRST'

describe('parameters of GET /queue', () => {
  it.each([
    [{}, { limit: 100, after: null }],
    [
      { connector: '29', state: 'deferred' },
      { connector: '29', state: 'deferred' },
    ],
    [{ connector: 'unreachable' }, { connector: 'unreachable' }],
    [{ id }, { id }],
    [{ id: `${id}-2` }, { id: `${id}-2` }],
    [{ sender: 'User@Example.COM' }, { sender: 'User@example.com' }],
    [{ sender: '<>' }, { sender: '' }],
    [{ recipient: '@München.example' }, { recipient: '@xn--mnchen-3ya.example' }],
    [{ order: 'newest' }, { order: 'newest' }],
    [
      { limit: '1000', after: '0 ["29",1700000000000]' },
      { limit: 1000, after: '0 ["29",1700000000000]' },
    ],
  ])('%j means %j', (query, expected) => {
    expect(checked(queueQuery, query, 'query')).toEqual({ limit: 100, after: null, ...expected })
  })

  it.each<[object, string, string]>([
    [{ limit: '0' }, 'limit', 'limit must be a number from 1 to 1000'],
    [{ limit: '1001' }, 'limit', 'limit must be a number from 1 to 1000'],
    [{ limit: '1e2' }, 'limit', 'limit must be a number from 1 to 1000'],
    [{ state: 'held' }, 'state', 'state must be ready, deferred, leased or suspended'],
    [{ connector: 'a b' }, 'connector', 'connector must be the id of a connector'],
    [{ id: '4711' }, 'id', 'id must be the id of an item or of a message'],
    [
      { recipient: '<>' },
      'recipient',
      'recipient must be an address such as user@example.com, or @example.com for a whole domain',
    ],
    [{ sender: 'example.com' }, 'sender', expect.stringContaining('or <> for the null reverse-path')],
    [{ order: 'size' }, 'order', 'order must be oldest or newest'],
    [{ after: 'a\nb' }, 'after', expect.stringContaining('the `next` of the page before')],
    [{ state: ['ready', 'leased'] }, 'state', 'state must be ready, deferred, leased or suspended'],
    [{ sort: 'age' }, 'sort', 'There is no parameter sort'],
    [JSON.parse('{"__proto__":"x"}'), '__proto__', expect.stringContaining('There is no parameter')],
  ])('%j is refused, naming what would be right', (query, field, message) => {
    expect(() => checked(queueQuery, query, 'query')).toThrow(
      expect.objectContaining({ name: Refused.name, status: 400, field, message }),
    )
  })
})
