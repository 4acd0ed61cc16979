import { describe, expect, it } from 'vitest'
import type { Place } from '../../src/queue/embedded/leases.ts'
import { comparePlaces, PlaceIndex } from '../../src/queue/embedded/place-index.ts'

/** An index over keys in memory that counts how many of them are looked at. */
class CountedIndex {
  reads = 0
  readonly held = new Set<string>()
  #places: Place[] = []
  readonly index = new PlaceIndex({
    from: (_, from) => this.#from(from),
    count: (_, { after, until }) =>
      this.#places.filter((place) => place.nextAttemptAt > after && place.nextAttemptAt <= until).length,
  })

  insert(place: Place): void {
    this.#places = [...this.#places, place].sort(comparePlaces)
    this.index.insert(place)
  }

  claim(limit: number): Place[] {
    const taken: Place[] = []
    for (const place of this.index.claimable('alpha', (id) => this.held.has(id))) {
      if (taken.length === limit) break
      this.held.add(place.id)
      this.index.hold(place)
      taken.push(place)
    }
    return taken
  }

  settle(place: Place): void {
    this.#places = this.#places.filter((other) => other !== place)
    this.held.delete(place.id)
    this.index.remove(place)
  }

  giveBack(place: Place): void {
    this.held.delete(place.id)
    this.index.release(place)
  }

  *#from(from: Place | null): Iterable<Place> {
    for (const place of this.#places) {
      if (from !== null && comparePlaces(place, from) < 0) continue
      this.reads++
      yield place
    }
  }
}

const place = (nextAttemptAt: number): Place => ({
  connector: 'alpha',
  nextAttemptAt,
  id: `item-${String(nextAttemptAt).padStart(6, '0')}`,
  suspended: false,
})

function filled(items: number): CountedIndex {
  const counted = new CountedIndex()
  for (let n = 0; n < items; n++) counted.insert(place(n))
  return counted
}

describe('the index of the embedded queue', () => {
  it('looks at each key about once while thousands are leased and settled in any order', () => {
    const counted = filled(3000)
    const flying = counted.claim(1000)
    for (let n = 0; n < 2000; n++) {
      counted.settle(flying.splice((n * 7) % flying.length, 1)[0]!)
      flying.push(...counted.claim(1))
    }
    expect(counted.reads).toBeLessThan(3000 * 2.5)
  })

  it('does not look at keys at all where all are leased', () => {
    const counted = filled(100)
    counted.claim(100)
    counted.reads = 0
    expect(counted.claim(5)).toEqual([])
    expect(counted.reads).toBe(0)
  })

  it('finds again what was given back, and what is new, before the place it had reached', () => {
    const counted = filled(10)
    const taken = counted.claim(8)
    counted.giveBack(taken[2]!)
    counted.insert(place(0.5))
    expect(counted.claim(9).map(({ nextAttemptAt }) => nextAttemptAt)).toEqual([0.5, 2, 8, 9])
  })

  it('counts what is due as time goes on and back', () => {
    const counted = filled(10)
    const ready = (now: number) => counted.index.depths(now, []).get('alpha')?.ready
    expect([3, 7, 2, 100, -1].map(ready)).toEqual([4, 8, 3, 10, 0])
  })

  it('foretells the counts that a commit will leave', () => {
    const counted = filled(3)
    counted.index.depths(1, [])
    const suspended = { ...place(0), suspended: true }
    expect(
      counted.index.countsAfter([place(0), place(2)], [suspended, { ...place(1), connector: 'beta' }]),
    ).toEqual(
      new Map([
        ['alpha', { waiting: 1, suspended: 1, due: 1, horizon: 1 }],
        ['beta', { waiting: 1, suspended: 0, due: 0, horizon: -1 }],
      ]),
    )
    expect(counted.index.countsAfter([place(0), place(1), place(2)], []).get('alpha')).toBeNull()
  })
})
