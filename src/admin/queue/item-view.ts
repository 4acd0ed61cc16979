/**
 * One queue item as operators see it: the JSON of the admin port and of `relay queue list --json`. Declared as a
 * schema, so that the command checks what it is given with the declaration that the server answers by.
 */
import { z } from 'zod'
import { type ConnectorStatus, stoppedUntil, whyStopped } from '../../delivery/status.ts'
import type { ListedItem } from '../../queue/queue.ts'
import { formatReply } from '../../reply.ts'

export const itemViewSchema = z
  .object({
    id: z.string(),
    messageId: z.string(),
    connector: z.string(),
    state: z.enum(['suspended', 'leased', 'deferred', 'ready']),
    from: z.string().describe('the empty string is the null reverse-path'),
    recipients: z.array(
      z.object({
        address: z.string(),
        state: z.enum(['pending', 'delivered', 'failed']),
        lastReply: z.string().nullable(),
      }),
    ),
    attempts: z.number(),
    nextAttemptAt: z
      .number()
      .nullable()
      .describe('null while the item is suspended: nothing will happen by itself'),
    lastError: z.string().nullable(),
    holdReason: z
      .string()
      .nullable()
      .describe('why an operator or a rule holds it; null where it is not suspended'),
    receivedAt: z.number(),
    expiresAt: z.number(),
    sizeBytes: z.number(),
    client: z.object({
      address: z.string().nullable(),
      listener: z.string().nullable(),
      user: z.string().nullable(),
    }),
  })
  .meta({ id: 'QueueItem' })
export type ItemView = z.infer<typeof itemViewSchema>

export const itemPageSchema = z.object({ items: z.array(itemViewSchema), next: z.string().nullable() })
export type ItemPage = z.infer<typeof itemPageSchema>

/** `connector` is how the item's connector stands; undefined where no such connector is configured. */
export function itemView(listed: ListedItem, connector: ConnectorStatus | undefined): ItemView {
  const { item, state } = listed
  const { nextAttemptAt, lastError } = whatItWaitsFor(listed, connector)
  return {
    id: item.id,
    messageId: item.messageId,
    connector: item.connector,
    state,
    from: item.sender.from,
    recipients: item.recipients.map((recipient) => ({
      address: recipient.address,
      state: recipient.state,
      lastReply: recipient.lastReply && formatReply(recipient.lastReply),
    })),
    attempts: item.attempts,
    nextAttemptAt,
    lastError,
    holdReason: item.suspended,
    receivedAt: item.receivedAt,
    expiresAt: item.expiresAt,
    sizeBytes: item.sizeBytes,
    client: { address: item.client.address, listener: item.client.listener, user: item.client.user },
  }
}

/**
 * A fault of the connection, or a rate limit, stops the connector and touches no item. An item behind a stopped
 * connector therefore shows the connector's reason and time, unless its own schedule makes it wait longer.
 */
function whatItWaitsFor(
  { item, state }: ListedItem,
  connector: ConnectorStatus | undefined,
): Pick<ItemView, 'nextAttemptAt' | 'lastError'> {
  if (state === 'suspended') return { nextAttemptAt: null, lastError: item.lastError }
  const { nextAttemptAt, lastError } = item
  if (connector === undefined || state === 'leased') return { nextAttemptAt, lastError }
  const until = stoppedUntil(connector)
  if (until === null) return { nextAttemptAt, lastError }
  const reason = whyStopped(connector)
  return nextAttemptAt > until
    ? { nextAttemptAt, lastError: lastError ?? reason }
    : { nextAttemptAt: until, lastError: reason ?? lastError }
}
