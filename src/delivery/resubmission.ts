/**
 * Mail that no connector carries: its connector was removed or disabled, or none took it (`unreachable`). As Exchange
 * does, the first is routed again at once, the second whenever the configuration changes; a start counts as a change.
 *
 * Nodes that share a store learn of a change one after another, up to a second apart. So whoever finds mail of a
 * connector it does not know asks first what is configured now (`catchUp`): who put the mail there knew the
 * connector, so one that is still unknown then is gone. No node takes mail from a connector that it has yet to hear of.
 */
import type { Clock } from '../clock.ts'
import type { RecordEvent } from '../observe/events.ts'
import { type Depth, type LeasedItem, LeaseLost, type Queue, type QueueItem } from '../queue/queue.ts'
import type { InHand } from './in-hand.ts'
import { type Placement, reroute, unreachable } from './reroute.ts'

const batch = 100
const pageItems = 500
/**
 * At the change, and at the turn after it: a message that was routed just before may have been on its way into the
 * store while we looked.
 */
const turnsAfterChange = 2
/**
 * A store may have to read the whole queue to list what is unreachable. Where that takes longer than this, changes
 * that come one after another share a look: it is taken a fifth of the time at most.
 */
const longMs = 1000
const restTimes = 4

export interface ResubmissionHost {
  readonly queue: Pick<Queue, 'totals' | 'list' | 'change' | 'claim' | 'settle'>
  readonly clock: Clock
  readonly leaseMs: number
  readonly record: RecordEvent
  readonly place: (item: QueueItem, recipient: string) => Placement
  readonly catchUp: () => Promise<unknown>
  readonly inHand: InHand
  /** Whether mail of this connector is to wait for the connector itself. */
  waitsFor(connector: string): boolean
  expire(leased: LeasedItem, now: number): Promise<void>
  /** Never rejects. */
  giveBack(leased: readonly LeasedItem[]): Promise<void>
  wake(connector: string): void
  isStopping(): boolean
}

export class Resubmission {
  readonly #host: ResubmissionHost
  /** How often what is unreachable is still to be looked at. */
  #turnsDue = turnsAfterChange
  /** By the monotonic clock. */
  #restUntil = 0

  constructor(host: ResubmissionHost) {
    this.#host = host
  }

  configurationChanged(): void {
    this.#turnsDue = turnsAfterChange
  }

  async turn(): Promise<void> {
    const began = performance.now()
    const afterChange = this.#turnsDue > 0 && began >= this.#restUntil
    if (afterChange) this.#turnsDue--
    try {
      await this.#turn(afterChange)
    } catch (error) {
      if (afterChange) this.#turnsDue = turnsAfterChange
      throw error
    }
    const ended = performance.now()
    if (afterChange && ended - began > longMs) this.#restUntil = ended + restTimes * (ended - began)
  }

  async #turn(afterChange: boolean): Promise<void> {
    const { connectors } = await this.#host.queue.totals({ now: this.#host.clock.now() })
    const hasToBeMadeDue = (connector: string, { deferred, suspended }: Depth) =>
      connector === unreachable ? afterChange && deferred + suspended > 0 : deferred > 0
    const waiting = [...connectors]
      .filter(([connector]) => this.#isStray(connector))
      .map(([connector, depth]) => ({ connector, depth, later: hasToBeMadeDue(connector, depth) }))
      .filter(({ depth, later }) => depth.ready > 0 || later)
    if (waiting.length === 0) return
    await this.#host.catchUp()
    for (const { connector, later } of waiting) {
      if (!this.#isStray(connector)) continue
      if (later) await this.#makeDue(connector)
      await this.#routeAgain(connector)
    }
  }

  #isStray(connector: string): boolean {
    return !this.#host.waitsFor(connector)
  }

  /** What has an attempt ahead is routed now; of what is unreachable, only that for which there is a way today. */
  async #makeDue(connector: string): Promise<void> {
    const { queue, clock } = this.#host
    for (let after: string | null = null; !this.#host.isStopping(); ) {
      const now = clock.now()
      const page = await queue.list({ connector }, { now, limit: pageItems, after })
      const due = page.items
        .filter(({ item, state }) => state !== 'leased' && item.nextAttemptAt > now)
        .filter(({ item }) => connector !== unreachable || this.#hasWay(item, now))
      await Promise.all(due.map(({ item }) => queue.change(item.id, { kind: 'retry' }, { now })))
      after = page.next
      if (after === null) return
    }
  }

  #hasWay(item: QueueItem, now: number): boolean {
    return this.#rerouted(item, now).some(({ connector }) => connector !== unreachable)
  }

  async #routeAgain(connector: string): Promise<void> {
    const { queue, clock, leaseMs } = this.#host
    for (let left = 1; left > 0 && !this.#host.isStopping(); ) {
      const options = { now: clock.now(), leaseMs, connectors: [{ connector, limit: batch }] }
      const { leased } = await queue.claim(options)
      const ours = leased.filter((one) => this.#host.inHand.take(one))
      if (ours.length === 0) return
      if (!(await this.#isStrayStill(connector, ours))) return
      left = (await Promise.all(ours.map((one) => this.#place(one)))).filter((has) => has).length
    }
  }

  /** Some may have come since we asked, by a node that knew better. */
  async #isStrayStill(connector: string, ours: readonly LeasedItem[]): Promise<boolean> {
    let isStray = false
    try {
      await this.#host.catchUp()
      isStray = this.#isStray(connector)
    } finally {
      if (!isStray) void this.#giveBack(ours, connector)
    }
    return isStray
  }

  async #giveBack(items: readonly LeasedItem[], connector: string): Promise<void> {
    await this.#host.giveBack(items)
    if (!this.#isStray(connector)) this.#host.wake(connector)
  }

  #rerouted(item: QueueItem, now: number): QueueItem[] {
    return reroute(item, { place: (recipient) => this.#host.place(item, recipient), now })
  }

  /** Whether it has left its place, so that the next claim does not bring it again. */
  async #place(leased: LeasedItem): Promise<boolean> {
    const { queue, clock } = this.#host
    const now = clock.now()
    // What has run out of time goes nowhere; put back as unreachable it would be due again at once.
    if (now >= leased.item.expiresAt) {
      await this.#host.expire(leased, now)
      return true
    }
    let items: readonly QueueItem[]
    try {
      items = this.#rerouted(leased.item, now)
      await queue.settle(this.#host.inHand.lease(leased), { items, dsn: null }, { now })
    } catch (error) {
      if (error instanceof LeaseLost) return true
      throw error
    } finally {
      this.#host.inHand.release(leased)
    }
    const { connector } = leased.item
    for (const item of items) if (item.connector !== connector) this.#moved(item, connector)
    return items.every((item) => item.connector !== connector || item.nextAttemptAt > now)
  }

  #moved(item: QueueItem, fromConnector: string): void {
    const { id: itemId, messageId, internetMessageId, connector } = item
    const reason =
      fromConnector === unreachable
        ? 'there is a way now'
        : `connector ${fromConnector} does not carry it any more`
    const waiting = item.recipients.filter(({ state }) => state === 'pending')
    this.#host.record({
      ...{ event: 'rerouted', itemId, messageId, internetMessageId, connector, reason, fromConnector },
      ...{ from: item.sender.from, recipients: waiting.map(({ address }) => address) },
    })
    this.#host.wake(connector)
  }
}
