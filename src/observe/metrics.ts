/**
 * The metrics, once: name, help, labels and their values stand in one table that the registry is built
 * from and that `metricsTable()` prints for the README. Counters move with mail events only (`count`, called by
 * record.ts); gauges are read when they are scraped, from whoever knows (`watch`).
 *
 * A label's values are a closed set: listed here, or ids from the configuration. No address, host or text of
 * a peer ever becomes one.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { assertNever } from '../assert-never.ts'
import type { ConnectionFault } from '../delivery/attempt.ts'
import type { ConnectorStatus } from '../delivery/status.ts'
import type { Depth, QueueTotals } from '../queue/queue.ts'
import type { MailEvent } from './events.ts'

const states = ['ready', 'deferred', 'leased', 'suspended'] as const satisfies readonly (keyof Depth)[]
const connectorStates = ['ready', 'retry', 'suspended'] as const satisfies readonly ConnectorStatus['state'][]
const connector = 'id of the connector'

const declared = {
  messagesAccepted: {
    type: 'counter',
    name: 'relay_messages_accepted_total',
    help: 'Messages we answered with 250 after DATA.',
    labels: {},
  },
  recipientsAccepted: {
    type: 'counter',
    name: 'relay_recipients_accepted_total',
    help: 'Their recipients, by the connector that was chosen.',
    labels: { connector },
  },
  rejected: {
    type: 'counter',
    name: 'relay_rejected_total',
    help: 'Refusals inside a session (4yz and 5yz).',
    labels: {
      command: ['CONNECT', 'AUTH', 'MAIL', 'RCPT', 'DATA'],
      status: 'enhanced status code of the reply (RFC 3463), or `other`',
    },
  },
  acceptDuration: {
    type: 'histogram',
    name: 'relay_accept_duration_seconds',
    help: 'From DATA to our 250.',
    labels: {},
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  ruleMatches: {
    type: 'counter',
    name: 'relay_policy_rule_matches_total',
    help: 'Messages that a policy rule matched.',
    labels: { rule: 'name of the rule', mode: ['enforce', 'audit', 'test'] },
  },
  checks: {
    type: 'counter',
    name: 'relay_policy_checks_total',
    help: 'Verdicts of outside checkers; away: the checker did not answer, and its configuration did.',
    labels: {
      checker: 'name of the checker',
      verdict: ['pass', 'hold', 'reject', 'defer', 'drop'],
      away: ['yes', 'no'],
    },
  },
  checkDuration: {
    type: 'histogram',
    name: 'relay_policy_check_duration_seconds',
    help: 'What a message waited for an outside checker.',
    labels: { checker: 'name of the checker' },
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  limited: {
    type: 'counter',
    name: 'relay_policy_limited_total',
    help: 'Messages over a limit of `policy.limits`.',
    labels: { limit: 'name of the limit', over: ['reject', 'defer', 'hold'] },
  },
  recipientsDropped: {
    type: 'counter',
    name: 'relay_recipients_dropped_total',
    help: 'Recipients that policy accepted and delivers nothing to.',
    labels: {},
  },
  recipientsRefused: {
    type: 'counter',
    name: 'relay_recipients_refused_total',
    help: 'Recipients that policy refused after DATA while others of their message went on.',
    labels: {},
  },
  notices: {
    type: 'counter',
    name: 'relay_policy_notices_total',
    help: 'Messages in which a rule told somebody of another.',
    labels: { rule: 'name of the rule' },
  },
  recipientsDelivered: {
    type: 'counter',
    name: 'relay_recipients_delivered_total',
    help: 'Recipients a smart host took with 250.',
    labels: { connector },
  },
  recipientsDeferred: {
    type: 'counter',
    name: 'relay_recipients_deferred_total',
    help: 'Temporary refusals of recipients; one recipient may count several times.',
    labels: { connector },
  },
  recipientsFailed: {
    type: 'counter',
    name: 'relay_recipients_failed_total',
    help: 'Recipients refused for good.',
    labels: { connector },
  },
  recipientsExpired: {
    type: 'counter',
    name: 'relay_recipients_expired_total',
    help: 'Recipients given up because their time was over.',
    labels: { connector },
  },
  deliveryDelay: {
    type: 'histogram',
    name: 'relay_delivery_delay_seconds',
    help: "From our 250 to the smart host's.",
    labels: { connector },
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14_400, 86_400],
  },
  uncertain: {
    type: 'counter',
    name: 'relay_deliveries_uncertain_total',
    help: 'Attempts that broke after the final dot and before the reply: a duplicate is possible.',
    labels: { connector },
  },
  leasesLost: {
    type: 'counter',
    name: 'relay_leases_lost_total',
    help: 'Leases that ended while their attempt was under way.',
    labels: { connector },
  },
  dsns: {
    type: 'counter',
    name: 'relay_dsns_total',
    help: 'Delivery status notifications to senders; unroutable ones could not be queued.',
    labels: { kind: ['failed', 'delayed', 'relayed', 'unroutable'] },
  },
  connectorFaults: {
    type: 'counter',
    name: 'relay_connector_faults_total',
    help: 'Times a connector stopped because no smart host could be used.',
    labels: {
      connector,
      fault: [
        'resolve',
        'connect',
        'greeting',
        'tls',
        'auth-missing',
        'auth-refused',
        'auth-temporary',
        'lost',
      ] satisfies readonly ConnectionFault[],
    },
  },
  itemsChanged: {
    type: 'counter',
    name: 'relay_items_changed_total',
    help: 'Acts of operators and rules on queue items.',
    labels: { change: ['suspended', 'resumed', 'retried', 'removed', 'rerouted'] },
  },
  queueAvailable: {
    type: 'gauge',
    name: 'relay_queue_available',
    help: '1 where the queue could be read for this scrape; else 0, and its numbers are missing.',
    labels: {},
  },
  queueItems: {
    type: 'gauge',
    name: 'relay_queue_items',
    help: 'Queue items, by state.',
    labels: { connector: `${connector}, or \`unreachable\``, state: states },
  },
  queueCorrupt: {
    type: 'gauge',
    name: 'relay_queue_corrupt',
    help: 'Records set aside because they could not be read.',
    labels: {},
  },
  sessions: {
    type: 'gauge',
    name: 'relay_sessions',
    help: 'SMTP sessions with clients.',
    labels: { listener: 'name of the listener' },
  },
  connections: {
    type: 'gauge',
    name: 'relay_connections',
    help: 'Connections to smart hosts.',
    labels: { connector },
  },
  connectorState: {
    type: 'gauge',
    name: 'relay_connector_state',
    help: '1 for the state that the connector is in on this node, 0 for the others.',
    labels: { connector, state: connectorStates },
  },
  connectorRateWaiting: {
    type: 'gauge',
    name: 'relay_connector_rate_waiting',
    help: '1 while a rate limit of the connector is reached and its mail waits on this node.',
    labels: { connector },
  },
  bodiesInMemory: {
    type: 'gauge',
    name: 'relay_bodies_in_memory_bytes',
    help: 'Bodies held in memory for delivery.',
    labels: {},
  },
} as const satisfies Record<string, Declaration>

interface Declaration {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly name: string
  readonly help: string
  /** All values, or where they come from. */
  readonly labels: Readonly<Record<string, string | readonly string[]>>
  readonly buckets?: readonly number[]
}

type Instruments = {
  readonly [Key in keyof typeof declared]: (typeof declared)[Key]['type'] extends 'counter'
    ? Counter
    : (typeof declared)[Key]['type'] extends 'gauge'
      ? Gauge
      : Histogram
}

/** Who is asked at a scrape. A source that nobody gave counts as empty. */
export interface GaugeSources {
  readonly totals?: () => Promise<QueueTotals>
  readonly connectors?: () => readonly ConnectorStatus[]
  /** Names of listeners with their sessions. */
  readonly sessions?: () => Iterable<readonly [listener: string, sessions: number]>
  readonly bodiesInMemoryBytes?: () => number
}

/** A scraper waits ten seconds by default; a store that hangs must not cost it the other numbers. */
const totalsDeadlineMs = 5000

export class Metrics {
  readonly #registry = new Registry()
  readonly #is: Instruments
  #sources: GaugeSources = {}

  constructor() {
    this.#is = Object.fromEntries(
      Object.entries(declared).map(([key, declaration]) => [key, instrument(declaration, this.#registry)]),
    ) as unknown as Instruments
    // Their collectors catch what they read: at EMFILE process.memoryUsage() throws.
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 20 })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Adds sources; a later one of the same name replaces the earlier. */
  watch(sources: GaugeSources): void {
    this.#sources = { ...this.#sources, ...sources }
  }

  /** All metrics in Prometheus' text format. */
  async text(): Promise<string> {
    this.#readQueue(await this.#totals())
    this.#readConnectors(this.#sources.connectors?.() ?? [])
    this.#is.sessions.reset()
    for (const [listener, sessions] of this.#sources.sessions?.() ?? [])
      this.#is.sessions.set({ listener }, sessions)
    this.#is.bodiesInMemory.set(this.#sources.bodiesInMemoryBytes?.() ?? 0)
    return this.#registry.metrics()
  }

  /** By rule, in whatever mode it was: messages that it matched since the start, on this node. */
  async ruleMatches(): Promise<ReadonlyMap<string, number>> {
    const matches = new Map<string, number>()
    for (const { labels, value } of (await this.#is.ruleMatches.get()).values)
      matches.set(String(labels.rule), (matches.get(String(labels.rule)) ?? 0) + value)
    return matches
  }

  /** Moves the counters. */
  count(event: MailEvent): void {
    const is = this.#is
    switch (event.event) {
      case 'accepted':
        is.messagesAccepted.inc()
        for (const { connector } of event.recipients) is.recipientsAccepted.inc({ connector })
        is.acceptDuration.observe(seconds(event.durationMs))
        break
      case 'rejected':
        is.rejected.inc({ command: event.command, status: statusLabel(event.reply.enhanced) })
        break
      case 'rule':
        is.ruleMatches.inc({ rule: event.rule, mode: event.mode })
        break
      case 'checked':
        is.checks.inc({
          checker: event.checker,
          verdict: event.verdict,
          away: event.away === null ? 'no' : 'yes',
        })
        is.checkDuration.observe({ checker: event.checker }, seconds(event.durationMs))
        break
      case 'limited':
        is.limited.inc({ limit: event.limit, over: event.over })
        break
      case 'dropped':
        is.recipientsDropped.inc(event.recipients.length)
        break
      case 'refused':
        is.recipientsRefused.inc(event.recipients.length)
        break
      case 'notice':
        is.notices.inc({ rule: event.rule })
        break
      case 'delivered':
        is.recipientsDelivered.inc({ connector: event.connector }, event.recipients.length)
        is.deliveryDelay.observe({ connector: event.connector }, seconds(event.delayMs))
        break
      case 'deferred':
        is.recipientsDeferred.inc({ connector: event.connector }, event.recipients.length)
        if (event.uncertain) is.uncertain.inc({ connector: event.connector })
        break
      case 'failed':
        is.recipientsFailed.inc({ connector: event.connector }, event.recipients.length)
        break
      case 'expired':
        is.recipientsExpired.inc({ connector: event.connector }, event.recipients.length)
        break
      case 'dsn':
        is.dsns.inc({ kind: event.kind })
        break
      case 'dsn-unroutable':
        is.dsns.inc({ kind: 'unroutable' })
        break
      case 'lease-lost':
        is.leasesLost.inc({ connector: event.connector })
        break
      case 'connector':
        if (event.fault !== null) is.connectorFaults.inc({ connector: event.connector, fault: event.fault })
        break
      case 'suspended':
      case 'resumed':
      case 'retried':
      case 'removed':
      case 'rerouted':
        is.itemsChanged.inc({ change: event.event })
        break
      case 'configured': // The log is its place: nothing of it can be summed up.
        break
      default:
        assertNever(event)
    }
  }

  /** Null where the store cannot be read now: the scrape goes on without its numbers. */
  async #totals(): Promise<QueueTotals | null> {
    if (!this.#sources.totals) return null
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, totalsDeadlineMs, null)
    })
    try {
      return await Promise.race([this.#sources.totals(), deadline])
    } catch {
      // Why is told by /readyz and the log; here it is the gauge's zero.
      return null
    } finally {
      clearTimeout(timer)
    }
  }

  #readQueue(totals: QueueTotals | null): void {
    const is = this.#is
    is.queueItems.reset()
    is.queueAvailable.set(totals === null ? 0 : 1)
    is.queueCorrupt.remove({})
    if (totals === null) return
    is.queueCorrupt.set(totals.corrupt)
    const empty: Depth = { ready: 0, deferred: 0, leased: 0, suspended: 0 }
    const depths = new Map((this.#sources.connectors?.() ?? []).map((status) => [status.connector, empty]))
    for (const [id, depth] of totals.connectors) depths.set(id, depth)
    for (const [id, depth] of depths)
      for (const state of states) is.queueItems.set({ connector: id, state }, depth[state])
  }

  #readConnectors(statuses: readonly ConnectorStatus[]): void {
    this.#is.connections.reset()
    this.#is.connectorState.reset()
    this.#is.connectorRateWaiting.reset()
    for (const status of statuses) {
      this.#is.connections.set({ connector: status.connector }, status.connections)
      this.#is.connectorRateWaiting.set({ connector: status.connector }, status.waitingUntil === null ? 0 : 1)
      for (const state of connectorStates)
        this.#is.connectorState.set({ connector: status.connector, state }, status.state === state ? 1 : 0)
    }
  }
}

export function createMetrics(): Metrics {
  return new Metrics()
}

/** The metrics as a Markdown table, for the README; a test compares the two. */
export function metricsTable(): string {
  const rows = Object.values(declared).map((metric: Declaration) => {
    const labels = Object.entries(metric.labels).map(([name, values]) => `\`${name}\`: ${valuesText(values)}`)
    return `| \`${metric.name}\` | ${metric.type} | ${labels.join('; ')} | ${metric.help} |`
  })
  return ['| metric | type | labels | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

const valuesText = (values: string | readonly string[]): string =>
  typeof values === 'string' ? values : values.join(', ')

function instrument(declaration: Declaration, registry: Registry): Counter | Gauge | Histogram {
  const { name, help } = declaration
  const common = { name, help, labelNames: Object.keys(declaration.labels), registers: [registry] }
  switch (declaration.type) {
    case 'counter':
      return new Counter(common)
    case 'gauge':
      return new Gauge(common)
    case 'histogram':
      return new Histogram({ ...common, buckets: [...declaration.buckets!] })
    default:
      return assertNever(declaration.type)
  }
}

/** A clock that was set back must not make a sum run backwards. */
const seconds = (durationMs: number): number => Math.max(0, durationMs) / 1000

/** RFC 3463 has eight subjects and two-digit details: what has another form would open the label's set. */
const statusLabel = (enhanced: string | null): string =>
  enhanced !== null && /^[45]\.[0-7]\.\d{1,2}$/.test(enhanced) ? enhanced : 'other'
