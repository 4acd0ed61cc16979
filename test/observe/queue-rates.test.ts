import { describe, expect, it } from 'vitest'
import type { MailEvent } from '../../src/observe/events.ts'
import { QueueRates } from '../../src/observe/queue-rates.ts'

const t0 = 1_800_000_000_000
const item = { itemId: 'm-1', messageId: 'm', connector: '29' }
const ok = { code: 250, enhanced: '2.0.0', text: 'Ok' } as const

const accepted = (...connectors: string[]): MailEvent => ({
  event: 'accepted',
  messageId: 'm',
  internetMessageId: null,
  from: 'a@example.com',
  recipients: connectors.map((connector, n) => ({ address: `b${n}@example.org`, connector })),
  forms: null,
  client: { address: null, listener: null, user: null },
  sizeBytes: 1,
  tls: null,
  durationMs: 1,
})

const delivered: MailEvent = {
  ...{ ...item, event: 'delivered', from: 'a@example.com', host: 'h', attempts: 1, sizeBytes: 1, delayMs: 1 },
  recipients: [{ address: 'b@example.org', reply: ok }],
}

const rerouted: MailEvent = { ...item, event: 'rerouted', reason: 'r', fromConnector: '30' }

/** The events, ten a second for five minutes. */
function steady(...events: MailEvent[]): { rates: QueueRates; now: number } {
  const rates = new QueueRates()
  let now = t0
  for (let n = 0; n < 3000; n++, now += 100) for (const event of events) rates.note(event, now)
  return { rates, now }
}

describe('the rates of a queue', () => {
  it('are what enters and leaves it in a second', () => {
    const { rates, now } = steady(accepted('29'), delivered)
    expect(rates.of('29', now).incoming).toBeCloseTo(10, 0)
    expect(rates.of('29', now).outgoing).toBeCloseTo(10, 0)
  })

  it('count a message once for each connector that it leaves by', () => {
    const { rates, now } = steady(accepted('29', '30', '29', '30'))
    expect(rates.of('29', now).incoming).toBeCloseTo(10, 0)
    expect(rates.of('30', now)).toEqual(rates.of('29', now))
  })

  it('count what is routed again where it was and where it is', () => {
    const { rates, now } = steady(rerouted)
    expect(rates.of('29', now)).toEqual({ incoming: expect.closeTo(10, 0), outgoing: 0 })
    expect(rates.of('30', now)).toEqual({ incoming: 0, outgoing: expect.closeTo(10, 0) })
  })

  it('fade when nothing happens any more', () => {
    const { rates, now } = steady(accepted('29'))
    expect(rates.of('29', now + 60_000).incoming).toBeCloseTo(10 / Math.E, 0)
    expect(rates.of('29', now + 3_600_000).incoming).toBe(0)
  })

  it('are nothing for a queue that nobody used, and do not grow when the clock goes back', () => {
    const { rates, now } = steady(accepted('29'))
    expect(rates.of('31', now)).toEqual({ incoming: 0, outgoing: 0 })
    expect(rates.of('29', now - 60_000).incoming).toBeLessThan(11)
  })

  it('are forgotten for connectors without traffic when there are very many', () => {
    const rates = new QueueRates()
    rates.note(accepted('old'), t0)
    for (let n = 0; n < 3000; n++) rates.note(accepted(`c${n}`), t0 + 86_400_000)
    expect(rates.of('old', t0).incoming).toBe(0)
    expect(rates.of('c2999', t0 + 86_400_000).incoming).toBeGreaterThan(0)
  })
})
