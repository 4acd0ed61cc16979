/** The Redis queue on a Cluster of three masters, and behind three Sentinels while the master is exchanged. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Queue } from '../../src/queue/queue.ts'
import { newMessage, t0 } from '../support/queue-fixtures.ts'
import { type RedisServer, redisAvailable, startRedisCluster, startRedisSentinels } from '../support/redis.ts'
import { openQueue } from '../support/redis-queue.ts'
import { queueContract } from './contract.ts'
import { runModel, seed } from './model-run.ts'
import { RedisHarness } from './redis-harness.ts'

const leaseMs = 60_000
const claimAlpha = { now: t0, leaseMs, connectors: [{ connector: 'alpha', limit: 100 }] }

describe.skipIf(!redisAvailable)('on a cluster', () => {
  let cluster: Awaited<ReturnType<typeof startRedisCluster>>
  let addresses: readonly string[]
  beforeAll(async () => {
    cluster = await startRedisCluster()
    addresses = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`)
  })
  afterAll(async () => {
    await cluster.destroy()
  })

  const open = (fields: { prefix: string }): Promise<Queue> =>
    openQueue({ mode: 'cluster', nodes: [addresses[0]!], ...fields })

  const harness = () => new RedisHarness(cluster.nodes, { mode: 'cluster', nodes: [addresses[0]!] })

  queueContract('redis cluster', async () => harness())

  it(`answers as the model does (SEED=${seed})`, async () => {
    const store = harness()
    onTestFinished(() => store.destroy())
    await runModel(store, { seed, steps: 500 })
  })

  it('spreads messages over the nodes', async () => {
    const queue = await open({ prefix: 'spread' })
    onTestFinished(() => queue.close({ deadlineMs: 1000 }))
    for (let n = 0; n < 100; n++) await queue.put(newMessage(), { now: t0 })
    for (const node of cluster.nodes)
      expect((await node.cli('KEYS', '{spread:*}:message:*')).split('\n').length).toBeGreaterThan(10)
  })

  it('is refused where one node is not durable', async () => {
    const [node] = cluster.nodes.slice(-1) as [RedisServer]
    await node.cli('CONFIG', 'SET', 'appendfsync', 'everysec')
    await expect(open({ prefix: 'unsafe' })).rejects.toThrow(
      `127.0.0.1:${node.port}: appendfsync is everysec`,
    )
    await node.cli('CONFIG', 'SET', 'appendfsync', 'always')
  })

  it('keeps outcomes while one node is away, and loses nothing', async () => {
    const queue = await open({ prefix: 'away' })
    onTestFinished(() => queue.close({ deadlineMs: 1000 }))
    const messages = Array.from({ length: 60 }, () => newMessage())
    await Promise.all(messages.map((message) => queue.put(message, { now: t0 })))
    const { leased } = await queue.claim(claimAlpha)
    expect(leased).toHaveLength(60)
    await cluster.nodes[1]!.kill9()
    const settled = Promise.all(
      leased.map(({ lease }) => queue.settle(lease, { items: [], dsn: null }, { now: t0 })),
    )
    await cluster.nodes[1]!.restart()
    await settled
    expect((await queue.totals({ now: t0 })).items).toBe(0)
  })
})

describe.skipIf(!redisAvailable)('behind sentinels', () => {
  it('follows the master, and keeps the outcome of an attempt over its exchange', async () => {
    const redis = await startRedisSentinels()
    onTestFinished(() => redis.destroy())
    const queue = await openQueue({ mode: 'sentinel', nodes: [...redis.sentinels] })
    onTestFinished(() => queue.close({ deadlineMs: 1000 }))
    const messages = Array.from({ length: 20 }, () => newMessage())
    for (const message of messages) await queue.put(message, { now: t0 })
    await redis.master.cli('WAIT', '1', '2000')
    const { leased } = await queue.claim(claimAlpha)
    await redis.master.cli('WAIT', '1', '2000')
    await redis.master.kill9()
    await Promise.all(leased.map(({ lease }) => queue.settle(lease, { items: [], dsn: null }, { now: t0 })))
    await vi.waitFor(() => expect(queue.fault()).toBeNull(), { timeout: 10_000 })
    await queue.put(newMessage(), { now: t0 })
    expect((await queue.totals({ now: t0 })).items).toBe(1)
    expect(await redis.replica.cli('ROLE')).toMatch(/^master/)
  }, 40_000)
})
