import { describe, expect, it } from 'vitest'
import { QueueUnavailable } from '../../src/queue/queue.ts'
import type { Patience } from '../../src/queue/redis/connection.ts'
import { RedisGroup, type Step } from '../../src/queue/redis/group.ts'

const patience: Patience = { downMs: 10, unknownMs: 20 }

/** A Redis that notes each call and answers it when told to. */
class Calls {
  readonly calls: { readonly names: string[]; readonly patience: Patience }[] = []
  readonly #answers: ((answers: Promise<readonly (readonly string[])[]>) => void)[] = []
  readonly group = new RedisGroup((steps, patience) => {
    this.calls.push({ names: steps.map(({ args }) => String(args[0])), patience })
    return new Promise((resolve) => this.#answers.push(resolve))
  }, patience)

  take(name: string, fields: Partial<Step> = {}): Promise<readonly string[]> {
    return this.group.take({
      args: [name],
      bodies: [],
      items: 1,
      bytes: 1,
      onTrouble: () => undefined,
      ...fields,
    })
  }

  get names(): string[][] {
    return this.calls.map(({ names }) => names)
  }

  /** The oldest call that has no answer yet; each step gets its own name unless other answers are given. */
  answer(answers?: readonly (readonly string[])[]): void {
    const call = this.calls[this.calls.length - this.#answers.length]!
    this.#answers.shift()!(Promise.resolve(answers ?? call.names.map((name) => ['done', name])))
  }

  fail(error: Error): void {
    this.#answers.shift()!(Promise.reject(error))
  }
}

const turn = () => new Promise(setImmediate)

describe('steps taken together', () => {
  it('go in one call where they come together, and in the next where they come meanwhile', async () => {
    const redis = new Calls()
    const first = [redis.take('a'), redis.take('b')]
    await turn()
    const second = [redis.take('c'), redis.take('d')]
    await turn()
    expect(redis.names).toEqual([['a', 'b']])
    redis.answer()
    expect(await Promise.all(first)).toEqual([
      ['done', 'a'],
      ['done', 'b'],
    ])
    await turn()
    expect(redis.names).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
    redis.answer()
    expect(await Promise.all(second)).toEqual([
      ['done', 'c'],
      ['done', 'd'],
    ])
  })

  it.each<[what: string, steps: Partial<Step>[], calls: number[]]>([
    ['a hundred steps', Array.from({ length: 101 }, () => ({})), [100, 1]],
    ['a megabyte', [{ bytes: 600_000 }, { bytes: 400_000 }, { bytes: 100_000 }], [2, 1]],
    ['4,000 arguments', [{ args: Array(3999).fill('x') }, { args: ['y'] }, { args: ['z'] }], [2, 1]],
    ['one that is too large for any', [{ bytes: 1 }, { bytes: 2 ** 30 }, { bytes: 1 }], [1, 1, 1]],
  ])('are at most %s in a call', async (_what, steps, calls) => {
    const redis = new Calls()
    const taken = steps.map((fields, n) => redis.take(`${n}`, fields))
    for (const n of calls.keys()) {
      await turn()
      expect(redis.calls[n]!.names).toHaveLength(calls[n]!)
      redis.answer()
      await turn()
    }
    expect(await Promise.all(taken)).toHaveLength(steps.length)
    expect(redis.calls).toHaveLength(calls.length)
  })

  it('fail together where the call fails, and the next ones are taken', async () => {
    const redis = new Calls()
    const taken = [redis.take('a'), redis.take('b')]
    await turn()
    const next = redis.take('c')
    redis.fail(new QueueUnavailable('away'))
    expect(await Promise.allSettled(taken)).toMatchObject([
      { reason: { message: 'away' } },
      { reason: { message: 'away' } },
    ])
    await turn()
    redis.answer()
    expect(await next).toEqual(['done', 'c'])
  })

  it('fail alone where Redis says so of one, or has no answer for it', async () => {
    const redis = new Calls()
    const taken = [redis.take('a'), redis.take('b'), redis.take('c')]
    await turn()
    redis.answer([['failed', 'WRONGTYPE Operation'], ['done']])
    expect(await Promise.allSettled(taken)).toMatchObject([
      { reason: { message: 'Redis refused a step: WRONGTYPE Operation' } },
      { value: ['done'] },
      { reason: expect.any(QueueUnavailable) },
    ])
  })

  it('hear of trouble, and do not make the next ones wait for it', async () => {
    const redis = new Calls()
    const heard: string[] = []
    const onTrouble = (unknown: boolean) => heard.push(`unknown: ${unknown}`)
    const taken = [redis.take('a', { onTrouble }), redis.take('b', { onTrouble })]
    await turn()
    const next = redis.take('c')
    await turn()
    expect(redis.names).toEqual([['a', 'b']])
    redis.calls[0]!.patience.onTrouble!(true)
    expect(heard).toEqual(['unknown: true', 'unknown: true'])
    await turn()
    expect(redis.names).toEqual([['a', 'b'], ['c']])
    const last = redis.take('d')
    redis.answer()
    await Promise.all(taken)
    await turn()
    // The call that was in trouble is over; the one that went past it is still under way.
    expect(redis.names).toHaveLength(2)
    redis.answer()
    await next
    await turn()
    redis.answer()
    expect(await last).toEqual(['done', 'd'])
  })

  it('have the patience of their kind', async () => {
    const redis = new Calls()
    const taken = redis.take('a')
    await turn()
    expect(redis.calls[0]!.patience).toMatchObject(patience)
    redis.answer()
    await taken
  })
})
