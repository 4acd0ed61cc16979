import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  allows,
  authenticate,
  newToken,
  type Scope,
  type Token,
  tokensIn,
  used,
} from '../../src/setup/token.ts'
import type { StateObject } from '../../src/state/state.ts'

const now = 1_800_000_000_000
const bytes = (fill: number) => (length: number) => Buffer.alloc(length, fill)

function make(fill: number, fields: { scopes?: Scope[]; expiresAt?: number | null } = {}) {
  const { scopes = ['read'], expiresAt = null } = fields
  return newToken({ name: `token ${fill}`, scopes, expiresAt, now, random: bytes(fill) })
}

const stored = ({ id, value }: ReturnType<typeof make>): Token => ({ ...value, id, version: 1 })

describe('newToken', () => {
  it('presents 32 random bytes and stores their hash, not them', () => {
    const { presented, id, value } = make(0xfb, { scopes: ['operate'], expiresAt: now + 5 })
    expect(presented).toBe(`relay_${Buffer.alloc(32, 0xfb).toString('base64url')}`)
    const hash = createHash('sha256').update(presented).digest('hex')
    expect(value).toEqual({
      name: 'token 251',
      scopes: ['operate'],
      hash,
      createdAt: now,
      expiresAt: now + 5,
    })
    expect(id).toBe(hash.slice(0, 12))
    expect(JSON.stringify(value)).not.toContain(presented.slice(6))
  })

  it.each([
    ['no name', { name: '' }],
    ['a name of 101 characters', { name: 'x'.repeat(101) }],
    ['a name with a line break', { name: 'a\nb' }],
    ['a name that ends with a blank', { name: 'a ' }],
    ['no scope', { scopes: [] }],
    ['an unknown scope', { scopes: ['root' as Scope] }],
  ])('refuses %s', (_, fields) => {
    const good = { name: 'ci', scopes: ['read'] as Scope[], expiresAt: null, now, random: bytes(1) }
    expect(() => newToken({ ...good, ...fields })).toThrow()
  })
})

describe('authenticate', () => {
  const [reader, operator, admin] = (['read', 'operate', 'admin'] as const).map((scope, n) =>
    make(n + 1, { scopes: [scope] }),
  ) as [ReturnType<typeof make>, ReturnType<typeof make>, ReturnType<typeof make>]
  const short = make(4, { expiresAt: now + 1000 })
  const tokens = [reader, operator, admin, short].map(stored)

  it.each([
    ['read', 'read', null],
    ['read', 'operate', 403],
    ['read', 'admin', 403],
    ['operate', 'read', null],
    ['operate', 'operate', null],
    ['operate', 'admin', 403],
    ['admin', 'read', null],
    ['admin', 'operate', null],
    ['admin', 'admin', null],
  ] as const)('with the scope %s, what needs %s: %s', (has, needs, refused) => {
    const made = { read: reader, operate: operator, admin }[has]
    const result = authenticate(made.presented, tokens, { now, needs })
    if (refused === null) expect(result).toEqual({ token: stored(made) })
    else expect(result).toEqual({ refused, why: `token ${made.id} has the scope ${has}, not ${needs}` })
    expect(allows([has], needs)).toBe(refused === null)
  })

  it.each<[string, string | null, string]>([
    ['nothing', null, 'no token was presented'],
    ['an empty text', '', 'what was presented is no token'],
    ['something else', 'Basic abc', 'what was presented is no token'],
    ['one without its beginning', reader.presented.slice(6), 'what was presented is no token'],
    ['one cut short', reader.presented.slice(0, -1), 'what was presented is no token'],
    ['one that is longer', `${reader.presented}A`, 'what was presented is no token'],
    ['one with a line break', `${reader.presented}\n`, 'what was presented is no token'],
    ['one that was never made', make(9).presented, 'there is no such token'],
    ['the hash', `relay_${reader.value.hash.slice(0, 43)}`, 'there is no such token'],
  ])('refuses %s', (_, presented, why) => {
    expect(authenticate(presented, tokens, { now, needs: 'read' })).toEqual({ refused: 401, why })
  })

  it('refuses every token where there is none', () => {
    expect(authenticate(admin.presented, [], { now, needs: 'read' })).toMatchObject({ refused: 401 })
  })

  it('takes a token until it expires', () => {
    expect(authenticate(short.presented, tokens, { now: now + 999, needs: 'read' })).toHaveProperty('token')
    expect(authenticate(short.presented, tokens, { now: now + 1000, needs: 'admin' })).toEqual({
      refused: 401,
      why: `token ${short.id} expired at 2027-01-15T08:00:01.000Z`,
    })
  })

  it('says nothing of what was presented', () => {
    for (const presented of [short.presented, make(9).presented, 'relay_secret'])
      expect(
        JSON.stringify(authenticate(presented, tokens, { now: now + 5000, needs: 'admin' })),
      ).not.toContain(presented.slice(6))
  })
})

describe('tokensIn', () => {
  it('reads the tokens of a state, and names those that are none', () => {
    const made = make(1)
    const object = (id: string, value: unknown, kind = 'token'): StateObject => ({
      kind,
      id,
      version: 3,
      value,
      changedAt: now,
    })
    const objects = [
      object('29', { name: 'a connector' }, 'connector'),
      object(made.id, made.value),
      object('0123456789ab', make(2).value),
      object('broken', { ...made.value, scopes: ['root'] }),
      object('odd', null),
    ]
    expect(tokensIn({ revision: 1, objects, unreadable: [] })).toEqual({
      tokens: [{ ...made.value, id: made.id, version: 3 }],
      unusable: ['0123456789ab', 'broken', 'odd'],
    })
  })
})

describe('used', () => {
  it('stores a use once an hour', () => {
    const token = stored(make(1))
    const first = used(token, now)
    expect(first).toEqual({ ...make(1).value, lastUsedAt: now })
    const again = { ...token, ...first! }
    expect(used(again, now + 3_599_999)).toBeNull()
    expect(used(again, now + 3_600_000)).toMatchObject({ lastUsedAt: now + 3_600_000 })
  })
})
