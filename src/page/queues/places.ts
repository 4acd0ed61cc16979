/** The addresses of the Queue Viewer's parts. */
import { hrefTo } from '../router.ts'
import { filterQuery, type QueueFilter, type QueueOrder } from './queue-filter.ts'

export const queuesHref = (): string => hrefTo('queues')

export function messagesHref(filter: QueueFilter = {}, order: QueueOrder = ''): string {
  const query = filterQuery(filter)
  if (order !== '') query.set('order', order)
  return query.size === 0 ? hrefTo('queues', 'messages') : `${hrefTo('queues', 'messages')}?${query}`
}

/** Of an item, or of all items of a message. */
export const messageHref = (id: string): string => hrefTo('queues', 'messages', id)

export const traceHref = (id: string): string => `${hrefTo('trace')}?${new URLSearchParams({ id })}`
