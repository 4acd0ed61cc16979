/** The bindings in the order of their senders: those that match, and a page of them. */
import type { SetSender } from '../../setup/current.ts'
import type { SenderQuery } from './sender-view.ts'

type Senders = ReadonlyMap<string, SetSender>
type Filter = Pick<SenderQuery, 'search' | 'connector' | 'origin'>

export interface SenderPage {
  readonly senders: readonly SetSender[]
  /** Of all pages. */
  readonly total: number
  readonly next: string | null
}

export function pageOfSenders(
  senders: Senders,
  { limit, after, ...filter }: Filter & Pick<SenderQuery, 'limit' | 'after'>,
): SenderPage {
  const matching = matchingSenders(senders, filter)
  const rest = after === null ? matching : matching.filter(({ id }) => id > after)
  const page = rest.slice(0, limit)
  const next = rest.length > limit ? page.at(-1)!.id : null
  return { senders: page, total: matching.length, next }
}

export function matchingSenders(
  senders: Senders,
  { search, connector, origin }: Filter,
): readonly SetSender[] {
  const all = inOrder(senders)
  if (search === undefined && connector === undefined && origin === undefined) return all
  const part = search?.normalize('NFC').toLowerCase()
  return all.filter(
    (sender) =>
      (part === undefined || sender.id.includes(part)) &&
      (connector === undefined || (sender.connector ?? '0') === connector) &&
      (origin === undefined || sender.origin === origin),
  )
}

const ordered = new WeakMap<Senders, readonly SetSender[]>()

/** Sorted once for all who look before the next change. */
function inOrder(senders: Senders): readonly SetSender[] {
  let order = ordered.get(senders)
  if (order === undefined) {
    order = [...senders.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
    ordered.set(senders, order)
  }
  return order
}
