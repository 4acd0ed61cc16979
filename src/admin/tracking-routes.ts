/** The tracking history, as JSON or as lines of Exchange's message tracking log. */
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../clock.ts'
import { fileHead } from '../tracking/csv.ts'
import type { TrackingPage } from '../tracking/search.ts'
import { SearchFailed, type TrackingSearch } from '../tracking/search-thread.ts'
import { fail, storeAway } from './problem.ts'
import { parseTrackingQuery, type TrackingQuery } from './tracking-query.ts'
import { nextHeader } from './tracking-view.ts'

export interface TrackingRoutesOptions {
  readonly tracking: Pick<TrackingSearch, 'search'>
  readonly clock: Clock
}

export function addTracking(server: FastifyInstance, { tracking, clock }: TrackingRoutesOptions): void {
  server.get<{ Querystring: Record<string, unknown> }>('/tracking', async (request, reply) => {
    const query = parseTrackingQuery(request.query)
    if ('field' in query) return fail(reply, 400, query.message, query.field)
    const { lines, ...page } = await searchTracking(tracking, query)
    if (query.format === 'json') return page
    if (page.next !== null) reply.header(nextHeader, page.next)
    const head = query.after === null ? fileHead(clock.now()) : ''
    return reply.type('text/csv; charset=utf-8').send(head + lines.map((line) => `${line}\r\n`).join(''))
  })
}

async function searchTracking(
  tracking: Pick<TrackingSearch, 'search'>,
  { filter, limit, after }: TrackingQuery,
): Promise<TrackingPage> {
  try {
    return await tracking.search(filter, { limit, after })
  } catch (error) {
    if (!(error instanceof SearchFailed)) throw error
    throw storeAway('The tracking history cannot be searched', error)
  }
}
