/** The runtime state on a Cluster of three masters, and behind three Sentinels while the master is exchanged. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { StateSnapshot } from '../../src/state/state.ts'
import { redisAvailable, startRedisCluster, startRedisSentinels } from '../support/redis.ts'
import { at, created, idsOf, stateContract } from './contract.ts'
import { runModel, seed } from './model-run.ts'
import { openState, RedisHarness, type RedisStateFields } from './redis-harness.ts'

describe.skipIf(!redisAvailable)('on a cluster', () => {
  let cluster: Awaited<ReturnType<typeof startRedisCluster>>
  beforeAll(async () => {
    cluster = await startRedisCluster()
  })
  afterAll(() => cluster.destroy())

  const harness = () =>
    new RedisHarness(cluster.nodes, { mode: 'cluster', nodes: [`127.0.0.1:${cluster.nodes[0]!.port}`] })

  stateContract('redis cluster', async () => harness())

  it(`answers as the model does (SEED=${seed})`, async () => {
    const store = harness()
    onTestFinished(() => store.destroy())
    await runModel(store, { seed, steps: 200 })
  })
})

describe.skipIf(!redisAvailable)('behind sentinels', () => {
  it('follows the master, and tells every node of what is changed there', async () => {
    const redis = await startRedisSentinels()
    onTestFinished(() => redis.destroy())
    const fields: RedisStateFields = { mode: 'sentinel', nodes: [...redis.sentinels] }
    const [here, there] = [await openState(fields), await openState(fields)]
    onTestFinished(async () => void (await Promise.all([here.close(), there.close()])))
    const revision = await here.change([created('before')], at)
    await redis.master.cli('WAIT', '1', '2000')
    await there.read()
    const seen: StateSnapshot[] = []
    there.watch((snapshot) => seen.push(snapshot))
    await redis.master.kill9()
    const later = await vi.waitFor(() => here.change([created('after')], at), { timeout: 15_000 })
    expect(later).toBeGreaterThan(revision)
    await vi.waitFor(() => expect(seen.map(idsOf)).toEqual([['connector/after', 'connector/before']]), {
      timeout: 10_000,
    })
  }, 40_000)
})
