/**
 * Whether mail may be added to this Redis, looked at every few seconds and whenever the connection came back:
 * the server behind it may have been exchanged, flushed or filled meanwhile. Taking mail out goes on regardless.
 */
import type { Log } from '../../observe/log.ts'
import { QueueFull, QueueUnavailable } from '../queue.ts'
import type { RedisConnection } from './connection.ts'
import { durabilityFindings, type Finding, type RedisFacts, redisHealth } from './durability.ts'

const checkEveryMs = 5000
/** Where something is wrong the next look comes sooner, so that the relay accepts again soon after it is mended. */
const checkFaultEveryMs = 1000

export type Durability = 'strict' | 'relaxed'

/** What keeps the queue from being kept in these servers; the other findings are only warned about. */
export function refusals(facts: readonly RedisFacts[], durability: Durability): readonly Finding[] {
  return facts
    .flatMap(durabilityFindings)
    .filter(({ kind }) => kind === 'unusable' || durability === 'strict')
}

export class RedisHealth {
  readonly #connection: RedisConnection
  readonly #epoch: string
  readonly #durability: Durability
  readonly #log: Log
  #timer: NodeJS.Timeout | undefined
  #checking: Promise<void> | null = null
  #fault: string | null = null
  #memoryFull = false
  #lost = false
  #stopped = false

  constructor(connection: RedisConnection, options: { epoch: string; durability: Durability; log: Log }) {
    this.#connection = connection
    this.#epoch = options.epoch
    this.#durability = options.durability
    this.#log = options.log
    this.#schedule()
  }

  /** Null where mail can be added. */
  get fault(): string | null {
    return this.#lost ? lostText : this.#fault
  }

  /** Throws where mail cannot be added; asks no one. */
  refuse(): void {
    if (this.#lost) throw new QueueUnavailable(lostText)
    if (this.#memoryFull) throw new QueueFull(this.#fault ?? 'Redis is full')
    if (this.#fault !== null) throw new QueueUnavailable(this.#fault)
  }

  /** The store's mark is gone or another: what was queued is not there any more. For good, until a restart. */
  lost(): void {
    if (!this.#lost) this.#log.fatal({ redis: this.#connection.label }, lostText)
    this.#lost = true
  }

  /** Looks again now: for a connection that has just come back, perhaps to another server. */
  recheck(): void {
    void this.#check()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#stopped) return
    const afterMs = this.#fault === null ? checkEveryMs : checkFaultEveryMs
    this.#timer = setTimeout(() => void this.#check(), afterMs)
  }

  async #check(): Promise<void> {
    this.#checking ??= this.#look().finally(() => {
      this.#checking = null
      this.#schedule()
    })
    await this.#checking
  }

  async #look(): Promise<void> {
    if (!this.#connection.ready) return
    try {
      const facts = await this.#connection.facts()
      const refused = refusals(facts, this.#durability).map(({ text }) => text)
      const states = facts.map(({ server, info }) => redisHealth(server, info ?? new Map()))
      const faults = new Set([...refused, ...states.flatMap(({ fault }) => fault ?? [])])
      this.#memoryFull = states.some(({ memoryFull }) => memoryFull)
      this.#report(faults.size === 0 ? null : [...faults].join('; '))
      for (let partition = 0; partition < this.#connection.partitions; partition++)
        if ((await this.#connection.epoch(partition)) !== this.#epoch) this.lost()
    } catch (error) {
      // Where the connection broke, the queue sees that for itself. In a Cluster one node may be away.
      if (this.#connection.ready) this.#report(`Redis cannot be checked: ${(error as Error).message}`)
    }
  }

  #report(fault: string | null): void {
    if (fault !== null && this.#fault === null) this.#log.error({ reason: fault }, 'Redis takes no mail')
    if (fault === null && this.#fault !== null) this.#log.info('Redis takes mail again')
    this.#fault = fault
  }
}

const lostText =
  'The queue in Redis is gone or another one (flushed, swapped or restored): no mail is accepted until a restart'
