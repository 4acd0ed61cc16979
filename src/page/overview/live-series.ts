/**
 * The samples of the last fifteen minutes as the charts draw them. Pure. A second that the relay has no sample of (it
 * was not running) is a gap in the line, not a straight line over it.
 */
import type { LiveView } from '../../admin/live/status-view.ts'

export type LiveSample = LiveView['samples'][number]

export const keptMs = 15 * 60_000
export const ranges = [1, 5, 15] as const
export type RangeMinutes = (typeof ranges)[number]

/** Joins what is known with what came, the oldest first, each instant once: what came counts. */
export function withSamples(kept: readonly LiveSample[], came: readonly LiveSample[]): readonly LiveSample[] {
  if (came.length === 0) return kept
  const byInstant = new Map([...kept, ...came].map((sample) => [sample.at, sample]))
  const all = [...byInstant.values()].sort((a, b) => a.at - b.at)
  const since = all.at(-1)!.at - keptMs
  return all.filter(({ at }) => at > since)
}

/** Of the last `minutes` before the newest sample. */
export function within(samples: readonly LiveSample[], minutes: RangeMinutes): readonly LiveSample[] {
  const newest = samples.at(-1)
  return newest === undefined ? [] : samples.filter(({ at }) => at > newest.at - minutes * 60_000)
}

export type Pick = (sample: LiveSample) => number | null

/** As uPlot takes it: seconds, then one row of values for each line. */
export type ChartRows = [number[], ...(number | null)[][]]

export function chartRows(samples: readonly LiveSample[], picks: readonly Pick[]): ChartRows {
  const times: number[] = []
  const rows = picks.map((): (number | null)[] => [])
  let before: number | null = null
  for (const sample of samples) {
    if (before !== null && sample.at - before > longestStepMs) {
      times.push((before + 1000) / 1000)
      for (const row of rows) row.push(null)
    }
    times.push(sample.at / 1000)
    for (const [index, row] of rows.entries()) row.push(picks[index]!(sample))
    before = sample.at
  }
  return [times, ...rows]
}

/** A timer of a second may be late by nearly one. */
const longestStepMs = 2500

export interface Summary {
  /** The newest value, unless it is older than a few seconds. */
  readonly now: number | null
  /** Of the samples that have a value; null where none has. */
  readonly mean: number | null
  readonly most: number | null
}

export function summaryOf(samples: readonly LiveSample[], pick: Pick): Summary {
  const values = samples.map(pick).filter((value) => value !== null)
  const now = newestValue(samples, pick)
  if (values.length === 0) return { now, mean: null, most: null }
  return {
    now,
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    most: Math.max(...values),
  }
}

/** Not each second has a value: where nothing was relayed there is no latency, and the queue is not always asked. */
function newestValue(samples: readonly LiveSample[], pick: Pick): number | null {
  const since = (samples.at(-1)?.at ?? 0) - recentMs
  return (
    samples
      .filter(({ at }) => at > since)
      .map(pick)
      .findLast((value) => value !== null) ?? null
  )
}

const recentMs = 5000

/** All that waits, in whatever state; null where the store could not be read. */
export function queueLength({ queue }: LiveSample): number | null {
  return queue === null ? null : queue.ready + queue.deferred + queue.leased + queue.suspended
}
