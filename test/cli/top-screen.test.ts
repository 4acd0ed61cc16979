import { describe, expect, it } from 'vitest'
import type { ConnectorView } from '../../src/admin/connectors/connector-view.ts'
import type { StatusView } from '../../src/admin/live/status-view.ts'
import type { LimitView } from '../../src/admin/queue/limit-view.ts'
import { screenOf, sparkline, type TopView } from '../../src/cli/top-screen.ts'

const now = Date.UTC(2026, 0, 5, 8)

const status: StatusView = {
  ...{ version: '1.2.3', hostname: 'relay.example.com', now, startedAt: now - 3_720_000 },
  ...{ store: 'embedded', node: 'relay.example.com-7', revision: 1, ready: { ok: true, faults: [] } },
  listeners: [{ name: 'exchange', address: '127.0.0.1', port: 25, tls: 'starttls', sessions: 3 }],
  queue: { items: 5, bytes: 2048, ready: 1, deferred: 2, leased: 1, suspended: 1 },
  limits: { maxItems: 1000, maxBytes: 1024 ** 3 },
  ...{ memoryBytes: 100 * 1024 ** 2, sandbox: false, tracking: true, unusable: [] },
  ...{ connectors: 2, senders: 0 },
}

const sample = (second: number, relayed: number, p95: number | null = null) => ({
  at: now + second * 1000,
  ...{ accepted: relayed * 2, relayed, deferred: 0, failed: 0, refused: 0, queue: null },
  latencyMs: p95 === null ? null : { p50: 1, p95, p99: 20_000 },
})

const connector = (fields: Partial<ConnectorView>): ConnectorView => ({
  ...{ connector: '29', name: 'Provider', state: 'ready', fault: null, lastError: null },
  ...{ nextAttemptAt: null, waitingUntil: null, waitingFor: null, connections: 0, attemptsInFlight: 0 },
  queue: { ready: 0, deferred: 0, leased: 0, suspended: 0 },
  rates: { incoming: 0, outgoing: 0 },
  ...{ origin: 'file', version: null, createdAt: null, changedAt: null, senders: 0, settings: null },
  ...fields,
})

const limit = (of: string, used: number): LimitView => ({
  ...{ kind: 'policy', limit: 'per-user', of, counts: 'messagesPerHour', windowMs: 3_600_000 },
  ...{ used, most: 10, left: 10 - used },
})

const view = (fields: Partial<TopView> = {}): TopView => ({
  status,
  samples: [sample(0, 0), sample(1, 10, 80), sample(2, 5)],
  connectors: [connector({})],
  limits: [],
  ...fields,
})

const linesOf = (top: TopView, size: { width?: number; height?: number } = {}) =>
  screenOf(top, { width: size.width, height: size.height })
const textOf = (top: TopView) =>
  linesOf(top)
    .map(({ text }) => text)
    .join('\n')

describe('the head', () => {
  it('tells who it is, what waits and what it takes', () => {
    const text = textOf(view())
    expect(text).toMatch(
      /^relay.example.com {2}relay.example.com-7 {2}embedded {2}version 1.2.3 {2}up 1h 2m /,
    )
    expect(text).toContain('5 of 1000 items, 2KB of 1GB   ready 1  deferred 2  leased 1  suspended 1')
    expect(text).toContain('memory 100MB   sessions 3   connectors 2')
  })

  it('tells what is wrong, on lines that strike', () => {
    const wrong = {
      ...status,
      queue: null,
      ready: { ok: false, faults: ['queue: Redis is \u001b[2Jaway'] },
      unusable: [{ kind: 'rule', id: 'Cards', why: 'it is none' }],
    }
    const lines = linesOf(view({ status: wrong }))
    expect(lines.filter(({ style }) => style === 'alert').map(({ text }) => text)).toEqual([
      '! queue: Redis is ?[2Jaway',
      '! the rule Cards cannot be used: it is none',
    ])
    expect(lines.map(({ text }) => text)).toContain('queue   unknown: the store cannot be read now')
  })
})

describe('the rates', () => {
  it('are those of the last second, their average and most, and the minute as bars', () => {
    expect(textOf(view())).toContain(
      ['relayed             5        5       10   █▄', 'deferred            0        0        0'].join('\n'),
    )
  })
  it('end with the latency of the newest second that has one', () => {
    expect(textOf(view())).toContain('p50 p95 p99 1ms / 80ms / 20s')
    expect(textOf(view({ samples: [] }))).toContain('p50 p95 p99 nothing was relayed')
  })
})

it.each([
  [[0, 1, 4, 8], ' ▁▄█'],
  [[0, 0], '  '],
  [[], ''],
  [[1000, 1], '█▁'],
])('draws %j as %j', (values, text) => {
  expect(sparkline(values)).toBe(text)
})

it('lists connectors that need somebody first, then those with most to do', () => {
  const lines = linesOf(
    view({
      connectors: [
        connector({ connector: 'idle' }),
        connector({ connector: 'busy', queue: { ready: 7, deferred: 2, leased: 0, suspended: 0 } }),
        connector({ connector: 'down', state: 'retry', lastError: 'no\r\nroute', nextAttemptAt: now }),
        connector({ connector: 'off', state: 'disabled', queue: null }),
      ],
    }),
  )
  const at = lines.findIndex(({ text }) => text.startsWith('CONNECTOR'))
  const rows = lines.slice(at + 1)
  expect(rows.map(({ text }) => text.split(' ')[0])).toEqual(['down', 'busy', 'idle', 'off'])
  expect(rows.map(({ style }) => style)).toEqual(['alert', 'plain', 'plain', 'plain'])
  expect(rows[0]!.text).toContain('no??route')
})

it('shows the fullest limits, and none of that where there are none', () => {
  const text = textOf(view({ limits: [limit('anna', 9), { ...limit('bo', 1), most: null, left: null }] }))
  expect(text).toMatch(/LIMIT +OF +COUNTS +USED +MOST +FULL\nper-user +anna +messagesPerHour +9 +10 +90%\n/)
  expect(text).toMatch(/per-user +bo +messagesPerHour +1 +- +-$/)
  expect(textOf(view())).not.toContain('LIMIT')
})

describe('a terminal', () => {
  const connectors = Array.from({ length: 50 }, (_, n) =>
    connector({ connector: `c${n}`, name: 'x'.repeat(200) }),
  )
  const limits = Array.from({ length: 50 }, (_, n) => limit(`user-${n}`, 9))

  it.each([
    [80, 24],
    [40, 10],
    [200, 100],
    [20, 3],
    [1, 1],
  ])('of %i by %i is never left', (width, height) => {
    const lines = linesOf(view({ connectors, limits }), { width, height })
    expect(lines.length).toBeLessThanOrEqual(height)
    for (const { text } of lines) expect([...text].length).toBeLessThanOrEqual(width)
  })

  it('keeps room for limits beside many connectors, and gives what is left of it back', () => {
    const starts = (top: TopView) =>
      linesOf(top, { width: 80, height: 30 }).map(({ text }) => text.split(' ')[0]!)
    const both = starts(view({ connectors, limits }))
    expect(both.filter((text) => /^c\d/.test(text)).length).toBeGreaterThan(4)
    expect(both.filter((text) => text === 'per-user').length).toBeGreaterThan(4)
    expect(starts(view({ limits })).filter((text) => text === 'per-user')).toHaveLength(10)
  })
})
