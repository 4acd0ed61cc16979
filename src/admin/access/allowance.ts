/**
 * So many a second, and a burst of what was not used before: a token bucket, kept as the one instant at which it would
 * be full again (the generic cell rate algorithm). Pure.
 */

export interface Allowance {
  readonly perSecond: number
  readonly burst: number
}

export interface Spent {
  /** When all of the burst is there again; to be kept. Epoch ms. */
  readonly spentUntil: number
  /** 0: it was granted. */
  readonly waitMs: number
}

/** One more, `spentUntil` being what the last one left; 0 for the first. */
export function spend(
  spentUntil: number,
  { now, perSecond, burst }: Allowance & { readonly now: number },
): Spent {
  const costMs = 1000 / perSecond
  const wholeMs = burst * costMs
  // Further ahead than the whole burst it can only be where the clock was set back.
  const from = Math.min(Math.max(spentUntil, now), now + wholeMs)
  const waitMs = from + costMs - (now + wholeMs)
  return waitMs > 0 ? { spentUntil: from, waitMs } : { spentUntil: from + costMs, waitMs: 0 }
}
