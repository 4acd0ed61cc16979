/** Builders of queue items and messages: a valid whole, of which a test says only what matters to it. */
import type { EnvelopeSender } from '../../src/envelope.ts'
import { itemId, messageIdOf, newMessageId } from '../../src/message-id.ts'
import type { NewMessage, QueuedRecipient, QueueItem } from '../../src/queue/queue.ts'

/** The instant at which the tests' mail arrives. */
export const t0 = Date.UTC(2026, 0, 5, 8, 0, 0)

export function recipient(address: string, fields: Partial<QueuedRecipient> = {}): QueuedRecipient {
  return { address, notify: null, orcpt: null, state: 'pending', lastReply: null, lastHost: null, ...fields }
}

export function sender(from: string, fields: Partial<EnvelopeSender> = {}): EnvelopeSender {
  return { from, bodyType: '7bit', smtpUtf8: false, ret: null, envid: null, ...fields }
}

/** An item of connector `alpha`, due when it arrived, unless `fields` says otherwise. */
export function queueItem(id: string, fields: Partial<QueueItem> = {}): QueueItem {
  const receivedAt = fields.receivedAt ?? t0
  return {
    id,
    messageId: messageIdOf(id),
    connector: 'alpha',
    sender: sender('newsletter@example.com'),
    recipients: [recipient('user@example.org')],
    client: { address: '127.0.0.1', listener: 'exchange', user: null },
    internetMessageId: `<${messageIdOf(id)}@example.com>`,
    eightBit: false,
    sizeBytes: 0,
    receivedAt,
    expiresAt: receivedAt + 2 * 86_400_000,
    delayNoticeAt: receivedAt + 4 * 3_600_000,
    attempts: 0,
    nextAttemptAt: receivedAt,
    suspended: null,
    requireTls: false,
    boundMark: false,
    lastError: null,
    ...fields,
  }
}

export interface MessageFields {
  readonly id?: string
  readonly receivedAt?: number
  readonly body?: Buffer
  /** One item for each; default one that is due at once. */
  readonly items?: readonly Partial<QueueItem>[]
}

/** A message with its body inline. */
export function newMessage(fields: MessageFields = {}): NewMessage {
  const receivedAt = fields.receivedAt ?? t0
  const id = fields.id ?? newMessageId(receivedAt)
  const bytes = fields.body ?? Buffer.from(`Subject: ${id}\r\n\r\nHello\r\n`)
  const items = (fields.items ?? [{}]).map((item, index) =>
    queueItem(itemId(id, index + 1), { receivedAt, sizeBytes: bytes.length, ...item }),
  )
  return { id, body: { kind: 'inline', bytes }, items }
}

/** A message of one item. */
export function newItem(
  fields: Partial<QueueItem> = {},
  options: Omit<MessageFields, 'items'> = {},
): NewMessage {
  return newMessage({ ...options, items: [fields] })
}
