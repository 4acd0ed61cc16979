/**
 * The admin port: health, metrics, and the queue to read. It changes nothing and has no login, which is
 * why it stands on loopback by default. A store that is away costs the answers that need it (503, with the
 * reason), never the port: `/healthz`, `/readyz` and `/metrics` are most wanted just then.
 */
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import type { Clock } from '../clock.ts'
import type { ConnectorStatus } from '../delivery/status.ts'
import { isItemId, isMessageId } from '../message-id.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Page, Queue, QueueTotals } from '../queue/queue.ts'
import { printable } from '../reply.ts'
import { connectorViews } from './connector-view.ts'
import { isHostAllowed } from './host-check.ts'
import { type ItemPage, itemView } from './item-view.ts'
import { maxLimit, parseQueueQuery, type QueueQuery } from './queue-query.ts'
import type { Readiness } from './readiness.ts'

export interface AdminOptions {
  readonly config: { readonly address: string; readonly port: number }
  readonly metrics: Metrics
  readonly log: Log
  /** Only to read: what changes the queue is not reachable from here. */
  readonly queue: Pick<Queue, 'list' | 'totals'>
  readonly readiness: () => Readiness
  readonly connectors: () => readonly ConnectorStatus[]
  readonly clock: Clock
}

export interface Admin {
  readonly port: number
  stop(): Promise<void>
}

/** A few scrapers, commands and people; whoever wants more must not take descriptors from mail. */
const maxConnections = 100

/** Listens, or rejects with the system's reason (the port is taken, the address is not ours). */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const { address, port } = options.config
  options.metrics.watch({
    totals: () => options.queue.totals({ now: options.clock.now() }),
    connectors: options.connectors,
  })
  const server = Fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: 10_000,
    bodyLimit: 1024,
    routerOptions: { maxParamLength: 100 },
  })
  server.server.maxConnections = maxConnections
  guard(server, options)
  addHealth(server, options)
  addQueue(server, options)
  await server.listen({ host: address, port })
  return { port: (server.server.address() as AddressInfo).port, stop: () => server.close() }
}

/** What holds for every answer. */
function guard(server: FastifyInstance, { config, log }: AdminOptions): void {
  server.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    if (!isHostAllowed(config.address, request.headers.host))
      return fail(reply, 421, 'This port answers to localhost and loopback addresses only')
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return fail(reply.header('allow', 'GET, HEAD'), 405, 'The admin port is read-only: use GET')
  })
  server.setNotFoundHandler((request, reply) =>
    fail(reply, 404, `There is nothing at ${printable(request.url)}`),
  )
  server.setErrorHandler<Error & { statusCode?: number }>((error, request, reply) => {
    if (error instanceof WrongCursor)
      return fail(reply, 400, 'after must be the `next` of the page before', 'after')
    if (error instanceof StoreAway) return fail(reply, 503, error.message)
    if (error.statusCode !== undefined && error.statusCode < 500)
      return fail(reply, error.statusCode, error.message)
    log.error({ err: error, url: printable(request.url) }, 'The admin port could not answer')
    return fail(reply, 500, 'Internal error; the log has the rest')
  })
}

function addHealth(server: FastifyInstance, { metrics, readiness }: AdminOptions): void {
  server.get('/healthz', () => ({ status: 'alive' }))
  server.get('/readyz', (_request, reply) => {
    const answer = readiness()
    return reply.code(answer.ready ? 200 : 503).send(answer)
  })
  server.get('/metrics', async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
}

function addQueue(server: FastifyInstance, { queue, connectors, clock }: AdminOptions): void {
  server.get<{ Querystring: Record<string, unknown> }>('/queue', async (request, reply) => {
    const query = parseQueueQuery(request.query)
    if ('field' in query) return fail(reply, 400, query.message, query.field)
    return view(await readPage(queue, query, { now: clock.now() }), connectors())
  })
  server.get<{ Params: { id: string } }>('/queue/:id', async (request, reply) => {
    const { id } = request.params
    if (!isItemId(id) && !isMessageId(id))
      return fail(reply, 400, 'id must be the id of an item or of a message', 'id')
    const page = await readPage(queue, { filter: { id }, limit: maxLimit, after: null }, { now: clock.now() })
    if (page.items.length === 0) return fail(reply, 404, `No item or message ${id} is in the queue`)
    return view(page, connectors())
  })
  server.get('/connectors', async () => {
    // How connectors stand is known without the store, and wanted most when something is wrong.
    const totals: QueueTotals | null = await queue.totals({ now: clock.now() }).catch(() => null)
    return { connectors: connectorViews(connectors(), totals) }
  })
}

function view(page: Page, statuses: readonly ConnectorStatus[]): ItemPage {
  const byId = new Map(statuses.map((status) => [status.connector, status]))
  return {
    items: page.items.map((listed) => itemView(listed, byId.get(listed.item.connector))),
    next: page.next,
  }
}

async function readPage(
  queue: AdminOptions['queue'],
  { filter, limit, after }: QueueQuery,
  { now }: { now: number },
): Promise<Page> {
  try {
    return await queue.list(filter, { now, limit, after })
  } catch (error) {
    // The form of a cursor is the store's own affair: it alone can refuse one that it never gave.
    if (after !== null && error instanceof TypeError) throw new WrongCursor()
    const reason = error instanceof Error ? error.message : String(error)
    throw new StoreAway(`The queue cannot be read: ${printable(reason)}`, { cause: error })
  }
}

class WrongCursor extends Error {
  override name = 'WrongCursor'
}

class StoreAway extends Error {
  override name = 'StoreAway'
}

function fail(reply: FastifyReply, code: number, message: string, field?: string): FastifyReply {
  return reply.code(code).send({ error: { message, ...(field === undefined ? {} : { field }) } })
}
