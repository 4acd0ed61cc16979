import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { GroupCommit, type Job } from '../../src/queue/embedded/group-commit.ts'

/** A store in memory that fails when told to, and holds its commits until they are let go. */
class Commits {
  readonly groups: string[][] = []
  readonly told: string[] = []
  readonly faults: unknown[] = []
  broken: Error | null = null
  held: Promise<void> | null = null
  readonly commits = new GroupCommit<string[]>({
    ready: async () => undefined,
    begin: () => [],
    commit: async (group) => {
      const { broken } = this
      await this.held
      if (broken) throw broken
      this.groups.push(group)
    },
    publish: (group) => this.told.push(`published ${group.join(' ')}`),
    failed: (error) => this.faults.push(error),
  })

  submit(name: string, fields: Partial<Job<string[]>> = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      this.commits.submit({
        plan: (group) => group.push(name),
        applied: () => {
          this.told.push(`applied ${name}`)
          resolve()
        },
        refused: reject,
        keep: false,
        ...fields,
      })
    })
  }
}

function fakeTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
}

const broken = new Error('disk full')

describe('group commit', () => {
  it('commits together what arrives together, and what arrives meanwhile next', async () => {
    const store = new Commits()
    let release = (): void => undefined
    store.held = new Promise((resolve) => {
      release = resolve
    })
    const first = [store.submit('a'), store.submit('b')]
    await new Promise(setImmediate)
    const second = [store.submit('c'), store.submit('d')]
    await new Promise(setImmediate)
    expect(store.groups).toEqual([])
    release()
    await Promise.all([...first, ...second])
    expect(store.groups).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
  })

  it('tells all jobs of a group before anybody who waits for one of them', async () => {
    const store = new Commits()
    const a = store.submit('a').then(() => store.told.push('a goes on'))
    await Promise.all([a, store.submit('b')])
    expect(store.told).toEqual(['published a b', 'applied a', 'applied b', 'a goes on'])
  })

  it('refuses a job alone whose plan throws', async () => {
    const store = new Commits()
    const refused = store.submit('b', {
      plan: () => {
        throw new RangeError('no')
      },
    })
    await Promise.all([store.submit('a'), expect(refused).rejects.toThrow(RangeError), store.submit('c')])
    expect(store.groups).toEqual([['a', 'c']])
  })

  it('refuses what may be refused when a commit fails, and tries the rest again by itself', async () => {
    fakeTimers()
    const store = new Commits()
    store.broken = broken
    const kept = vi.fn()
    const outcome = store.submit('outcome', { keep: true, kept })
    const waiting = store.submit('mail')
    await expect(waiting).rejects.toBe(broken)
    expect(kept).toHaveBeenCalledOnce()
    await expect(store.submit('more mail')).rejects.toBe(broken)
    expect(store.groups).toEqual([])

    store.broken = null
    await vi.advanceTimersByTimeAsync(1000)
    await outcome
    expect(store.groups).toEqual([['outcome']])
    expect(store.faults).toEqual([broken, broken, null])
  })

  it('tries what it keeps as soon as something else could be stored', async () => {
    fakeTimers()
    const store = new Commits()
    store.broken = broken
    const outcomes = [store.submit('one', { keep: true })]
    await vi.waitFor(() => expect(store.faults).toHaveLength(1))
    outcomes.push(store.submit('two', { keep: true }))
    store.broken = null
    await Promise.all([store.submit('mail'), ...outcomes])
    expect(store.groups).toEqual([['mail'], ['one', 'two']])
  })

  it('notices that the store is well again while it keeps nothing and gets nothing', async () => {
    fakeTimers()
    const store = new Commits()
    store.broken = broken
    await expect(store.submit('mail')).rejects.toBe(broken)
    await vi.advanceTimersByTimeAsync(5000)
    expect(store.faults.at(-1)).toBe(broken)
    store.broken = null
    await vi.advanceTimersByTimeAsync(1000)
    expect(store.faults.at(-1)).toBeNull()
    expect(store.groups).toEqual([[]])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('refuses at the deadline what could not be stored, and leaves no timer', async () => {
    fakeTimers()
    const store = new Commits()
    store.broken = broken
    const closed = new Error('closed')
    const refused = expect(store.submit('outcome', { keep: true })).rejects.toBe(closed)
    const drained = store.commits.drain({ deadlineMs: 3000, refusal: closed })
    await vi.advanceTimersByTimeAsync(2999)
    expect(store.faults.length).toBeGreaterThan(1)
    await vi.advanceTimersByTimeAsync(1)
    await refused
    expect(await drained).toEqual({ running: false })
    await expect(store.submit('late')).rejects.toBe(closed)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('drains at once when all is stored', async () => {
    const store = new Commits()
    const stored = store.submit('a', { keep: true })
    expect(await store.commits.drain({ deadlineMs: 60_000, refusal: new Error('closed') })).toEqual({
      running: false,
    })
    await stored
  })
})
