/**
 * The relay, built from a configuration in the order a message meets it: listeners, reception (which routes), policy,
 * the queue, delivery; beside them the admin port and, where configured, the sandbox smart host. Things are
 * started in the reverse of that order, so that what a message needs is there before the message, and stopped
 * in that order: nothing new is accepted, what is in flight is finished within the deadline, leases go back.
 */
import { join } from 'node:path'
import type { Logger } from 'pino'
import { Authority } from './admin/authority.ts'
import { readinessOf } from './admin/readiness.ts'
import { type Admin, startAdmin } from './admin/server.ts'
import { openTokenFile, tokenFileIn } from './admin/token-file.ts'
import { type Clock, systemClock } from './clock.ts'
import type { LoadedConfig } from './config/load.ts'
import { Delivery } from './delivery/delivery.ts'
import { DsnWriter } from './delivery/dsn-writer.ts'
import { QueueActs } from './delivery/queue-acts.ts'
import type { Placement } from './delivery/reroute.ts'
import { type Sandbox, startSandbox } from './lab/sandbox.ts'
import { ContentInspector } from './message/content/inspector.ts'
import type { MailEvent } from './observe/events.ts'
import { createMetrics, type Metrics } from './observe/metrics.ts'
import { ProtocolLogs } from './observe/protocol-log/protocol-logs.ts'
import { createRecorder } from './observe/record.ts'
import { outsideCheckers } from './policy/checkers/outside-checkers.ts'
import { SubmissionLimits } from './policy/limits.ts'
import { PolicyMail } from './policy/policy-mail.ts'
import { compileRules } from './policy/rules/evaluate.ts'
import { DkimSigner } from './policy/signing.ts'
import { PolicyStation } from './policy/station.ts'
import type { Queue } from './queue/queue.ts'
import { permanent } from './reply.ts'
import { buildRoutes, type Question, type Routes, route } from './route/route.ts'
import { MemoryBudget } from './smtp/body-writer.ts'
import { type Listener, startListener } from './smtp/listener.ts'
import { MessageReception } from './smtp/reception.ts'
import { TrackingLog } from './tracking/log.ts'
import { TrackingSearch } from './tracking/search-thread.ts'

/** Memory that bodies being received may take together before they go to the store chunk by chunk. */
const receptionMemoryBytes = 64 * 1024 * 1024
/** Beside the time that deliveries get: for outcomes still to be stored. */
const closeDeadlineMs = 5_000

interface Surroundings {
  readonly loaded: LoadedConfig
  readonly log: Logger
  readonly clock: Clock
  readonly metrics: Metrics
  readonly record: ReturnType<typeof createRecorder>
  readonly protocolLogs: ProtocolLogs
}

export class Relay {
  /** Empty once stopped. */
  readonly listeners: readonly Listener[]
  readonly admin: Admin
  readonly sandbox: Sandbox | null
  readonly #stops: readonly (() => Promise<void>)[]

  private constructor(parts: {
    listeners: Listener[]
    admin: Admin
    sandbox: Sandbox | null
    stops: (() => Promise<void>)[]
  }) {
    this.listeners = parts.listeners
    this.admin = parts.admin
    this.sandbox = parts.sandbox
    this.#stops = parts.stops
  }

  /** Starts everything, or rejects with the first reason and leaves nothing running. */
  static async start(loaded: LoadedConfig, options: { log: Logger; clock?: Clock }): Promise<Relay> {
    const metrics = createMetrics()
    const { log, clock = systemClock } = options
    const { dataDir, hostname, protocolLogs: limits } = loaded.config
    const protocolLogs = new ProtocolLogs({ dataDir, hostname, limits, log, clock })
    const tracking = startTracking(loaded, { log, clock })
    const track = tracking === null ? undefined : (event: MailEvent) => tracking.track(event)
    const record = createRecorder({ log, metrics, track })
    const stops: (() => Promise<void>)[] = [() => protocolLogs.close()]
    if (tracking !== null) stops.push(() => tracking.stop())
    try {
      return await Relay.#build({ loaded, metrics, record, log, clock, protocolLogs }, stops)
    } catch (error) {
      await stopAll(stops).catch((err: unknown) => options.log.error({ err }, 'could not stop cleanly'))
      throw error
    }
  }

  static async #build(surroundings: Surroundings, stops: (() => Promise<void>)[]): Promise<Relay> {
    const { loaded, log, clock, metrics } = surroundings
    const { config, connectors } = loaded
    const routes = buildRoutes({ ...config, connectors })

    const sandbox =
      config.sandbox === null
        ? null
        : await startSandbox({ ...config.sandbox, ledgerFile: config.sandbox.ledger })
    if (sandbox !== null) stops.unshift(() => sandbox.stop())

    const queue = await openQueue(surroundings)
    stops.unshift(() => queue.close({ deadlineMs: closeDeadlineMs }))

    const dsnWriter = buildDsnWriter(surroundings, { queue, routes })
    const delivery = buildDelivery(surroundings, { queue, routes, dsnWriter })
    const policy = buildPolicy(surroundings, queue)
    stops.unshift(() => policy.close())
    const reception = new MessageReception({
      ...surroundings,
      hostname: config.hostname,
      routing: config.routing,
      delivery: config.delivery,
      leaseMs: config.queue.lease,
      routes,
      queue,
      deliver: delivery,
      policy,
      policyMail: new PolicyMail({
        hostname: config.hostname,
        delivery: config.delivery,
        dsnWriter,
        place: (recipient, sizeBytes) => place(routes, { sender: null, recipient, sizeBytes }),
      }),
      memory: new MemoryBudget(receptionMemoryBytes),
    })

    const listeners: Listener[] = []
    const admin = await startAdmin({
      config: config.admin,
      metrics,
      log,
      queue,
      clock,
      readiness: () =>
        readinessOf({
          queueFault: queue.fault(),
          listeners: config.listeners.map(({ name }) => ({
            name,
            fault: listeners.some((listener) => listener.name === name) ? null : 'not listening',
          })),
        }),
      connectors: () => delivery.status(),
      limits: config.policy.limits,
      tracking: new TrackingSearch({ dir: trackingDir(loaded) }),
      operating: {
        queue,
        acts: new QueueActs({
          ...surroundings,
          queue,
          dsnWriter,
          delivery,
        }),
        authority: new Authority({ localToken: await openTokenFile(tokenFileIn(config.dataDir)), clock }),
      },
    })
    stops.unshift(() => admin.stop())

    delivery.start()
    // Side by side, as they share one deadline: a message still coming in is kept, and leaves after the next start.
    stops.unshift(async () => {
      const ways = [...listeners.splice(0), delivery]
      await Promise.all(ways.map((way) => way.stop(config.delivery.shutdownTimeout)))
    })
    for (const listenerConfig of config.listeners) {
      listeners.push(
        await startListener(listenerConfig, {
          ...surroundings,
          hostname: config.hostname,
          dataDir: config.dataDir,
          access: config.access,
          reception,
        }),
      )
    }
    metrics.watch({
      sessions: () => listeners.map(({ name, sessions }) => [name, sessions]),
      bodiesInMemoryBytes: () => delivery.heldBytes,
    })
    return new Relay({ listeners, admin, sandbox, stops })
  }

  /** Accepts nothing more, finishes what is in flight within `delivery.shutdownTimeout`, gives back the rest. */
  async stop(): Promise<void> {
    await stopAll(this.#stops)
  }
}

/** In order, each whatever became of those before it; then rejects with the first error. */
async function stopAll(stops: readonly (() => Promise<void>)[]): Promise<void> {
  const errors: unknown[] = []
  for (const stop of stops) await stop().catch((error: unknown) => errors.push(error))
  if (errors.length > 0) throw errors[0]
}

/** Loads the one store that is used, as the library of the other would take 8 MB for nothing. */
const trackingDir = ({ config }: LoadedConfig): string => join(config.dataDir, 'tracking')

function startTracking(loaded: LoadedConfig, options: { log: Logger; clock: Clock }): TrackingLog | null {
  const { hostname, tracking } = loaded.config
  if (!tracking.enabled) return null
  const trackingLog = new TrackingLog({
    ...options,
    dir: trackingDir(loaded),
    hostname,
    keepMs: tracking.keep,
    maxBytes: tracking.maxSize,
  })
  trackingLog.start()
  return trackingLog
}

async function openQueue({ loaded, log }: Surroundings): Promise<Queue> {
  const { queue, dataDir, hostname } = loaded.config
  const limits = { maxItems: queue.maxItems, maxBytes: queue.maxBytes, log }
  if (queue.store === 'embedded') {
    const { openEmbeddedQueue } = await import('./queue/embedded.ts')
    return openEmbeddedQueue({ ...limits, dir: join(dataDir, 'queue') })
  }
  const { openRedisQueue } = await import('./queue/redis.ts')
  return openRedisQueue({ ...limits, redis: loaded.redis, nodeName: `${hostname}-${process.pid}` })
}

interface QueueAndRoutes {
  readonly queue: Queue
  readonly routes: Routes
}

function buildDsnWriter({ loaded, clock, log }: Surroundings, { queue, routes }: QueueAndRoutes): DsnWriter {
  const { config } = loaded
  return new DsnWriter({
    queue,
    clock,
    log,
    hostname: config.hostname,
    delivery: config.delivery,
    place: (recipient, sizeBytes) => place(routes, { sender: null, recipient, sizeBytes }),
  })
}

function buildDelivery(
  surroundings: Surroundings,
  { queue, routes, dsnWriter }: QueueAndRoutes & { dsnWriter: DsnWriter },
): Delivery {
  const { config, connectors } = surroundings.loaded
  return new Delivery({
    ...surroundings,
    queue,
    connectors,
    delivery: config.delivery,
    leaseMs: config.queue.lease,
    dsnWriter,
    // The header, which may have chosen the binding, is not read again: the envelope sender stands for it.
    place: (item, recipient) =>
      place(routes, { sender: item.sender.from || null, recipient, sizeBytes: item.sizeBytes }),
    random: Math.random,
  })
}

function buildPolicy(surroundings: Surroundings, queue: Queue): PolicyStation {
  const { loaded, clock } = surroundings
  const { policy, hostname } = loaded.config
  return new PolicyStation({
    ...surroundings,
    rules: compileRules(policy),
    limits: new SubmissionLimits({ limits: policy.limits, queue, clock }),
    checkers: outsideCheckers(loaded.checkers, { ...surroundings, hostname }),
    signer: new DkimSigner(loaded.dkimKeys),
    inspector: new ContentInspector(),
  })
}

function place(routes: Routes, question: Question): Placement {
  const decision = route(routes, question)
  switch (decision.kind) {
    case 'connector':
      return decision
    case 'refuse':
      return { kind: 'unreachable', reply: decision.reply }
    case 'unreachable':
      return { kind: 'unreachable', reply: permanent('4.4', `No connector takes ${question.recipient}`) }
  }
}
