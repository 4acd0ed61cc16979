/**
 * The changes that this API makes: planned as those of our own, each with its task in the same step, and refused in the
 * words of whoever asked, who knows `displayName` and not `name`.
 */

import type { Plan } from '../../setup/plan.ts'
import { SetupRefused } from '../../setup/plan.ts'
import type { Setup } from '../../setup/setup.ts'
import { type Planner, type TaskWork, withTask, withTaskIfChanged } from '../../setup/task-plans.ts'
import { type TaskModel, todo } from './task-model.ts'

/** Our fields, and what they are called here. */
export type FieldNames = Readonly<Record<string, string>>

interface Asking {
  readonly by: string
  readonly names?: FieldNames
}

export class Changes {
  readonly #setup: Pick<Setup, 'apply'>

  constructor(setup: Pick<Setup, 'apply'>) {
    this.#setup = setup
  }

  /** Resolves with the task, as whoever asked is told. */
  async task<Planned extends Plan>(
    planner: Planner<Planned>,
    { work, ...asking }: Asking & { readonly work: (planned: Planned) => TaskWork },
  ): Promise<TaskModel> {
    return todo((await this.#apply(withTask(planner, work), asking)).task)
  }

  /** Where OVHcloud answers nothing; the task is there all the same, if something changed. */
  async silently(
    planner: Planner<Plan>,
    { work, ...asking }: Asking & { readonly work: TaskWork },
  ): Promise<null> {
    await this.#apply(withTaskIfChanged(planner, work), asking)
    return null
  }

  async #apply<Planned extends Plan>(
    planner: Planner<Planned>,
    { by, names = {} }: Asking,
  ): Promise<Planned> {
    return this.#setup.apply(planner, { by }).catch((error: unknown) => {
      throw error instanceof SetupRefused ? renamed(error, names) : error
    })
  }
}

/** Messages begin with the name of the field. */
function renamed(error: SetupRefused, names: FieldNames): SetupRefused {
  const { field, message, refusal } = error
  const name = field === undefined ? undefined : names[field]
  if (field === undefined || name === undefined) return error
  const told = message.startsWith(`${field} `) ? name + message.slice(field.length) : message
  return new SetupRefused(refusal, told, name)
}
