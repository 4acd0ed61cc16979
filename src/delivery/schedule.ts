/**
 * Retry schedules, for connectors (`delivery.connectionRetry`) and for items (`delivery.messageRetry`): a list
 * of waits, of which the last one repeats. The defaults are Exchange's: four glitch retries at one minute, six
 * transient ones at five, then every ten.
 */

/** Of the wait, so that a backlog that was deferred in one moment does not come back in one moment. */
const jitterShare = 0.1
const longestJitterMs = 30_000

/**
 * When to try again after `attempts` failures in a row, this one included. `jitter` is a random number from
 * 0 to 1: it only ever adds to the wait, as nothing may be tried earlier than its schedule says.
 */
export function nextRetryAt(
  schedule: readonly number[],
  attempts: number,
  options: { readonly now: number; readonly jitter: number },
): number {
  if (!Number.isInteger(attempts) || attempts < 1)
    throw new RangeError(`Cannot schedule a retry as 'attempts' must be at least 1: it is ${attempts}`)
  return after(schedule[Math.min(attempts, schedule.length) - 1], options)
}

/** When to try again what should be tried as seldom as the schedule knows: after its last wait. */
export function slowestRetryAt(
  schedule: readonly number[],
  options: { readonly now: number; readonly jitter: number },
): number {
  return after(schedule.at(-1), options)
}

function after(waitMs: number | undefined, options: { now: number; jitter: number }): number {
  if (waitMs === undefined) throw new RangeError('Cannot schedule a retry as the schedule is empty')
  if (!(options.jitter >= 0 && options.jitter <= 1))
    throw new RangeError(`Cannot schedule a retry as 'jitter' must be from 0 to 1: it is ${options.jitter}`)
  const widestMs = Math.min(waitMs * jitterShare, longestJitterMs)
  return options.now + waitMs + Math.floor(widestMs * options.jitter)
}
