/**
 * Delivery: claims what is due, lets each connector's queue carry it, and concludes every attempt in one
 * atomic step of the store. What waits in memory is bounded by `memory`; the rest stays in the store.
 *
 * No connector may hold more of that memory than is left free: one whose hosts are slow, with a backlog of
 * any size, leaves room for the others. And one that holds nothing may always take one item.
 *
 * A message just accepted goes out from the bytes still at hand (`reserve`, `deliver`) unless older mail of
 * its connector is waiting in the store: then it queues up behind it.
 *
 * Connectors come, change and go while it runs (`reconfigure`). A changed one gets a new queue at once, and the old one
 * retires: what is in flight there ends there, so nothing is sent twice and nothing is lost.
 */
import type { Clock } from '../clock.ts'
import type { Connector } from '../config/connector.ts'
import type { Config } from '../config/schema.ts'
import type { RecordEvent } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import type { ProtocolLogs } from '../observe/protocol-log/protocol-logs.ts'
import { type LeasedItem, LeaseLost, type Queue, type QueueItem, type Spending } from '../queue/queue.ts'
import { ConnectorQueue, type ConnectorQueueHost } from './connector-queue.ts'
import { sameHosts } from './delivers-alike.ts'
import { type AnsweredAttempt, type Disposition, dispose, expire } from './disposition.ts'
import type { DsnWriter } from './dsn-writer.ts'
import { Duties } from './duties.ts'
import { SmartHosts } from './hosts.ts'
import { InHand } from './in-hand.ts'
import type { Passage } from './rate-gate.ts'
import { type Placement, unreachable } from './reroute.ts'
import { systemResolver } from './resolve.ts'
import { Resubmission } from './resubmission.ts'
import { type ConnectorStatus, whyStopped } from './status.ts'

/** Other nodes' mail shows up in a shared store without a word to us: so often we look. */
const pollMs = 500
/** How often we look for mail that needs attention without an attempt: expiry, delay notices, connectors that are gone. */
const attentionMs = 5_000
const resubmitting = 'route again what no connector carries'
const overdueBatch = 100
/** What a claimed body is taken to weigh before it is known: the most that comes with a claim. */
const claimedBodyBytes = 64 * 1024
/** While the store is away: how long a connector with rate limits waits before it asks again. */
const spendAgainMs = 1000
/** After the deadline of a stop: for what was cut off to be noticed. Outcomes not stored by then are the store's to keep. */
const cutOffMs = 1000

/** What is configured for delivery at one moment. */
export interface Carried {
  readonly connectors: readonly Connector[]
  /** Connectors that exist and cannot be used now, as their password cannot be opened: their mail waits for them. */
  readonly unusable: ReadonlySet<string>
}

export interface DeliveryOptions extends Carried {
  readonly queue: Queue
  readonly delivery: Config['delivery']
  readonly leaseMs: number
  readonly dsnWriter: DsnWriter
  /** Where an item's recipients would go today; asked for mail whose connector is gone. */
  readonly place: (item: QueueItem, recipient: string) => Placement
  /**
   * Resolves when this node knows the configuration as it was in the store when asked, or a later one, and has been
   * reconfigured by it. Asked before mail is taken from a connector that is unknown here.
   */
  readonly catchUp: () => Promise<unknown>
  readonly clock: Clock
  readonly log: Log
  readonly protocolLogs?: ProtocolLogs
  readonly record: RecordEvent
  readonly random: () => number
}

export class Delivery {
  readonly #options: DeliveryOptions
  readonly #host: ConnectorQueueHost
  readonly #resubmission: Resubmission
  readonly #queues = new Map<string, ConnectorQueue>()
  /** Those that only finish what is in flight. */
  readonly #retired = new Set<ConnectorQueue>()
  #unusable: ReadonlySet<string>
  readonly #inHand: InHand
  /** Connectors for which the store holds more that is due than we took. */
  readonly #backlog = new Set<string>()
  #wake: (() => void) | null = null
  #woken = false
  #stopping = false
  #claiming: Promise<void> = Promise.resolve()
  readonly #duties: Duties

  constructor(options: DeliveryOptions) {
    this.#options = options
    const { memory } = options.delivery
    const { queue, clock, log, leaseMs, record, place, catchUp } = options
    this.#inHand = new InHand({ queue, clock, leaseMs, memory })
    this.#duties = new Duties({ log, isStopping: () => this.#stopping })
    this.#host = {
      clock: options.clock,
      log: options.log,
      protocolLogs: options.protocolLogs,
      record: options.record,
      schedule: options.delivery.connectionRetry,
      random: options.random,
      conclude: (leased, attempt, hostOffersDsn) => this.#conclude(leased, attempt, hostOffersDsn),
      giveBack: (leased) => this.#giveBack(leased),
      body: (leased) => leased.body ?? options.queue.body(leased.item.messageId),
      abandon: (leased) => this.#inHand.release(leased),
      holds: (leased) => this.#inHand.holds(leased),
      spend: (spending) => this.#spend(spending),
      wanting: () => this.#nudge(),
      retiredLanes: (queue) => this.#retiredLanes(queue),
      laneEnded: (queue) => this.#laneEnded(queue),
    }
    this.#resubmission = new Resubmission({
      ...{ queue, clock, leaseMs, record, place, catchUp },
      waitsFor: (connector) => this.#waitsFor(connector),
      inHand: this.#inHand,
      expire: (leased, now) => this.#expire(leased, now),
      giveBack: (leased) => this.#giveBack(leased),
      wake: (connector) => this.wake(connector),
      isStopping: () => this.#stopping,
    })
    this.#unusable = options.unusable
    for (const connector of options.connectors) if (connector.enabled) this.#carry(connector)
  }

  start(): void {
    this.#claiming = this.#claimLoop()
    this.#duties.begin('renew leases', Math.max(1000, this.#options.leaseMs / 3), () => this.#inHand.renew())
    this.#duties.begin('attend to overdue mail', attentionMs, () => this.#concludeOverdue())
    this.#duties.begin(resubmitting, attentionMs, () => this.#resubmission.turn())
  }

  /**
   * What is configured now. A connector's queue stays where nothing about it changed that delivery uses; it is
   * replaced, or made, by one that tries its hosts at once where something did. Mail of connectors that are gone, and what
   * is unreachable, is routed again, whatever changed: it may have been the routes.
   */
  reconfigure({ connectors, unusable }: Carried): void {
    if (this.#stopping) return
    this.#unusable = unusable
    const carried = new Set<string>()
    for (const connector of connectors) {
      if (!connector.enabled) continue
      carried.add(connector.id)
      if (this.#queues.get(connector.id)?.adopt(connector)) continue
      this.#carry(connector)
      this.wake(connector.id)
    }
    for (const [id, queue] of this.#queues) {
      if (carried.has(id)) continue
      this.#queues.delete(id)
      this.#backlog.delete(id)
      this.#retire(queue)
    }
    this.#resubmission.configurationChanged()
    this.#duties.soon(resubmitting)
  }

  /**
   * Whether a message of `sizeBytes` for this connector may be put under a lease and delivered at once. A
   * reservation is used up by `deliver`, or returned with `unreserve`.
   */
  reserve(connector: string, sizeBytes: number): boolean {
    if (this.#stopping || this.#backlog.has(connector)) return false
    if (!this.#queues.get(connector)?.takesDirect) return false
    return this.#inHand.reserve(connector, sizeBytes)
  }

  unreserve(sizeBytes: number): void {
    this.#inHand.unreserve(sizeBytes)
  }

  /** Delivers an item that `put` leased to us. `sizeBytes` is what was reserved. */
  deliver(leased: LeasedItem, sizeBytes: number): void {
    this.#inHand.unreserve(sizeBytes)
    this.#inHand.take(leased)
    const queue = this.#queues.get(leased.item.connector)
    if (queue && !this.#stopping) queue.push([leased])
    else void this.#giveBack([leased]).then(() => this.wake(leased.item.connector))
  }

  /** In-flow control: what the 250 of a message for this connector should wait for, a moment at most; null: nothing. */
  pace(connector: string): Promise<void> | null {
    return this.#queues.get(connector)?.pace() ?? null
  }

  /** Something became due in the store. */
  wake(connector: string): void {
    this.#expectMore(connector)
    this.#nudge()
    // Routed before its connector went. What is unreachable is in no hurry, and there may be much of it.
    if (!this.#waitsFor(connector) && connector !== unreachable) this.#duties.soon(resubmitting)
  }

  /** An operator wants this connector's hosts tried now, whatever its schedule says. */
  retry(connector: string): void {
    this.#queues.get(connector)?.retryNow()
    this.wake(connector)
  }

  get heldBytes(): number {
    return this.#inHand.bytes
  }

  status(): readonly ConnectorStatus[] {
    return [...this.#queues.values()].map((queue) => this.#withRetired(queue.status))
  }

  /** Connections and attempts under the settings before count until they end. */
  #withRetired(status: ConnectorStatus): ConnectorStatus {
    let { connections, attemptsInFlight } = status
    for (const { connector, status: retired } of this.#retired) {
      if (connector.id !== status.connector) continue
      connections += retired.connections
      attemptsInFlight += retired.attemptsInFlight
    }
    return { ...status, connections, attemptsInFlight }
  }

  /** Claims no more, finishes what is in flight until the deadline, gives the rest back. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    this.#nudge()
    const queues = [...this.#queues.values(), ...this.#retired].map((queue) => queue.stop(deadlineMs))
    // A store that does not answer keeps everybody who waits for it, but not us.
    await withinTime(Promise.all([this.#claiming, ...queues]), deadlineMs + cutOffMs)
    // Until here leases are renewed: an attempt under way may outlast the one it has.
    await withinTime(this.#duties.end(), cutOffMs)
  }

  // Connectors that come and go

  #carry(connector: Connector): void {
    const smartHosts = new SmartHosts(connector, { resolver: systemResolver, clock: this.#options.clock })
    const queue = new ConnectorQueue(connector, smartHosts, this.#host)
    const before = this.#queues.get(connector.id)
    this.#queues.set(connector.id, queue)
    if (before !== undefined) {
      const waiting = before.takeWaiting()
      this.#retire(before)
      queue.push(waiting)
    }
  }

  #retire(queue: ConnectorQueue): void {
    this.#retired.add(queue)
    void queue.retire().then(() => {
      this.#retired.delete(queue)
      // What was in flight may have been deferred, or given back.
      this.wake(queue.connector.id)
    })
  }

  #waitsFor(connector: string): boolean {
    return this.#queues.has(connector) || this.#unusable.has(connector)
  }

  #retiredLanes(queue: ConnectorQueue): number {
    let lanes = 0
    for (const retired of this.#retired)
      if (retired.connector.id === queue.connector.id && sameHosts(retired.connector, queue.connector))
        lanes += retired.lanes
    return lanes
  }

  #laneEnded(queue: ConnectorQueue): void {
    if (this.#retired.has(queue)) this.#queues.get(queue.connector.id)?.takeRoom()
  }

  // Claiming

  async #claimLoop(): Promise<void> {
    while (!this.#stopping) {
      this.#woken = false
      let sleepMs = pollMs
      try {
        sleepMs = await this.#claim()
        this.#duties.succeeded('claim')
      } catch (error) {
        this.#duties.failed('claim', error)
      }
      await this.#sleep(sleepMs)
    }
  }

  /** Claims once for all queues that want mail; returns how long there is nothing to do. */
  async #claim(): Promise<number> {
    const { queue, clock, leaseMs } = this.#options
    const connectors = this.#wanting()
    if (connectors.length === 0) return this.#untilUnblocked()
    const now = clock.now()
    const claim = await queue.claim({ now, leaseMs, connectors })
    const taken = new Map<string, LeasedItem[]>()
    for (const leased of claim.leased) {
      if (!this.#inHand.take(leased)) continue
      const list = taken.get(leased.item.connector)
      if (list) list.push(leased)
      else taken.set(leased.item.connector, [leased])
    }
    let sleepMs = this.#untilUnblocked()
    for (const { connector } of connectors) {
      const dueAt = claim.nextDueAt.get(connector)
      if (dueAt !== undefined && dueAt <= now) this.#expectMore(connector)
      else this.#backlog.delete(connector)
      if (dueAt !== undefined && dueAt > now) sleepMs = Math.min(sleepMs, dueAt - now)
    }
    // A connector may have gone meanwhile.
    for (const [connector, leased] of taken) {
      const queue = this.#queues.get(connector)
      if (queue !== undefined) queue.push(leased)
      else void this.#giveBack(leased).then(() => this.wake(connector))
    }
    return sleepMs
  }

  #wanting(): { connector: string; limit: number }[] {
    const wanting: { connector: string; limit: number }[] = []
    let free = this.#inHand.freeBytes
    for (const [connector, queue] of this.#queues) {
      const limit = this.#limit(connector, { queue, free })
      if (limit === 0) continue
      wanting.push({ connector, limit })
      if (this.#backlog.has(connector)) free -= limit * claimedBodyBytes
    }
    return wanting
  }

  /** How much to claim for one connector. */
  #limit(connector: string, { queue, free }: { queue: ConnectorQueue; free: number }): number {
    const share = this.#inHand.shareOf(connector)
    const room = Math.max(Math.floor((free - share) / claimedBodyBytes), share === 0 ? 1 : 0)
    if (this.#backlog.has(connector)) return Math.min(queue.wants, room)
    // One item tells whether there is more. It is asked for also where mail just accepted fills the queue, as
    // that must not keep older mail waiting.
    return queue.wants > 0 || queue.takesDirect ? Math.min(1, room) : 0
  }

  /** Mail of connectors that we do not carry is no backlog. */
  #expectMore(connector: string): void {
    if (this.#queues.has(connector)) this.#backlog.add(connector)
  }

  #untilUnblocked(): number {
    const now = this.#options.clock.now()
    let sleepMs = pollMs
    for (const queue of this.#queues.values()) {
      const until = queue.blockedUntil
      if (until !== null && until > now) sleepMs = Math.min(sleepMs, until - now)
    }
    return sleepMs
  }

  #sleep(sleepMs: number): Promise<void> {
    if (this.#woken || this.#stopping) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#wake = null
        resolve()
      }
      const timer = setTimeout(done, sleepMs)
      this.#wake = done
    })
  }

  /** Room came free, or mail fell due: worth a claim only where the store is known to hold more that may leave. */
  #nudge(): void {
    if (!this.#stopping && !this.#backlogMayLeave()) return
    this.#woken = true
    this.#wake?.()
  }

  #backlogMayLeave(): boolean {
    if (this.#backlog.size === 0) return false
    const free = this.#inHand.freeBytes
    for (const connector of this.#backlog)
      if (this.#limit(connector, { queue: this.#queues.get(connector)!, free }) > 0) return true
    return false
  }

  // Concluding

  /** What the attempt means, stored in one step, then reported. */
  #conclude(leased: LeasedItem, attempt: AnsweredAttempt, hostOffersDsn: boolean): Promise<void> {
    const { clock, delivery, random } = this.#options
    return this.#settle(leased, () =>
      dispose(leased.item, attempt, {
        now: clock.now(),
        schedule: delivery.messageRetry,
        jitter: random(),
        hostOffersDsn,
      }),
    )
  }

  async #settle(leased: LeasedItem, decide: () => Disposition): Promise<void> {
    const { queue, dsnWriter, record, clock, log } = this.#options
    const { item } = leased
    try {
      const disposition = decide()
      const dsn =
        disposition.report === null ? null : await dsnWriter.write(item, disposition.report, leased.body)
      const message = dsn?.message ?? null
      await queue.settle(
        this.#inHand.lease(leased),
        { items: disposition.items, dsn: message },
        { now: clock.now() },
      )
      for (const event of disposition.events(message?.id ?? null)) record(event)
      if (dsn !== null) {
        record(dsn.event)
        if (message !== null) this.wake(message.items[0]!.connector)
      }
    } catch (error) {
      if (error instanceof LeaseLost) {
        record({ event: 'lease-lost', itemId: item.id, messageId: item.messageId, connector: item.connector })
      } else {
        // The lease runs out by itself and the item is tried again: nothing is lost by giving up here.
        log.error({ err: error, itemId: item.id }, 'cannot conclude an attempt')
      }
    } finally {
      this.#inHand.release(leased)
    }
  }

  async #giveBack(leased: readonly LeasedItem[]): Promise<void> {
    const { queue, clock, log } = this.#options
    await Promise.all(
      leased.map(async (one) => {
        this.#inHand.givingBack(one)
        try {
          await queue.settle(this.#inHand.lease(one), { items: [one.item], dsn: null }, { now: clock.now() })
        } catch (error) {
          if (!(error instanceof LeaseLost))
            log.error({ err: error, itemId: one.item.id }, 'cannot give an item back')
        } finally {
          this.#expectMore(one.item.connector)
          this.#inHand.release(one)
        }
      }),
    )
  }

  /** While the store is away nobody knows what has been sent: then nothing is, as it could be too much. */
  async #spend(spending: Spending): Promise<Passage> {
    const duty = 'keep to rate limits'
    try {
      const spent = await this.#options.queue.spend(spending)
      this.#duties.succeeded(duty)
      return spent
    } catch (error) {
      this.#duties.failed(duty, error)
      return { granted: false, limit: null, retryAt: this.#options.clock.now() + spendAgainMs }
    }
  }

  // Mail that needs attention without an attempt

  async #concludeOverdue(): Promise<void> {
    const { queue, clock, leaseMs } = this.#options
    for (const waiting of this.#queues.values()) waiting.giveBackOverdue(clock.now())
    while (!this.#stopping) {
      const now = clock.now()
      const overdue = await queue.overdue({ now, leaseMs, limit: overdueBatch })
      const ours = overdue.filter((leased) => this.#inHand.take(leased))
      await Promise.all(ours.map((leased) => this.#expire(leased, now)))
      if (overdue.length < overdueBatch) return
    }
  }

  #expire(leased: LeasedItem, now: number): Promise<void> {
    return this.#settle(leased, () => expire(leased.item, { now, reason: this.#reason(leased.item) }))
  }

  /** Why an item waits that was never refused itself: its connector's last error. */
  #reason(item: QueueItem): string | null {
    if (this.#unusable.has(item.connector)) return item.lastError ?? 'Its connector cannot be used'
    const status = this.#queues.get(item.connector)?.status
    return item.lastError ?? (status === undefined ? null : whyStopped(status))
  }
}

/** Waits for it, but no longer than so. */
async function withinTime(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, passed])
  clearTimeout(timer)
}
