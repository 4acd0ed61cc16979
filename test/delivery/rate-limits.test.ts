/** A connector with rate limits: what has no room waits, untouched, and leaves when there is room. */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Connector } from '../../src/config/connector.ts'
import { QueueUnavailable } from '../../src/queue/queue.ts'
import { recipient, t0 } from '../support/queue-fixtures.ts'
import type { RawServer } from '../support/raw-server.ts'
import { alpha, RunningDelivery } from '../support/running-delivery.ts'
import { inClear } from '../support/scripted-host.ts'

const day = 86_400_000
/** After so much of a minute, or a second, what was sent at its beginning counts no more. */
const aMinute = 61_200
const aSecond = 1020

type Limits = Connector['limits']

function limited(host: RawServer, limits: Partial<Limits>): Connector {
  return alpha(host, { limits: { ...alpha(host).limits, ...limits } })
}

const status = (running: RunningDelivery) => running.delivery.status()[0]!
const to = (count: number) => Array.from({ length: count }, (_, n) => recipient(`recipient-${n}@example.org`))
const sizes = (host: RawServer): number[] => host.messages.map(({ envelope }) => envelope.length - 1)

describe('a limit that is reached for long', () => {
  it('leaves the mail in the store: no attempt, no change, no claim, and none is taken directly', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [limited(host, { messagesPerMinute: 2 })] })
    for (let n = 0; n < 5; n++) await running.accept()
    await running.events.until('delivered', 2)
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    expect(status(running)).toMatchObject({
      state: 'ready',
      lastError: null,
      nextAttemptAt: null,
      waitingUntil: t0 + aMinute,
      waitingFor: 'messagesPerMinute',
    })
    expect(await running.depth()).toEqual({ ready: 3, deferred: 0, leased: 0, suspended: 0 })
    for (const item of await running.items())
      expect(item).toMatchObject({ attempts: 0, nextAttemptAt: t0, lastError: null })
    expect((await running.accept()).direct).toBe(false)
    const claims = running.queue.calls('claim')
    await pause(1200)
    expect(running.queue.calls('claim')).toBe(claims)
    expect(host.messages).toHaveLength(2)
  })

  it('lets mail go on when there is room, on the connection that is still there', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({
      connectors: [limited(host, { messagesPerMinute: 2, connections: 1 })],
    })
    for (let n = 0; n < 5; n++) await running.accept()
    await running.events.until('delivered', 2)
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    running.clock.advance(aMinute - 1)
    await running.queue.called('overdue', running.queue.calls('overdue') + 1)
    expect(host.messages).toHaveLength(2)
    running.clock.advance(1)
    const delivered = await running.events.until('delivered', 4)
    expect(new Set(delivered.map(({ attempts }) => attempts))).toEqual(new Set([1]))
    await expect.poll(() => status(running).waitingUntil).toBe(t0 + 2 * aMinute)
    running.clock.advance(aMinute)
    await running.events.until('delivered', 5)
    await expect.poll(() => status(running).waitingUntil).toBeNull()
    expect(host.sessions).toHaveLength(1)
  }, 15_000)

  it('is told once in the log', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [limited(host, { messagesPerHour: 3 })] })
    for (let n = 0; n < 12; n++) await running.accept()
    await running.events.until('delivered', 3)
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    const lines = running.logged.filter((line) => line.includes('waits for a rate limit'))
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { connector: 'alpha', limit: 'messagesPerHour', until: new Date(t0 + 3_672_000).toISOString() },
    ])
  })

  it('is the reason that the sender of expired mail is given', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [limited(host, { messagesPerMinute: 1 })] })
    await running.accept()
    await running.events.until('delivered')
    await running.accept({ items: [{ expiresAt: t0 + 30_000, delayNoticeAt: null }] })
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    running.clock.advance(30_000)
    const [expired] = await running.events.until('expired')
    expect(expired!.recipients[0]!.reply.text).toBe(
      "Message expired; The connector's limit messagesPerMinute is reached",
    )
  }, 15_000)
})

describe('a limit that is reached for a moment', () => {
  it('keeps the mail at hand', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [limited(host, { messagesPerSecond: 1 })] })
    // All before the first has left: what comes while the connector waits stays in the store.
    await Promise.all([running.accept(), running.accept(), running.accept()])
    await running.events.until('delivered', 1)
    await expect.poll(() => status(running).waitingUntil).toBe(t0 + aSecond)
    expect(status(running).waitingFor).toBe('messagesPerSecond')
    expect(await running.depth()).toEqual({ ready: 0, deferred: 0, leased: 2, suspended: 0 })
    for (let delivered = 2; delivered <= 3; delivered++) {
      running.clock.advance(aSecond)
      await running.events.until('delivered', delivered)
    }
    expect(running.queue.calls('settle')).toBe(3)
  })

  it('gives it back at a stop', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [limited(host, { messagesPerSecond: 1 })] })
    for (let n = 0; n < 3; n++) await running.accept()
    await running.events.until('delivered', 1)
    await expect.poll(() => status(running).waitingFor).toBe('messagesPerSecond')
    await running.delivery.stop(1000)
    expect(await running.depth()).toEqual({ ready: 2, deferred: 0, leased: 0, suspended: 0 })
    expect(host.messages).toHaveLength(1)
  })

  it('by the second is a pace: a tenth of it in a tenth of a second', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [limited(host, { messagesPerSecond: 30 })] })
    for (let n = 0; n < 12; n++) await running.accept()
    for (let delivered = 3; delivered <= 12; delivered += 3) {
      await running.events.until('delivered', delivered)
      await expect.poll(() => status(running).attemptsInFlight).toBe(0)
      expect(host.messages).toHaveLength(delivered)
      running.clock.advance(aSecond / 10)
    }
  })
})

it('sends no more than the limit however many connections ask at once', async () => {
  const host = await inClear()
  const running = await RunningDelivery.prepare({
    connectors: [limited(host, { messagesPerMinute: 7, messagesPerDay: 10 })],
  })
  for (let n = 0; n < 40; n++) await running.store()
  running.delivery.start()
  await running.events.until('delivered', 7)
  await expect.poll(() => running.delivery.heldBytes).toBe(0)
  expect(host.messages).toHaveLength(7)
  running.clock.advance(aMinute)
  await running.events.until('delivered', 10)
  await expect.poll(() => status(running).waitingFor).toBe('messagesPerDay')
  await expect.poll(() => running.delivery.heldBytes).toBe(0)
  expect(host.messages).toHaveLength(10)
})

describe('recipients', () => {
  it('count one by one, those that are still pending', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({
      connectors: [limited(host, { recipientsPerDay: 5, connections: 1 })],
    })
    const half = to(4).map((one, n) => ({ ...one, state: n < 2 ? ('delivered' as const) : one.state }))
    await running.accept({ items: [{ recipients: half }] })
    await running.accept({ items: [{ recipients: to(3) }] })
    await running.accept({ items: [{ recipients: to(1) }] })
    await running.events.until('delivered', 2)
    await expect.poll(() => status(running).waitingFor).toBe('recipientsPerDay')
    expect(sizes(host)).toEqual([2, 3])
  })

  it('of a message with more than a day has are sent when the day is fresh, and no smaller one overtakes', async () => {
    const host = await inClear()
    const running = await RunningDelivery.prepare({
      connectors: [limited(host, { recipientsPerDay: 3, connections: 1 })],
    })
    for (const [n, count] of [1, 5, 1].entries())
      await running.store({ receivedAt: t0 + n, items: [{ recipients: to(count) }] })
    running.clock.advance(10)
    running.delivery.start()
    await running.events.until('delivered', 1)
    await expect.poll(() => status(running).waitingFor).toBe('recipientsPerDay')
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    expect(sizes(host)).toEqual([1])
    running.clock.advance(1.02 * day)
    await running.events.until('delivered', 2)
    expect(sizes(host)).toEqual([1, 5])
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    running.clock.advance(1.02 * day)
    await running.events.until('delivered', 3)
  })
})

describe('while the store does not answer', () => {
  it('nothing is sent, as nobody knows what was; and then it is', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [limited(host, { messagesPerHour: 9 })] })
    running.queue.fail('spend', new QueueUnavailable('Redis is away'))
    await running.accept()
    await running.queue.called('spend', 1)
    await expect.poll(() => status(running).waitingUntil).toBe(t0 + 1000)
    expect(status(running).waitingFor).toBeNull()
    running.clock.advance(1000)
    await expect.poll(() => status(running).waitingUntil, { timeout: 5000 }).toBe(t0 + 2000)
    expect(host.messages).toEqual([])
    running.queue.heal()
    running.clock.advance(1000)
    expect(await running.events.until('delivered')).toMatchObject([{ attempts: 1 }])
    const told = running.logged.filter((line) => line.includes('keep to rate limits'))
    expect(told).toHaveLength(2)
  })

  it('a stop waits no longer than it may, and nothing is lost', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [limited(host, { messagesPerHour: 1 })] })
    await running.accept()
    await running.events.until('delivered')
    running.queue.stall('spend')
    running.clock.advance(2 * 3_600_000)
    await running.accept()
    await running.accept()
    await running.queue.called('spend', 3)
    const stopped = running.delivery.stop(60_000)
    running.queue.heal()
    await stopped
    expect(host.messages).toHaveLength(2)
    expect(await running.depth()).toEqual({ ready: 1, deferred: 0, leased: 0, suspended: 0 })
  })
})

it('asks nothing for a connector without rate limits', async () => {
  const host = await inClear()
  const running = await RunningDelivery.start({ connectors: [alpha(host)] })
  for (let n = 0; n < 10; n++) await running.accept()
  await running.events.until('delivered', 10)
  expect(running.queue.calls('spend')).toBe(0)
})

it('does not send what somebody else has by the time it is granted', async () => {
  const host = await inClear()
  const running = await RunningDelivery.start({
    connectors: [limited(host, { messagesPerHour: 9 })],
    leaseMs: 3000,
  })
  running.queue.stall('spend')
  await running.accept()
  await running.queue.called('spend', 1)
  running.clock.advance(3000)
  const claim = await running.queue.elsewhere.claim({
    now: running.clock.now(),
    leaseMs: 60_000,
    connectors: [{ connector: 'alpha', limit: 1 }],
  })
  expect(claim.leased).toHaveLength(1)
  running.queue.heal()
  await expect.poll(() => running.delivery.heldBytes).toBe(0)
  expect(host.messages).toEqual([])
})
