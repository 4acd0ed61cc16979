/**
 * Snapshots of the runtime state, in the order of their keys. A new one is made of the one before and of what was
 * found since, in one pass; what did not change is shared, not copied.
 */
import { keyOf } from './record.ts'
import type { StateObject, StateSnapshot } from './state.ts'

/** What a store has under a key now. */
export type Found = StateObject | 'unreadable' | 'gone'

export const emptyState: StateSnapshot = { revision: 0, objects: [], unreadable: [] }

export function updated(
  before: StateSnapshot,
  after: { revision: number; found: ReadonlyMap<string, Found> },
): StateSnapshot {
  const { revision, found } = after
  const isUnreadable = (key: string) => found.get(key) === 'unreadable'
  return {
    revision,
    objects: merged(before.objects, found),
    unreadable: [
      ...before.unreadable.filter((key) => !found.has(key)),
      ...[...found.keys()].filter(isUnreadable),
    ].sort(),
  }
}

export function objectAt({ objects }: StateSnapshot, key: string): StateObject | null {
  const object = objects[placeOf(key, objects)]
  return object !== undefined && keyOf(object) === key ? object : null
}

function merged(objects: readonly StateObject[], found: ReadonlyMap<string, Found>): readonly StateObject[] {
  const result: StateObject[] = []
  let at = 0
  for (const key of [...found.keys()].sort()) {
    const place = placeOf(key, objects)
    while (at < place) result.push(objects[at++]!)
    if (at < objects.length && keyOf(objects[at]!) === key) at++
    const object = found.get(key)
    if (typeof object === 'object') result.push(object)
  }
  while (at < objects.length) result.push(objects[at++]!)
  return result
}

/** Where the object of a key stands or would stand, found by halving. */
function placeOf(key: string, objects: readonly StateObject[]): number {
  let [from, to] = [0, objects.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (keyOf(objects[middle]!) < key) from = middle + 1
    else to = middle
  }
  return from
}
