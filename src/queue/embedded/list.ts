/**
 * Where in the embedded store the items of a filter are looked for, so that a list of one connector's items, or
 * of the suspended ones, does not read the whole backlog. It is read in slices, each from a state of its own:
 * a list of a million items neither holds a snapshot nor the event loop.
 */
import { isItemId, messageIdOf } from '../../message-id.ts'
import type { ListFilter, ListOptions } from '../queue.ts'
import { itemsOf } from './layout.ts'
import type { EmbeddedStore, KeyRange } from './store.ts'

export interface Found {
  readonly id: string
  /** Where to go on after this one: the `after` of the next page. */
  readonly cursor: string
}

interface Source {
  readonly of: 'items' | 'due' | 'suspended'
  readonly range: KeyRange
}

/** The next keys after the cursor, at most `limit`; fewer only at the end. */
export function find(
  store: EmbeddedStore,
  filter: ListFilter,
  options: Pick<ListOptions, 'after' | 'limit' | 'order'>,
): readonly Found[] {
  const sources = sourcesOf(filter, options.order)
  const after = options.after === null ? { source: 0, key: null } : parseCursor(options.after)
  const found: Found[] = []
  for (let n = after.source; n < sources.length && found.length < options.limit; n++) {
    const { of, range } = sources[n]!
    const from = n === after.source && after.key !== null ? { start: after.key, exclusiveStart: true } : {}
    const limit = options.limit - found.length
    for (const key of store.keys<string | (string | number)[]>(store[of], { ...range, ...from, limit }))
      found.push({
        id: typeof key === 'string' ? key : String(key.at(-1)),
        cursor: `${n} ${JSON.stringify(key)}`,
      })
  }
  return found
}

function sourcesOf(filter: ListFilter, order: ListOptions['order']): readonly Source[] {
  if (filter.id !== undefined) {
    if (isItemId(filter.id)) return [{ of: 'items', range: { start: filter.id, end: `${filter.id}.` } }]
    return [{ of: 'items', range: itemsOf(messageIdOf(filter.id)) }]
  }
  // Item ids are in the order of reception.
  if (order === 'oldest') return [{ of: 'items', range: {} }]
  if (order === 'newest') return [{ of: 'items', range: { reverse: true } }]
  const { connector } = filter
  const ofConnector = (end: number | string): KeyRange =>
    connector === undefined ? {} : { start: [connector], end: [connector, end] }
  const due: Source = { of: 'due', range: ofConnector(Number.MAX_SAFE_INTEGER) }
  const suspended: Source = { of: 'suspended', range: ofConnector('~') }
  if (filter.state === 'suspended') return [suspended]
  if (connector === undefined) return [{ of: 'items', range: {} }]
  return filter.state === undefined ? [due, suspended] : [due]
}

function parseCursor(text: string): { source: number; key: NonNullable<KeyRange['start']> } {
  const [, source, key] = /^([01]) (.+)$/.exec(text) ?? []
  try {
    return { source: Number(source), key: JSON.parse(key ?? '') }
  } catch (cause) {
    throw new TypeError(`Cannot list after ${JSON.stringify(text)}: not the "next" of a page`, { cause })
  }
}
