/**
 * A queue item as it is stored: JSON, checked by the same rules before it is written and after it is read, so
 * that what a backend cannot read back never gets in, and what a disk or another program has damaged never
 * gets out. Beside it the checks of what callers hand to `put` and `settle`, the same for both backends.
 */
import { isItemId, isMessageId, messageIdOf, messageIdPartitionDigit } from '../message-id.ts'
import type { Body, NewMessage, Outcome, PutOptions, QueueItem } from './queue.ts'

/** Throws where the item is not one that `decodeItem` would take: a fault of ours, before anything is written. */
export function encodeItem(item: QueueItem): string {
  const fault = itemFault(item)
  if (fault !== null) throw new TypeError(`Cannot store queue item ${JSON.stringify(item.id)}: bad ${fault}`)
  return JSON.stringify(item)
}

/** Null where the text is not a record: the backend sets it aside and counts it. */
export function decodeItem(text: string): QueueItem | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  // Records are older than these fields.
  if (isObject(value)) {
    if (value.requireTls === undefined) value.requireTls = false
    if (value.boundMark === undefined) value.boundMark = false
  }
  return itemFault(value) === null ? (value as unknown as QueueItem) : null
}

export const bodySize = (body: Body): number =>
  body.kind === 'inline' ? body.bytes.length : body.stage.sizeBytes

/**
 * The messages of one put, checked: throws where they do not belong together, one of them is not whole, or a lease
 * is asked on what cannot be leased.
 */
export function messagesOf(message: NewMessage, options: PutOptions): readonly NewMessage[] {
  const messages = options.siblings === undefined ? [message] : [message, ...options.siblings]
  const partition = messageIdPartitionDigit(message.id)
  for (const each of messages) {
    checkMessage(each)
    if (messageIdPartitionDigit(each.id) !== partition) refuse(each, `it is not a sibling of ${message.id}`)
  }
  if (messages.length > 1 && new Set(messages.map(({ id }) => id)).size !== messages.length)
    refuse(message, 'two siblings have the same id')
  for (const id of options.lease?.itemIds ?? [])
    if (!messages.some(({ items }) => items.some((item) => item.id === id && item.suspended === null)))
      refuse(message, `${id} cannot be leased`)
  return messages
}

/** Throws where the message and its items do not belong together. */
function checkMessage(message: NewMessage): void {
  const { items } = message
  if (items.length === 0) refuse(message, 'it has no items')
  if (haveSameId(items)) refuse(message, 'two of its items have the same id')
  if (items.some((item) => item.messageId !== message.id)) refuse(message, 'an item is of another message')
  if (message.body.kind === 'staged' && message.body.stage.messageId !== message.id)
    refuse(message, 'its body was staged for another message')
}

function refuse(message: NewMessage, why: string): never {
  throw new TypeError(`Cannot queue message ${JSON.stringify(message.id)}: ${why}`)
}

/** Throws where the outcome is not one of this item: items of another message, or a DSN in another partition. */
export function checkOutcome(itemId: string, outcome: Outcome): void {
  const messageId = messageIdOf(itemId)
  if (outcome.items.some((item) => item.messageId !== messageId))
    refuseOutcome(itemId, 'an item is of another message')
  if (haveSameId(outcome.items)) refuseOutcome(itemId, 'two items have the same id')
  checkDsn(itemId, outcome.dsn)
}

function refuseOutcome(itemId: string, why: string): never {
  throw new TypeError(`Cannot settle queue item ${JSON.stringify(itemId)}: ${why}`)
}

const haveSameId = (items: readonly QueueItem[]): boolean =>
  items.length > 1 && new Set(items.map(({ id }) => id)).size !== items.length

/** A DSN is queued in the step that settles or removes the item, so it must fall into the same partition. */
export function checkDsn(itemId: string, dsn: NewMessage | null): void {
  if (dsn === null) return
  checkMessage(dsn)
  if (messageIdPartitionDigit(dsn.id) !== messageIdPartitionDigit(itemId))
    throw new TypeError(`Cannot queue DSN ${JSON.stringify(dsn.id)}: it is not a sibling of ${itemId}`)
}

/**
 * The first field that is not as it must be; null where all are. Written out, field by field: it is asked of each
 * message, and rules in a table, each a function, cost several times as much.
 */
function itemFault(value: unknown): keyof QueueItem | 'record' | null {
  if (!isObject(value)) return 'record'
  const { id, messageId } = value
  if (typeof id !== 'string' || !isItemId(id)) return 'id'
  if (typeof messageId !== 'string' || !isMessageId(messageId)) return 'messageId'
  if (!isConnector(value.connector)) return 'connector'
  if (!isSender(value.sender)) return 'sender'
  if (!isListOf(value.recipients, isRecipient)) return 'recipients'
  if (!isClient(value.client)) return 'client'
  if (!isStringOrNull(value.internetMessageId)) return 'internetMessageId'
  if (typeof value.eightBit !== 'boolean') return 'eightBit'
  if (!isCount(value.sizeBytes)) return 'sizeBytes'
  if (!isCount(value.receivedAt)) return 'receivedAt'
  if (!isCount(value.expiresAt)) return 'expiresAt'
  if (value.delayNoticeAt !== null && !isCount(value.delayNoticeAt)) return 'delayNoticeAt'
  if (!isCount(value.attempts)) return 'attempts'
  if (!isCount(value.nextAttemptAt)) return 'nextAttemptAt'
  if (!isStringOrNull(value.suspended)) return 'suspended'
  if (typeof value.requireTls !== 'boolean') return 'requireTls'
  if (typeof value.boundMark !== 'boolean') return 'boundMark'
  if (!isStringOrNull(value.lastError)) return 'lastError'
  return messageIdOf(id) === messageId ? null : 'messageId'
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isStringOrNull = (value: unknown): boolean => value === null || typeof value === 'string'
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

function isListOf(value: unknown, holds: (element: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(holds)
}

/** A connector is part of a key of the store: bounded, and without the characters that part keys. */
const isConnector = (value: unknown): boolean =>
  typeof value === 'string' && /^[^\u0000-\u0020\u007f]{1,200}$/.test(value)

function isSender(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value.from === 'string' &&
    (value.bodyType === '7bit' || value.bodyType === '8bitmime') &&
    typeof value.smtpUtf8 === 'boolean' &&
    (value.ret === null || value.ret === 'full' || value.ret === 'hdrs') &&
    isStringOrNull(value.envid)
  )
}

function isRecipient(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value.address === 'string' &&
    (value.notify === null || value.notify === 'never' || isListOf(value.notify, isNotifyWord)) &&
    isStringOrNull(value.orcpt) &&
    (value.state === 'pending' || value.state === 'delivered' || value.state === 'failed') &&
    (value.lastReply === null || isReply(value.lastReply)) &&
    isStringOrNull(value.lastHost)
  )
}

const isNotifyWord = (value: unknown): boolean =>
  value === 'success' || value === 'failure' || value === 'delay'

function isReply(value: unknown): boolean {
  return (
    isObject(value) && isCount(value.code) && isStringOrNull(value.enhanced) && typeof value.text === 'string'
  )
}

function isClient(value: unknown): boolean {
  return (
    isObject(value) &&
    isStringOrNull(value.address) &&
    isStringOrNull(value.listener) &&
    isStringOrNull(value.user)
  )
}
