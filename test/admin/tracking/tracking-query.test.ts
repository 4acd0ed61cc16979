import { describe, expect, it } from 'vitest'
import { checked } from '../../../src/admin/bad-input.ts'
import { mostIds, trackingFilterOf, trackingQuery } from '../../../src/admin/tracking/tracking-query.ts'
import { messageId } from '../queue/queue-items.ts'

const cursor = 'MSGTRK2026010508-1.LOG:4711'
const guid = '13FAD5B7-39C5-46E7-130E-08D4A138AC67'

describe('parameters of GET /tracking', () => {
  it.each<[Record<string, unknown>, object]>([
    [{}, { filter: {}, limit: 100, after: null, format: 'json' }],
    [{ id: messageId }, { filter: { ids: [messageId] } }],
    [{ id: `${messageId},${messageId}-2` }, { filter: { ids: [messageId, `${messageId}-2`] } }],
    [{ internetMessageId: '<1@example.com>' }, { filter: { internetMessageId: '<1@example.com>' } }],
    [{ networkMessageId: guid }, { filter: { networkMessageId: guid.toLowerCase() } }],
    [{ sender: 'Anna@Example.COM' }, { filter: { sender: 'Anna@example.com' } }],
    [{ sender: '<>' }, { filter: { sender: '' } }],
    [{ recipient: '@Example.ORG' }, { filter: { recipient: '@example.org' } }],
    [{ connector: 'exchange', event: 'SEND' }, { filter: { connector: 'exchange', event: 'SEND' } }],
    [{ from: '1767600000000' }, { filter: { from: 1_767_600_000_000 } }],
    [{ until: '2026-01-05T08:00:00Z' }, { filter: { until: 1_767_600_000_000 } }],
    [
      { limit: '1000', after: cursor, format: 'csv' },
      { limit: 1000, after: cursor, format: 'csv' },
    ],
  ])('%j means %j', (query, meaning) => {
    const asked = checked(trackingQuery, query, 'query')
    expect({ ...asked, filter: trackingFilterOf(asked) }).toMatchObject(meaning)
  })

  it.each<[Record<string, unknown>, string, string]>([
    [{ colour: 'red' }, 'colour', 'There is no parameter colour'],
    [{ sender: ['a@example.com', 'b@example.com'] }, 'sender', 'sender must be an address such as'],
    [{ id: 'x' }, 'id', 'id must be the id of an item or of a message'],
    [{ id: '' }, 'id', 'id must be the id'],
    [
      {
        id: Array(mostIds + 1)
          .fill(messageId)
          .join(),
      },
      'id',
      'up to 100 of them',
    ],
    [{ internetMessageId: '' }, 'internetMessageId', 'must be a Message-ID'],
    [{ networkMessageId: 'x' }, 'networkMessageId', 'must be a GUID'],
    [{ sender: 'nobody' }, 'sender', 'or <> for the null reverse-path'],
    [{ recipient: '<>' }, 'recipient', 'must be an address such as user@example.com'],
    [{ connector: 'a b' }, 'connector', 'must be the id of a connector'],
    [{ event: 'send' }, 'event', 'must be an event such as RECEIVE'],
    [{ from: 'yesterday' }, 'from', 'must be an instant such as'],
    [{ limit: '0' }, 'limit', 'must be a number from 1 to 1000'],
    [{ after: '../../etc/passwd:1' }, 'after', 'must be the `next` of the page before'],
    [{ format: 'xml' }, 'format', 'must be json or csv'],
  ])('%j is refused, naming what would be right', (query, field, message) => {
    expect(() => checked(trackingQuery, query, 'query')).toThrow(
      expect.objectContaining({ status: 400, field, message: expect.stringContaining(message) }),
    )
  })
})
