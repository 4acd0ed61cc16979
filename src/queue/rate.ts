/**
 * How a rate limit is counted. Nobody knows where a provider's minute or day begins, or whether it slides; so a
 * limit must hold in every interval of its length, not only in those of a calendar. Time is cut into slots, of
 * which fifty make a window. A slot counts until the last of its instants is a whole window ago: for fifty slots
 * after itself. That is never too much, and at most one part in fifty less than the limit would allow.
 *
 * Both backends count so, the embedded one with `spend`, Redis in a script with the same slots.
 */
import { z } from 'zod'
import type { RateWindow, Spent } from './queue.ts'

export const slotsPerWindow = 50

/** More than two nodes may differ by whose clocks Redis has been compared with at their start. */
const clockDifferenceMs = 5_000

/** What was granted within one slot. */
export type Tally = readonly [slot: number, amount: number]

/** By what is counted, oldest first. */
export type Tallies = Readonly<Record<string, readonly Tally[]>>

/** Grants all windows or none, and says what is counted afterwards. */
export function spend(
  tallies: Tallies,
  { windows, now }: { windows: readonly RateWindow[]; now: number },
): { spent: Spent; tallies: Tallies } {
  const running = Object.fromEntries(
    windows.map((window) => {
      const name = countedAs(window)
      return [name, stillCounted(tallies[name] ?? [], window, now)]
    }),
  )
  const refused = windows.flatMap((window) => {
    const inTheWay = lastInTheWay(running[countedAs(window)]!, window)
    return inTheWay === null ? [] : [{ window, inTheWay }]
  })
  if (refused.length > 0) return { spent: refusal(refused), tallies }
  for (const window of windows) {
    const name = countedAs(window)
    running[name] = add(running[name]!, window, now)
  }
  return { spent: { granted: true }, tallies: { ...tallies, ...running } }
}

/** Of the windows without room, each with the last slot that must end first, the one that takes longest. */
export function refusal(
  refused: readonly { readonly window: RateWindow; readonly inTheWay: number }[],
): Extract<Spent, { granted: false }> {
  const waits = refused.map(({ window, inTheWay }) => ({
    limit: window.limit,
    retryAt: (inTheWay + slotsPerWindow + 1) * slotMs(window),
  }))
  const longest = waits.reduce((one, other) => (other.retryAt > one.retryAt ? other : one))
  return { granted: false, ...longest }
}

export function countedAs({ limit, windowMs }: RateWindow): string {
  return `${limit}:${windowMs}`
}

export function slotAt(window: RateWindow, now: number): number {
  return Math.floor(now / slotMs(window))
}

/**
 * How many slots ahead of now still count: they are from a node whose clock is ahead, or from before this one's was
 * set back. What lies further ahead is from a clock that was far wrong.
 */
export function slotsAhead(window: RateWindow): number {
  return Math.max(slotsPerWindow, Math.ceil(clockDifferenceMs / slotMs(window)))
}

/** How long a count matters at most. */
export function lifeMs(window: RateWindow): number {
  return (slotsPerWindow + 1 + slotsAhead(window)) * slotMs(window)
}

/** How much else may be counted for the amount to have room. More than the limit has room where nothing else is. */
export function roomBeside({ most, amount }: RateWindow): number {
  return Math.max(0, most - amount)
}

const slotMs = (window: RateWindow): number => window.windowMs / slotsPerWindow

function stillCounted(tallies: readonly Tally[], window: RateWindow, now: number): readonly Tally[] {
  const current = slotAt(window, now)
  return tallies.filter(([slot]) => slot >= current - slotsPerWindow && slot <= current + slotsAhead(window))
}

function lastInTheWay(tallies: readonly Tally[], window: RateWindow): number | null {
  let sum = tallies.reduce((total, [, amount]) => total + amount, 0)
  let inTheWay: number | null = null
  for (const [slot, amount] of tallies) {
    if (sum <= roomBeside(window)) return inTheWay
    sum -= amount
    inTheWay = slot
  }
  return inTheWay
}

function add(tallies: readonly Tally[], window: RateWindow, now: number): readonly Tally[] {
  const current = slotAt(window, now)
  const before = tallies.filter(([slot]) => slot < current)
  const after = tallies.filter(([slot]) => slot > current)
  const [, already] = tallies.find(([slot]) => slot === current) ?? [current, 0]
  return [...before, [current, already + window.amount], ...after]
}

// The record of the embedded store.

const whole = z.int().nonnegative()
const record = z.record(z.string(), z.array(z.tuple([whole, whole])))

export function encodeTallies(tallies: Tallies): string {
  return JSON.stringify(tallies)
}

/** Null where the text is no record. */
export function decodeTallies(text: string): Tallies | null {
  try {
    return record.parse(JSON.parse(text))
  } catch {
    return null
  }
}
