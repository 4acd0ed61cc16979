/**
 * A map that never changes, and from which a changed one is made at the cost of the change: it keeps what differs
 * beside a large map that both share. So 100,000 bindings are not copied because one of them changes.
 */

/** More differences than this make a map of their own. */
const mostDifferences = 1000

export class LayeredMap<Value extends object> implements ReadonlyMap<string, Value> {
  readonly size: number
  readonly #base: ReadonlyMap<string, Value>
  /** Null where the base has what this map has not. */
  readonly #differences: ReadonlyMap<string, Value | null>

  static of<Value extends object>(base: ReadonlyMap<string, Value>): LayeredMap<Value> {
    return new LayeredMap(base, new Map())
  }

  private constructor(base: ReadonlyMap<string, Value>, differences: ReadonlyMap<string, Value | null>) {
    this.#base = base
    this.#differences = differences
    let size = base.size
    for (const [key, value] of differences) size += Number(value !== null) - Number(base.has(key))
    this.size = size
  }

  /** With these changes; null removes. */
  with(changes: ReadonlyMap<string, Value | null>): LayeredMap<Value> {
    if (changes.size + this.#differences.size > mostDifferences) return this.#rebuilt(changes)
    const differences = new Map(this.#differences)
    for (const [key, value] of changes)
      if (value === null && !this.#base.has(key)) differences.delete(key)
      else differences.set(key, value)
    return new LayeredMap(this.#base, differences)
  }

  get(key: string): Value | undefined {
    const value = this.#differences.get(key)
    return value === undefined ? this.#base.get(key) : (value ?? undefined)
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  *entries(): MapIterator<[string, Value]> {
    for (const entry of this.#base) if (!this.#differences.has(entry[0])) yield entry
    for (const [key, value] of this.#differences) if (value !== null) yield [key, value]
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key
  }

  *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries()
  }

  forEach(each: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this.entries()) each(value, key, this)
  }

  #rebuilt(changes: ReadonlyMap<string, Value | null>): LayeredMap<Value> {
    const map = new Map(this.#base)
    for (const layer of [this.#differences, changes])
      for (const [key, value] of layer)
        if (value === null) map.delete(key)
        else map.set(key, value)
    return LayeredMap.of(map)
  }
}
