/** The queue, the connectors and what is used of the limits, to read. */
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../clock.ts'
import type { Limit } from '../config/policy-schema.ts'
import type { ConnectorStatus } from '../delivery/status.ts'
import { isItemId, isMessageId } from '../message-id.ts'
import type { Counted, Page, Queue, QueueTotals } from '../queue/queue.ts'
import { connectorViews } from './connector-view.ts'
import { type ItemPage, itemView } from './item-view.ts'
import { limitViews } from './limit-view.ts'
import { fail, storeAway } from './problem.ts'
import { maxLimit, parseQueueQuery } from './queue-query.ts'
import { readPage } from './queue-reader.ts'

export interface QueueRoutesOptions {
  readonly queue: Pick<Queue, 'list' | 'totals' | 'counted'>
  readonly limits: readonly Limit[]
  readonly connectors: () => readonly ConnectorStatus[]
  readonly clock: Clock
}

export function addQueue(server: FastifyInstance, options: QueueRoutesOptions): void {
  const { queue, connectors, limits, clock } = options
  server.get<{ Querystring: Record<string, unknown> }>('/queue', async (request, reply) => {
    const query = parseQueueQuery(request.query)
    if ('field' in query) return fail(reply, 400, query.message, query.field)
    const { filter, ...page } = query
    return view(await readPage(queue, filter, { now: clock.now(), ...page }), connectors())
  })
  server.get<{ Params: { id: string } }>('/queue/:id', async (request, reply) => {
    const { id } = request.params
    if (!isItemId(id) && !isMessageId(id))
      return fail(reply, 400, 'id must be the id of an item or of a message', 'id')
    const page = await readPage(queue, { id }, { now: clock.now(), limit: maxLimit, after: null })
    if (page.items.length === 0) return fail(reply, 404, `No item or message ${id} is in the queue`)
    return view(page, connectors())
  })
  server.get('/connectors', async () => {
    // How connectors stand is known without the store, and wanted most when something is wrong.
    const totals: QueueTotals | null = await queue.totals({ now: clock.now() }).catch(() => null)
    return { connectors: connectorViews(connectors(), totals) }
  })
  server.get('/limits', async () => {
    const counted = await readCounted(queue, { now: clock.now() })
    return { limits: limitViews(counted, limits) }
  })
}

function view(page: Page, statuses: readonly ConnectorStatus[]): ItemPage {
  const byId = new Map(statuses.map((status) => [status.connector, status]))
  return {
    items: page.items.map((listed) => itemView(listed, byId.get(listed.item.connector))),
    next: page.next,
  }
}

/** As many as an operator reads; the fullest are what matters. */
const mostCounted = 1000

async function readCounted(
  queue: Pick<Queue, 'counted'>,
  { now }: { now: number },
): Promise<readonly Counted[]> {
  try {
    return await queue.counted('limit:', { now, limit: mostCounted })
  } catch (error) {
    throw storeAway('The limits cannot be read', error)
  }
}
