/** How the relay stands, and what it did in the last quarter of an hour: for the page and `relay top`. */
import { z } from 'zod'
import type { Clock } from '../../clock.ts'
import { text } from '../../config/values.ts'
import type { Live } from '../../observe/live.ts'
import { depthOf, sampleMs } from '../../observe/live-samples.ts'
import type { Queue } from '../../queue/queue.ts'
import type { Setup } from '../../setup/setup.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import type { Readiness } from '../readiness.ts'
import { liveView, type StatusView, statusView } from './status-view.ts'

export interface LiveEndpointsOptions {
  readonly live: Pick<Live, 'samples'>
  readonly setup: Pick<Setup, 'current'>
  readonly queue: Pick<Queue, 'totals' | 'store'>
  readonly readiness: () => Readiness
  /** Those that are open. */
  readonly listeners: () => readonly OpenListener[]
  readonly version: string
  /** As the store knows this process. */
  readonly node: string
  readonly clock: Clock
}

export interface OpenListener {
  readonly name: string
  /** The one it has, where the configuration leaves it to chance. */
  readonly port: number
  readonly sessions: number
}

const since = text(
  (given) => (/^\d{1,15}$/.test(given) ? Number(given) : null),
  'must be an instant in epoch ms',
)
  .default(0)
  .meta({ type: 'integer', description: 'the `at` of the newest sample that is known already' })

export function liveEndpoints(options: LiveEndpointsOptions): Endpoint[] {
  const startedAt = options.clock.now()
  return [
    endpoint({
      method: 'GET',
      path: '/status',
      scope: 'read',
      part: 'Status',
      summary: 'How the relay stands: its listeners, its queue, and what is wrong',
      answer: statusView,
      handle: () => statusOf(options, { startedAt }),
    }),
    endpoint({
      method: 'GET',
      path: '/live',
      scope: 'read',
      part: 'Status',
      summary: 'What this node did, second by second, in the last quarter of an hour',
      query: z.strictObject({ since }),
      answer: liveView,
      async handle({ query }) {
        return { samples: options.live.samples(query.since), intervalMs: sampleMs }
      },
    }),
  ]
}

async function statusOf(
  { setup, queue, readiness, listeners, version, node, clock }: LiveEndpointsOptions,
  { startedAt }: { startedAt: number },
): Promise<StatusView> {
  const now = clock.now()
  const totals = await queue.totals({ now }).catch(() => null)
  const { config, revision, unusable, connectors, senders } = setup.current
  const { ready, checks } = readiness()
  const open = new Map(listeners().map((listener) => [listener.name, listener]))
  return {
    version,
    hostname: config.hostname,
    now,
    startedAt,
    store: queue.store,
    node,
    revision,
    ready: {
      ok: ready,
      faults: checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail ?? 'not ready'}`),
    },
    listeners: config.listeners.map(({ name, address, port, tls }) => ({
      ...{ name, address, tls },
      port: open.get(name)?.port ?? port,
      sessions: open.get(name)?.sessions ?? null,
    })),
    queue: totals && { items: totals.items, bytes: totals.bytes, ...depthOf(totals) },
    limits: { maxItems: config.queue.maxItems, maxBytes: config.queue.maxBytes },
    memoryBytes: process.memoryUsage.rss(),
    sandbox: config.sandbox !== null,
    tracking: config.tracking.enabled,
    unusable: unusable.map(({ kind, id, why }) => ({ kind, id, why })),
    connectors: connectors.length,
    senders: senders.size,
  }
}
