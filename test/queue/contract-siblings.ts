/**
 * The part of the queue's contract that policy needs: several messages kept in one step, all or none, and bodies
 * on their way in that are read again before they are put, several of one message.
 */
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { itemId, newMessageId, siblingMessageId } from '../../src/message-id.ts'
import {
  BodyMissing,
  LeaseLost,
  type NewMessage,
  type PutOptions,
  type Queue,
  QueueFull,
  QueueUnavailable,
  type Stage,
} from '../../src/queue/queue.ts'
import { type MessageFields, newMessage, t0 } from '../support/queue-fixtures.ts'
import type { Harness } from './contract.ts'
import { bytesOf, claim, ids, itemIds, kibibyte, leaseMs, nothing, read } from './contract-calls.ts'

export function siblingsContract(name: string, create: () => Promise<Harness>): void {
  describe(`${name} queue, several messages in one step`, () => {
    let harness: Harness
    let queue: Queue
    beforeEach(async () => {
      harness = await create()
      queue = await harness.open()
    })
    afterEach(async () => {
      await harness.destroy()
    })

    const itemsOf = async (): Promise<number> => (await queue.totals({ now: t0 })).items

    /** Also that nobody finds anything of them in the store; which is closed then. */
    async function expectNothing(messages: readonly NewMessage[]): Promise<void> {
      expect(await queue.totals({ now: t0 })).toEqual({
        connectors: new Map(),
        items: 0,
        bytes: 0,
        corrupt: 0,
      })
      for (const { id } of messages) await expect(read(queue, id)).rejects.toThrow(BodyMissing)
      expect((await harness.residue?.()) ?? []).toEqual([])
    }

    it('keeps each with its items and its body, until each is gone', async () => {
      const [message, ...siblings] = family([
        { items: [{}, { connector: 'beta' }] },
        { body: Buffer.from('Subject: changed\r\n\r\n') },
        { items: [{ connector: 'beta', suspended: 'held' }] },
      ])
      expect(await queue.put(message!, { now: t0, siblings })).toEqual([])
      const { leased } = await claim(queue, { connector: ['alpha', 'beta'], limit: 9 })
      const due = [message!, siblings[0]!]
      expect(new Set(ids(leased))).toEqual(new Set(due.flatMap(itemIds)))
      for (const { item, body } of leased)
        expect(body).toEqual(bytesOf(due.find(({ id }) => id === item.messageId)!))
      for (const { lease } of leased) await queue.settle(lease, nothing, { now: t0 })
      for (const { id } of due) await expect(read(queue, id)).rejects.toThrow(BodyMissing)
      expect(await read(queue, siblings[1]!.id)).toEqual(bytesOf(siblings[1]!))
      const held = siblings[1]!.items[0]!.id
      expect(await queue.change(held, { kind: 'remove', dsn: null }, { now: t0 })).toBe('done')
      await expectNothing([message!, ...siblings])
    })

    it('leases the items asked for, of whichever message, in the order they were asked for', async () => {
      const [message, ...siblings] = family([{ items: [{}, {}] }, { items: [{}, {}] }, {}])
      const [first, second, third, fourth, fifth] = [message!, ...siblings].flatMap(itemIds)
      const lease = { itemIds: [fourth!, fifth!, first!], leaseMs }
      const leases = await queue.put(message!, { now: t0, lease, siblings })
      expect(leases).toMatchObject(
        [fourth, fifth, first].map((id) => ({ itemId: id, expiresAt: t0 + leaseMs })),
      )
      expect(ids((await claim(queue, { limit: 9 })).leased).sort()).toEqual([second, third].sort())
      for (const each of leases) await queue.settle(each, nothing, { now: t0 })
      expect(await itemsOf()).toBe(2)
      expect(await read(queue, siblings[0]!.id)).toEqual(bytesOf(siblings[0]!))
      await expect(read(queue, siblings[1]!.id)).rejects.toThrow(BodyMissing)
    })

    it('refuses all where the sum of their items is too much, and takes what fits exactly', async () => {
      await queue.close({ deadlineMs: 1000 })
      queue = await harness.open({ maxItems: 4 })
      const [message, ...siblings] = family([{ items: [{}, {}] }, {}, { items: [{}, {}] }])
      await expect(queue.put(message!, { now: t0, siblings })).rejects.toThrow(QueueFull)
      expect(await itemsOf()).toBe(0)
      await queue.put(message!, { now: t0, siblings: siblings.slice(1) })
      expect(await itemsOf()).toBe(4)
    })

    it('refuses all where the sum of their bytes is too much, staged ones included', async () => {
      await queue.close({ deadlineMs: 1000 })
      queue = await harness.open({ maxBytes: 300 * kibibyte })
      const messages = family([
        { body: randomBytes(100 * kibibyte) },
        { body: randomBytes(150 * kibibyte) },
        { body: randomBytes(51 * kibibyte) },
      ])
      const [message, large, small] = messages
      const { stage, staged } = await intoStage(queue, large!)
      const put = queue.put(message!, { now: t0, siblings: [staged, small!] })
      await expect(put).rejects.toThrow(QueueFull)
      expect(await itemsOf()).toBe(0)
      await queue.put(message!, { now: t0, siblings: [staged] })
      await stage.discard()
      for (const each of [message!, large!])
        expect(bytesOf(each).equals(await read(queue, each.id))).toBe(true)
      await expect(read(queue, small!.id)).rejects.toThrow(BodyMissing)
    })

    type Spoil = (siblings: readonly NewMessage[]) => Partial<PutOptions>
    it.each<[string, Spoil]>([
      ['of another partition', ([one]) => ({ siblings: [one!, elsewhere(one!)] })],
      ['that is there twice', ([one]) => ({ siblings: [one!, one!] })],
      ['without items', ([one, two]) => ({ siblings: [one!, { ...two!, items: [] }] })],
      ['with an item of another', ([one, two]) => ({ siblings: [{ ...one!, items: two!.items }] })],
      [
        'with an item that could not be read back',
        ([one, two]) => ({ siblings: [one!, { ...two!, items: [{ ...two!.items[0]!, attempts: -1 }] }] }),
      ],
      [
        'whose suspended item is to be leased',
        ([one, two]) => ({
          siblings: [one!, { ...two!, items: [{ ...two!.items[0]!, suspended: 'held' }] }],
          lease: { itemIds: itemIds(two!), leaseMs },
        }),
      ],
      [
        'and a lease on an item of none of them',
        ([one, two]) => ({ siblings: [one!], lease: { itemIds: itemIds(two!), leaseMs } }),
      ],
    ])('refuses all for a sibling %s, and keeps nothing of any', async (_, spoil) => {
      const [message, ...siblings] = family([{}, {}, {}])
      await expect(queue.put(message!, { now: t0, ...spoil(siblings) })).rejects.toThrow()
      await expectNothing([message!, ...siblings])
    })

    it('refuses the message itself as its sibling', async () => {
      const message = newMessage()
      await expect(queue.put(message, { now: t0, siblings: [message] })).rejects.toThrow()
      await expectNothing([message])
    })

    it('refuses all where one of them is queued already, and that one stays', async () => {
      const [message, there, other] = family([{}, {}, {}])
      await queue.put(there!, { now: t0 })
      const put = queue.put(message!, { now: t0, siblings: [other!, there!] })
      await expect(put).rejects.toThrow()
      expect(ids((await claim(queue, { limit: 9 })).leased)).toEqual(itemIds(there!))
      for (const each of [message!, other!]) await expect(read(queue, each.id)).rejects.toThrow(BodyMissing)
    })

    it('keeps bodies that were staged beside inline ones, and all of it through a crash', async () => {
      const messages = family([
        { body: randomBytes(200 * kibibyte) },
        {},
        { body: randomBytes(300 * kibibyte) },
      ])
      const [message, inline, other] = messages
      const [one, two] = [await intoStage(queue, message!), await intoStage(queue, other!)]
      const siblings = [inline!, two.staged]
      const lease = { itemIds: itemIds(inline!), leaseMs }
      const [held] = await queue.put(one.staged, { now: t0, siblings, lease })
      await harness.crash(queue)
      queue = await harness.open()
      for (const each of messages) expect(bytesOf(each).equals(await read(queue, each.id))).toBe(true)
      const { leased } = await claim(queue, { limit: 9, now: t0 + leaseMs })
      expect(ids(leased).sort()).toEqual(messages.flatMap(itemIds).sort())
      await expect(queue.settle(held!, nothing, { now: t0 + leaseMs })).rejects.toThrow(LeaseLost)
    })

    it('leaves nothing of stages whose put was refused, once they are discarded', async () => {
      const messages = family([{ body: randomBytes(200 * kibibyte) }, { body: randomBytes(70_000) }, {}])
      const [message, other, wrong] = messages
      const [one, two] = [await intoStage(queue, message!), await intoStage(queue, other!)]
      const siblings = [two.staged, { ...wrong!, items: [] }]
      await expect(queue.put(one.staged, { now: t0, siblings })).rejects.toThrow()
      for (const { stage } of [one, two]) await stage.discard()
      await expectNothing(messages)
    })

    it('keeps its promises with many puts at once', async () => {
      const families = Array.from({ length: 60 }, () => family([{}, { items: [{}, {}] }, {}]))
      await Promise.all(
        families.map(async ([message, ...siblings]) => {
          const lease = { itemIds: itemIds(siblings[0]!), leaseMs }
          const leases = await queue.put(message!, { now: t0, siblings, lease })
          await Promise.all(leases.map((each) => queue.settle(each, nothing, { now: t0 })))
        }),
      )
      expect(await itemsOf()).toBe(120)
      const { leased } = await claim(queue, { limit: 500 })
      await Promise.all(leased.map(({ lease }) => queue.settle(lease, nothing, { now: t0 })))
      await expectNothing(families.flat())
    })

    describe('a stage', () => {
      it('is read from the beginning as often as it is asked for, as far as it has come', async () => {
        const bytes = randomBytes(500_000)
        const stage = await queue.stage(newMessageId(t0))
        expect((await bytesIn(stage)).length).toBe(0)
        let end = 0
        for (const length of [10, 65_526, 1, 100_000, 256 * kibibyte, 40_000]) {
          await stage.append(bytes.subarray(end, end + length))
          end += length
          for (let again = 0; again < 2; again++)
            expect(bytes.subarray(0, end).equals(await bytesIn(stage))).toBe(true)
        }
        const message = newMessage({ id: stage.messageId })
        await queue.put({ ...message, body: { kind: 'staged', stage } }, { now: t0 })
        expect(bytes.subarray(0, end).equals(await read(queue, message.id))).toBe(true)
      })

      it('is read in pieces of at most 256 KiB, by several at once', async () => {
        const message = newMessage({ body: randomBytes(1_000_000) })
        const { stage } = await intoStage(queue, message, { chunkBytes: 256 * kibibyte })
        const readers = [1, 2, 3].map(async () => {
          for await (const chunk of stage.read()) expect(chunk.length).toBeLessThanOrEqual(256 * kibibyte)
          return bytesIn(stage)
        })
        for (const bytes of await Promise.all(readers)) expect(bytes.equals(bytesOf(message))).toBe(true)
      })

      it('may be left before its end, and is read while another is written', async () => {
        const message = newMessage({ body: randomBytes(700_000) })
        const one = await intoStage(queue, message)
        for await (const chunk of one.stage.read()) {
          expect(chunk.length).toBeGreaterThan(0)
          break
        }
        const copy = await queue.stage(message.id)
        for await (const chunk of one.stage.read()) await copy.append(chunk)
        await queue.put({ ...message, body: { kind: 'staged', stage: copy } }, { now: t0 })
        await one.stage.discard()
        expect(bytesOf(message).equals(await read(queue, message.id))).toBe(true)
      })

      type Order = readonly ('put' | 'discard')[]
      const sizes = [100, 64 * kibibyte - 1, 64 * kibibyte, 200_000]
      const orders: [number, Order, number][] = sizes.flatMap((size) =>
        [0, 1].flatMap((taken): [number, Order, number][] => [
          [taken, ['put', 'discard'], size],
          [taken, ['discard', 'put'], size],
        ]),
      )
      it.each(orders)(
        'number %i of two of one message is taken (%j), of %i bytes; nothing is left of the other',
        async (taken, order, size) => {
          const message = newMessage({ body: randomBytes(size) })
          const stages = [await queue.stage(message.id), await queue.stage(message.id)]
          const [mine, other] = [stages[taken]!, stages[1 - taken]!]
          for (let at = 0; at < 300_000; at += 50_000) {
            await other.append(Buffer.alloc(50_000, 'x'))
            if (at < size) await mine.append(bytesOf(message).subarray(at, at + 50_000))
          }
          for (const step of order)
            if (step === 'discard') await other.discard()
            else await queue.put({ ...message, body: { kind: 'staged', stage: mine } }, { now: t0 })
          await mine.discard()
          await queue.close({ deadlineMs: 1000 })
          queue = await harness.open()
          expect(bytesOf(message).equals(await read(queue, message.id))).toBe(true)
          const { lease, body } = (await claim(queue)).leased[0]!
          if (body !== null) expect(body.equals(bytesOf(message))).toBe(true)
          await queue.settle(lease, nothing, { now: t0 })
          await expectNothing([message])
        },
      )

      it('keeps its bytes while another of its message is given up, and goes on', async () => {
        const message = newMessage({ body: randomBytes(400_000) })
        const given = await queue.stage(message.id)
        const kept = await queue.stage(message.id)
        await given.append(randomBytes(200_000))
        await kept.append(bytesOf(message).subarray(0, 200_000))
        await given.discard()
        const third = await queue.stage(message.id)
        await third.append(randomBytes(200_000))
        await kept.append(bytesOf(message).subarray(200_000))
        expect(bytesOf(message).equals(await bytesIn(kept))).toBe(true)
        await queue.put({ ...message, body: { kind: 'staged', stage: kept } }, { now: t0 })
        await third.discard()
        expect(bytesOf(message).equals(await read(queue, message.id))).toBe(true)
      })

      it('cannot be read once it is discarded, nor once the queue is closed', async () => {
        const [one, two] = [await queue.stage(newMessageId(t0)), await queue.stage(newMessageId(t0))]
        for (const stage of [one, two]) await stage.append(randomBytes(100_000))
        await one.discard()
        await expect(bytesIn(one)).rejects.toThrow()
        await queue.close({ deadlineMs: 1000 })
        await expect(bytesIn(two)).rejects.toThrow(QueueUnavailable)
        queue = await harness.open()
      })
    })
  })
}

/** Messages that may be put together: the first, and siblings of it. */
function family(fields: readonly MessageFields[]): NewMessage[] {
  const first = newMessageId(t0)
  return fields.map((each, n) => newMessage({ id: n === 0 ? first : siblingMessageId(t0, first), ...each }))
}

/** The message under an id of another partition. */
function elsewhere({ id }: NewMessage): NewMessage {
  const other = id.slice(0, -1) + (id.endsWith('0') ? '1' : '0')
  return newMessage({ id: other, items: [{ id: itemId(other, 1) }] })
}

async function intoStage(
  queue: Queue,
  message: NewMessage,
  { chunkBytes = 100_000 } = {},
): Promise<{ stage: Stage; staged: NewMessage }> {
  const bytes = bytesOf(message)
  const stage = await queue.stage(message.id)
  for (let at = 0; at < bytes.length; at += chunkBytes)
    await stage.append(bytes.subarray(at, at + chunkBytes))
  return { stage, staged: { ...message, body: { kind: 'staged', stage } } }
}

async function bytesIn(stage: Stage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stage.read()) chunks.push(chunk)
  return Buffer.concat(chunks)
}
