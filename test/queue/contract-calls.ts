/** How the contract's tests call a queue: short words for what they do again and again. */
import { newMessageId, siblingMessageId } from '../../src/message-id.ts'
import type { LeasedItem, NewMessage, Queue } from '../../src/queue/queue.ts'
import { newItem, sender, t0 } from '../support/queue-fixtures.ts'

export const leaseMs = 60_000
export const kibibyte = 1024

export const nothing = { items: [], dsn: null } as const

export interface ClaimFields {
  readonly connector?: string | readonly string[]
  readonly limit?: number
  readonly now?: number
}

/** Claims from connector `alpha`, one item, at `t0`, unless `fields` says otherwise. */
export function claim(queue: Queue, fields: ClaimFields = {}) {
  const connectors = [fields.connector ?? 'alpha'].flat()
  const limit = fields.limit ?? 1
  return queue.claim({
    now: fields.now ?? t0,
    leaseMs,
    connectors: connectors.map((connector) => ({ connector, limit })),
  })
}

export const ids = (leased: readonly LeasedItem[]): string[] => leased.map(({ item }) => item.id)
export const itemIds = (message: NewMessage): string[] => message.items.map(({ id }) => id)

export function bytesOf(message: NewMessage): Buffer {
  if (message.body.kind !== 'inline') throw new Error('not an inline body')
  return message.body.bytes
}

/** A DSN about an item: to connector `dsn`. */
export function sibling(id: string): NewMessage {
  const item = { connector: 'dsn', sender: sender('') }
  return newItem(item, { id: siblingMessageId(t0, id), body: Buffer.from('Subject: DSN\r\n\r\nFailed.\r\n') })
}

export async function read(queue: Queue, messageId: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of queue.body(messageId)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export async function stageMessage(
  queue: Queue,
  bytes: Buffer,
  options: { chunkBytes: number },
): Promise<NewMessage> {
  const stage = await queue.stage(newMessageId(t0))
  for (let at = 0; at < bytes.length; at += options.chunkBytes)
    await stage.append(bytes.subarray(at, at + options.chunkBytes))
  const message = newItem({ sizeBytes: bytes.length }, { id: stage.messageId })
  return { ...message, body: { kind: 'staged', stage } }
}
