import { describe, expect, it } from 'vitest'
import { type ActTally, actOnAll, actOnItems, type Post } from '../../src/page/queues/queue-act.ts'

/** Answers in turn, and what was posted. */
function answering(...answers: readonly unknown[]): { post: Post; posted: [string, unknown][] } {
  const posted: [string, unknown][] = []
  const left = [...answers]
  const post = async <Answer>(path: string, body: unknown): Promise<Answer> => {
    posted.push([path, body])
    const answer = left.shift()
    if (answer instanceof Error) throw answer
    return answer as Answer
  }
  return { post, posted }
}

function watched(): {
  seen: ActTally[]
  onProgress: (tally: ActTally) => void
  signal: AbortSignal
  stop(): void
} {
  const seen: ActTally[] = []
  const controller = new AbortController()
  return {
    ...{ seen, onProgress: (tally) => void seen.push(tally), signal: controller.signal },
    stop: () => controller.abort(),
  }
}

const refused = (status: number) => Object.assign(new Error('refused'), { status })

describe('an act on ticked items', () => {
  it('asks for each by its id and counts what became of it', async () => {
    const done = (id: string) => ({ items: [{ id, result: 'done' }] })
    const { post, posted } = answering(done('A-1'), refused(409), refused(404))
    const { seen, onProgress, signal } = watched()
    const tally = await actOnItems(
      ['A-1', 'B-1', 'C-1'],
      { action: 'remove', dsn: false },
      { post, onProgress, signal },
    )
    expect(tally).toEqual({ done: 1, busy: 1, missing: 1 })
    expect(posted[0]).toEqual(['/queue/A-1/remove', { dsn: false }])
    expect(seen).toHaveLength(3)
  })

  it('names the reason to each', async () => {
    const { post, posted } = answering({ items: [] }, { items: [] })
    await actOnItems(['A-1', 'B-1'], { action: 'suspend', reason: 'why' }, { post, ...watched() })
    expect(posted).toEqual([
      ['/queue/A-1/suspend', { reason: 'why' }],
      ['/queue/B-1/suspend', { reason: 'why' }],
    ])
  })

  it('ends at a failure that concerns all of them', async () => {
    const { post, posted } = answering(refused(503))
    await expect(actOnItems(['A-1', 'B-1'], { action: 'retry' }, { post, ...watched() })).rejects.toThrow(
      'refused',
    )
    expect(posted).toHaveLength(1)
  })
})

describe('an act on all that match', () => {
  it('goes on page by page until there is no next one', async () => {
    const { post, posted } = answering(
      { done: 200, busy: 0, missing: 0, next: 'cursor' },
      { done: 7, busy: 2, missing: 1, next: null },
    )
    const { seen, onProgress, signal } = watched()
    const tally = await actOnAll({ connector: '29' }, { action: 'suspend' }, { post, onProgress, signal })
    expect(tally).toEqual({ done: 207, busy: 2, missing: 1 })
    expect(seen.map(({ done }) => done)).toEqual([200, 207])
    expect(posted).toEqual([
      ['/queue/actions', { action: 'suspend', filter: { connector: '29' }, after: null, limit: 200 }],
      ['/queue/actions', { action: 'suspend', filter: { connector: '29' }, after: 'cursor', limit: 200 }],
    ])
  })

  it('ends where whoever asked has enough of it', async () => {
    const { post, posted } = answering({ done: 1, busy: 0, missing: 0, next: 'cursor' })
    const watch = watched()
    watch.stop()
    expect(await actOnAll({}, { action: 'retry' }, { post, ...watch })).toMatchObject({ done: 1 })
    expect(posted).toHaveLength(1)
  })

  it('acts on a message by its id where the filter names one', async () => {
    const { post, posted } = answering({
      items: [
        { id: 'A-1', result: 'done' },
        { id: 'A-2', result: 'busy' },
      ],
    })
    const tally = await actOnAll({ id: 'A' }, { action: 'redirect', connector: '7' }, { post, ...watched() })
    expect(tally).toEqual({ done: 1, busy: 1, missing: 0 })
    expect(posted).toEqual([['/queue/A/redirect', { connector: '7' }]])
  })
})
