/**
 * Whether a connector's queue may use its smart hosts. Faults of connection scope move this state and touch no
 * item: a backlog of a million does not get a million attempts because one host is down (design §7). Pure
 * transitions over data; each connector's queue keeps one state.
 */
import type { Reply } from '../reply.ts'
import type { ConnectionFault } from './attempt.ts'
import { nextRetryAt, slowestRetryAt } from './schedule.ts'

/**
 * - `ready`: connections are opened as they are needed. A failure on all hosts leads to `retry`, or to
 *   `suspended` where the fault lies in the credentials.
 * - `retry`: nothing connects before `nextAttemptAt`, which follows the connection schedule by `failures`.
 *   Then one connection probes; its failure leads to `retry` again, one step further.
 * - `suspended`: as `retry`, but each wait is the schedule's last one: a wrong password is not tried often
 *   enough to lock the account, and once it is right again nobody needs to tell the relay.
 *
 * A connection that is ready for MAIL leads from each of them to `ready`.
 */
export type ConnectorState = Ready | Waiting

export interface Ready {
  readonly kind: 'ready'
}

export interface Waiting {
  readonly kind: 'retry' | 'suspended'
  readonly fault: ConnectionFault
  readonly reply: Reply
  readonly host: string
  /** In a row and of this kind. */
  readonly failures: number
  readonly nextAttemptAt: number
}

export interface Failure {
  readonly fault: ConnectionFault
  readonly reply: Reply
  readonly host: string
  readonly now: number
  readonly schedule: readonly number[]
  /** 0 to 1. */
  readonly jitter: number
}

export const initialState: ConnectorState = { kind: 'ready' }

/** No host gave a usable connection. */
export function failed(state: ConnectorState, failure: Failure): Waiting {
  const { fault, reply, host } = failure
  const kind = fault === 'auth-refused' || fault === 'auth-missing' ? 'suspended' : 'retry'
  if (beganBefore(state, failure.now) && (state.kind === kind || state.kind === 'suspended')) return state
  const failures = state.kind === kind ? state.failures + 1 : 1
  const nextAttemptAt =
    kind === 'suspended'
      ? slowestRetryAt(failure.schedule, failure)
      : nextRetryAt(failure.schedule, failures, failure)
  return { kind, fault, reply, host, failures, nextAttemptAt }
}

/** A new connection is ready for MAIL: TLS and AUTH, where they are required, are done. */
export function connected(_state: ConnectorState): ConnectorState {
  return initialState
}

/** `probe`: with one connection, while no other is open or being opened. */
export function mayConnect(state: ConnectorState, now: number): 'freely' | 'probe' | 'no' {
  if (state.kind === 'ready') return 'freely'
  return now < state.nextAttemptAt ? 'no' : 'probe'
}

/**
 * Connections that were opened side by side fail side by side. The first failure moves the state; the others
 * began before it, and must not run the schedule to its end in one moment.
 */
function beganBefore(state: ConnectorState, now: number): state is Waiting {
  return mayConnect(state, now) === 'no'
}
