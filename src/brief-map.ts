/**
 * A map of what stays for a moment only: leases, items in hand. V8 keeps each table of a Map linked to the one that
 * takes its place, for iterators under way. Once one of them has grown old all that follow do, and with them all that
 * was ever in them, though it is long gone; and what grows old costs the collector most. So this one moves into a new
 * Map each time it has let go of as many entries as it has.
 */

const fewest = 64

export class BriefMap<Key, Value> {
  #map = new Map<Key, Value>()
  #letGo = 0

  has(key: Key): boolean {
    return this.#map.has(key)
  }

  get(key: Key): Value | undefined {
    return this.#map.get(key)
  }

  set(key: Key, value: Value): void {
    this.#map.set(key, value)
  }

  delete(key: Key): void {
    if (!this.#map.delete(key)) return
    this.#letGo += 1
    if (this.#letGo < Math.max(fewest, this.#map.size)) return
    this.#map = new Map(this.#map)
    this.#letGo = 0
  }

  /** The one that came first. */
  get first(): Value | undefined {
    return this.#map.values().next().value
  }

  /** In the order in which they came; as they are now. */
  values(): readonly Value[] {
    return [...this.#map.values()]
  }
}
