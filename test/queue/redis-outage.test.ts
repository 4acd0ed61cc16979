/**
 * What becomes of mail when Redis dies, is away, or its answer is lost: nothing acknowledged is missing, nothing
 * settled comes back, and a step whose answer was lost is taken once.
 */
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { newMessageId, siblingMessageId } from '../../src/message-id.ts'
import { type LeasedItem, type NewMessage, type Queue, QueueUnavailable } from '../../src/queue/queue.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'
import { newItem, newMessage, t0 } from '../support/queue-fixtures.ts'
import { type RedisServer, redisAvailable, startRedis } from '../support/redis.ts'
import { openQueue } from '../support/redis-queue.ts'

const leaseMs = 60_000
const at = { now: t0 }
const gone = { items: [], dsn: null } as const

function claim(queue: Queue, fields: { now?: number; limit?: number } = {}) {
  const connectors = [{ connector: 'alpha', limit: fields.limit ?? 10 }]
  return queue.claim({ now: fields.now ?? t0, leaseMs, connectors })
}

const idOf = (message: NewMessage): string => message.items[0]!.id
const idsOf = (leased: readonly LeasedItem[]): string[] => leased.map(({ item }) => item.id)

/** These take long, so they run at the same time. */
describe.skipIf(!redisAvailable).concurrent('at the same time', () => {
  it('killed again and again under load, Redis has all that was acknowledged and nothing that was settled', async ({
    expect,
    onTestFinished,
  }) => {
    const redis = await startRedis()
    const queue = await openQueue({ url: redis.url })
    onTestFinished(async () => {
      await queue.close({ deadlineMs: 1000 })
      await redis.destroy()
    })
    const kept = new Set<string>()
    const refused = new Set<string>()
    const settled = new Set<string>()
    let working = true
    const settle = async ({ item, lease }: Pick<LeasedItem, 'item' | 'lease'>) => {
      await queue.settle(lease, gone, at)
      if (settled.has(item.id)) throw new Error(`${item.id} was settled twice`)
      settled.add(item.id)
    }
    const submit = async (leased: boolean) => {
      while (working) {
        const message = newMessage({ body: Buffer.alloc(2000, 'x') })
        const siblings = leased ? [] : [newMessage({ id: siblingMessageId(t0, message.id) })]
        const together = [message, ...siblings].map(idOf)
        const lease = leased ? { itemIds: [idOf(message)], leaseMs } : undefined
        try {
          const [held] = await queue.put(message, { ...at, siblings, ...(lease && { lease }) })
          for (const id of together) kept.add(id)
          if (held) await settle({ item: message.items[0]!, lease: held })
        } catch (error) {
          if (!(error instanceof QueueUnavailable)) throw error
          for (const id of together) refused.add(id)
        }
      }
    }
    const deliver = async () => {
      while (working) {
        const taken = await claim(queue, { limit: 3 }).catch((error: unknown) => {
          if (error instanceof QueueUnavailable) return { leased: [] }
          throw error
        })
        await Promise.all(taken.leased.map(settle))
        if (taken.leased.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    const load = [
      ...Array.from({ length: 12 }, () => submit(true)),
      ...Array.from({ length: 8 }, () => submit(false)),
      ...Array.from({ length: 8 }, () => deliver()),
    ]
    for (let kills = 0; kills < 5; kills++) {
      const before = kept.size
      await vi.waitFor(() => expect(kept.size).toBeGreaterThan(before + 400), { timeout: 8000 })
      await redis.kill9()
      await redis.restart()
    }
    await vi.waitFor(() => expect(queue.fault()).toBeNull(), { timeout: 5000 })
    working = false
    await Promise.all(load)

    const left = new Set<string>()
    for (;;) {
      const { leased } = await claim(queue, { now: t0 + leaseMs, limit: 500 })
      for (const id of idsOf(leased)) left.add(id)
      // Once leases of before the outage are taken back too, an empty answer is the end.
      if (leased.length === 0 && (await queue.totals(at)).items === left.size) break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect([...kept].filter((id) => !settled.has(id) && !left.has(id))).toEqual([])
    expect([...left].filter((id) => settled.has(id))).toEqual([])
    expect([...refused].filter((id) => settled.has(id) || left.has(id))).toEqual([])
    expect(settled.size).toBeGreaterThan(200)
  }, 60_000)

  it('a message whose put was never answered is refused, and taken back before anything is claimed', async ({
    expect,
    onTestFinished,
  }) => {
    const redis = await startRedis()
    const proxy = await CuttingProxy.to(redis.port)
    const logged: string[] = []
    const queue = await openQueue({ url: `redis://127.0.0.1:${proxy.port}`, logged })
    onTestFinished(async () => {
      await queue.close({ deadlineMs: 1000 })
      await proxy.close()
      await redis.destroy()
    })
    proxy.loseReply({ refuse: true })
    const message = newMessage({ items: [{}, { connector: 'beta' }] })
    const siblings = [newMessage({ id: siblingMessageId(t0, message.id) })]
    await expect(queue.put(message, { ...at, siblings })).rejects.toThrow(QueueUnavailable)
    // It was stored: another node, had there been one, would see it now.
    expect(await redis.cli('ZCARD', '{relay:0}:items')).toBe('3\n')
    proxy.restore()
    const { leased } = await vi.waitFor(() => claim(queue), { timeout: 5000 })
    expect(leased).toEqual([])
    expect(await queue.totals(at)).toEqual({ connectors: new Map(), items: 0, bytes: 0, corrupt: 0 })
    expect(await redis.cli('KEYS', '*:message:*')).toBe('\n')
    expect(logged.filter((line) => /refused/.test(line))).toHaveLength(2)
  }, 40_000)
})

describe.skipIf(!redisAvailable)('while Redis is away', () => {
  let redis: RedisServer
  let queue: Queue
  beforeEach(async () => {
    redis = await startRedis()
    queue = await openQueue({ url: redis.url })
  })
  afterEach(async () => {
    await queue.close({ deadlineMs: 100 })
    await redis.destroy()
  })

  it('refuses mail within seconds, then at once, and takes it again when Redis is back', async () => {
    await redis.stop()
    const first = performance.now()
    await expect(queue.put(newMessage(), at)).rejects.toThrow(QueueUnavailable)
    expect(performance.now() - first).toBeLessThan(4000)
    const second = performance.now()
    await expect(queue.put(newMessage(), at)).rejects.toThrow(/cannot be reached/)
    await expect(claim(queue)).rejects.toThrow(QueueUnavailable)
    await expect(queue.totals(at)).rejects.toThrow(QueueUnavailable)
    expect(performance.now() - second).toBeLessThan(500)
    expect(queue.fault()).toMatch(/cannot be reached/)
    await redis.restart()
    await vi.waitFor(() => expect(queue.fault()).toBeNull(), { timeout: 5000 })
    await queue.put(newMessage(), at)
    expect((await queue.totals(at)).items).toBe(1)
  })

  it('keeps mail waiting for a short while rather than refuse it', async () => {
    await redis.kill9()
    const message = newMessage()
    const put = queue.put(message, at)
    await redis.restart()
    await put
    expect(await queue.get(idOf(message), at)).not.toBeNull()
  })

  it('keeps outcomes, and stores them before anything is claimed again', async () => {
    const messages = Array.from({ length: 30 }, () => newMessage())
    for (const message of messages) await queue.put(message, at)
    const { leased } = await claim(queue, { limit: 30 })
    await redis.stop()
    const outcomes = leased.map(({ item, lease }, n) => {
      const dsn = n % 2 ? newItem({}, { id: siblingMessageId(t0, item.id) }) : null
      return queue.settle(lease, { items: [], dsn }, at)
    })
    const settled = Promise.all(outcomes)
    await expect(claim(queue)).rejects.toThrow(QueueUnavailable)
    await redis.restart()
    // Long after the leases ran out: only what the outcomes say may be claimed.
    const after = await vi.waitFor(() => claim(queue, { now: t0 + leaseMs, limit: 100 }), { timeout: 5000 })
    await settled
    const old = new Set(idsOf(leased))
    expect(after.leased.filter(({ item }) => old.has(item.id))).toEqual([])
    expect(after.leased).toHaveLength(15)
    expect((await queue.totals(at)).items).toBe(15)
  })

  it('gives outcomes up only when the queue is closed, and says so', async () => {
    const logged: string[] = []
    await queue.close({ deadlineMs: 100 })
    queue = await openQueue({ url: redis.url, logged })
    await queue.put(newMessage(), at)
    const { lease } = (await claim(queue)).leased[0]!
    await redis.stop()
    const settled = expect(queue.settle(lease, gone, at)).rejects.toThrow(QueueUnavailable)
    await queue.close({ deadlineMs: 200 })
    await settled
    expect(logged).toContain('Outcomes of attempts could not be stored: expect duplicates')
  })
})

describe.skipIf(!redisAvailable)('when an answer is lost', () => {
  let redis: RedisServer
  let proxy: CuttingProxy
  let queue: Queue
  beforeEach(async () => {
    redis = await startRedis()
    proxy = await CuttingProxy.to(redis.port)
    queue = await openQueue({ url: `redis://127.0.0.1:${proxy.port}` })
  })
  afterEach(async () => {
    expect(proxy.lost).toBe(true)
    await queue.close({ deadlineMs: 1000 })
    await proxy.close()
    await redis.destroy()
  })

  it('a message is put once, with the leases asked for', async () => {
    const message = newMessage()
    proxy.loseReply()
    const [lease] = await queue.put(message, { ...at, lease: { itemIds: [idOf(message)], leaseMs } })
    expect((await queue.totals(at)).items).toBe(1)
    await queue.settle(lease!, gone, at)
    expect((await queue.totals(at)).items).toBe(0)
  })

  it('a message and its siblings are put once, with the leases asked for of each', async () => {
    const message = newMessage()
    const id = siblingMessageId(t0, message.id)
    const stage = await queue.stage(id)
    await stage.append(Buffer.from('staged'))
    const other = newMessage({ id, items: [{}, { suspended: 'held' }] })
    const siblings: NewMessage[] = [{ ...other, body: { kind: 'staged', stage } }]
    const lease = { itemIds: [idOf(message), idOf(other)], leaseMs }
    proxy.loseReply()
    const leases = await queue.put(message, { ...at, siblings, lease })
    expect(leases.map(({ itemId }) => itemId)).toEqual(lease.itemIds)
    expect((await queue.totals(at)).items).toBe(3)
    for (const each of leases) await queue.settle(each, gone, at)
    expect((await queue.totals(at)).items).toBe(1)
  })

  it('a claim has what it leased', async () => {
    for (let n = 0; n < 5; n++) await queue.put(newMessage(), at)
    proxy.loseReply()
    const { leased } = await claim(queue, { limit: 3 })
    expect(leased).toHaveLength(3)
    expect(await queue.totals(at)).toMatchObject({
      connectors: new Map([['alpha', { ready: 2, deferred: 0, leased: 3, suspended: 0 }]]),
    })
    for (const { lease } of leased) await queue.settle(lease, gone, at)
  })

  it('so has a claim of what is overdue', async () => {
    for (let n = 0; n < 5; n++) await queue.put(newItem({ expiresAt: t0 - n, delayNoticeAt: null }), at)
    proxy.loseReply()
    const leased = await queue.overdue({ now: t0, leaseMs, limit: 3 })
    expect(leased.map(({ item }) => item.expiresAt)).toEqual([t0 - 4, t0 - 3, t0 - 2])
    expect((await queue.totals(at)).connectors.get('alpha')).toMatchObject({ leased: 3 })
  })

  it.each([
    ['removed', false],
    ['deferred', true],
  ])('an item is %s once, with its DSN', async (_, stays) => {
    await queue.put(newMessage(), at)
    const { item, lease } = (await claim(queue)).leased[0]!
    const dsn = newItem({ connector: 'dsn' }, { id: siblingMessageId(t0, item.id) })
    const items = stays ? [{ ...item, nextAttemptAt: t0 + 5 }] : []
    proxy.loseReply()
    await queue.settle(lease, { items, dsn }, at)
    expect((await queue.totals(at)).items).toBe(stays ? 2 : 1)
    expect((await queue.get(idOf(dsn), at))?.state).toBe('ready')
    expect((await queue.get(item.id, at))?.state).toBe(stays ? 'deferred' : undefined)
  })

  it('an outcome is settled also where the item was leased again meanwhile', async () => {
    await queue.put(newMessage(), at)
    const { item, lease } = (await claim(queue)).leased[0]!
    const other = await openQueue({ url: redis.url })
    onTestFinished(() => other.close({ deadlineMs: 1000 }))
    proxy.loseReply({ refuse: true })
    const settled = queue.settle(lease, { items: [item], dsn: null }, at)
    await vi.waitFor(async () => expect((await claim(other)).leased).toHaveLength(1))
    proxy.restore()
    await settled
    expect((await queue.get(item.id, at))?.state).toBe('leased')
  })

  it('an operator removes once, with one DSN', async () => {
    const message = newMessage()
    await queue.put(message, at)
    const dsn = newItem({}, { id: siblingMessageId(t0, message.id) })
    // The first answer is the record.
    proxy.loseReply({ answered: 1 })
    expect(await queue.change(idOf(message), { kind: 'remove', dsn }, at)).toBe('done')
    expect((await queue.totals(at)).items).toBe(1)
  })

  it('a chunk is stored once', async () => {
    const stage = await queue.stage(newMessageId(t0))
    for (const chunk of ['one', 'two', 'three']) {
      proxy.loseReply()
      await stage.append(Buffer.from(chunk))
    }
    const message = newMessage({ id: stage.messageId })
    await queue.put({ ...message, body: { kind: 'staged', stage } }, at)
    const chunks: Buffer[] = []
    for await (const chunk of queue.body(message.id)) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe('onetwothree')
  })
})
