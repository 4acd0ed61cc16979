import { open } from 'lmdb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newMessageId } from '../../src/message-id.ts'
import { isDiskFull } from '../../src/queue/embedded/directory.ts'
import type { Queue } from '../../src/queue/queue.ts'
import { newItem, newMessage, t0 } from '../support/queue-fixtures.ts'
import { queueContract } from './contract.ts'
import { EmbeddedHarness } from './embedded-harness.ts'

queueContract('embedded', async () => new EmbeddedHarness())

describe('the embedded queue alone', () => {
  let harness: EmbeddedHarness
  beforeEach(() => {
    harness = new EmbeddedHarness()
  })
  afterEach(() => harness.destroy())

  it('gives items back at once after a crash', async () => {
    const queue = await harness.open()
    const message = newMessage()
    const lease = { itemIds: message.items.map(({ id }) => id), leaseMs: 60_000 }
    await queue.put(message, { now: t0, lease })
    await harness.crash(queue)
    const { leased } = await (await harness.open()).claim({
      now: t0,
      leaseMs: 60_000,
      connectors: [{ connector: 'alpha', limit: 5 }],
    })
    expect(leased.map(({ item }) => item)).toEqual(message.items)
  })

  it('removes at the next opening what a crash left of bodies that were never put', async () => {
    const queue = await harness.open()
    const messageId = newMessageId(t0)
    for (const id of [messageId, messageId, newMessageId(t0)]) {
      const stage = await queue.stage(id)
      for (let n = 0; n < 8; n++) await stage.append(Buffer.alloc(100_000))
    }
    await queue.put(newMessage(), { now: t0 })
    await harness.crash(queue)
    const reopened = await harness.open()
    const { leased } = await reopened.claim({
      now: t0,
      leaseMs: 1000,
      connectors: [{ connector: 'alpha', limit: 5 }],
    })
    for (const { lease } of leased) await reopened.settle(lease, { items: [], dsn: null }, { now: t0 })
    expect(await harness.residue()).toEqual([])
  })

  it('forgets in time what nothing counts of any more', async () => {
    const windows = [{ limit: 'messagesPerMinute', windowMs: 60_000, most: 10, amount: 1 }]
    const spend = (queue: Queue, range: [from: number, to: number], now: number) =>
      Promise.all(
        Array.from({ length: range[1] - range[0] }, (_, n) =>
          queue.spend({ key: `limit:a:${range[0] + n}`, windows, now }),
        ),
      )
    const first = await harness.open()
    await spend(first, [0, 400], t0)
    await first.close({ deadlineMs: 5000 })
    const queue = await harness.open()
    await spend(queue, [0, 10], t0 + 3_600_000)
    for (let from = 400; from < 800; from += 20) await spend(queue, [from, from + 20], t0 + 3_600_000)
    const list = await queue.counted('limit:', { now: t0 + 3_600_000, limit: 1000 })
    expect(list).toHaveLength(410)
    // 400 that are new have had the next 800 looked at, in turn, among 400 to 800.
    expect(await harness.countOf('rates')).toBeLessThan(410 + 40)
  })

  it('refuses a store of another format, and leaves it as it is', async () => {
    await (await harness.open()).close({ deadlineMs: 1000 })
    const root = open({ path: harness.dir, maxDbs: 16, overlappingSync: false })
    root.openDB({ name: 'meta', encoding: 'string' }).putSync('version', '2')
    await root.close()
    await expect(harness.open()).rejects.toThrow('has format 2, this relay reads format 1')
    await expect(harness.open()).rejects.toThrow('has format 2')
  })

  it('keeps its memory while a backlog of many times its size goes in, is listed, and comes out', async () => {
    const queue = await harness.open({ maxItems: 1e6 })
    const body = Buffer.alloc(60_000, 'x')
    const before = process.memoryUsage().rss
    let most = 0
    const look = (): void => {
      most = Math.max(most, process.memoryUsage().rss - before)
    }
    for (let n = 0; n < 100; n++) {
      const messages = Array.from({ length: 40 }, () => newItem({}, { body, receivedAt: t0 + n }))
      await Promise.all(messages.map((message) => queue.put(message, { now: t0 })))
      look()
    }
    for (;;) {
      const connectors = [{ connector: 'alpha', limit: 20 }]
      const { leased } = await queue.claim({ now: t0 + 1000, leaseMs: 60_000, connectors })
      if (leased.length === 0) break
      const settled = leased.map(({ lease }) =>
        queue.settle(lease, { items: [], dsn: null }, { now: t0 + 1000 }),
      )
      await Promise.all(settled)
      look()
    }
    expect((await queue.totals({ now: t0 })).items).toBe(0)
    expect(most).toBeLessThan(160 * 1024 * 1024)
  })

  it.each([
    [28, 0, true],
    [27, 1e12, true],
    [-30792, 1e12, true],
    [5, 0, true],
    [5, 1e12, false],
    [-30795, 0, false],
    [undefined, 0, false],
  ])('reads error code %s with %d bytes free as a full disk: %s', (code, free, full) => {
    expect(isDiskFull(code, () => free)).toBe(full)
  })
})
