/** Reads pages of the queue for the admin port; why it cannot be read is for the operator to know. */
import type { ListFilter, Page, Queue } from '../queue/queue.ts'
import { Refused, storeAway } from './problem.ts'

export interface PageOptions {
  readonly now: number
  readonly limit: number
  readonly after: string | null
}

export async function readPage(
  queue: Pick<Queue, 'list'>,
  filter: ListFilter,
  options: PageOptions,
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
