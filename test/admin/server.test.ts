/** The port itself: health, what every answer carries, who is let in. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { contentSecurityPolicy } from '../../src/admin/access/security-headers.ts'
import type { Readiness } from '../../src/admin/readiness.ts'
import { QueueUnavailable } from '../../src/queue/queue.ts'
import { type AdminPort, startAdminPort } from '../support/admin-port.ts'
import { runSetup } from '../support/running-setup.ts'
import { FixedQueue, listedItem, messageId } from './queue/queue-items.ts'

let port: AdminPort
let queue: FixedQueue
let readiness: () => Readiness

beforeEach(async () => {
  queue = new FixedQueue([listedItem(), listedItem({ id: `${messageId}-2` })])
  readiness = () => ({ ready: true, checks: [{ name: 'queue', ok: true, detail: null }] })
  port = await startAdminPort({ queue, readiness: () => readiness() })
})

afterEach(() => port.stop())

/** As a machine that watches, without a token. */
const get = (path: string, method = 'GET') => port.ask(path, { method, token: null })

describe('health', () => {
  it('is alive while the process answers, whatever the queue does', async () => {
    queue.fault = new QueueUnavailable('Redis is away')
    readiness = () => ({ ready: false, checks: [] })
    expect(await get('/healthz')).toMatchObject({ code: 200, json: { status: 'alive' } })
  })

  it('is ready, or says what is not', async () => {
    expect(await get('/readyz')).toMatchObject({ code: 200, json: { ready: true } })
    const checks = [{ name: 'queue', ok: false, detail: 'Redis is away' }]
    readiness = () => ({ ready: false, checks })
    expect(await get('/readyz')).toMatchObject({ code: 503, json: { ready: false, checks } })
  })

  it('answers a bug of ours without its text, and logs it', async () => {
    readiness = () => {
      throw new Error('canary')
    }
    const answer = await get('/readyz')
    expect(answer.code).toBe(500)
    expect(answer.text).not.toContain('canary')
    expect(port.logged()).toContain('canary')
  })

  it('is answered to HEAD as to GET, without the body', async () => {
    expect(await get('/healthz', 'HEAD')).toMatchObject({ code: 200, text: '' })
  })
})

describe('GET /metrics', () => {
  it('counts the queue for each scrape', async () => {
    const answer = await get('/metrics')
    expect(answer.headers['content-type']).toContain('text/plain; version=0.0.4')
    expect(answer.text).toContain('relay_queue_items{connector="29",state="ready"} 2')
    queue.items = []
    expect((await get('/metrics')).text).toContain('relay_queue_items{connector="29",state="ready"} 0')
  })

  it('answers without the queue when the store is away', async () => {
    queue.fault = new QueueUnavailable('Redis is away')
    const answer = await get('/metrics')
    expect(answer.code).toBe(200)
    expect(answer.text).toContain('relay_queue_available 0')
  })
})

describe('who asks', () => {
  it('needs a token, and is told how to show it', async () => {
    const answer = await get('/tokens')
    expect(answer).toMatchObject({ code: 401, json: { status: 401 } })
    expect(answer.headers['www-authenticate']).toBe('Bearer')
  })

  it.each(['', 'Basic x', 'Bearer', 'Bearer guess', 'Bearer a b', `Bearer ${'x'.repeat(2000)}`])(
    'needs one of ours: %j',
    async (authorization) => {
      expect(await port.ask('/tokens', { token: null, headers: { authorization } })).toMatchObject({
        code: 401,
      })
    },
  )

  it('needs one whose scope is enough, and is told which', async () => {
    expect(await port.ask('/tokens', { token: await port.tokenFor('operate') })).toMatchObject({
      code: 403,
      json: { detail: 'This needs a token with the scope admin' },
    })
    expect(await port.ask('/tokens', { token: await port.tokenFor('admin') })).toMatchObject({ code: 200 })
  })

  it('guesses no token: after ten wrong ones comes a pause, for these alone', async () => {
    const guess = async (n: number) => {
      const answer = await port.ask('/tokens', { token: `guess${n}` })
      expect(answer.code).toBe(429)
      return answer
    }
    const paused = await Promise.any(Array.from({ length: 11 }, (_, n) => guess(n)))
    expect(Number(paused.headers['retry-after'])).toBeGreaterThan(60)
    expect((await port.ask('/tokens')).code).toBe(200)
  })
})

describe('requests without end', () => {
  it('are refused beyond a burst and so many a second, for each holder by itself; health is not counted', async () => {
    const token = await port.tokenFor('admin')
    const codes: Record<number, number> = {}
    for (let n = 0; n < 510; n++) {
      const { code } = await port.ask('/tokens', { token })
      codes[code] = (codes[code] ?? 0) + 1
    }
    expect(codes).toEqual({ 200: 500, 429: 10 })
    const refused = await port.ask('/tokens', { token })
    expect(refused.headers['retry-after']).toBe('1')
    expect((await port.ask('/tokens')).code).toBe(200)
    expect((await get('/healthz')).code).toBe(200)
    port.clock.advance(1000)
    expect((await port.ask('/tokens', { token })).code).toBe(200)
  }, 20_000)
})

describe('every answer', () => {
  it.each([
    ['/healthz', 200],
    ['/tokens', 401],
    ['/nowhere', 404],
    ['/', 503],
    ['/%zz', 400],
  ])('tells browsers to trust nothing else: %s', async (path, code) => {
    const answer = await get(path)
    expect(answer.code).toBe(code)
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': contentSecurityPolicy,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    })
    for (const name of Object.keys(answer.headers)) expect(name).not.toMatch(/^access-control-/)
  })

  it('forbids inline scripts and styles, and whatever comes from elsewhere', () => {
    expect(contentSecurityPolicy).toContain("default-src 'none'")
    expect(contentSecurityPolicy).not.toMatch(/unsafe|\*|https?:/)
  })

  it('is refused where it was meant for another host, so that no web page can read it by a name of its own', async () => {
    const headers = { host: 'rebind.evil.example' }
    for (const path of ['/healthz', '/tokens', '/', '/nowhere'])
      expect(await port.ask(path, { headers })).toMatchObject({ code: 421 })
  })

  it('does not let other sites ask first', async () => {
    const headers = { origin: 'http://evil.example', 'access-control-request-method': 'POST' }
    const answer = await port.ask('/tokens', { method: 'OPTIONS', headers, token: null })
    expect(answer.code).toBe(405)
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
  })
})

it('stops at once while a client keeps its connection open', async () => {
  const response = await fetch(`${port.url}/healthz`)
  await response.text()
  const began = performance.now()
  await port.admin.stop()
  expect(performance.now() - began).toBeLessThan(1000)
  await expect(get('/healthz')).rejects.toThrow('ECONNREFUSED')
})

it('rejects when the port is taken', async () => {
  const config = { address: '127.0.0.1', port: port.admin.port, certificate: null }
  await expect(startAdminPort({ config })).rejects.toThrow('EADDRINUSE')
})

it('lets a configured token in that another node made', async () => {
  const other = await runSetup({ state: port.state })
  const elsewhere = await startAdminPort({ running: other })
  const token = await elsewhere.tokenFor('admin')
  await new Promise<void>((resolve) => {
    if (port.setup.current.tokens.length > 0) resolve()
    port.setup.watch(() => resolve())
  })
  expect((await port.ask('/tokens', { token })).code).toBe(200)
  await elsewhere.stop()
})
