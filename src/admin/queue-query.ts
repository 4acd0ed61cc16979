/** The parameters of `GET /queue`: each is checked, and a wrong one is named with what would be right. */
import { canonicalDomain, parseAddress } from '../address.ts'
import { isItemId, isMessageId } from '../message-id.ts'
import type { ListFilter } from '../queue/queue.ts'

export interface QueueQuery {
  readonly filter: ListFilter
  readonly limit: number
  readonly after: string | null
}

export interface BadParameter {
  readonly field: string
  readonly message: string
}

export const maxLimit = 1000
const defaultLimit = 100

/** Reads one value: what it means, or what would be right. */
type Reader<Value> = (text: string) => { readonly value: Value } | { readonly wanted: string }

export function parseQueueQuery(query: Readonly<Record<string, unknown>>): QueueQuery | BadParameter {
  const values: Record<string, unknown> = {}
  for (const [field, text] of Object.entries(query)) {
    if (!isField(field)) return unknownField(field)
    if (typeof text !== 'string') return { field, message: `${field} must be given once` }
    const read = (readers[field] as Reader<unknown>)(text)
    if ('wanted' in read)
      return { field, message: `${field} must be ${read.wanted}; it is ${JSON.stringify(text)}` }
    values[field] = read.value
  }
  const { limit = defaultLimit, after = null, ...filter } = values
  return { filter: filter as ListFilter, limit: limit as number, after: after as string | null }
}

const readers = {
  connector: oneOf(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'the id of a connector'),
  state: oneOf(/^(?:ready|deferred|leased|suspended)$/, 'ready, deferred, leased or suspended'),
  id: (text) =>
    isItemId(text) || isMessageId(text) ? { value: text } : { wanted: 'the id of an item or of a message' },
  sender: (text) => (text === '<>' ? { value: '' } : readAddress(text, ', or <> for the null reverse-path')),
  recipient: (text) => readAddress(text, ''),
  limit: (text) =>
    /^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= maxLimit
      ? { value: Number(text) }
      : { wanted: `a number from 1 to ${maxLimit}` },
  after: oneOf(/^[\x20-\x7e]{1,300}$/, 'the `next` of the page before'),
} as const satisfies Record<keyof ListFilter | 'limit' | 'after', Reader<unknown>>

function oneOf(pattern: RegExp, wanted: string): Reader<string> {
  return (text) => (pattern.test(text) ? { value: text } : { wanted })
}

/** The queue compares canonical forms, so `User@Example.COM` must become what was stored. */
function readAddress(text: string, or: string): { value: string } | { wanted: string } {
  if (text.startsWith('@')) {
    const domain = canonicalDomain(text.slice(1))
    if (domain !== null) return { value: `@${domain}` }
  } else {
    const parsed = parseAddress(text)
    if (!('error' in parsed)) return { value: parsed.address }
  }
  return { wanted: `an address such as user@example.com, or @example.com for a whole domain${or}` }
}

function isField(field: string): field is keyof typeof readers {
  return Object.hasOwn(readers, field)
}

function unknownField(field: string): BadParameter {
  return { field, message: `There is no parameter ${field}; there are ${Object.keys(readers).join(', ')}` }
}
