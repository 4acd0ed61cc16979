/** The part of the queue's contract about what is counted under many keys: it is listed, and it is forgotten. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Counted, type Queue, QueueUnavailable, type RateWindow } from '../../src/queue/queue.ts'
import { t0 } from '../support/queue-fixtures.ts'
import type { Harness } from './contract.ts'

const minute = 60_000
const day = 86_400_000

export function countedContract(name: string, create: () => Promise<Harness>): void {
  describe(`${name} queue, what is counted`, () => {
    let harness: Harness
    let queue: Queue
    beforeEach(async () => {
      harness = await create()
      queue = await harness.open()
    })
    afterEach(async () => {
      await harness.destroy()
    })

    const messages = (most: number, amount = 1): RateWindow => ({
      limit: 'messagesPerMinute',
      windowMs: minute,
      most,
      amount,
    })
    const bytes = (most: number, amount: number): RateWindow => ({
      limit: 'bytesPerDay',
      windowMs: day,
      most,
      amount,
    })
    const spend = (key: string, windows: readonly RateWindow[], now = t0) =>
      queue.spend({ key, windows, now })
    const counted = (prefix: string, { now = t0, limit = 100 } = {}) => queue.counted(prefix, { now, limit })
    const keys = (list: readonly Counted[]) => list.map(({ key }) => key)

    it('is listed by key and window, the fullest first, at most the limit', async () => {
      await spend('limit:a:one', [messages(10, 3), bytes(1e6, 900_000)])
      await spend('limit:a:two', [messages(10, 5), bytes(1e6, 10)])
      await spend('limit:a:two', [messages(10, 1), bytes(1e6, 10)])
      const all = [
        { key: 'limit:a:one', limit: 'bytesPerDay', windowMs: day, amount: 900_000, most: 1e6 },
        { key: 'limit:a:two', limit: 'messagesPerMinute', windowMs: minute, amount: 6, most: 10 },
        { key: 'limit:a:one', limit: 'messagesPerMinute', windowMs: minute, amount: 3, most: 10 },
        { key: 'limit:a:two', limit: 'bytesPerDay', windowMs: day, amount: 20, most: 1e6 },
      ]
      expect(await counted('limit:a:')).toEqual(all)
      expect(await counted('limit:a:', { limit: 2 })).toEqual(all.slice(0, 2))
    })

    it('is listed for keys of the prefix alone, whatever characters they have', async () => {
      const inside = [
        'limit:a:user@example.com',
        'limit:a:2001:db8::/64',
        'limit:a:*%[x]',
        'limit:a:<>',
        'limit:a:ü@example.com',
      ]
      for (const key of ['29', 'limit:b:user@example.com', 'limit:aa:x', 'limit:a', ...inside])
        await spend(key, [messages(10)])
      expect(new Set(keys(await counted('limit:a:')))).toEqual(new Set(inside))
      expect(keys(await counted('limit:b:'))).toEqual(['limit:b:user@example.com'])
      expect(keys(await counted('limit:'))).toHaveLength(inside.length + 3)
      expect(keys(await counted(''))).toHaveLength(inside.length + 4)
      expect(keys(await counted('limit:A:'))).toEqual([])
    })

    it('is as much as counts now', async () => {
      await spend('limit:a:x', [messages(10, 2), bytes(100, 7)])
      await spend('limit:a:x', [messages(10, 3), bytes(100, 7)], t0 + 40_000)
      const amounts = async (now: number) =>
        Object.fromEntries((await counted('limit:a:', { now })).map(({ limit, amount }) => [limit, amount]))
      expect(await amounts(t0 + 50_000)).toEqual({ messagesPerMinute: 5, bytesPerDay: 14 })
      expect(await amounts(t0 + 62_000)).toEqual({ messagesPerMinute: 3, bytesPerDay: 14 })
      expect(await amounts(t0 + 110_000)).toEqual({ bytesPerDay: 14 })
      expect(await amounts(t0 + 2 * day)).toEqual({})
    })

    it('counts against the limit that it was last counted against', async () => {
      await spend('limit:a:x', [messages(10, 4)])
      await spend('limit:a:x', [messages(20, 4)])
      await spend('limit:a:y', [messages(10, 5)])
      await spend('limit:a:y', [messages(10, 7)])
      expect((await counted('limit:a:')).map(({ key, amount, most }) => [key, amount, most])).toEqual([
        ['limit:a:y', 5, 10],
        ['limit:a:x', 8, 20],
      ])
    })

    it('is listed whole where there are thousands, and survives a restart', async () => {
      const all = Array.from({ length: 3000 }, (_, n) => ({ key: `limit:a:${n}`, amount: 1 + (n % 100) }))
      await Promise.all(all.map(({ key, amount }) => spend(key, [messages(100, amount)])))
      await queue.close({ deadlineMs: 5000 })
      queue = await harness.open()
      await spend('limit:a:29', [messages(100, 70)])
      const list = await counted('limit:a:', { limit: 10_000 })
      expect(list).toHaveLength(3000)
      expect(new Map(list.map(({ key, amount }) => [key, amount]))).toEqual(
        new Map(all.map(({ key, amount }) => [key, key === 'limit:a:29' ? 100 : amount])),
      )
      const amounts = list.map(({ amount }) => amount)
      expect(amounts).toEqual(amounts.toSorted((a, b) => b - a))
      expect(await counted('limit:a:', { limit: 31 })).toEqual(list.slice(0, 31))
    })

    it('is counted on for keys of which many others were counted since', async () => {
      await spend('limit:a:first', [messages(2)])
      await Promise.all(Array.from({ length: 2500 }, (_, n) => spend(`limit:a:${n}`, [messages(2)])))
      await spend('limit:a:first', [messages(2)])
      expect((await spend('limit:a:first', [messages(2)])).granted).toBe(false)
      expect((await spend('limit:a:7', [messages(2)])).granted).toBe(true)
      expect((await spend('limit:a:7', [messages(2)])).granted).toBe(false)
    })

    it('is counted once for each of thousands of keys that ask again and again at once', async () => {
      const asks = Array.from({ length: 6000 }, (_, n) => spend(`limit:a:${n % 3000}`, [messages(1)]))
      const granted = (await Promise.all(asks)).filter((spent) => spent.granted)
      expect(granted).toHaveLength(3000)
    })

    it('is not told once the queue is closed', async () => {
      await queue.close({ deadlineMs: 1000 })
      await expect(counted('')).rejects.toThrow(QueueUnavailable)
      queue = await harness.open()
    })
  })
}
