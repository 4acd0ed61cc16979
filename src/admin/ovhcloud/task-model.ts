/** `email.exchange.Task`. Its state is computed: `todo` when it was made, `doing` for a second, then `done`. */

import { type Task, taskMs, tasksIn } from '../../setup/task-plans.ts'
import type { StateSnapshot } from '../../state/state.ts'
import { instant } from './instant.ts'

export interface TaskModel {
  readonly id: number
  readonly function: string
  readonly status: 'todo' | 'doing' | 'done'
  readonly todoDate: string
  readonly finishDate: string | null
}

/** As whoever caused it is told. */
export function todo(task: Task): TaskModel {
  return { ...modelOf(task), status: 'todo', finishDate: null }
}

export function taskModel(task: Task, now: number): TaskModel {
  const done = isDone(task, now)
  const finishDate = done ? instant(task.todoAt + taskMs) : null
  return { ...modelOf(task), status: done ? 'done' : 'doing', finishDate }
}

/** The newest task about something while it is not done; null where there is none. */
export function pendingTask(
  snapshot: StateSnapshot,
  { about, now }: { about: string; now: number },
): Task | null {
  const newest = tasksIn(snapshot).findLast((task) => task.about === about)
  return newest === undefined || isDone(newest, now) ? null : newest
}

function modelOf({ id, function: what, todoAt }: Task): Pick<TaskModel, 'id' | 'function' | 'todoDate'> {
  return { id, function: what, todoDate: instant(todoAt) }
}

/** A clock that was set back does not hold it up. */
const isDone = ({ todoAt }: Task, now: number): boolean => now - todoAt >= taskMs || now < todoAt - taskMs
