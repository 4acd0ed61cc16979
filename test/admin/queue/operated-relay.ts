/**
 * The admin port as a relay has it, over a real embedded queue, without listeners and delivery: what operators do is
 * seen in the queue, in the events, and in what delivery was told.
 */
import { queueEndpoints } from '../../../src/admin/queue/queue-endpoints.ts'
import { configSchema } from '../../../src/config/schema.ts'
import { DsnWriter, type DsnWriterOptions } from '../../../src/delivery/dsn-writer.ts'
import { QueueActs } from '../../../src/delivery/queue-acts.ts'
import { createLog } from '../../../src/observe/log.ts'
import type { LeasedItem, ListedItem, QueueItem } from '../../../src/queue/queue.ts'
import { type AdminPort, localToken, startAdminPort } from '../../support/admin-port.ts'
import { FaultyQueue } from '../../support/faulty-queue.ts'
import { type MessageFields, newMessage } from '../../support/queue-fixtures.ts'
import { RecordedEvents } from '../../support/recorded-events.ts'
import { runSetup } from '../../support/running-setup.ts'
import type { TestClock } from '../../support/test-clock.ts'
import { connectorStatus } from './queue-items.ts'

export const token = localToken

export interface OperatedRelay {
  readonly clock: TestClock
  readonly events: RecordedEvents
  /** Connectors whose queue delivery was to look at; `at once`: whatever had become of their hosts. */
  readonly woken: string[]
  readonly queue: FaultyQueue
  readonly port: AdminPort
  readonly url: string
  /** Its log, so far. */
  logged(): string
  /** Mail that waits in the store. */
  store(fields?: MessageFields): Promise<readonly QueueItem[]>
  get(id: string): Promise<ListedItem | null>
  items(): Promise<readonly ListedItem[]>
  /** As an attempt that is under way. */
  lease(connector: string): Promise<readonly LeasedItem[]>
  stop(): Promise<void>
}

/** The enabled connectors are `alpha` and `beta`; DSNs leave by `dsn`. */
export async function startOperatedRelay(
  place: DsnWriterOptions['place'] = () => ({ kind: 'connector', connector: 'dsn' }),
): Promise<OperatedRelay> {
  const running = await runSetup()
  const { clock } = running
  const events = new RecordedEvents()
  const woken: string[] = []
  const log = createLog({ level: 'info', destination: { write: () => {} } })
  const queue = await FaultyQueue.open()
  const hostname = 'relay.example.com'
  const delivery = configSchema.shape.delivery.parse({})
  const acts = new QueueActs({
    queue,
    dsnWriter: new DsnWriter({ queue, clock, hostname, delivery, place, log }),
    record: events.record,
    clock,
    delivery: {
      wake: (connector) => void woken.push(connector),
      retry: (connector) => void woken.push(`${connector} at once`),
    },
  })
  const connectors = () => ['alpha', 'beta'].map((connector) => connectorStatus({ connector }))
  const port = await startAdminPort({
    ...{ running, queue, connectors },
    endpoints: queueEndpoints({ queue, acts, connectors, limits: [], configured: () => [], clock }),
  })
  return {
    ...{ clock, events, woken, queue, port, url: port.url },
    logged: () => port.logged(),
    async store(fields = {}) {
      const message = newMessage({ receivedAt: clock.now(), ...fields })
      await queue.put(message, { now: clock.now() })
      // Acts concern what was there before them.
      clock.advance(1)
      return message.items
    },
    get: (id) => queue.get(id, { now: clock.now() }),
    async items() {
      return (await queue.list({}, { now: clock.now(), limit: 1000, after: null })).items
    },
    async lease(connector) {
      const connectors = [{ connector, limit: 100 }]
      return (await queue.claim({ now: clock.now(), leaseMs: 60_000, connectors })).leased
    },
    async stop() {
      queue.heal()
      await port.stop()
      await queue.destroy()
    },
  }
}
