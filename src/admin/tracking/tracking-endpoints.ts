/** The tracking history, as JSON or as lines of Exchange's message tracking log. */
import type { Clock } from '../../clock.ts'
import { fileHead } from '../../tracking/csv.ts'
import type { TrackingPage } from '../../tracking/search.ts'
import { SearchFailed, type TrackingSearch } from '../../tracking/search-thread.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { storeAway } from '../problem.ts'
import { type TrackingQuery, trackingFilterOf, trackingQuery } from './tracking-query.ts'
import { nextHeader, trackingPageSchema } from './tracking-view.ts'

export interface TrackingEndpointsOptions {
  readonly tracking: Pick<TrackingSearch, 'search'>
  readonly clock: Clock
}

export function trackingEndpoints({ tracking, clock }: TrackingEndpointsOptions): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/tracking',
      scope: 'read',
      part: 'Tracking',
      summary: 'Events of the history that match, the newest first, a page at a time',
      query: trackingQuery,
      answer: trackingPageSchema,
      mediaType: 'text/csv',
      async handle({ query, reply }) {
        const { lines, ...page } = await search(tracking, query)
        if (query.format === 'json') return page
        if (page.next !== null) reply.header(nextHeader, page.next)
        const head = query.after === null ? fileHead(clock.now()) : ''
        return reply.type('text/csv; charset=utf-8').send(head + lines.map((line) => `${line}\r\n`).join(''))
      },
    }),
  ]
}

async function search(tracking: Pick<TrackingSearch, 'search'>, query: TrackingQuery): Promise<TrackingPage> {
  const { limit, after } = query
  try {
    return await tracking.search(trackingFilterOf(query), { limit, after })
  } catch (error) {
    if (!(error instanceof SearchFailed)) throw error
    throw storeAway('The tracking history cannot be searched', error)
  }
}
