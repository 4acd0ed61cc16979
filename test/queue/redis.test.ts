/** The Redis queue on a real server: the contract, and what it checks and refuses. */
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  onTestFinished,
  type TestContext,
  vi,
} from 'vitest'
import { newMessageId } from '../../src/message-id.ts'
import { createLog } from '../../src/observe/log.ts'
import { type Queue, QueueFull, QueueUnavailable } from '../../src/queue/queue.ts'
import { messageArguments } from '../../src/queue/redis/arguments.ts'
import { RedisConnection } from '../../src/queue/redis/connection.ts'
import { newMessage, t0 } from '../support/queue-fixtures.ts'
import { type RedisServer, redisAvailable, startRedis } from '../support/redis.ts'
import { openQueue, type RedisQueueFields, redisSettings } from '../support/redis-queue.ts'
import { queueContract } from './contract.ts'
import { runModel, seed } from './model-run.ts'
import { RedisHarness } from './redis-harness.ts'

const leaseMs = 60_000
const alpha = { now: t0, leaseMs, connectors: [{ connector: 'alpha', limit: 100 }] }

describe.skipIf(!redisAvailable)('on one server', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(async () => {
    await redis.destroy()
  })

  queueContract('redis', async () => new RedisHarness([redis], { url: redis.url }))

  it.each([seed, seed + 1])('answers as the model does (SEED=%i)', async (each) => {
    const harness = new RedisHarness([redis], { url: redis.url })
    onTestFinished(() => harness.destroy())
    await runModel(harness, { seed: each, steps: 1000 })
  })
})

describe.skipIf(!redisAvailable)('a server of its own', () => {
  let redis: RedisServer
  let queue: Queue | null = null
  const logged: string[] = []
  afterEach(async () => {
    await queue?.close({ deadlineMs: 1000 })
    queue = null
    logged.length = 0
    await redis.destroy()
  })

  async function start(settings: readonly string[] = [], fields: RedisQueueFields = {}): Promise<Queue> {
    redis = await startRedis(settings)
    queue = await openQueue({ url: redis.url, logged, ...fields })
    return queue
  }

  describe('that is not durable', () => {
    beforeEach(async () => {
      redis = await startRedis(['--appendonly', 'no', '--appendfsync', 'everysec'])
    })

    it('is refused by strict, with everything to set', async () => {
      const opening = openQueue({ url: redis.url })
      await expect(opening).rejects.toThrow(/CONFIG SET appendonly yes.*\n.*CONFIG SET appendfsync always/)
      await expect(opening).rejects.not.toThrow(/maxmemory/)
    })

    it('is used by relaxed, with warnings', async () => {
      queue = await openQueue({ url: redis.url, durability: 'relaxed', logged })
      expect(logged.filter((message) => message === 'Redis may lose mail')).toHaveLength(2)
      await queue.put(newMessage(), { now: t0 })
      expect(queue.fault()).toBeNull()
    })

    it('is taken once it is set right', async () => {
      await redis.cli('CONFIG', 'SET', 'appendonly', 'yes', 'appendfsync', 'always')
      queue = await openQueue({ url: redis.url })
    })
  })

  it('whose account may not read CONFIG is refused by strict and used by relaxed', async () => {
    redis = await startRedis()
    await redis.cli('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-config')
    const account = { url: redis.url, username: 'limited', password: 'secret' }
    await expect(openQueue(account)).rejects.toThrow(/durability unverified/)
    queue = await openQueue({ ...account, durability: 'relaxed', logged })
    await queue.put(newMessage(), { now: t0 })
  })

  it.each([
    ['partitions', '16', /made with 16 partitions/],
    ['format', '0', /format 0/],
  ])('with a store of other %s is refused', async (field, value, message) => {
    await (await start()).close({ deadlineMs: 1000 })
    await redis.cli('HSET', '{relay:0}:store', field, value)
    await expect(openQueue({ url: redis.url })).rejects.toThrow(message)
  })

  it('that forgets the scripts is taught them again', async () => {
    const opened = await start()
    for (let round = 0; round < 10; round++) {
      const flushed = redis.cli('SCRIPT', 'FLUSH')
      const messages = Array.from({ length: 10 }, () => newMessage())
      await Promise.all(messages.map((message) => opened.put(message, { now: t0 })))
      const { leased } = await opened.claim(alpha)
      expect(leased).toHaveLength(10)
      await Promise.all(leased.map(({ lease }) => opened.settle(lease, { items: [], dsn: null }, alpha)))
      await flushed
    }
    expect((await opened.totals({ now: t0 })).items).toBe(0)
  })

  it('that was flushed takes no mail any more, until a restart', async () => {
    const opened = await start()
    await opened.put(newMessage(), { now: t0 })
    await redis.cli('FLUSHALL')
    await expect(opened.put(newMessage(), { now: t0 })).rejects.toThrow(QueueUnavailable)
    expect(opened.fault()).toMatch(/gone/)
    await expect(opened.stage(newMessageId(t0))).rejects.toThrow(QueueUnavailable)
    expect(await redis.cli('KEYS', '*')).toBe('\n')
    await opened.close({ deadlineMs: 1000 })
    queue = await openQueue({ url: redis.url })
    await queue.put(newMessage(), { now: t0 })
  })

  it('whose settings became unsafe takes no mail after a reconnect, until they are mended', async () => {
    const opened = await start()
    await redis.cli('CONFIG', 'SET', 'appendfsync', 'everysec')
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal')
    await vi.waitFor(() => expect(opened.fault()).toMatch(/CONFIG SET appendfsync always/), { timeout: 5000 })
    await expect(opened.put(newMessage(), { now: t0 })).rejects.toThrow(QueueUnavailable)
    await redis.cli('CONFIG', 'SET', 'appendfsync', 'always')
    await vi.waitFor(() => expect(opened.fault()).toBeNull(), { timeout: 5000 })
    await opened.put(newMessage(), { now: t0 })
  })

  it('that is full refuses mail, drains, and takes mail again', async () => {
    const opened = await start(['--maxmemory', '6mb'])
    const message = () => newMessage({ body: Buffer.alloc(60_000, 'x') })
    let kept = 0
    const fill = async (): Promise<never> => {
      for (;;) {
        await opened.put(message(), { now: t0 })
        kept++
      }
    }
    await expect(fill()).rejects.toThrow(QueueFull)
    expect(kept).toBeGreaterThan(10)
    expect(await opened.totals({ now: t0 })).toMatchObject({ items: kept })
    await redis.cli('CONFIG', 'SET', 'maxmemory', '2mb')
    await expect(opened.put(message(), { now: t0 })).rejects.toThrow(QueueFull)
    const { leased } = await opened.claim(alpha)
    expect(leased).toHaveLength(kept)
    for (const { lease } of leased) await opened.settle(lease, { items: [], dsn: null }, alpha)
    await redis.cli('CONFIG', 'SET', 'maxmemory', '6mb')
    await vi.waitFor(() => opened.put(message(), { now: t0 }), { timeout: 8000, interval: 200 })
    expect((await opened.totals({ now: t0 })).items).toBe(1)
  })

  it('is asked once for many steps that come together', async () => {
    const opened = await start()
    const messages = Array.from({ length: 200 }, () => newMessage())
    await redis.cli('CONFIG', 'RESETSTAT')
    await Promise.all(messages.map((message) => opened.put(message, { now: t0 })))
    const { leased } = await opened.claim({ ...alpha, connectors: [{ connector: 'alpha', limit: 200 }] })
    await Promise.all(leased.map(({ lease }) => opened.settle(lease, { items: [], dsn: null }, alpha)))
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await redis.cli('INFO', 'commandstats'))![1]
    expect(Number(calls)).toBeLessThan(20)
    expect(leased).toHaveLength(200)
    expect(await redis.cli('KEYS', '{relay:0}:*')).toMatch(
      /^\{relay:0\}:(store|gone:\d+)\n\{relay:0\}:(store|gone:\d+)\n$/,
    )
  })

  it('refuses those of many puts that it must, alone, and keeps nothing of them', async () => {
    const opened = await start([], { maxItems: 6 })
    const before = newMessage({ body: Buffer.from('the first') })
    await opened.put(before, { now: t0 })
    const again = {
      ...newMessage({ id: before.id }),
      body: { kind: 'inline', bytes: Buffer.from('another') },
    } as const
    const twice = newMessage()
    const others = Array.from({ length: 5 }, () => newMessage())
    const puts = [again, twice, { ...twice }, ...others].map((message) => opened.put(message, { now: t0 }))
    const results = await Promise.allSettled(puts)
    const taken = [twice, ...others.slice(0, 4)]
    expect(results).toMatchObject([
      { reason: { message: expect.stringContaining('exists') } },
      { status: 'fulfilled' },
      { reason: { message: expect.stringContaining('exists') } },
      ...Array(4).fill({ status: 'fulfilled' }),
      { reason: expect.any(QueueFull) },
    ])
    expect((await bytesIn(opened.body(before.id))).toString()).toBe('the first')
    const bodies = (await redis.cli('KEYS', '*:body:*')).split('\n').filter((key) => key !== '')
    const fields = await Promise.all(bodies.map((key) => redis.cli('HKEYS', key)))
    const owners = fields
      .join('')
      .split('\n')
      .filter((field) => field !== '')
      .map((field) => field.slice(0, 20))
    expect(owners.sort()).toEqual([before, ...taken].map(({ id }) => id).sort())
  })

  it('fails one of many outcomes alone, whose item is no item any more', async () => {
    const opened = await start()
    const messages = Array.from({ length: 5 }, () => newMessage())
    for (const message of messages) await opened.put(message, { now: t0 })
    const { leased } = await opened.claim(alpha)
    const bad = leased[2]!.lease.itemId
    await redis.cli('DEL', `{relay:0}:item:${bad}`)
    await redis.cli('SET', `{relay:0}:item:${bad}`, 'x')
    const results = await Promise.allSettled(
      leased.map(({ lease }) => opened.settle(lease, { items: [], dsn: null }, alpha)),
    )
    expect(results.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    ])
    expect(results[2]).toMatchObject({ reason: { message: expect.stringMatching(/WRONGTYPE/) } })
    expect((await redis.cli('ZRANGE', '{relay:0}:items', '0', '-1')).trim()).toBe(bad)
  })

  it('leaves no body where a put is repeated after its message was settled', async () => {
    const opened = await start()
    const connection = new RedisConnection(redisSettings({ url: redis.url }), {
      nodeName: 'test',
      log: createLog({ level: 'silent' }),
      onReady: () => undefined,
    })
    onTestFinished(() => connection.close())
    await connection.whenReady(5000)
    const message = newMessage()
    const epoch = await connection.epoch(0)
    const bytes = Buffer.from('x'.repeat(message.items[0]!.sizeBytes))
    const args = [
      epoch!,
      10,
      1e9,
      'together',
      'call',
      1,
      ...messageArguments({ ...message, body: { kind: 'inline', bytes } }, { isBeside: true }),
    ]
    const put = () =>
      connection.runBeside(
        'putMessages',
        0,
        { bodies: { name: 'together', fields: [`${message.id}.call`, bytes] }, args },
        { downMs: 0, unknownMs: 0 },
      )
    expect(await put()).toMatchObject([['done', '1', `${bytes.length}`, '0']])
    expect(await put()).toMatchObject([['done', '1', `${bytes.length}`, '0']])
    await connection.run('discardBodies', 0, ['together'], { downMs: 0, unknownMs: 0 })
    expect(await bytesIn(opened.body(message.id))).toEqual(bytes)
    const { leased } = await opened.claim(alpha)
    expect(leased[0]!.body).toEqual(bytes)
    await opened.settle(leased[0]!.lease, { items: [], dsn: null }, alpha)
    expect(await put()).toMatchObject([['done', '0', '0', '0']])
    expect(await redis.cli('KEYS', '*:body:*')).toBe('\n')
  })

  it('leaves no body where the script that was to take it is refused', async () => {
    const opened = await start()
    await redis.cli('SET', '{relay:0}:items', 'of the wrong type')
    await expect(opened.put(newMessage(), { now: t0 })).rejects.toThrow(/WRONGTYPE/)
    await vi.waitFor(async () => expect(await redis.cli('KEYS', '*:body:*')).toBe('\n'))
  })

  it('does without a transaction where its user may not begin one', async () => {
    const opened = await start()
    await redis.cli('ACL', 'SETUSER', 'default', '-multi')
    const message = newMessage({ body: Buffer.from('a body') })
    await opened.put(message, { now: t0 })
    expect((await bytesIn(opened.body(message.id))).toString()).toBe('a body')
    const { leased } = await opened.claim(alpha)
    await opened.settle(leased[0]!.lease, { items: [], dsn: null }, alpha)
    expect(await redis.cli('KEYS', '*:body:*')).toBe('\n')
  })

  it('reads, and removes, a body that stands in its message, as it did in earlier versions', async () => {
    const opened = await start()
    const message = newMessage({ body: Buffer.from('long ago') })
    await opened.put(message, { now: t0 })
    const key = `{relay:0}:message:${message.id}`
    await redis.cli('DEL', await bodyKey(message.id))
    await redis.cli('HDEL', key, 'name')
    await redis.cli('HSET', key, 'body', 'long ago')
    expect((await bytesIn(opened.body(message.id))).toString()).toBe('long ago')
    const { leased } = await opened.claim(alpha)
    expect(leased[0]!.body?.toString()).toBe('long ago')
    await opened.settle(leased[0]!.lease, { items: [], dsn: null }, alpha)
    expect(await opened.totals({ now: t0 })).toMatchObject({ items: 0, bytes: 0 })
    expect(await redis.cli('KEYS', '*:message:*')).toBe('\n')
  })

  it('with a key of the wrong type where an item should be sets it aside', async () => {
    const opened = await start()
    const [bad, good] = [newMessage({ receivedAt: t0 - 5 }), newMessage()]
    for (const message of [bad, good]) await opened.put(message, { now: t0 })
    await redis.cli('DEL', `{relay:0}:item:${bad.items[0]!.id}`)
    await redis.cli('SET', `{relay:0}:item:${bad.items[0]!.id}`, 'x')
    const { leased } = await opened.claim(alpha)
    expect(leased.map(({ item }) => item.id)).toEqual([good.items[0]!.id])
    expect(await opened.totals({ now: t0 })).toMatchObject({ items: 1, corrupt: 1 })
  })

  it('lets a staged body expire that no message took, and never one that a message has', async () => {
    const opened = await start()
    const [left, taken] = [await opened.stage(newMessageId(t0)), await opened.stage(newMessageId(t0))]
    for (const stage of [left, taken]) await stage.append(Buffer.from('staged'))
    const message = newMessage({ id: taken.messageId })
    await opened.put({ ...message, body: { kind: 'staged', stage: taken } }, { now: t0 })
    const ttl = async ({ messageId }: { messageId: string }) =>
      Number(await redis.cli('TTL', await bodyKey(messageId)))
    expect(await ttl(left)).toBeGreaterThan(3000)
    expect(await ttl(taken)).toBe(-1)
  })

  it('refuses to read a stage that has expired, or to add to one that a message has', async () => {
    const opened = await start()
    const [left, taken] = [await opened.stage(newMessageId(t0)), await opened.stage(newMessageId(t0))]
    for (const stage of [left, taken]) await stage.append(Buffer.from('staged'))
    await redis.cli('DEL', await bodyKey(left.messageId))
    await expect(bytesIn(left.read())).rejects.toThrow(QueueUnavailable)
    const message = newMessage({ id: taken.messageId })
    await opened.put({ ...message, body: { kind: 'staged', stage: taken } }, { now: t0 })
    await expect(taken.append(Buffer.from(' more'))).rejects.toThrow(/exists/)
    expect((await bytesIn(opened.body(message.id))).toString()).toBe('staged')
  })

  it('reads, and removes, a body that was staged before stages had names', async () => {
    const opened = await start()
    const stage = await opened.stage(newMessageId(t0))
    await stage.append(Buffer.from('staged '))
    await stage.append(Buffer.from('long ago'))
    const message = newMessage({ id: stage.messageId })
    await opened.put({ ...message, body: { kind: 'staged', stage } }, { now: t0 })
    await redis.cli('RENAME', await bodyKey(message.id), `{relay:0}:body:${message.id}`)
    await redis.cli('HDEL', `{relay:0}:message:${message.id}`, 'name')
    expect((await bytesIn(opened.body(message.id))).toString()).toBe('staged long ago')
    const { leased } = await opened.claim(alpha)
    await opened.settle(leased[0]!.lease, { items: [], dsn: null }, alpha)
    expect(await redis.cli('KEYS', '*:body:*')).toBe('\n')
  })

  it('forgets in time what nothing counts of any more', async () => {
    const opened = await start()
    const windows = [{ limit: 'messagesPerMinute', windowMs: 60_000, most: 10, amount: 1 }]
    const spend = (key: string) => opened.spend({ key, windows, now: t0 })
    for (let n = 0; n < 300; n++) await spend(`limit:a:${n}`)
    const count = '{relay:0}:rate:messagesPerMinute:60000:limit:a:7'
    expect(Number(await redis.cli('PTTL', count))).toBeGreaterThan(60_000)
    expect(Number(await redis.cli('PTTL', '{relay:0}:rates'))).toBeGreaterThan(60_000)
    // As if their time had come.
    for (let n = 0; n < 290; n++) await redis.cli('DEL', count.replace(/7$/, `${n}`))
    for (let n = 300; n < 600; n++) await spend(`limit:a:${n}`)
    expect(await opened.counted('limit:', { now: t0, limit: 1000 })).toHaveLength(310)
    // 300 that are new have had 600 others looked at, among 300 to 600.
    expect(Number(await redis.cli('ZCARD', '{relay:0}:rates'))).toBeLessThan(310 + 145)
  })

  async function bodyKey(messageId: string): Promise<string> {
    return (await redis.cli('KEYS', `{relay:0}:body:${messageId}*`)).trim()
  }
})

async function bytesIn(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}

/** These wait for the queue's own clocks, so they wait together. */
describe.skipIf(!redisAvailable).concurrent('within seconds', () => {
  async function start(context: TestContext, settings: readonly string[] = []): Promise<RedisServer> {
    const redis = await startRedis(settings)
    context.onTestFinished(() => redis.destroy())
    return redis
  }

  async function open(context: TestContext, fields: RedisQueueFields): Promise<Queue> {
    const queue = await openQueue(fields)
    context.onTestFinished(() => queue.close({ deadlineMs: 1000 }))
    return queue
  }

  it('reports a server that does not run', async (context) => {
    const redis = await start(context)
    await redis.stop()
    const opening = openQueue({ url: redis.url })
    await context.expect(opening).rejects.toThrow(/cannot be reached: connect ECONNREFUSED/)
  })

  it('reports a refused password, and does not show it', async (context) => {
    const redis = await start(context)
    await redis.cli('CONFIG', 'SET', 'requirepass', 'right-secret')
    const opening = openQueue({ url: redis.url, password: 'wrong-secret' })
    await context.expect(opening).rejects.toThrow(`127.0.0.1:${redis.port}`)
    await context.expect(opening).rejects.toThrow(/WRONGPASS/)
    await context.expect(opening).rejects.not.toThrow(/wrong-secret/)
    await open(context, { url: `redis://default:right-secret@127.0.0.1:${redis.port}` })
  })

  it('notices that the store is gone though nothing arrives', async (context) => {
    const redis = await start(context)
    const logged: string[] = []
    const queue = await open(context, { url: redis.url, logged })
    await redis.cli('FLUSHALL')
    await vi.waitFor(() => context.expect(queue.fault()).toMatch(/gone/), { timeout: 8000 })
    context.expect(logged.join()).toMatch(/gone/)
  })

  it('notices that memory runs out before Redis refuses, and when there is room again', async (context) => {
    const redis = await start(context)
    const queue = await open(context, { url: redis.url })
    const used = Number(/used_memory:(\d+)/.exec(await redis.cli('INFO', 'memory'))![1])
    await redis.cli('CONFIG', 'SET', 'maxmemory', `${Math.round(used * 1.05)}`)
    await vi.waitFor(() => context.expect(queue.fault()).toMatch(/maxmemory/), { timeout: 8000 })
    await context.expect(queue.put(newMessage(), { now: t0 })).rejects.toThrow(QueueFull)
    await redis.cli('CONFIG', 'SET', 'maxmemory', '0')
    await vi.waitFor(() => context.expect(queue.fault()).toBeNull(), { timeout: 5000 })
    await queue.put(newMessage(), { now: t0 })
  })
})
