/**
 * Events of the tracking history as people follow them: message by message, each from its reception on, and what has
 * become of every recipient by now. Pure. An event about a DSN, or about a form that policy made, belongs to the
 * message that it is about: that is where a person looks for it.
 */
import type { TrackedEvent } from '../../tracking/tracked-event.ts'

export interface History {
  readonly messageId: string
  readonly internetMessageId: string | null
  readonly networkMessageId: string | null
  /** The empty string is the null reverse-path; null where no event says. */
  readonly from: string | null
  readonly receivedAt: number | null
  readonly sizeBytes: number | null
  readonly client: string | null
  readonly listener: string | null
  readonly fates: readonly Fate[]
  /** More than `fates` where the history does not name all. */
  readonly recipientCount: number
  readonly standing: Standing
  /** The oldest first. */
  readonly steps: readonly TimelineStep[]
}

export type FateKind = 'waiting' | 'deferred' | 'sent' | 'failed' | 'refused' | 'dropped' | 'removed'

/** What became of a recipient, by the last event that says so. */
export interface Fate {
  readonly address: string
  readonly fate: FateKind
  readonly status: string | null
}

/** Of the whole message: `partly` where some recipients were reached and nobody waits any more. */
export type Standing = FateKind | 'partly' | 'unknown'

export interface TimelineStep {
  readonly event: TrackedEvent
  /** Since the step before; null for the first. */
  readonly sincePreviousMs: number | null
  readonly sinceStartMs: number
}

/** Which messages these events concern, in the order in which they come. */
export function messageIdsOf(events: readonly TrackedEvent[]): string[] {
  return [...new Set(events.map(storyOf))]
}

/** Those of a form are its message's, where the fork is known. */
export function wholeIdsOf(ids: readonly string[], events: readonly TrackedEvent[]): string[] {
  const messages = new Map(
    events.flatMap(({ event, messageId, reference }) =>
      event === 'TRANSFER' && reference !== null ? [[messageId, reference] as const] : [],
    ),
  )
  return [...new Set(ids.map((id) => messages.get(id) ?? id))]
}

/** Forms that policy made have ids of their own, by which their further events are found. */
export function formIdsOf(events: readonly TrackedEvent[]): string[] {
  const known = new Set(events.filter(({ event }) => event !== 'TRANSFER').map(({ messageId }) => messageId))
  const forms = events.filter(({ event }) => event === 'TRANSFER').map(({ messageId }) => messageId)
  return [...new Set(forms)].filter((id) => !known.has(id))
}

/** `events`: the newest first, as the API gives them. */
export function historyOf(messageId: string, events: readonly TrackedEvent[]): History {
  const forms = new Set(
    events.flatMap(({ event, messageId: form, reference }) =>
      event === 'TRANSFER' && reference === messageId ? [form] : [],
    ),
  )
  const own = events
    .filter((event) => {
      const story = storyOf(event)
      return story === messageId || event.messageId === messageId || forms.has(story)
    })
    .reverse()
    // Events of one millisecond stay in the order in which they were written.
    .sort((a, b) => a.at - b.at)
  return summed(messageId, own)
}

/** The message in whose history people look for the event. */
function storyOf(event: TrackedEvent): string {
  if (event.about !== null) return event.about.slice(0, messageIdLength)
  return event.event === 'TRANSFER' ? (event.reference ?? event.messageId) : event.messageId
}

const messageIdLength = 20

function summed(messageId: string, events: readonly TrackedEvent[]): History {
  const first = events.find((event) => isArrival(event) && event.messageId === messageId)
  const firstOf = <Value>(value: (event: TrackedEvent) => Value | null): Value | null =>
    events.map(value).find((each) => each !== null) ?? null
  const fates = fatesOf(events.filter(({ about }) => about === null))
  return {
    messageId,
    internetMessageId: firstOf((event) => (event.about === null ? event.internetMessageId : null)),
    networkMessageId: firstOf(({ networkMessageId }) => networkMessageId),
    from: firstOf((event) => (event.about === null ? event.from : null)),
    receivedAt: first?.at ?? null,
    sizeBytes: first?.sizeBytes ?? firstOf(({ sizeBytes }) => sizeBytes),
    client: first?.client ?? null,
    listener: first?.connector ?? null,
    fates,
    recipientCount: Math.max(fates.length, first?.recipientCount ?? 0),
    standing: standingOf(fates),
    steps: events.map((event, index) => ({
      event,
      sincePreviousMs: index === 0 ? null : event.at - events[index - 1]!.at,
      sinceStartMs: event.at - events[0]!.at,
    })),
  }
}

/** A message that we did not take: the client has it still. */
export const isRefusal = ({ event, details }: Pick<TrackedEvent, 'event' | 'details'>): boolean =>
  event === 'FAIL' && details.RefusedAt !== undefined

/** What says where the message came from. */
export const isArrival = (event: Pick<TrackedEvent, 'event' | 'details'>): boolean =>
  event.event === 'RECEIVE' || isRefusal(event)

const fateOfEvent: Readonly<Record<string, FateKind>> = {
  RECEIVE: 'waiting',
  DSN: 'waiting',
  RESUBMIT: 'waiting',
  DEFER: 'deferred',
  SEND: 'sent',
  FAIL: 'failed',
  BADMAIL: 'failed',
  DROP: 'dropped',
  REMOVE: 'removed',
}

/** What is settled stays so: an item removed later holds only those who still waited. */
function fatesOf(events: readonly TrackedEvent[]): Fate[] {
  const fates = new Map<string, Fate>()
  for (const event of events) {
    const fate = isRefusal(event) ? 'refused' : fateOfEvent[event.event]
    if (fate === undefined) continue
    for (const { address, status } of event.recipients) {
      const before = fates.get(address)
      if (before === undefined || isOpen(before.fate)) fates.set(address, { address, fate, status })
    }
  }
  return [...fates.values()]
}

/** Whether the relay still has it to do. */
export function isOpen(fate: Standing): boolean {
  return fate === 'waiting' || fate === 'deferred'
}

/** Whoever still waits decides; then the worst, and `partly` where others were reached. */
function standingOf(fates: readonly Fate[]): Standing {
  const kinds = new Set(fates.map(({ fate }) => fate))
  for (const open of ['deferred', 'waiting'] as const) if (kinds.has(open)) return open
  if (kinds.has('sent') && kinds.size > 1) return 'partly'
  for (const settled of ['failed', 'refused', 'removed', 'dropped', 'sent'] as const)
    if (kinds.has(settled)) return settled
  return 'unknown'
}

/** Under which id the smart host keeps the message, where its reply says so in one of the usual ways. */
export function remoteQueueId(reply: string | null): string | null {
  const found = /\bqueued as ([\w.+/=-]{1,100})|\b(?:queue )?id[=: ]\s?([\w.+/=-]{4,100})/i.exec(reply ?? '')
  return (found?.[1] ?? found?.[2] ?? null)?.replace(/[.]$/, '') ?? null
}

/** What an AGENTINFO says, taken apart: who spoke, and its values by name, without the empty ones. */
export interface AgentInfo {
  readonly kind: 'rule' | 'checker' | 'limit'
  readonly name: string
  readonly values: readonly (readonly [name: string, value: string])[]
}

export function agentInfoOf({ details }: Pick<TrackedEvent, 'details'>): AgentInfo | null {
  if (details.TRA !== undefined) {
    const values = valuesOf(details.TRA.split('|').slice(1))
    const name = values.find(([key]) => key === 'rule')?.[1] ?? ''
    const because = details.Because ? details.Because.split('|').map(pairOf) : []
    return { kind: 'rule', name, values: [...values.filter(([key]) => key !== 'rule'), ...because] }
  }
  for (const [field, kind] of [
    ['Check', 'checker'],
    ['Limit', 'limit'],
  ] as const) {
    const [name, ...values] = details[field]?.split('|') ?? []
    if (name !== undefined) return { kind, name, values: valuesOf(values) }
  }
  return null
}

function valuesOf(parts: readonly string[]): (readonly [string, string])[] {
  return parts.map(pairOf).filter(([, value]) => value !== '')
}

function pairOf(part: string): readonly [string, string] {
  const equals = part.indexOf('=')
  return equals === -1 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)]
}
