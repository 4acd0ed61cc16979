/** How a connector's queue stands, in the states of Exchange's Queue Viewer where it has them. Pure. */
import type { ConnectorView } from '../../admin/connectors/connector-view.ts'

export type QueueState = ConnectorView['state'] | 'active' | 'waiting'

/** `active`: something is on its way. `waiting`: a limit by rate is reached. */
export function queueStateOf(
  connector: Pick<ConnectorView, 'state' | 'attemptsInFlight' | 'waitingUntil'>,
): QueueState {
  const { state, attemptsInFlight, waitingUntil } = connector
  if (state !== 'ready') return state
  if (attemptsInFlight > 0) return 'active'
  return waitingUntil === null ? 'ready' : 'waiting'
}

/** All that waits for the connector; null where the store could not be read. */
export function queueLengthOf({ queue }: Pick<ConnectorView, 'queue'>): number | null {
  return queue === null ? null : queue.ready + queue.deferred + queue.leased + queue.suspended
}
