/**
 * What sending one message asks of a connector's rate limits. A message counts when it is about to be sent,
 * whatever becomes of it: the smart host has counted it too. Its recipients are those it is sent to, also the ones
 * that are then refused.
 *
 * A limit by the second is a pace: a tenth of it, rounded up, may go in any tenth of a second. All of it in one
 * moment would arrive spread out, as hosts and networks are never equally fast, and meet the next second's.
 */
import type { Connector } from '../config/connector.ts'
import type { RateWindow } from '../queue/queue.ts'

type Limits = Connector['limits']

const secondMs = 1000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

const messageLimits = [
  ['messagesPerSecond', secondMs],
  ['messagesPerMinute', minuteMs],
  ['messagesPerHour', hourMs],
  ['messagesPerDay', dayMs],
] as const

const tenthMs = secondMs / 10

/** Empty where the connector has no rate limits. */
export function rateWindows(limits: Limits, { recipients }: { recipients: number }): readonly RateWindow[] {
  const windows: RateWindow[] = []
  for (const [limit, windowMs] of messageLimits) {
    const most = limits[limit]
    if (most !== null) windows.push({ limit, windowMs, most, amount: 1 })
  }
  const { messagesPerSecond: pace, recipientsPerDay: most } = limits
  if (pace !== null)
    windows.push({ limit: 'messagesPerSecond', windowMs: tenthMs, most: Math.ceil(pace / 10), amount: 1 })
  if (most !== null) windows.push({ limit: 'recipientsPerDay', windowMs: dayMs, most, amount: recipients })
  return windows
}

export function isRateLimited(limits: Limits): boolean {
  return rateWindows(limits, { recipients: 1 }).length > 0
}

/** More messages than the tightest limit lets through in its time need not wait in memory. */
export function mostAtOnce(limits: Limits): number {
  const given = [...messageLimits.map(([limit]) => limits[limit]), limits.recipientsPerDay]
  return Math.min(...given.filter((most) => most !== null))
}
