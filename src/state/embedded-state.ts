/**
 * The runtime state of a relay that runs alone: an LMDB file in a directory of its own beside the queue's. All
 * objects are read once, when it is opened, and kept; a change is one commit of what it changes, fsynced before
 * its promise resolves, one after the other.
 */
import type { Database, RootDatabase } from 'lmdb'
import type { Log } from '../observe/log.ts'
import { OwnedDirectory } from '../queue/embedded/directory.ts'
import { QueueFull, QueueUnavailable } from '../queue/queue.ts'
import { decodeRecord, type StoredChange, storedChanges } from './record.ts'
import { emptyState, type Found, objectAt, updated } from './snapshot.ts'
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

export interface EmbeddedStateOptions {
  /** Made where it is missing; it belongs to one relay. */
  readonly dir: string
  readonly log: Log
}

export async function openEmbeddedState(options: EmbeddedStateOptions): Promise<StateStore> {
  return new EmbeddedState(options)
}

/** Grows when a store of an older version cannot be read any more, or not by the older version. */
const formatVersion = 1

class EmbeddedState implements StateStore {
  readonly #log: Log
  readonly #directory: OwnedDirectory
  readonly #root: RootDatabase
  /** `kind/id`: its record. */
  readonly #objects: Database<Buffer, string>
  readonly #meta: Database<string, string>
  readonly #watchers: Watchers
  #snapshot = emptyState
  /** The end of the last change that was asked for. */
  #changed: Promise<unknown> = Promise.resolve()
  /** Why nothing can be changed any more. */
  #fault: string | null = null
  #closing: Promise<void> | null = null

  constructor({ dir, log }: EmbeddedStateOptions) {
    this.#log = log
    this.#watchers = new Watchers(log)
    this.#directory = new OwnedDirectory(dir, 'state')
    let root: RootDatabase | null = null
    try {
      root = this.#directory.openEnvironment()
      this.#root = root
      this.#objects = root.openDB({ name: 'objects', encoding: 'binary' })
      this.#meta = root.openDB({ name: 'meta', encoding: 'string' })
      this.#directory.refuseOtherVersions(this.#meta, formatVersion)
      this.#directory.makeDurable()
      this.#snapshot = this.#readAll()
    } catch (error) {
      void root?.close()
      this.#directory.release()
      throw this.#directory.cannotOpen(error)
    }
  }

  async change(changes: readonly StateChange[], { now, revision }: ChangeOptions): Promise<number> {
    const stored = storedChanges(changes, now)
    this.#requireOpen()
    const done = this.#changed.then(() => this.#change(stored, revision))
    this.#changed = done.catch(() => undefined)
    return done
  }

  async read(): Promise<StateSnapshot> {
    this.#requireOpen()
    this.#watchers.wasRead(this.#snapshot)
    return this.#snapshot
  }

  watch(listener: (snapshot: StateSnapshot) => void): () => void {
    return this.#watchers.add(listener, this.#snapshot)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #change(changes: readonly StoredChange[], plannedOn: number | undefined): Promise<number> {
    if (this.#fault !== null) throw new QueueUnavailable(this.#fault)
    for (const { kind, id, key, expected } of changes) {
      const version = objectAt(this.#snapshot, key)?.version ?? null
      if (version !== expected) throw new StateConflict({ kind, id, version })
    }
    const before = this.#snapshot.revision
    if (plannedOn !== undefined && plannedOn !== before) throw revisionConflict(before)
    const revision = before + 1
    const found = await foundIn(changes)
    await this.#commit(changes, revision)
    this.#snapshot = updated(this.#snapshot, { revision, found })
    this.#watchers.tell(this.#snapshot)
    return revision
  }

  async #commit(changes: readonly StoredChange[], revision: number): Promise<void> {
    try {
      await this.#directory.commit(this.#root, () => {
        for (const { key, record } of changes) {
          if (record === null) this.#objects.remove(key)
          else this.#objects.put(key, Buffer.from(record))
        }
        this.#meta.put('revision', String(revision))
      })
    } catch (error) {
      this.#fault = this.#directory.faultOf(this.#root)
      throw error instanceof QueueFull ? new QueueUnavailable(error.message, { cause: error }) : error
    }
  }

  #readAll(): StateSnapshot {
    const found = new Map<string, Found>()
    for (const { key, value } of this.#objects.getRange()) {
      const object = decodeRecord(key, value)
      if (object === null) this.#log.error({ object: key }, 'An object of the state cannot be read')
      found.set(key, object ?? 'unreadable')
    }
    return updated(emptyState, { revision: Number(this.#meta.get('revision') ?? 0), found })
  }

  async #close(): Promise<void> {
    await this.#changed
    this.#watchers.clear()
    await this.#root.close()
    this.#directory.release()
  }

  #requireOpen(): void {
    if (this.#closing !== null) throw new QueueUnavailable('The state is closed')
  }
}

/** What was written is read back from its own text, so that it is what the next start will read. */
async function foundIn(changes: readonly StoredChange[]): Promise<ReadonlyMap<string, Found>> {
  return new Map(
    await inTurns(changes, ({ key, record }): [string, Found] => [
      key,
      record === null ? 'gone' : (decodeRecord(key, Buffer.from(record)) ?? 'unreadable'),
    ]),
  )
}
