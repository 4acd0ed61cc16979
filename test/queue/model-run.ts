/**
 * Random operations on a queue and on the model, every answer compared. A failure names its seed: run it again
 * with `SEED=…`.
 */
import { expect } from 'vitest'
import { itemId, messageIdPartitionDigit, newMessageId } from '../../src/message-id.ts'
import {
  BodyMissing,
  type Change,
  type Lease,
  type LeasedItem,
  LeaseLost,
  type ListFilter,
  type NewMessage,
  type Outcome,
  type Queue,
  type QueueItem,
} from '../../src/queue/queue.ts'
import { Prng } from '../support/prng.ts'
import { newMessage, recipient, sender, t0 } from '../support/queue-fixtures.ts'
import type { Harness } from './contract.ts'
import { QueueModel } from './model.ts'

const connectors = ['alpha', 'beta', 'gamma', 'unreachable'] as const
const leaseMs = 100
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** The seed of this run: from the environment, or new. */
export const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))

export async function runModel(harness: Harness, options: { seed: number; steps: number }): Promise<void> {
  const run = new ModelRun(harness, await harness.open(), options.seed)
  for (let step = 0; step < options.steps; step++) {
    try {
      await run.step()
    } catch (error) {
      throw new Error(`SEED=${options.seed}, step ${step}, ${run.operation}`, { cause: error })
    }
  }
  await run.removeAll()
  expect((await harness.residue?.()) ?? []).toEqual([])
}

class ModelRun {
  operation = ''
  readonly #harness: Harness
  readonly #random: Prng
  readonly #model = new QueueModel(t0)
  #queue: Queue
  /** Leases ever given, the last ones: some run, most do not. */
  #leases: Lease[] = []
  /** Ids ever used, the last ones. */
  #ids: string[] = []
  /** Each operation as often as it stands here. */
  readonly #operations = [
    ...[this.put, this.put, this.put, this.put, this.claim, this.claim, this.claim, this.claim],
    ...[this.settle, this.settle, this.settle, this.settle, this.settle, this.overdue, this.renew],
    ...[this.advance, this.advance, this.change, this.change, this.list, this.totals, this.get, this.body],
  ]

  constructor(harness: Harness, queue: Queue, seed: number) {
    this.#harness = harness
    this.#queue = queue
    this.#random = new Prng(seed)
  }

  async step(): Promise<void> {
    const operation = this.#random.chance(0.005) ? this.reopen : this.#random.pick(this.#operations)
    this.operation = operation.name
    await operation.call(this)
  }

  async put(): Promise<void> {
    const { now } = this.#model
    const message = this.#message(this.#messageId())
    const siblings = Array.from({ length: this.#random.pick([0, 0, 0, 1, 3]) }, () =>
      this.#message(this.#siblingId(message.id)),
    )
    const messages = [message, ...siblings]
    const items = messages.flatMap((each) => each.items)
    const itemIds = items
      .filter((item) => item.suspended === null && this.#random.chance(0.4))
      .map((item) => item.id)
    const [first, ...others] = await Promise.all(messages.map((each) => this.#perhapsStaged(each)))
    const lease = { itemIds, leaseMs }
    const leases = await this.#queue.put(first!, {
      now,
      lease,
      ...(others.length > 0 && { siblings: others }),
    })
    expect(leases.map((each) => each.itemId)).toEqual(itemIds)
    for (const each of messages) this.#model.put(each)
    this.#granted(leases)
    this.#remember(...items.map((item) => item.id))
  }

  async claim(): Promise<void> {
    const { now } = this.#model
    const asked = connectors
      .filter(() => this.#random.chance(0.6))
      .map((connector) => ({ connector, limit: this.#random.integer(0, 4) }))
    const { leased, nextDueAt } = await this.#queue.claim({ now, leaseMs, connectors: asked })
    for (const one of asked) {
      const [items, next] = this.#model.claimable(one)
      this.#expectLeased(
        leased.filter(({ item }) => item.connector === one.connector),
        items,
      )
      expect(nextDueAt.get(one.connector)).toBe(next)
    }
    this.#granted(leased.map(({ lease }) => lease))
  }

  async overdue(): Promise<void> {
    const limit = this.#random.integer(0, 4)
    const leased = await this.#queue.overdue({ now: this.#model.now, leaseMs, limit })
    this.#expectLeased(leased, this.#model.overdue(limit))
    this.#granted(leased.map(({ lease }) => lease))
  }

  async settle(): Promise<void> {
    const lease = this.#anyLease()
    if (lease === null) return
    const outcome = this.#outcome(lease.itemId)
    const settled = this.#queue.settle(lease, outcome, { now: this.#model.now })
    if (!this.#model.holds(lease)) {
      await expect(settled).rejects.toThrow(LeaseLost)
      return
    }
    await settled
    this.#model.settle(lease, outcome)
    this.#remember(...outcome.items.map(({ id }) => id), ...(outcome.dsn?.items ?? []).map(({ id }) => id))
  }

  async renew(): Promise<void> {
    const { now } = this.#model
    const leases = this.#leases.filter(() => this.#random.chance(0.3))
    const renewed = await this.#queue.renew(leases, { now, leaseMs })
    const held = leases.filter((lease) => this.#model.holds(lease))
    expect(renewed).toEqual(held.map((lease) => ({ ...lease, expiresAt: now + leaseMs })))
    this.#model.lease(renewed)
  }

  async advance(): Promise<void> {
    this.#model.now += this.#random.pick([1, 5, 20, 60, 150])
  }

  async change(): Promise<void> {
    const id = this.#anyId()
    const dsn = this.#random.chance(0.3) ? this.#dsn(id) : null
    const change = this.#random.pick<Change>([
      { kind: 'suspend', reason: `held ${this.#random.integer(1, 3)}` },
      { kind: 'resume' },
      { kind: 'retry' },
      { kind: 'redirect', connector: this.#random.pick(connectors) },
      { kind: 'remove', dsn },
    ])
    const result = await this.#queue.change(id, change, { now: this.#model.now })
    expect(result).toBe(this.#model.change(id, change))
  }

  async list(): Promise<void> {
    const filter = this.#random.pick<ListFilter>([
      {},
      { connector: this.#random.pick(connectors) },
      { connector: this.#random.pick(connectors), state: this.#random.pick(['ready', 'leased']) },
      { state: this.#random.pick(['suspended', 'leased', 'deferred', 'ready']) },
      { id: this.#anyId() },
      { id: this.#anyId().slice(0, 20) },
      { sender: '@example.com' },
      { recipient: 'user1@example.org' },
    ])
    const limit = this.#random.pick([1, 7, 1000])
    const listed = new Map<string, unknown>()
    let after: string | null = null
    do {
      const page = await this.#queue.list(filter, { now: this.#model.now, limit, after })
      expect(page.items.length).toBeLessThanOrEqual(limit)
      for (const entry of page.items) {
        expect(listed.has(entry.item.id)).toBe(false)
        listed.set(entry.item.id, entry)
      }
      after = page.next
    } while (after !== null)
    const wanted = this.#model.list(filter).map((item) => [item.id, this.#listed(item)] as const)
    expect(listed).toEqual(new Map(wanted))
  }

  async totals(): Promise<void> {
    const totals = await this.#queue.totals({ now: this.#model.now })
    expect(totals).toMatchObject({
      connectors: this.#model.depths(),
      items: this.#model.items.size,
      corrupt: 0,
    })
  }

  async get(): Promise<void> {
    const id = this.#anyId()
    const item = this.#model.items.get(id)
    expect(await this.#queue.get(id, { now: this.#model.now })).toEqual(item ? this.#listed(item) : null)
  }

  async body(): Promise<void> {
    const messageId = this.#anyId().slice(0, 20)
    const wanted = this.#model.bodies.get(messageId)
    const chunks: Buffer[] = []
    const read = async (): Promise<Buffer> => {
      for await (const chunk of this.#queue.body(messageId)) chunks.push(chunk)
      return Buffer.concat(chunks)
    }
    if (wanted === undefined) await expect(read()).rejects.toThrow(BodyMissing)
    else expect(wanted.equals(await read())).toBe(true)
  }

  async reopen(): Promise<void> {
    await this.#queue.close({ deadlineMs: 5000 })
    this.#queue = await this.#harness.open()
    this.#model.leases.clear()
  }

  /** Takes everything out, when all leases have run out. */
  async removeAll(): Promise<void> {
    const now = this.#model.now + 2 * leaseMs
    for (const id of this.#model.items.keys())
      expect(await this.#queue.change(id, { kind: 'remove', dsn: null }, { now })).toBe('done')
    expect(await this.#queue.totals({ now })).toEqual({
      connectors: new Map(),
      items: 0,
      bytes: 0,
      corrupt: 0,
    })
  }

  #expectLeased(leased: readonly LeasedItem[], items: readonly QueueItem[]): void {
    expect(leased.map(({ item }) => item)).toEqual(items)
    for (const { item, lease, body } of leased) {
      expect(lease).toMatchObject({ itemId: item.id, expiresAt: this.#model.now + leaseMs })
      expect(body === null || body.equals(this.#model.bodies.get(item.messageId)!)).toBe(true)
    }
  }

  #listed(item: QueueItem): unknown {
    return { item, state: this.#model.stateOf(item) }
  }

  #granted(leases: readonly Lease[]): void {
    this.#model.lease(leases)
    this.#leases = [...this.#leases, ...leases].slice(-30)
  }

  #remember(...ids: readonly string[]): void {
    this.#ids = [...this.#ids, ...ids].slice(-60)
  }

  #anyLease(): Lease | null {
    return this.#leases.length === 0 ? null : this.#random.pick(this.#leases)
  }

  #anyId(): string {
    return this.#ids.length > 0 && this.#random.chance(0.95)
      ? this.#random.pick(this.#ids)
      : itemId(this.#messageId(), 1)
  }

  /** As `newMessageId`, but the same in each run of a seed. */
  #messageId(): string {
    const random = Array.from({ length: 10 }, () => digits[this.#random.integer(0, 31)]).join('')
    return newMessageId(this.#model.now).slice(0, 10) + random
  }

  #siblingId(id: string): string {
    return this.#messageId().slice(0, -1) + messageIdPartitionDigit(id)
  }

  #message(id: string): NewMessage {
    const items = Array.from({ length: this.#random.pick([1, 1, 1, 2, 3]) }, () => this.#fields())
    const size = this.#random.pick([0, 1, 500, 500, 500, 65_536, 70_000])
    return newMessage({ id, receivedAt: this.#model.now, body: Buffer.alloc(size, id), items })
  }

  /** The same message, its body now and then on its way through the store, beside one that is given up. */
  async #perhapsStaged(message: NewMessage): Promise<NewMessage> {
    if (message.body.kind !== 'inline' || this.#random.chance(0.7)) return message
    const { bytes } = message.body
    const isSecond = this.#random.chance(0.5)
    const [one, other] = [await this.#queue.stage(message.id), await this.#queue.stage(message.id)]
    const [taken, left] = isSecond ? [other, one] : [one, other]
    await taken.append(bytes)
    await left.append(Buffer.alloc(80_000, 'x'))
    await left.discard()
    return { ...message, body: { kind: 'staged', stage: taken } }
  }

  #fields(): Partial<QueueItem> {
    const { now } = this.#model
    return {
      connector: this.#random.pick(connectors),
      sender: sender(this.#random.pick(['', 'a@example.com', 'b@example.net'])),
      recipients: [recipient(`user${this.#random.integer(1, 3)}@example.org`)],
      nextAttemptAt: now + this.#random.integer(-50, 200),
      delayNoticeAt: this.#random.chance(0.5) ? now + this.#random.integer(0, 500) : null,
      expiresAt: now + this.#random.integer(0, 1500),
      suspended: this.#random.chance(0.15) ? 'held' : null,
      requireTls: this.#random.chance(0.1),
      boundMark: this.#random.chance(0.1),
    }
  }

  #outcome(id: string): Outcome {
    const item = this.#model.items.get(id)
    const dsn = this.#random.chance(0.2) ? this.#dsn(id) : null
    if (item === undefined) return { items: [], dsn }
    const split = {
      ...item,
      ...this.#fields(),
      id: itemId(item.messageId, this.#random.integer(100, 999_999)),
    }
    const items = this.#random.pick<readonly QueueItem[]>([
      [],
      [],
      [item],
      [{ ...item, attempts: item.attempts + 1, nextAttemptAt: this.#model.now + 50 }],
      [{ ...item, ...this.#fields() }],
      [{ ...item, delayNoticeAt: null }, split],
      [split],
    ])
    return { items, dsn }
  }

  #dsn(id: string): NewMessage {
    return newMessage({ id: this.#siblingId(id), receivedAt: this.#model.now, items: [this.#fields()] })
  }
}
