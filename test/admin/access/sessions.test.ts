import { expect, it } from 'vitest'
import { idleMs, mostSessions, Sessions } from '../../../src/admin/access/sessions.ts'
import { TestClock } from '../../support/test-clock.ts'

it('knows a session by its secret alone', () => {
  const sessions = new Sessions(new TestClock())
  const secret = sessions.open('0123456789ab')
  expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect(sessions.open('0123456789ab')).not.toBe(secret)
  expect(sessions.find(secret)).toMatchObject({ tokenId: '0123456789ab' })
  expect(sessions.find(`${secret}x`)).toBeNull()
  expect(sessions.find('')).toBeNull()
})

it('ends one that was asked to end, and no other', () => {
  const sessions = new Sessions(new TestClock())
  const [one, other] = [sessions.open(null), sessions.open(null)]
  sessions.end(one)
  expect(sessions.find(one)).toBeNull()
  expect(sessions.find(other)).not.toBeNull()
})

it('ends one that is not used for half a day; each use counts anew', () => {
  const clock = new TestClock()
  const sessions = new Sessions(clock)
  const secret = sessions.open(null)
  for (const _ of [1, 2, 3]) {
    clock.advance(idleMs - 1)
    expect(sessions.find(secret)).not.toBeNull()
  }
  clock.advance(idleMs)
  expect(sessions.find(secret)).toBeNull()
  clock.advance(-idleMs)
  expect(sessions.find(secret)).toBeNull()
})

it('has room for so many, and lets go the one that was not used for longest', () => {
  const sessions = new Sessions(new TestClock())
  const [used, unused] = [sessions.open(null), sessions.open(null)]
  sessions.find(used)
  for (let opened = 2; opened < mostSessions; opened++) sessions.open(null)
  expect(sessions.find(used)).not.toBeNull()
  sessions.open(null)
  expect(sessions.find(unused)).toBeNull()
  expect(sessions.find(used)).not.toBeNull()
})
