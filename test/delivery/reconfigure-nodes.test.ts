/**
 * Two deliveries on one real Redis, each of which learns what is configured at its own moment, up to a second after it
 * was. Mail is routed by what its node knows, and must leave by what is configured.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Connector } from '../../src/config/connector.ts'
import { configSchema } from '../../src/config/schema.ts'
import { Delivery } from '../../src/delivery/delivery.ts'
import { DsnWriter } from '../../src/delivery/dsn-writer.ts'
import { newMessageId } from '../../src/message-id.ts'
import type { Queue } from '../../src/queue/queue.ts'
import { handOver } from '../../src/smtp/hand-over.ts'
import { Prng } from '../support/prng.ts'
import { newItem } from '../support/queue-fixtures.ts'
import type { RawServer } from '../support/raw-server.ts'
import { RecordedEvents } from '../support/recorded-events.ts'
import { redisAvailable, startRedis } from '../support/redis.ts'
import { openQueue } from '../support/redis-queue.ts'
import { alpha, endAfterwards, nowhere, to } from '../support/running-delivery.ts'
import { inClear } from '../support/scripted-host.ts'

const settings = configSchema.shape.delivery.parse({})
const leaseMs = 30_000

/** Each takes the mail of every domain; the first is chosen. */
type Configured = readonly Connector[]

class Node {
  readonly queue: Queue
  readonly delivery: Delivery
  readonly events: RecordedEvents
  readonly #configured: () => Configured
  #known: Configured

  private constructor(queue: Queue, options: { configured: () => Configured; events: RecordedEvents }) {
    const { configured, events } = options
    const log = pino({ level: 'silent' })
    const place = () => (this.#known[0] === undefined ? nowhere : to(this.#known[0].id))
    const common = { queue, place, log, clock: systemClock, delivery: settings }
    this.queue = queue
    this.events = events
    this.#configured = configured
    this.#known = configured()
    this.delivery = new Delivery({
      ...common,
      connectors: this.#known,
      unusable: new Set(),
      leaseMs,
      dsnWriter: new DsnWriter({ ...common, hostname: 'relay.example.com' }),
      catchUp: async () => this.learn(),
      record: events.record,
      random: Math.random,
    })
    this.delivery.start()
  }

  static async start(
    redis: { url: string },
    options: { configured: () => Configured; events: RecordedEvents },
  ): Promise<Node> {
    const queue = await openQueue({ url: redis.url })
    const node = new Node(queue, options)
    endAfterwards(async () => {
      await node.delivery.stop(0)
      await queue.close({ deadlineMs: 1000 })
    })
    return node
  }

  learn(): void {
    if (this.#known === this.#configured()) return
    this.#known = this.#configured()
    this.delivery.reconfigure({ connectors: this.#known, unusable: new Set() })
  }

  /** By what this node knows, as reception does; with the connector's id as subject. */
  async accept(): Promise<void> {
    const connector = this.#known[0]?.id ?? 'unreachable'
    const now = systemClock.now()
    const id = newMessageId(now)
    const nextAttemptAt = connector === 'unreachable' ? now + 3_600_000 : now
    const bytes = Buffer.from(`Subject: ${connector} ${id}\r\n\r\nHello\r\n`)
    const message = newItem({ connector, nextAttemptAt }, { id, receivedAt: now, body: bytes })
    await handOver([message], { queue: this.queue, deliver: this.delivery, leaseMs, clock: systemClock })
  }
}

const subjects = (hosts: readonly RawServer[]): string[] =>
  hosts.flatMap(({ messages }) => messages).map(({ data }) => /^Subject: (.*)\r$/m.exec(data.toString())![1]!)

interface Trial {
  readonly configured: (step: number) => Configured
  readonly steps: number
  readonly everyMs: number
}

/** Changes what is configured step by step while both nodes take mail; resolves when all of it has left. */
async function run({ configured, steps, everyMs }: Trial, hosts: readonly RawServer[]) {
  const redis = await startRedis()
  endAfterwards(() => redis.destroy())
  const prng = new Prng(7)
  const events = new RecordedEvents()
  let now = configured(0)
  const nodes = [
    await Node.start(redis, { configured: () => now, events }),
    await Node.start(redis, { configured: () => now, events }),
  ]
  let ended = false
  let accepted = 0
  const submitting = nodes.map(async (node) => {
    while (!ended) {
      await node.accept()
      accepted++
      // An operator acts, here or there, on mail of a connector that this node may not know yet.
      if (accepted % 5 === 0) node.delivery.wake(now[0]?.id ?? 'unreachable')
      await pause(4)
    }
  })
  const learning = nodes.map(async (node) => {
    while (!ended) {
      await pause(prng.integer(0, 1000))
      node.learn()
    }
  })
  for (let step = 1; step < steps; step++) {
    now = configured(step)
    // Whoever made the change knows it.
    nodes[step % 2]!.learn()
    await pause(everyMs)
  }
  ended = true
  await Promise.all([...submitting, ...learning])
  for (const node of nodes) node.learn()
  await expect.poll(() => subjects(hosts).length, { timeout: 20_000 }).toBeGreaterThanOrEqual(accepted)
  await events.until('delivered', accepted)
  const totals = await nodes[0]!.queue.totals({ now: systemClock.now() })
  return { accepted, events, left: totals.items }
}

describe.skipIf(!redisAvailable)('two nodes on one Redis', { timeout: 60_000 }, () => {
  it('each takes the mail of a connector only once it knows it: none is routed elsewhere', async () => {
    // Slow enough that mail waits in the store, where the other node finds it.
    const slow = { '.': async () => pause(10).then(() => '250 2.0.0 Queued\r\n') }
    const hosts = await Promise.all(Array.from({ length: 8 }, () => inClear(slow)))
    const connectors = hosts.map((host, n) => alpha(host, { id: `c${n}`, connections: 1 }))
    const trial: Trial = {
      // New ones come, are chosen at once, and stay.
      configured: (step) => connectors.slice(0, step + 1).reverse(),
      steps: hosts.length,
      everyMs: 500,
    }
    const { accepted, events, left } = await run(trial, hosts)
    expect(events.of('rerouted')).toEqual([])
    for (const [n, host] of hosts.entries())
      for (const subject of subjects([host])) expect(subject.split(' ')[0]).toBe(`c${n}`)
    expect(new Set(subjects(hosts)).size).toBe(accepted)
    expect(subjects(hosts)).toHaveLength(accepted)
    expect(left).toBe(0)
  })

  it('nothing is lost and nothing sent twice while connectors are made, changed and removed', async () => {
    const hosts = [await inClear(), await inClear(), await inClear()]
    const prng = new Prng(11)
    const made = (step: number, id: string) => alpha(prng.pick(hosts), { id, connections: 1 + (step % 4) })
    const trial: Trial = {
      configured: (step) => {
        if (step === 39) return [made(step, 'a')]
        return ['a', 'b', 'c'].filter(() => prng.chance(0.5)).map((id) => made(step, id))
      },
      steps: 40,
      everyMs: 150,
    }
    const { accepted, left } = await run(trial, hosts)
    expect(new Set(subjects(hosts)).size).toBe(accepted)
    expect(subjects(hosts)).toHaveLength(accepted)
    expect(left).toBe(0)
  })
})
