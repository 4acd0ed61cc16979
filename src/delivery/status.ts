/** How a connector's queue stands on this node, for operators (Exchange's queue states, by meaning). */
import type { ConnectionFault } from './attempt.ts'

export interface ConnectorStatus {
  readonly connector: string
  readonly name: string
  /** `retry`: no host could be used, the next attempt is at `nextAttemptAt`; `suspended`: the credentials were refused, a probe is made then. */
  readonly state: 'ready' | 'retry' | 'suspended'
  readonly fault: ConnectionFault | null
  /** The last reason, as one line. */
  readonly lastError: string | null
  readonly nextAttemptAt: number | null
  /** A rate limit is reached, `waitingFor`, and nothing is sent before this; null where none is. */
  readonly waitingUntil: number | null
  readonly waitingFor: string | null
  readonly connections: number
  readonly attemptsInFlight: number
}

/** Before when nothing leaves; null where nothing is in the way. */
export function stoppedUntil({ state, nextAttemptAt, waitingUntil }: ConnectorStatus): number | null {
  if (state === 'ready') return waitingUntil
  return Math.max(nextAttemptAt ?? 0, waitingUntil ?? 0)
}

export function whyStopped({ lastError, waitingFor }: ConnectorStatus): string | null {
  return lastError ?? (waitingFor === null ? null : `The connector's limit ${waitingFor} is reached`)
}
