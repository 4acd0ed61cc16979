/**
 * One connector's queue on this node: what is leased and waits, the lanes that carry it, and the state that
 * says whether the smart hosts may be tried. A lane is one connection and its loop: take an item, send it,
 * conclude it, take the next; so a connection has at most one message whose fate is open.
 *
 * A connection fault touches no item (design §7): what waits is given back to the store, and the connector
 * is tried again on its own schedule with a single lane. A connection that breaks inside a transaction gets
 * its message one more connection; if that one breaks too, the message itself may be the cause, and it is
 * deferred so that it cannot hold up the ones behind it.
 *
 * Where a rate limit is reached the whole queue waits, and no item is touched either. A short wait keeps what is
 * at hand; for a longer one it goes back to the store, where other nodes and operators find it.
 *
 * Its settings are those it was made with. Where they change another queue takes its place, and this one retires: it
 * begins nothing more, and what is in flight ends as it would have.
 */
import { setMaxListeners } from 'node:events'
import { BriefMap } from '../brief-map.ts'
import type { Clock } from '../clock.ts'
import type { Connector } from '../config/connector.ts'
import type { RecordEvent } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import type { ProtocolLogs } from '../observe/protocol-log/protocol-logs.ts'
import { deadlineOf, type LeasedItem, type Spending } from '../queue/queue.ts'
import { formatReply, type Reply, temporary } from '../reply.ts'
import type { Attempt, ConnectionFault } from './attempt.ts'
import { boundMark, withBoundMark } from './bound-mark.ts'
import { type ConnectorState, connected, failed, initialState, mayConnect } from './connector-state.ts'
import { deliversAlike } from './delivers-alike.ts'
import type { AnsweredAttempt } from './disposition.ts'
import type { SmartHosts } from './hosts.ts'
import { isRateLimited, mostAtOnce } from './rate.ts'
import { type Passage, RateGate } from './rate-gate.ts'
import type { HostAddress } from './resolve.ts'
import { type OpenResult, openSmartHost, type SmartHostConnection } from './smarthost.ts'
import type { ConnectorStatus } from './status.ts'

/** A connection without work is kept so long for the next message, then ended. */
const idleMs = 15_000
/** After a host refused one connection more, while others were up: how long we keep to the number it took. */
const ceilingMs = 60_000
/** So long at most a 250 waits for the lanes: short enough that a slow smart host does not slow submission down. */
const paceMs = 20
/** How many items may wait per connection: enough that a lane never waits for the store. */
const waitingPerConnection = 4

export interface ConnectorQueueHost {
  readonly clock: Clock
  readonly log: Log
  /** For connectors that are to log their dialogues. */
  readonly protocolLogs?: ProtocolLogs | undefined
  readonly record: RecordEvent
  readonly schedule: readonly number[]
  readonly random: () => number
  /** Decides what the attempt means, stores it, reports it. Never rejects. */
  conclude(leased: LeasedItem, attempt: AnsweredAttempt, hostOffersDsn: boolean): Promise<void>
  /** Gives items back to the store untouched. Never rejects. */
  giveBack(leased: readonly LeasedItem[]): Promise<void>
  /** Lets go of an item whose lease is lost, or whose outcome nobody knows: it comes back when the lease has run out. */
  abandon(leased: LeasedItem): void
  /** The bytes to send: from memory, or streamed from the store. */
  body(leased: LeasedItem): Buffer | AsyncIterable<Buffer>
  /** Counts a message against the connector's rate limits, if they have room. Never rejects. */
  spend(spending: Spending): Promise<Passage>
  /** False once the lease is lost or about to run out: then somebody else may have the item. */
  holds(leased: LeasedItem): boolean
  /** Room has come free, or the state has changed: claim again when it makes sense. */
  wanting(): void
  /** How many lanes to the same hosts retired queues of this connector still have. */
  retiredLanes(queue: ConnectorQueue): number
  /** Also of a retired queue: one of its connections is free for another. */
  laneEnded(queue: ConnectorQueue): void
}

export class ConnectorQueue {
  #connector: Connector
  readonly #host: ConnectorQueueHost
  readonly #smartHosts: SmartHosts
  #state: ConnectorState = initialState
  #waiting: LeasedItem[] = []
  readonly #broken = new WeakSet<LeasedItem>()
  readonly #lanes = new Set<Promise<void>>()
  readonly #parked: ((work: LeasedItem | null) => void)[] = []
  /** Clients waiting for their 250, longest first. */
  readonly #paced = new BriefMap<NodeJS.Timeout, () => void>()
  readonly #connections = new Set<SmartHostConnection>()
  readonly #abort = new AbortController()
  /** Null without rate limits. */
  readonly #gate: RateGate | null = null
  readonly #mostWaiting: number
  #inFlight = 0
  #ceiling = { connections: Number.POSITIVE_INFINITY, until: 0 }
  #stopping = false

  constructor(connector: Connector, smartHosts: SmartHosts, host: ConnectorQueueHost) {
    this.#connector = connector
    this.#smartHosts = smartHosts
    this.#host = host
    // Each connection that is being opened listens; there are as many as the connector may have.
    setMaxListeners(0, this.#abort.signal)
    const { limits } = connector
    this.#mostWaiting = Math.min(limits.connections * waitingPerConnection, mostAtOnce(limits))
    if (isRateLimited(limits))
      this.#gate = new RateGate(connector, {
        clock: host.clock,
        log: host.log,
        spend: (spending) => host.spend(spending),
        opened: () => this.#reopened(),
      })
  }

  get connector(): Connector {
    return this.#connector
  }

  /** Takes settings that make no difference to how it delivers; false where they do. */
  adopt(connector: Connector): boolean {
    if (!deliversAlike(this.#connector, connector)) return false
    this.#connector = connector
    return true
  }

  /** How many more items this queue can use now; 0 while its hosts may not be tried, or a rate limit is reached. */
  get wants(): number {
    if (this.#stopping || this.#isShut) return 0
    const permission = mayConnect(this.#state, this.#host.clock.now())
    if (permission === 'no') return 0
    if (permission === 'probe') return this.#lanes.size + this.#waiting.length === 0 ? 1 : 0
    const most = Math.min(this.#limit() * waitingPerConnection, this.#mostWaiting)
    return Math.max(0, most - this.#waiting.length)
  }

  /** When a queue that wants nothing may try again; null where nothing is in its way. */
  get blockedUntil(): number | null {
    const shutUntil = this.#gate?.shutUntil ?? null
    return this.#state.kind === 'ready' ? shutUntil : Math.max(this.#state.nextAttemptAt, shutUntil ?? 0)
  }

  /** Whether a message just accepted may wait here, in memory, for a lane. */
  get takesDirect(): boolean {
    if (this.#gate !== null && (this.#isShut || this.#waiting.length >= this.#mostWaiting)) return false
    return this.#state.kind === 'ready' && !this.#stopping && this.#limit() > 0
  }

  /**
   * In-flow control: null where the lanes keep up, else a promise that resolves when one takes its next item, and
   * after `paceMs` at the latest. The client that waits for its 250 meanwhile leaves the lanes their share of the
   * processor, and memory to mail that would only wait there.
   */
  pace(): Promise<void> | null {
    const keepsUp = this.#waiting.length <= this.connector.limits.connections
    if (keepsUp || !this.takesDirect) return null
    return new Promise((resolve) => {
      const proceed = () => {
        this.#paced.delete(timer)
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(proceed, paceMs)
      this.#paced.set(timer, proceed)
    })
  }

  get status(): ConnectorStatus {
    const state = this.#state
    return {
      connector: this.connector.id,
      name: this.connector.name,
      state: state.kind,
      fault: state.kind === 'ready' ? null : state.fault,
      lastError: state.kind === 'ready' ? null : `${state.host}: ${formatReply(state.reply)}`,
      nextAttemptAt: state.kind === 'ready' ? null : state.nextAttemptAt,
      waitingUntil: this.#gate?.shutUntil ?? null,
      waitingFor: this.#gate?.shutBy ?? null,
      connections: this.#connections.size,
      attemptsInFlight: this.#inFlight,
    }
  }

  /** The hosts may be well again: they are tried at once, as at the end of the wait that was under way. */
  retryNow(): void {
    const now = this.#host.clock.now()
    if (this.#state.kind === 'ready' || this.#state.nextAttemptAt <= now) return
    this.#state = { ...this.#state, nextAttemptAt: now }
  }

  /** Takes over leased items; each is concluded or given back. */
  push(leased: readonly LeasedItem[]): void {
    this.#waiting.push(...leased)
    // The hosts may have failed between the claim, or the put, and now: then nobody may carry these.
    this.#resume()
  }

  /** Gives back what waits and is past its deadline: its sender must hear of it, however slow the hosts are. */
  giveBackOverdue(now: number): void {
    if (!this.#waiting.some(({ item }) => deadlineOf(item) <= now)) return
    const overdue = this.#waiting.filter(({ item }) => deadlineOf(item) <= now)
    this.#waiting = this.#waiting.filter(({ item }) => deadlineOf(item) > now)
    void this.#host.giveBack(overdue)
  }

  get lanes(): number {
    return this.#lanes.size
  }

  /** A retired queue of this connector has a lane less: this one may have it. */
  takeRoom(): void {
    this.#openLanes()
  }

  /** Another queue carries what waits here. */
  takeWaiting(): readonly LeasedItem[] {
    const items = this.#waiting
    this.#waiting = []
    return items
  }

  /**
   * Begins nothing more, finishes what is in flight however long its host takes (cut off, it might be sent twice),
   * gives back what waits. Never rejects.
   */
  async retire(): Promise<void> {
    this.#stopping = true
    // On a connection that is still being opened nothing is in flight.
    this.#abort.abort()
    this.#gate?.stop()
    for (const parked of this.#parked.splice(0)) parked(null)
    const givenBack = this.#giveBackWaiting()
    await Promise.all(this.#lanes)
    await Promise.all([givenBack, this.#giveBackWaiting()])
  }

  /** Finishes what is in flight until the deadline, gives back what waits. */
  async stop(deadlineMs: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.close()
    }, deadlineMs)
    await this.retire()
    clearTimeout(timer)
  }

  /** The smart host counts connections, whichever settings they were opened with. */
  #limit(): number {
    const ceiling =
      this.#ceiling.until > this.#host.clock.now()
        ? this.#ceiling.connections
        : this.connector.limits.connections
    const most = Math.min(ceiling, this.connector.limits.connections)
    return Math.max(0, most - this.#host.retiredLanes(this))
  }

  /** A lane for each item that waits, as far as the limit and the state of the hosts allow. */
  #openLanes(): void {
    if (this.#stopping || this.#waiting.length === 0) return
    while (this.#waiting.length > 0 && this.#lanes.size < this.#lanesAllowed()) this.#openLane()
  }

  #lanesAllowed(): number {
    const permission = mayConnect(this.#state, this.#host.clock.now())
    if (permission !== 'freely') return permission === 'probe' ? 1 : 0
    if (this.#connections.size > 0) return this.#limit()
    // One for each host goes ahead: a wrong password that all lanes try at once would lock the account.
    return Math.min(this.#limit(), this.#smartHosts.count)
  }

  /** The new lane takes its first item at once. */
  #openLane(): void {
    const lane = this.#runLane()
    this.#lanes.add(lane)
    void lane.then(() => {
      this.#lanes.delete(lane)
      if (this.#waiting.length > 0 && !this.#stopping) this.#resume()
      this.#host.laneEnded(this)
      this.#host.wanting()
    })
  }

  /** Idle and new lanes take what waits; where nobody may, it goes back, unless a rate limit has room again soon. */
  #resume(): void {
    if (this.#isShut) {
      if (!this.#gate!.opensSoon) void this.#giveBackWaiting()
      return
    }
    while (this.#parked.length > 0 && this.#waiting.length > 0) this.#parked.pop()!(this.#waiting.shift()!)
    this.#openLanes()
    if (this.#lanes.size === 0) void this.#giveBackWaiting()
  }

  get #isShut(): boolean {
    return this.#gate !== null && this.#gate.shutUntil !== null
  }

  #reopened(): void {
    this.#resume()
    this.#host.wanting()
  }

  /** False where a rate limit has no room: then the item waits again, and all behind it. */
  async #passes(work: LeasedItem): Promise<boolean> {
    if (this.#gate === null || (await this.#gate.passes(work.item))) return true
    this.#waiting.unshift(work)
    if (this.#stopping) await this.#giveBackWaiting()
    else this.#resume()
    return false
  }

  /** Never rejects. */
  async #runLane(): Promise<void> {
    let connection: SmartHostConnection | null = null
    let work: LeasedItem | null = null
    try {
      for (;;) {
        const next = this.#next(connection)
        work = next instanceof Promise ? await next : next
        if (work === null) return
        if (connection !== null && !this.#reusable(connection)) connection = await this.#end(connection)
        if (connection === null || lacksTls(work, connection))
          connection = await this.#connectionFor(work, connection)
        // What has not begun when the queue retires leaves by the new settings.
        if (connection === null || this.#stopping) {
          this.#waiting.unshift(work)
          return
        }
        const isRefused = lacksTls(work, connection)
        if (this.#gate !== null && !isRefused && !(await this.#passes(work))) continue
        // The lease may have run out on the way here: in a store that was slow, or while the host was.
        if (this.#host.holds(work)) await this.#carry(work, connection)
        else this.#host.abandon(work)
      }
    } catch (error) {
      this.#host.log.error({ err: error, connector: this.connector.id }, 'a delivery lane failed')
      if (work !== null) this.#host.abandon(work)
    } finally {
      if (connection !== null) await this.#end(connection)
    }
  }

  #reusable(connection: SmartHostConnection): boolean {
    return connection.usable && connection.messages < this.connector.limits.messagesPerConnection
  }

  async #end(connection: SmartHostConnection): Promise<null> {
    this.#connections.delete(connection)
    if (connection.usable) await connection.quit()
    else connection.close()
    return null
  }

  /** The next item, waiting for one as long as the connection is worth keeping; null ends the lane. */
  #next(connection: SmartHostConnection | null): LeasedItem | null | Promise<LeasedItem | null> {
    const work = this.#take()
    if (work !== null) {
      if (this.#waiting.length < this.connector.limits.connections) this.#host.wanting()
      return work
    }
    this.#host.wanting()
    if (connection === null || this.#stopping || !this.#reusable(connection)) return null
    return new Promise((resolve) => {
      const take = (work: LeasedItem | null) => {
        clearTimeout(timer)
        resolve(work)
      }
      const timer = setTimeout(() => {
        this.#parked.splice(this.#parked.indexOf(take), 1)
        resolve(null)
      }, idleMs)
      this.#parked.push(take)
    })
  }

  /** The first that waits and is still ours; null also while a rate limit lets none through. */
  #take(): LeasedItem | null {
    if (this.#isShut) return null
    this.#paced.first?.()
    for (let work = this.#waiting.shift(); work !== undefined; work = this.#waiting.shift()) {
      if (this.#host.holds(work)) return work
      this.#host.abandon(work)
    }
    return null
  }

  /**
   * The lane's connection, or a new one. Where it lacks the TLS that the message requires, it is given up for one to a
   * host that may offer TLS; where none does, the message is refused on one in clear, and others go on there.
   */
  async #connectionFor(
    work: LeasedItem,
    connection: SmartHostConnection | null,
  ): Promise<SmartHostConnection | null> {
    const open = connection ?? (await this.#connect())
    if (open === null || !lacksTls(work, open) || !this.#smartHosts.anyMayOfferTls) return open
    await this.#end(open)
    return (await this.#connectEncrypted()) ?? this.#connect()
  }

  /** No host is at fault that lacks what the connector does not ask for. */
  async #connectEncrypted(): Promise<SmartHostConnection | null> {
    const hosts = await this.#smartHosts.order()
    if ('scope' in hosts) return null
    for (const host of hosts.filter((each) => this.#smartHosts.mayOfferTls(each))) {
      const result = await this.#open(host, { ...this.connector, requireTLS: true })
      if (result.ok) return this.#opened(host, result.connection)
      if (result.attempt.fault === 'tls') this.#smartHosts.offersNoTls(host)
      else this.#smartHosts.failed(host)
      if (result.attempt.fault === 'auth-refused' || this.#stopping) break
    }
    return null
  }

  #open(host: HostAddress, connector: Connector): Promise<OpenResult> {
    const { log, protocolLogs } = this.#host
    const protocol =
      connector.protocolLogging === 'verbose'
        ? (protocolLogs?.send(connector.name, { address: host.address, port: connector.port }) ?? null)
        : null
    return openSmartHost(connector, host, { signal: this.#abort.signal, log, protocol })
  }

  #opened(host: HostAddress, connection: SmartHostConnection): SmartHostConnection {
    this.#smartHosts.succeeded(host)
    if (connection.tls === null) this.#smartHosts.offersNoTls(host)
    this.#connections.add(connection)
    this.#becomeReady(connection.host)
    this.#openLanes()
    return connection
  }

  /** A new connection to the first host that gives one, or null: then the state says when to try again. */
  async #connect(): Promise<SmartHostConnection | null> {
    // A lane that had a connection goes on with a new one only as others may open theirs.
    if (mayConnect(this.#state, this.#host.clock.now()) === 'no') return null
    let last: ConnectionFailure | null = null
    const hosts = await this.#smartHosts.order()
    // How many hosts there are is known now.
    this.#openLanes()
    if ('scope' in hosts) last = hosts as ConnectionFailure
    else {
      for (const host of hosts) {
        const result = await this.#open(host, this.connector)
        if (result.ok) return this.#opened(host, result.connection)
        last = result.attempt as ConnectionFailure
        this.#smartHosts.failed(host)
        // Wrong credentials are wrong at every host of the connector; trying them all gets accounts locked.
        if (last.fault === 'auth-refused' || this.#stopping) break
      }
    }
    if (last !== null) this.#connectionFailed(last)
    return null
  }

  #becomeReady(host: string): void {
    if (this.#state.kind === 'ready') return
    this.#state = connected(this.#state)
    this.#recordState(null, host, null)
    this.#host.wanting()
  }

  #connectionFailed(failure: ConnectionFailure): void {
    const now = this.#host.clock.now()
    if (this.#stopping) return
    if (failure.fault !== 'auth-refused' && this.#anyConnectionUp()) {
      // Others are up: the host takes no more of us now, which is no fault of the connector. Lanes are counted
      // rather than connections, as some may be between two of theirs.
      this.#ceiling = { connections: Math.max(1, this.#lanes.size - 1), until: now + ceilingMs }
      return
    }
    const state = failed(this.#state, {
      fault: failure.fault,
      reply: failure.reply,
      host: failure.host,
      now,
      schedule: this.#host.schedule,
      jitter: this.#host.random(),
    })
    if (state === this.#state) return
    this.#state = state
    this.#recordState(failure.fault, failure.host, failure.reply)
  }

  /** One that the host has closed while it was idle proves nothing. */
  #anyConnectionUp(): boolean {
    for (const connection of this.#connections) if (connection.usable) return true
    return false
  }

  #recordState(fault: ConnectionFault | null, host: string | null, reply: Reply | null): void {
    this.#host.record({
      event: 'connector',
      connector: this.connector.id,
      state: this.#state.kind,
      fault,
      host,
      reply,
      nextAttemptAt: this.#state.kind === 'ready' ? null : this.#state.nextAttemptAt,
    })
  }

  async #carry(work: LeasedItem, connection: SmartHostConnection): Promise<void> {
    this.#inFlight++
    try {
      const { item } = work
      const body = this.#host.body(work)
      const attempt = await connection.send(
        {
          id: item.id,
          internetMessageId: item.internetMessageId,
          sender: item.sender,
          recipients: item.recipients.filter((recipient) => recipient.state === 'pending'),
          sizeBytes: item.boundMark ? item.sizeBytes + boundMark.length : item.sizeBytes,
          eightBit: item.eightBit,
          requireTls: item.requireTls,
        },
        item.boundMark ? withBoundMark(body) : body,
      )
      if (attempt.scope !== 'connection') await this.#host.conclude(work, attempt, connection.offersDsn)
      else await this.#broke(work, attempt, connection.offersDsn)
    } finally {
      this.#inFlight--
    }
  }

  async #broke(work: LeasedItem, attempt: ConnectionFailure, offersDsn: boolean): Promise<void> {
    if (this.#stopping) return this.#host.giveBack([work])
    if (attempt.fault === 'auth-refused') {
      // Some hosts ask for a login only at MAIL (530): the credentials' fault again, and no message's.
      this.#connectionFailed(attempt)
      return this.#host.giveBack([work])
    }
    if (!this.#broken.has(work)) {
      this.#broken.add(work)
      this.#waiting.unshift(work)
      return
    }
    const reply = attempt.reply.code < 500 ? attempt.reply : temporary('4.2', attempt.reply.text)
    const { host } = attempt
    await this.#host.conclude(
      work,
      { scope: 'message', host, reply, refused: new Map(), uncertain: false },
      offersDsn,
    )
  }

  async #giveBackWaiting(): Promise<void> {
    const items = this.takeWaiting()
    if (items.length > 0) await this.#host.giveBack(items)
  }
}

const lacksTls = ({ item }: LeasedItem, connection: SmartHostConnection): boolean =>
  item.requireTls && connection.tls === null

type ConnectionFailure = Extract<Attempt, { scope: 'connection' }>
