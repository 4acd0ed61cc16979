import { expect, it } from 'vitest'
import { Replays } from '../../../src/admin/ovhcloud/replays.ts'
import { TestClock } from '../../support/test-clock.ts'

it('takes what a client asks for twice within a second, and refuses what comes later, until its timestamp is too old', () => {
  const clock = new TestClock()
  const replays = new Replays(clock)
  const signedAt = clock.now()
  expect(replays.isReplay('a', { signedAt })).toBe(false)
  clock.advance(1000)
  expect(replays.isReplay('a', { signedAt })).toBe(false)
  expect(replays.isReplay('b', { signedAt: clock.now() })).toBe(false)
  clock.advance(4001)
  expect(replays.isReplay('a', { signedAt })).toBe(true)
  clock.advance(4 * 60_000)
  expect(replays.isReplay('a', { signedAt })).toBe(true)
})

it('remembers a bounded number, and takes what it may have forgotten for a replay', () => {
  const clock = new TestClock()
  const replays = new Replays(clock)
  const first = clock.now()
  replays.isReplay('first', { signedAt: first })
  clock.advance(1000)
  for (let n = 0; n < 50_000; n++) replays.isReplay(`signature ${n}`, { signedAt: clock.now() })
  clock.advance(5001)
  expect(replays.isReplay('first', { signedAt: first })).toBe(true)
  expect(replays.isReplay('another of that second', { signedAt: first })).toBe(true)
  expect(replays.isReplay('a new one', { signedAt: clock.now() })).toBe(false)
  expect(replays.isReplay('signature 49999', { signedAt: first + 1000 })).toBe(true)
})
