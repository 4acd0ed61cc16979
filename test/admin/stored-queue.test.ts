/** The admin port over the embedded store, as it runs: what one page tells, the next must understand. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ItemPage } from '../../src/admin/item-view.ts'
import { type Admin, startAdmin } from '../../src/admin/server.ts'
import { AdminClient } from '../../src/cli/admin-client.ts'
import { createLog } from '../../src/observe/log.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { openEmbeddedQueue } from '../../src/queue/embedded.ts'
import type { Queue } from '../../src/queue/queue.ts'
import { newItem, sender, t0 } from '../support/queue-fixtures.ts'

let directory: string
let queue: Queue
let admin: Admin

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'relay-admin-'))
  const log = createLog({ level: 'info', destination: { write: () => {} } })
  queue = await openEmbeddedQueue({ dir: directory, maxItems: 1000, maxBytes: 1e9, log })
  for (let i = 0; i < 150; i++) {
    const from = i < 10 ? '' : 'newsletter@example.com'
    await queue.put(newItem({ connector: i % 2 ? '29' : 'other', sender: sender(from) }), { now: t0 })
  }
  admin = await startAdmin({
    config: { address: '127.0.0.1', port: 0 },
    metrics: createMetrics(),
    log,
    queue,
    readiness: () => ({ ready: true, checks: [] }),
    connectors: () => [],
    limits: [],
    clock: { now: () => t0 },
  })
})

afterAll(async () => {
  await admin.stop()
  await queue.close({ deadlineMs: 1000 })
  rmSync(directory, { recursive: true })
})

const client = () => new AdminClient(`http://127.0.0.1:${admin.port}`)

async function idsOf(filter: Parameters<AdminClient['items']>[0]): Promise<string[]> {
  const ids: string[] = []
  for await (const item of client().items(filter)) ids.push(item.id)
  return ids
}

it('lists every item once, over several pages', async () => {
  const ids = await idsOf({})
  expect(ids).toHaveLength(150)
  expect(new Set(ids).size).toBe(150)
})

it('lists those of a connector, of a state, of a sender', async () => {
  expect(await idsOf({ connector: '29' })).toHaveLength(75)
  expect(await idsOf({ state: 'ready' })).toHaveLength(150)
  expect(await idsOf({ state: 'suspended' })).toEqual([])
  expect(await idsOf({ sender: '<>' })).toHaveLength(10)
  expect(await idsOf({ sender: '@example.com', connector: 'other' })).toHaveLength(70)
  expect(await idsOf({ recipient: 'nobody@example.org' })).toEqual([])
})

it('finds an item by its id and by that of its message', async () => {
  const [id] = await idsOf({})
  const [item] = await client().itemsOf(id!)
  expect(item).toMatchObject({ id, state: 'ready', client: { listener: 'exchange' } })
  expect(await client().itemsOf(item!.messageId)).toEqual([item])
})

it('refuses a page that was never announced', async () => {
  const answer = await fetch(`http://127.0.0.1:${admin.port}/queue?after=x`)
  expect(answer.status).toBe(400)
  expect(answer.headers.get('content-type')).toContain('application/problem+json')
  expect(await answer.json()).toEqual({
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'after must be the `next` of the page before',
    field: 'after',
  })
})

it('counts queues without a connector', async () => {
  expect(await client().connectors()).toMatchObject([
    { connector: '29', state: 'not-configured', queue: { ready: 75 } },
    { connector: 'other', state: 'not-configured', queue: { ready: 75 } },
  ])
})

it('gives no more than was asked for', async () => {
  const answer = await fetch(`http://127.0.0.1:${admin.port}/queue?limit=7`)
  const { items, next } = (await answer.json()) as ItemPage
  expect(items).toHaveLength(7)
  expect(next).not.toBeNull()
})
