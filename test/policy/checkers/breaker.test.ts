import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  afterQuestion,
  asking,
  type Breaker,
  closed,
  mayAsk,
  type Outcome,
} from '../../../src/policy/checkers/breaker.ts'

const now = 1_000_000
const failures = (count: number): Breaker => ({ state: 'closed', failures: count })
const open = (pauseMs: number, probeAt: number): Breaker => ({ state: 'open', pauseMs, probeAt })
const probing = (pauseMs: number): Breaker => ({ state: 'probing', pauseMs })

describe('a breaker', () => {
  it.each<[string, Breaker, boolean]>([
    ['closed', closed, true],
    ['closed after some failures', failures(4), true],
    ['open', open(10_000, now + 1), false],
    ['open and due', open(10_000, now), true],
    ['being probed', probing(10_000), false],
  ])('that is %s allows a question: %4$s', (_state, breaker, allowed) => {
    expect(mayAsk(breaker, now)).toBe(allowed)
  })

  it.each<[string, Breaker, Outcome, boolean, Breaker]>([
    ['a first answer changes nothing', closed, 'answered', false, closed],
    ['an answer forgets failures', failures(4), 'answered', false, closed],
    ['a failure is counted', closed, 'failed', false, failures(1)],
    ['the fourth failure in a row is counted', failures(3), 'failed', false, failures(4)],
    ['the fifth failure in a row opens it', failures(4), 'failed', false, open(10_000, now + 10_000)],
    ['what was abandoned counts for nothing', failures(4), 'abandoned', false, failures(4)],
    [
      'a late failure does not prolong the pause',
      open(10_000, now + 1),
      'failed',
      false,
      open(10_000, now + 1),
    ],
    ['a late answer ends the pause', open(10_000, now + 1), 'answered', false, closed],
    ['an answered probe closes it', probing(10_000), 'answered', true, closed],
    ['a failed probe doubles the pause', probing(10_000), 'failed', true, open(20_000, now + 20_000)],
    ['the pause is a minute at most', probing(40_000), 'failed', true, open(60_000, now + 60_000)],
    ['an abandoned probe is due again', probing(20_000), 'abandoned', true, open(20_000, now)],
    ['a late failure is not the probe', probing(10_000), 'failed', false, probing(10_000)],
    ['a late answer closes it during the probe', probing(10_000), 'answered', false, closed],
    ['a probe that fails after that is a first failure', closed, 'failed', true, failures(1)],
  ])('%s', (_case, breaker, outcome, probe, expected) => {
    expect(afterQuestion(breaker, { outcome, probe, now })).toEqual(expected)
  })

  it('never has two probes at once, nor waits for one that is over', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('ask' as const), ms: fc.integer({ min: 0, max: 30_000 }) }),
      fc.record({
        kind: fc.constant('end' as const),
        which: fc.nat(20),
        outcome: fc.constantFrom<Outcome>('answered', 'failed', 'abandoned'),
      }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        let breaker = closed
        let at = 0
        const underWay: { probe: boolean }[] = []
        for (const each of steps) {
          if (each.kind === 'ask') {
            at += each.ms
            if (!mayAsk(breaker, at)) continue
            const asked = asking(breaker)
            breaker = asked.breaker
            underWay.push({ probe: asked.probe })
          } else if (underWay.length > 0) {
            const [ended] = underWay.splice(each.which % underWay.length, 1)
            breaker = afterQuestion(breaker, { outcome: each.outcome, probe: ended!.probe, now: at })
          }
          const probes = underWay.filter(({ probe }) => probe).length
          if (breaker.state === 'probing') expect(probes).toBeGreaterThan(0)
        }
      }),
    )
  })
})
