/**
 * A directory with an LMDB environment that one process has alone, and durable commits to it: what the embedded
 * queue and the embedded runtime state stand on. The only module that knows lmdb.
 *
 * The settings are the ones under which a failed write is neither visible nor fatal (LMDB's binding, lmdb-js):
 * without `overlappingSync` a commit returns after its fsync, and a failed one leaves nothing behind; without
 * `eventTurnBatching` its rejection reaches us, and not the process.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, realpathSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open, type RootDatabase, type Transaction } from 'lmdb'
import { QueueFull, QueueUnavailable } from '../queue.ts'

export class OwnedDirectory {
  readonly path: string
  /** What is kept there, for messages. */
  readonly #what: string
  readonly #lock: RootDatabase
  /** Our place among the lock's readers, which is gone as soon as nothing refers to the transaction any more. */
  readonly #place: Transaction

  /** Makes the directory where it is missing; throws where another process, or this one, has it already. */
  constructor(directory: string, what: 'queue' | 'state') {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.path = realpathSync(directory)
    this.#what = what
    const { lock, place } = this.#takeLock()
    this.#lock = lock
    this.#place = place
  }

  openEnvironment(path = this.path): RootDatabase {
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
      throw this.cannotOpen(error)
    }
  }

  refuseOtherVersions(meta: Database<string, string>, version: number): void {
    const found = meta.get('version')
    if (found === undefined) meta.putSync('version', String(version))
    else if (found !== String(version))
      throw new QueueUnavailable(
        `The ${this.#what} in ${this.path} has format ${found}, this relay reads format ${version}`,
      )
  }

  /** What the disk has left for us. */
  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path)
    return bavail * bsize
  }

  /** A file whose name is not durable is not durable. */
  makeDurable(): void {
    if (process.platform === 'win32') return
    const descriptor = openSync(this.path, 'r')
    fsyncSync(descriptor)
    closeSync(descriptor)
  }

  /**
   * Resolves when what `write` does is durable. Rejects with `QueueFull` where the disk is, else with
   * `QueueUnavailable`; then none of it happened.
   */
  async commit(root: RootDatabase, write: () => void): Promise<void> {
    try {
      await root.batch(write)
    } catch (error) {
      const cause = await commitError(error)
      throw isDiskFull((cause as { code?: unknown }).code, () => this.freeBytes)
        ? new QueueFull(`The disk of the ${this.#what} is full`, { cause })
        : new QueueUnavailable(`The ${this.#what} cannot be written: ${text(cause)}`, { cause })
    }
  }

  /**
   * To be asked after a commit failed: why the environment cannot be used until it is opened anew, or null. After a
   * failed write of its first pages LMDB refuses everything, and lmdb-js would wait for the next commit for
   * ever. An empty transaction writes nothing, and tells.
   */
  faultOf(root: RootDatabase): string | null {
    try {
      root.transactionSync(() => undefined)
      return null
    } catch (error) {
      return `The ${this.#what}'s file could not be written, restart the relay: ${text(error)}`
    }
  }

  cannotOpen(error: unknown): QueueUnavailable {
    if (error instanceof QueueUnavailable) return error
    return new QueueUnavailable(`Cannot open the ${this.#what} in ${this.path}: ${text(error)}`, {
      cause: error,
    })
  }

  release(): void {
    this.#place.done()
    void this.#lock.close()
    opened.delete(this.path)
  }

  /**
   * A second environment, empty, whose only use is LMDB's table of readers: whoever has the store has a place in it,
   * and opening it clears the places of processes whose file locks the kernel has released. So who stands in it
   * is alive, and kill -9 leaves no lock behind.
   */
  #takeLock(): { lock: RootDatabase; place: Transaction } {
    if (opened.has(this.path)) throw this.#inUse(process.pid)
    const path = join(this.path, 'owner')
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const lock = this.openEnvironment(path)
    const place = lock.useReadTransaction()
    for (const [, pid] of lock.readerList().matchAll(/^\s*(\d+) +[0-9a-f]+ +(?:\d+|-)\s*$/gm))
      if (Number(pid) !== process.pid) {
        place.done()
        void lock.close()
        throw this.#inUse(Number(pid))
      }
    opened.add(this.path)
    return { lock, place }
  }

  #inUse(pid: number): Error {
    return new QueueUnavailable(
      `The ${this.#what} in ${this.path} is in use by process ${pid}: each relay needs a directory of its own, or use Redis`,
    )
  }
}

/** Directories open in this process: LMDB's table of readers tells only processes apart. */
const opened = new Set<string>()

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

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error))
