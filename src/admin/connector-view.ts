/**
 * A connector as operators see it: how it stands on this node, and what its queue holds. Queues without a
 * connector are listed too, or mail that waits for a route, or for a connector that was removed, could not be seen.
 */
import { z } from 'zod'
import type { ConnectorStatus } from '../delivery/status.ts'
import type { Depth, QueueTotals } from '../queue/queue.ts'

export const connectorViewSchema = z.object({
  connector: z.string(),
  name: z.string().nullable(),
  state: z.enum(['ready', 'retry', 'suspended', 'not-configured']),
  fault: z.string().nullable(),
  lastError: z.string().nullable(),
  nextAttemptAt: z.number().nullable(),
  waitingUntil: z.number().nullable(),
  waitingFor: z.string().nullable(),
  connections: z.number(),
  attemptsInFlight: z.number(),
  /** Null where the store cannot be read now. */
  queue: z
    .object({ ready: z.number(), deferred: z.number(), leased: z.number(), suspended: z.number() })
    .nullable(),
})
export type ConnectorView = z.infer<typeof connectorViewSchema>

export const connectorListSchema = z.object({ connectors: z.array(connectorViewSchema) })

export function connectorViews(
  statuses: readonly ConnectorStatus[],
  totals: QueueTotals | null,
): ConnectorView[] {
  const known = new Set(statuses.map((status) => status.connector))
  const orphans = [...(totals?.connectors.keys() ?? [])].filter((id) => !known.has(id)).sort()
  return [
    ...statuses.map((status) => ({
      connector: status.connector,
      name: status.name,
      state: status.state,
      fault: status.fault,
      lastError: status.lastError,
      nextAttemptAt: status.nextAttemptAt,
      waitingUntil: status.waitingUntil,
      waitingFor: status.waitingFor,
      connections: status.connections,
      attemptsInFlight: status.attemptsInFlight,
      queue: depthOf(status.connector, totals),
    })),
    ...orphans.map((id) => withoutConnector(id, totals)),
  ]
}

function withoutConnector(id: string, totals: QueueTotals | null): ConnectorView {
  return {
    connector: id,
    name: null,
    state: 'not-configured',
    fault: null,
    lastError:
      id === 'unreachable'
        ? 'No connector serves these recipients: the mail waits for a change of the configuration'
        : 'No connector of this id is configured',
    nextAttemptAt: null,
    waitingUntil: null,
    waitingFor: null,
    connections: 0,
    attemptsInFlight: 0,
    queue: depthOf(id, totals),
  }
}

function depthOf(id: string, totals: QueueTotals | null): Depth | null {
  if (totals === null) return null
  return totals.connectors.get(id) ?? { ready: 0, deferred: 0, leased: 0, suspended: 0 }
}
