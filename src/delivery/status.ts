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
  readonly connections: number
  readonly attemptsInFlight: number
}
