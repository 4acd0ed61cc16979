/**
 * What is configured while the relay runs: connectors, bindings, rules, tokens. The port; two backends keep its
 * promises beside the queue, on the same store, and one contract suite holds both to them.
 *
 * - A change is one atomic, durable step over all its objects, or nothing happens.
 * - Nobody's change is lost: each names the version it replaces, and is refused where another came first.
 * - Every node sees a change within a second, its own at once.
 * - An object that cannot be read is set aside and named; the others are there.
 *
 * Values are JSON. Who uses them checks them by its schema, when it writes and when it reads.
 */

export interface StateObject {
  /** `connector`, `sender`, `rule`, `token` … */
  readonly kind: string
  /** Within its kind; at most 300 characters. */
  readonly id: string
  /** Grows with each change of the object; a new one begins at 1. */
  readonly version: number
  readonly value: unknown
  /** Epoch ms. */
  readonly changedAt: number
}

export interface StateChange {
  readonly kind: string
  readonly id: string
  /** The version that is replaced; null: there must be none yet. */
  readonly expected: number | null
  /** Null removes the object. */
  readonly value: unknown
}

export interface ChangeOptions {
  /** Epoch ms. */
  readonly now: number
  /** Of the snapshot that the change depends on: refused where anything was changed since. Left out: it depends on none. */
  readonly revision?: number
}

/** All objects, as they were together at one moment. */
export interface StateSnapshot {
  /** Grows with each change of any object; the same on all nodes. */
  readonly revision: number
  readonly objects: readonly StateObject[]
  /** `kind/id` of those that could not be read. */
  readonly unreadable: readonly string[]
}

export interface StateStore {
  /**
   * Resolves with the new revision. Rejects with `StateConflict`, or `QueueUnavailable`; then nothing was changed,
   * unless Redis went away with its answer: then the error says that this is not known. An object that cannot be
   * read counts as none: it is made anew, or removed, with `expected: null`.
   */
  change(changes: readonly StateChange[], options: ChangeOptions): Promise<number>
  read(): Promise<StateSnapshot>
  /**
   * Calls with each new snapshot after the one that `read` gave, by whichever node; several changes may come as
   * one. Never with an older one than before. Returns what ends it.
   */
  watch(listener: (snapshot: StateSnapshot) => void): () => void
  close(): Promise<void>
}

/** An object was changed, made or removed meanwhile; or any (`state revision`), where a change depends on all of them. */
export class StateConflict extends Error {
  override name = 'StateConflict'
  readonly kind: string
  readonly id: string
  /** What is there now; null: nothing. */
  readonly version: number | null

  constructor(object: { kind: string; id: string; version: number | null }) {
    const { kind, id, version } = object
    super(`${kind} ${id} ${version === null ? 'does not exist' : `is at version ${version}`}`)
    this.kind = kind
    this.id = id
    this.version = version
  }
}

export const revisionConflict = (revision: number): StateConflict =>
  new StateConflict({ kind: 'state', id: 'revision', version: revision })
