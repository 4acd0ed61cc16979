/**
 * A running relay, as the commands reach it: through its admin port. Answers are checked, since what listens
 * there may be something else. What cannot be asked ends in an `AdminError` whose message is for the operator.
 */
import type { z } from 'zod'
import { type ConnectorView, connectorListSchema } from '../admin/connector-view.ts'
import { type ItemView, itemPageSchema } from '../admin/item-view.ts'
import { type LimitView, limitListSchema } from '../admin/limit-view.ts'
import { problemSchema } from '../admin/problem.ts'
import type { ActKind } from '../admin/queue-act-body.ts'
import { type ActedItem, type ActedMany, actedItemsSchema, actedManySchema } from '../admin/queue-act-view.ts'
import { nextHeader, trackingPageSchema } from '../admin/tracking-view.ts'

export interface ItemFilter {
  readonly connector?: string
  readonly state?: string
  readonly sender?: string
  readonly recipient?: string
}

/** The parameters of `GET /tracking`. */
export interface EventFilter {
  readonly id?: string
  readonly internetMessageId?: string
  readonly networkMessageId?: string
  readonly sender?: string
  readonly recipient?: string
  readonly connector?: string
  readonly event?: string
  readonly from?: string
  readonly until?: string
}

/** Small pages: an item may have thousands of recipients. */
const pageSize = 100
const eventsAPage = 500
const timeoutMs = 10_000

export class AdminError extends Error {
  override name = 'AdminError'
  /** True where the relay refused what was asked (400): wrong usage, not a failure. */
  readonly isUsage: boolean
  /** True where it lies in the item asked for, and others may be asked for all the same (404, 409). */
  readonly isOfItem: boolean

  constructor(message: string, options: { isUsage?: boolean; isOfItem?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.isUsage = options.isUsage ?? false
    this.isOfItem = options.isOfItem ?? false
  }
}

/** What `POST /queue/:id/…` takes: the fields that the act has. */
export interface ActFields {
  readonly reason?: string
  readonly dsn?: boolean
  readonly connector?: string
}

export class AdminClient {
  readonly #url: string
  readonly #token: () => Promise<string>

  /** `http://127.0.0.1:8080`. The token is looked for when something needs it. */
  constructor(url: string, { token }: { token?: () => Promise<string> } = {}) {
    this.#url = url.replace(/\/+$/, '')
    this.#token =
      token ?? (() => Promise.reject(new AdminError('This needs the token of the relay, and none is known')))
  }

  /** All items that match, read page by page. */
  async *items(filter: ItemFilter): AsyncIterable<ItemView> {
    let after: string | null = null
    do {
      const query = new URLSearchParams({ ...filter, limit: String(pageSize), ...(after && { after }) })
      const page: z.infer<typeof itemPageSchema> = await this.#get(`/queue?${query}`, itemPageSchema)
      yield* page.items
      after = page.next
    } while (after !== null)
  }

  /** The item of that id, or every item of the message. */
  async itemsOf(id: string): Promise<readonly ItemView[]> {
    return (await this.#get(`/queue/${encodeURIComponent(id)}`, itemPageSchema)).items
  }

  /** Acts on the item of that id, or on every item of the message. */
  async act(id: string, kind: ActKind, fields: ActFields): Promise<readonly ActedItem[]> {
    const path = `/queue/${encodeURIComponent(id)}/${kind}`
    return (await this.#post(path, fields, actedItemsSchema)).items
  }

  /** Acts on all items that match: what came of it, request by request. */
  async *actOnMany(filter: ItemFilter, action: ActKind, fields: ActFields): AsyncIterable<ActedMany> {
    let after: string | null = null
    do {
      const body = { action, filter, ...fields, limit: pageSize, after }
      const answer: ActedMany = await this.#post('/queue/actions', body, actedManySchema)
      yield answer
      after = answer.next
    } while (after !== null)
  }

  /** The stored bytes of a message. Only their beginning has a time: a large one may take longer to its end. */
  async message(id: string): Promise<AsyncIterable<Uint8Array>> {
    const headers = { authorization: `Bearer ${await this.#token()}` }
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new DOMException('', 'TimeoutError')), timeoutMs)
    const path = `/queue/${encodeURIComponent(id)}/message`
    const response = await this.#fetch(path, { headers, signal: late.signal }).finally(() =>
      clearTimeout(timer),
    )
    if (!response.ok || response.body === null)
      throw this.#refused(response, await response.json().catch(() => null))
    return response.body
  }

  async connectors(): Promise<readonly ConnectorView[]> {
    return (await this.#get('/connectors', connectorListSchema)).connectors
  }

  async limits(): Promise<readonly LimitView[]> {
    return (await this.#get('/limits', limitListSchema)).limits
  }

  /** What of the tracking history matches, the newest first, read page by page; a page may be empty. */
  async *trackingPages(filter: EventFilter): AsyncIterable<z.infer<typeof trackingPageSchema>> {
    let after: string | null = null
    do {
      const query = new URLSearchParams({ ...filter, limit: String(eventsAPage), ...(after && { after }) })
      const page: z.infer<typeof trackingPageSchema> = await this.#get(
        `/tracking?${query}`,
        trackingPageSchema,
      )
      yield page
      after = page.next
    } while (after !== null)
  }

  /** The same as text: lines of Exchange's message tracking log, each with its line break, behind the head of such a file. */
  async *trackingCsv(filter: EventFilter): AsyncIterable<string> {
    let after: string | null = null
    do {
      const query = new URLSearchParams({ ...filter, limit: String(eventsAPage), ...(after && { after }) })
      const response: Response = await this.#fetch(`/tracking?${query}&format=csv`)
      if (!response.ok) throw this.#refused(response, await response.json().catch(() => null))
      yield await response.text()
      after = response.headers.get(nextHeader)
    } while (after !== null)
  }

  #refused(response: Response, body: unknown): AdminError {
    return new AdminError(reasonIn(body) ?? `The relay at ${this.#url} answered ${response.status}`, {
      isUsage: response.status === 400,
      isOfItem: response.status === 404 || response.status === 409,
    })
  }

  #get<Answer>(path: string, schema: z.ZodType<Answer>): Promise<Answer> {
    return this.#ask(path, {}, schema)
  }

  async #post<Answer>(path: string, body: object, schema: z.ZodType<Answer>): Promise<Answer> {
    const headers = { authorization: `Bearer ${await this.#token()}`, 'content-type': 'application/json' }
    return this.#ask(path, { method: 'POST', headers, body: JSON.stringify(body) }, schema)
  }

  async #ask<Answer>(path: string, request: RequestInit, schema: z.ZodType<Answer>): Promise<Answer> {
    const response = await this.#fetch(path, request)
    const body: unknown = await response.json().catch(() => null)
    if (!response.ok) throw this.#refused(response, body)
    const parsed = schema.safeParse(body)
    if (parsed.success) return parsed.data
    throw new AdminError(`What answers at ${this.#url} is not a relay of this version`, {
      cause: parsed.error,
    })
  }

  async #fetch(path: string, request: RequestInit = {}): Promise<Response> {
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      return await fetch(this.#url + path, { redirect: 'error', signal, ...request })
    } catch (error) {
      throw new AdminError(
        `Cannot reach the relay at ${this.#url}: ${networkReason(error)}. Is it running?`,
        { cause: error },
      )
    }
  }
}

function reasonIn(body: unknown): string | null {
  return problemSchema.safeParse(body).data?.detail ?? null
}

/** `fetch` says "fetch failed" and keeps what happened in the cause. */
function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} seconds`
  const cause = error.cause instanceof Error ? error.cause : error
  const reasons: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ENOTFOUND: 'no such host',
    EHOSTUNREACH: 'host unreachable',
    ECONNRESET: 'connection reset',
  }
  const code = 'code' in cause ? String(cause.code) : ''
  return reasons[code] ?? cause.message
}
