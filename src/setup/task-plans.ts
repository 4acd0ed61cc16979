/**
 * Tasks as OVHcloud's API has them: what was asked for, when, and about what. A change here is effective in the step
 * that stores it, and its task is stored in that step too: it is `done` a second later, by when all nodes know the
 * change, and nothing has to run for that. The newest thousand are kept.
 */
import { z } from 'zod'
import { keyOf } from '../state/record.ts'
import { objectAt, objectsOf } from '../state/snapshot.ts'
import type { StateChange, StateObject, StateSnapshot } from '../state/state.ts'
import { counterKind } from './connector-number.ts'
import type { CurrentSetup } from './current.ts'
import type { Plan, Planning } from './plan.ts'

export const taskKind = 'task'
export const mostTasks = 1000
/** Every node has seen the change by then (state/state.ts). */
export const taskMs = 1000

/** As OVHcloud names them (email.exchange.TaskFunctionEnum). */
export type TaskFunction =
  | `${'add' | 'set' | 'delete'}SendConnector`
  | `${'add' | 'set' | 'delete'}Account`
  | `${'add' | 'set' | 'delete'}Domain`

/** `connector 29`, `account user@example.com`, `domain example.com`. */
export interface TaskWork {
  readonly function: TaskFunction
  readonly about: string
}

const taskValue = z.strictObject({ function: z.string(), about: z.string(), todoAt: z.number() })

export interface Task {
  readonly id: number
  readonly function: string
  readonly about: string
  /** Epoch ms. */
  readonly todoAt: number
}

export type Planner<Planned extends Plan> = (current: CurrentSetup, planning: Planning) => Planned

/** The change with its task, in one step. `work` may depend on what was planned: a new connector has its number then. */
export function withTask<Planned extends Plan>(
  planner: Planner<Planned>,
  work: (planned: Planned) => TaskWork,
): Planner<Plan & { readonly task: Task }> {
  return (current, planning) => {
    const planned = planner(current, planning)
    const task = { id: lastTaskId(current) + 1, ...work(planned), todoAt: planning.now }
    return { changes: [...planned.changes, ...taskChanges(current, task)], audit: planned.audit, task }
  }
}

/** As `withTask`, where nobody is told of the task: without one if there is nothing to change. */
export function withTaskIfChanged<Planned extends Plan>(
  planner: Planner<Planned>,
  work: TaskWork,
): Planner<Plan> {
  return (current, planning) => {
    const planned = planner(current, planning)
    return planned.changes.length === 0
      ? planned
      : withTask(
          () => planned,
          () => work,
        )(current, planning)
  }
}

/** The oldest first. */
export function tasksIn(snapshot: StateSnapshot): readonly Task[] {
  const known = tasksOf.get(snapshot)
  if (known !== undefined) return known
  const tasks = objectsIn(snapshot).flatMap(({ id, value }) => {
    const parsed = taskValue.safeParse(value)
    return parsed.success ? [{ id: Number(id), ...parsed.data }] : []
  })
  tasksOf.set(snapshot, tasks)
  return tasks
}

/** Each is asked for again and again: an object of the API says whether a task about it is pending. */
const tasksOf = new WeakMap<StateSnapshot, readonly Task[]>()

function taskChanges(current: CurrentSetup, { id, ...value }: Task): StateChange[] {
  const counter = counterIn(current.snapshot)
  const before = objectsIn(current.snapshot)
  const outdated = before.slice(0, Math.max(0, before.length + 1 - mostTasks))
  return [
    { kind: taskKind, id: String(id), expected: null, value },
    { kind: counterKind, id: taskKind, expected: counter?.version ?? null, value: { last: id } },
    ...outdated.map(({ kind, id, version }) => ({ kind, id, expected: version, value: null })),
  ]
}

function lastTaskId({ snapshot }: CurrentSetup): number {
  const counted = counterValue.safeParse(counterIn(snapshot)?.value).data?.last ?? 0
  return Math.max(counted, Number(objectsIn(snapshot).at(-1)?.id ?? 0))
}

const counterValue = z.strictObject({ last: z.int().nonnegative() })

const counterIn = (snapshot: StateSnapshot): StateObject | null =>
  objectAt(snapshot, keyOf({ kind: counterKind, id: taskKind }))

/** By number: ids are text, and stand in the order of text. */
function objectsIn(snapshot: StateSnapshot): StateObject[] {
  return objectsOf(snapshot, taskKind)
    .filter(({ id }) => /^\d{1,15}$/.test(id))
    .sort((a, b) => Number(a.id) - Number(b.id))
}
