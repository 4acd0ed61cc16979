import { describe, expect, it } from 'vitest'
import type { MailEvent } from '../../src/observe/events.ts'
import { depthOf, LiveSamples, sampleSeconds } from '../../src/observe/live-samples.ts'
import { success } from '../../src/reply.ts'

const t0 = 1_767_600_000_000

const recipients = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ address: `u${n}@example.org`, reply: success('1.0', 'Ok') }))
const event = (fields: object): MailEvent => fields as MailEvent
const delivered = (delayMs: number, count = 1): MailEvent =>
  event({ event: 'delivered', recipients: recipients(count), delayMs })
const accepted = event({ event: 'accepted' })

const nothing = {
  ...{ accepted: 0, relayed: 0, deferred: 0, failed: 0, refused: 0 },
  latencyMs: null,
  queue: null,
}

describe('what a second holds', () => {
  it.each<[string, readonly MailEvent[], object]>([
    ['messages that were accepted', [accepted, accepted], { accepted: 2 }],
    ['recipients that were relayed to', [delivered(5, 3), delivered(5)], { relayed: 4 }],
    [
      'recipients that were deferred',
      [event({ event: 'deferred', recipients: recipients(2) })],
      { deferred: 2 },
    ],
    [
      'recipients that failed, also for being out of time',
      [
        event({ event: 'failed', recipients: recipients(2) }),
        event({ event: 'expired', recipients: recipients(1) }),
      ],
      { failed: 3 },
    ],
    [
      'what was refused, in the session or by policy afterwards',
      [
        event({ event: 'rejected' }),
        event({ event: 'refused', recipients: ['a@example.org', 'b@example.org'] }),
      ],
      { refused: 3 },
    ],
    ['nothing of other events', [event({ event: 'connector' }), event({ event: 'dsn' })], nothing],
  ])('%s', (_, events, sample) => {
    const live = new LiveSamples()
    for (const each of events) live.note(each, t0 + 999)
    expect(live.samples({ since: t0 - 1, now: t0 + 1000 })).toMatchObject([{ at: t0, ...sample }])
  })

  it('the percentiles of the latency, at most a bucket too high', () => {
    const live = new LiveSamples()
    for (let ms = 1; ms <= 1000; ms++) live.note(delivered(ms), t0)
    const latencyMs = live.samples({ since: t0 - 1, now: t0 + 1000 })[0]!.latencyMs!
    for (const [name, exact] of [
      ['p50', 500],
      ['p95', 950],
      ['p99', 990],
    ] as const) {
      expect(latencyMs[name]).toBeGreaterThanOrEqual(exact)
      expect(latencyMs[name]).toBeLessThanOrEqual(exact * 1.06)
    }
  })

  it('latencies of its own only, however short or long', () => {
    const live = new LiveSamples()
    live.note(delivered(0), t0)
    live.note(delivered(1e12), t0 + 1000)
    live.note(accepted, t0 + 2000)
    expect(live.samples({ since: t0 - 1, now: t0 + 3000 }).map(({ latencyMs }) => latencyMs?.p50)).toEqual([
      1,
      2 ** 30,
      undefined,
    ])
  })

  it('how long the queue was, where somebody looked', () => {
    const live = new LiveSamples()
    const depth = { ready: 1, deferred: 2, leased: 3, suspended: 4 }
    live.noteQueue(depth, t0)
    expect(live.samples({ since: t0 - 1, now: t0 + 2000 })).toEqual([
      { at: t0, ...nothing, queue: depth },
      { at: t0 + 1000, ...nothing },
    ])
  })
})

describe('the seconds', () => {
  it('are those that began after `since` and are over', () => {
    const live = new LiveSamples()
    for (let second = 0; second < 5; second++) live.note(accepted, t0 + second * 1000)
    const at = (since: number, now: number) => live.samples({ since, now }).map((sample) => sample.at - t0)
    expect(at(t0, t0 + 4999)).toEqual([1000, 2000, 3000])
    expect(at(t0 + 2999, t0 + 5000)).toEqual([3000, 4000])
    expect(at(t0 + 4000, t0 + 5000)).toEqual([])
  })

  it('without events count nothing, also where their place held others before', () => {
    const live = new LiveSamples()
    live.note(accepted, t0)
    const later = t0 + sampleSeconds * 1000
    const samples = live.samples({ since: 0, now: later + 1000 })
    expect(samples).toHaveLength(sampleSeconds - 1)
    expect(samples.at(-1)).toEqual({ at: later, ...nothing })
    expect(samples.every((sample) => sample.accepted === 0)).toBe(true)
  })

  it('are the last 900, whatever was asked for', () => {
    const live = new LiveSamples()
    for (let second = 0; second <= 2000; second++) live.note(accepted, t0 + second * 1000)
    const samples = live.samples({ since: 0, now: t0 + 2_001_000 })
    expect(samples[0]!.at).toBe(t0 + (2001 - sampleSeconds + 1) * 1000)
    expect(samples.every((sample) => sample.accepted === 1)).toBe(true)
  })

  it('lose nothing where the clock goes back a little, and begin anew where it was set back', () => {
    const live = new LiveSamples()
    live.note(accepted, t0 + 3000)
    live.note(accepted, t0 + 1000)
    expect(live.samples({ since: t0 + 2999, now: t0 + 4000 })).toMatchObject([{ accepted: 2 }])
    const before = t0 - 3_600_000
    live.note(accepted, before)
    const samples = live.samples({ since: before - 1, now: before + 1000 })
    expect(samples).toMatchObject([{ at: before, accepted: 1 }])
  })
})

it('adds up the queues of all connectors', () => {
  const one = { ready: 1, deferred: 0, leased: 2, suspended: 0 }
  const connectors = new Map([
    ['a', one],
    ['b', { ...one, deferred: 5 }],
  ])
  expect(depthOf({ connectors, items: 11, bytes: 0, corrupt: 0 })).toEqual({
    ...{ ready: 2, deferred: 5, leased: 4, suspended: 0 },
  })
})
