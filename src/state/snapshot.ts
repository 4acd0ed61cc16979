/**
 * Snapshots of the runtime state, in the order of their keys. A new one is made of the one before and of what was
 * found since, in one pass; what did not change is shared, not copied.
 */
import { keyOf, namesOf } from './record.ts'
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
  const object = objects[placeOf(named(key), objects)]
  return object !== undefined && keyOf(object) === key ? object : null
}

/** In the order of their ids. */
export function objectsOf({ objects }: StateSnapshot, kind: string): readonly StateObject[] {
  // What follows `/` ends the kind: no id comes between.
  const end = `${kind}0`
  return objects.slice(placeOf(named(`${kind}/`), objects), placeOf({ key: end, kind: end, id: '' }, objects))
}

function merged(objects: readonly StateObject[], found: ReadonlyMap<string, Found>): readonly StateObject[] {
  const result: StateObject[] = []
  let at = 0
  for (const key of [...found.keys()].sort()) {
    const place = placeOf(named(key), objects, at)
    while (at < place) result.push(objects[at++]!)
    if (at < objects.length && keyOf(objects[at]!) === key) at++
    const object = found.get(key)
    if (typeof object === 'object') result.push(object)
  }
  while (at < objects.length) result.push(objects[at++]!)
  return result
}

interface Named {
  readonly key: string
  readonly kind: string
  readonly id: string
}

const named = (key: string): Named => ({ key, ...namesOf(key) })

/** Where the object of a key stands or would stand: found in growing steps, then by halving. */
function placeOf(wanted: Named, objects: readonly StateObject[], start = 0): number {
  let [from, to] = [start, objects.length]
  for (let step = 1; from + step < to; step *= 2) {
    if (!isBefore(objects[from + step - 1]!, wanted)) to = from + step - 1
    else from += step
  }
  while (from < to) {
    const middle = (from + to) >> 1
    if (isBefore(objects[middle]!, wanted)) from = middle + 1
    else to = middle
  }
  return from
}

/** Keys are put together only where the kinds differ: they are many, and mostly of one kind. */
function isBefore(object: StateObject, { key, kind, id }: Named): boolean {
  return object.kind === kind ? object.id < id : keyOf(object) < key
}
