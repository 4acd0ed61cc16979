/** Reads the queue for the admin port; why it cannot be read is for the operator to know. */
import type { ListedItem, ListFilter, ListOptions, Page, Queue } from '../../queue/queue.ts'
import { Refused, storeAway } from '../problem.ts'
import { maxLimit } from './queue-query.ts'

export async function readPage(
  queue: Pick<Queue, 'list'>,
  filter: ListFilter,
  options: ListOptions,
): Promise<Page> {
  try {
    return await queue.list(filter, options)
  } catch (error) {
    // The form of a cursor is the store's own affair: it alone can refuse one that it never gave.
    if (options.after !== null && error instanceof TypeError)
      throw new Refused(400, 'after must be the `next` of the page before', 'after')
    throw storeAway('The queue cannot be read', error)
  }
}

/** The item of that id, or all items of the message: at least one. */
export async function itemsOf(
  queue: Pick<Queue, 'list'>,
  id: string,
  { now }: { now: number },
): Promise<readonly ListedItem[]> {
  const { items } = await readPage(queue, { id }, { now, limit: maxLimit, after: null })
  if (items.length === 0) throw notQueued(id)
  return items
}

export const notQueued = (id: string): Refused => new Refused(404, `No item or message ${id} is in the queue`)
