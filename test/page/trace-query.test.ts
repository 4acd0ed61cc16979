import { describe, expect, it } from 'vitest'
import {
  isEmptyQuery,
  readTraceQuery,
  searchParameters,
  type TraceQuery,
  traceParameters,
} from '../../src/page/trace/trace-query.ts'

describe('a search of the history', () => {
  it.each<[string, TraceQuery]>([
    ['', {}],
    ['id=01JABCDEFGHJKMNPQRST', { id: '01JABCDEFGHJKMNPQRST' }],
    [
      'sender=a%40example.com&event=SEND&from=2026-01-31T18%3A00',
      { sender: 'a@example.com', event: 'SEND', from: '2026-01-31T18:00' },
    ],
  ])('stands in the address bar as %j', (text, query) => {
    expect(readTraceQuery(new URLSearchParams(text))).toEqual(query)
    expect(traceParameters(query).toString()).toBe(text)
  })

  it('asks for instants, not for local times', () => {
    const local = '2026-01-31T18:00'
    expect(searchParameters({ from: local }).get('from')).toBe(String(new Date(local).getTime()))
  })

  it('gives the API a time that cannot be read as it is: the API names the field', () => {
    expect(searchParameters({ until: 'soon' }).get('until')).toBe('soon')
  })

  it('completes a Message-ID by its angle brackets', () => {
    expect(searchParameters({ internetMessageId: '1@example.com' }).get('internetMessageId')).toBe(
      '<1@example.com>',
    )
    expect(searchParameters({ internetMessageId: '<1@example.com>' }).get('internetMessageId')).toBe(
      '<1@example.com>',
    )
  })

  it('is empty where nothing but blanks was typed', () => {
    expect(isEmptyQuery({ sender: ' ' })).toBe(true)
    expect(isEmptyQuery({ sender: '<>' })).toBe(false)
  })
})
