/**
 * Whether a scanner that fails is asked again. After several failures in a row it is left alone for a while, so that
 * no message waits for its time-out; then one question at a time probes it. Pure: a state goes in, a state comes out.
 */
export type Breaker =
  /** Asked; so many questions in a row have failed. */
  | { readonly state: 'closed'; readonly failures: number }
  /** Not asked before `probeAt`. */
  | { readonly state: 'open'; readonly pauseMs: number; readonly probeAt: number }
  /** One question is under way; nothing else is asked until it has come to something. */
  | { readonly state: 'probing'; readonly pauseMs: number }

export type Outcome =
  | 'answered'
  | 'failed'
  /** Something else ended the question: it says nothing of the scanner. */
  | 'abandoned'

export const closed: Breaker = { state: 'closed', failures: 0 }

/** One message that a scanner chokes on, and its client's retries, must not take the scanner from all others. */
const failuresToOpen = 5
const shortestPauseMs = 10_000
const longestPauseMs = 60_000

export function mayAsk(breaker: Breaker, now: number): boolean {
  return breaker.state === 'closed' || (breaker.state === 'open' && breaker.probeAt <= now)
}

/** The state while a question is under way that `mayAsk` allowed, and whether that question is the probe. */
export function asking(breaker: Breaker): { readonly breaker: Breaker; readonly probe: boolean } {
  if (breaker.state !== 'open') return { breaker, probe: false }
  return { breaker: { state: 'probing', pauseMs: breaker.pauseMs }, probe: true }
}

/** The state after a question has come to something. Those asked before the pause may end during it. */
export function afterQuestion(
  breaker: Breaker,
  { outcome, probe, now }: { outcome: Outcome; probe: boolean; now: number },
): Breaker {
  // Whoever answers is there, also late.
  if (outcome === 'answered') return closed
  if (breaker.state === 'closed')
    return outcome === 'failed' ? afterFailure(breaker.failures + 1, now) : breaker
  if (breaker.state === 'open' || !probe) return breaker
  if (outcome === 'abandoned') return { state: 'open', pauseMs: breaker.pauseMs, probeAt: now }
  return pause(Math.min(2 * breaker.pauseMs, longestPauseMs), now)
}

function afterFailure(failures: number, now: number): Breaker {
  return failures < failuresToOpen ? { state: 'closed', failures } : pause(shortestPauseMs, now)
}

function pause(pauseMs: number, now: number): Breaker {
  return { state: 'open', pauseMs, probeAt: now + pauseMs }
}
