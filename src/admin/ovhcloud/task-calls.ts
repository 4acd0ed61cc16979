/** `/task`: what was asked for, the newest thousand. They can be asked for by account too. */
import { type Task, tasksIn } from '../../setup/task-plans.ts'
import { aboutAccount } from './account-model.ts'
import { type Call, call } from './call.ts'
import { OvhcloudError } from './ovhcloud-error.ts'
import type { Service } from './service.ts'
import { taskModel } from './task-model.ts'

export function taskCalls({ setup, clock }: Service): Call[] {
  const tasks = () => tasksIn(setup.current.snapshot)
  const tasksAbout = (address: string) => tasks().filter(({ about }) => about === aboutAccount(address))
  const accountTasks = '/account/:primaryEmailAddress/tasks'
  return [
    call({ method: 'GET', path: '/task', handle: async () => tasks().map(({ id }) => id) }),
    call({
      method: 'GET',
      path: '/task/:id',
      handle: async ({ path: { id } }) => taskModel(taskAt(tasks(), id), clock.now()),
    }),
    call({
      method: 'GET',
      path: accountTasks,
      handle: async ({ path: { primaryEmailAddress } }) =>
        tasksAbout(primaryEmailAddress).map(({ id }) => id),
    }),
    call({
      method: 'GET',
      path: `${accountTasks}/:id`,
      handle: async ({ path: { primaryEmailAddress, id } }) =>
        taskModel(taskAt(tasksAbout(primaryEmailAddress), id), clock.now()),
    }),
  ]
}

function taskAt(tasks: readonly Task[], id: number): Task {
  const task = tasks.find((each) => each.id === id)
  if (task === undefined) throw new OvhcloudError(404, `There is no task ${id}`, { field: 'id' })
  return task
}
