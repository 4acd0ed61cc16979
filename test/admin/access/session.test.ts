/** The page's login, over the real port. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { idleMs } from '../../../src/admin/access/sessions.ts'
import { endpoint } from '../../../src/admin/endpoint.ts'
import { type AdminPort, localToken, startAdminPort } from '../../support/admin-port.ts'

let port: AdminPort
let host: string

const acts = (['GET', 'POST', 'DELETE'] as const).map((method) =>
  endpoint({
    method,
    path: '/act',
    scope: 'operate',
    part: 'Test',
    summary: 'Says who acted',
    ...(method === 'POST' && { body: z.strictObject({}) }),
    answer: z.object({ by: z.string() }),
    handle: async ({ by }) => ({ by }),
  }),
)

beforeEach(async () => {
  port = await startAdminPort({ endpoints: acts })
  host = `127.0.0.1:${port.admin.port}`
})
afterEach(() => port.stop())

const logIn = (token: string, headers: Record<string, string> = {}) =>
  port.ask('/session', { method: 'POST', token: null, body: { token }, headers })

/** As a browser sends it back. */
async function cookieFor(token = localToken): Promise<string> {
  const [cookie] = (await logIn(token)).headers['set-cookie']!
  return cookie!.split(';', 1)[0]!
}

const withCookie = (
  path: string,
  cookie: string,
  { method = 'GET', headers = {}, body = undefined as unknown } = {},
) => port.ask(path, { method, token: null, headers: { cookie, ...headers }, body })

const fromOwnPage = { 'sec-fetch-site': 'same-origin' }

describe('a login', () => {
  it('turns a token into a cookie that scripts cannot read and other sites cannot send', async () => {
    const answer = await logIn(localToken)
    expect(answer).toMatchObject({
      code: 200,
      json: { name: 'local', scopes: ['read', 'operate', 'admin'] },
    })
    expect(answer.headers['set-cookie']).toEqual([
      expect.stringMatching(/^relay-session=[A-Za-z0-9_-]{43}; HttpOnly; SameSite=Strict; Path=\/$/),
    ])
    expect(answer.text).not.toContain(localToken)
  })

  it('says who is logged in, and what he may', async () => {
    const cookie = await cookieFor(await port.tokenFor('operate'))
    expect(await withCookie('/session', cookie)).toMatchObject({
      code: 200,
      json: { name: 'for operate', scopes: ['read', 'operate'] },
    })
    expect(await withCookie('/act', cookie)).toMatchObject({ code: 200, json: { by: 'for operate' } })
  })

  it('with a wrong token is none, and costs as much as anywhere', async () => {
    const answer = await logIn('guess')
    expect(answer).toMatchObject({ code: 401 })
    expect(answer.headers).not.toHaveProperty('set-cookie')
    const guess = async () => {
      const answer = await logIn('guess')
      expect(answer.code).toBe(429)
      return answer
    }
    const paused = await Promise.any(Array.from({ length: 10 }, guess))
    expect(Number(paused.headers['retry-after'])).toBeGreaterThan(60)
    expect(await port.ask('/act', { token: 'guess' })).toMatchObject({ code: 429 })
    expect((await logIn(localToken)).code).toBe(200)
  })

  it('needs JSON, which no form of another site can send, and comes from no other site', async () => {
    const form = { method: 'POST', token: null, body: `token=${localToken}` }
    const type = 'application/x-www-form-urlencoded'
    expect((await port.ask('/session', { ...form, headers: { 'content-type': type } })).code).toBe(415)
    expect((await logIn(localToken, { origin: 'http://evil.example' })).code).toBe(403)
    expect((await logIn(localToken, { origin: `http://${host}` })).code).toBe(200)
  })

  it('ends the session before it', async () => {
    const cookie = await cookieFor()
    await logIn(localToken, { cookie })
    expect((await withCookie('/session', cookie)).code).toBe(401)
  })
})

describe('a session', () => {
  it('is none without a cookie, and with a wrong one', async () => {
    expect((await port.ask('/session', { token: null })).code).toBe(401)
    expect((await withCookie('/act', `relay-session=${'x'.repeat(43)}`)).code).toBe(401)
  })

  it('has the scopes of its token', async () => {
    const cookie = await cookieFor(await port.tokenFor('read'))
    expect(await withCookie('/act', cookie)).toMatchObject({
      code: 403,
      json: { detail: 'This needs a token with the scope operate' },
    })
  })

  it('ends with its token', async () => {
    const cookie = await cookieFor(await port.tokenFor('operate'))
    const [{ id }] = (await port.ask('/tokens')).json.tokens
    await port.ask(`/tokens/${id}`, { method: 'DELETE' })
    expect((await withCookie('/act', cookie)).code).toBe(401)
    const answer = await withCookie('/session', cookie)
    expect(answer.code).toBe(401)
    expect(answer.headers['set-cookie']![0]).toContain('relay-session=; ')
  })

  it('ends when its token expires', async () => {
    const body = { name: 'short', scopes: ['operate'], expiresAt: port.clock.now() + 60_000 }
    const { token } = (await port.ask('/tokens', { method: 'POST', body })).json
    const cookie = await cookieFor(token)
    port.clock.advance(59_999)
    expect((await withCookie('/act', cookie)).code).toBe(200)
    port.clock.advance(1)
    expect((await withCookie('/act', cookie)).code).toBe(401)
  })

  it('ends when it is not used for half a day', async () => {
    const cookie = await cookieFor()
    port.clock.advance(idleMs - 1)
    expect((await withCookie('/act', cookie)).code).toBe(200)
    port.clock.advance(idleMs)
    expect((await withCookie('/act', cookie)).code).toBe(401)
  })

  it('ends when somebody logs out, in the browser and here', async () => {
    const cookie = await cookieFor()
    const answer = await withCookie('/session', cookie, { method: 'DELETE', headers: fromOwnPage })
    expect(answer.code).toBe(204)
    expect(answer.headers['set-cookie']).toEqual([
      'relay-session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0',
    ])
    expect((await withCookie('/session', cookie)).code).toBe(401)
    expect((await port.ask('/session', { method: 'DELETE', token: null })).code).toBe(204)
  })
})

describe('what a browser sends by itself', () => {
  it.each<[string, Record<string, string>]>([
    ['nothing that says where from', {}],
    ['from another site', { origin: 'http://evil.example' }],
    ['from another program on this machine', { origin: 'http://127.0.0.1:1' }],
    ['from another site, by its own word', { 'sec-fetch-site': 'cross-site' }],
    ['by a link', { 'sec-fetch-site': 'none' }],
  ])('changes nothing: %s', async (_name, headers) => {
    const cookie = await cookieFor()
    for (const method of ['POST', 'DELETE']) {
      const body = method === 'POST' ? {} : undefined
      const answer = await withCookie('/act', cookie, { method, headers, body })
      expect(answer).toMatchObject({ code: 403, json: { detail: expect.stringContaining('our own page') } })
    }
    expect((await withCookie('/session', cookie, { method: 'DELETE', headers })).code).toBe(403)
    expect((await withCookie('/session', cookie)).code).toBe(200)
  })

  it('acts where our own page sent it, as JSON', async () => {
    const cookie = await cookieFor()
    for (const headers of [fromOwnPage, { origin: `http://${host}` }]) {
      const sent = { method: 'POST', headers, body: {} }
      expect(await withCookie('/act', cookie, sent)).toMatchObject({ code: 200, json: { by: 'local' } })
    }
    const text = { method: 'POST', headers: { ...fromOwnPage, 'content-type': 'text/plain' }, body: '{}' }
    expect((await withCookie('/act', cookie, text)).code).toBe(415)
  })

  it('does not count where a token is sent too, which no browser does by itself', async () => {
    const cookie = await cookieFor()
    const headers = { cookie, origin: 'http://evil.example' }
    const token = await port.tokenFor('operate')
    expect(await port.ask('/act', { method: 'POST', token, headers, body: {} })).toMatchObject({
      code: 200,
      json: { by: 'for operate' },
    })
    expect((await port.ask('/act', { token: 'guess', headers: { cookie } })).code).toBe(401)
  })
})
