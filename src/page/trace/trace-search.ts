/**
 * A search of the history: first which messages match, then all that happened to each of them, whatever event was
 * asked for. Read when it is asked for, not again and again: a search reads files.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { TrackedEvent } from '../../tracking/tracked-event.ts'
import { Problem, read } from '../client.ts'
import { formIdsOf, type History, historyOf, messageIdsOf, wholeIdsOf } from './history.ts'
import { searchParameters, type TraceQuery } from './trace-query.ts'

interface TrackingPage {
  readonly events: readonly TrackedEvent[]
  readonly next: string | null
  readonly broken: number
}

interface Found {
  readonly histories: readonly History[]
  /** For what matches beyond these; null where all are there. */
  readonly next: string | null
  readonly broken: number
}

export interface Trace {
  /** Null before the first answer. */
  readonly found: Found | null
  readonly problem: Problem | null
  readonly busy: boolean
  search(): void
  /** The messages after these. */
  more(): void
}

/** A new `key` is a new search. Nothing is asked for is the newest of all. */
export function useTrace(query: TraceQuery, key: string): Trace {
  const [state, setState] = useState<Omit<Trace, 'search' | 'more'>>(asking)
  const turn = useRef(0)
  const ask = (known: Found | null) => {
    const own = ++turn.current
    setState({ found: known, problem: null, busy: true })
    void search(query, known).then(
      (found) => own === turn.current && setState({ found, problem: null, busy: false }),
      (error: unknown) =>
        own === turn.current && setState({ found: known, problem: problemOf(error), busy: false }),
    )
  }
  useEffect(() => {
    ask(null)
    return () => void turn.current++
  }, [key])
  return { ...state, search: () => ask(null), more: () => ask(state.found) }
}

const asking = { found: null, problem: null, busy: true } as const

/** Events of one page; so many messages at most are shown at a time. */
const pageEvents = 100
const mostIds = 100
const mostEvents = 1000

async function search(query: TraceQuery, known: Found | null): Promise<Found> {
  const parameters = searchParameters(query)
  parameters.set('limit', String(pageEvents))
  const page = await nextPage(parameters, known?.next ?? null)
  const shown = new Set(known?.histories.map(({ messageId }) => messageId))
  const unknown = (ids: readonly string[]) => ids.filter((id) => !shown.has(id))
  const found = unknown(messageIdsOf(page.events))
  const ofFound = await eventsOf(found)
  const ids = unknown(wholeIdsOf(found, ofFound))
  const events =
    ids.length === found.length && ids.every((id) => found.includes(id)) ? ofFound : await eventsOf(ids)
  const histories = ids.map((id) => historyOf(id, events)).filter(({ steps }) => steps.length > 0)
  return {
    histories: [...(known?.histories ?? []), ...histories],
    next: page.next,
    broken: (known?.broken ?? 0) + page.broken,
  }
}

/** A page ends where much was read too, even if nothing was found so far: then the next is asked for. */
async function nextPage(parameters: URLSearchParams, after: string | null): Promise<TrackingPage> {
  let broken = 0
  for (let next = after; ; ) {
    if (next !== null) parameters.set('after', next)
    const page = await read<TrackingPage>(`/tracking?${parameters}`)
    broken += page.broken
    if (page.events.length > 0 || page.next === null) return { ...page, broken }
    next = page.next
  }
}

/** The newest first, as the API gives them. */
async function eventsOf(ids: readonly string[]): Promise<TrackedEvent[]> {
  const events = await eventsOfIds(ids)
  const forms = await eventsOfIds(formIdsOf(events))
  // The fork itself is known from the message, whose own events come first in their millisecond.
  return [...forms.filter(({ event }) => event !== 'TRANSFER'), ...events].sort((a, b) => b.at - a.at)
}

async function eventsOfIds(ids: readonly string[]): Promise<TrackedEvent[]> {
  const events: TrackedEvent[] = []
  for (let from = 0; from < ids.length; from += mostIds) {
    const parameters = new URLSearchParams({
      id: ids.slice(from, from + mostIds).join(','),
      limit: String(mostEvents),
    })
    let next: string | null = null
    do {
      if (next !== null) parameters.set('after', next)
      const page: TrackingPage = await read(`/tracking?${parameters}`)
      events.push(...page.events)
      next = page.next
    } while (next !== null)
  }
  return events
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  throw error
}
