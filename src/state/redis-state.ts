/**
 * The runtime state in Redis, shared by all nodes. What it adds to the port's promises:
 *
 * - A change is one script that compares the versions and writes, repeated under the same call id until Redis has
 *   confirmed it. Only where the answer is lost and Redis stays away is it unknown, and the error says so.
 * - Every node asks four times a second what changed since the change it knows. Asking needs no second
 *   connection whose loss would go unnoticed, as a subscription does, and costs Redis next to nothing.
 * - A node keeps all objects and is told differences. After a failover that lost changes, it reads all anew.
 * - A store that was flushed or exchanged is not an empty state: it is refused until a restart.
 */
import { randomBytes } from 'node:crypto'
import type { Log } from '../observe/log.ts'
import { QueueFull, QueueUnavailable } from '../queue/queue.ts'
import type { Argument } from '../queue/redis/arguments.ts'
import { type Patience, RedisConnection, type RedisSettings } from '../queue/redis/connection.ts'
import { refusals } from '../queue/redis/health.ts'
import { decodeRecord, namesOf, type StoredChange, storedChanges } from './record.ts'
import { type RedisStateScript, redisStateScripts } from './redis-state-scripts.ts'
import { emptyState, type Found, updated } from './snapshot.ts'
import {
  type ChangeOptions,
  revisionConflict,
  type StateChange,
  StateConflict,
  type StateSnapshot,
  type StateStore,
} from './state.ts'
import { inTurns } from './turns.ts'
import { Watchers } from './watchers.ts'

export interface RedisStateOptions {
  readonly redis: RedisSettings
  readonly log: Log
  /** Names this process to Redis. */
  readonly nodeName: string
}

/** The layout of the keys. A store of another is not opened. */
const format = '1'

const openTimeoutMs = 5000
const askEveryMs = 250

const patient: Patience = { downMs: 2000, unknownMs: 5000 }
const once: Patience = { downMs: 0, unknownMs: 0 }

/** Rejects where Redis cannot be reached or (`durability: strict`) would not keep the state. */
export async function openRedisState(options: RedisStateOptions): Promise<StateStore> {
  const { redis, log, nodeName } = options
  const connection = new RedisConnection<RedisStateScript>(redis, {
    nodeName: `${nodeName}-state`,
    log,
    onReady: () => undefined,
    scripts: redisStateScripts,
  })
  try {
    if (!(await connection.whenReady(openTimeoutMs))) throw new Error(connection.trouble)
    const refused = refusals(await connection.facts(), redis.durability).map(({ text }) => `\n  - ${text}`)
    if (refused.length > 0) throw new Error(`this Redis cannot keep it:${refused.join('')}`)
    const args = [randomBytes(12).toString('hex'), format]
    const [epoch, layout] = await connection.run('openState', 'state', args, patient)
    if (layout !== format) throw new Error(`its store has format ${layout}, this relay writes ${format}`)
    return new RedisState(connection, { epoch: epoch!, log })
  } catch (error) {
    connection.close()
    throw new QueueUnavailable(`Cannot open the state: ${error instanceof Error ? error.message : error}`)
  }
}

class RedisState implements StateStore {
  readonly #connection: RedisConnection<RedisStateScript>
  readonly #epoch: string
  readonly #log: Log
  readonly #watchers: Watchers
  /** Makes call ids unique among all nodes and over time. */
  readonly #process = randomBytes(6).toString('base64url')
  #calls = 0
  #known = nothingKnown
  readonly #changing = new Set<Promise<unknown>>()
  /** The look that is under way, and the one that follows it for those who asked meanwhile. */
  #looking: Promise<void> | null = null
  #lookingNext: Promise<void> | null = null
  #timer: NodeJS.Timeout | undefined
  #trouble: string | null = null
  #lost = false
  #closed = false

  constructor(connection: RedisConnection<RedisStateScript>, options: { epoch: string; log: Log }) {
    this.#connection = connection
    this.#epoch = options.epoch
    this.#log = options.log
    this.#watchers = new Watchers(options.log)
    this.#askLater()
  }

  async change(changes: readonly StateChange[], { now, revision }: ChangeOptions): Promise<number> {
    const stored = storedChanges(changes, now)
    this.#requireOpen()
    const changing = this.#change(stored, revision)
    this.#changing.add(changing)
    return changing.finally(() => this.#changing.delete(changing))
  }

  async read(): Promise<StateSnapshot> {
    this.#requireOpen()
    await this.#look(patient)
    this.#watchers.wasRead(this.#known.snapshot)
    return this.#known.snapshot
  }

  watch(listener: (snapshot: StateSnapshot) => void): () => void {
    return this.#watchers.add(listener, this.#known.snapshot)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#watchers.clear()
    if (this.#connection.ready) await Promise.allSettled(this.#changing)
    this.#connection.close()
    await Promise.allSettled([...this.#changing, this.#looking, this.#lookingNext])
  }

  async #change(changes: readonly StoredChange[], plannedOn: number | undefined): Promise<number> {
    const { unreadable } = this.#known
    const early = changes.find(({ key, expected }) => expected !== null && unreadable.has(key))
    if (early !== undefined) throw new StateConflict({ ...early, version: null })
    const args = changes.flatMap(({ key, expected, record }): Argument[] => [
      key,
      expected ?? '',
      unreadable.get(key) ?? '',
      record ?? '',
    ])
    const about = [this.#epoch, this.#newCall(), plannedOn ?? '']
    const [answer, what, version] = await this.#changeStep([...about, ...args])
    if (answer === 'lost') this.#refuseLost()
    if (answer === 'passed') throw revisionConflict(Number(what))
    if (answer === 'conflict')
      throw new StateConflict({ ...namesOf(what!), version: version === '' ? null : Number(version) })
    // The change is made, whether or not it can be looked at now.
    await this.#look(patient).catch(() => undefined)
    return Number(what)
  }

  async #changeStep(args: readonly Argument[]): Promise<readonly string[]> {
    let doubtful = false
    const onTrouble = (unknown: boolean) => {
      doubtful ||= unknown
    }
    try {
      return await this.#connection.run('changeState', 'state', args, { ...patient, onTrouble })
    } catch (error) {
      if (!(error instanceof QueueUnavailable || error instanceof QueueFull)) throw error
      const unknown = doubtful ? ' (whether the change was made is not known: look before you repeat it)' : ''
      throw new QueueUnavailable(`${error.message}${unknown}`)
    }
  }

  /** Resolves when this node knows at least what the store had when it was called. */
  #look(patience: Patience): Promise<void> {
    if (this.#looking === null) {
      this.#looking = this.#update(patience).finally(() => {
        this.#looking = null
      })
      return this.#looking
    }
    this.#lookingNext ??= this.#looking
      .catch(() => undefined)
      .then(() => {
        this.#lookingNext = null
        return this.#look(patience)
      })
    return this.#lookingNext
  }

  async #update(patience: Patience): Promise<void> {
    let known = this.#known
    for (;;) {
      const args = [this.#epoch, known.change, known.snapshot.revision, this.#newCall()]
      const [answer, change, revision, ...found] = await this.#step('changesSince', args, patience)
      const position = { change: String(change), revision: Number(revision) }
      if (String(answer) === 'unknown') {
        // What is read now may be newer than the position; what changed after it is asked for again.
        known = await after(nothingKnown, { ...position, found: await this.#readAll(patience) })
        continue
      }
      this.#take(String(answer) === 'since' ? await after(known, { ...position, found }) : known)
      return
    }
  }

  /** Keys and records in turn. A step of its own for each few hundred, so that Redis does not stand still. */
  async #readAll(patience: Patience): Promise<readonly (Buffer | null)[]> {
    const found: (Buffer | null)[] = []
    for (let cursor = '0'; ; ) {
      const [next, ...some] = await this.#step('scanState', [this.#epoch, cursor], patience)
      for (const each of some) found.push(each)
      cursor = String(next)
      if (cursor === '0') return found
    }
  }

  #take(known: Known): void {
    for (const key of known.unreadable.keys())
      if (!this.#known.unreadable.has(key))
        this.#log.error({ object: key }, 'An object of the state cannot be read')
    this.#known = known
    this.#watchers.tell(known.snapshot)
  }

  async #step(
    script: RedisStateScript,
    args: readonly Argument[],
    patience: Patience,
  ): Promise<readonly (Buffer | null)[]> {
    const answer = await this.#connection.runForBytes(script, 'state', () => args, patience)
    if (String((answer as Buffer[])[0]) === 'lost') this.#refuseLost()
    return answer as (Buffer | null)[]
  }

  #askLater(): void {
    if (!this.#closed) this.#timer = setTimeout(() => void this.#ask(), askEveryMs)
  }

  async #ask(): Promise<void> {
    if (this.#watchers.any && this.#connection.ready && this.#looking === null) {
      const trouble = await this.#look(once).then(() => null, String)
      // That the connection was lost it has said itself.
      if (trouble !== null && trouble !== this.#trouble && this.#connection.ready)
        this.#log.error({ reason: trouble }, 'The state cannot be read')
      this.#trouble = trouble
    }
    this.#askLater()
  }

  #newCall(): string {
    this.#calls += 1
    return `${this.#process}.${this.#calls.toString(36)}`
  }

  #refuseLost(): never {
    if (!this.#lost) this.#log.fatal({ redis: this.#connection.label }, lostText)
    this.#lost = true
    throw new QueueUnavailable(lostText)
  }

  #requireOpen(): void {
    if (this.#closed) throw new QueueUnavailable('The state is closed')
    if (this.#lost) throw new QueueUnavailable(lostText)
  }
}

const lostText =
  'The state in Redis is gone or another one (flushed, swapped or restored): it stays as it was last read, until a restart'

/** What this node knows: the objects as the store had them after a change. */
interface Known {
  /** The call that made it; '' before the first. */
  readonly change: string
  readonly snapshot: StateSnapshot
  /** The bytes in place of the objects that cannot be read: who replaces them names them. */
  readonly unreadable: ReadonlyMap<string, Buffer>
}

const nothingKnown: Known = { change: '', snapshot: emptyState, unreadable: new Map() }

/** `found` is keys and records in turn; no record where the object was removed. */
async function after(
  known: Known,
  now: { change: string; revision: number; found: readonly (Buffer | null)[] },
): Promise<Known> {
  const keys = now.found.filter((_, n) => n % 2 === 0)
  const read = await inTurns([...keys.keys()], (n) => {
    const [key, record] = [String(keys[n]), now.found[2 * n + 1] ?? null]
    return {
      key,
      record,
      object: record === null ? 'gone' : (decodeRecord(key, record) ?? 'unreadable'),
    } as const
  })
  const unreadable = new Map(known.unreadable)
  const found = new Map<string, Found>()
  for (const { key, record, object } of read) {
    found.set(key, object)
    if (object === 'unreadable') unreadable.set(key, record!)
    else unreadable.delete(key)
  }
  const snapshot = updated(known.snapshot, { revision: now.revision, found })
  return { change: now.change, snapshot, unreadable }
}
