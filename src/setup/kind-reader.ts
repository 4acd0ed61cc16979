/**
 * What is made of the objects of one kind, from snapshot to snapshot: only those that are new are read, and what is
 * made of them stays the same while none changes. One that cannot be read harms no other.
 */
import type { StateObject } from '../state/state.ts'
import { LayeredMap } from './layered-map.ts'

export class KindReader<Made extends object> {
  /** By id, with those that were there from the beginning. */
  made: LayeredMap<Made>
  /** By id: why nothing could be made of it. */
  failed: ReadonlyMap<string, unknown> = new Map()
  readonly #read: (object: StateObject) => Made
  readonly #initial: ReadonlyMap<string, Made>
  #objects: readonly StateObject[] = []

  constructor(
    read: (object: StateObject) => Made,
    { initial = new Map() }: { initial?: ReadonlyMap<string, Made> } = {},
  ) {
    this.#read = read
    this.#initial = initial
    this.made = LayeredMap.of(initial)
  }

  /** All objects of the kind in the order of their ids; returns whether any of them is another than before. */
  take(objects: readonly StateObject[]): boolean {
    const changes = new Map<string, Made | null>()
    const failed = new Map(this.failed)
    for (const [id, object] of differences(this.#objects, objects)) {
      changes.set(id, this.#initial.get(id) ?? null)
      failed.delete(id)
      if (object === null) continue
      try {
        changes.set(id, this.#read(object))
      } catch (error) {
        failed.set(id, error)
      }
    }
    this.#objects = objects
    if (changes.size === 0) return false
    this.made = this.made.with(changes)
    this.failed = failed
    return true
  }
}

/** By id: the object that is new there, null where one is gone. */
function* differences(
  before: readonly StateObject[],
  after: readonly StateObject[],
): Iterable<readonly [string, StateObject | null]> {
  let [at, next] = [0, 0]
  while (at < before.length || next < after.length) {
    const [old, now] = [before[at], after[next]]
    if (old === now) {
      at += 1
      next += 1
    } else if (now === undefined || (old !== undefined && old.id < now.id)) {
      at += 1
      yield [old!.id, null]
    } else {
      next += 1
      if (old?.id === now.id) at += 1
      yield [now.id, now]
    }
  }
}
