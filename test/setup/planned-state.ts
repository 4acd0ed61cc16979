/** What is configured, made of a file and of changes that were planned one after the other, all in memory. */
import type { LoadedConfig } from '../../src/config/load.ts'
import { type CurrentSetup, SetupReader } from '../../src/setup/current.ts'
import type { Planning } from '../../src/setup/plan.ts'
import { type Plan, SetupRefused } from '../../src/setup/plan.ts'
import { emptyState, type Found, objectAt, updated } from '../../src/state/snapshot.ts'
import type { StateObject } from '../../src/state/state.ts'
import { box, loadedFrom, plainFile } from '../support/running-setup.ts'

export type Planner<Planned extends Plan> = (current: CurrentSetup, planning: Planning) => Planned

export class PlannedState {
  /** What time it is. */
  now = 1_000
  readonly #reader: SetupReader
  #snapshot = emptyState

  constructor({
    yaml = plainFile,
    loaded = loadedFrom(yaml),
  }: { yaml?: string; loaded?: LoadedConfig } = {}) {
    this.#reader = new SetupReader({ file: loaded, box })
  }

  get current(): CurrentSetup {
    return this.#reader.currentOf(this.#snapshot)
  }

  /** As what somebody else stored, or damaged. */
  put(kind: string, id: string, value: unknown): this {
    return this.#found(`${kind}/${id}`, { kind, id, version: 1, value, changedAt: this.now })
  }

  unreadable(key: string): this {
    return this.#found(key, 'unreadable')
  }

  get(kind: string, id: string): StateObject | undefined {
    return objectAt(this.#snapshot, `${kind}/${id}`) ?? undefined
  }

  plan<Planned extends Plan>(planner: Planner<Planned>): Planned {
    const seal = (text: string, context: string) => box.seal(text, { context })
    return planner(this.current, { now: this.now, seal })
  }

  /** Plans, and stores as the store would. */
  apply<Planned extends Plan>(planner: Planner<Planned>): Planned {
    const planned = this.plan(planner)
    for (const { kind, id, expected, value } of planned.changes) {
      if ((this.get(kind, id)?.version ?? null) !== expected)
        throw new Error(`${kind}/${id} is not at ${expected}`)
      const stored = { kind, id, version: (expected ?? 0) + 1, changedAt: this.now }
      // What JSON does not keep, the store does not.
      const found = { ...stored, value: JSON.parse(JSON.stringify(value)) }
      this.#found(`${kind}/${id}`, value === null ? 'gone' : found)
    }
    return planned
  }

  #found(key: string, found: Found): this {
    const revision = this.#snapshot.revision + 1
    this.#snapshot = updated(this.#snapshot, { revision, found: new Map([[key, found]]) })
    return this
  }
}

/** Why a plan is refused, as `refusal field: message`. */
export function refusalOf(plan: () => unknown): string {
  try {
    plan()
  } catch (error) {
    if (error instanceof SetupRefused) return `${error.refusal} ${error.field ?? '-'}: ${error.message}`
    throw error
  }
  return 'not refused'
}
