import { describe, expect, it } from 'vitest'
import { Misbehaviours, parseMisbehaviour } from '../../src/lab/misbehaviour.ts'
import { seededRandom } from '../../src/lab/prng.ts'

const reply = (code: number) => ({ kind: 'reply', code })
const at = (stage: string, fault: object, times: number | null = null) => ({
  kind: 'fault',
  at: stage,
  fault,
  times,
})

describe('parseMisbehaviour', () => {
  it.each([
    ['mail-451', at('mail', reply(451))],
    ['rcpt-450', at('rcpt', reply(450))],
    ['rcpt-550-anna', at('rcpt', reply(550))],
    ['data-452', at('data', reply(452))],
    ['dot-554', at('dot', reply(554))],
    ['reply-421', at('rcpt', reply(421))],
    ['rcpt-450-first-2', at('rcpt', reply(450), 2)],
    ['dot-451-first-1-anna', at('dot', reply(451), 1)],
    ['hang-rcpt', at('rcpt', { kind: 'hang' })],
    ['hang-dot-first-1', at('dot', { kind: 'hang' }, 1)],
    ['drop-body', at('body', { kind: 'drop' })],
    ['drop-dot', at('dot', { kind: 'drop' })],
    ['drop-dot-7', at('dot', { kind: 'drop' })],
    ['drop-dot-kept', at('dot', { kind: 'drop-kept' })],
    ['drop-dot-kept-first-1-7', at('dot', { kind: 'drop-kept' }, 1)],
    ['slow-250', { kind: 'slow', delayMs: 250 }],
    ['flaky-30-bob', { kind: 'flaky', percent: 30 }],
  ])('understands %s', (localPart, misbehaviour) => {
    expect(parseMisbehaviour(localPart)).toEqual(misbehaviour)
  })

  it.each([
    'anna',
    'rcpt',
    'rcpt-250',
    'rcpt-45',
    'rcpt-4500',
    'rcpt-450anna',
    'hang-body',
    'drop-anna',
    'slow-x',
    'flaky-101',
    'x-rcpt-450',
  ])('takes %s for an ordinary recipient', (localPart) => {
    expect(parseMisbehaviour(localPart)).toBeNull()
  })
})

describe('Misbehaviours', () => {
  it('misbehaves the first times that an address is met, each address for itself', () => {
    const misbehaviours = new Misbehaviours(() => 0)
    const answers = (address: string) => [1, 2, 3].map(() => misbehaviours.of(address) !== null)
    expect(answers('rcpt-450-first-2@example.org')).toEqual([true, true, false])
    expect(answers('rcpt-450-first-2@example.com')).toEqual([true, true, false])
  })

  it('fails the share of a flaky recipient that was asked for, and the same ones for the same seed', () => {
    const failures = (seed: number) => {
      const misbehaviours = new Misbehaviours(seededRandom(seed))
      return Array.from({ length: 1000 }, () => misbehaviours.of('flaky-30@example.org') !== null)
    }
    const failed = failures(7).filter((fails) => fails).length
    expect(failed).toBeGreaterThan(250)
    expect(failed).toBeLessThan(350)
    expect(failures(7)).toEqual(failures(7))
    expect(failures(7)).not.toEqual(failures(8))
  })
})
