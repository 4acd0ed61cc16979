/** How the relay stands, over HTTP, with a real store and a real setup. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { liveEndpoints, type OpenListener } from '../../../src/admin/live/live-endpoints.ts'
import { liveView, statusView } from '../../../src/admin/live/status-view.ts'
import type { Readiness } from '../../../src/admin/readiness.ts'
import { Live } from '../../../src/observe/live.ts'
import { type AdminPort, startAdminPort } from '../../support/admin-port.ts'
import { FaultyQueue } from '../../support/faulty-queue.ts'
import { newItem } from '../../support/queue-fixtures.ts'
import { runSetup } from '../../support/running-setup.ts'

let port: AdminPort
let queue: FaultyQueue
let live: Live
let listeners: readonly OpenListener[]
let readiness: Readiness

beforeEach(async () => {
  queue = await FaultyQueue.open()
  const running = await runSetup()
  const { clock, setup } = running
  live = new Live({ clock })
  listeners = [{ name: 'exchange', port: 40025, sessions: 3 }]
  readiness = { ready: true, checks: [{ name: 'queue', ok: true, detail: null }] }
  const endpoints = liveEndpoints({
    ...{ live, setup, queue, clock },
    readiness: () => readiness,
    listeners: () => listeners,
    version: '1.2.3',
    node: 'relay.example.com-4711',
  })
  port = await startAdminPort({ running, endpoints })
})
afterEach(async () => {
  await port.stop()
  await queue.destroy()
})

describe('GET /status', () => {
  const status = async () => statusView.parse((await port.ask('/status')).json)

  it('tells who it is, where it listens, and what waits', async () => {
    const startedAt = port.clock.now()
    await queue.put(newItem(), { now: startedAt })
    await queue.put(newItem({ suspended: 'held' }), { now: startedAt })
    port.clock.advance(5000)
    const answer = await status()
    expect(answer).toMatchObject({
      version: '1.2.3',
      hostname: 'relay.example.com',
      now: startedAt + 5000,
      startedAt,
      store: 'embedded',
      node: 'relay.example.com-4711',
      ready: { ok: true, faults: [] },
      listeners: [{ name: 'exchange', address: '127.0.0.1', port: 40025, tls: 'starttls', sessions: 3 }],
      queue: { items: 2, ready: 1, deferred: 0, leased: 0, suspended: 1 },
      limits: { maxItems: 1_000_000, maxBytes: 100 * 1024 ** 3 },
      ...{ sandbox: false, tracking: true, unusable: [], connectors: 1, senders: 0 },
    })
    expect(answer.queue!.bytes).toBeGreaterThan(0)
    expect(answer.memoryBytes).toBeGreaterThan(1024 ** 2)
  })

  it('tells what is missing, and answers without the store', async () => {
    listeners = []
    readiness = { ready: false, checks: [{ name: 'queue', ok: false, detail: 'Redis is away' }] }
    queue.fail('totals', new Error('Redis is away'))
    expect(await status()).toMatchObject({
      ready: { ok: false, faults: ['queue: Redis is away'] },
      listeners: [{ name: 'exchange', port: 2525, sessions: null }],
      queue: null,
    })
  })

  it('is for who may look', async () => {
    for (const path of ['/status', '/live'])
      expect(await port.ask(path, { token: null })).toMatchObject({ code: 401 })
    expect(await port.ask('/status', { token: await port.tokenFor('read') })).toMatchObject({ code: 200 })
  })
})

describe('GET /live', () => {
  const samplesSince = async (since: string) => liveView.parse((await port.ask(`/live${since}`)).json).samples

  it('gives the seconds that are new to who asks', async () => {
    const began = port.clock.now()
    for (let second = 0; second < 3; second++) {
      live.note({ event: 'rejected' } as Parameters<Live['note']>[0])
      port.clock.advance(1000)
    }
    const all = await samplesSince('')
    expect(all.slice(-3).map(({ at, refused }) => [at - began, refused])).toEqual([
      [0, 1],
      [1000, 1],
      [2000, 1],
    ])
    expect((await samplesSince(`?since=${began + 1000}`)).map(({ at }) => at)).toEqual([began + 2000])
    expect(await samplesSince(`?since=${began + 2000}`)).toEqual([])
  })

  it('refuses an instant that is none', async () => {
    expect(await port.ask('/live?since=yesterday')).toMatchObject({ code: 400, json: { field: 'since' } })
  })
})
