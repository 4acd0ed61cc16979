/** What is used of limits, over HTTP and a real store. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { queueEndpoints } from '../../../src/admin/queue/queue-endpoints.ts'
import { limitSchema } from '../../../src/config/policy-schema.ts'
import { connectorSchema } from '../../../src/config/schema.ts'
import type { QueueActs } from '../../../src/delivery/queue-acts.ts'
import { rateWindows } from '../../../src/delivery/rate.ts'
import { type AdminPort, startAdminPort } from '../../support/admin-port.ts'
import { FaultyQueue } from '../../support/faulty-queue.ts'
import { runSetup } from '../../support/running-setup.ts'

let port: AdminPort
let queue: FaultyQueue

const connector = connectorSchema.parse({
  id: 2,
  name: 'Provider',
  smartHosts: ['192.0.2.1'],
  limits: { messagesPerDay: 4, recipientsPerDay: 100 },
})

beforeEach(async () => {
  queue = await FaultyQueue.open()
  const running = await runSetup()
  const { clock } = running
  const limits = [limitSchema.parse({ name: 'per-user', per: 'user', messagesPerHour: 10 })]
  const endpoints = queueEndpoints({
    ...{ queue, limits, clock },
    acts: {} as QueueActs,
    connectors: () => [],
    configured: () => [connector],
  })
  port = await startAdminPort({ running, endpoints })
})
afterEach(async () => {
  await port.stop()
  await queue.destroy()
})

it('says what is used of each limit, and of the rate limits of connectors', async () => {
  const now = port.clock.now()
  const windows = [{ limit: 'messagesPerHour', windowMs: 3_600_000, most: 10, amount: 4 }]
  await queue.spend({ key: 'limit:per-user:anna', windows, now })
  await queue.spend({ key: '2', windows: rateWindows(connector.limits, { recipients: 7 }), now })
  await queue.spend({ key: '29', windows, now })
  const { limits } = (await port.ask('/limits')).json
  expect(
    limits.map((each: Record<string, unknown>) => [each.kind, each.of, each.counts, each.used, each.left]),
  ).toEqual([
    ['policy', 'anna', 'messagesPerHour', 4, 6],
    ['connector', '2', 'messagesPerDay', 1, 3],
    ['connector', '2', 'recipientsPerDay', 7, 93],
  ])
})

it('knows what connectors use also where more is counted than is shown', async () => {
  const now = port.clock.now()
  const windows = [{ limit: 'messagesPerHour', windowMs: 3_600_000, most: 1, amount: 1 }]
  for (let n = 0; n < 1000; n++) await queue.spend({ key: `limit:per-user:u${n}`, windows, now })
  await queue.spend({ key: '2', windows: rateWindows(connector.limits, { recipients: 50 }), now })
  const { limits } = (await port.ask('/limits')).json
  expect(limits).toHaveLength(1000)
  expect(limits.slice(0, 2)).toMatchObject([
    { kind: 'connector', counts: 'recipientsPerDay', left: 50 },
    { kind: 'connector', counts: 'messagesPerDay', left: 3 },
  ])
})

it('answers 503 where the store cannot be read', async () => {
  queue.fail('counted', new Error('connection lost'))
  expect(await port.ask('/limits')).toMatchObject({
    code: 503,
    json: { detail: 'The limits cannot be read: connection lost' },
  })
})
