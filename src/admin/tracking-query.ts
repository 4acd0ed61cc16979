/** The parameters of `GET /tracking`: each is checked, and a wrong one is named with what would be right. */
import { canonicalDomain, parseAddress } from '../address.ts'
import { isItemId, isMessageId } from '../message-id.ts'
import type { TrackingFilter } from '../tracking/filter.ts'
import { isCursor } from '../tracking/search.ts'

export interface TrackingQuery {
  readonly filter: TrackingFilter
  readonly limit: number
  readonly after: string | null
  readonly format: 'json' | 'csv'
}

export interface BadParameter {
  readonly field: string
  readonly message: string
}

export const mostEvents = 1000
export const mostIds = 100
const defaultLimit = 100

/** Reads one value: what it means, or what would be right. */
type Reader = (text: string) => { readonly value: unknown } | { readonly wanted: string }

export function parseTrackingQuery(query: Readonly<Record<string, unknown>>): TrackingQuery | BadParameter {
  const values: Record<string, unknown> = {}
  for (const [field, text] of Object.entries(query)) {
    const parameter = parameters.get(field)
    if (parameter === undefined) return unknownParameter(field)
    if (typeof text !== 'string') return { field, message: `${field} must be given once` }
    const read = parameter(text)
    if ('wanted' in read)
      return { field, message: `${field} must be ${read.wanted}; it is ${JSON.stringify(text)}` }
    values[field] = read.value
  }
  const { limit = defaultLimit, after = null, format = 'json', id: ids, ...filter } = values
  return { filter: { ...filter, ...(ids !== undefined && { ids }) }, limit, after, format } as TrackingQuery
}

const parameters = new Map<string, Reader>([
  ['id', readIds],
  ['internetMessageId', oneOf(/^[^\u0000-\u001f\u007f]{1,998}$/, 'a Message-ID, with its angle brackets')],
  ['networkMessageId', readGuid],
  [
    'sender',
    (text) => (text === '<>' ? { value: '' } : readAddress(text, ', or <> for the null reverse-path')),
  ],
  ['recipient', (text) => readAddress(text, '')],
  [
    'connector',
    oneOf(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'the id of a connector, or the name of a listener'),
  ],
  ['event', oneOf(/^[A-Z]{2,30}$/, 'an event such as RECEIVE, SEND, DEFER or FAIL')],
  ['from', readInstant],
  ['until', readInstant],
  ['limit', readLimit],
  ['after', (text) => (isCursor(text) ? { value: text } : { wanted: 'the `next` of the page before' })],
  ['format', oneOf(/^(?:json|csv)$/, 'json or csv')],
])

function readLimit(text: string): ReturnType<Reader> {
  return /^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= mostEvents
    ? { value: Number(text) }
    : { wanted: `a number from 1 to ${mostEvents}` }
}

function readGuid(text: string): ReturnType<Reader> {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
    ? { value: text.toLowerCase() }
    : { wanted: 'a GUID' }
}

function readIds(text: string): ReturnType<Reader> {
  const ids = text.split(',')
  return ids.length <= mostIds && ids.every((id) => isItemId(id) || isMessageId(id))
    ? { value: ids }
    : { wanted: `the id of an item or of a message, or up to ${mostIds} of them separated by commas` }
}

function readInstant(text: string): ReturnType<Reader> {
  const at = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text)
  return Number.isNaN(at) ? { wanted: 'an instant such as 2026-01-31T18:00:00Z' } : { value: at }
}

function oneOf(pattern: RegExp, wanted: string): Reader {
  return (text) => (pattern.test(text) ? { value: text } : { wanted })
}

/** The history has canonical forms, so `User@Example.COM` must become what was written. */
function readAddress(text: string, or: string): ReturnType<Reader> {
  if (text.startsWith('@')) {
    const domain = canonicalDomain(text.slice(1))
    if (domain !== null) return { value: `@${domain}` }
  } else {
    const parsed = parseAddress(text)
    if (!('error' in parsed)) return { value: parsed.address }
  }
  return { wanted: `an address such as user@example.com, or @example.com for a whole domain${or}` }
}

function unknownParameter(field: string): BadParameter {
  return { field, message: `There is no parameter ${field}; there are ${[...parameters.keys()].join(', ')}` }
}
