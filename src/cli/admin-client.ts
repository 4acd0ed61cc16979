/**
 * A running relay, as the commands reach it: through its admin port. Answers are checked, since what listens
 * there may be something else. What cannot be asked ends in an `AdminError` whose message is for the operator.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { z } from 'zod'
import { type ConnectorView, connectorListSchema } from '../admin/connectors/connector-view.ts'
import { problemSchema } from '../admin/problem.ts'
import { type ItemView, itemPageSchema } from '../admin/queue/item-view.ts'
import { type LimitView, limitListSchema } from '../admin/queue/limit-view.ts'
import type { ActKind } from '../admin/queue/queue-act-body.ts'
import {
  type ActedItem,
  type ActedMany,
  actedItemsSchema,
  actedManySchema,
} from '../admin/queue/queue-act-view.ts'
import { nextHeader, trackingPageSchema } from '../admin/tracking/tracking-view.ts'
import { AdminConnection, type AdminRequest, type Trust, textOf } from './admin-connection.ts'

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

const jsonType = 'application/json'
/** Small pages: an item may have thousands of recipients. */
const pageSize = 100
const eventsAPage = 500
const defaultTimeoutMs = 10_000
/** Waited for where requests come too fast; a longer pause is for whoever brings wrong tokens. */
const longestPauseMs = 2000
const mostAttempts = 10

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

/** A token, and where it was found, for whoever must look there. */
export interface FoundToken {
  readonly token: string
  readonly from: string
}

export interface AdminClientOptions {
  /** Looked for once, when something is asked. */
  readonly token: () => Promise<FoundToken>
  readonly trust?: Trust
}

/** What is asked, and what kind of answer it has. */
export interface Question<Answer> {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** As JSON. */
  readonly body?: object
  /** Null: nothing is answered. */
  readonly answer: z.ZodType<Answer> | null
  /** Where the relay itself has to ask others first. */
  readonly timeoutMs?: number
}

export class AdminClient {
  readonly #url: string
  readonly #connection: AdminConnection
  readonly #options: AdminClientOptions
  #token: Promise<FoundToken> | null = null

  /** `http://127.0.0.1:8080`. */
  constructor(url: string, options: AdminClientOptions) {
    this.#url = url.replace(/\/+$/, '')
    this.#connection = new AdminConnection(this.#url, options.trust)
    this.#options = options
  }

  /** What is none of the questions below. */
  async ask<Answer>(path: string, question: Question<Answer>): Promise<Answer> {
    const { method = 'GET', body, answer, timeoutMs = defaultTimeoutMs } = question
    const headers = { accept: jsonType, ...(body && { 'content-type': jsonType }) }
    const request = { method, headers, timeoutMs, ...(body && { body: JSON.stringify(body) }) }
    const text = await this.#textOf(await this.#send(path, request), { timeoutMs })
    if (answer === null) return undefined as Answer
    const parsed = answer.safeParse(parsedJson(text))
    if (parsed.success) return parsed.data
    throw new AdminError(`What answers at ${this.#url} is not a relay of this version`, {
      cause: parsed.error,
    })
  }

  /** Text of another kind, such as CSV, to be sent or to be answered. */
  async askText(
    path: string,
    request: Partial<AdminRequest> = {},
  ): Promise<{ text: string; headers: IncomingHttpHeaders }> {
    const response = await this.#send(path, { timeoutMs: defaultTimeoutMs, ...request })
    const { headers } = response
    return {
      text: await this.#textOf(response, { timeoutMs: request.timeoutMs ?? defaultTimeoutMs }),
      headers,
    }
  }

  /** Connections that wait for more to be asked; they would end by themselves. */
  close(): void {
    this.#connection.close()
  }

  /** All items that match, read page by page. */
  async *items(filter: ItemFilter): AsyncIterable<ItemView> {
    let after: string | null = null
    do {
      const query = new URLSearchParams({ ...filter, limit: String(pageSize), ...(after && { after }) })
      const page: z.infer<typeof itemPageSchema> = await this.ask(`/queue?${query}`, {
        answer: itemPageSchema,
      })
      yield* page.items
      after = page.next
    } while (after !== null)
  }

  /** The item of that id, or every item of the message. */
  async itemsOf(id: string): Promise<readonly ItemView[]> {
    return (await this.ask(`/queue/${encodeURIComponent(id)}`, { answer: itemPageSchema })).items
  }

  /** Acts on the item of that id, or on every item of the message. */
  async act(id: string, kind: ActKind, fields: ActFields): Promise<readonly ActedItem[]> {
    const path = `/queue/${encodeURIComponent(id)}/${kind}`
    return (await this.ask(path, { method: 'POST', body: fields, answer: actedItemsSchema })).items
  }

  /** Acts on all items that match: what came of it, request by request. */
  async *actOnMany(filter: ItemFilter, action: ActKind, fields: ActFields): AsyncIterable<ActedMany> {
    let after: string | null = null
    do {
      const body = { action, filter, ...fields, limit: pageSize, after }
      const answer: ActedMany = await this.ask('/queue/actions', {
        method: 'POST',
        body,
        answer: actedManySchema,
      })
      yield answer
      after = answer.next
    } while (after !== null)
  }

  /** The stored bytes of a message. Only their beginning has a time: a large one may take longer to its end. */
  async message(id: string): Promise<AsyncIterable<Uint8Array>> {
    return this.#send(`/queue/${encodeURIComponent(id)}/message`, { timeoutMs: defaultTimeoutMs })
  }

  async connectors(): Promise<readonly ConnectorView[]> {
    return (await this.ask('/connectors', { answer: connectorListSchema })).connectors
  }

  async limits(): Promise<readonly LimitView[]> {
    return (await this.ask('/limits', { answer: limitListSchema })).limits
  }

  /** What of the tracking history matches, the newest first, read page by page; a page may be empty. */
  async *trackingPages(filter: EventFilter): AsyncIterable<z.infer<typeof trackingPageSchema>> {
    let after: string | null = null
    do {
      const query = new URLSearchParams({ ...filter, limit: String(eventsAPage), ...(after && { after }) })
      const page: z.infer<typeof trackingPageSchema> = await this.ask(`/tracking?${query}`, {
        answer: trackingPageSchema,
      })
      yield page
      after = page.next
    } while (after !== null)
  }

  /** The same as text: lines of Exchange's message tracking log, each with its line break, behind the head of such a file. */
  async *trackingCsv(filter: EventFilter): AsyncIterable<string> {
    let after: string | null = null
    do {
      const query = new URLSearchParams({ ...filter, limit: String(eventsAPage), ...(after && { after }) })
      const { text, headers }: Awaited<ReturnType<AdminClient['askText']>> = await this.askText(
        `/tracking?${query}&format=csv`,
      )
      yield text
      after = headers[nextHeader]?.toString() ?? null
    } while (after !== null)
  }

  /** The answer, where it is what was asked for; else rejects with what the relay says. */
  async #send(path: string, request: AdminRequest): Promise<IncomingMessage> {
    this.#token ??= this.#options.token()
    const { token, from } = await this.#token
    const headers = { ...request.headers, authorization: `Bearer ${token}` }
    for (let attempt = 1; ; attempt++) {
      const response = await this.#connection
        .send(path, { ...request, headers })
        .catch((error) => this.#unreached(error))
      const status = response.statusCode!
      if (status >= 200 && status < 300) return response
      const text = await this.#textOf(response, request)
      const pauseMs = Number(response.headers['retry-after']) * 1000
      // Nothing was done yet: it is only that many pages are read at once.
      if (status !== 429 || !(pauseMs <= longestPauseMs) || attempt === mostAttempts)
        throw this.#refused(status, { text, from })
      await delay(pauseMs)
    }
  }

  #textOf(response: IncomingMessage, options: { timeoutMs: number }): Promise<string> {
    return textOf(response, options).catch((error) => this.#unreached(error))
  }

  #refused(status: number, { text, from }: { text: string; from: string }): AdminError {
    const detail = problemSchema.safeParse(parsedJson(text)).data?.detail
    const reason = detail ?? `The relay at ${this.#url} answered ${status}`
    return new AdminError(status === 401 ? `${reason}: it is that of ${from}` : reason, {
      isUsage: status === 400,
      isOfItem: status === 404 || status === 409,
    })
  }

  #unreached(error: unknown): never {
    const reason = networkReason(error)
    throw new AdminError(`Cannot reach the relay at ${this.#url}: ${reason}. Is it running?`, {
      cause: error,
    })
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** What the system calls it, for people. */
function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const reasons: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ENOTFOUND: 'no such host',
    EHOSTUNREACH: 'host unreachable',
    ECONNRESET: 'connection reset',
  }
  const code = 'code' in error ? String(error.code) : ''
  return reasons[code] ?? error.message
}
