/** The parts of the API, each with what it needs of the relay. */
import type { Clock } from '../clock.ts'
import type { Delivery } from '../delivery/delivery.ts'
import type { QueueActs } from '../delivery/queue-acts.ts'
import type { Sandbox } from '../lab/sandbox.ts'
import type { ContentInspector } from '../message/content/inspector.ts'
import type { Live } from '../observe/live.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Queue } from '../queue/queue.ts'
import type { InForce } from '../setup/in-force.ts'
import type { Setup } from '../setup/setup.ts'
import type { TrackingSearch } from '../tracking/search-thread.ts'
import { connectorEndpoints } from './connectors/connector-endpoints.ts'
import type { Endpoint } from './endpoint.ts'
import { explainEndpoints } from './explain/explain-endpoints.ts'
import { liveEndpoints, type OpenListener } from './live/live-endpoints.ts'
import { queueEndpoints } from './queue/queue-endpoints.ts'
import type { Readiness } from './readiness.ts'
import { ruleEndpoints } from './rules/rule-endpoints.ts'
import { sandboxEndpoints } from './sandbox/sandbox-endpoints.ts'
import { senderEndpoints } from './senders/sender-endpoints.ts'
import { trackingEndpoints } from './tracking/tracking-endpoints.ts'
import { relayVersion } from './version.ts'

export interface PartsOptions {
  readonly setup: Setup
  readonly inForce: InForce
  readonly queue: Queue
  readonly delivery: Delivery
  readonly acts: QueueActs
  readonly tracking: TrackingSearch
  /** One of its own, or the mail would wait behind what is only asked about. */
  readonly inspector: ContentInspector
  readonly sandbox: Sandbox | null
  readonly live: Live
  readonly metrics: Metrics
  readonly readiness: () => Readiness
  readonly listeners: () => readonly OpenListener[]
  /** As the store knows this process. */
  readonly node: string
  readonly clock: Clock
}

export function partsOf(relay: PartsOptions): Endpoint[] {
  const { setup, delivery } = relay
  const connectors = () => delivery.status()
  return [
    ...connectorEndpoints({ ...relay, connectors, rates: (id) => relay.live.ratesOf(id) }),
    ...senderEndpoints({ setup }),
    ...ruleEndpoints(relay),
    ...queueEndpoints({
      ...relay,
      connectors,
      limits: setup.current.config.policy.limits,
      configured: () => setup.current.connectors.map(({ connector }) => connector),
    }),
    ...trackingEndpoints(relay),
    ...explainEndpoints(relay),
    ...liveEndpoints({ ...relay, version: relayVersion }),
    ...sandboxEndpoints(relay),
  ]
}
