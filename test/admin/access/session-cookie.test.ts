import { describe, expect, it } from 'vitest'
import { endedCookie, sessionCookie, sessionIn } from '../../../src/admin/access/session-cookie.ts'

const secret = 's'.repeat(43)

it('is for the relay alone, and with TLS for nothing else', () => {
  expect(sessionCookie(secret, { isTls: false })).toBe(
    `relay-session=${secret}; HttpOnly; SameSite=Strict; Path=/`,
  )
  expect(sessionCookie(secret, { isTls: true })).toBe(
    `__Host-relay-session=${secret}; HttpOnly; SameSite=Strict; Path=/; Secure`,
  )
  expect(endedCookie({ isTls: false })).toBe('relay-session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0')
})

describe('is found', () => {
  it.each<[string | undefined, boolean, string | null]>([
    [`relay-session=${secret}`, false, secret],
    [`a=b; relay-session=${secret}; c=d`, false, secret],
    [`__Host-relay-session=${secret}`, true, secret],
    // Any page of this host, also on another port and without TLS, could have set that one.
    [`relay-session=${secret}`, true, null],
    [`__Host-relay-session=${secret}`, false, null],
    [`not-relay-session=${secret}`, false, null],
    ['', false, null],
    [undefined, false, null],
  ])('in %j (TLS: %j)', (cookie, isTls, found) => {
    expect(sessionIn(cookie, { isTls })).toBe(found)
  })
})
