/**
 * The contract of the runtime state, run over each store on the real thing. Each promise of src/state/state.ts is a
 * test here; a store's own file adds only what is its alone.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { QueueUnavailable } from '../../src/queue/queue.ts'
import {
  type StateChange,
  StateConflict,
  type StateSnapshot,
  type StateStore,
} from '../../src/state/state.ts'

/** One store, empty at first, and what may befall it. */
export interface Harness {
  /** Opens the store, the same each time, also after `close` and `crash`; where it is shared, beside others. */
  open(): Promise<StateStore>
  /** Leaves the store as the death of the process that keeps it would. */
  crash(store: StateStore): Promise<void>
  /** Overwrites what is stored under a key. The store is closed meanwhile. */
  damage(key: string, bytes: Buffer): Promise<void>
  /** Bytes moved to and from the store until now; null where the system does not say. */
  moved(): Promise<number | null>
  destroy(): Promise<void>
}

export const t0 = 1_800_000_000_000
export const at = { now: t0 }

export function created(id: string, value: unknown = { name: id }, kind = 'connector'): StateChange {
  return { kind, id, expected: null, value }
}

export const idsOf = ({ objects }: StateSnapshot): string[] => objects.map(({ kind, id }) => `${kind}/${id}`)

export async function conflictOf(changing: Promise<unknown>): Promise<StateConflict> {
  const error = await changing.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(StateConflict)
  return error as StateConflict
}

export function stateContract(name: string, create: () => Promise<Harness>): void {
  describe(`${name} state`, () => {
    let harness: Harness
    let store: StateStore
    beforeEach(async () => {
      harness = await create()
      store = await harness.open()
    })
    afterEach(() => harness.destroy())

    async function reopen(): Promise<StateStore> {
      await store.close()
      store = await harness.open()
      return store
    }

    describe('change', () => {
      it('begins with nothing', async () => {
        expect(await store.read()).toEqual({ revision: 0, objects: [], unreadable: [] })
      })

      it('makes an object at version 1, and counts its changes', async () => {
        const first = await store.change([created('29')], at)
        const change = { kind: 'connector', id: '29', expected: 1, value: { name: 'new' } }
        const second = await store.change([change], { now: t0 + 5 })
        expect(second).toBeGreaterThan(first)
        expect(await store.read()).toEqual({
          revision: second,
          objects: [{ kind: 'connector', id: '29', version: 2, value: { name: 'new' }, changedAt: t0 + 5 }],
          unreadable: [],
        })
      })

      it('removes an object; another of its name begins at version 1', async () => {
        await store.change([created('29'), created('30')], at)
        await store.change([{ kind: 'connector', id: '29', expected: 1, value: null }], at)
        expect(idsOf(await store.read())).toEqual(['connector/30'])
        await store.change([created('29')], at)
        expect((await store.read()).objects[0]).toMatchObject({ id: '29', version: 1 })
      })

      it.each<[string, number | null, string, number | null]>([
        ['made where there is one', null, 'there', 2],
        ['changed from an older version', 1, 'there', 2],
        ['changed from a version to come', 3, 'there', 2],
        ['changed where there is none', 1, 'missing', null],
      ])('refuses what is %s, and says what is there', async (_, expected, id, version) => {
        await store.change([created('there')], at)
        await store.change([{ ...created('there'), expected: 1 }], at)
        for (const value of [{ name: 'late' }, null].slice(expected === null ? 1 : 0)) {
          const change = { kind: 'connector', id, expected, value }
          expect(await conflictOf(store.change([change], at))).toMatchObject({
            kind: 'connector',
            id,
            version,
          })
        }
        expect((await store.read()).objects).toMatchObject([{ id: 'there', version: 2 }])
      })

      it('makes all of a step or nothing', async () => {
        await store.change([created('b')], at)
        const before = await store.read()
        const changes = [created('a'), { ...created('b'), expected: 1 }, { ...created('c'), expected: 7 }]
        expect(await conflictOf(store.change(changes, at))).toMatchObject({ id: 'c', version: null })
        expect(await store.read()).toEqual(before)
        await store.change(changes.slice(0, 2), at)
        expect((await store.read()).objects).toMatchObject([
          { id: 'a', version: 1 },
          { id: 'b', version: 2 },
        ])
      })

      it('refuses what depends on a revision that has passed, and takes it on the one that is there', async () => {
        const revision = await store.change([created('a')], at)
        await store.change([created('b')], at)
        const late = store.change([created('c')], { ...at, revision })
        expect(await conflictOf(late)).toMatchObject({ kind: 'state', version: revision + 1 })
        expect(idsOf(await store.read())).toEqual(['connector/a', 'connector/b'])
        await store.change([created('c')], { ...at, revision: revision + 1 })
        expect(idsOf(await store.read())).toEqual(['connector/a', 'connector/b', 'connector/c'])
      })

      it('lets one of those win who change the same version at the same time', async () => {
        const racing = Array.from({ length: 20 }, (_, n) => store.change([created('one', { n })], at))
        const results = await Promise.allSettled(racing)
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        for (const result of results)
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ id: 'one', version: 1 })
        const winner = results.findIndex(({ status }) => status === 'fulfilled')
        expect((await store.read()).objects).toMatchObject([{ version: 1, value: { n: winner } }])
      })

      it.each<[string, StateChange[]]>([
        ['a kind with a slash', [created('1', {}, 'a/b')]],
        ['no kind', [created('1', {}, '')]],
        ['no id', [created('')]],
        ['an id of 301 characters', [created('x'.repeat(301))]],
        ['an id with a line break', [created('a\nb')]],
        ['an id with half a character', [created('a\ud800')]],
        ['version 0', [{ ...created('1'), expected: 0 }]],
        ['half a version', [{ ...created('1'), expected: 1.5 }]],
        ['no value', [{ ...created('1'), value: undefined }]],
        ['a value that is no JSON', [created('1', () => 1)]],
        ['a value that becomes null', [created('1', Number.NaN)]],
        ['the same object twice', [created('1'), { ...created('1'), expected: 1 }]],
      ])('refuses %s', async (_, changes) => {
        await expect(store.change([created('good'), ...changes], at)).rejects.toThrow(TypeError)
        expect((await store.read()).objects).toEqual([])
      })

      it.each<[string, string, unknown]>([
        ['nested', '1', { a: [1, { b: null, c: [] }, 'x'], d: true, e: 1.5e-7 }],
        ['text of all kinds', '1', 'ä \u0000 \r\n "quoted" \\ 🚚 \ud800'],
        ['false', '1', false],
        ['a field named like the prototype', '1', JSON.parse('{"__proto__":{"x":1}}')],
        ['what looks like a record', '1', '{"version":9,"changedAt":1,"value":1}'],
        ['an id with slashes and blanks', 'a/b c/ü@example.com', 1],
        ['the longest id', '数'.repeat(300), 1],
      ])('gives back a value as it was: %s', async (_, id, value) => {
        await store.change([created(id, value)], at)
        const object = { kind: 'connector', id, version: 1, value, changedAt: t0 }
        expect((await store.read()).objects).toEqual([object])
        expect((await (await reopen()).read()).objects).toEqual([object])
      })

      it('keeps what it was given, whatever becomes of the object it came in', async () => {
        const value = { hosts: ['a.example.com'] }
        await store.change([created('1', value)], at)
        value.hosts.push('b.example.com')
        const [object] = (await store.read()).objects
        expect(object!.value).toEqual({ hosts: ['a.example.com'] })
        expect(() => (object!.value as typeof value).hosts.push('c.example.com')).toThrow(TypeError)
      })
    })

    describe('read', () => {
      it('gives the objects in the order of kind and id', async () => {
        const kinds = [
          created('b'),
          created('1', 1, 'rule'),
          created('B'),
          created('a'),
          created('10', 1, 'rule'),
        ]
        for (const change of kinds) await store.change([change], at)
        const sorted = ['connector/B', 'connector/a', 'connector/b', 'rule/1', 'rule/10']
        expect(idsOf(await store.read())).toEqual(sorted)
        expect(idsOf(await (await reopen()).read())).toEqual(sorted)
      })

      it('gives after another opening what it gave before', async () => {
        await store.change([created('a'), created('b')], at)
        await store.change([{ ...created('b'), expected: 1, value: null }], at)
        const before = await store.read()
        expect(await (await reopen()).read()).toEqual(before)
      })

      it('has after a crash what was confirmed', async () => {
        for (let n = 0; n < 20; n++) await store.change([created(`${n}`)], at)
        const before = await store.read()
        await harness.crash(store)
        store = await harness.open()
        expect(await store.read()).toEqual(before)
      })
    })

    describe('watch', () => {
      it('tells of an own change before its promise resolves', async () => {
        await store.read()
        const seen: StateSnapshot[] = []
        store.watch((snapshot) => seen.push(snapshot))
        const revision = await store.change([created('a')], at)
        expect(seen.map((snapshot) => snapshot.revision)).toEqual([revision])
        expect(seen).toEqual([await store.read()])
      })

      it('tells of nothing that was read, that was refused, or after its end', async () => {
        await store.change([created('a')], at)
        await store.read()
        const [heard, ended] = [vi.fn(), vi.fn()]
        store.watch(heard)
        const end = store.watch(ended)
        await conflictOf(store.change([created('a')], at))
        await store.read()
        expect(heard).not.toHaveBeenCalled()
        end()
        await store.change([created('b')], at)
        expect(heard).toHaveBeenCalledTimes(1)
        expect(ended).not.toHaveBeenCalled()
      })

      it('tells at once of what was changed since it was read', async () => {
        const { revision } = await store.read()
        const later = await store.change([created('a')], at)
        const heard = vi.fn<(snapshot: StateSnapshot) => void>()
        store.watch(heard)
        await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1))
        expect(heard.mock.calls[0]![0]).toMatchObject({ revision: later })
        expect(later).toBeGreaterThan(revision)
      })

      it('goes on where a listener throws', async () => {
        const heard = vi.fn()
        store.watch(() => {
          throw new Error('cannot take it over')
        })
        store.watch(heard)
        await store.change([created('a')], at)
        await store.change([created('b')], at)
        expect(heard).toHaveBeenCalledTimes(2)
      })

      it('gives snapshots that stay as they are', async () => {
        await store.change([created('a')], at)
        const before = await store.read()
        const copy = structuredClone(before)
        await store.change([{ ...created('a'), expected: 1, value: 'new' }, created('b')], at)
        expect(before).toEqual(copy)
      })
    })

    describe('an object that cannot be read', () => {
      it.each<[string, Buffer]>([
        ['no JSON', Buffer.from('{"version":1,"val')],
        ['no record', Buffer.from('[]')],
        ['no version', Buffer.from('{"version":0,"changedAt":1,"value":1}')],
        ['no UTF-8', Buffer.from('{"version":1,"changedAt":1,"value":"\xff"}', 'latin1')],
        ['nothing', Buffer.alloc(0)],
      ])('is set aside and named, the others are there: %s', async (_, bytes) => {
        await store.change([created('a'), created('bad'), created('c')], at)
        await store.close()
        await harness.damage('connector/bad', bytes)
        store = await harness.open()
        const snapshot = await store.read()
        expect(idsOf(snapshot)).toEqual(['connector/a', 'connector/c'])
        expect(snapshot.unreadable).toEqual(['connector/bad'])
      })

      it('is as good as none for changes: it is made anew, or removed', async () => {
        await store.change([created('bad'), created('worse')], at)
        await store.close()
        for (const id of ['bad', 'worse'])
          await harness.damage(`connector/${id}`, Buffer.from('{"version":1,'))
        store = await harness.open()
        expect((await store.read()).unreadable).toEqual(['connector/bad', 'connector/worse'])
        const late = { ...created('bad'), expected: 1 }
        expect(await conflictOf(store.change([late], at))).toMatchObject({ id: 'bad', version: null })
        await store.change([created('bad', 'mended')], at)
        expect(await store.read()).toMatchObject({
          objects: [{ id: 'bad', version: 1, value: 'mended' }],
          unreadable: ['connector/worse'],
        })
        await store.change([created('worse', null)], at)
        expect((await store.read()).unreadable).toEqual([])
        expect(await (await reopen()).read()).toMatchObject({ objects: [{ id: 'bad' }], unreadable: [] })
      })
    })

    it('stays quick with ten thousand objects, and moves only what changes', async () => {
      const value = { note: 'x'.repeat(500) }
      const objects = Array.from({ length: 10_000 }, (_, n) => created(`${n}`, value, 'sender'))
      await store.change(objects, at)
      expect((await (await reopen()).read()).objects).toHaveLength(10_000)
      const before = await harness.moved()
      const began = performance.now()
      const rounds = 50
      for (let n = 0; n < rounds; n++) {
        await store.change([{ ...created(`${n * 7}`, value, 'sender'), expected: 1 }], at)
        expect((await store.read()).objects).toHaveLength(10_000)
      }
      expect((performance.now() - began) / rounds).toBeLessThan(60)
      const moved = await harness.moved()
      // All objects are 6 MB; LMDB writes pages of 4 KB, a handful for each change.
      if (before !== null && moved !== null) expect((moved - before) / rounds).toBeLessThan(100_000)
    })

    it('once closed refuses everything, also what waits, and tells of nothing', async () => {
      const heard = vi.fn()
      store.watch(heard)
      const changing = store.change([created('a')], at)
      await Promise.all([store.close(), store.close()])
      await changing
      const calls = heard.mock.calls.length
      await expect(store.change([created('b')], at)).rejects.toThrow(QueueUnavailable)
      await expect(store.read()).rejects.toThrow(QueueUnavailable)
      store = await harness.open()
      expect(idsOf(await store.read())).toEqual(['connector/a'])
      expect(heard.mock.calls).toHaveLength(calls)
    })
  })
}
