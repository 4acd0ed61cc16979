/**
 * What the page asks of the API. A refusal is a `Problem` with the field at fault; no answer at all is one too, and the
 * page says so until there is one again. Reads may be asked again; a write is sent once, as nobody can know whether it
 * arrived.
 */
import { Store } from './store.ts'

export class Problem extends Error {
  override name = 'Problem'
  /** 0 where there was no answer. */
  readonly status: number
  /** As in what was sent: `addressSpaces.0`. */
  readonly field: string | null

  constructor(message: string, { status, field = null }: { status: number; field?: string | null }) {
    super(message)
    this.status = status
    this.field = field
  }
}

/** Whether the relay answers. */
export const answering = new Store(true)
/** Counts up whenever an answer says that nobody is logged in (any more). */
export const loggedOut = new Store(0)

const readMs = 15_000
/** A test of smart hosts may wait for each of them. */
const writeMs = 180_000

type Query = Readonly<Record<string, string | number | boolean | null | undefined>>

/** `pathOf('connectors', id, 'test')`, whatever stands in `id`; with what is asked for, but for what is null or ''. */
export function pathOf(segments: readonly string[], query: Query = {}): string {
  const asked = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== '') asked.set(name, String(value))
  const path = `/${segments.map(encodeURIComponent).join('/')}`
  return asked.size === 0 ? path : `${path}?${asked}`
}

export function read<Answer>(path: string, { signal }: { signal?: AbortSignal } = {}): Promise<Answer> {
  const limit = AbortSignal.timeout(readMs)
  return ask(path, { method: 'GET', signal: signal ? AbortSignal.any([signal, limit]) : limit })
}

export function write<Answer>(
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Answer> {
  const signal = AbortSignal.timeout(writeMs)
  if (body === undefined) return ask(path, { method, signal })
  const headers = { 'content-type': 'application/json' }
  return ask(path, { method, signal, headers, body: JSON.stringify(body) })
}

/** What is no JSON when it is sent: a table as CSV. */
export function writeText<Answer>(path: string, body: string, type: string): Promise<Answer> {
  const headers = { 'content-type': type }
  return ask(path, { method: 'POST', signal: AbortSignal.timeout(writeMs), headers, body })
}

/** What is no JSON when it is answered: a table as CSV, a message. */
export async function readText(path: string, accept: string): Promise<string> {
  const init = { method: 'GET', headers: { accept }, signal: AbortSignal.timeout(writeMs) }
  return (await answerTo(path, init)).text()
}

/** Likewise, of what comes in parts: `next` is to be passed as `after`; null where nothing follows. */
export async function readPart(
  path: string,
  accept: string,
): Promise<{ readonly text: string; readonly next: string | null }> {
  const init = { method: 'GET', headers: { accept }, signal: AbortSignal.timeout(writeMs) }
  const response = await answerTo(path, init)
  return { text: await response.text(), next: response.headers.get('x-relay-next') }
}

async function ask<Answer>(path: string, init: RequestInit): Promise<Answer> {
  const response = await answerTo(path, init)
  if (response.status === 204) return undefined as Answer
  return (await response.json().catch(() => unreadable(response))) as Answer
}

async function answerTo(path: string, init: RequestInit): Promise<Response> {
  // Relative to the document, so that a proxy may put the relay below a path of its own.
  const response = await fetch(new URL(`.${path}`, document.baseURI), {
    ...init,
    credentials: 'same-origin',
  }).catch((error: unknown) => {
    if (!isAbort(error)) answering.set(false)
    throw isAbort(error) ? error : new Problem('', { status: 0 })
  })
  if (isGateway(response)) {
    answering.set(false)
    throw new Problem('', { status: 0 })
  }
  answering.set(true)
  if (response.ok) return response
  if (response.status === 401 && path !== '/session') loggedOut.set(loggedOut.value + 1)
  throw await problemOf(response)
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

/** A proxy answers in the relay's place; its own 503 is a problem document. */
function isGateway({ status, headers }: Response): boolean {
  const ours = headers.get('content-type')?.startsWith('application/problem+json')
  return !ours && (status === 502 || status === 503 || status === 504)
}

async function problemOf(response: Response): Promise<Problem> {
  const { status, statusText } = response
  const body = (await response.json().catch(() => ({}))) as { detail?: unknown; field?: unknown }
  const message = typeof body.detail === 'string' ? body.detail : `${status} ${statusText}`.trim()
  return new Problem(message, { status, field: typeof body.field === 'string' ? body.field : null })
}

function unreadable({ status }: Response): never {
  throw new Problem('The answer cannot be read', { status })
}
