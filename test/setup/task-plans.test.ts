/** Tasks are stored in the step of the change that they are about, numbered, and the newest thousand are kept. */
import { describe, expect, it } from 'vitest'
import type { Plan } from '../../src/setup/plan.ts'
import { planBind } from '../../src/setup/sender-plans.ts'
import { type Planner, tasksIn, withTask, withTaskIfChanged } from '../../src/setup/task-plans.ts'
import { PlannedState } from './planned-state.ts'

const about = 'account user@example.com'
const binding: Planner<Plan> = (current, planning) =>
  planBind(current, planning, { sender: 'user@example.com', connector: '29' })
const setAccount = { function: 'setAccount', about } as const
const withSet = withTask(binding, () => setAccount)
const tasks = ({ current }: PlannedState) => tasksIn(current.snapshot)

describe('a change with a task', () => {
  it('stores both in one step, and numbers tasks from 1', () => {
    const made = new PlannedState()
    const planned = made.apply(withSet)
    expect(planned.changes.map(({ kind, id }) => `${kind}/${id}`)).toEqual([
      'sender/user@example.com',
      'task/1',
      'counter/task',
    ])
    expect(planned.task).toEqual({ id: 1, ...setAccount, todoAt: made.now })
    expect(planned.audit).toHaveLength(1)
    expect(tasks(made)).toEqual([planned.task])
  })

  it('that changes nothing is a task all the same', () => {
    const made = new PlannedState()
    made.apply(withSet)
    expect(made.apply(withSet)).toMatchObject({ audit: [], task: { id: 2 } })
    expect(tasks(made).map(({ id }) => id)).toEqual([1, 2])
  })

  it('that nobody is told of is none where nothing changes', () => {
    const made = new PlannedState()
    const silently = withTaskIfChanged(binding, setAccount)
    expect(made.apply(silently).changes).toHaveLength(3)
    expect(made.apply(silently).changes).toEqual([])
    expect(tasks(made)).toHaveLength(1)
  })
})

describe('the tasks that are kept', () => {
  const stored = (first: number, last: number): PlannedState => {
    const made = new PlannedState()
    for (let id = first; id <= last; id++) made.put('task', String(id), { ...setAccount, todoAt: id })
    return made
  }

  it('are the newest thousand, in the order of their numbers', () => {
    const made = stored(95, 1094)
    made.apply(withSet)
    const ids = tasks(made).map(({ id }) => id)
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([1000, 96, 1095])
    expect(ids).toEqual([...ids].sort((a, b) => a - b))
  })

  it('are brought down to a thousand where there are more', () => {
    const made = stored(1, 1010)
    made.apply(withSet)
    expect(tasks(made)).toHaveLength(1000)
  })

  it('give their numbers to no other, also when they are gone', () => {
    const made = new PlannedState()
    made.put('counter', 'task', { last: 700 })
    expect(made.apply(withSet).task.id).toBe(701)
  })

  it('do not need a counter that can be read', () => {
    const made = stored(5, 6)
    made.put('counter', 'task', 'damaged')
    expect(made.apply(withSet).task.id).toBe(7)
    expect(made.apply(withSet).task.id).toBe(8)
  })

  it('leave out what is none', () => {
    const made = stored(5, 6)
    made.put('task', '7', { function: 'setAccount' })
    made.put('task', 'seven', { ...setAccount, todoAt: 7 })
    expect(tasks(made).map(({ id }) => id)).toEqual([5, 6])
  })
})
