import { describe, expect, it } from 'vitest'
import type { ConnectionFault } from '../../src/delivery/attempt.ts'
import {
  type ConnectorState,
  connected,
  failed,
  initialState,
  mayConnect,
  type Waiting,
} from '../../src/delivery/connector-state.ts'
import { permanent, temporary } from '../../src/reply.ts'

const schedule = [1000, 2000, 10_000]
const reply = temporary('4.1', 'Connection refused')

function failure(now: number, fault: ConnectionFault = 'connect') {
  return { fault, reply, host: 'smtp.example.net', now, schedule, jitter: 0 }
}

function stateAfter(...failures: [number, ConnectionFault][]): Waiting {
  let state: ConnectorState = initialState
  for (const [now, fault] of failures) state = failed(state, failure(now, fault))
  return state as Waiting
}

describe('a connector whose hosts fail', () => {
  it.each<[ConnectionFault, Waiting['kind'], number]>([
    ['resolve', 'retry', 1000],
    ['connect', 'retry', 1000],
    ['greeting', 'retry', 1000],
    ['tls', 'retry', 1000],
    ['auth-temporary', 'retry', 1000],
    ['lost', 'retry', 1000],
    ['auth-refused', 'suspended', 10_000],
    ['auth-missing', 'suspended', 10_000],
  ])('by %s is in %s for %i ms', (fault, kind, waitMs) => {
    expect(failed(initialState, failure(500, fault))).toEqual({
      kind,
      fault,
      reply,
      host: 'smtp.example.net',
      failures: 1,
      nextAttemptAt: 500 + waitMs,
    })
  })

  it('goes one step along the schedule with each failed probe, and repeats the last', () => {
    let state: ConnectorState = initialState
    const waits: number[] = []
    for (let now = 0, probe = 0; probe < 5; probe++) {
      const next = failed(state, failure(now))
      waits.push(next.nextAttemptAt - now)
      now = next.nextAttemptAt
      state = next
    }
    expect(waits).toEqual([1000, 2000, 10_000, 10_000, 10_000])
  })

  it('adds jitter to the wait', () => {
    expect(failed(initialState, { ...failure(0), jitter: 1 }).nextAttemptAt).toBe(1100)
    expect(failed(initialState, { ...failure(0, 'auth-refused'), jitter: 1 }).nextAttemptAt).toBe(11_000)
  })

  it('keeps the newest reason', () => {
    const newest = permanent('7.8', 'Bad credentials', 535)
    const state = failed(stateAfter([0, 'connect']), {
      ...failure(1000, 'auth-refused'),
      reply: newest,
      host: 'b',
    })
    expect(state).toMatchObject({ kind: 'suspended', fault: 'auth-refused', reply: newest, host: 'b' })
  })
})

describe('failures side by side', () => {
  it('are one step of the schedule', () => {
    const first = stateAfter([0, 'connect'])
    expect(stateAfter([0, 'connect'], [0, 'connect'], [5, 'tls'], [999, 'connect'])).toEqual(first)
  })
  it('suspend the connector where one of them was about the credentials', () => {
    expect(stateAfter([0, 'connect'], [5, 'auth-refused'])).toMatchObject({
      kind: 'suspended',
      failures: 1,
      nextAttemptAt: 10_005,
    })
  })
  it('do not cut the wait of a suspended connector short', () => {
    const suspended = stateAfter([0, 'auth-refused'])
    expect(stateAfter([0, 'auth-refused'], [5, 'connect'], [6, 'auth-refused'])).toEqual(suspended)
  })
})

describe('a suspended connector', () => {
  it('tries its credentials once in each of the longest waits', () => {
    expect(stateAfter([0, 'auth-refused'], [10_000, 'auth-refused'])).toMatchObject({
      kind: 'suspended',
      failures: 2,
      nextAttemptAt: 20_000,
    })
  })
  it('is in retry from the first step when its probe found the host down', () => {
    expect(stateAfter([0, 'auth-refused'], [10_000, 'connect'])).toMatchObject({
      kind: 'retry',
      failures: 1,
      nextAttemptAt: 11_000,
    })
  })
})

describe('mayConnect', () => {
  it.each<[string, ConnectorState, number, ReturnType<typeof mayConnect>]>([
    ['ready', initialState, 0, 'freely'],
    ['in retry before its time', stateAfter([0, 'connect']), 999, 'no'],
    ['in retry at its time', stateAfter([0, 'connect']), 1000, 'probe'],
    ['in retry after its time', stateAfter([0, 'connect']), 50_000, 'probe'],
    ['suspended before its time', stateAfter([0, 'auth-refused']), 9999, 'no'],
    ['suspended at its time', stateAfter([0, 'auth-refused']), 10_000, 'probe'],
  ])('lets a connector that is %s connect: at %i %s', (_name, state, now, permission) => {
    expect(mayConnect(state, now)).toBe(permission)
  })
})

it('is ready again with the first connection, and starts the schedule anew after that', () => {
  const state = connected(stateAfter([0, 'connect'], [1000, 'connect']))
  expect(state).toEqual({ kind: 'ready' })
  expect(failed(state, failure(5000))).toMatchObject({ failures: 1, nextAttemptAt: 6000 })
})
