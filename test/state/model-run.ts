/**
 * Random changes from two sides, compared with a plain map: each side is told what the map says, every snapshot is
 * the state as it was at its revision, and nobody sees time run backwards.
 */
import { expect } from 'vitest'
import {
  type StateChange,
  StateConflict,
  type StateSnapshot,
  type StateStore,
} from '../../src/state/state.ts'
import { Prng } from '../support/prng.ts'
import { type Harness, t0 } from './contract.ts'

export const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))

interface Kept {
  readonly version: number
  readonly value: unknown
  readonly changedAt: number
}
type Model = ReadonlyMap<string, Kept>

const kinds = ['connector', 'rule'] as const
const names = ['a', 'b', 'c/d', 'é', '10', '9']

export async function runModel(harness: Harness, options: { seed: number; steps: number }): Promise<void> {
  const random = new Prng(options.seed)
  const first = await harness.open()
  const second = await harness.open().catch(() => first)
  const sides = [first, second]
  const models = new Map<number, Model>([[0, new Map()]])
  const watched = sides.map((side) => watch(side, models))
  let model: Model = new Map()
  for (let step = 0; step < options.steps; step++) {
    const side = random.pick(sides)
    if (random.chance(0.3)) {
      expect(plain(await side.read())).toEqual(objectsOf(model))
    } else {
      const changes = randomChanges(random, model)
      const now = t0 + step
      const after = applied(model, changes, now)
      const revision = await side.change(changes, { now }).catch(reasonOf)
      if (after instanceof StateConflict) expect(revision).toEqual(after)
      else {
        model = after
        models.set(revision as number, model)
      }
    }
  }
  for (const end of watched) await end(model)
  await countTogether(sides, { random, rounds: 60 })
}

/** Many at a time add to one of a few counters: each that was confirmed is in it. */
async function countTogether(
  sides: readonly StateStore[],
  options: { random: Prng; rounds: number },
): Promise<void> {
  const counters = ['x', 'y']
  const confirmed = new Map(counters.map((id) => [id, 0]))
  let conflicts = 0
  const count = async (side: StateStore, id: string): Promise<void> => {
    for (;;) {
      const found = (await side.read()).objects.find((object) => object.kind === 'count' && object.id === id)
      const value = ((found?.value as number | undefined) ?? 0) + 1
      const change = { kind: 'count', id, expected: found?.version ?? null, value }
      const done = await side.change([change], { now: t0 }).catch(reasonOf)
      if (typeof done === 'number') break
      expect(done).toBeInstanceOf(StateConflict)
      conflicts += 1
    }
    confirmed.set(id, confirmed.get(id)! + 1)
  }
  const { random, rounds } = options
  await Promise.all(
    Array.from({ length: rounds }, (_, n) => count(sides[n % sides.length]!, random.pick(counters))),
  )
  expect(conflicts).toBeGreaterThan(0)
  for (const side of sides) {
    const counts = (await side.read()).objects.filter(({ kind }) => kind === 'count')
    expect(counts.map(({ id, value, version }) => [id, value, version])).toEqual(
      counters.map((id) => [id, confirmed.get(id), confirmed.get(id)]),
    )
  }
}

/** Returns what ends it, once the side has seen the last state. */
function watch(side: StateStore, models: ReadonlyMap<number, Model>): (last: Model) => Promise<void> {
  const seen: StateSnapshot[] = []
  const end = side.watch((snapshot) => seen.push(snapshot))
  return async (last) => {
    await expect.poll(() => plain(seen.at(-1)!), { timeout: 2000 }).toEqual(objectsOf(last))
    end()
    expect(seen.map(({ revision }) => revision)).toEqual(
      [...new Set(seen.map(({ revision }) => revision))].sort((a, b) => a - b),
    )
    for (const snapshot of seen) expect(plain(snapshot)).toEqual(objectsOf(models.get(snapshot.revision)!))
  }
}

function randomChanges(random: Prng, model: Model): readonly StateChange[] {
  const changes = new Map<string, StateChange>()
  for (let n = random.integer(1, 3); n > 0; n--) {
    const [kind, id] = [random.pick(kinds), random.pick(names)]
    const version = model.get(`${kind}/${id}`)?.version ?? null
    const stale = random.pick([null, 1, 2, (version ?? 0) + 1])
    const expected = random.chance(0.85) ? version : stale
    const value = random.chance(0.3)
      ? null
      : { random: random.next(), text: 'x'.repeat(random.integer(0, 50)) }
    changes.set(`${kind}/${id}`, { kind, id, expected, value })
  }
  return [...changes.values()]
}

function applied(model: Model, changes: readonly StateChange[], now: number): Model | StateConflict {
  const after = new Map(model)
  for (const { kind, id, expected, value } of changes) {
    const version = model.get(`${kind}/${id}`)?.version ?? null
    if (version !== expected) return new StateConflict({ kind, id, version })
    if (value === null) after.delete(`${kind}/${id}`)
    else after.set(`${kind}/${id}`, { version: (version ?? 0) + 1, value, changedAt: now })
  }
  return after
}

const plain = ({ objects }: StateSnapshot) => objects.filter(({ kind }) => kind !== 'count')

function objectsOf(model: Model) {
  return [...model.keys()].sort().map((key) => {
    const [kind] = key.split('/', 1)
    return { kind, id: key.slice(kind!.length + 1), ...model.get(key)! }
  })
}

const reasonOf = (reason: unknown): unknown => reason
