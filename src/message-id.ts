/**
 * The relay's own ids. A message id is 20 characters of Crockford's base 32: ten of time, ten random. It is
 * what the client reads in our 250, what the Received field and each log line carry, and it sorts by age.
 * An item id is the message's id, a dash and a number: one message that leaves by two connectors is two items.
 */
import { randomFillSync } from 'node:crypto'

const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A new id for a message received at `now` (epoch ms). */
export function newMessageId(now: number): string {
  let time = ''
  for (let rest = now, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = digits[rest % 32]! + time
  let random = ''
  for (let i = 0; i < 10; i++) random += digits[randomByte() % 32]!
  return time + random
}

/** When a message of that id was received, epoch ms. */
export function receivedAtOf(id: string): number {
  let time = 0
  for (const digit of id.slice(0, 10)) time = time * 32 + digits.indexOf(digit)
  return time
}

/** Random bytes are drawn in stock: a call to the generator costs as much for ten of them as for thousands. */
const stock = Buffer.alloc(4096)
let used = stock.length

function randomByte(): number {
  if (used === stock.length) {
    randomFillSync(stock)
    used = 0
  }
  return stock[used++]!
}

/**
 * A new id that falls into the same partition of the store as `id`, so that a DSN can be queued in the same
 * atomic step that removes the item it reports on. The last character alone decides the partition.
 */
export function siblingMessageId(now: number, id: string): string {
  return newMessageId(now).slice(0, -1) + messageIdPartitionDigit(id)
}

/** The character of a message or item id that decides its partition. */
export function messageIdPartitionDigit(id: string): string {
  const digit = id[19]
  if (digit === undefined) throw new Error(`Not a message or item id: ${JSON.stringify(id)}`)
  return digit
}

export const itemId = (messageId: string, number: number): string => `${messageId}-${number}`
export const messageIdOf = (id: string): string => id.slice(0, 20)
export const isMessageId = (text: string): boolean => /^[0-9A-HJKMNP-TV-Z]{20}$/.test(text)
export const isItemId = (text: string): boolean => /^[0-9A-HJKMNP-TV-Z]{20}-[1-9]\d{0,11}$/.test(text)
