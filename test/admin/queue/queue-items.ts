/** Items and connectors as the admin port gets them, for its tests and those of the commands that ask it. */
import type { ConnectorStatus } from '../../../src/delivery/status.ts'
import type {
  Counted,
  ListedItem,
  ListFilter,
  Page,
  QueueItem,
  QueueTotals,
} from '../../../src/queue/queue.ts'
import { temporary } from '../../../src/reply.ts'

export const messageId = '01JABCDEFGHJKMNPQRST'

export function listedItem(
  changes: Partial<QueueItem> = {},
  state: ListedItem['state'] = 'ready',
): ListedItem {
  return {
    state,
    item: {
      id: `${messageId}-1`,
      messageId,
      connector: '29',
      sender: { from: 'a@example.com', bodyType: '7bit', smtpUtf8: false, ret: null, envid: null },
      recipients: [
        {
          address: 'b@example.org',
          notify: null,
          orcpt: null,
          state: 'pending',
          lastReply: temporary('2.2', 'Mailbox full', 452),
          lastHost: 'smtp.example.org',
        },
        {
          address: 'c@example.org',
          notify: null,
          orcpt: null,
          state: 'delivered',
          lastReply: null,
          lastHost: null,
        },
      ],
      client: { address: '192.0.2.1', listener: 'exchange', user: null },
      internetMessageId: '<1@example.com>',
      eightBit: false,
      sizeBytes: 4096,
      receivedAt: 1_000_000,
      expiresAt: 173_800_000,
      delayNoticeAt: null,
      attempts: 1,
      nextAttemptAt: 1_300_000,
      suspended: null,
      requireTls: false,
      boundMark: false,
      lastError: null,
      ...changes,
    },
  }
}

export function connectorStatus(changes: Partial<ConnectorStatus> = {}): ConnectorStatus {
  return {
    connector: '29',
    name: 'Newsletter provider',
    state: 'ready',
    fault: null,
    lastError: null,
    nextAttemptAt: null,
    waitingUntil: null,
    waitingFor: null,
    connections: 0,
    attemptsInFlight: 0,
    ...changes,
  }
}

/** What the port reads of a queue, over fixed items; it notes what it was asked for. */
export class FixedQueue {
  readonly asked: ListFilter[] = []
  items: readonly ListedItem[]
  fault: Error | null = null
  counts: readonly Counted[] = []

  constructor(items: readonly ListedItem[]) {
    this.items = items
  }

  async list(filter: ListFilter, options: { limit: number; after: string | null }): Promise<Page> {
    if (this.fault) throw this.fault
    this.asked.push(filter)
    const { id } = filter
    const matching = this.items.filter(
      ({ item }) => id === undefined || item.id === id || item.messageId === id,
    )
    const start = Number(options.after ?? 0)
    const end = start + options.limit
    return { items: matching.slice(start, end), next: end < matching.length ? String(end) : null }
  }

  async totals(): Promise<QueueTotals> {
    if (this.fault) throw this.fault
    const depth = { ready: this.items.length, deferred: 0, leased: 0, suspended: 0 }
    return { connectors: new Map([['29', depth]]), items: this.items.length, bytes: 0, corrupt: 0 }
  }

  async counted(prefix: string, { limit }: { limit: number }): Promise<readonly Counted[]> {
    if (this.fault) throw this.fault
    return this.counts.filter(({ key }) => key.startsWith(prefix)).slice(0, limit)
  }
}
