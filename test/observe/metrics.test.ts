import { describe, expect, it } from 'vitest'
import type { ConnectorStatus } from '../../src/delivery/status.ts'
import { createMetrics, metricsTable } from '../../src/observe/metrics.ts'
import type { QueueTotals } from '../../src/queue/queue.ts'

const status: ConnectorStatus = {
  connector: '29',
  name: 'Newsletter provider',
  state: 'retry',
  fault: 'tls',
  lastError: 'certificate has expired',
  nextAttemptAt: 60_000,
  waitingUntil: null,
  waitingFor: null,
  connections: 2,
  attemptsInFlight: 1,
}
const totals: QueueTotals = {
  connectors: new Map([['unreachable', { ready: 0, deferred: 3, leased: 0, suspended: 0 }]]),
  items: 3,
  bytes: 0,
  corrupt: 2,
}

async function scrape(metrics: ReturnType<typeof createMetrics>) {
  return (await metrics.text()).split('\n')
}

describe('gauges are read at the scrape', () => {
  it('from the queue, for connectors without items too', async () => {
    const metrics = createMetrics()
    metrics.watch({ totals: async () => totals, connectors: () => [status] })
    const lines = await scrape(metrics)
    expect(lines).toContain('relay_queue_items{connector="unreachable",state="deferred"} 3')
    expect(lines).toContain('relay_queue_items{connector="29",state="ready"} 0')
    expect(lines).toContain('relay_queue_corrupt 2')
    expect(lines).toContain('relay_queue_available 1')
  })

  it('from connectors, listeners and the memory budget', async () => {
    const metrics = createMetrics()
    metrics.watch({ connectors: () => [status] })
    metrics.watch({ sessions: () => new Map([['exchange', 7]]), bodiesInMemoryBytes: () => 4096 })
    const lines = await scrape(metrics)
    expect(lines).toContain('relay_connections{connector="29"} 2')
    expect(lines).toContain('relay_connector_state{connector="29",state="retry"} 1')
    expect(lines).toContain('relay_connector_state{connector="29",state="ready"} 0')
    expect(lines).toContain('relay_connector_rate_waiting{connector="29"} 0')
    expect(lines).toContain('relay_sessions{listener="exchange"} 7')
    expect(lines).toContain('relay_bodies_in_memory_bytes 4096')
  })

  it('from a connector that waits for a rate limit', async () => {
    const metrics = createMetrics()
    metrics.watch({ connectors: () => [{ ...status, waitingUntil: 60_000, waitingFor: 'messagesPerDay' }] })
    expect(await scrape(metrics)).toContain('relay_connector_rate_waiting{connector="29"} 1')
  })

  it('and forget a connector that is gone', async () => {
    const metrics = createMetrics()
    metrics.watch({ totals: async () => totals, connectors: () => [status] })
    await metrics.text()
    metrics.watch({ connectors: () => [] })
    expect(await metrics.text()).not.toContain('connector="29"')
  })
})

it('goes on without the numbers of a store that is away', async () => {
  const metrics = createMetrics()
  metrics.watch({ totals: async () => totals, connectors: () => [status] })
  await metrics.text()
  metrics.watch({ totals: () => Promise.reject(new Error('Redis is away')) })
  const lines = await scrape(metrics)
  expect(lines).toContain('relay_queue_available 0')
  expect(lines).toContain('relay_connections{connector="29"} 2')
  expect(lines.filter((line) => /^relay_queue_(items|corrupt)/.test(line))).toEqual([])
})

it('shares nothing between two relays in one process', async () => {
  const [one, other] = [createMetrics(), createMetrics()]
  one.count({ event: 'lease-lost', itemId: 'x', messageId: 'x', connector: '29' })
  expect(await one.text()).toContain('relay_leases_lost_total{connector="29"} 1')
  expect(await other.text()).not.toContain('relay_leases_lost_total{connector="29"} 1')
})

it('measures the process itself', async () => {
  const lines = await scrape(createMetrics())
  for (const name of [
    'process_resident_memory_bytes',
    'process_open_fds',
    'nodejs_eventloop_lag_p99_seconds',
  ])
    expect(lines.some((line) => line.startsWith(`${name} `))).toBe(true)
})

it('prints a table that names every metric of the relay', async () => {
  const names = [...(await createMetrics().text()).matchAll(/^# TYPE (relay_\S+) (\S+)$/gm)]
  expect(names.length).toBeGreaterThan(20)
  for (const [, name, type] of names) expect(metricsTable()).toContain(`| \`${name}\` | ${type} |`)
})
