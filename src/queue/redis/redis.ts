/**
 * The queue in Redis: for several relay processes or machines, and for operators who run Redis anyway. What it
 * adds to the port's promises:
 *
 * - Each step is taken by a script (scripts.ts), many puts or outcomes by one (group.ts), and repeated
 *   with the same call id until Redis confirms it. A put whose fate stays unknown is refused, remembered, and taken
 *   back when Redis returns.
 * - Outcomes wait here while Redis is away, and reach it before this process claims anything again.
 * - A message, its items and its DSN share a partition, which the last character of the message's id decides:
 *   one for a single server, sixteen in a Cluster, where the limits count the others as last heard.
 * - The leases of a process that died come back when they run out.
 */
import { randomBytes } from 'node:crypto'
import { BriefMap } from '../../brief-map.ts'
import { isItemId, isMessageId } from '../../message-id.ts'
import type { Log } from '../../observe/log.ts'
import { changed } from '../operator.ts'
import {
  BodyMissing,
  type Change,
  type ChangeResult,
  type Claim,
  type ClaimOptions,
  type Counted,
  type Lease,
  type LeasedItem,
  LeaseLost,
  type ListedItem,
  type ListFilter,
  type ListOptions,
  type NewMessage,
  type Outcome,
  type Page,
  type PutOptions,
  type Queue,
  QueueFull,
  type QueueTotals,
  QueueUnavailable,
  type Spending,
  type Spent,
  type Stage,
} from '../queue.ts'
import { refusal } from '../rate.ts'
import { bodySize, checkDsn, checkOutcome, messagesOf } from '../record.ts'
import {
  type Argument,
  messageArguments,
  outcomeArguments,
  type PutLease,
  rateArguments,
} from './arguments.ts'
import { claimDue, claimOverdue } from './claims.ts'
import { type Patience, RedisConnection, type RedisSettings } from './connection.ts'
import { DoubtfulPuts } from './doubtful.ts'
import { durabilityFindings } from './durability.ts'
import { RedisGroup, type Step, type TakeSteps } from './group.ts'
import { RedisHealth, refusals } from './health.ts'
import { countItems, listedItem, listItems, readRecord } from './listing.ts'
import { countedRates, ratePartition } from './rates.ts'
import { type Chunk, type ChunkStore, RedisStage } from './stage.ts'
import { asking, RedisStore } from './store.ts'

export interface RedisQueueOptions {
  readonly redis: RedisSettings
  readonly maxItems: number
  readonly maxBytes: number
  readonly log: Log
  /** Names this process to Redis. */
  readonly nodeName: string
}

/** The layout of the keys. A store of another is not opened. */
const format = '1'

const openTimeoutMs = 5000

/** A client that sends mail is told soon that Redis is away; an answer that was lost is worth more waiting. */
const adding: Patience = { downMs: 2000, unknownMs: 20_000 }
const settling: Patience = { downMs: Number.POSITIVE_INFINITY, unknownMs: Number.POSITIVE_INFINITY }
const once: Patience = { downMs: 0, unknownMs: 0 }

const leasesPerStep = 200
const bodyPieceBytes = 256 * 1024

/**
 * After an outage expired leases are left alone for so long: their holders may have been cut off as well, and
 * get to store what became of their attempts first.
 */
const graceMs = 3000

/**
 * Opens the queue. Rejects where Redis cannot be reached, cannot hold the queue, or (`durability: strict`) would
 * not keep it; the message lists everything to set.
 */
export async function openRedisQueue(options: RedisQueueOptions): Promise<Queue> {
  const { redis, log } = options
  let opened: RedisQueue | null = null
  const connection = new RedisConnection(redis, {
    nodeName: options.nodeName,
    log,
    onReady: () => opened?.reconnected(),
  })
  try {
    if (!(await connection.whenReady(openTimeoutMs))) throw new Error(connection.trouble)
    await checkServers(connection, options)
    const store = new RedisStore(connection, { log })
    const epoch = await openStore(connection)
    await store.hear()
    opened = new RedisQueue(store, { ...options, epoch })
    return opened
  } catch (error) {
    connection.close()
    throw new Error(`Cannot open the queue: ${error instanceof Error ? error.message : error}`)
  }
}

async function checkServers(connection: RedisConnection, { redis, log }: RedisQueueOptions): Promise<void> {
  const facts = await connection.facts()
  const refused = refusals(facts, redis.durability).map(({ text }) => `\n  - ${text}`)
  if (refused.length > 0)
    throw new Error(
      `this Redis cannot keep mail (queue.redis.durability is ${redis.durability}):${refused.join('')}`,
    )
  for (const { text } of facts.flatMap(durabilityFindings)) log.warn({ reason: text }, 'Redis may lose mail')
}

/** Marks the store, or reads its mark. Which partition holds a message must never change. */
async function openStore(connection: RedisConnection): Promise<string> {
  let epoch = randomBytes(12).toString('hex')
  for (let partition = 0; partition < connection.partitions; partition++) {
    const args = [epoch, connection.partitions, format, partition]
    const [found, partitions, layout] = await connection.run('openStore', partition, args, asking)
    if (layout !== format) throw new Error(`its store has format ${layout}, this relay writes ${format}`)
    if (Number(partitions) !== connection.partitions)
      throw new Error(
        `its store was made with ${partitions} partitions (queue.redis.mode was another), now there are ` +
          `${connection.partitions}: drain it in its own mode, or choose another queue.redis.prefix`,
      )
    if (partition > 0 && found !== epoch) throw new Error(`partition ${partition} belongs to another store`)
    epoch = found!
  }
  return epoch
}

class RedisQueue implements Queue, ChunkStore {
  readonly store = 'redis'
  readonly #connection: RedisConnection
  readonly #store: RedisStore
  readonly #health: RedisHealth
  readonly #doubtful: DoubtfulPuts
  readonly #options: RedisQueueOptions & { readonly epoch: string }
  /** By partition. */
  readonly #puts: readonly RedisGroup[]
  readonly #settles: readonly RedisGroup[]
  /** Leases of this process, to be ended by `close`. */
  readonly #held = new BriefMap<string, Lease>()
  /** How many steps `close` waits for, and what it hears when there is none. */
  #underWay = 0
  #onIdle = () => {}
  /** Outcomes that Redis has not taken yet, after an attempt that failed. */
  readonly #unsettled = new Set<Promise<unknown>>()
  #connectedAt = Number.NEGATIVE_INFINITY
  #closing: Promise<void> | null = null

  constructor(store: RedisStore, options: RedisQueueOptions & { epoch: string }) {
    const { log, redis, epoch } = options
    const { connection } = store
    this.#options = options
    this.#connection = connection
    this.#store = store
    this.#doubtful = new DoubtfulPuts(this.#store, { log })
    this.#health = new RedisHealth(connection, { epoch, durability: redis.durability, log })
    const groups = (take: (partition: number) => TakeSteps, patience: Patience) =>
      store.partitions.map((partition) => new RedisGroup(take(partition), patience))
    this.#puts = groups(
      (partition) => (steps, patience) => this.#putSteps(partition, steps, patience),
      adding,
    )
    this.#settles = groups(
      (partition) => (steps, patience) =>
        store.groupStep('settleItems', partition, { args: argumentsOf(steps) }, patience),
      settling,
    )
  }

  /** Called when a lost connection is there again. */
  reconnected(): void {
    this.#connectedAt = performance.now()
    this.#options.log.info({ redis: this.#connection.label }, 'Connection to Redis is back')
    this.#health.recheck()
    void this.#track(this.#doubtful.cancel())
  }

  async stage(messageId: string): Promise<Stage> {
    if (!isMessageId(messageId)) throw new TypeError(`Not a message id: ${JSON.stringify(messageId)}`)
    this.#requireOpen()
    this.#health.refuse()
    return new RedisStage(messageId, { name: `${messageId}.${this.#store.newCall()}`, store: this })
  }

  async append({ name, number, before, bytes }: Chunk): Promise<void> {
    this.#requireOpen()
    this.#health.refuse()
    const partition = this.#connection.partitionOf(name)
    const most = this.#options.maxBytes - this.#store.elsewhere(partition).bytes
    const args = [this.#options.epoch, most, name, number, before, bytes]
    const [answer] = await this.#track(this.#store.step('appendChunk', partition, args, adding))
    if (answer !== 'done') this.#refuse(answer, `a chunk of message ${name}`)
  }

  async chunk(name: string, number: number): Promise<Buffer> {
    this.#requireOpen()
    const partition = this.#connection.partitionOf(name)
    const [bytes] = (await this.#store.bytesStep('readChunk', partition, () => [
      name,
      number,
    ])) as (Buffer | null)[]
    if (!bytes) throw new QueueUnavailable(`The body staged as ${name} is gone`)
    return bytes
  }

  async discard(name: string): Promise<void> {
    try {
      await this.#store.step('discardStage', this.#connection.partitionOf(name), [name], once)
    } catch (error) {
      // What cannot be discarded now expires.
      if (!(error instanceof QueueUnavailable)) throw error
    }
  }

  async put(message: NewMessage, options: PutOptions): Promise<readonly Lease[]> {
    const messages = messagesOf(message, options)
    const { now, lease } = options
    const until = now + (lease?.leaseMs ?? 0)
    const itemIds = lease?.itemIds ?? []
    const step = this.#putStep(messages, { itemIds, until })
    this.#requireOpen()
    this.#health.refuse()
    const tokens = await this.#track(this.#put(messages, step))
    const ids: string[] = []
    for (const { items } of messages) for (const { id } of items) ids.push(id)
    const leases: Lease[] = []
    for (const itemId of itemIds) {
      const token = tokens[ids.indexOf(itemId)]!
      if (token !== '0') leases.push(this.#hold({ itemId, token, expiresAt: until }))
    }
    return leases
  }

  /** In a Cluster bodies go through the script: there is no transaction that could move. */
  #putStep(messages: readonly NewMessage[], lease: PutLease): Omit<Step, 'onTrouble'> {
    const call = this.#store.newCall()
    const isCluster = this.#store.partitions.length > 1
    const bodies: (string | Buffer)[] = []
    const args: Argument[] = [call, messages.length]
    let items = 0
    let bytes = 0
    for (const message of messages) {
      const { id, body } = message
      items += message.items.length
      bytes += bodySize(body)
      if (isCluster || body.kind !== 'inline') {
        args.push(...messageArguments(message, { lease }))
        continue
      }
      // A field of its own: a put that is refused must not touch the body of a message that was there before.
      bodies.push(`${id}.${call}`, body.bytes)
      args.push(...messageArguments(message, { lease, isBeside: true }))
    }
    return { args, bodies, items, bytes }
  }

  /** Resolves with the token of the lease that each item of the messages has from this call, '0' where it has none. */
  async #put(
    messages: readonly NewMessage[],
    { args, bodies, items, bytes }: Omit<Step, 'onTrouble'>,
  ): Promise<readonly string[]> {
    let doubtful = false
    const onTrouble = (unknown: boolean) => {
      doubtful ||= unknown
    }
    const step: Step = { args, bodies, items, bytes, onTrouble }
    const puts = this.#puts[this.#connection.partitionOf(messages[0]!.id)]!
    try {
      let answer = await puts.take(step)
      if (answer[0] === 'full' && this.#store.partitions.length > 1) {
        // Other partitions may have been emptied since they were last heard of.
        await this.#store.hear()
        answer = await puts.take(step)
      }
      if (answer[0] !== 'done') this.#refuse(answer[0], `message ${messages[0]!.id}`)
      return answer.slice(3)
    } catch (error) {
      if (doubtful) this.#doubtful.add(messages)
      if (doubtful && this.#connection.ready) void this.#track(this.#doubtful.cancel())
      throw error
    }
  }

  async #putSteps(
    partition: number,
    steps: readonly Step[],
    patience: Patience,
  ): Promise<readonly (readonly string[])[]> {
    const { epoch, maxItems, maxBytes } = this.#options
    const others = this.#store.elsewhere(partition)
    const limits = [maxItems - others.items, maxBytes - others.bytes]
    const release = this.#store.reserve(partition, {
      items: steps.reduce((sum, { items }) => sum + items, 0),
      bytes: steps.reduce((sum, { bytes }) => sum + bytes, 0),
    })
    try {
      const name = this.#store.newCall()
      const args = argumentsOf(steps, [epoch, ...limits, name])
      const fields: (string | Buffer)[] = []
      for (const { bodies } of steps) fields.push(...bodies)
      const beside = fields.length > 0 ? { bodies: { name, fields } } : {}
      const answers = await this.#store.groupStep('putMessages', partition, { args, ...beside }, patience)
      const last = answers.findLast(([answer]) => answer === 'done')
      if (last !== undefined) this.#store.heard(partition, [last[1], last[2]])
      return answers
    } finally {
      release()
    }
  }

  async claim(options: ClaimOptions): Promise<Claim> {
    const claim = await this.#lease((reclaim) => claimDue(this.#store, { ...options, reclaim }))
    for (const { lease } of claim.leased) this.#hold(lease)
    return claim
  }

  async overdue(options: { now: number; leaseMs: number; limit: number }): Promise<readonly LeasedItem[]> {
    const leased = await this.#lease((reclaim) => claimOverdue(this.#store, { ...options, reclaim }))
    for (const { lease } of leased) this.#hold(lease)
    return leased
  }

  async #lease<T>(take: (reclaim: boolean) => Promise<T>): Promise<T> {
    this.#requireOpen()
    await this.#settleFirst()
    return this.#track(take(performance.now() - this.#connectedAt > graceMs))
  }

  async renew(
    leases: readonly Lease[],
    options: { now: number; leaseMs: number },
  ): Promise<readonly Lease[]> {
    this.#requireOpen()
    const expiresAt = options.now + options.leaseMs
    const renewed = new Map<Lease, Lease>()
    for (const { partition, batch } of this.#batches(leases)) {
      const args = [options.now, expiresAt, ...batch.flatMap(({ itemId, token }) => [itemId, token])]
      const answers = await this.#track(this.#store.step('renewLeases', partition, args))
      for (const [n, lease] of batch.entries()) {
        if (answers[n] === '1') renewed.set(lease, this.#hold({ ...lease, expiresAt }))
        else this.#letGo(lease)
      }
    }
    return leases.flatMap((lease) => renewed.get(lease) ?? [])
  }

  async settle(lease: Lease, outcome: Outcome, options: { now: number }): Promise<void> {
    checkOutcome(lease.itemId, outcome)
    const args = [lease.itemId, lease.token, options.now, this.#store.newCall(), ...outcomeArguments(outcome)]
    this.#requireOpen()
    if (!isItemId(lease.itemId)) throw new LeaseLost(`There is no item ${JSON.stringify(lease.itemId)}`)
    const settled: Promise<void> = this.#settle(lease, args, () => this.#unsettled.add(settled))
    try {
      await this.#track(settled)
    } finally {
      this.#unsettled.delete(settled)
    }
  }

  async #settle(lease: Lease, args: readonly Argument[], onTrouble: () => void): Promise<void> {
    let doubtful = false
    const troubled = (unknown: boolean) => {
      doubtful ||= unknown
      onTrouble()
    }
    const settles = this.#settles[this.#connection.partitionOf(lease.itemId)]!
    const [answer] = await settles.take({ args, bodies: [], items: 0, bytes: 0, onTrouble: troubled })
    this.#letGo(lease)
    if (answer === 'done') return
    // An attempt before the outage has removed the item, so long ago that Redis has forgotten it.
    if (answer === 'missing' && doubtful) return
    if (answer === 'lost' || answer === 'missing')
      throw new LeaseLost(`The lease on ${lease.itemId} is not held any more`)
    this.#refuse(answer, `the outcome of ${lease.itemId}`)
  }

  async spend({ key, windows, now }: Spending): Promise<Spent> {
    this.#requireOpen()
    const args = [key, ...windows.flatMap((window) => rateArguments(window, now))]
    const inTheWay = await this.#track(this.#store.step('spendRates', ratePartition, args))
    if (inTheWay.length === 0) return { granted: true }
    return refusal(
      windows.flatMap((window, n) => (inTheWay[n] === '' ? [] : [{ window, inTheWay: Number(inTheWay[n]) }])),
    )
  }

  async counted(prefix: string, options: { now: number; limit: number }): Promise<readonly Counted[]> {
    this.#requireOpen()
    return countedRates(this.#store, prefix, options)
  }

  async *body(messageId: string): AsyncIterable<Buffer> {
    if (!isMessageId(messageId)) throw new BodyMissing(`There is no message ${JSON.stringify(messageId)}`)
    const partition = this.#connection.partitionOf(messageId)
    for (let part = 0, parts = 1; part < parts; part++) {
      this.#requireOpen()
      const answer = await this.#store.bytesStep('readBody', partition, () => [messageId, part])
      const [count, bytes] = answer as (Buffer | null)[]
      if (!count || !bytes) throw new BodyMissing(`The body of ${messageId} is missing (part ${part})`)
      parts = Number(count)
      for (let at = 0; at < bytes.length; at += bodyPieceBytes) yield bytes.subarray(at, at + bodyPieceBytes)
    }
  }

  async list(filter: ListFilter, options: ListOptions): Promise<Page> {
    this.#requireOpen()
    return listItems(this.#store, filter, options)
  }

  async get(itemId: string, options: { now: number }): Promise<ListedItem | null> {
    this.#requireOpen()
    const found = await readRecord(this.#store, itemId)
    return found && listedItem(this.#store, itemId, { ...found, now: options.now })
  }

  async change(itemId: string, change: Change, options: { now: number }): Promise<ChangeResult> {
    if (change.kind === 'remove') checkDsn(itemId, change.dsn)
    this.#requireOpen()
    // Another operator or node may change the record between our reading and our writing.
    for (;;) {
      const found = await readRecord(this.#store, itemId)
      const listed = found && (await listedItem(this.#store, itemId, { ...found, now: options.now }))
      if (found === null || listed === null) return 'missing'
      if (listed.state === 'leased') return 'busy'
      const outcome = outcomeOf(listed, change, options)
      if (outcome === null) return 'done'
      const before = [itemId, options.now, this.#store.newCall(), found.record]
      const args = [...before, ...outcomeArguments(outcome)]
      const step = this.#store.step('changeItem', this.#connection.partitionOf(itemId), args)
      const [answer] = await this.#track(step)
      if (answer === 'done' || answer === 'busy' || answer === 'missing') return answer
      if (answer !== 'changed') this.#refuse(answer, `the change of ${itemId}`)
    }
  }

  async totals(options: { now: number }): Promise<QueueTotals> {
    this.#requireOpen()
    return countItems(this.#store, options)
  }

  fault(): string | null {
    if (this.#closing !== null) return 'The queue is closed'
    return this.#connection.ready ? this.#health.fault : this.#connection.trouble
  }

  close(options: { deadlineMs: number }): Promise<void> {
    this.#closing ??= this.#close(options.deadlineMs)
    return this.#closing
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#health.stop()
    await within(deadlineMs, this.#idle())
    if (this.#connection.ready) await this.#endLeases()
    const outcomes = this.#unsettled.size
    this.#connection.close()
    await this.#idle()
    const { log } = this.#options
    if (outcomes > 0) log.error({ outcomes }, 'Outcomes of attempts could not be stored: expect duplicates')
    const { messageIds } = this.#doubtful
    if (messageIds.length > 0)
      log.error({ messageIds }, 'Messages that were refused may be in the queue: expect duplicates')
  }

  async #endLeases(): Promise<void> {
    for (const { partition, batch } of this.#batches(this.#held.values())) {
      const args = batch.flatMap(({ itemId, token }) => [itemId, token])
      await this.#store.step('releaseLeases', partition, args, once).catch((error: unknown) => {
        this.#options.log.warn({ reason: String(error) }, 'Leases could not be given back: they run out')
      })
    }
  }

  /** Before anything is claimed, Redis learns what became of what was claimed before, and of doubtful puts. */
  async #settleFirst(): Promise<void> {
    const waiting = () => this.#unsettled.size > 0 || this.#doubtful.messageIds.length > 0
    if (!waiting()) return
    if (!(await this.#connection.whenReady(asking.downMs - this.#connection.downMs)))
      throw new QueueUnavailable(this.#connection.trouble)
    await within(
      asking.unknownMs,
      Promise.all([this.#doubtful.cancel(), Promise.allSettled(this.#unsettled)]),
    )
    if (waiting()) throw new QueueUnavailable('Outcomes of earlier attempts are not stored yet')
    this.#requireOpen()
  }

  #refuse(answer: string | undefined, what: string): never {
    if (answer === 'full') throw new QueueFull('The queue is full (queue.maxItems or queue.maxBytes)')
    if (answer === 'epoch') {
      this.#health.lost()
      this.#health.refuse()
    }
    if (answer === 'unstaged') throw new QueueUnavailable(`Cannot store ${what}: its staged body is gone`)
    throw new Error(`Cannot store ${what}: ${answer}`)
  }

  *#batches(leases: readonly Lease[]): Iterable<{ partition: number; batch: readonly Lease[] }> {
    const known = leases.filter(({ itemId }) => isItemId(itemId))
    for (const partition of this.#store.partitions) {
      const here = known.filter(({ itemId }) => this.#connection.partitionOf(itemId) === partition)
      for (let at = 0; at < here.length; at += leasesPerStep)
        yield { partition, batch: here.slice(at, at + leasesPerStep) }
    }
  }

  #hold(lease: Lease): Lease {
    this.#held.set(lease.itemId, lease)
    return lease
  }

  #letGo(lease: Lease): void {
    if (this.#held.get(lease.itemId)?.token === lease.token) this.#held.delete(lease.itemId)
  }

  #requireOpen(): void {
    if (this.#closing !== null) throw new QueueUnavailable('The queue is closed')
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay += 1
    work.then(this.#done, this.#done)
    return work
  }

  readonly #done = () => {
    this.#underWay -= 1
    if (this.#underWay === 0) this.#onIdle()
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve
      if (this.#underWay === 0) resolve()
    })
  }
}

/** Not by `flatMap`, which costs ten times as much for each. */
function argumentsOf(steps: readonly Step[], first: readonly Argument[] = []): readonly Argument[] {
  const all = [...first]
  for (const { args } of steps) for (const arg of args) all.push(arg)
  return all
}

/** What an operator's change makes of the item; null where it is so already. */
function outcomeOf({ item }: ListedItem, change: Change, options: { now: number }): Outcome | null {
  if (change.kind === 'remove') return { items: [], dsn: change.dsn }
  const after = changed(item, change, options)
  return after === item ? null : { items: [after], dsn: null }
}

/** Resolves when the work is done or the time is up, whichever comes first. */
async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([work, timeUp]).finally(() => clearTimeout(timer))
}
