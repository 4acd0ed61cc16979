import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyState, type Found, objectAt, objectsOf, updated } from '../../src/state/snapshot.ts'

const key = fc
  .tuple(fc.constantFrom('a', 'a-b', 'b'), fc.constantFrom('', '/', '1', '10', '9', 'é', 'Z'))
  .map(([kind, id]) => `${kind}/x${id}`)
const step = fc.dictionary(key, fc.constantFrom('made', 'unreadable', 'gone'), { maxKeys: 8 })

const objectOf = (at: string, version: number) => {
  const slash = at.indexOf('/')
  return { kind: at.slice(0, slash), id: at.slice(slash + 1), version, value: {}, changedAt: 0 }
}

describe('a snapshot', () => {
  it('has after any changes what a map of them has, in the order of the keys', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const expected = new Map<string, Found>()
        let snapshot = emptyState
        for (const [n, changes] of steps.entries()) {
          const found = new Map<string, Found>()
          for (const [at, what] of Object.entries(changes))
            found.set(at, what === 'made' ? objectOf(at, n + 1) : (what as Found))
          for (const [at, what] of found) expected.set(at, what)
          const before = structuredClone(snapshot)
          const next = updated(snapshot, { revision: n + 1, found })
          expect(snapshot).toEqual(before)
          snapshot = next
        }
        const sorted = [...expected].sort(([a], [b]) => (a < b ? -1 : 1))
        expect(snapshot).toEqual({
          revision: steps.length,
          objects: sorted.flatMap(([, what]) => (typeof what === 'object' ? [what] : [])),
          unreadable: sorted.flatMap(([at, what]) => (what === 'unreadable' ? [at] : [])),
        })
        for (const kind of ['a', 'a-b', 'b', 'c'])
          expect(objectsOf(snapshot, kind)).toEqual(snapshot.objects.filter((each) => each.kind === kind))
        for (const [at, what] of expected)
          expect(objectAt(snapshot, at)).toEqual(typeof what === 'object' ? what : null)
      }),
    )
  })
})
