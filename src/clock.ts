/** The clock is an argument: what depends on time is given a `Clock`, and tests give one they move. */

export interface Clock {
  /** Epoch milliseconds. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }
