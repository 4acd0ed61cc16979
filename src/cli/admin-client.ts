/**
 * A running relay, as the commands reach it: through its admin port. Answers are checked, since what listens
 * there may be something else. What cannot be asked ends in an `AdminError` whose message is for the operator.
 */
import type { z } from 'zod'
import { type ConnectorView, connectorListSchema } from '../admin/connector-view.ts'
import { type ItemView, itemPageSchema } from '../admin/item-view.ts'

export interface ItemFilter {
  readonly connector?: string
  readonly state?: string
  readonly sender?: string
  readonly recipient?: string
}

/** Small pages: an item may have thousands of recipients. */
const pageSize = 100
const timeoutMs = 10_000

export class AdminError extends Error {
  override name = 'AdminError'
  /** True where the relay refused what was asked (400): wrong usage, not a failure. */
  readonly isUsage: boolean

  constructor(message: string, options: { isUsage?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.isUsage = options.isUsage ?? false
  }
}

export class AdminClient {
  readonly #url: string

  /** `http://127.0.0.1:8080`. */
  constructor(url: string) {
    this.#url = url.replace(/\/+$/, '')
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

  async connectors(): Promise<readonly ConnectorView[]> {
    return (await this.#get('/connectors', connectorListSchema)).connectors
  }

  async #get<Answer>(path: string, schema: z.ZodType<Answer>): Promise<Answer> {
    const response = await this.#fetch(path)
    const body: unknown = await response.json().catch(() => null)
    if (!response.ok)
      throw new AdminError(reasonIn(body) ?? `The relay at ${this.#url} answered ${response.status}`, {
        isUsage: response.status === 400,
      })
    const parsed = schema.safeParse(body)
    if (parsed.success) return parsed.data
    throw new AdminError(`What answers at ${this.#url} is not a relay of this version`, {
      cause: parsed.error,
    })
  }

  async #fetch(path: string): Promise<Response> {
    try {
      return await fetch(this.#url + path, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
    } catch (error) {
      throw new AdminError(
        `Cannot reach the relay at ${this.#url}: ${networkReason(error)}. Is it running?`,
        { cause: error },
      )
    }
  }
}

function reasonIn(body: unknown): string | null {
  const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : null
  if (typeof error !== 'object' || error === null || !('message' in error)) return null
  return typeof error.message === 'string' ? error.message : null
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
