import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Readiness } from '../../src/admin/readiness.ts'
import { type Admin, startAdmin } from '../../src/admin/server.ts'
import { limitSchema } from '../../src/config/policy-schema.ts'
import type { ConnectorStatus } from '../../src/delivery/status.ts'
import { createLog } from '../../src/observe/log.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { QueueUnavailable } from '../../src/queue/queue.ts'
import { connectorStatus, FixedQueue, listedItem, messageId } from './queue-items.ts'

let admin: Admin
let queue: FixedQueue
let readiness: () => Readiness
let statuses: readonly ConnectorStatus[]
let logged: string

beforeEach(async () => {
  queue = new FixedQueue([listedItem(), listedItem({ id: `${messageId}-2` })])
  readiness = () => ({ ready: true, checks: [{ name: 'queue', ok: true, detail: null }] })
  statuses = [connectorStatus()]
  logged = ''
  const destination = {
    write: (line: string) => {
      logged += line
    },
  }
  admin = await startAdmin({
    config: { address: '127.0.0.1', port: 0 },
    metrics: createMetrics(),
    log: createLog({ level: 'info', destination }),
    queue,
    readiness: () => readiness(),
    connectors: () => statuses,
    limits,
    clock: { now: () => 1_000_000 },
  })
})

const limits = [limitSchema.parse({ name: 'per-user', per: 'user', messagesPerHour: 10 })]

afterEach(() => admin.stop())

interface Answer {
  readonly code: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
  readonly json: any
}

/** Not fetch: that sets the Host field itself. */
function get(path: string, { method = 'GET', host = `127.0.0.1:${admin.port}` } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: admin.port, path, method, headers: { host } }
    const sent = request(options, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      const isJson =
        /^application\/(problem\+)?json/.test(String(response.headers['content-type'])) && text !== ''
      resolve({
        code: response.statusCode!,
        headers: response.headers,
        text,
        json: isJson ? JSON.parse(text) : null,
      })
    })
    sent.on('error', reject).end()
  })
}

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
    expect(logged).toContain('canary')
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

describe('GET /queue', () => {
  it('lists items, a page at a time', async () => {
    const first = await get('/queue?limit=1')
    expect(first.json).toMatchObject({ items: [{ id: `${messageId}-1` }], next: '1' })
    const second = await get('/queue?limit=1&after=1')
    expect(second.json).toMatchObject({ items: [{ id: `${messageId}-2` }], next: null })
  })

  it('hands on the filter', async () => {
    await get('/queue?connector=29&state=deferred&sender=A@EXAMPLE.com&recipient=@example.org')
    expect(queue.asked).toEqual([
      { connector: '29', state: 'deferred', sender: 'A@example.com', recipient: '@example.org' },
    ])
  })

  it('tells why a stopped connector keeps its mail', async () => {
    statuses = [connectorStatus({ state: 'retry', lastError: 'wrong certificate', nextAttemptAt: 2_000_000 })]
    const answer = await get('/queue')
    expect(answer.json.items[0]).toMatchObject({ lastError: 'wrong certificate', nextAttemptAt: 2_000_000 })
  })

  it('names the parameter that is wrong', async () => {
    expect(await get('/queue?limit=many')).toMatchObject({
      code: 400,
      json: {
        type: 'about:blank',
        title: 'Bad Request',
        status: 400,
        detail: 'limit must be a number from 1 to 1000; it is "many"',
        field: 'limit',
      },
    })
    expect(await get('/queue?state=ready&state=leased')).toMatchObject({ code: 400 })
  })

  it('finds an item by its id, and all items of a message', async () => {
    expect((await get(`/queue/${messageId}-2`)).json.items).toHaveLength(1)
    expect((await get(`/queue/${messageId}`)).json.items).toHaveLength(2)
  })

  it('knows ids that are wrong from ids that are gone', async () => {
    expect(await get('/queue/4711')).toMatchObject({ code: 400, json: { field: 'id' } })
    expect(await get(`/queue/${messageId}-9`)).toMatchObject({
      code: 404,
      json: { detail: `No item or message ${messageId}-9 is in the queue` },
    })
  })

  it('gives the reason when the store is away', async () => {
    queue.fault = new QueueUnavailable('Redis is away')
    const json = { detail: 'The queue cannot be read: Redis is away' }
    expect(await get('/queue')).toMatchObject({ code: 503, json })
    expect(await get(`/queue/${messageId}`)).toMatchObject({ code: 503, json })
  })
})

it('shows connectors with their queues, and without them when the store is away', async () => {
  const [connector] = (await get('/connectors')).json.connectors
  expect(connector).toMatchObject({ connector: '29', state: 'ready', queue: { ready: 2 } })
  queue.fault = new QueueUnavailable('Redis is away')
  expect((await get('/connectors')).json.connectors).toMatchObject([{ connector: '29', queue: null }])
})

describe('what the port refuses', () => {
  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])(
    'to change what is there to read: %s',
    async (method) => {
      const answer = await get('/queue', { method })
      expect(answer).toMatchObject({ code: 404, json: { detail: `There is nothing to ${method} at /queue` } })
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
    },
  )
  it('requests meant for another host, so that no web page can read it by a name of its own', async () => {
    expect(await get('/queue', { host: 'rebind.evil.example' })).toMatchObject({ code: 421 })
    expect(queue.asked).toEqual([])
  })
  it('paths that do not exist', async () => {
    expect(await get('/nowhere')).toMatchObject({ code: 404 })
    expect(await get('/queue/..%2f..%2fetc')).toMatchObject({ code: 400 })
  })
})

it('answers HEAD as GET, without the body', async () => {
  expect(await get('/healthz', { method: 'HEAD' })).toMatchObject({ code: 200, text: '' })
})

it('stops at once while a client keeps its connection open', async () => {
  const response = await fetch(`http://127.0.0.1:${admin.port}/healthz`)
  await response.text()
  await admin.stop()
  await expect(get('/healthz')).rejects.toThrow('ECONNREFUSED')
})

it('rejects when the port is taken', async () => {
  const again = startAdmin({
    config: { address: '127.0.0.1', port: admin.port },
    metrics: createMetrics(),
    log: createLog({ level: 'info', destination: { write: () => {} } }),
    queue,
    readiness,
    connectors: () => [],
    limits,
    clock: { now: () => 0 },
  })
  await expect(again).rejects.toThrow('EADDRINUSE')
})

describe('/limits', () => {
  const count = {
    key: 'limit:per-user:anna',
    limit: 'messagesPerHour',
    windowMs: 3_600_000,
    amount: 4,
    most: 10,
  }

  it('says what is used of each limit', async () => {
    queue.counts = [count, { ...count, key: '29' }]
    expect((await get('/limits')).json).toEqual({
      limits: [{ limit: 'per-user', of: 'anna', counts: 'messagesPerHour', used: 4, most: 10, left: 6 }],
    })
  })

  it('answers 503 where the store cannot be read', async () => {
    queue.fault = new Error('connection lost')
    expect(await get('/limits')).toMatchObject({
      code: 503,
      json: { detail: 'The limits cannot be read: connection lost' },
    })
  })
})
