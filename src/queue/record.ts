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
  if (new Set(messages.map(({ id }) => id)).size !== messages.length)
    refuse(message, 'two siblings have the same id')
  for (const id of options.lease?.itemIds ?? [])
    if (!messages.some(({ items }) => items.some((item) => item.id === id && item.suspended === null)))
      refuse(message, `${id} cannot be leased`)
  return messages
}

/** Throws where the message and its items do not belong together. */
function checkMessage(message: NewMessage): void {
  const ids = new Set(message.items.map((item) => item.id))
  if (ids.size === 0) refuse(message, 'it has no items')
  if (ids.size !== message.items.length) refuse(message, 'two of its items have the same id')
  if (message.items.some((item) => item.messageId !== message.id))
    refuse(message, 'an item is of another message')
  if (message.body.kind === 'staged' && message.body.stage.messageId !== message.id)
    refuse(message, 'its body was staged for another message')
}

function refuse(message: NewMessage, why: string): never {
  throw new TypeError(`Cannot queue message ${JSON.stringify(message.id)}: ${why}`)
}

/** Throws where the outcome is not one of this item: items of another message, or a DSN in another partition. */
export function checkOutcome(itemId: string, outcome: Outcome): void {
  const messageId = messageIdOf(itemId)
  const refuse = (why: string): never => {
    throw new TypeError(`Cannot settle queue item ${JSON.stringify(itemId)}: ${why}`)
  }
  if (outcome.items.some((item) => item.messageId !== messageId)) refuse('an item is of another message')
  if (new Set(outcome.items.map((item) => item.id)).size !== outcome.items.length)
    refuse('two items have the same id')
  checkDsn(itemId, outcome.dsn)
}

/** A DSN is queued in the step that settles or removes the item, so it must fall into the same partition. */
export function checkDsn(itemId: string, dsn: NewMessage | null): void {
  if (dsn === null) return
  checkMessage(dsn)
  if (messageIdPartitionDigit(dsn.id) !== messageIdPartitionDigit(itemId))
    throw new TypeError(`Cannot queue DSN ${JSON.stringify(dsn.id)}: it is not a sibling of ${itemId}`)
}

/** The first field that is not as it must be; null where all are. */
function itemFault(value: unknown): string | null {
  if (!isObject(value)) return 'record'
  for (const [field, holds] of itemFields) if (!holds(value[field])) return field
  return messageIdOf(value.id as string) === value.messageId ? null : 'messageId'
}

type Test = (value: unknown) => boolean
type Fields = readonly (readonly [field: string, holds: Test])[]

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isString: Test = (value) => typeof value === 'string'
const isBoolean: Test = (value) => typeof value === 'boolean'
const isCount: Test = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const orNull =
  (holds: Test): Test =>
  (value) =>
    value === null || holds(value)
const oneOf =
  (...values: readonly unknown[]): Test =>
  (value) =>
    values.includes(value)
const each =
  (holds: Test): Test =>
  (value) =>
    Array.isArray(value) && value.length > 0 && value.every(holds)
const record =
  (fields: Fields): Test =>
  (value) =>
    isObject(value) && fields.every(([field, holds]) => holds(value[field]))

/** A connector is part of a key of the store: bounded, and without the characters that part keys. */
const isConnector: Test = (value) =>
  typeof value === 'string' && /^[^\u0000-\u0020\u007f]{1,200}$/.test(value)

const isReply = record([
  ['code', isCount],
  ['enhanced', orNull(isString)],
  ['text', isString],
])

const isSender = record([
  ['from', isString],
  ['bodyType', oneOf('7bit', '8bitmime')],
  ['smtpUtf8', isBoolean],
  ['ret', oneOf('full', 'hdrs', null)],
  ['envid', orNull(isString)],
])

const isNotify = each(oneOf('success', 'failure', 'delay'))

const isRecipient = record([
  ['address', isString],
  ['notify', (value) => value === null || value === 'never' || isNotify(value)],
  ['orcpt', orNull(isString)],
  ['state', oneOf('pending', 'delivered', 'failed')],
  ['lastReply', orNull(isReply)],
  ['lastHost', orNull(isString)],
])

const isClient = record([
  ['address', orNull(isString)],
  ['listener', orNull(isString)],
  ['user', orNull(isString)],
])

const itemFields: Fields = [
  ['id', (value) => typeof value === 'string' && isItemId(value)],
  ['messageId', (value) => typeof value === 'string' && isMessageId(value)],
  ['connector', isConnector],
  ['sender', isSender],
  ['recipients', each(isRecipient)],
  ['client', isClient],
  ['internetMessageId', orNull(isString)],
  ['eightBit', isBoolean],
  ['sizeBytes', isCount],
  ['receivedAt', isCount],
  ['expiresAt', isCount],
  ['delayNoticeAt', orNull(isCount)],
  ['attempts', isCount],
  ['nextAttemptAt', isCount],
  ['suspended', orNull(isString)],
  ['requireTls', isBoolean],
  ['boundMark', isBoolean],
  ['lastError', orNull(isString)],
]
