/** The queue and what is u of the limits, to read and, where there are acts, to act upon. */
import type { Limit } from '../../config/policy-schema.ts'
import { isRateLimited } from '../../delivery/rate.ts'
import type { ConnectorStatus } from '../../delivery/status.ts'
import type { Counted, ListedItem, Queue } from '../../queue/queue.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { storeAway } from '../problem.ts'
import { byItemOrMessageId } from '../query-values.ts'
import { type ItemView, itemPageSchema, itemView } from './item-view.ts'
import { type LimitView, limitListSchema, limitViews, type RateLimited } from './limit-view.ts'
import { type QueueActOptions, queueActEndpoints } from './queue-act-endpoints.ts'
import { queueQuery } from './queue-query.ts'
import { itemsOf, readPage } from './queue-reader.ts'

export interface QueueEndpointsOptions extends QueueActOptions {
  readonly queue: Pick<Queue, 'list' | 'body' | 'counted'>
  /** `policy.limits`. */
  readonly limits: readonly Limit[]
  /** Those that are configured now. */
  readonly configured: () => readonly RateLimited[]
}

export function queueEndpoints(options: QueueEndpointsOptions): Endpoint[] {
  const { queue, connectors, clock } = options
  return [
    endpoint({
      method: 'GET',
      path: '/queue',
      scope: 'read',
      part: 'Queue',
      summary: 'Items of the queue that match, a page at a time',
      query: queueQuery,
      answer: itemPageSchema,
      async handle({ query: { limit, after, order, ...filter } }) {
        const page = await readPage(queue, filter, { now: clock.now(), limit, after, order })
        return { items: itemViews(page.items, connectors()), next: page.next }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/queue/:id',
      scope: 'read',
      part: 'Queue',
      summary: 'One item, or all items of a message',
      params: byItemOrMessageId,
      answer: itemPageSchema,
      problems: [404],
      async handle({ params: { id } }) {
        const items = await itemsOf(queue, id, { now: clock.now() })
        return { items: itemViews(items, connectors()), next: null }
      },
    }),
    ...queueActEndpoints(options),
    endpoint({
      method: 'GET',
      path: '/limits',
      scope: 'read',
      part: 'Limits',
      summary: "What is u of policy's limits and of the connectors' rate limits, the fullest first",
      answer: limitListSchema,
      handle: async () => ({ limits: await readLimits(options) }),
    }),
  ]
}

function itemViews(items: readonly ListedItem[], statuses: readonly ConnectorStatus[]): ItemView[] {
  const byId = new Map(statuses.map((status) => [status.connector, status]))
  return items.map((listed) => itemView(listed, byId.get(listed.item.connector)))
}

/** As many as an operator reads; the fullest are what matters. */
const mostCounted = 1000
/** Where there are more counts than that, so many connectors are asked for by name. */
const mostAskedFor = 20

async function readLimits(options: QueueEndpointsOptions): Promise<readonly LimitView[]> {
  const connectors = options.configured().filter(({ limits }) => isRateLimited(limits))
  try {
    const counted = await options.queue.counted('', { now: options.clock.now(), limit: mostCounted })
    const isAll = counted.length < mostCounted
    const asked = isAll ? connectors : connectors.slice(0, mostAskedFor)
    const own = isAll ? [] : await countedBy(asked, options)
    const views = limitViews([...counted, ...own], {
      limits: options.limits,
      connectors,
      complete: new Set(asked),
    })
    return views.slice(0, mostCounted)
  } catch (error) {
    throw storeAway('The limits cannot be read', error)
  }
}

async function countedBy(
  connectors: readonly RateLimited[],
  { queue, clock }: QueueEndpointsOptions,
): Promise<Counted[]> {
  const options = { now: clock.now(), limit: mostCounted }
  const counted = await Promise.all(
    // Other ids may begin with this one.
    connectors.map(async ({ id }) => (await queue.counted(id, options)).filter(({ key }) => key === id)),
  )
  return counted.flat()
}
