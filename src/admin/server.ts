/**
 * The admin port: the page, the API behind it, health and metrics. Whoever looks or acts needs a token (access/); a
 * store that is away costs the answers that need it (503, with the reason), never the port: `/healthz`, `/readyz` and
 * `/metrics` are most wanted just then, and ask for nothing.
 */
import type { Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { ConnectorStatus } from '../delivery/status.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Queue } from '../queue/queue.ts'
import { printable } from '../reply.ts'
import type { Setup } from '../setup/setup.ts'
import { AdminTls } from './access/admin-tls.ts'
import { Authority } from './access/authority.ts'
import { AccessGate } from './access/gate.ts'
import { isHostAllowed } from './access/host-check.ts'
import { RequestRates } from './access/request-rates.ts'
import { securityHeaders } from './access/security-headers.ts'
import { sessionEndpoints } from './access/session-endpoints.ts'
import { Sessions } from './access/sessions.ts'
import { tokenEndpoints } from './access/token-endpoints.ts'
import { Api, type Endpoint } from './endpoint.ts'
import { healthEndpoints } from './health-endpoints.ts'
import { addOvhcloud } from './ovhcloud/ovhcloud-routes.ts'
import { PageFiles } from './page-files.ts'
import { addPage } from './page-routes.ts'
import { fail, Refused, refuse } from './problem.ts'
import type { Readiness } from './readiness.ts'
import { referenceEndpoints } from './reference-endpoints.ts'
import { relayVersion } from './version.ts'

export interface AdminOptions {
  readonly config: Config['admin']
  readonly metrics: Metrics
  readonly log: Log
  readonly clock: Clock
  readonly readiness: () => Readiness
  /** For the gauges. */
  readonly queue: Pick<Queue, 'totals'>
  readonly connectors: () => readonly ConnectorStatus[]
  readonly setup: Pick<Setup, 'current' | 'apply' | 'rekey' | 'unseal'>
  /** Of `dataDir/admin-token`: good for everything. */
  readonly localToken: string
  /** What can be asked beside access, health and the page: the `…Endpoints()` of the parts. */
  readonly endpoints: readonly Endpoint[]
  /** Where the built page is; beside the program unless it says otherwise. */
  readonly pageDir?: string
}

export interface Admin {
  readonly port: number
  stop(): Promise<void>
}

/** A few scrapers, commands and people; whoever wants more must not take descriptors from mail. */
const maxConnections = 100
const headersTimeoutMs = 10_000
/** For all of a request: 100,000 bindings may come over a slow line. */
const requestTimeoutMs = 60_000

/** Listens, or rejects with the system's reason (the port is taken, the address is not ours, a file cannot be read). */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const { config, metrics, queue, clock, connectors } = options
  metrics.watch({ totals: () => queue.totals({ now: clock.now() }), connectors })
  const tls = config.certificate === null ? null : await AdminTls.read(config.certificate)
  const server = buildServer(tls)
  server.server.maxConnections = maxConnections
  server.server.headersTimeout = headersTimeoutMs
  server.removeContentTypeParser('text/plain')
  guard(server, options)
  addParts(server, options)
  await server.listen({ host: config.address, port: config.port })
  await tls?.follow(server.server as unknown as HttpsServer, options.log)
  return {
    port: (server.server.address() as AddressInfo).port,
    async stop() {
      tls?.stop()
      await server.close()
    },
  }
}

function buildServer(tls: AdminTls | null): FastifyInstance {
  const settings = {
    logger: false,
    forceCloseConnections: true,
    requestTimeout: requestTimeoutMs,
    bodyLimit: 16 * 1024,
    // A mail address, each octet of it in three.
    routerOptions: { maxParamLength: 1000 },
    frameworkErrors: (error: FastifyError, _request: FastifyRequest, reply: FastifyReply) =>
      fail(reply.headers(securityHeaders), error.statusCode ?? 400, 'The path cannot be read'),
  } as const
  if (tls === null) return Fastify(settings)
  return Fastify({ ...settings, https: tls.settings }) as unknown as FastifyInstance
}

function addParts(server: FastifyInstance, options: AdminOptions): void {
  const { clock, config, setup, endpoints } = options
  const sessions = new Sessions(clock)
  const authority = new Authority(options)
  const isTls = config.certificate !== null
  const gate = new AccessGate({ authority, sessions, rates: new RequestRates(clock), isTls })
  const api = new Api(server, gate)
  api.add(
    ...healthEndpoints(options),
    ...sessionEndpoints({ authority, sessions, isTls }),
    ...tokenEndpoints({ setup, clock }),
    ...referenceEndpoints({ endpoints: () => api.endpoints, version: relayVersion }),
    ...endpoints,
  )
  addOvhcloud(server, { ...options, gate })
  addPage(server, { files: new PageFiles(options.pageDir), api })
}

/** What holds for every answer. */
function guard(server: FastifyInstance, { config, log }: AdminOptions): void {
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(securityHeaders)
    if (!isHostAllowed(config.address, request.headers.host))
      return fail(reply, 421, 'This port answers to localhost and loopback addresses only')
  })
  server.setErrorHandler<Error & { code?: string; statusCode?: number }>((error, request, reply) => {
    if (error instanceof Refused) return refuse(reply, error)
    const { statusCode: status = 500, code = '' } = error
    if (status < 500) return fail(reply, status, badRequests[code] ?? error.message)
    log.error({ err: error, url: printable(request.url) }, 'The admin port could not answer')
    return fail(reply, 500, 'Internal error; the log has the rest')
  })
}

/** In our words; fastify's speak of itself. */
const badRequests: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is no JSON, or has a field __proto__ or constructor',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is missing',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'A body of this Content-Type is not read here',
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is too large',
}
