/**
 * What `relay top` shows: one screen of text from what the relay answered. Pure. Text of others (replies of smart
 * hosts, names) is made printable: it must not move the terminal's cursor.
 */
import type { ConnectorView } from '../admin/connectors/connector-view.ts'
import type { LiveView, StatusView } from '../admin/live/status-view.ts'
import type { LimitView } from '../admin/queue/limit-view.ts'
import { printable } from '../reply.ts'
import { formatAge, formatBytes, formatInstant } from './for-people.ts'
import { type Column, formatTable } from './table.ts'

export interface TopView {
  readonly status: StatusView
  /** The last minute, the oldest first. */
  readonly samples: LiveView['samples']
  readonly connectors: readonly ConnectorView[]
  readonly limits: readonly LimitView[]
}

export interface ScreenSize {
  /** Undefined: lines are as long as they are. */
  readonly width: number | undefined
  /** Undefined: all is shown. */
  readonly height: number | undefined
}

export interface ScreenLine {
  readonly text: string
  readonly style: 'plain' | 'title' | 'alert'
}

/** A minute of samples. */
export const shownSeconds = 60
/** Room for the limits, where connectors would take all. */
const limitLines = 5

export function screenOf(view: TopView, { width, height }: ScreenSize): ScreenLine[] {
  const above = [...headLines(view.status), blank, ...rateLines(view.samples, width), blank]
  const limits = view.limits.length === 0 ? [] : [blank, ...limitTable(view.limits, width)]
  const connectors = connectorTable(view.connectors, width)
  if (height === undefined) return [...above, ...connectors, ...limits].map((line) => cut(line, width))
  const room = Math.max(0, height - above.length)
  const forLimits = Math.min(limits.length, Math.max(limitLines + 2, room - connectors.length))
  const shown = connectors.slice(0, Math.max(2, room - forLimits))
  const lines = [...above, ...shown, ...limits].slice(0, height)
  return lines.map((line) => cut(line, width))
}

const plain = (text: string): ScreenLine => ({ text, style: 'plain' })
const blank = plain('')

function headLines(status: StatusView): ScreenLine[] {
  const { hostname, node, store, version, now, startedAt, ready, listeners, unusable } = status
  const sessions = listeners.reduce((sum, listener) => sum + (listener.sessions ?? 0), 0)
  const faults = [
    ...ready.faults,
    ...unusable.map(({ kind, id, why }) => `the ${kind} ${id} cannot be used: ${why}`),
  ]
  const who = `${hostname}  ${node}  ${store}  version ${version}`
  return [
    { text: `${who}  up ${formatAge(now - startedAt)}  ${formatInstant(now)}`, style: 'title' },
    plain(queueText(status)),
    plain(
      `memory ${formatBytes(status.memoryBytes)}   sessions ${sessions}   connectors ${status.connectors}`,
    ),
    ...faults.map((fault): ScreenLine => ({ text: `! ${printable(fault)}`, style: 'alert' })),
  ]
}

function queueText({ queue, limits }: StatusView): string {
  if (queue === null) return 'queue   unknown: the store cannot be read now'
  const { items, bytes, ready, deferred, leased, suspended } = queue
  const full = `${items} of ${limits.maxItems} items, ${formatBytes(bytes)} of ${formatBytes(limits.maxBytes)}`
  return `queue   ${full}   ready ${ready}  deferred ${deferred}  leased ${leased}  suspended ${suspended}`
}

const rates = ['accepted', 'relayed', 'deferred', 'failed', 'refused'] as const

/** What happened in the last whole second, what in the minute before, and the minute as bars. */
function rateLines(samples: TopView['samples'], width: number | undefined): ScreenLine[] {
  const bars = Math.max(0, Math.min(shownSeconds, (width ?? 100) - barsAt))
  const title = `${'PER SECOND'.padEnd(12)}${['NOW', 'AVERAGE', 'MOST'].map((name) => name.padStart(9)).join('')}  THE LAST MINUTE`
  const counts = rates.map((rate) =>
    rateLine(
      rate,
      samples.map((sample) => sample[rate]),
      bars,
    ),
  )
  const latencies = samples.map(({ latencyMs }) => latencyMs?.p95 ?? 0)
  return [
    { text: title, style: 'title' },
    ...counts.map(plain),
    plain(`${latencyText(samples).padEnd(barsAt)}${sparkline(latencies.slice(-bars))}`),
  ]
}

const barsAt = 12 + 3 * 9 + 2

function rateLine(name: string, values: readonly number[], bars: number): string {
  const average = values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
  const figures = [values.at(-1) ?? 0, Number(average.toFixed(1)), Math.max(0, ...values)]
  const text = `${name.padEnd(12)}${figures.map((figure) => String(figure).padStart(9)).join('')}`
  return `${text}  ${sparkline(values.slice(-bars))}`
}

/** Of the newest second in which something was relayed. */
function latencyText(samples: TopView['samples']): string {
  const latest = samples.findLast(({ latencyMs }) => latencyMs !== null)?.latencyMs
  if (!latest) return 'p50 p95 p99 nothing was relayed'
  const { p50, p95, p99 } = latest
  return `p50 p95 p99 ${[p50, p95, p99].map(durationText).join(' / ')}`
}

const durationText = (ms: number): string => (ms < 10_000 ? `${ms}ms` : formatAge(ms))

const bars = '▁▂▃▄▅▆▇█'

/** Each value as a part of the largest; nothing where it is 0. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(0, ...values)
  return values
    .map((value) => (value === 0 ? ' ' : bars[Math.ceil((value / most) * bars.length) - 1]))
    .join('')
}

const connectorColumns: readonly Column<ConnectorView>[] = [
  { title: 'connector', value: ({ connector }) => connector },
  { title: 'name', value: ({ name }) => name ?? '-' },
  { title: 'state', value: ({ state }) => state },
  { title: 'connections', value: ({ connections }) => connections },
  { title: 'ready', value: ({ queue }) => queue?.ready ?? '?' },
  { title: 'deferred', value: ({ queue }) => queue?.deferred ?? '?' },
  {
    title: 'next attempt',
    value: ({ nextAttemptAt, waitingUntil }) => formatInstant(nextAttemptAt ?? waitingUntil) ?? '-',
  },
  { title: 'last error', value: ({ lastError, waitingFor }) => lastError ?? waitingFor ?? '-' },
]

/** Those that need somebody first, then those with most to do. */
function connectorTable(connectors: readonly ConnectorView[], width: number | undefined): ScreenLine[] {
  const isWell = ({ state }: ConnectorView) => state === 'ready' || state === 'disabled'
  const waiting = ({ queue }: ConnectorView) => (queue === null ? 0 : queue.ready + queue.deferred)
  const sorted = connectors.toSorted(
    (a, b) => Number(isWell(a)) - Number(isWell(b)) || waiting(b) - waiting(a),
  )
  const lines = tableLines(formatTable(connectorColumns, sorted, { width }))
  return lines.map((line, n) => (n > 0 && !isWell(sorted[n - 1]!) ? { ...line, style: 'alert' } : line))
}

const limitColumns: readonly Column<LimitView>[] = [
  { title: 'limit', value: ({ kind, limit }) => `${kind === 'connector' ? 'connector ' : ''}${limit}` },
  { title: 'of', value: ({ of }) => of },
  { title: 'counts', value: ({ counts }) => counts },
  { title: 'used', value: ({ used }) => used },
  { title: 'most', value: ({ most }) => most ?? '-' },
  { title: 'full', value: ({ used, most }) => (most === null ? '-' : `${Math.round((100 * used) / most)}%`) },
]

const limitTable = (limits: readonly LimitView[], width: number | undefined): ScreenLine[] =>
  tableLines(formatTable(limitColumns, limits.slice(0, 10), { width }))

const tableLines = (table: string): ScreenLine[] =>
  table
    .split('\n')
    .slice(0, -1)
    .map((text, n): ScreenLine => ({ text, style: n === 0 ? 'title' : 'plain' }))

function cut({ text, style }: ScreenLine, width: number | undefined): ScreenLine {
  const characters = [...text.trimEnd()]
  if (width === undefined || characters.length <= width) return { text: characters.join(''), style }
  return { text: `${characters.slice(0, Math.max(0, width - 1)).join('')}…`, style }
}
