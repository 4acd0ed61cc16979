import { afterEach, beforeEach, expect, it } from 'vitest'
import { Live } from '../../src/observe/live.ts'
import { FaultyQueue } from '../support/faulty-queue.ts'
import { newItem } from '../support/queue-fixtures.ts'
import { TestClock } from '../support/test-clock.ts'

let clock: TestClock
let queue: FaultyQueue
let live: Live

beforeEach(async () => {
  clock = new TestClock()
  queue = await FaultyQueue.open()
  live = new Live({ clock })
})
afterEach(() => queue.destroy())

async function passSeconds(seconds: number): Promise<void> {
  for (let n = 0; n < seconds; n++) {
    await live.ask(queue)
    clock.advance(1000)
  }
}

it('asks the store each second while somebody looks, and every ten seconds otherwise', async () => {
  await passSeconds(20)
  expect(queue.calls('totals')).toBe(2)
  live.samples(0)
  await passSeconds(60)
  expect(queue.calls('totals')).toBe(62)
  await passSeconds(20)
  expect(queue.calls('totals')).toBe(64)
})

it('shows how long the queue is, and a gap where the store is away', async () => {
  const since = clock.now() - 1
  await queue.put(newItem(), { now: clock.now() })
  live.samples(0)
  await passSeconds(1)
  queue.fail('totals', new Error('away'))
  await passSeconds(1)
  queue.heal()
  await passSeconds(1)
  expect(live.samples(since).map((sample) => sample.queue?.ready)).toEqual([1, undefined, 1])
})

it('asks once at a time, however slow the store', async () => {
  live.samples(0)
  queue.stall('totals')
  const first = live.ask(queue)
  clock.advance(1000)
  await live.ask(queue)
  expect(queue.calls('totals')).toBe(1)
  queue.heal()
  await first
})
