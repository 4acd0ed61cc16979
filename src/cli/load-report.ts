/** What a load run and its audit came to, for people: the rates first, then whatever is not as it should be. */
import type { Audit } from '../lab/audit.ts'
import type { Drained, Relayed } from '../lab/drain.ts'
import type { LatencySummary } from '../lab/latency.ts'
import type { LoadProgress, LoadResult } from '../lab/load.ts'
import type { ReasonCount } from '../lab/load-tally.ts'
import { formatBytes } from './for-people.ts'

export type Field = readonly [name: string, value: string | null]

/** How many of a kind are named; the rest is only counted. */
const mostNamed = 10

export function loadFields(result: LoadResult): Field[] {
  const cpuUs = result.accepted === 0 ? 0 : Math.round((result.cpuMs * 1000) / result.accepted)
  return [
    ['Run', result.run],
    ['Duration', `${seconds(result.elapsedMs)} s`],
    ['Accepted', `${number(result.accepted)} messages, ${formatBytes(result.acceptedBytes)}`],
    ['Accepted rate', `${number(result.acceptedPerSecond)} messages/s`],
    ['Latency', latency(result.latency)],
    ['Connections', `${number(result.connections)}${some(result.failedConnections, 'failed')}`],
    ['Refused', messages(result.refused)],
    ['Given up', messages(result.failed)],
    ['Refused recipients', unlessZero(result.refusedRecipients)],
    ['Sent again', unlessZero(result.retries)],
    ['No answer to the dot', unlessZero(result.unconfirmed)],
    ['Own CPU', `${seconds(result.cpuMs)} s, ${cpuUs} µs a message`],
    ...reasons('Refusal', result.refusals),
    ...reasons('Failure', result.failures),
  ]
}

export function auditFields(audit: Audit, arrived: { drained: Drained; relayed: Relayed }): Field[] {
  const { relayed, drained } = arrived
  return [
    ['Relayed', `${number(relayed.deliveries)} deliveries${drained.complete ? '' : ', not all in time'}`],
    ['Relayed rate', `${number(relayed.perSecond)} messages/s`],
    ['Relay delay', latency(relayed.delay)],
    ['Audit', `${number(audit.delivered)} of ${number(audit.accepted)} accepted recipients arrived`],
    ['Lost', named(audit.lost)],
    ['Altered', named(audit.altered, (each) => ` (${each.what.join(', ')})`)],
    ['Duplicated', named(audit.duplicated, (each) => ` (${each.times} more)`)],
    ['Without confirmation', unlessNone(audit.withoutConfirmation)],
    ['Twice, as sent again', unlessNone(audit.sentAgain)],
    ['Delivered, not accepted', unlessNone(audit.unexpected)],
    ['Unreadable ledger lines', unlessZero(drained.unreadable)],
  ]
}

/** One line for a terminal; `total` is null where the run is limited by time. */
export function progressLine(
  progress: LoadProgress,
  total: { messages: number | null; durationMs: number | null },
): string {
  const done = Math.min(
    1,
    Math.max(
      total.messages === null ? 0 : (progress.accepted + progress.refused + progress.failed) / total.messages,
      total.durationMs === null ? 0 : progress.elapsedMs / total.durationMs,
    ),
  )
  const bar = '#'.repeat(Math.round(done * barWidth)).padEnd(barWidth, '.')
  const rate = progress.elapsedMs === 0 ? 0 : Math.round((progress.accepted * 1000) / progress.elapsedMs)
  const trouble = some(progress.refused, 'refused') + some(progress.failedConnections, 'connections failed')
  return `[${bar}] ${number(progress.accepted)} accepted, ${number(rate)}/s, p99 ${progress.latency.p99Ms} ms${trouble}`
}

const barWidth = 30

const number = (value: number): string => value.toLocaleString('en-US')
const seconds = (durationMs: number): string => (durationMs / 1000).toFixed(1)
const some = (count: number, what: string): string => (count === 0 ? '' : `, ${number(count)} ${what}`)
const messages = (count: number): string | null => (count === 0 ? null : `${number(count)} messages`)
const unlessZero = (count: number): string | null => (count === 0 ? null : number(count))

function latency({ p50Ms, p90Ms, p99Ms, maxMs }: LatencySummary): string {
  return `p50 ${p50Ms} ms, p90 ${p90Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms`
}

function reasons(name: string, counts: readonly ReasonCount[]): Field[] {
  return counts.slice(0, mostNamed).map(({ reason, count }) => [name, `${number(count)} × ${reason}`])
}

function named<Finding extends { readonly seq: number }>(
  findings: readonly Finding[],
  more: (finding: Finding) => string = () => '',
): string {
  if (findings.length === 0) return '0'
  const first = findings.slice(0, mostNamed).map((each) => `${each.seq}${more(each)}`)
  const rest = findings.length > mostNamed ? ', …' : ''
  return `${number(findings.length)}: messages ${first.join(', ')}${rest}`
}

function unlessNone(seqs: readonly number[]): string | null {
  return seqs.length === 0 ? null : named(seqs.map((seq) => ({ seq })))
}
