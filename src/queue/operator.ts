/**
 * What an operator asks of the queue, as decisions that both backends share: which items a filter means, and
 * what a change makes of an item. Removal is not here: nothing is left of the item.
 */
import { domainOf } from '../address.ts'
import type { Change, ItemState, ListFilter, QueueItem } from './queue.ts'

export function matches(item: QueueItem, state: ItemState, filter: ListFilter): boolean {
  return (
    (filter.connector === undefined || item.connector === filter.connector) &&
    (filter.state === undefined || state === filter.state) &&
    (filter.id === undefined || item.id === filter.id || item.messageId === filter.id) &&
    (filter.sender === undefined || matchesAddress(item.sender.from, filter.sender)) &&
    (filter.recipient === undefined ||
      item.recipients.some((recipient) => matchesAddress(recipient.address, filter.recipient!)))
  )
}

/**
 * The item after the change; the same object where nothing changes. `retry` and `redirect` only ever bring the
 * next attempt forward, and leave a suspended item suspended: resuming is another decision.
 */
export function changed(
  item: QueueItem,
  change: Exclude<Change, { kind: 'remove' }>,
  options: { now: number },
): QueueItem {
  switch (change.kind) {
    case 'suspend':
      return item.suspended === change.reason ? item : { ...item, suspended: change.reason }
    case 'resume':
      return item.suspended === null ? item : { ...item, suspended: null }
    case 'retry':
      return item.nextAttemptAt <= options.now ? item : { ...item, nextAttemptAt: options.now }
    case 'redirect':
      if (item.connector === change.connector && item.nextAttemptAt <= options.now) return item
      return {
        ...item,
        connector: change.connector,
        nextAttemptAt: Math.min(item.nextAttemptAt, options.now),
      }
  }
}

function matchesAddress(address: string, wanted: string): boolean {
  return wanted.startsWith('@') ? domainOf(address) === wanted.slice(1) : address === wanted
}
