/**
 * Delivery on a real embedded queue, to smart hosts on loopback, with a clock that the test moves. Whatever a
 * test starts here ends with it. Waits of the program itself (polls, duties) are real time.
 */
import { pino } from 'pino'
import { afterEach } from 'vitest'
import type { Connector } from '../../src/config/connector.ts'
import { configSchema } from '../../src/config/schema.ts'
import { Delivery } from '../../src/delivery/delivery.ts'
import { DsnWriter } from '../../src/delivery/dsn-writer.ts'
import type { Placement } from '../../src/delivery/reroute.ts'
import type { Depth, Lease, LeasedItem, QueueItem } from '../../src/queue/queue.ts'
import { permanent } from '../../src/reply.ts'
import { FaultyQueue, type Limits } from './faulty-queue.ts'
import { type MessageFields, newMessage } from './queue-fixtures.ts'
import { RecordedEvents } from './recorded-events.ts'
import { connectorTo } from './scripted-host.ts'
import { TestClock } from './test-clock.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

export function endAfterwards(close: () => unknown): void {
  closing.push(close)
}

const settings = configSchema.shape.delivery.parse({})
export const nowhere: Placement = { kind: 'unreachable', reply: permanent('4.4', 'No connector takes it') }
export const to = (connector: string): Placement => ({ kind: 'connector', connector })

/** The connector `alpha`, which the fixtures' items have, to a host on 127.0.0.1. */
export function alpha(
  host: { port: number },
  change: Partial<Connector> & { connections?: number; messagesPerConnection?: number } = {},
): Connector {
  const { connections = 20, messagesPerConnection = 20, ...fields } = change
  const limits = { ...connectorTo(host).limits, connections, messagesPerConnection }
  return connectorTo(host, { id: 'alpha', smartHosts: ['127.0.0.1'], limits, ...fields })
}

export interface DeliverySetUp {
  readonly connectors: readonly Connector[]
  readonly unusable?: ReadonlySet<string>
  readonly delivery?: Partial<typeof settings>
  readonly leaseMs?: number
  /** Of the store. */
  readonly limits?: Limits
  /** Where DSNs and rerouted recipients go. Default: nowhere. */
  readonly place?: (recipient: string) => Placement
  /** What another node has configured becomes known here. */
  readonly catchUp?: () => Promise<void>
  /** The store of another one, as two nodes share it. */
  readonly beside?: RunningDelivery
}

export class RunningDelivery {
  readonly clock = new TestClock()
  readonly events = new RecordedEvents()
  readonly logged: string[] = []
  readonly log = pino({ level: 'info' }, { write: (line) => void this.logged.push(line) })
  readonly queue: FaultyQueue
  readonly delivery: Delivery
  readonly #leaseMs: number

  private constructor(queue: FaultyQueue, setUp: DeliverySetUp) {
    const { clock, log } = this
    const place = setUp.place ?? (() => nowhere)
    const delivery = { ...settings, ...setUp.delivery }
    const hostname = 'relay.example.com'
    this.queue = queue
    this.#leaseMs = setUp.leaseMs ?? 60_000
    this.delivery = new Delivery({
      queue,
      connectors: setUp.connectors,
      unusable: setUp.unusable ?? new Set(),
      delivery,
      leaseMs: this.#leaseMs,
      dsnWriter: new DsnWriter({ queue, clock, hostname, delivery, place, log }),
      place: (_item, recipient) => place(recipient),
      catchUp: setUp.catchUp ?? (async () => undefined),
      clock,
      log,
      record: this.events.record,
      random: () => 0,
    })
  }

  /** Not started yet: what is put before is the backlog it finds. */
  static async prepare(setUp: DeliverySetUp): Promise<RunningDelivery> {
    const { beside } = setUp
    const queue = beside?.queue ?? (await FaultyQueue.open(setUp.limits))
    const running = new RunningDelivery(queue, setUp)
    endAfterwards(async () => {
      queue.heal()
      await running.delivery.stop(0)
      if (beside === undefined) await queue.destroy()
    })
    return running
  }

  static async start(setUp: DeliverySetUp): Promise<RunningDelivery> {
    const running = await RunningDelivery.prepare(setUp)
    running.delivery.start()
    return running
  }

  /** Mail that waits in the store. */
  async store(fields: MessageFields = {}): Promise<readonly QueueItem[]> {
    const message = newMessage({ receivedAt: this.clock.now(), ...fields })
    await this.queue.put(message, { now: this.clock.now() })
    return message.items
  }

  /** Mail just accepted: leased by its put and handed over with its bytes, where delivery takes it so. */
  async accept(
    fields: MessageFields = {},
  ): Promise<{ item: QueueItem; direct: boolean; lease: Lease | undefined }> {
    const message = newMessage({ receivedAt: this.clock.now(), ...fields })
    const item = message.items[0]!
    const bytes = message.body.kind === 'inline' ? message.body.bytes : Buffer.alloc(0)
    const direct = this.delivery.reserve(item.connector, bytes.length)
    const itemIds = direct ? [item.id] : []
    const [lease] = await this.queue.put(message, {
      now: this.clock.now(),
      lease: { itemIds, leaseMs: this.#leaseMs },
    })
    if (lease !== undefined) {
      const leased: LeasedItem = { item, lease, body: bytes }
      this.delivery.deliver(leased, bytes.length)
    } else this.delivery.wake(item.connector)
    return { item, direct, lease }
  }

  async depth(connector = 'alpha'): Promise<Depth> {
    const { connectors } = await this.queue.totals({ now: this.clock.now() })
    return connectors.get(connector) ?? { ready: 0, deferred: 0, leased: 0, suspended: 0 }
  }

  async items(): Promise<QueueItem[]> {
    const page = await this.queue.list({}, { now: this.clock.now(), limit: 1000, after: null })
    return page.items.map(({ item }) => item)
  }

  reconfigure(connectors: readonly Connector[], unusable: readonly string[] = []): void {
    this.delivery.reconfigure({ connectors, unusable: new Set(unusable) })
  }

  state(connector = 'alpha'): string | undefined {
    return this.delivery.status().find((status) => status.connector === connector)?.state
  }
}
