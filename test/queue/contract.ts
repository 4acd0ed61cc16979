/**
 * The queue's contract, run over each backend on its real store. Each promise of src/queue/queue.ts is a test
 * here; a backend's own file adds only what is its alone. Time is an argument of the port, so no test waits.
 */
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { itemId, newMessageId } from '../../src/message-id.ts'
import {
  BodyMissing,
  type ItemState,
  type LeasedItem,
  LeaseLost,
  type ListedItem,
  type ListFilter,
  type ListOptions,
  type NewMessage,
  type Queue,
  QueueFull,
  QueueUnavailable,
  type RateWindow,
  type Spent,
} from '../../src/queue/queue.ts'
import { spend as spendPurely, type Tallies } from '../../src/queue/rate.ts'
import { Prng } from '../support/prng.ts'
import { newItem, newMessage, recipient, sender, t0 } from '../support/queue-fixtures.ts'
import {
  bytesOf,
  claim,
  ids,
  itemIds,
  kibibyte,
  leaseMs,
  nothing,
  read,
  sibling,
  stageMessage,
} from './contract-calls.ts'
import { countedContract } from './contract-counted.ts'
import { siblingsContract } from './contract-siblings.ts'

/** One store of a backend, empty at first, and what may befall it. */
export interface Harness {
  /** Opens a queue on the store: the same store each time, also after `close` and after `crash`. */
  open(limits?: { readonly maxItems?: number; readonly maxBytes?: number }): Promise<Queue>
  /** Leaves the store as the death of the queue's process would: nothing is closed, no lease given back. */
  crash(queue: Queue): Promise<void>
  /** Overwrites the stored record of an item with bytes that are none. The store is closed meanwhile. */
  corrupt(itemId: string): Promise<void>
  /** Changes the stored record of an item, as text. The store is closed meanwhile. */
  edit(itemId: string, change: (record: string) => string): Promise<void>
  /** What a store that has no items still holds of the ones it had: nothing. Closes the queue. */
  residue?(): Promise<readonly string[]>
  /** Closes what is open and removes everything. */
  destroy(): Promise<void>
}

export function queueContract(name: string, create: () => Promise<Harness>): void {
  siblingsContract(name, create)
  countedContract(name, create)

  describe(`${name} queue`, () => {
    let harness: Harness
    let queue: Queue
    beforeEach(async () => {
      harness = await create()
      queue = await harness.open()
    })
    afterEach(async () => {
      await harness.destroy()
    })

    async function reopen(limits?: Parameters<Harness['open']>[0]): Promise<Queue> {
      await queue.close({ deadlineMs: 1000 })
      queue = await harness.open(limits)
      return queue
    }

    describe('put', () => {
      it('keeps the message and gives it to a claimer whole', async () => {
        const message = newMessage({ body: Buffer.from('Subject: x\r\n\r\nbody\r\n') })
        expect(await queue.put(message, { now: t0 })).toEqual([])
        const { leased, nextDueAt } = await claim(queue, { limit: 5 })
        expect(leased.map(({ item }) => item)).toEqual(message.items)
        expect(leased[0]!.body).toEqual(Buffer.from('Subject: x\r\n\r\nbody\r\n'))
        expect(leased[0]!.lease).toMatchObject({ itemId: message.items[0]!.id, expiresAt: t0 + leaseMs })
        expect(nextDueAt.size).toBe(0)
      })

      it('makes every field survive storage', async () => {
        const reply = { code: 450, enhanced: '4.2.1', text: 'Mailbox "füll" \u2028 busy' }
        const message = newItem({
          sender: sender('müller@example.com', {
            bodyType: '8bitmime',
            smtpUtf8: true,
            ret: 'hdrs',
            envid: 'a+2Bb',
          }),
          recipients: [
            recipient('a@example.org', { notify: 'never', orcpt: 'rfc822;a@example.org' }),
            recipient('b@example.org', { notify: ['failure', 'delay'], state: 'failed', lastReply: reply }),
            recipient('c@example.org', { state: 'delivered', lastReply: reply, lastHost: 'mx.example.net' }),
          ],
          client: { address: null, listener: null, user: null },
          internetMessageId: null,
          eightBit: true,
          delayNoticeAt: null,
          attempts: 7,
          suspended: 'held by rule "large"',
          requireTls: true,
          boundMark: true,
          lastError: '450 4.2.1 busy',
        })
        await queue.put(message, { now: t0 })
        expect((await queue.get(message.items[0]!.id, { now: t0 }))?.item).toEqual(message.items[0])
      })

      it('keeps an item of a thousand recipients', async () => {
        const recipients = Array.from({ length: 1000 }, (_, n) => recipient(`recipient-${n}@example.org`))
        const message = newItem({ recipients })
        await queue.put(message, { now: t0 })
        expect((await claim(queue, { limit: 1 })).leased[0]!.item).toEqual(message.items[0])
      })

      it('leases the items asked for in the same step, to the caller alone', async () => {
        const message = newMessage({ items: [{}, {}, { connector: 'beta' }] })
        const [first, second, third] = message.items.map((item) => item.id)
        const leases = await queue.put(message, { now: t0, lease: { itemIds: [first!, third!], leaseMs } })
        expect(leases).toMatchObject([
          { itemId: first, expiresAt: t0 + leaseMs },
          { itemId: third, expiresAt: t0 + leaseMs },
        ])
        const others = await claim(queue, { connector: ['alpha', 'beta'], limit: 5 })
        expect(ids(others.leased)).toEqual([second])
        for (const lease of leases) await queue.settle(lease, { items: [], dsn: null }, { now: t0 })
        expect(await states(queue)).toEqual({ [second!]: 'leased' })
      })

      it('returns an item that its putter never settled', async () => {
        const message = newItem()
        const id = message.items[0]!.id
        const [lease] = await queue.put(message, { now: t0, lease: { itemIds: [id], leaseMs } })
        expect(ids((await claim(queue, { now: t0 + leaseMs })).leased)).toEqual([id])
        await expect(queue.settle(lease!, nothing, { now: t0 + leaseMs })).rejects.toThrow(LeaseLost)
      })

      it('never doubles a message that is put twice, one after the other or at once', async () => {
        const message = newMessage({ items: [{}, { connector: 'beta' }] })
        await queue.put(message, { now: t0 })
        await queue.put(message, { now: t0 }).catch(() => undefined)
        const other = newMessage()
        await Promise.allSettled([queue.put(other, { now: t0 }), queue.put(other, { now: t0 })])
        expect((await queue.totals({ now: t0 })).items).toBe(3)
        const { leased } = await claim(queue, { connector: ['alpha', 'beta'], limit: 10 })
        expect(leased).toHaveLength(3)
        for (const { lease } of leased) await queue.settle(lease, nothing, { now: t0 })
        expect((await queue.totals({ now: t0 })).items).toBe(0)
        await expect(read(queue, message.id)).rejects.toThrow(BodyMissing)
        await expect(read(queue, other.id)).rejects.toThrow(BodyMissing)
      })

      it.each<[string, (message: NewMessage) => NewMessage]>([
        ['without items', (message) => ({ ...message, items: [] })],
        [
          'with two items of one id',
          (message) => ({ ...message, items: [...message.items, ...message.items] }),
        ],
        ['with an item of another message', (message) => ({ ...message, items: newMessage().items })],
        [
          'with an item that could not be read back',
          (message) => ({ ...message, items: message.items.map((item) => ({ ...item, attempts: 0.5 })) }),
        ],
      ])('refuses a message %s and keeps nothing of it', async (_, spoil) => {
        const message = newMessage()
        await expect(queue.put(spoil(message), { now: t0 })).rejects.toThrow()
        expect((await queue.totals({ now: t0 })).items).toBe(0)
        await expect(read(queue, message.id)).rejects.toThrow(BodyMissing)
      })

      it('refuses to lease a suspended item', async () => {
        const message = newItem({ suspended: 'held' })
        const lease = { itemIds: [message.items[0]!.id], leaseMs }
        await expect(queue.put(message, { now: t0, lease })).rejects.toThrow()
        expect((await queue.totals({ now: t0 })).items).toBe(0)
      })
    })

    describe('claim', () => {
      it('takes items in order of next attempt, then age', async () => {
        const ages = [5, 1, 4, 2, 3].map((age) => newItem({}, { receivedAt: t0 - age * 1000 }))
        const sameTime = ages.map((message) => ({
          ...message,
          items: message.items.map((item) => ({ ...item, nextAttemptAt: t0 })),
        }))
        const earlier = newItem({ nextAttemptAt: t0 - 1 }, { receivedAt: t0 })
        for (const message of [...sameTime, earlier]) await queue.put(message, { now: t0 })
        const { leased } = await claim(queue, { limit: 10 })
        expect(ids(leased)).toEqual([earlier, ...[0, 2, 4, 3, 1].map((n) => sameTime[n]!)].flatMap(itemIds))
      })

      it('takes at most the limit of each connector, and says that more is due', async () => {
        for (let n = 0; n < 5; n++) {
          const items = [{ connector: 'alpha' }, { connector: 'beta' }, { connector: 'gamma' }]
          await queue.put(newMessage({ receivedAt: t0 - 10 + n, items }), { now: t0 })
        }
        const connectors = [
          { connector: 'alpha', limit: 2 },
          { connector: 'beta', limit: 9 },
          { connector: 'gamma', limit: 0 },
        ]
        const { leased, nextDueAt } = await queue.claim({ now: t0, leaseMs, connectors })
        const taken = (connector: string) => leased.filter(({ item }) => item.connector === connector)
        expect(taken('alpha')).toHaveLength(2)
        expect(taken('beta')).toHaveLength(5)
        expect(leased).toHaveLength(7)
        expect(nextDueAt).toEqual(
          new Map([
            ['alpha', t0 - 8],
            ['gamma', t0 - 10],
          ]),
        )
      })

      it('leaves what is not due yet, and says when it will be', async () => {
        const later = newItem({ nextAttemptAt: t0 + 5000 })
        await queue.put(later, { now: t0 })
        await queue.put(newItem({ nextAttemptAt: t0 + 9000 }), { now: t0 })
        const early = await claim(queue, { limit: 5, now: t0 + 4999 })
        expect(early.leased).toEqual([])
        expect(early.nextDueAt.get('alpha')).toBe(t0 + 5000)
        const onTime = await claim(queue, { limit: 5, now: t0 + 5000 })
        expect(ids(onTime.leased)).toEqual(itemIds(later))
        expect(onTime.nextDueAt.get('alpha')).toBe(t0 + 9000)
      })

      it('never takes a suspended item, nor counts it or a leased one as next', async () => {
        const leasedItem = newItem({ nextAttemptAt: t0 - 3 })
        await queue.put(leasedItem, { now: t0 })
        expect(ids((await claim(queue)).leased)).toEqual(itemIds(leasedItem))
        await queue.put(newItem({ nextAttemptAt: t0 - 2, suspended: 'held' }), { now: t0 })
        expect(await claim(queue)).toEqual({ leased: [], nextDueAt: new Map() })
        await queue.put(newItem({ nextAttemptAt: t0 + 7 }), { now: t0 })
        expect((await claim(queue)).nextDueAt).toEqual(new Map([['alpha', t0 + 7]]))
      })

      it('looks only at the connectors it is asked about', async () => {
        await queue.put(newItem({ connector: 'alpha' }), { now: t0 })
        await queue.put(newItem({ connector: 'alphabet' }), { now: t0 })
        expect(await claim(queue, { connector: 'alp' })).toEqual({ leased: [], nextDueAt: new Map() })
        const { leased } = await claim(queue, { connector: 'alpha', limit: 5 })
        expect(leased.map(({ item }) => item.connector)).toEqual(['alpha'])
      })

      it('never gives two claimers the same item', async () => {
        const messages = Array.from({ length: 100 }, () => newMessage())
        await Promise.all(messages.map((message) => queue.put(message, { now: t0 })))
        const claims = await Promise.all(Array.from({ length: 6 }, () => claim(queue, { limit: 30 })))
        const taken = claims.flatMap(({ leased }) => ids(leased))
        expect(taken).toHaveLength(100)
        expect(new Set(taken)).toEqual(new Set(messages.flatMap(itemIds)))
      })
    })

    describe('overdue', () => {
      const overdue = async (now: number, limit = 10) => queue.overdue({ now, leaseMs, limit })
      const deadlines = (delayNoticeAt: number | null, expiresAt: number) => ({ delayNoticeAt, expiresAt })

      it('leases what is past its notice or its expiry, oldest deadline first, whatever its next attempt', async () => {
        const expired = newItem({ ...deadlines(null, t0 + 30), nextAttemptAt: t0 + 9999 })
        const delayed = newItem({ ...deadlines(t0 + 20, t0 + 100), connector: 'beta' })
        const both = newItem({ ...deadlines(t0 + 50, t0 + 10), connector: 'gamma' })
        for (const message of [expired, delayed, both]) await queue.put(message, { now: t0 })
        expect(await overdue(t0 + 9)).toEqual([])
        expect(ids(await overdue(t0 + 10))).toEqual(itemIds(both))
        const leased = await overdue(t0 + 40)
        expect(leased.map(({ item }) => item)).toEqual([...delayed.items, ...expired.items])
        expect(leased.map(({ body }) => body)).toEqual([delayed, expired].map(bytesOf))
        expect(await overdue(t0 + 50)).toEqual([])
      })

      it('gives items of one deadline in the order of their age', async () => {
        const messages = Array.from({ length: 40 }, () => newItem(deadlines(null, t0 + 10)))
        for (const message of [...messages].reverse()) await queue.put(message, { now: t0 })
        expect(ids(await overdue(t0 + 10, 100))).toEqual(messages.flatMap(itemIds).sort())
      })

      it('takes at most the limit, and neither suspended nor leased items', async () => {
        const [one, two, three] = [1, 2, 3].map((n) => newItem(deadlines(t0 + n, t0 + 100)))
        for (const message of [three!, two!, one!]) await queue.put(message, { now: t0 })
        await queue.put(newItem({ ...deadlines(t0, t0 + 100), suspended: 'held' }), { now: t0 })
        const leasedOne = newItem({ ...deadlines(t0, t0 + 100), connector: 'beta' })
        const lease = { itemIds: itemIds(leasedOne), leaseMs }
        await queue.put(leasedOne, { now: t0, lease })
        expect(ids(await overdue(t0 + 50, 2))).toEqual([one!, two!].flatMap(itemIds))
        expect(ids(await overdue(t0 + 50, 2))).toEqual(itemIds(three!))
        expect(ids(await overdue(t0 + leaseMs, 2))).toEqual(itemIds(leasedOne))
      })

      it('follows the item: changed, suspended, resumed, moved, and back after the lease', async () => {
        const message = newItem(deadlines(t0 + 10, t0 + leaseMs * 2))
        const id = message.items[0]!.id
        await queue.put(message, { now: t0 })
        const [{ item, lease }] = (await overdue(t0 + 10)) as [LeasedItem]
        const told = { ...item, delayNoticeAt: null, connector: 'beta', nextAttemptAt: t0 + 99 }
        await queue.settle(lease, { items: [told], dsn: sibling(id) }, { now: t0 + 10 })
        expect(await overdue(t0 + leaseMs)).toEqual([])
        await queue.change(id, { kind: 'suspend', reason: 'x' }, { now: t0 + leaseMs })
        expect(await overdue(t0 + leaseMs * 2)).toEqual([])
        await queue.change(id, { kind: 'resume' }, { now: t0 + leaseMs * 2 })
        expect((await claim(queue, { connector: 'beta', now: t0 + leaseMs * 2 })).leased).toHaveLength(1)
        expect(await overdue(t0 + leaseMs * 2)).toEqual([])
        const again = await overdue(t0 + leaseMs * 3)
        expect(again.map((leased) => leased.item)).toEqual([told])
        await queue.settle(again[0]!.lease, nothing, { now: t0 + leaseMs * 3 })
        await reopen()
        expect(await overdue(t0 + leaseMs * 9)).toEqual([])
      })
    })

    describe('leases', () => {
      it('run out: the item goes to the next claimer and the late settle changes nothing', async () => {
        const message = newMessage()
        await queue.put(message, { now: t0 })
        const first = (await claim(queue)).leased[0]!
        const expiry = t0 + leaseMs
        expect((await claim(queue, { now: expiry - 1 })).leased).toEqual([])
        const second = (await claim(queue, { now: expiry })).leased[0]!
        expect(second.item).toEqual(first.item)
        expect(second.lease.token).not.toBe(first.lease.token)

        const dsn = sibling(first.item.id)
        const outcome = { items: [{ ...first.item, connector: 'beta', attempts: 9 }], dsn }
        await expect(queue.settle(first.lease, outcome, { now: expiry })).rejects.toThrow(LeaseLost)
        expect(await queue.renew([first.lease], { now: expiry, leaseMs })).toEqual([])
        expect(await queue.get(first.item.id, { now: expiry })).toEqual({ item: first.item, state: 'leased' })
        expect(await queue.get(dsn.items[0]!.id, { now: expiry })).toBeNull()
        await expect(read(queue, dsn.id)).rejects.toThrow(BodyMissing)

        await queue.settle(second.lease, nothing, { now: expiry })
        expect((await queue.totals({ now: expiry })).items).toBe(0)
      })

      it('that ran out are gone also where nobody has claimed since', async () => {
        await queue.put(newMessage(), { now: t0 })
        const { item, lease } = (await claim(queue)).leased[0]!
        const late = { now: t0 + leaseMs }
        expect(await queue.renew([lease], { ...late, leaseMs })).toEqual([])
        await expect(queue.settle(lease, nothing, late)).rejects.toThrow(LeaseLost)
        expect(await queue.get(item.id, late)).toEqual({ item, state: 'ready' })
      })

      it('are prolonged by renew, each for itself', async () => {
        await queue.put(newItem({}, { receivedAt: t0 - 2 }), { now: t0 })
        await queue.put(newItem({}, { receivedAt: t0 - 1 }), { now: t0 })
        const [kept, left] = (await claim(queue, { limit: 2 })).leased
        const renewed = await queue.renew([kept!.lease], { now: t0 + 50_000, leaseMs })
        expect(renewed).toMatchObject([{ itemId: kept!.item.id, expiresAt: t0 + 50_000 + leaseMs }])
        const later = t0 + leaseMs + 1
        expect(ids((await claim(queue, { limit: 9, now: later })).leased)).toEqual([left!.item.id])
        expect(await queue.renew([left!.lease, renewed[0]!], { now: later, leaseMs })).toHaveLength(1)
        await queue.settle(renewed[0]!, nothing, { now: later })
        expect(await queue.get(kept!.item.id, { now: later })).toBeNull()
      })

      it('settle once', async () => {
        await queue.put(newMessage(), { now: t0 })
        const { item, lease } = (await claim(queue)).leased[0]!
        await queue.settle(lease, { items: [item], dsn: null }, { now: t0 })
        await expect(queue.settle(lease, nothing, { now: t0 })).rejects.toThrow(LeaseLost)
        expect(await queue.renew([lease], { now: t0, leaseMs })).toEqual([])
        expect(ids((await claim(queue)).leased)).toEqual([item.id])
      })

      it('of other items, and tokens never given, are refused', async () => {
        await queue.put(newItem({}, { receivedAt: t0 - 1 }), { now: t0 })
        await queue.put(newItem(), { now: t0 })
        const [one, two] = (await claim(queue, { limit: 2 })).leased.map(({ lease }) => lease)
        for (const forged of [
          { ...one!, itemId: two!.itemId },
          { ...one!, token: '0' },
          { ...one!, itemId: itemId(newMessageId(t0), 1) },
        ]) {
          await expect(queue.settle(forged, nothing, { now: t0 })).rejects.toThrow(LeaseLost)
          expect(await queue.renew([forged], { now: t0, leaseMs })).toEqual([])
        }
        expect((await queue.totals({ now: t0 })).items).toBe(2)
      })
    })

    describe('settle', () => {
      async function leasedItem(fields: Parameters<typeof newMessage>[0] = {}): Promise<LeasedItem> {
        await queue.put(newMessage(fields), { now: t0 })
        return (await claim(queue)).leased[0]!
      }

      it('removes the item and its body', async () => {
        const { item, lease } = await leasedItem()
        await queue.settle(lease, nothing, { now: t0 })
        expect(await queue.get(item.id, { now: t0 })).toBeNull()
        await expect(read(queue, item.messageId)).rejects.toThrow(BodyMissing)
        expect(await queue.totals({ now: t0 })).toEqual({
          connectors: new Map(),
          items: 0,
          bytes: 0,
          corrupt: 0,
        })
      })

      it('defers the item with what was learned', async () => {
        const { item, lease } = await leasedItem()
        const deferred = {
          ...item,
          attempts: 1,
          nextAttemptAt: t0 + 300_000,
          recipients: [{ ...item.recipients[0]!, lastReply: { code: 450, enhanced: null, text: 'later' } }],
          lastError: '450 later',
        }
        await queue.settle(lease, { items: [deferred], dsn: null }, { now: t0 })
        expect(await queue.get(item.id, { now: t0 })).toEqual({ item: deferred, state: 'deferred' })
        const early = await claim(queue, { now: t0 + 299_999 })
        expect(early).toEqual({ leased: [], nextDueAt: new Map([['alpha', t0 + 300_000]]) })
        expect((await claim(queue, { now: t0 + 300_000 })).leased[0]!.item).toEqual(deferred)
      })

      it('gives the item back unchanged', async () => {
        const { item, lease } = await leasedItem()
        await queue.settle(lease, { items: [item], dsn: null }, { now: t0 })
        expect((await claim(queue)).leased[0]!.item).toEqual(item)
      })

      it('moves the item to another connector', async () => {
        const { item, lease } = await leasedItem()
        const moved = { ...item, connector: 'beta' }
        await queue.settle(lease, { items: [moved], dsn: null }, { now: t0 })
        expect(await claim(queue)).toEqual({ leased: [], nextDueAt: new Map() })
        const { leased } = await claim(queue, { connector: 'beta' })
        expect(leased[0]!.item).toEqual(moved)
        expect(await read(queue, item.messageId)).toEqual(leased[0]!.body)
      })

      it('suspends the item', async () => {
        const { item, lease } = await leasedItem()
        const held = { ...item, suspended: 'unroutable' }
        await queue.settle(lease, { items: [held], dsn: null }, { now: t0 })
        expect((await claim(queue)).leased).toEqual([])
        expect(await queue.get(item.id, { now: t0 })).toEqual({ item: held, state: 'suspended' })
      })

      it('splits the item in two that share the body until both are gone', async () => {
        const { item, lease, body } = await leasedItem()
        const other = { ...item, id: itemId(item.messageId, 2), connector: 'beta' }
        await queue.settle(lease, { items: [item, other], dsn: null }, { now: t0 })
        const first = (await claim(queue)).leased[0]!
        await queue.settle(first.lease, nothing, { now: t0 })
        expect(await read(queue, item.messageId)).toEqual(body)
        const second = (await claim(queue, { connector: 'beta' })).leased[0]!
        expect(second).toMatchObject({ item: other, body })
        await queue.settle(second.lease, nothing, { now: t0 })
        await expect(read(queue, item.messageId)).rejects.toThrow(BodyMissing)
      })

      it('replaces the item by others alone', async () => {
        const { item, lease } = await leasedItem()
        const others = [2, 3].map((n) => ({ ...item, id: itemId(item.messageId, n) }))
        await queue.settle(lease, { items: others, dsn: null }, { now: t0 })
        expect(await queue.get(item.id, { now: t0 })).toBeNull()
        expect(ids((await claim(queue, { limit: 5 })).leased)).toEqual(others.map(({ id }) => id))
      })

      it('queues the DSN in the same step, with its body', async () => {
        const { item, lease } = await leasedItem()
        const dsn = sibling(item.id)
        await queue.settle(lease, { items: [], dsn }, { now: t0 })
        expect(await queue.get(item.id, { now: t0 })).toBeNull()
        expect(await read(queue, dsn.id)).toEqual(bytesOf(dsn))
        const { leased } = await claim(queue, { connector: 'dsn' })
        expect(leased[0]).toMatchObject({ item: dsn.items[0], body: bytesOf(dsn) })
        await queue.settle(leased[0]!.lease, nothing, { now: t0 })
        await expect(read(queue, dsn.id)).rejects.toThrow(BodyMissing)
      })

      it('keeps the item beside a DSN about its delay', async () => {
        const { item, lease } = await leasedItem()
        const dsn = sibling(item.id)
        const deferred = { ...item, delayNoticeAt: null, nextAttemptAt: t0 + 1 }
        await queue.settle(lease, { items: [deferred], dsn }, { now: t0 })
        expect(await states(queue)).toEqual({ [item.id]: 'deferred', [dsn.items[0]!.id]: 'ready' })
      })

      it('refuses an outcome that is not of this item, and the lease stays', async () => {
        const { item, lease } = await leasedItem()
        const foreign = newMessage()
        for (const outcome of [
          { items: foreign.items, dsn: null },
          { items: [item, item], dsn: null },
          { items: [], dsn: { ...sibling(item.id), items: [] } },
          { items: [{ ...item, attempts: -1 }], dsn: null },
        ])
          await expect(queue.settle(lease, outcome, { now: t0 })).rejects.toThrow(TypeError)
        expect(await states(queue)).toEqual({ [item.id]: 'leased' })
        await queue.settle(lease, nothing, { now: t0 })
      })

      it('keeps its promises with hundreds under way at once', async () => {
        const messages = Array.from({ length: 200 }, () => newMessage({ items: [{}, { connector: 'beta' }] }))
        const outcomes = messages.map(async (message) => {
          const itemIds = message.items.map(({ id }) => id)
          const [one, two] = await queue.put(message, { now: t0, lease: { itemIds, leaseMs } })
          const dsn = sibling(itemIds[0]!)
          await Promise.all([
            queue.settle(one!, { items: [], dsn }, { now: t0 }),
            queue.settle(two!, nothing, { now: t0 }),
          ])
          return dsn
        })
        const dsns = await Promise.all(outcomes)
        expect(await queue.totals({ now: t0 })).toMatchObject({ items: 200 })
        for (const message of messages) await expect(read(queue, message.id)).rejects.toThrow(BodyMissing)
        const { leased } = await claim(queue, { connector: 'dsn', limit: 500 })
        expect(new Set(ids(leased))).toEqual(new Set(dsns.flatMap(itemIds)))
        await Promise.all(leased.map(({ lease }) => queue.settle(lease, nothing, { now: t0 })))
        expect(await queue.totals({ now: t0 })).toEqual({
          connectors: new Map(),
          items: 0,
          bytes: 0,
          corrupt: 0,
        })
        expect((await harness.residue?.()) ?? []).toEqual([])
      })
    })

    describe('bodies', () => {
      const awkward = Buffer.from('a\0b\rc\nd\r\n.\r\n\n.\n\r.\r\x80\xff\xfe\xc3\x28\0', 'latin1')
      const bodies: [string, Buffer][] = [
        ['with NUL, bare CR and LF, dots and octets that are no UTF-8', awkward],
        ['of no bytes', Buffer.alloc(0)],
        ['of one byte', Buffer.alloc(1)],
        ['of 4 KiB', randomBytes(4 * kibibyte)],
        ['of 64 KiB less one', randomBytes(64 * kibibyte - 1)],
        ['of 64 KiB', randomBytes(64 * kibibyte)],
        ['of 64 KiB and one', randomBytes(64 * kibibyte + 1)],
        ['of 128 KiB', randomBytes(128 * kibibyte)],
        ['of 300 KiB', randomBytes(300 * kibibyte)],
      ]

      async function expectStored(message: NewMessage, bytes: Buffer): Promise<void> {
        expect(bytes.equals(await read(queue, message.id))).toBe(true)
        const claimed = (await claim(queue)).leased[0]!
        if (claimed.body !== null) expect(bytes.equals(claimed.body)).toBe(true)
        await queue.settle(claimed.lease, nothing, { now: t0 })
        await expect(read(queue, message.id)).rejects.toThrow(BodyMissing)
      }

      it.each(bodies)('inline, %s, come back byte for byte', async (_, bytes) => {
        const message = newMessage({ body: bytes })
        await queue.put(message, { now: t0 })
        await expectStored(message, bytes)
      })

      it.each(bodies)('staged, %s, come back byte for byte', async (_, bytes) => {
        const message = await stageMessage(queue, bytes, { chunkBytes: 7000 })
        await queue.put(message, { now: t0 })
        await expectStored(message, bytes)
      })

      it('of 5 MB, staged in the largest chunks, come back in chunks, after reopening too', async () => {
        const bytes = randomBytes(5_000_000)
        const message = await stageMessage(queue, bytes, { chunkBytes: 256 * kibibyte })
        await queue.put(message, { now: t0 })
        await reopen()
        for await (const chunk of queue.body(message.id))
          expect(chunk.length).toBeLessThanOrEqual(256 * kibibyte)
        await expectStored(message, bytes)
      })

      it('may be read by several at once, each at its own pace', async () => {
        const messages = await Promise.all(
          [1, 2, 3].map(() => stageMessage(queue, randomBytes(400 * kibibyte), { chunkBytes: 100_000 })),
        )
        for (const message of messages) await queue.put(message, { now: t0 })
        const twice = [...messages, ...messages]
        const contents = await Promise.all(twice.map((message) => read(queue, message.id)))
        contents.slice(0, 3).forEach((bytes, n) => {
          expect(bytes.equals(contents[n + 3]!)).toBe(true)
        })
      })

      it('that are discarded leave nothing', async () => {
        const message = await stageMessage(queue, randomBytes(300 * kibibyte), { chunkBytes: 100_000 })
        const { stage } = message.body as Extract<NewMessage['body'], { kind: 'staged' }>
        expect(stage).toMatchObject({ messageId: message.id, sizeBytes: 300 * kibibyte })
        await stage.discard()
        await stage.discard()
        await expect(read(queue, message.id)).rejects.toThrow(BodyMissing)
        await expect(queue.put(message, { now: t0 })).rejects.toThrow()
        expect((await queue.totals({ now: t0 })).items).toBe(0)
      })

      it('are kept when their stage is discarded after the put', async () => {
        const bytes = randomBytes(200 * kibibyte)
        const message = await stageMessage(queue, bytes, { chunkBytes: 100_000 })
        const { stage } = message.body as Extract<NewMessage['body'], { kind: 'staged' }>
        await queue.put(message, { now: t0 })
        await stage.discard()
        await expectStored(message, bytes)
      })

      it('that were never put are missing at the first read', async () => {
        await expect(read(queue, newMessageId(t0))).rejects.toThrow(BodyMissing)
      })

      it('shared by two items stay until the last one is gone, however it goes', async () => {
        const message = newMessage({ items: [{}, { connector: 'beta' }, { suspended: 'held' }] })
        await queue.put(message, { now: t0 })
        const { leased } = await claim(queue, { connector: ['alpha', 'beta'], limit: 5 })
        await Promise.all(leased.map(({ lease }) => queue.settle(lease, nothing, { now: t0 })))
        expect(await read(queue, message.id)).toEqual(bytesOf(message))
        await reopen()
        expect(await queue.change(message.items[2]!.id, { kind: 'remove', dsn: null }, { now: t0 })).toBe(
          'done',
        )
        await expect(read(queue, message.id)).rejects.toThrow(BodyMissing)
      })
    })

    describe('limits', () => {
      it('refuse what is more than maxItems, whole, until items leave', async () => {
        await reopen({ maxItems: 3 })
        await queue.put(newMessage({ items: [{}, {}] }), { now: t0 })
        const refused = newMessage({ items: [{}, {}] })
        await expect(queue.put(refused, { now: t0 })).rejects.toThrow(QueueFull)
        expect((await queue.totals({ now: t0 })).items).toBe(2)
        await expect(read(queue, refused.id)).rejects.toThrow(BodyMissing)
        await queue.put(newMessage(), { now: t0 })
        await expect(queue.put(newMessage(), { now: t0 })).rejects.toThrow(QueueFull)

        const [one, two] = (await claim(queue, { limit: 2 })).leased
        await queue.settle(one!.lease, nothing, { now: t0 })
        await queue.settle(two!.lease, nothing, { now: t0 })
        await queue.put(refused, { now: t0 })
        expect(await read(queue, refused.id)).toEqual(bytesOf(refused))
      })

      it('hold for many puts at once', async () => {
        await reopen({ maxItems: 10 })
        const puts = Array.from({ length: 30 }, () => queue.put(newMessage(), { now: t0 }))
        const results = await Promise.allSettled(puts)
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
        for (const result of results)
          if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(QueueFull)
        expect((await queue.totals({ now: t0 })).items).toBe(10)
      })

      it('refuse what is more than maxBytes until bodies leave, counted once for all items of a message', async () => {
        await reopen({ maxBytes: 10_000 })
        const body = randomBytes(6000)
        await queue.put(newMessage({ body, items: [{}, {}] }), { now: t0 })
        const refused = newMessage({ body })
        await expect(queue.put(refused, { now: t0 })).rejects.toThrow(QueueFull)
        await expect(read(queue, refused.id)).rejects.toThrow(BodyMissing)
        await reopen({ maxBytes: 10_000 })
        await expect(queue.put(refused, { now: t0 })).rejects.toThrow(QueueFull)
        const { leased } = await claim(queue, { limit: 2 })
        await queue.settle(leased[0]!.lease, nothing, { now: t0 })
        await expect(queue.put(refused, { now: t0 })).rejects.toThrow(QueueFull)
        await queue.settle(leased[1]!.lease, nothing, { now: t0 })
        await queue.put(refused, { now: t0 })
      })

      it('stop a staged body, whose bytes are free again when it is discarded', async () => {
        await reopen({ maxBytes: 400_000 })
        const stage = await queue.stage(newMessageId(t0))
        const message = { ...newMessage({ id: stage.messageId }), body: { kind: 'staged', stage } as const }
        const append = async (): Promise<void> => {
          for (let n = 0; n < 5; n++) await stage.append(randomBytes(100_000))
          await queue.put(message, { now: t0 })
        }
        await expect(append()).rejects.toThrow(QueueFull)
        await stage.discard()
        await queue.put(newMessage({ body: randomBytes(390_000) }), { now: t0 })
      })

      it('never stop an outcome: a full queue still splits items and queues DSNs', async () => {
        await reopen({ maxItems: 1, maxBytes: 2000 })
        await queue.put(newMessage({ body: randomBytes(2000) }), { now: t0 })
        const { item, lease } = (await claim(queue)).leased[0]!
        const other = { ...item, id: itemId(item.messageId, 2) }
        await queue.settle(lease, { items: [item, other], dsn: sibling(item.id) }, { now: t0 })
        expect((await queue.totals({ now: t0 })).items).toBe(3)
        await expect(queue.put(newMessage(), { now: t0 })).rejects.toThrow(QueueFull)
      })
    })

    describe('list', () => {
      const messages = [
        newItem({ sender: sender('a@example.com'), recipients: [recipient('x@example.org')] }),
        newItem({ sender: sender('b@sub.example.com'), connector: 'beta', nextAttemptAt: t0 + 5 }),
        newItem({ sender: sender(''), suspended: 'held', recipients: [recipient('y@example.net')] }),
        newMessage({ items: [{ connector: 'gamma' }, { connector: 'beta', suspended: 'held' }] }),
      ]
      const [first, second, third, fourth, fifth] = messages.flatMap(itemIds) as string[]

      it.each<[ListFilter, (string | undefined)[]]>([
        [{}, [first, second, third, fourth, fifth]],
        [{ connector: 'alpha' }, [first, third]],
        [{ connector: 'beta' }, [second, fifth]],
        [{ connector: 'bet' }, []],
        [{ state: 'suspended' }, [third, fifth]],
        [{ state: 'ready' }, [first]],
        [{ state: 'leased' }, [fourth]],
        [{ state: 'deferred' }, [second]],
        [{ connector: 'beta', state: 'suspended' }, [fifth]],
        [{ id: second! }, [second]],
        [{ id: messages[3]!.id }, [fourth, fifth]],
        [{ id: messages[3]!.id, connector: 'beta' }, [fifth]],
        [{ id: 'no such id' }, []],
        [{ sender: 'a@example.com' }, [first]],
        [{ sender: '@example.com' }, [first, fourth, fifth]],
        [{ sender: '@sub.example.com' }, [second]],
        [{ sender: '' }, [third]],
        [{ recipient: 'y@example.net' }, [third]],
        [{ recipient: '@example.net', connector: 'beta' }, []],
      ])('by %j', async (filter, expected) => {
        for (const message of messages) await queue.put(message, { now: t0 })
        await claim(queue, { connector: 'gamma' })
        const listed = await listAll(queue, filter, { limit: 100 })
        expect(new Set(listed.map(({ item }) => item.id))).toEqual(new Set(expected))
        expect(listed).toHaveLength(expected.length)
      })

      it.each<ListFilter>([{}, { connector: 'alpha' }, { state: 'suspended' }])(
        'by %j gives every item once, in pages of at most the limit',
        async (filter) => {
          const wanted = new Set<string>()
          for (let n = 0; n < 21; n++) {
            const fields = { suspended: n % 2 ? 'held' : null, connector: n % 3 ? 'alpha' : 'beta' }
            const message = newItem(fields, { receivedAt: t0 - (n % 4) })
            await queue.put(message, { now: t0 })
            if (filter.connector && fields.connector !== filter.connector) continue
            if (filter.state && fields.suspended === null) continue
            wanted.add(message.items[0]!.id)
          }
          const listed = await listAll(queue, filter, { limit: 3 })
          expect(listed).toHaveLength(wanted.size)
          expect(new Set(listed.map(({ item }) => item.id))).toEqual(wanted)
        },
      )

      it.each<ListFilter>([{}, { connector: 'alpha' }, { state: 'suspended' }, { sender: '@example.com' }])(
        'by %j is in the order of reception where that is asked for, page by page',
        async (filter) => {
          for (let n = 0; n < 12; n++) {
            const fields = { suspended: n % 2 ? 'held' : null, connector: n % 3 ? 'alpha' : 'beta' }
            const late = { ...fields, nextAttemptAt: t0 + 1000 - n }
            await queue.put(newItem(late, { receivedAt: t0 + ((n * 5) % 12) }), { now: t0 })
          }
          const oldest = await listAll(queue, filter, { limit: 2, order: 'oldest' })
          const newest = await listAll(queue, filter, { limit: 2, order: 'newest' })
          const any = await listAll(queue, filter, { limit: 100 })
          expect(oldest.map(({ item }) => item.receivedAt)).toEqual(
            any.map(({ item }) => item.receivedAt).sort((a, b) => a - b),
          )
          expect(newest).toEqual(oldest.toReversed())
        },
      )

      it('is empty for an empty queue', async () => {
        expect(await queue.list({}, { now: t0, limit: 10, after: null })).toEqual({ items: [], next: null })
      })
    })

    describe('get', () => {
      it('computes the state', async () => {
        const message = newItem({ nextAttemptAt: t0 + 10 })
        const item = message.items[0]!
        await queue.put(message, { now: t0 })
        expect(await queue.get(item.id, { now: t0 + 9 })).toEqual({ item, state: 'deferred' })
        expect(await queue.get(item.id, { now: t0 + 10 })).toEqual({ item, state: 'ready' })
        await claim(queue, { now: t0 + 10 })
        expect(await queue.get(item.id, { now: t0 + 10 })).toEqual({ item, state: 'leased' })
        expect(await queue.get(item.id, { now: t0 + 10 + leaseMs })).toEqual({ item, state: 'ready' })
      })

      it.each([itemId(newMessageId(t0), 1), 'nonsense', ''])('knows no item %j', async (id) => {
        expect(await queue.get(id, { now: t0 })).toBeNull()
      })
    })

    describe('change', () => {
      async function queued(fields: Parameters<typeof newItem>[0] = {}): Promise<string> {
        const message = newItem(fields)
        await queue.put(message, { now: t0 })
        return message.items[0]!.id
      }

      it('suspends, gives another reason, and resumes', async () => {
        const id = await queued()
        expect(await queue.change(id, { kind: 'suspend', reason: 'by admin' }, { now: t0 })).toBe('done')
        expect(await queue.get(id, { now: t0 })).toMatchObject({
          state: 'suspended',
          item: { suspended: 'by admin' },
        })
        expect(await queue.change(id, { kind: 'suspend', reason: 'still' }, { now: t0 })).toBe('done')
        expect(await claim(queue)).toEqual({ leased: [], nextDueAt: new Map() })
        expect((await queue.get(id, { now: t0 }))?.item.suspended).toBe('still')
        expect(await queue.change(id, { kind: 'resume' }, { now: t0 })).toBe('done')
        expect(await queue.change(id, { kind: 'resume' }, { now: t0 })).toBe('done')
        expect(ids((await claim(queue, { limit: 5 })).leased)).toEqual([id])
      })

      it('retries now what is deferred, and nothing else', async () => {
        const deferred = await queued({ nextAttemptAt: t0 + 60_000 })
        const due = await queued({ nextAttemptAt: t0 - 5 })
        const held = await queued({ nextAttemptAt: t0 + 60_000, suspended: 'held' })
        for (const id of [deferred, due, held])
          expect(await queue.change(id, { kind: 'retry' }, { now: t0 + 1 })).toBe('done')
        const { leased } = await claim(queue, { limit: 5, now: t0 + 1 })
        expect(leased.map(({ item }) => [item.id, item.nextAttemptAt])).toEqual([
          [due, t0 - 5],
          [deferred, t0 + 1],
        ])
        expect(await queue.get(held, { now: t0 + 1 })).toMatchObject({
          state: 'suspended',
          item: { nextAttemptAt: t0 + 1 },
        })
      })

      it("moves an item to another connector's queue, due at once, and leaves it suspended where it is", async () => {
        const deferred = await queued({ nextAttemptAt: t0 + 60_000 })
        const due = await queued({ nextAttemptAt: t0 - 5 })
        const held = await queued({ nextAttemptAt: t0 + 60_000, suspended: 'held' })
        const redirect = { kind: 'redirect', connector: 'beta' } as const
        for (const id of [deferred, due, held])
          expect(await queue.change(id, redirect, { now: t0 + 1 })).toBe('done')
        expect(await claim(queue, { limit: 5, now: t0 + 60_000 })).toEqual({
          leased: [],
          nextDueAt: new Map(),
        })
        expect(await queue.change(due, redirect, { now: t0 + 1 })).toBe('done')
        expect((await queue.totals({ now: t0 + 1 })).connectors).toEqual(
          new Map([['beta', { ready: 2, deferred: 0, leased: 0, suspended: 1 }]]),
        )
        const { leased } = await claim(queue, { connector: 'beta', limit: 5, now: t0 + 1 })
        expect(leased.map(({ item }) => [item.id, item.connector, item.nextAttemptAt])).toEqual([
          [due, 'beta', t0 - 5],
          [deferred, 'beta', t0 + 1],
        ])
        expect(await queue.get(held, { now: t0 + 1 })).toMatchObject({
          state: 'suspended',
          item: { connector: 'beta', nextAttemptAt: t0 + 1 },
        })
      })

      it('removes, with a DSN or without', async () => {
        const [one, two] = [await queued(), await queued({ suspended: 'held' })]
        const dsn = sibling(two)
        expect(await queue.change(one, { kind: 'remove', dsn: null }, { now: t0 })).toBe('done')
        expect(await queue.change(two, { kind: 'remove', dsn }, { now: t0 })).toBe('done')
        expect(await states(queue)).toEqual({ [dsn.items[0]!.id]: 'ready' })
        expect(await read(queue, dsn.id)).toEqual(bytesOf(dsn))
        for (const id of [one, two]) await expect(read(queue, id.slice(0, 20))).rejects.toThrow(BodyMissing)
      })

      it('refuses a leased item as busy, until the lease runs out', async () => {
        const id = await queued()
        const dsn = sibling(id)
        await claim(queue)
        for (const change of [
          { kind: 'suspend', reason: 'x' },
          { kind: 'resume' },
          { kind: 'retry' },
          { kind: 'redirect', connector: 'beta' },
          { kind: 'remove', dsn },
        ] as const)
          expect(await queue.change(id, change, { now: t0 })).toBe('busy')
        expect(await states(queue)).toEqual({ [id]: 'leased' })
        const late = { now: t0 + leaseMs }
        expect(await queue.change(id, { kind: 'remove', dsn }, late)).toBe('done')
      })

      it.each([itemId(newMessageId(t0), 1), 'nonsense'])('misses %j', async (id) => {
        expect(await queue.change(id, { kind: 'resume' }, { now: t0 })).toBe('missing')
        expect(await queue.change(id, { kind: 'remove', dsn: null }, { now: t0 })).toBe('missing')
      })

      it('never works on an item that a claimer takes at the same time', async () => {
        const queuedIds = await Promise.all(Array.from({ length: 20 }, () => queued()))
        const [{ leased }, ...results] = await Promise.all([
          claim(queue, { limit: 100 }),
          ...queuedIds.map((id) => queue.change(id, { kind: 'remove', dsn: null }, { now: t0 })),
        ])
        const removed = queuedIds.filter((_, n) => results[n] === 'done')
        expect(new Set([...removed, ...ids(leased)])).toEqual(new Set(queuedIds))
        expect(removed.length + leased.length).toBe(20)
      })
    })

    describe('totals', () => {
      it('count the bytes of bodies, each once, and no longer than it is kept', async () => {
        const body = Buffer.alloc(1000, 'x')
        const shared = newMessage({ body, items: [{}, { connector: 'beta' }] })
        await queue.put(shared, { now: t0 })
        await queue.put(newMessage({ body: body.subarray(0, 10) }), { now: t0 })
        expect((await queue.totals({ now: t0 })).bytes).toBe(1010)
        for (const id of itemIds(shared)) await queue.change(id, { kind: 'remove', dsn: null }, { now: t0 })
        expect((await queue.totals({ now: t0 })).bytes).toBe(10)
      })

      it('count each state of each connector, as time passes', async () => {
        const leasedOne = newItem({ nextAttemptAt: t0 - 1 })
        await queue.put(leasedOne, { now: t0 })
        await claim(queue)
        for (const nextAttemptAt of [t0, t0 + 10, t0 + 20, t0 + 20])
          await queue.put(newItem({ nextAttemptAt }), { now: t0 })
        await queue.put(newItem({ suspended: 'held' }), { now: t0 })
        await queue.put(newItem({ connector: 'beta' }), { now: t0 })

        const alpha = async (now: number) => (await queue.totals({ now })).connectors.get('alpha')
        expect(await queue.totals({ now: t0 })).toEqual({
          connectors: new Map([
            ['alpha', { ready: 1, deferred: 3, leased: 1, suspended: 1 }],
            ['beta', { ready: 1, deferred: 0, leased: 0, suspended: 0 }],
          ]),
          items: 7,
          bytes: expect.any(Number),
          corrupt: 0,
        })
        expect(await alpha(t0 + 9)).toEqual({ ready: 1, deferred: 3, leased: 1, suspended: 1 })
        expect(await alpha(t0 + 10)).toEqual({ ready: 2, deferred: 2, leased: 1, suspended: 1 })
        expect(await alpha(t0 + 20)).toEqual({ ready: 4, deferred: 0, leased: 1, suspended: 1 })
        expect(await alpha(t0 + 9)).toEqual({ ready: 1, deferred: 3, leased: 1, suspended: 1 })
        expect(await alpha(t0 + leaseMs)).toEqual({ ready: 5, deferred: 0, leased: 0, suspended: 1 })
      })

      it('follow every change', async () => {
        const message = newItem({ nextAttemptAt: t0 + 100 })
        const id = message.items[0]!.id
        const alpha = async () => (await queue.totals({ now: t0 + 50 })).connectors.get('alpha')
        await queue.put(message, { now: t0 })
        expect(await alpha()).toEqual({ ready: 0, deferred: 1, leased: 0, suspended: 0 })
        await queue.change(id, { kind: 'retry' }, { now: t0 + 50 })
        expect(await alpha()).toEqual({ ready: 1, deferred: 0, leased: 0, suspended: 0 })
        await queue.change(id, { kind: 'suspend', reason: 'x' }, { now: t0 + 50 })
        expect(await alpha()).toEqual({ ready: 0, deferred: 0, leased: 0, suspended: 1 })
        await queue.change(id, { kind: 'resume' }, { now: t0 + 50 })
        const { item, lease } = (await claim(queue, { now: t0 + 50 })).leased[0]!
        expect(await alpha()).toEqual({ ready: 0, deferred: 0, leased: 1, suspended: 0 })
        const deferred = { ...item, nextAttemptAt: t0 + 80 }
        await queue.settle(lease, { items: [deferred], dsn: null }, { now: t0 + 50 })
        expect(await alpha()).toEqual({ ready: 0, deferred: 1, leased: 0, suspended: 0 })
        await queue.change(id, { kind: 'remove', dsn: null }, { now: t0 + 50 })
        expect(await alpha()).toBeUndefined()
      })
    })

    describe('reopening', () => {
      it('finds everything as it was, and no leases, after a close', async () => {
        const shared = newMessage({ items: [{}, { connector: 'beta', nextAttemptAt: t0 + 5 }] })
        const held = newItem({ suspended: 'by rule' })
        const large = await stageMessage(queue, randomBytes(200_000), { chunkBytes: 64_000 })
        for (const message of [shared, held, large]) await queue.put(message, { now: t0 })
        const { lease } = (await claim(queue)).leased[0]!
        const before = await listAll(queue, {}, { limit: 100 })
        const bodyBefore = await read(queue, large.id)
        await reopen()
        await expect(queue.settle(lease, nothing, { now: t0 })).rejects.toThrow(LeaseLost)
        expect(byId(await listAll(queue, {}, { limit: 100 }))).toEqual(
          byId(
            before.map((listed) => ({
              ...listed,
              state: listed.state === 'leased' ? 'ready' : listed.state,
            })),
          ),
        )
        expect(bodyBefore.equals(await read(queue, large.id))).toBe(true)
        expect(await read(queue, shared.id)).toEqual(bytesOf(shared))
        expect((await claim(queue, { limit: 5 })).leased).toHaveLength(2)
        expect(await queue.totals({ now: t0 })).toEqual({
          connectors: new Map([
            ['alpha', { ready: 0, deferred: 0, leased: 2, suspended: 1 }],
            ['beta', { ready: 0, deferred: 1, leased: 0, suspended: 0 }],
          ]),
          items: 4,
          bytes: expect.any(Number),
          corrupt: 0,
        })
      })

      it('finds everything acknowledged after a crash; its leases come back at the latest when they run out', async () => {
        const leasedOne = newItem({ nextAttemptAt: t0 - 1 })
        const waiting = newMessage()
        const gone = newItem({ connector: 'beta' })
        for (const message of [leasedOne, waiting, gone]) await queue.put(message, { now: t0 })
        const settled = (await claim(queue, { connector: 'beta' })).leased[0]!
        await queue.settle(settled.lease, nothing, { now: t0 })
        const { lease } = (await claim(queue)).leased[0]!
        await harness.crash(queue)
        queue = await harness.open()
        const { leased } = await claim(queue, { connector: ['alpha', 'beta'], limit: 5, now: t0 + leaseMs })
        expect(ids(leased)).toEqual([leasedOne, waiting].flatMap(itemIds))
        expect(leased.map(({ body }) => body)).toEqual([leasedOne, waiting].map(bytesOf))
        await expect(queue.settle(lease, nothing, { now: t0 + leaseMs })).rejects.toThrow(LeaseLost)
        await expect(read(queue, gone.id)).rejects.toThrow(BodyMissing)
      })
    })

    it.each(['requireTls', 'boundMark'])('reads a record from before %s existed, as false', async (field) => {
      const message = newItem({ [field]: true })
      const id = message.items[0]!.id
      await queue.put(message, { now: t0 })
      await queue.close({ deadlineMs: 1000 })
      await harness.edit(id, (record) => record.replace(`,"${field}":true`, ''))
      queue = await harness.open()
      const { item, lease } = (await claim(queue)).leased[0]!
      expect(item).toEqual({ ...message.items[0], [field]: false })
      await queue.settle(lease, { items: [{ ...item, attempts: 1 }], dsn: null }, { now: t0 })
      expect((await queue.get(id, { now: t0 }))?.item).toEqual({ ...item, attempts: 1 })
    })

    describe('a record that cannot be read', () => {
      async function withCorruptRecord(fields: Parameters<typeof newItem>[0] = {}): Promise<string[]> {
        const messages = [3, 2, 1].map((age) => newItem(fields, { receivedAt: t0 - age }))
        for (const message of messages) await queue.put(message, { now: t0 })
        const all = messages.flatMap(itemIds)
        await queue.close({ deadlineMs: 1000 })
        await harness.corrupt(all[1]!)
        queue = await harness.open()
        return all
      }

      it('is set aside when a claim meets it, counted once, and the rest goes on', async () => {
        const [first, bad, last] = await withCorruptRecord()
        expect(ids((await claim(queue, { limit: 5 })).leased)).toEqual([first, last])
        expect(await queue.totals({ now: t0 })).toEqual({
          connectors: new Map([['alpha', { ready: 0, deferred: 0, leased: 2, suspended: 0 }]]),
          items: 2,
          bytes: expect.any(Number),
          corrupt: 1,
        })
        expect(await queue.get(bad!, { now: t0 })).toBeNull()
        expect(await claim(queue, { now: t0 + leaseMs, limit: 5 })).toMatchObject({ leased: { length: 2 } })
        await reopen()
        expect(await queue.totals({ now: t0 })).toMatchObject({ items: 2, corrupt: 1 })
      })

      it('does not take the place of one that the limit would allow', async () => {
        const [first, , last] = await withCorruptRecord()
        expect(ids((await claim(queue, { limit: 2 })).leased)).toEqual([first, last])
      })

      it('is set aside when its deadline has passed', async () => {
        const [first, , last] = await withCorruptRecord()
        const now = t0 + 30 * 86_400_000
        expect(new Set(ids(await queue.overdue({ now, leaseMs, limit: 5 })))).toEqual(new Set([first, last]))
        expect(await queue.totals({ now })).toMatchObject({ items: 2, corrupt: 1 })
        expect(await claim(queue, { now, limit: 5 })).toEqual({ leased: [], nextDueAt: new Map() })
      })

      it('is set aside when an operator meets it, suspended or not', async () => {
        const [first, bad, last] = await withCorruptRecord({ suspended: 'held' })
        const listed = await listAll(queue, {}, { limit: 2 })
        expect(new Set(listed.map(({ item }) => item.id))).toEqual(new Set([first, last]))
        expect(await queue.change(bad!, { kind: 'resume' }, { now: t0 })).toBe('missing')
        expect(await queue.totals({ now: t0 })).toEqual({
          connectors: new Map([['alpha', { ready: 0, deferred: 0, leased: 0, suspended: 2 }]]),
          items: 2,
          bytes: expect.any(Number),
          corrupt: 1,
        })
      })
    })

    describe('spend', () => {
      const day = 86_400_000
      const perMinute = (most: number, amount = 1) => ({
        limit: 'messagesPerMinute',
        windowMs: 60_000,
        most,
        amount,
      })
      const recipientsPerDay = (most: number, amount: number) => ({
        limit: 'recipientsPerDay',
        windowMs: day,
        most,
        amount,
      })
      const spend = (windows: readonly RateWindow[], { key = 'alpha', now = t0 } = {}) =>
        queue.spend({ key, windows, now })

      it('grants as many as the limit, and says when to ask again', async () => {
        for (let n = 0; n < 3; n++) expect(await spend([perMinute(3)])).toEqual({ granted: true })
        const refused = { granted: false, limit: 'messagesPerMinute', retryAt: t0 + 61_200 }
        expect(await spend([perMinute(3)])).toEqual(refused)
        expect(await spend([perMinute(3)], { now: t0 + 61_199 })).toEqual(refused)
        expect(await spend([perMinute(3)], { now: t0 + 61_200 })).toEqual({ granted: true })
      })

      it('has no border at which two windows meet', async () => {
        const times = [58_000, 59_000, 60_000, 119_999, 120_000, 121_000].map((ms) => t0 + ms)
        const answers = []
        for (const now of times) answers.push((await spend([perMinute(2)], { now })).granted)
        expect(answers).toEqual([true, true, false, true, true, false])
      })

      it('counts in all windows or in none', async () => {
        const both = (recipients: number) => [perMinute(2), recipientsPerDay(10, recipients)]
        expect(await spend(both(9))).toEqual({ granted: true })
        expect(await spend(both(2))).toMatchObject({ granted: false, limit: 'recipientsPerDay' })
        expect(await spend(both(1))).toEqual({ granted: true })
        const { retryAt, limit } = refusedOf(await spend(both(1)))
        expect(limit).toBe('recipientsPerDay')
        expect(retryAt).toBeGreaterThan(t0 + day)
        expect(retryAt).toBeLessThanOrEqual(t0 + day + day / 50)
      })

      it('says when enough has ended for the amount', async () => {
        for (const ms of [0, 10_000, 20_000]) await spend([perMinute(9, 3)], { now: t0 + ms })
        const retryAfter = async (amount: number) =>
          refusedOf(await spend([perMinute(9, amount)], { now: t0 + 30_000 })).retryAt - t0
        const answers = []
        for (const amount of [1, 3, 4, 9]) answers.push(await retryAfter(amount))
        // The slots are 1.2 s long: those of 10 s and of 20 s began at 9.6 s and 19.2 s.
        expect(answers).toEqual([61_200, 61_200, 70_800, 80_400])
      })

      it('grants what is larger than the limit where nothing else is counted', async () => {
        await spend([recipientsPerDay(100, 1)])
        const { retryAt } = refusedOf(await spend([recipientsPerDay(100, 250)]))
        expect(await spend([recipientsPerDay(100, 250)], { now: retryAt })).toEqual({ granted: true })
        expect((await spend([recipientsPerDay(100, 1)], { now: retryAt + day })).granted).toBe(false)
        expect((await spend([recipientsPerDay(100, 1)], { now: retryAt + 1.02 * day })).granted).toBe(true)
      })

      it('never grants more than the limit to many who ask at once', async () => {
        const answers = await Promise.all(Array.from({ length: 200 }, () => spend([perMinute(50)])))
        expect(answers.filter(({ granted }) => granted)).toHaveLength(50)
      })

      it('counts for each connector alone', async () => {
        expect((await spend([perMinute(1)])).granted).toBe(true)
        expect((await spend([perMinute(1)], { key: 'alphabet' })).granted).toBe(true)
        expect((await spend([perMinute(1)])).granted).toBe(false)
      })

      it('remembers over a restart and over a crash', async () => {
        await spend([perMinute(2), recipientsPerDay(9, 3)])
        await reopen()
        await spend([perMinute(2), recipientsPerDay(9, 3)])
        await harness.crash(queue)
        queue = await harness.open()
        expect((await spend([perMinute(2)])).granted).toBe(false)
        expect((await spend([recipientsPerDay(9, 4)])).granted).toBe(false)
        expect((await spend([recipientsPerDay(9, 3)])).granted).toBe(true)
      })

      it('frees nothing when the clock is set back a little, and believes it when it is set back far', async () => {
        await spend([perMinute(1)], { now: t0 + 30_000 })
        expect((await spend([perMinute(1)])).granted).toBe(false)
        expect((await spend([perMinute(1)], { now: t0 - 120_000 })).granted).toBe(true)
      })

      it('answers at random as rate.ts does', async () => {
        const random = new Prng(4711)
        let tallies: Tallies = {}
        let now = t0
        for (let step = 0; step < 300; step++) {
          now += random.chance(0.3) ? random.integer(0, 40_000) : random.integer(0, 50)
          if (random.chance(0.03)) now += random.integer(0, day / 4)
          if (random.chance(0.03)) now -= random.integer(0, 10_000)
          const windows = [perMinute(6, random.integer(1, 7)), recipientsPerDay(90, random.integer(1, 9))]
          const expected = spendPurely(tallies, { windows, now })
          tallies = expected.tallies
          expect(await spend(windows, { now }), `step ${step}`).toEqual(expected.spent)
        }
      })

      it('is refused once the queue is closed', async () => {
        await queue.close({ deadlineMs: 1000 })
        await expect(spend([perMinute(1)])).rejects.toThrow(QueueUnavailable)
        queue = await harness.open()
      })
    })

    describe('close', () => {
      it('ends the leases and refuses everything after', async () => {
        const message = newMessage()
        await queue.put(message, { now: t0 })
        const { lease } = (await claim(queue)).leased[0]!
        await queue.close({ deadlineMs: 1000 })
        await expect(queue.put(newMessage(), { now: t0 })).rejects.toThrow(QueueUnavailable)
        await expect(claim(queue)).rejects.toThrow(QueueUnavailable)
        await expect(queue.settle(lease, nothing, { now: t0 })).rejects.toThrow(QueueUnavailable)
        await expect(queue.totals({ now: t0 })).rejects.toThrow(QueueUnavailable)
        await expect(read(queue, message.id)).rejects.toThrow(QueueUnavailable)
        queue = await harness.open()
        expect(ids((await claim(queue)).leased)).toEqual(itemIds(message))
      })

      it('stores what was under way', async () => {
        const messages = Array.from({ length: 20 }, () => newMessage())
        const puts = Promise.allSettled(messages.map((message) => queue.put(message, { now: t0 })))
        await queue.close({ deadlineMs: 5000 })
        const kept = (await puts).filter(({ status }) => status === 'fulfilled')
        queue = await harness.open()
        expect((await queue.totals({ now: t0 })).items).toBe(kept.length)
      })

      it('may be called twice', async () => {
        await queue.close({ deadlineMs: 1000 })
        await queue.close({ deadlineMs: 1000 })
      })
    })

    it('counts nothing as corrupt that is only missing', async () => {
      const id = itemId(newMessageId(t0), 1)
      expect(await queue.get(id, { now: t0 })).toBeNull()
      expect(await queue.change(id, { kind: 'retry' }, { now: t0 })).toBe('missing')
      expect(await listAll(queue, { id }, { limit: 5 })).toEqual([])
      expect((await queue.totals({ now: t0 })).corrupt).toBe(0)
    })

    it('reports no fault while the store can be written to', () => {
      expect(queue.fault()).toBeNull()
    })
  })
}

function refusedOf(spent: Spent): Extract<Spent, { granted: false }> {
  if (spent.granted) throw new Error('granted')
  return spent
}

async function listAll(
  queue: Queue,
  filter: ListFilter,
  options: Pick<ListOptions, 'limit' | 'order'>,
): Promise<ListedItem[]> {
  const listed: ListedItem[] = []
  let after: string | null = null
  do {
    const page = await queue.list(filter, { ...options, now: t0, after })
    expect(page.items.length).toBeLessThanOrEqual(options.limit)
    listed.push(...page.items)
    after = page.next
  } while (after !== null)
  return listed
}

/** The state of each item in the queue, by id. */
async function states(queue: Queue): Promise<Record<string, ItemState>> {
  return Object.fromEntries(
    (await listAll(queue, {}, { limit: 100 })).map(({ item, state }) => [item.id, state]),
  )
}

const byId = (listed: readonly ListedItem[]): Map<string, ListedItem> =>
  new Map(listed.map((entry) => [entry.item.id, entry]))
