/**
 * The embedded queue: the port on an LMDB file of this process alone, with nothing to install. Every change is
 * part of a group commit that is fsynced before its promise resolves; leases are kept in memory, so a claim
 * writes nothing, and a crash gives every item back at once.
 *
 * What is remembered (leases, index, sizes) is changed only in the moment in which a commit becomes readable,
 * so it always agrees with the snapshot that is read. An item whose change is being committed stays held.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isItemId, messageIdOf } from '../../message-id.ts'
import type { Log } from '../../observe/log.ts'
import { changed, matches } from '../operator.ts'
import {
  type Change,
  type ChangeResult,
  type Claim,
  type ClaimOptions,
  type Counted,
  deadlineOf,
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
  type QueueTotals,
  QueueUnavailable,
  type Spending,
  type Spent,
  type Stage,
  stateOf,
} from '../queue.ts'
import { bodySize, checkDsn, checkOutcome, messagesOf } from '../record.ts'
import { decodeCounts, type EncodedItem, encode, placeOf, type StoredItem } from './layout.ts'
import { type FullPlace, type Hold, Leases, leaseOf, type Place } from './leases.ts'
import { find } from './list.ts'
import { PlaceIndex } from './place-index.ts'
import type { Parcel } from './plan.ts'
import { EmbeddedRates } from './rates.ts'
import { EmbeddedReader, sliceLength } from './reader.ts'
import { EmbeddedStage } from './stage.ts'
import { EmbeddedStore, type Write } from './store.ts'
import { removeStagedBodies } from './sweep.ts'
import { EmbeddedWriter } from './writer.ts'

export interface EmbeddedQueueOptions {
  /** Made where it is missing; it belongs to one relay. */
  readonly dir: string
  readonly maxItems: number
  /** Of message bodies, each counted once. */
  readonly maxBytes: number
  readonly log: Log
}

/** How many items a page in the order of reception looks at. */
const mostLookedAt = 5000

export async function openEmbeddedQueue(options: EmbeddedQueueOptions): Promise<Queue> {
  const store = new EmbeddedStore(options.dir)
  try {
    const bodies = await removeStagedBodies(store)
    if (bodies > 0) options.log.info({ bodies }, 'Removed message bodies that were never queued')
    const epoch = Number(store.get(store.meta, 'epoch') ?? 0) + 1
    await store.commit([['meta', 'epoch', String(epoch)]])
    store.refresh()
    return new EmbeddedQueue(store, { ...options, epoch })
  } catch (error) {
    await store.close()
    throw error
  }
}

class EmbeddedQueue implements Queue {
  readonly store = 'embedded'
  readonly #store: EmbeddedStore
  readonly #options: EmbeddedQueueOptions
  readonly #reader: EmbeddedReader
  readonly #index: PlaceIndex
  readonly #leases: Leases
  readonly #writer: EmbeddedWriter
  readonly #rates: EmbeddedRates
  #stages = 0
  #corrupt: number
  #closing: Promise<void> | null = null

  constructor(store: EmbeddedStore, options: EmbeddedQueueOptions & { epoch: number }) {
    this.#store = store
    this.#options = options
    this.#leases = new Leases(options.epoch)
    this.#corrupt = store.count(store.corrupt)
    this.#reader = new EmbeddedReader(store)
    this.#index = new PlaceIndex(this.#reader)
    for (const connector of store.keys(store.counts))
      this.#index.restore(connector, decodeCounts(store.get(store.counts, connector)!))
    this.#writer = new EmbeddedWriter(store, this.#index, options)
    this.#rates = new EmbeddedRates(store, options)
  }

  async stage(messageId: string): Promise<Stage> {
    this.#assertOpen()
    const name = `${messageId}.${++this.#stages}`
    return new EmbeddedStage(messageId, {
      name,
      reserve: (sizeBytes) => {
        this.#assertOpen()
        this.#writer.reserve(sizeBytes)
      },
      release: (sizeBytes) => this.#writer.release(sizeBytes),
      write: (chunk) => this.#writer.submit((plan) => plan.stage(name, chunk)),
      read: (number) => {
        this.#assertOpen()
        return this.#reader.stagedChunk(name, number)
      },
      // A queue that closes first leaves them to the next opening.
      remove: (chunks) =>
        this.#writer
          .submit((plan) => plan.unstage(name, chunks), { keep: 'background' })
          .catch(() => undefined),
    })
  }

  async put(message: NewMessage, options: PutOptions): Promise<readonly Lease[]> {
    this.#assertOpen()
    const messages = messagesOf(message, options)
    let leases: readonly Lease[] = []
    await this.#withParcels(messages, (parcels) =>
      this.#writer.submit(
        (plan) => {
          this.#writer.refuseFull(plan, messages)
          for (const { items } of parcels) plan.refuseExisting(items)
          for (const parcel of parcels) plan.add(parcel)
        },
        {
          applied: () => {
            leases = this.#leaseTo(parcels, options)
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
        const stored = this.#reader.at(place)
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

  async overdue(options: { now: number; leaseMs: number; limit: number }): Promise<readonly LeasedItem[]> {
    const { now, leaseMs, limit } = options
    this.#assertOpen()
    this.#expire(now)
    const leased: LeasedItem[] = []
    const unreadable: [deadlineAt: number, id: string][] = []
    for (const [deadlineAt, id] of this.#reader.overdue(now)) {
      if (leased.length === limit) break
      if (this.#leases.has(id)) continue
      const stored = this.#reader.byId(id)
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

  async spend(spending: Spending): Promise<Spent> {
    this.#assertOpen()
    const spent = this.#rates.spend(spending)
    // Kept: on a full disk it must not be refused together with new mail, or nothing could leave and make room.
    if (spent.granted)
      await this.#writer
        .submit((plan) => plan.writes.push(...this.#rates.writes(spending)), { keep: 'awaited' })
        .finally(() => this.#rates.written(spending.key))
    return spent
  }

  async counted(prefix: string, options: { now: number; limit: number }): Promise<readonly Counted[]> {
    this.#assertOpen()
    const turn = async () => {
      await nextTurn()
      this.#assertOpen()
    }
    return this.#rates.counted(prefix, { ...options, turn })
  }

  async *body(messageId: string): AsyncIterable<Buffer> {
    this.#assertOpen()
    for (const chunk of this.#reader.body(messageId)) {
      yield chunk
      this.#assertOpen()
    }
  }

  async list(filter: ListFilter, { now, limit, after, order }: ListOptions): Promise<Page> {
    const items: ListedItem[] = []
    for (let cursor = after, looked = 0; ; await nextTurn()) {
      this.#assertOpen()
      this.#expire(now)
      const slice = find(this.#store, filter, { after: cursor, limit: sliceLength, order })
      for (const found of slice) {
        if (items.length === limit) return { items, next: cursor }
        const listed = this.#look(found.id, now)
        if (listed === 'unreadable') await this.#setAsideById(found.id)
        else if (listed !== null && matches(listed.item, listed.state, filter)) items.push(listed)
        cursor = found.cursor
      }
      if (slice.length < sliceLength) return { items, next: null }
      // An order needs to look at everything, also at what the filter leaves out.
      looked += slice.length
      if (order !== undefined && looked >= mostLookedAt) return { items, next: cursor }
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
    const stored = this.#reader.byId(itemId)
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
    return { connectors, items: this.#index.items, bytes: this.#writer.bytes, corrupt: this.#corrupt }
  }

  fault(): string | null {
    return this.#closing === null ? this.#writer.fault() : 'The queue is closed'
  }

  close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.#closing ??= this.#writer.close(deadlineMs, closed())
    return this.#closing
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
    return { item: stored.item, lease: leaseOf(hold), body: this.#reader.smallBody(stored) }
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

  #leaseTo(parcels: readonly Parcel[], { now, lease }: PutOptions): readonly Lease[] {
    if (lease === undefined) return []
    const expiresAt = now + lease.leaseMs
    return lease.itemIds.map((id) => {
      const { bodyBytes, items } = parcels.find(({ messageId }) => messageId === messageIdOf(id))!
      const { place } = items.find((item) => item.place.id === id)!
      return leaseOf(this.#hold(place, { bodyBytes, expiresAt }))
    })
  }

  // What is written.

  #withParcels<T>(
    messages: readonly NewMessage[],
    write: (parcels: readonly Parcel[]) => Promise<T>,
  ): Promise<T> {
    const [message, ...others] = messages
    if (message === undefined) return write([])
    return this.#withParcel(message, (parcel) =>
      others.length === 0 ? write([parcel]) : this.#withParcels(others, (rest) => write([parcel, ...rest])),
    )
  }

  #withParcel<T>(message: NewMessage, write: (parcel: Parcel) => Promise<T>): Promise<T> {
    const { id: messageId, body } = message
    const bodyBytes = bodySize(body)
    const items = message.items.map((item) => encode(item, bodyBytes))
    if (body.kind === 'inline')
      return write({
        messageId,
        items,
        bodyBytes,
        bodyName: messageId,
        rest: body.bytes,
        chunksStored: 0,
      })
    if (!(body.stage instanceof EmbeddedStage))
      throw new TypeError(`The body of ${messageId} is staged elsewhere`)
    return body.stage.put((end) => write({ messageId, items, bodyBytes, ...end }))
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
      this.#writer.submit(
        (plan) => {
          plan.refuseExisting([...others, ...(dsn?.items ?? [])])
          plan.replace(hold, becomes)
          if (dsn !== null) plan.add(dsn)
        },
        {
          keep: options.keep ? 'awaited' : undefined,
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
    return this.#reader.isStored(hold.place.id, item.record)
  }

  #look(itemId: string, now: number): ListedItem | 'unreadable' | null {
    const item = this.#reader.byId(itemId)?.item
    if (item === undefined) return this.#reader.exists(itemId) ? 'unreadable' : null
    const leased = this.#leases.has(itemId) && item.suspended === null
    return { item, state: stateOf(item, { now, leased }) }
  }

  // What cannot be read.

  async #setAside(id: string, place: Place | null): Promise<void> {
    this.#options.log.error({ itemId: id }, 'Set aside a record of the queue that cannot be read')
    const full = place === null ? null : { ...place, deadlineAt: 0 }
    if (full !== null) this.#leases.freeze(this.#hold(full, { bodyBytes: 0, expiresAt: 0 }))
    await this.#writer.submit((plan) => plan.setAside(id, full), {
      keep: 'background',
      applied: () => {
        this.#leases.end(id)
        this.#corrupt = this.#store.count(this.#store.corrupt)
      },
    })
  }

  /** Where a record is met by its id, the index has to be searched for the place that goes with it. */
  async #setAsideById(id: string): Promise<void> {
    const place = await this.#reader.placeOf(id, [...this.#index.connectors])
    this.#assertOpen()
    if (!this.#leases.has(id)) await this.#setAside(id, place)
  }

  /** A deadline without its record: what set the record aside did not know when its deadline was. */
  async #dropDeadline([deadlineAt, id]: [deadlineAt: number, id: string]): Promise<void> {
    if (this.#reader.exists(id) && this.#reader.byId(id) === null) await this.#setAsideById(id)
    const drop: Write = ['deadlines', [deadlineAt, id], null]
    await this.#writer.submit((plan) => plan.writes.push(drop), { keep: 'background' })
  }
}

const closed = (): QueueUnavailable => new QueueUnavailable('The queue is closed')
