/**
 * Which messages of the queue are shown, and in what order: as the address bar keeps it, as the form's fields hold it,
 * and as the API is asked. Pure. What is empty is left out everywhere, so that an address can be read and typed.
 */

export const itemStates = ['ready', 'deferred', 'leased', 'suspended'] as const
export type ItemState = (typeof itemStates)[number]

export const filterFields = ['connector', 'state', 'sender', 'recipient', 'id'] as const
export type FilterField = (typeof filterFields)[number]

/** As typed; what is wrong with a value is for the API to say, which names the field. */
export type QueueFilter = Readonly<Partial<Record<FilterField, string>>>

export function readFilter(query: URLSearchParams): QueueFilter {
  const values = filterFields.map((field) => [field, query.get(field)?.trim() ?? ''] as const)
  return Object.fromEntries(values.filter(([, value]) => value !== ''))
}

export function filterQuery(filter: QueueFilter): URLSearchParams {
  const values = filterFields.map((field) => [field, filter[field]?.trim() ?? ''] as const)
  return new URLSearchParams(values.filter(([, value]) => value !== '').map(([...pair]) => pair))
}

/** By reception; the empty one is the store's own order, the fastest to read. */
export const queueOrders = ['', 'oldest', 'newest'] as const
export type QueueOrder = (typeof queueOrders)[number]

/** The order is no part of the filter: an act on all that match means the same messages in any order. */
export function readOrder(query: URLSearchParams): QueueOrder {
  return queueOrders.find((order) => order === query.get('order')) ?? ''
}

/** One item of the filter changed; empty takes it away. */
export function withField(filter: QueueFilter, field: FilterField, value: string): QueueFilter {
  const { [field]: _, ...others } = filter
  return value.trim() === '' ? others : { ...others, [field]: value.trim() }
}

/** An act on all that match knows every field but the id: items of one message are acted on by that id. */
export type Meant =
  | { readonly kind: 'byId'; readonly id: string }
  | { readonly kind: 'byFilter'; readonly filter: Readonly<Record<string, string>> }

export function meantBy({ id, ...filter }: QueueFilter): Meant {
  return id === undefined ? { kind: 'byFilter', filter } : { kind: 'byId', id }
}
