import { describe, expect, it } from 'vitest'
import { formatReply } from '../../src/reply.ts'
import { SessionLimits } from '../../src/smtp/session-limits.ts'

describe('SessionLimits', () => {
  it('refuses one too many from an address, and lets others in', () => {
    const limits = new SessionLimits({ maxSessions: 10, maxSessionsPerAddress: 2 })
    expect([limits.open('a'), limits.open('a')]).toEqual([null, null])
    expect(formatReply(limits.open('a')!)).toBe('421 4.7.0 Too many sessions from a')
    expect(limits.open('b')).toBeNull()
    limits.close('a')
    expect(limits.open('a')).toBeNull()
    expect(limits.count).toBe(3)
  })
  it('refuses one too many in all', () => {
    const limits = new SessionLimits({ maxSessions: 1, maxSessionsPerAddress: 2 })
    limits.open('a')
    expect(formatReply(limits.open('b')!)).toContain('421 4.3.2')
    limits.close('a')
    expect(limits.open('b')).toBeNull()
  })
})
