/**
 * The relay, built from a configuration in the order a message meets it: listeners, reception (which routes), policy,
 * the queue, delivery; beside them the admin port and, where configured, the sandbox smart host. Things are
 * started in the reverse of that order, so that what a message needs is there before the message, and stopped
 * in that order: nothing new is accepted, what is in flight is finished within the deadline, leases go back.
 */
import { join } from 'node:path'
import type { Logger } from 'pino'
import { openTokenFile, tokenFileIn } from './admin/access/token-file.ts'
import { partsOf } from './admin/parts.ts'
import { readinessOf } from './admin/readiness.ts'
import { type Admin, startAdmin } from './admin/server.ts'
import { type Clock, systemClock } from './clock.ts'
import type { LoadedConfig } from './config/load.ts'
import { Delivery } from './delivery/delivery.ts'
import { DsnWriter } from './delivery/dsn-writer.ts'
import { QueueActs } from './delivery/queue-acts.ts'
import type { Placement } from './delivery/reroute.ts'
import { type Sandbox, startSandbox } from './lab/sandbox.ts'
import { ContentInspector } from './message/content/inspector.ts'
import type { MailEvent } from './observe/events.ts'
import { Live } from './observe/live.ts'
import { createMetrics, type Metrics } from './observe/metrics.ts'
import { ProtocolLogs } from './observe/protocol-log/protocol-logs.ts'
import { createRecorder } from './observe/record.ts'
import { outsideCheckers } from './policy/checkers/outside-checkers.ts'
import { SubmissionLimits } from './policy/limits.ts'
import { PolicyMail } from './policy/policy-mail.ts'
import type { CompiledRules } from './policy/rules/evaluate.ts'
import { DkimSigner } from './policy/signing.ts'
import { PolicyStation } from './policy/station.ts'
import type { Queue } from './queue/queue.ts'
import { permanent } from './reply.ts'
import { type Question, type Routes, route } from './route/route.ts'
import { carriedBy, InForce } from './setup/in-force.ts'
import { Setup } from './setup/setup.ts'
import { openSecretBox } from './setup/state-key.ts'
import { MemoryBudget } from './smtp/body-writer.ts'
import { type Listener, startListener } from './smtp/listener.ts'
import { MessageReception } from './smtp/reception.ts'
import { nodeNameOf, openQueue, openState } from './stores.ts'
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
  readonly live: Live
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
    const live = new Live({ clock })
    const track = (event: MailEvent) => {
      live.note(event)
      tracking?.track(event)
    }
    const record = createRecorder({ log, metrics, track })
    const stops: (() => Promise<void>)[] = [() => protocolLogs.close()]
    if (tracking !== null) stops.push(() => tracking.stop())
    try {
      return await Relay.#build({ loaded, metrics, record, log, clock, protocolLogs, live }, stops)
    } catch (error) {
      await stopAll(stops).catch((err: unknown) => options.log.error({ err }, 'could not stop cleanly'))
      throw error
    }
  }

  static async #build(surroundings: Surroundings, stops: (() => Promise<void>)[]): Promise<Relay> {
    const { loaded, metrics, live } = surroundings
    const { config } = loaded

    const sandbox =
      config.sandbox === null
        ? null
        : await startSandbox({ ...config.sandbox, ledgerFile: config.sandbox.ledger })
    if (sandbox !== null) stops.unshift(() => sandbox.stop())

    const queue = await openQueue(surroundings)
    stops.unshift(() => queue.close({ deadlineMs: closeDeadlineMs }))

    const state = await openState(surroundings)
    stops.unshift(() => state.close())
    const setup = await Setup.open({ ...surroundings, state, box: await openSecretBox(loaded) })
    stops.unshift(async () => setup.stop())
    const inForce = new InForce(setup.current)
    const routes = () => inForce.routes

    const dsnWriter = buildDsnWriter(surroundings, { queue, routes })
    const delivery = buildDelivery(surroundings, { queue, routes, dsnWriter, setup })
    const policy = buildPolicy(surroundings, { queue, rules: () => inForce.rules })
    setup.watch((current) => inForce.take(current))
    setup.watch((current) => delivery.reconfigure(carriedBy(current)))
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
        place: (recipient, sizeBytes) => place(routes(), { sender: null, recipient, sizeBytes }),
      }),
      memory: new MemoryBudget(receptionMemoryBytes),
    })

    const listeners: Listener[] = []
    const isOpen = (name: string) => listeners.some((listener) => listener.name === name)
    const readiness = () =>
      readinessOf({
        queueFault: queue.fault(),
        listeners: config.listeners.map(({ name }) => ({
          name,
          fault: isOpen(name) ? null : 'not listening',
        })),
      })
    const inspector = new ContentInspector()
    stops.unshift(() => inspector.close())
    live.start(queue)
    stops.unshift(async () => live.stop())
    const admin = await startAdmin({
      ...surroundings,
      config: config.admin,
      readiness,
      queue,
      connectors: () => delivery.status(),
      setup,
      localToken: await openTokenFile(tokenFileIn(config.dataDir)),
      endpoints: partsOf({
        ...surroundings,
        setup,
        inForce,
        queue,
        delivery,
        acts: new QueueActs({ ...surroundings, queue, dsnWriter, delivery }),
        tracking: new TrackingSearch({ dir: trackingDir(loaded) }),
        inspector,
        sandbox,
        readiness,
        listeners: () => listeners,
        node: nodeNameOf(loaded),
      }),
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

interface QueueAndRoutes {
  readonly queue: Queue
  readonly routes: () => Routes
}

function buildDsnWriter({ loaded, clock, log }: Surroundings, { queue, routes }: QueueAndRoutes): DsnWriter {
  const { config } = loaded
  return new DsnWriter({
    queue,
    clock,
    log,
    hostname: config.hostname,
    delivery: config.delivery,
    place: (recipient, sizeBytes) => place(routes(), { sender: null, recipient, sizeBytes }),
  })
}

function buildDelivery(
  surroundings: Surroundings,
  { queue, routes, dsnWriter, setup }: QueueAndRoutes & { dsnWriter: DsnWriter; setup: Setup },
): Delivery {
  const { config } = surroundings.loaded
  return new Delivery({
    ...surroundings,
    queue,
    ...carriedBy(setup.current),
    delivery: config.delivery,
    leaseMs: config.queue.lease,
    dsnWriter,
    // The header, which may have chosen the binding, is not read again: the envelope sender stands for it.
    place: (item, recipient) =>
      place(routes(), { sender: item.sender.from || null, recipient, sizeBytes: item.sizeBytes }),
    catchUp: () => setup.catchUp(),
    random: Math.random,
  })
}

function buildPolicy(
  surroundings: Surroundings,
  { queue, rules }: { queue: Queue; rules: () => CompiledRules },
): PolicyStation {
  const { loaded, clock } = surroundings
  const { policy, hostname } = loaded.config
  return new PolicyStation({
    ...surroundings,
    rules,
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
