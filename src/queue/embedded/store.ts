/**
 * The embedded store's file: an LMDB environment that one process has alone, its databases, and the two ways to
 * use it. Reads see the state of one commit, whole: a snapshot that only `refresh` exchanges, so that what the
 * process remembers and what it reads never differ. Writes are one commit at a time, durable when it resolves.
 */
import { readFileSync } from 'node:fs'
import type { Database, Key, RootDatabase, Transaction } from 'lmdb'
import { QueueUnavailable } from '../queue.ts'
import { OwnedDirectory } from './directory.ts'

/** One key to be written, or removed where the value is null. */
export type Write = readonly [database: DatabaseName, key: Key, value: string | Buffer | null]

/** Writes name their database: the object behind the name is another one after `unmap`. */
type DatabaseName =
  | 'items'
  | 'bodies'
  | 'bodyNames'
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
  /** Then `start` is the upper end. */
  readonly reverse?: boolean
  readonly limit?: number
}

/** Grows when a store of an older version cannot be read any more, or not by the older version. */
const formatVersion = 1

export class EmbeddedStore {
  readonly #directory: OwnedDirectory
  #root!: RootDatabase
  #transaction!: Transaction
  #options!: { transaction: Transaction }
  #isOpen = false
  #mappedAtFirst = 0
  #movedBytes = 0
  #lost: string | null = null

  /** Item id: its record. */
  items!: Database<string, string>
  /** Name of a body and number: its bytes, in order. */
  bodies!: Database<Buffer, [string, number]>
  /** Message id: the name of its body, where that is not the message's id. */
  bodyNames!: Database<string, string>
  /** The names of bodies that are being written, their messages not put. */
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
  /** Key of a spending (a connector, a sender …): what its rate limits have counted. */
  rates!: Database<string, string>
  /** Item id: the bytes that were no record. */
  corrupt!: Database<Buffer, string>
  meta!: Database<string, string>

  constructor(directory: string) {
    this.#directory = new OwnedDirectory(directory, 'queue')
    try {
      this.#open()
      this.#directory.refuseOtherVersions(this.meta, formatVersion)
      this.#directory.makeDurable()
      this.refresh()
    } catch (error) {
      void this.#closeEnvironment()
      this.#directory.release()
      throw this.#directory.cannotOpen(error)
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
      await this.#directory.commit(this.#root, () => {
        for (const [name, key, value] of writes) {
          const database: Database = this[name]
          if (value === null) database.remove(key)
          else database.put(key, value)
          if (value instanceof Buffer) this.#movedBytes += value.length
        }
      })
    } catch (error) {
      this.#lost = this.#directory.faultOf(this.#root)
      throw error
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

  /** Whether so much would be left for new pages, on the disk and in the file, which never shrinks. */
  hasRoom(bytes: number): boolean {
    const missing = bytes - this.#directory.freeBytes
    return missing <= 0 || this.#freeInFile() >= missing
  }

  #freeInFile(): number {
    if (!this.#isOpen) return 0
    const { lastPageNumber, pageSize, root, free } = this.#root.getStats() as FileStats
    // The first two pages are LMDB's own.
    let used = 1 + pagesOf(root) + pagesOf(free)
    for (const database of this.#databases) used += pagesOf(database.getStats() as TreeStats)
    return (lastPageNumber - used) * pageSize
  }

  get #databases(): readonly Pick<Database, 'getStats'>[] {
    const queue = [
      this.items,
      this.bodies,
      this.bodyNames,
      this.staged,
      this.shared,
      this.due,
      this.deadlines,
    ]
    return [...queue, this.suspended, this.counts, this.rates, this.corrupt, this.meta]
  }

  /** Why the store cannot be used until it is opened anew; null where it can. */
  get lost(): string | null {
    return this.#lost
  }

  /** Commits are over, and no range is being read. */
  async close(): Promise<void> {
    await this.#closeEnvironment()
    this.#directory.release()
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
    this.#root = this.#directory.openEnvironment()
    this.meta = this.#root.openDB({ name: 'meta', encoding: 'string' })
    this.items = this.#root.openDB({ name: 'items', encoding: 'string' })
    this.bodies = this.#root.openDB({ name: 'bodies', encoding: 'binary' })
    this.bodyNames = this.#root.openDB({ name: 'bodyNames', encoding: 'string' })
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
}

/** Of a tree in the file, its pages. */
interface TreeStats {
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

interface FileStats {
  readonly pageSize: number
  readonly lastPageNumber: number
  readonly root: TreeStats
  /** The list of free pages is a tree itself. */
  readonly free: TreeStats
}

const pagesOf = ({ treeBranchPageCount, treeLeafPageCount, overflowPages }: TreeStats): number =>
  treeBranchPageCount + treeLeafPageCount + overflowPages

const largestMapping = 16 * 1024 * 1024

/** How much of this process's memory is pages of files; 0 where the system does not say. */
function residentFileBytes(): number {
  try {
    return Number(/^RssFile:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error))
