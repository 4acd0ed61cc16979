/** What is searched for in the tracking history: form, address bar and API. Pure. */

export const traceFields = [
  ...(['id', 'internetMessageId', 'networkMessageId', 'sender', 'recipient'] as const),
  ...(['connector', 'event', 'from', 'until'] as const),
] as const
export type TraceField = (typeof traceFields)[number]

/** As typed; `from` and `until` as `datetime-local` fields have them: local time. */
export type TraceQuery = Readonly<Partial<Record<TraceField, string>>>

/** What the tracking history may hold, in the order of a message's way. */
export const eventNames = [
  ...(['RECEIVE', 'TRANSFER', 'AGENTINFO', 'DEFER', 'SEND', 'FAIL', 'DSN', 'BADMAIL', 'DROP'] as const),
  ...(['SUSPEND', 'RESUME', 'RETRY', 'REMOVE', 'RESUBMIT'] as const),
] as const

export function readTraceQuery(query: URLSearchParams): TraceQuery {
  const values = traceFields.map((field) => [field, query.get(field)?.trim() ?? ''] as const)
  return Object.fromEntries(values.filter(([, value]) => value !== ''))
}

export function isEmptyQuery(query: TraceQuery): boolean {
  return traceFields.every((field) => (query[field] ?? '').trim() === '')
}

/** For the address bar. */
export function traceParameters(query: TraceQuery): URLSearchParams {
  const parameters = new URLSearchParams()
  for (const field of traceFields) {
    const value = query[field]?.trim() ?? ''
    if (value !== '') parameters.set(field, value)
  }
  return parameters
}

/** For the API: instants are epoch ms, whatever time zone the browser is in; a Message-ID has its angle brackets. */
export function searchParameters(query: TraceQuery): URLSearchParams {
  const parameters = traceParameters(query)
  for (const field of ['from', 'until'] as const) {
    const at = Date.parse(parameters.get(field) ?? '')
    if (!Number.isNaN(at)) parameters.set(field, String(at))
  }
  const id = parameters.get('internetMessageId')
  if (id !== null && !id.startsWith('<')) parameters.set('internetMessageId', `<${id}>`)
  return parameters
}
