/**
 * The admin port: health, metrics, the queue and the history to read without a login, which is why it stands on
 * loopback by default; and the acts of operators, which need a token (authority.ts). A store that is away costs the
 * answers that need it (503, with the reason), never the port: `/healthz`, `/readyz` and `/metrics` are most wanted
 * just then.
 */
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import type { QueueActs } from '../delivery/queue-acts.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Queue } from '../queue/queue.ts'
import { printable } from '../reply.ts'
import type { TrackingSearch } from '../tracking/search-thread.ts'
import type { Authority } from './authority.ts'
import { isHostAllowed } from './host-check.ts'
import { fail, Refused } from './problem.ts'
import { addQueueActs } from './queue-act-routes.ts'
import { addQueue, type QueueRoutesOptions } from './queue-routes.ts'
import type { Readiness } from './readiness.ts'
import { addTracking } from './tracking-routes.ts'

export interface AdminOptions extends QueueRoutesOptions {
  readonly config: { readonly address: string; readonly port: number }
  readonly metrics: Metrics
  readonly log: Log
  readonly readiness: () => Readiness
  /** The history of messages; left out where there is none. */
  readonly tracking?: Pick<TrackingSearch, 'search'>
  /** What operators may do; left out where the port is to read only. */
  readonly operating?: {
    readonly queue: Pick<Queue, 'list' | 'body'>
    readonly acts: QueueActs
    readonly authority: Authority
  }
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
    bodyLimit: 16 * 1024,
    routerOptions: { maxParamLength: 100 },
  })
  server.server.maxConnections = maxConnections
  server.removeContentTypeParser('text/plain')
  guard(server, options)
  addHealth(server, options)
  addQueue(server, options)
  if (options.operating) addQueueActs(server, { ...options, ...options.operating })
  if (options.tracking) addTracking(server, { ...options, tracking: options.tracking })
  await server.listen({ host: address, port })
  return { port: (server.server.address() as AddressInfo).port, stop: () => server.close() }
}

/** What holds for every answer. */
function guard(server: FastifyInstance, { config, log }: AdminOptions): void {
  server.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    if (!isHostAllowed(config.address, request.headers.host))
      return fail(reply, 421, 'This port answers to localhost and loopback addresses only')
  })
  server.setNotFoundHandler((request, reply) =>
    fail(reply, 404, `There is nothing to ${request.method} at ${printable(request.url)}`),
  )
  server.setErrorHandler<Error & { statusCode?: number }>((error, request, reply) => {
    if (error instanceof Refused) return fail(reply, error.status, error.message, error.field)
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
