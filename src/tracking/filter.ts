/**
 * What a search of the tracking history asks for. Most files hold nothing of it, and most lines: `searchPlan` says by
 * which times and which text that can be seen without reading a line as what it is.
 */
import { domainOf } from '../address.ts'
import { messageIdOf, receivedAtOf } from '../message-id.ts'
import { relatedMessageId, type TrackedEvent } from './tracked-event.ts'

export interface TrackingFilter {
  /** Of items or messages: their events, those of their forms, DSNs and notices. Any of them. */
  readonly ids?: readonly string[]
  /** The Message-ID field, with its angle brackets: all events of the messages that have it. */
  readonly internetMessageId?: string
  /** In lower case; likewise. */
  readonly networkMessageId?: string
  /** Which these are, once that is known (search.ts): not every line says by which names others know its message. */
  readonly named?: readonly string[]
  /** Canonical address, `@domain`, or the empty string for the null reverse-path. */
  readonly sender?: string
  /** Canonical address, or `@domain`. */
  readonly recipient?: string
  /** Of a connector, or the name of a listener. */
  readonly connector?: string
  readonly event?: string
  /** Epoch ms, inclusive. */
  readonly from?: number
  /** Epoch ms, exclusive. */
  readonly until?: number
}

export function matches(event: TrackedEvent, filter: TrackingFilter): boolean {
  const { ids, named, sender, recipient, connector } = filter
  return (
    (filter.from === undefined || event.at >= filter.from) &&
    (filter.until === undefined || event.at < filter.until) &&
    (filter.event === undefined || event.event === filter.event) &&
    (connector === undefined || event.connector === connector) &&
    (bearsName(event, filter) || named?.some((id) => isOf(event, id)) === true) &&
    (sender === undefined || (event.from !== null && isAddress(event.from, sender))) &&
    (recipient === undefined || event.recipients.some(({ address }) => isAddress(address, recipient))) &&
    (ids === undefined || ids.some((id) => isOf(event, id)))
  )
}

/** Whether the event itself says that name; so it is where none is asked for. */
function bearsName(
  event: TrackedEvent,
  { internetMessageId, networkMessageId }: Pick<TrackingFilter, 'internetMessageId' | 'networkMessageId'>,
): boolean {
  return (
    (internetMessageId === undefined ||
      event.internetMessageId === internetMessageId ||
      event.reference === internetMessageId) &&
    (networkMessageId === undefined || event.networkMessageId === networkMessageId)
  )
}

/**
 * What is searched first where messages are asked for by the names that others gave them; null where they are not. A
 * message is received before anything else is said of it, so `from` says nothing here.
 */
export function namesOnly(filter: TrackingFilter): TrackingFilter | null {
  const { internetMessageId, networkMessageId, until } = filter
  if (internetMessageId === undefined && networkMessageId === undefined) return null
  return {
    ...(internetMessageId !== undefined && { internetMessageId }),
    ...(networkMessageId !== undefined && { networkMessageId }),
    ...(until !== undefined && { until }),
  }
}

/** What an item's history shares with its message's counts too: that it was received, and what policy said. */
function isOf(event: TrackedEvent, id: string): boolean {
  if (event.itemId !== null && id !== messageIdOf(id)) return event.itemId === id
  const messageId = messageIdOf(id)
  return event.messageId === messageId || relatedMessageId(event) === messageId
}

/** People do not remember the case of a local part, and it is the same mailbox nearly everywhere. */
function isAddress(address: string, wanted: string): boolean {
  if (wanted === '' || address === '') return address === wanted
  return wanted.startsWith('@')
    ? domainOf(address) === wanted.slice(1)
    : address.length === wanted.length && address.toLowerCase() === wanted.toLowerCase()
}

export interface SearchPlan {
  readonly from?: number
  readonly until?: number
  /** A line without any of these cannot match; null where that cannot be said. */
  readonly texts: readonly string[] | null
  /** A line that does not have this, in lower case, cannot match; null where that cannot be said. */
  readonly lowerCaseText: string | null
}

/** As many texts can be looked for at once without costing more than reading the lines. */
const mostTexts = 8

export function searchPlan(filter: TrackingFilter): SearchPlan {
  const begins = (filter.ids ?? filter.named)?.map(receivedAtOf) ?? []
  const from = Math.max(filter.from ?? 0, begins.length === 0 ? 0 : Math.min(...begins))
  return {
    ...(from > 0 && { from }),
    ...(filter.until !== undefined && { until: filter.until }),
    texts: textsOf(filter),
    lowerCaseText: lowerCaseTextOf(filter),
  }
}

/** A domain may stand in every line, so lines are looked through for the whole address before they are read. */
function lowerCaseTextOf({ sender, recipient }: TrackingFilter): string | null {
  const address = recipient ?? sender ?? ''
  return address === '' || /["';]/.test(address) ? null : address.toLowerCase()
}

/** The rarest first. A quote is written doubled (csv.ts), so what holds one is not looked for. */
function textsOf({ ids, named, ...filter }: TrackingFilter): readonly string[] | null {
  const known = ids ?? named
  if (known !== undefined && known.length <= mostTexts) return [...new Set(known.map(messageIdOf))]
  const { internetMessageId, networkMessageId, sender, recipient, connector, event } = filter
  const texts = [
    ...(named === undefined ? [internetMessageId, networkMessageId] : []),
    recipient && inDomain(recipient),
    sender === '' ? ',<>,' : sender && inDomain(sender),
    event && `,${event},`,
    connector && `,${connector},`,
  ]
  const text = texts.find((one) => one !== undefined && one !== '' && !one.includes('"'))
  return text === undefined ? null : [text]
}

/** A domain has one form (address.ts); the case of a local part is not compared. */
const inDomain = (address: string): string => `@${domainOf(address)}`
