import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Turns } from '../../../src/policy/checkers/turns.ts'

describe('turns', () => {
  it('are given at once while there are any', async () => {
    const turns = new Turns(2)
    await turns.take(new AbortController().signal)
    await turns.take(new AbortController().signal)
    expect([turns.taken, turns.waiting]).toEqual([2, 0])
  })

  it('pass to those who wait in the order they came, without those who gave up', async () => {
    const turns = new Turns(1)
    const impatient = new AbortController()
    const { signal } = new AbortController()
    await turns.take(signal)
    const order: string[] = []
    const first = turns.take(signal).then(() => order.push('first'))
    const givesUp = turns.take(impatient.signal)
    const last = turns.take(signal).then(() => order.push('last'))
    const reason = new Error('no time')
    impatient.abort(reason)
    await expect(givesUp).rejects.toBe(reason)
    expect(turns.waiting).toBe(2)
    turns.give()
    await first
    turns.give()
    await last
    turns.give()
    expect(order).toEqual(['first', 'last'])
    expect([turns.taken, turns.waiting]).toEqual([0, 0])
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})
