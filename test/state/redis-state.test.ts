/** The runtime state in a real Redis: the contract, several nodes, and what becomes of it when Redis goes away. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { QueueUnavailable } from '../../src/queue/queue.ts'
import type { StateSnapshot, StateStore } from '../../src/state/state.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'
import { type RedisServer, redisAvailable, startRedis } from '../support/redis.ts'
import { at, conflictOf, created, idsOf, stateContract, t0 } from './contract.ts'
import { runModel, seed } from './model-run.ts'
import { openState, RedisHarness, type RedisStateFields } from './redis-harness.ts'

describe.skipIf(!redisAvailable)('on one server', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.destroy())

  stateContract('redis', async () => new RedisHarness([redis], { url: redis.url }))

  it.each([seed, seed + 1])('answers as the model does (SEED=%i)', async (each) => {
    const harness = new RedisHarness([redis], { url: redis.url })
    onTestFinished(() => harness.destroy())
    await runModel(harness, { seed: each, steps: 400 })
  })
})

describe.skipIf(!redisAvailable)('nodes that share a server', () => {
  let redis: RedisServer
  const nodes: StateStore[] = []
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.close()))
    await redis.destroy()
  })

  async function node(fields: RedisStateFields = {}): Promise<StateStore> {
    const opened = await openState({ url: redis.url, ...fields })
    nodes.push(opened)
    return opened
  }

  function seenBy(watching: StateStore): StateSnapshot[] {
    const seen: StateSnapshot[] = []
    watching.watch((snapshot) => seen.push(snapshot))
    return seen
  }

  it('see a change of another within a second', async () => {
    const [here, there] = [await node(), await node()]
    await there.read()
    const seen = seenBy(there)
    for (const id of ['a', 'b', 'c']) {
      const revision = await here.change([created(id)], at)
      await vi.waitFor(() => expect(seen.at(-1)?.revision).toBe(revision), { timeout: 1000, interval: 20 })
    }
    expect(seen.map(idsOf).at(-1)).toEqual(['connector/a', 'connector/b', 'connector/c'])
    expect(await there.read()).toEqual(await here.read())
  })

  it('read what another has just changed, without waiting', async () => {
    const [here, there] = [await node(), await node()]
    await there.read()
    for (let n = 0; n < 20; n++) {
      const revision = await here.change([created(`${n}`)], at)
      expect(await there.read()).toMatchObject({ revision, objects: { length: n + 1 } })
    }
  })

  it('catch up with any number of changes', async () => {
    const [here, there] = [await node(), await node()]
    await here.change([created('old'), created('kept')], at)
    await there.read()
    await here.change([{ ...created('old'), expected: 1, value: null }], at)
    for (let n = 0; n < 1100; n++)
      await here.change([{ ...created('new', n), expected: n === 0 ? null : n }], at)
    const snapshot = await there.read()
    expect(snapshot).toEqual(await here.read())
    expect(idsOf(snapshot)).toEqual(['connector/kept', 'connector/new'])
    // What is long gone leaves nothing, and the history has its bounds.
    expect(await redis.cli('ZCARD', '{relay:state}:removed')).toBe('0\n')
    expect(await redis.cli('ZCARD', '{relay:state}:changed')).toBe('2\n')
    expect(await redis.cli('ZCARD', '{relay:state}:history')).toBe('1000\n')
  })

  it('catch up with what was removed and made anew, when its removal is long gone', async () => {
    const [here, there] = [await node(), await node()]
    await here.change([created('anew')], at)
    await here.change([{ ...created('anew'), expected: 1, value: null }], at)
    const count = async (from: number, to: number) => {
      for (let n = from; n < to; n++)
        await here.change([{ ...created('count', n), expected: n === 0 ? null : n }], at)
    }
    await count(0, 998)
    await there.read()
    await here.change([created('anew', 'again')], at)
    await count(998, 1000)
    expect(idsOf(await there.read())).toEqual(['connector/anew', 'connector/count'])
  })

  it('read a large state whole while another changes it', async () => {
    const here = await node()
    await here.change(
      Array.from({ length: 4000 }, (_, n) => created(`${n}`, { n })),
      at,
    )
    const there = await node()
    let changing = true
    const changes = (async () => {
      for (let n = 0; changing; n++) {
        // Two that always change together: a snapshot that has one without the other is none.
        const pair = [`${n}`, `${3999 - n}`]
        await here.change(
          pair.map((id) => ({ ...created(id, { both: n }), expected: 1 })),
          at,
        )
      }
    })()
    const { objects } = await there.read()
    changing = false
    await changes
    expect(objects).toHaveLength(4000)
    const boths = objects.flatMap(({ value }) => (value as { both?: number }).both ?? [])
    for (const both of boths) expect(boths.filter((other) => other === both)).toHaveLength(2)
  })

  it('never replace what they have not seen to be unreadable', async () => {
    await (await node()).change([created('b')], at)
    const here = await node()
    await redis.cli('HSET', '{relay:state}:objects', 'connector/a', 'from a newer version')
    expect(await conflictOf(here.change([created('a')], at))).toMatchObject({ id: 'a', version: null })
    expect((await here.read()).unreadable).toEqual(['connector/a'])
    await redis.cli('HSET', '{relay:state}:objects', 'connector/a', 'from a still newer one')
    expect(await conflictOf(here.change([created('a')], at))).toMatchObject({ id: 'a', version: null })
    await redis.cli('HSET', '{relay:state}:objects', 'connector/a', 'from a newer version')
    await here.change([created('a')], at)
    expect(await here.read()).toMatchObject({ objects: [{ id: 'a', version: 1 }, {}], unreadable: [] })
  })

  it('go on after Redis was away: refused meanwhile, then told of what changed', async () => {
    const [here, there] = [await node(), await node()]
    await here.change([created('a')], at)
    await there.read()
    const seen = seenBy(there)
    await redis.stop()
    await expect(here.change([created('b')], at)).rejects.toThrow(QueueUnavailable)
    await expect(there.read()).rejects.toThrow(/cannot be reached/)
    const began = performance.now()
    await expect(here.change([created('b')], at)).rejects.toThrow(QueueUnavailable)
    expect(performance.now() - began).toBeLessThan(500)
    await redis.restart()
    await vi.waitFor(() => here.change([created('b')], at), { timeout: 5000 })
    await vi.waitFor(() => expect(seen.map(idsOf)).toEqual([['connector/a', 'connector/b']]), {
      timeout: 3000,
    })
  })

  it('wait a little for Redis rather than refuse', async () => {
    const here = await node()
    await redis.kill9()
    const changing = here.change([created('a')], at)
    await redis.restart()
    await changing
    expect(idsOf(await here.read())).toEqual(['connector/a'])
  })

  it('make a change once whose answer was lost, and refuse one once', async () => {
    const proxy = await CuttingProxy.to(redis.port)
    onTestFinished(() => proxy.close())
    const here = await node({ url: `redis://127.0.0.1:${proxy.port}` })
    proxy.loseReply()
    await here.change([created('a')], at)
    expect(proxy.lost).toBe(true)
    proxy.loseReply()
    const late = { ...created('a'), expected: 3 }
    expect(await conflictOf(here.change([late], at))).toMatchObject({ version: 1 })
    expect((await here.read()).objects).toMatchObject([{ id: 'a', version: 1 }])
  })

  it('read all anew where a failover has lost changes, and never an older revision', async () => {
    const [here, there] = [await node(), await node()]
    await here.change([created('kept'), created('changed', 'old'), created('removed')], at)
    const keys = ['store', 'objects', 'changed', 'removed', 'history'].map((key) => `{relay:state}:${key}`)
    // As a replica that had not heard of the last changes: its copies take the place of the keys.
    for (const key of keys) await redis.cli('COPY', key, `${key}:before`)
    await here.change([{ ...created('changed'), expected: 1, value: 'new' }, created('made')], at)
    const last = await here.change([{ ...created('removed'), expected: 1, value: null }], at)
    for (const each of [here, there]) await each.read()
    const seen = [seenBy(here), seenBy(there)]
    for (const key of keys) {
      await redis.cli('DEL', key)
      await redis.cli('COPY', `${key}:before`, key)
    }
    for (const each of seen) await vi.waitFor(() => expect(each.length).toBeGreaterThan(0), { timeout: 2000 })
    const [snapshot] = seen[0]!
    expect(snapshot!.revision).toBeGreaterThan(last)
    expect(idsOf(snapshot!)).toEqual(['connector/changed', 'connector/kept', 'connector/removed'])
    expect(snapshot!.objects[0]).toMatchObject({ value: 'old', version: 1 })
    await vi.waitFor(async () => expect(await here.read()).toEqual(await there.read()))
    await here.change([created('after')], { now: t0 + 1 })
    expect(await there.read()).toEqual(await here.read())
  })

  it('do not take a flushed server for an empty state', async () => {
    const logged: string[] = []
    const here = await node({ logged })
    await here.change([created('a')], at)
    await here.read()
    const seen = seenBy(here)
    await redis.cli('FLUSHALL')
    await expect(here.change([created('b')], at)).rejects.toThrow(/gone or another one/)
    await expect(here.read()).rejects.toThrow(QueueUnavailable)
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(seen).toEqual([])
    expect(logged.filter((line) => /gone or another one/.test(line))).toHaveLength(1)
    expect(idsOf(await (await node()).read())).toEqual([])
  })

  it('teach a server its scripts again', async () => {
    const here = await node()
    for (let n = 0; n < 5; n++) {
      await redis.cli('SCRIPT', 'FLUSH')
      await here.change([created(`${n}`)], at)
      expect((await here.read()).objects).toHaveLength(n + 1)
    }
  })

  it('go on changing things when the memory of Redis is full', async () => {
    const here = await node()
    await here.change([created('a')], at)
    await redis.cli('CONFIG', 'SET', 'maxmemory', '1mb')
    await here.change([{ ...created('a'), expected: 1, value: 'disabled' }], at)
    expect((await here.read()).objects).toMatchObject([{ version: 2, value: 'disabled' }])
  })
})

describe.skipIf(!redisAvailable)('opening', () => {
  let redis: RedisServer
  afterEach(() => redis.destroy())

  it('is refused where the server would not keep what it confirms', async () => {
    redis = await startRedis(['--appendfsync', 'everysec'])
    await expect(openState({ url: redis.url })).rejects.toThrow(/CONFIG SET appendfsync always/)
    await (await openState({ url: redis.url, durability: 'relaxed' })).close()
  })

  it('is refused where the store has another format', async () => {
    redis = await startRedis()
    await (await openState({ url: redis.url })).close()
    await redis.cli('HSET', '{relay:state}:store', 'format', '2')
    await expect(openState({ url: redis.url })).rejects.toThrow('its store has format 2')
  })
})

/** These take long, so they run at the same time. */
describe.skipIf(!redisAvailable).concurrent('where Redis stays away', () => {
  it('a change whose answer was lost is refused as one that may have been made', async ({
    expect,
    onTestFinished,
  }) => {
    const redis = await startRedis()
    const proxy = await CuttingProxy.to(redis.port)
    const node = await openState({ url: `redis://127.0.0.1:${proxy.port}` })
    onTestFinished(async () => {
      await node.close()
      await proxy.close()
      await redis.destroy()
    })
    proxy.loseReply({ refuse: true })
    await expect(node.change([created('a')], at)).rejects.toThrow(/whether the change was made is not known/)
    proxy.restore()
    await vi.waitFor(async () => expect(idsOf(await node.read())).toEqual(['connector/a']), { timeout: 5000 })
  })

  it('nothing is opened, and the reason given', async ({ expect }) => {
    const opening = openState({ url: 'redis://127.0.0.1:1' })
    await expect(opening).rejects.toThrow(QueueUnavailable)
    await expect(opening).rejects.toThrow(/Cannot open the state: Redis at 127.0.0.1:1 cannot be reached/)
  })
})
