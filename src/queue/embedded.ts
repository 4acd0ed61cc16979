/**
 * The embedded queue: the port on an LMDB file of this process alone, with nothing to install. Every change is
 * part of a group commit that is fsynced before its promise resolves; leases are kept in memory, so a claim
 * writes nothing, and a crash gives every item back at once.
 *
 * What is remembered (leases, index, sizes) is changed only in the moment in which a commit becomes readable,
 * so it always agrees with the snapshot that is read. An item whose change is being committed stays held.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isItemId, isMessageId } from '../message-id.ts'
import type { Log } from '../observe/log.ts'
import { EmbeddedIndex } from './embedded-index.ts'
import {
  chunkBytes,
  chunkCount,
  countsWrite,
  decode,
  decodeCounts,
  type EncodedItem,
  encode,
  itemsOf,
  placeOf,
  type StoredItem,
} from './embedded-layout.ts'
import { find } from './embedded-list.ts'
import { type Parcel, Plan } from './embedded-plan.ts'
import { EmbeddedStage } from './embedded-stage.ts'
import { EmbeddedStore, type Write } from './embedded-store.ts'
import { removeStagedBodies } from './embedded-sweep.ts'
import { GroupCommit } from './group-commit.ts'
import { type FullPlace, type Hold, Leases, leaseOf, type Place } from './leases.ts'
import { changed, matches } from './operator.ts'
import {
  BodyMissing,
  type Change,
  type ChangeResult,
  type Claim,
  type ClaimOptions,
  deadlineOf,
  type Lease,
  type LeasedItem,
  LeaseLost,
  type ListedItem,
  type ListFilter,
  type NewMessage,
  type Outcome,
  type Page,
  type PutOptions,
  type Queue,
  QueueFull,
  type QueueTotals,
  QueueUnavailable,
  type Stage,
  stateOf,
} from './queue.ts'
import { bodySize, checkDsn, checkMessage, checkOutcome } from './record.ts'

export interface EmbeddedQueueOptions {
  /** Made where it is missing; it belongs to one relay. */
  readonly dir: string
  readonly maxItems: number
  /** Of message bodies, each counted once. */
  readonly maxBytes: number
  readonly log: Log
}

export async function openEmbeddedQueue(options: EmbeddedQueueOptions): Promise<Queue> {
  const store = new EmbeddedStore(options.dir)
  const bodies = await removeStagedBodies(store)
  if (bodies > 0) options.log.info({ bodies }, 'Removed message bodies that were never queued')
  const epoch = Number(store.get(store.meta, 'epoch') ?? 0) + 1
  await store.commit([[store.meta, 'epoch', String(epoch)]])
  store.refresh()
  return new EmbeddedQueue(store, { ...options, epoch })
}

/** How many keys one slice of a list or a search looks at before others get their turn. */
const sliceLength = 250
/** A commit that takes longer means a disk that hangs. */
const slowCommitMs = 30_000
/** How often the memory that the file's mapping takes is looked at. */
const mappingCheckMs = 250

class EmbeddedQueue implements Queue {
  readonly store = 'embedded'
  readonly #store: EmbeddedStore
  readonly #options: EmbeddedQueueOptions
  readonly #index: EmbeddedIndex
  readonly #leases: Leases
  readonly #commits: GroupCommit<Plan>
  #bytes: number
  #stagedBytes = 0
  #corrupt: number
  #fault: string | null = null
  #commitBeganAt: number | null = null
  #unmapping = false
  readonly #mappingCheck: NodeJS.Timeout
  #closing: Promise<void> | null = null

  constructor(store: EmbeddedStore, options: EmbeddedQueueOptions & { epoch: number }) {
    this.#store = store
    this.#options = options
    this.#leases = new Leases(options.epoch)
    this.#bytes = Number(store.get(store.meta, 'bytes') ?? 0)
    this.#corrupt = store.count(store.corrupt)
    this.#index = new EmbeddedIndex({
      from: (connector, from) => this.#dueFrom(connector, from),
      count: (connector, { after, until }) =>
        store.count(store.due, { start: [connector, after + 1], end: [connector, until + 1] }),
    })
    for (const connector of store.keys(store.counts))
      this.#index.restore(connector, decodeCounts(store.get(store.counts, connector)!))
    this.#commits = new GroupCommit<Plan>({
      ready: () => this.#unmapIfAsked(),
      begin: () => new Plan(store),
      commit: (plan) => this.#commit(plan),
      publish: (plan) => this.#publish(plan),
      failed: (error) => this.#commitFailed(error),
    })
    this.#mappingCheck = setInterval(() => this.#checkMapping(), mappingCheckMs).unref()
  }

  async stage(messageId: string): Promise<Stage> {
    this.#assertOpen()
    return new EmbeddedStage(messageId, {
      reserve: (sizeBytes) => this.#reserve(sizeBytes),
      release: (sizeBytes) => {
        this.#stagedBytes -= sizeBytes
      },
      write: (id, chunk) => this.#submit((plan) => plan.stage(id, chunk)),
      // A queue that closes first leaves them to the next opening.
      remove: (id, chunks) =>
        this.#submit((plan) => plan.unstage(id, chunks), { keep: 'background' }).catch(() => undefined),
    })
  }

  async put(message: NewMessage, options: PutOptions): Promise<readonly Lease[]> {
    this.#assertOpen()
    checkMessage(message, options.lease)
    let leases: readonly Lease[] = []
    await this.#withParcel(message, (parcel) =>
      this.#submit(
        (plan) => {
          this.#refuseFull(plan, message)
          plan.refuseExisting(parcel.items)
          plan.add(parcel)
        },
        {
          applied: () => {
            leases = this.#leaseTo(parcel, options)
          },
        },
      ),
    )
    return leases
  }

  async claim({ now, leaseMs, connectors }: ClaimOptions): Promise<Claim> {
    this.#assertOpen()
    this.#expire(now)
    const leased: LeasedItem[] = []
    const nextDueAt = new Map<string, number>()
    const unreadable: Promise<void>[] = []
    for (const { connector, limit } of connectors) {
      let taken = 0
      for (const place of this.#index.claimable(connector, (id) => this.#leases.has(id))) {
        if (taken === limit || place.nextAttemptAt > now) {
          nextDueAt.set(connector, place.nextAttemptAt)
          break
        }
        const stored = this.#read(place)
        if (stored === null) unreadable.push(this.#setAside(place.id, place))
        else {
          leased.push(this.#leaseOut(stored, now + leaseMs))
          taken++
        }
      }
    }
    await Promise.all(unreadable)
    return { leased, nextDueAt }
  }

  async overdue({
    now,
    leaseMs,
    limit,
  }: {
    now: number
    leaseMs: number
    limit: number
  }): Promise<readonly LeasedItem[]> {
    this.#assertOpen()
    this.#expire(now)
    const leased: LeasedItem[] = []
    const unreadable: [deadlineAt: number, id: string][] = []
    for (const [deadlineAt, id] of this.#store.keys(this.#store.deadlines, { end: [now + 1] })) {
      if (leased.length === limit) break
      if (this.#leases.has(id)) continue
      const stored = this.#readById(id)
      if (stored === null || deadlineOf(stored.item) !== deadlineAt) unreadable.push([deadlineAt, id])
      else leased.push(this.#leaseOut(stored, now + leaseMs))
    }
    for (const key of unreadable) await this.#dropDeadline(key)
    return leased
  }

  async renew(
    leases: readonly Lease[],
    { now, leaseMs }: { now: number; leaseMs: number },
  ): Promise<readonly Lease[]> {
    this.#assertOpen()
    this.#expire(now)
    return leases.map((lease) => this.#leases.renew(lease, now + leaseMs)).filter((lease) => lease !== null)
  }

  async settle(lease: Lease, outcome: Outcome, { now }: { now: number }): Promise<void> {
    this.#assertOpen()
    this.#expire(now)
    const hold = this.#leases.running(lease)
    if (hold === null) throw new LeaseLost(`The lease of ${lease.itemId} has ended`)
    checkOutcome(lease.itemId, outcome)
    const becomes = outcome.items.map((item) => encode(item, hold.bodyBytes))
    if (outcome.dsn === null && this.#isUnchanged(hold, becomes)) {
      this.#giveBack(hold)
      return
    }
    await this.#replace(hold, becomes, { dsn: outcome.dsn, keep: true })
  }

  async *body(messageId: string): AsyncIterable<Buffer> {
    this.#assertOpen()
    const bodyBytes = this.#bodyBytesOf(messageId)
    for (let n = 0; n < chunkCount(bodyBytes); n++) {
      this.#assertOpen()
      const chunk = this.#store.get(this.#store.bodies, [messageId, n])
      if (chunk?.length !== Math.min(chunkBytes, bodyBytes - n * chunkBytes))
        throw new BodyMissing(`The body of ${messageId} is not whole`)
      yield chunk
    }
  }

  async list(
    filter: ListFilter,
    { now, limit, after }: { now: number; limit: number; after: string | null },
  ): Promise<Page> {
    const items: ListedItem[] = []
    for (let cursor = after; ; await nextTurn()) {
      this.#assertOpen()
      this.#expire(now)
      const slice = find(this.#store, filter, { after: cursor, limit: sliceLength })
      for (const found of slice) {
        if (items.length === limit) return { items, next: cursor }
        const listed = this.#look(found.id, now)
        if (listed === 'unreadable') await this.#setAsideById(found.id)
        else if (listed !== null && matches(listed.item, listed.state, filter)) items.push(listed)
        cursor = found.cursor
      }
      if (slice.length < sliceLength) return { items, next: null }
    }
  }

  async get(itemId: string, { now }: { now: number }): Promise<ListedItem | null> {
    this.#assertOpen()
    this.#expire(now)
    if (!isItemId(itemId)) return null
    const listed = this.#look(itemId, now)
    if (listed !== 'unreadable') return listed
    await this.#setAsideById(itemId)
    return null
  }

  async change(itemId: string, change: Change, { now }: { now: number }): Promise<ChangeResult> {
    if ((await this.get(itemId, { now })) === null) return 'missing'
    if (this.#leases.has(itemId)) return 'busy'
    const stored = this.#readById(itemId)
    if (stored === null) return 'missing'
    const { item, bodyBytes } = stored
    const after = change.kind === 'remove' ? null : changed(item, change, { now })
    if (after === item) return 'done'
    const dsn = change.kind === 'remove' ? change.dsn : null
    checkDsn(itemId, dsn)
    const becomes = after === null ? [] : [encode(after, bodyBytes)]
    const hold = this.#hold(placeOf(item), { bodyBytes, expiresAt: now })
    await this.#replace(hold, becomes, { dsn, keep: false })
    return 'done'
  }

  async totals({ now }: { now: number }): Promise<QueueTotals> {
    this.#assertOpen()
    this.#expire(now)
    const connectors = this.#index.depths(now, this.#leases.values())
    return { connectors, items: this.#index.items, corrupt: this.#corrupt }
  }

  fault(): string | null {
    if (this.#closing !== null) return 'The queue is closed'
    if (this.#commitBeganAt !== null && performance.now() - this.#commitBeganAt > slowCommitMs)
      return `The disk of the queue has not answered for ${slowCommitMs / 1000} seconds`
    return this.#store.lost ?? this.#fault
  }

  close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.#closing ??= this.#close(deadlineMs)
    return this.#closing
  }

  async #close(deadlineMs: number): Promise<void> {
    clearInterval(this.#mappingCheck)
    const { running } = await this.#commits.drain({ deadlineMs, refusal: closed() })
    if (running) this.#options.log.error('The queue was left with a commit under way')
    else await this.#store.close()
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw closed()
    if (this.#store.lost !== null) throw new QueueUnavailable(this.#store.lost)
  }

  // What is held, and until when.

  #expire(now: number): void {
    for (const { place } of this.#leases.expire(now)) this.#index.release(place)
  }

  #leaseOut(stored: StoredItem, expiresAt: number): LeasedItem {
    const hold = this.#hold(placeOf(stored.item), { bodyBytes: stored.bodyBytes, expiresAt })
    return { item: stored.item, lease: leaseOf(hold), body: this.#smallBody(stored) }
  }

  #hold(place: FullPlace, options: { bodyBytes: number; expiresAt: number }): Hold {
    const hold = this.#leases.grant(place, options)
    this.#index.hold(place)
    return hold
  }

  #giveBack(hold: Hold): void {
    this.#leases.end(hold.place.id)
    this.#index.release(hold.place)
  }

  #leaseTo(parcel: Parcel, { now, lease }: PutOptions): readonly Lease[] {
    if (lease === undefined) return []
    const options = { bodyBytes: parcel.bodyBytes, expiresAt: now + lease.leaseMs }
    return lease.itemIds.map((id) => {
      const { place } = parcel.items.find((item) => item.place.id === id)!
      return leaseOf(this.#hold(place, options))
    })
  }

  // What is written.

  async #commit(plan: Plan): Promise<void> {
    this.#commitBeganAt = performance.now()
    try {
      for (const [connector, counts] of this.#index.countsAfter(plan.left, plan.entered))
        plan.writes.push(countsWrite(this.#store, connector, counts))
      plan.writes.push([this.#store.meta, 'bytes', String(this.#bytes + plan.bytes)])
      await this.#store.commit(plan.writes)
    } finally {
      this.#commitBeganAt = null
    }
  }

  #publish(plan: Plan): void {
    this.#store.refresh()
    this.#bytes += plan.bytes
    for (const place of plan.left) this.#index.remove(place)
    for (const place of plan.entered) this.#index.insert(place)
  }

  #checkMapping(): void {
    if (this.#unmapping || !this.#store.isMappedLarge) return
    this.#unmapping = true
    // Whoever only reads makes no commits, between which alone the file can be opened anew.
    this.#submit(() => undefined).catch(() => undefined)
  }

  async #unmapIfAsked(): Promise<void> {
    if (!this.#unmapping) return
    await nextTurn()
    await this.#store.unmap()
    this.#unmapping = false
  }

  #commitFailed(error: unknown): void {
    const { log } = this.#options
    if (error === null) log.info('The queue can be written again')
    else if (this.#fault === null) log.error({ err: error }, 'The queue cannot be written')
    this.#fault = error === null ? null : error instanceof Error ? error.message : String(error)
  }

  /**
   * Resolves when the plan is durable. What is to be kept is tried until it is: `awaited` by the caller, or in
   * the `background` from the first failure on.
   */
  #submit(
    plan: (plan: Plan) => void,
    options: { applied?: () => void; keep?: 'awaited' | 'background' | null } = {},
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#commits.submit({
        plan,
        keep: (options.keep ?? null) !== null,
        kept: options.keep === 'background' ? resolve : () => undefined,
        refused: reject,
        applied: () => {
          options.applied?.()
          resolve()
        },
      })
    })
  }

  #withParcel<T>(message: NewMessage, write: (parcel: Parcel) => Promise<T>): Promise<T> {
    const { id: messageId, body } = message
    const bodyBytes = bodySize(body)
    const items = message.items.map((item) => encode(item, bodyBytes))
    const parcel = { messageId, items, bodyBytes }
    if (body.kind === 'inline') return write({ ...parcel, rest: body.bytes, chunksStored: 0 })
    if (!(body.stage instanceof EmbeddedStage))
      throw new TypeError(`The body of ${messageId} is staged elsewhere`)
    return body.stage.put((end) => write({ ...parcel, ...end }))
  }

  /** Replaces a held item, which nobody else sees before the commit, and not at all where it fails. */
  async #replace(
    hold: Hold,
    becomes: readonly EncodedItem[],
    options: { dsn: NewMessage | null; keep: boolean },
  ): Promise<void> {
    const { expiresAt } = hold
    const others = becomes.filter(({ place }) => place.id !== hold.place.id)
    const write = (dsn: Parcel | null): Promise<void> =>
      this.#submit(
        (plan) => {
          plan.refuseExisting([...others, ...(dsn?.items ?? [])])
          plan.replace(hold, becomes)
          if (dsn !== null) plan.add(dsn)
        },
        {
          keep: options.keep ? 'awaited' : null,
          applied: () => this.#leases.end(hold.place.id),
        },
      )
    this.#leases.freeze(hold)
    try {
      await (options.dsn === null ? write(null) : this.#withParcel(options.dsn, write))
    } catch (error) {
      this.#leases.thaw(hold, expiresAt)
      throw error
    }
  }

  #isUnchanged(hold: Hold, becomes: readonly EncodedItem[]): boolean {
    const [item, ...others] = becomes
    if (item?.place.id !== hold.place.id || others.length > 0) return false
    return this.#store.get(this.#store.items, hold.place.id) === item.record
  }

  #refuseFull(plan: Plan, message: NewMessage): void {
    const { maxItems, maxBytes } = this.#options
    const items = this.#index.items + plan.entered.length - plan.left.length + message.items.length
    if (items > maxItems) throw new QueueFull(`The queue holds its limit of ${maxItems} items`)
    const inlineBytes = message.body.kind === 'inline' ? message.body.bytes.length : 0
    if (this.#bytes + plan.bytes + this.#stagedBytes + inlineBytes > maxBytes)
      throw new QueueFull(`The queue holds its limit of ${maxBytes} bytes`)
  }

  #reserve(sizeBytes: number): void {
    this.#assertOpen()
    const { maxBytes } = this.#options
    if (this.#bytes + this.#stagedBytes + sizeBytes > maxBytes)
      throw new QueueFull(`The queue holds its limit of ${maxBytes} bytes`)
    this.#stagedBytes += sizeBytes
  }

  // What is read.

  *#dueFrom(connector: string, from: Place | null): Iterable<Place> {
    const start = from === null ? [connector] : [connector, from.nextAttemptAt, from.id]
    const range = { start, end: [connector, Number.MAX_SAFE_INTEGER] }
    for (const [, nextAttemptAt, id] of this.#store.keys(this.#store.due, range))
      yield { connector, nextAttemptAt, id, suspended: false }
  }

  #readById(id: string): StoredItem | null {
    return decode(id, this.#store.get(this.#store.items, id) ?? '')
  }

  /** Null where there is no record, or it is not the one that the index means. */
  #read(place: Place): StoredItem | null {
    const stored = this.#readById(place.id)
    if (stored === null) return null
    const { connector, nextAttemptAt, suspended } = stored.item
    const meant = connector === place.connector && nextAttemptAt === place.nextAttemptAt
    return meant && suspended === null ? stored : null
  }

  #look(itemId: string, now: number): ListedItem | 'unreadable' | null {
    const record = this.#store.get(this.#store.items, itemId)
    if (record === undefined) return null
    const item = decode(itemId, record)?.item
    if (item === undefined) return 'unreadable'
    const leased = this.#leases.has(itemId) && item.suspended === null
    return { item, state: stateOf(item, { now, leased }) }
  }

  #smallBody({ item, bodyBytes }: StoredItem): Buffer | null {
    if (bodyBytes === 0) return Buffer.alloc(0)
    if (bodyBytes > chunkBytes) return null
    const chunk = this.#store.get(this.#store.bodies, [item.messageId, 0])
    return chunk?.length === bodyBytes ? chunk : null
  }

  #bodyBytesOf(messageId: string): number {
    if (isMessageId(messageId))
      for (const id of this.#store.keys(this.#store.items, itemsOf(messageId))) {
        const stored = this.#readById(id)
        if (stored !== null) return stored.bodyBytes
      }
    throw new BodyMissing(`There is no message ${messageId} in the queue`)
  }

  // What cannot be read.

  async #setAside(id: string, place: Place | null): Promise<void> {
    this.#options.log.error({ itemId: id }, 'Set aside a record of the queue that cannot be read')
    const full = place === null ? null : { ...place, deadlineAt: 0 }
    if (full !== null) this.#leases.freeze(this.#hold(full, { bodyBytes: 0, expiresAt: 0 }))
    await this.#submit((plan) => plan.setAside(id, full), {
      keep: 'background',
      applied: () => {
        this.#leases.end(id)
        this.#corrupt = this.#store.count(this.#store.corrupt)
      },
    })
  }

  /** Where a record is met by its id, the index has to be searched for the place that goes with it. */
  async #setAsideById(id: string): Promise<void> {
    const place = await this.#findPlace(id)
    if (!this.#leases.has(id)) await this.#setAside(id, place)
  }

  /** A deadline without its record: what set the record aside did not know when its deadline was. */
  async #dropDeadline([deadlineAt, id]: [deadlineAt: number, id: string]): Promise<void> {
    if (this.#store.has(this.#store.items, id) && this.#readById(id) === null) await this.#setAsideById(id)
    const drop: Write = [this.#store.deadlines, [deadlineAt, id], null]
    await this.#submit((plan) => plan.writes.push(drop), { keep: 'background' })
  }

  async #findPlace(id: string): Promise<Place | null> {
    for (const connector of this.#index.connectors)
      if (this.#store.has(this.#store.suspended, [connector, id]))
        return { connector, nextAttemptAt: 0, id, suspended: true }
    for (const connector of [...this.#index.connectors])
      for (let from: Place | null = null, read = sliceLength; read === sliceLength; await nextTurn()) {
        this.#assertOpen()
        read = 0
        for (const place of this.#dueFrom(connector, from)) {
          if (place.id === id) return place
          from = place
          if (++read === sliceLength) break
        }
      }
    return null
  }
}

const closed = (): QueueUnavailable => new QueueUnavailable('The queue is closed')
