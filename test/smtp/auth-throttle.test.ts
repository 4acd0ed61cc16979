import { describe, expect, it } from 'vitest'
import { AuthThrottle } from '../../src/smtp/auth-throttle.ts'

class TestClock {
  time = 1_000_000
  now(): number {
    return this.time
  }
}

function fail(throttle: AuthThrottle, times: number, attempt: { address: string; user: string }) {
  return Array.from({ length: times }, () => throttle.attempt(attempt))
}
const alice = { address: '192.0.2.1', user: 'alice' }

describe('AuthThrottle', () => {
  it('lets two failures pass, then slows down, then drops', () => {
    const verdicts = fail(new AuthThrottle(new TestClock()), 12, alice)
    expect(verdicts.map((verdict) => (verdict.kind === 'check' ? verdict.delayMs : 'drop'))).toEqual([
      0,
      0,
      1000,
      2000,
      4000,
      8000,
      8000,
      8000,
      8000,
      8000,
      'drop',
      'drop',
    ])
  })
  it('counts an address over all users it tries, and leaves other addresses alone', () => {
    const throttle = new AuthThrottle(new TestClock())
    for (let i = 0; i < 10; i++) throttle.attempt({ address: '192.0.2.1', user: `user${i}` })
    expect(throttle.attempt({ address: '192.0.2.1', user: 'another' })).toEqual({ kind: 'drop' })
    expect(throttle.attempt({ address: '192.0.2.2', user: 'another' })).toEqual({ kind: 'check', delayMs: 0 })
  })
  it('counts a user over all addresses that try it', () => {
    const throttle = new AuthThrottle(new TestClock())
    for (let i = 0; i < 10; i++) throttle.attempt({ address: `192.0.2.${i}`, user: 'alice' })
    expect(throttle.attempt({ address: '198.51.100.1', user: 'alice' })).toEqual({ kind: 'drop' })
    expect(throttle.attempt({ address: '198.51.100.1', user: 'bob' })).toEqual({ kind: 'check', delayMs: 0 })
  })
  it('does not lock a user out of the address it has logged in from', () => {
    const throttle = new AuthThrottle(new TestClock())
    throttle.attempt(alice)
    throttle.succeeded(alice)
    fail(throttle, 10, { address: '198.51.100.1', user: 'alice' })
    expect(throttle.attempt({ address: '198.51.100.2', user: 'alice' })).toEqual({ kind: 'drop' })
    expect(throttle.attempt(alice)).toEqual({ kind: 'check', delayMs: 0 })
  })
  it('forgets after a pause, which attempts that are dropped do not prolong', () => {
    const clock = new TestClock()
    const throttle = new AuthThrottle(clock)
    fail(throttle, 10, alice)
    clock.time += 299_999
    expect(throttle.attempt(alice)).toEqual({ kind: 'drop' })
    clock.time += 1
    expect(throttle.attempt(alice)).toEqual({ kind: 'check', delayMs: 0 })
  })
  it('starts afresh after a success', () => {
    const throttle = new AuthThrottle(new TestClock())
    fail(throttle, 9, alice)
    throttle.succeeded(alice)
    expect(throttle.attempt(alice)).toEqual({ kind: 'check', delayMs: 0 })
  })
  it('takes the addresses of one IPv6 network for one', () => {
    const throttle = new AuthThrottle(new TestClock())
    for (let i = 0; i < 10; i++) throttle.attempt({ address: `2001:db8::${i + 1}`, user: `user${i}` })
    expect(throttle.attempt({ address: '2001:db8:0:0:1::', user: 'x' })).toEqual({ kind: 'drop' })
    expect(throttle.attempt({ address: '2001:db8:0:1::1', user: 'x' })).toEqual({ kind: 'check', delayMs: 0 })
  })
  it('remembers a bounded number, the latest', () => {
    const throttle = new AuthThrottle(new TestClock())
    fail(throttle, 10, alice)
    for (let i = 0; i < 10_000; i++)
      throttle.attempt({ address: `10.0.${i >> 8}.${i & 255}`, user: `user${i}` })
    expect(throttle.attempt(alice)).toEqual({ kind: 'check', delayMs: 0 })
  })
})
