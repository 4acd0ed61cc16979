import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KindReader } from '../../src/setup/kind-reader.ts'
import { LayeredMap } from '../../src/setup/layered-map.ts'
import type { StateObject } from '../../src/state/state.ts'

describe('LayeredMap', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
  const changes = fc.array(fc.tuple(key, fc.option(fc.record({ n: fc.nat(9) }))), { maxLength: 8 })

  it('is what a map is that is copied for each change, and its forerunners stay as they are', () => {
    fc.assert(
      fc.property(changes, fc.array(changes), (first, rest) => {
        let copy = new Map(first.filter(([, value]) => value !== null) as [string, { n: number }][])
        let map = LayeredMap.of(copy)
        const seen = [[map, copy] as const]
        for (const each of rest) {
          copy = new Map(copy)
          for (const [key, value] of each)
            if (value === null) copy.delete(key)
            else copy.set(key, value)
          map = map.with(new Map(each))
          seen.push([map, copy])
        }
        for (const [map, copy] of seen) {
          expect(new Map(map)).toEqual(copy)
          expect(map.size).toBe(copy.size)
          expect(new Set(map.keys())).toEqual(new Set(copy.keys()))
          expect([...map.values()]).toHaveLength(copy.size)
          for (const key of 'abcdefg') {
            expect(map.get(key)).toBe(copy.get(key))
            expect(map.has(key)).toBe(copy.has(key))
          }
          const told = new Map<string, object>()
          map.forEach((value, key) => void told.set(key, value))
          expect(told).toEqual(copy)
        }
      }),
    )
  })

  it('forgets its layers when there are many differences', () => {
    const base = LayeredMap.of(new Map([['x', { n: 0 }]]))
    const many = new Map(Array.from({ length: 3000 }, (_, n) => [`k${n}`, { n }] as const))
    let map = base.with(new Map<string, { n: number } | null>([['x', null]])).with(many)
    for (let n = 0; n < 3000; n++) map = map.with(new Map([[`k${n}`, n % 2 === 0 ? null : { n: -n }]]))
    expect(map.size).toBe(1500)
    expect(map.get('x')).toBeUndefined()
    expect(map.get('k7')).toEqual({ n: -7 })
    expect(map.has('k8')).toBe(false)
    expect(base.size).toBe(1)
  })
})

describe('KindReader', () => {
  const object = (id: string, value: unknown): StateObject => ({
    kind: 'thing',
    id,
    version: 1,
    value,
    changedAt: 1,
  })
  const read = ({ id, value }: StateObject) => {
    if (value === 'bad') throw new Error('It is bad')
    return { id, value }
  }

  it('reads what is new, and keeps what it made of the rest', () => {
    let reads = 0
    const reader = new KindReader((each) => {
      reads += 1
      return read(each)
    })
    const [a, b, c] = [object('a', 1), object('b', 2), object('c', 3)]
    expect(reader.take([a, c])).toBe(true)
    const { made } = reader
    expect(reader.take([a, c])).toBe(false)
    expect(reader.made).toBe(made)
    expect(reader.take([b, object('c', 4)])).toBe(true)
    expect(reads).toBe(4)
    expect([...reader.made.keys()].sort()).toEqual(['b', 'c'])
    expect(reader.made.get('c')).toEqual({ id: 'c', value: 4 })
    expect(made.get('a')).toEqual({ id: 'a', value: 1 })
  })

  it('names what cannot be read, until it can, and leaves what was there from the beginning', () => {
    const reader = new KindReader(read, { initial: new Map([['a', { id: 'a', value: 'initial' }]]) })
    expect(reader.take([object('a', 'bad'), object('b', 'bad')])).toBe(true)
    expect([...reader.failed.keys()]).toEqual(['a', 'b'])
    expect(new Map(reader.made)).toEqual(new Map([['a', { id: 'a', value: 'initial' }]]))
    reader.take([object('b', 2)])
    expect(reader.failed.size).toBe(0)
    expect(reader.made.get('a')).toEqual({ id: 'a', value: 'initial' })
    expect(reader.made.get('b')).toEqual({ id: 'b', value: 2 })
    reader.take([])
    expect([...reader.made.keys()]).toEqual(['a'])
  })

  it('makes of any two lists of objects what it would make of the second alone', () => {
    const list = fc
      .uniqueArray(fc.tuple(fc.constantFrom(...'abcdef'), fc.constantFrom(1, 2, 'bad')), {
        selector: ([id]) => id,
      })
      .map((each) => each.sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, value]) => object(id, value)))
    fc.assert(
      fc.property(list, list, fc.func(fc.boolean()), (first, second, keeps) => {
        const kept = second.map((each) => {
          const before = first.find(({ id, value }) => id === each.id && value === each.value)
          return before !== undefined && keeps(each.id) ? before : each
        })
        const reader = new KindReader(read)
        reader.take(first)
        reader.take(kept)
        const alone = new KindReader(read)
        alone.take(kept)
        expect(new Map(reader.made)).toEqual(new Map(alone.made))
        expect([...reader.failed.keys()].sort()).toEqual([...alone.failed.keys()].sort())
      }),
    )
  })
})
