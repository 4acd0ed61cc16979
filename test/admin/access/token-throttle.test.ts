import { describe, expect, it } from 'vitest'
import { TokenThrottle } from '../../../src/admin/access/token-throttle.ts'

class MovedClock {
  time = 1_000_000
  now(): number {
    return this.time
  }
}

describe('TokenThrottle', () => {
  it('lets two bad tokens pass, then slows down, then pauses', () => {
    const throttle = new TokenThrottle(new MovedClock())
    const penalties = Array.from({ length: 12 }, () => throttle.refused('192.0.2.1'))
    expect(penalties.map((penalty) => (penalty.kind === 'delay' ? penalty.delayMs : 'pause'))).toEqual([
      ...[0, 0, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000],
      ...['pause', 'pause'],
    ])
  })

  it('says how long the pause still is, which what comes meanwhile does not prolong', () => {
    const clock = new MovedClock()
    const throttle = new TokenThrottle(clock)
    for (let n = 0; n < 10; n++) throttle.refused('192.0.2.1')
    for (const passedMs of [0, 100_000, 299_999]) {
      clock.time = 1_000_000 + passedMs
      expect(throttle.refused('192.0.2.1')).toEqual({ kind: 'pause', retryAfterMs: 300_000 - passedMs })
    }
    clock.time = 1_300_000
    expect(throttle.refused('192.0.2.1')).toEqual({ kind: 'delay', delayMs: 0 })
  })

  it.each([
    ['another address', '192.0.2.1', '192.0.2.2', false],
    ['the same IPv6 network', '2001:db8::1', '2001:db8::ffff:0:1', true],
    ['another IPv6 network', '2001:db8::1', '2001:db8:0:1::1', false],
    ['the same IPv4 client on an IPv6 socket', '192.0.2.1', '::ffff:192.0.2.1', true],
    ['another IPv4 client on an IPv6 socket', '::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
  ])('counts %s', (_, first, second, together) => {
    const throttle = new TokenThrottle(new MovedClock())
    for (let n = 0; n < 10; n++) throttle.refused(first)
    expect(throttle.refused(second).kind).toBe(together ? 'pause' : 'delay')
  })
})
