/**
 * The embedded store's file: an LMDB environment that one process has alone, its databases, and the two ways to
 * use it. Reads see the state of one commit, whole: a snapshot that only `refresh` exchanges, so that what the
 * process remembers and what it reads never differ. Writes are one commit at a time, durable when it resolves.
 *
 * The settings are the ones under which a failed write is neither visible nor fatal (LMDB's binding, lmdb-js):
 * without `overlappingSync` a commit returns after its fsync, and a failed one leaves nothing behind; without
 * `eventTurnBatching` its rejection reaches us, and not the process.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, realpathSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, type Key, open, type RootDatabase, type Transaction } from 'lmdb'
import { QueueFull, QueueUnavailable } from './queue.ts'

/** One key to be written, or removed where the value is null. */
export type Write = readonly [database: DatabaseName, key: Key, value: string | Buffer | null]

/** Writes name their database: the object behind the name is another one after `unmap`. */
type DatabaseName =
  | 'items'
  | 'bodies'
  | 'staged'
  | 'shared'
  | 'due'
  | 'deadlines'
  | 'suspended'
  | 'counts'
  | 'rates'
  | 'corrupt'
  | 'meta'

export interface KeyRange {
  readonly start?: Key
  readonly end?: Key
  readonly exclusiveStart?: boolean
  readonly limit?: number
}

/** Grows when a store of an older version cannot be read any more, or not by the older version. */
const formatVersion = 1

export class EmbeddedStore {
  readonly #directory: string
  readonly #lock: RootDatabase
  #root!: RootDatabase
  #transaction!: Transaction
  #options!: { transaction: Transaction }
  #isOpen = false
  #mappedAtFirst = 0
  #movedBytes = 0
  #lost: string | null = null

  /** Item id: its record. */
  items!: Database<string, string>
  /** Message id and number: the bytes of its body, in order. */
  bodies!: Database<Buffer, [string, number]>
  /** Message id, where its body is being written and the message is not put. */
  staged!: Database<Buffer, string>
  /** Message id: how many items need the body, where that is not one. */
  shared!: Database<string, string>
  /** Connector, next attempt, item id: what is not suspended, in the order of claims. */
  due!: Database<Buffer, [string, number, string]>
  /** Deadline, item id: of what is not suspended. */
  deadlines!: Database<Buffer, [number, string]>
  /** Connector, item id. */
  suspended!: Database<Buffer, [string, string]>
  /** Connector: its counts. */
  counts!: Database<string, string>
  /** Connector: what its rate limits have counted. */
  rates!: Database<string, string>
  /** Item id: the bytes that were no record. */
  corrupt!: Database<Buffer, string>
  meta!: Database<string, string>

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.#directory = realpathSync(directory)
    this.#lock = takeLock(this.#directory)
    try {
      this.#open()
      refuseOtherVersions(this.meta, directory)
      makeDurable(this.#directory)
      this.refresh()
    } catch (error) {
      void this.#closeEnvironment()
      releaseLock(this.#lock, this.#directory)
      throw cannotOpen(directory, error)
    }
  }

  get<V, K extends Key>(database: Database<V, K>, key: K): V | undefined {
    const value = database.get(key, this.#options)
    if (value instanceof Buffer) this.#movedBytes += value.length
    return value
  }

  /** The bytes of a value, whatever they are. */
  getBytes(database: Database<unknown, string>, key: string): Buffer | undefined {
    const getBinary = database.getBinary as (key: string, options: object) => Buffer | undefined
    return getBinary.call(database, key, this.#options)
  }

  has<K extends Key>(database: Database<unknown, K>, key: K): boolean {
    return database.doesExist(key, undefined as never, this.#options)
  }

  /** Read it to its end, or leave it, before the next `await`: it belongs to the snapshot. */
  keys<K extends Key>(database: Database<unknown, K>, range?: KeyRange): Iterable<K> {
    return database.getKeys({ ...range, ...this.#options })
  }

  count(database: Database<unknown, Key>, range?: KeyRange): number {
    return database.getKeysCount({ ...range, ...this.#options })
  }

  /**
   * Resolves when the writes are durable; they are read after the next `refresh`. Rejects with `QueueFull` where
   * the disk is, else with `QueueUnavailable`; then none of them happened.
   */
  async commit(writes: readonly Write[]): Promise<void> {
    if (this.#lost !== null) throw new QueueUnavailable(this.#lost)
    try {
      await this.#root.batch(() => {
        for (const [name, key, value] of writes) {
          const database: Database = this[name]
          if (value === null) database.remove(key)
          else database.put(key, value)
          if (value instanceof Buffer) this.#movedBytes += value.length
        }
      })
    } catch (error) {
      const cause = await commitError(error)
      this.#checkEnvironment()
      throw isDiskFull((cause as { code?: unknown }).code, () => freeBytes(this.#directory))
        ? new QueueFull('The disk of the queue is full', { cause })
        : new QueueUnavailable(`The queue cannot be written: ${text(cause)}`, { cause })
    }
  }

  /** Makes what was committed readable. */
  refresh(): void {
    const last = this.#transaction
    this.#root.resetReadTxn()
    this.#transaction = this.#root.useReadTransaction()
    this.#options = { transaction: this.#transaction }
    last.done()
  }

  /** Why the store cannot be used until it is opened anew; null where it can. */
  get lost(): string | null {
    return this.#lost
  }

  /** Commits are over, and no range is being read. */
  async close(): Promise<void> {
    await this.#closeEnvironment()
    releaseLock(this.#lock, this.#directory)
  }

  /** Whether so much has been written and read since it was last asked that `isMappedLarge` may have changed. */
  get hasMovedMuch(): boolean {
    if (this.#movedBytes < largestMapping / 4) return false
    this.#movedBytes = 0
    return true
  }

  /** Whether so much of the file has come into memory that it is time to `unmap` it. */
  get isMappedLarge(): boolean {
    return residentFileBytes() - this.#mappedAtFirst > largestMapping
  }

  /**
   * Opens the file anew. LMDB reads by mapping, and what was read once stays mapped, with its neighbours, and
   * counts as memory of the process: with a backlog of gigabytes, so would it. Called with no commit under way
   * and at the beginning of a turn of the event loop, it is over before anybody else runs.
   */
  async unmap(): Promise<void> {
    await this.#closeEnvironment()
    try {
      this.#open()
    } catch (error) {
      this.#lost = `The queue's file could not be opened again, restart the relay: ${text(error)}`
    }
  }

  async #closeEnvironment(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#transaction.done()
    await this.#root.close()
  }

  #open(): void {
    this.#mappedAtFirst = residentFileBytes()
    this.#root = openEnvironment(this.#directory)
    this.meta = this.#root.openDB({ name: 'meta', encoding: 'string' })
    this.items = this.#root.openDB({ name: 'items', encoding: 'string' })
    this.bodies = this.#root.openDB({ name: 'bodies', encoding: 'binary' })
    this.staged = this.#root.openDB({ name: 'staged', encoding: 'binary' })
    this.shared = this.#root.openDB({ name: 'shared', encoding: 'string' })
    this.due = this.#root.openDB({ name: 'due', encoding: 'binary' })
    this.deadlines = this.#root.openDB({ name: 'deadlines', encoding: 'binary' })
    this.suspended = this.#root.openDB({ name: 'suspended', encoding: 'binary' })
    this.counts = this.#root.openDB({ name: 'counts', encoding: 'string' })
    this.rates = this.#root.openDB({ name: 'rates', encoding: 'string' })
    this.corrupt = this.#root.openDB({ name: 'corrupt', encoding: 'binary' })
    this.#transaction = this.#root.useReadTransaction()
    this.#options = { transaction: this.#transaction }
    this.#isOpen = true
  }

  /**
   * After a failed write of its first pages LMDB refuses everything until the file is opened anew, and lmdb-js
   * would wait for the next commit for ever. An empty transaction writes nothing, and tells.
   */
  #checkEnvironment(): void {
    try {
      this.#root.transactionSync(() => undefined)
    } catch (error) {
      this.#lost = `The queue's file could not be written, restart the relay: ${text(error)}`
    }
  }
}

function openEnvironment(path: string): RootDatabase {
  try {
    return open({
      path,
      noSubdir: false,
      maxDbs: 16,
      encoding: 'binary',
      compression: false,
      overlappingSync: false,
      ...{ eventTurnBatching: false, permissionsMode: 0o600 },
    })
  } catch (error) {
    throw cannotOpen(path, error)
  }
}

function cannotOpen(directory: string, error: unknown): QueueUnavailable {
  if (error instanceof QueueUnavailable) return error
  return new QueueUnavailable(`Cannot open the queue in ${directory}: ${text(error)}`, { cause: error })
}

/** Directories open in this process: LMDB's table of readers tells only processes apart. */
const opened = new Set<string>()

/**
 * A second environment, empty, whose only use is LMDB's table of readers: whoever has the store has a place in it,
 * and opening it clears the places of processes whose file locks the kernel has released. So who stands in it
 * is alive, and kill -9 leaves no lock behind.
 */
function takeLock(directory: string): RootDatabase {
  if (opened.has(directory)) throw inUse(directory, process.pid)
  const path = join(directory, 'owner')
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const lock = openEnvironment(path)
  lock.useReadTransaction()
  for (const [, pid] of lock.readerList().matchAll(/^\s*(\d+) +[0-9a-f]+ +(?:\d+|-)\s*$/gm))
    if (Number(pid) !== process.pid) {
      void lock.close()
      throw inUse(directory, Number(pid))
    }
  opened.add(directory)
  return lock
}

function releaseLock(lock: RootDatabase, directory: string): void {
  void lock.close()
  opened.delete(directory)
}

function inUse(directory: string, pid: number): Error {
  return new QueueUnavailable(
    `The queue in ${directory} is in use by process ${pid}: each relay needs a directory of its own, or use Redis`,
  )
}

function refuseOtherVersions(meta: Database<string, string>, directory: string): void {
  const version = meta.get('version')
  if (version === undefined) meta.putSync('version', String(formatVersion))
  else if (version !== String(formatVersion))
    throw new QueueUnavailable(
      `The queue in ${directory} has format ${version}, this relay reads format ${formatVersion}`,
    )
}

/** A file whose name is not durable is not durable. */
function makeDurable(directory: string): void {
  if (process.platform === 'win32') return
  const descriptor = openSync(directory, 'r')
  fsyncSync(descriptor)
  closeSync(descriptor)
}

const largestMapping = 16 * 1024 * 1024

/** How much of this process's memory is pages of files; 0 where the system does not say. */
function residentFileBytes(): number {
  try {
    return Number(/^RssFile:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** lmdb-js rejects with a general error at once, and tells the reason in a promise of its own. */
async function commitError(error: unknown): Promise<unknown> {
  const reason = (error as { commitError?: Promise<never> }).commitError
  return reason === undefined ? error : reason.catch((cause: unknown) => cause)
}

/** MDB_MAP_FULL, EFBIG, ENOSPC, EDQUOT. */
const fullCodes = [-30792, 27, 28, 122]
const ioError = 5
const leastFreeBytes = 1024 * 1024

/** A write that the disk takes only in part is an I/O error to LMDB, so the disk itself has to be asked. */
export function isDiskFull(code: unknown, freeBytes: () => number): boolean {
  return fullCodes.includes(code as number) || (code === ioError && freeBytes() < leastFreeBytes)
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error))
