import { expect, it } from 'vitest'
import { queueLengthOf, queueStateOf } from '../../src/page/queues/queue-state.ts'

it.each([
  [{ state: 'ready', attemptsInFlight: 0, waitingUntil: null }, 'ready'],
  [{ state: 'ready', attemptsInFlight: 2, waitingUntil: null }, 'active'],
  [{ state: 'ready', attemptsInFlight: 1, waitingUntil: 5 }, 'active'],
  [{ state: 'ready', attemptsInFlight: 0, waitingUntil: 5 }, 'waiting'],
  [{ state: 'retry', attemptsInFlight: 1, waitingUntil: null }, 'retry'],
  [{ state: 'disabled', attemptsInFlight: 0, waitingUntil: null }, 'disabled'],
] as const)('of %j the state is %s', (connector, state) => {
  expect(queueStateOf(connector)).toBe(state)
})

it('counts all that waits, and knows nothing where the store is away', () => {
  expect(queueLengthOf({ queue: { ready: 1, deferred: 2, leased: 3, suspended: 4 } })).toBe(10)
  expect(queueLengthOf({ queue: null })).toBeNull()
})
