/**
 * How a rate limit is counted. Nobody knows where a provider's minute or day begins, or whether it slides; so a
 * limit must hold in every interval of its length, not only in those of a calendar. Time is cut into slots, of
 * which fifty make a window. A slot counts until the last of its instants is a whole window ago: for fifty slots
 * after itself. That is never too much, and at most one part in fifty less than the limit would allow.
 *
 * Both backends count so, the embedded one with `spend`, Redis in a script with the same slots.
 */
import { z } from 'zod'
import type { Counted, RateWindow, Spent } from './queue.ts'

export const slotsPerWindow = 50

/** More than two nodes may differ by whose clocks Redis has been compared with at their start. */
const clockDifferenceMs = 5_000

/** What was granted within one slot. */
export type Tally = readonly [slot: number, amount: number]

export interface Counter {
  /** The limit when it was last counted against; 0 where that is not known. */
  readonly most: number
  /** Oldest first. */
  readonly tallies: readonly Tally[]
}

/** By what is counted. */
export type Tallies = Readonly<Record<string, Counter>>

/** Grants all windows or none, and says what is counted afterwards. */
export function spend(
  tallies: Tallies,
  { windows, now }: { windows: readonly RateWindow[]; now: number },
): { spent: Spent; tallies: Tallies } {
  const running = windows.map((window) => ({
    window,
    tallies: stillCounted(tallies[countedAs(window)]?.tallies ?? [], window, now),
  }))
  const refused = running.flatMap(({ window, tallies }) => {
    const inTheWay = lastInTheWay(tallies, window)
    return inTheWay === null ? [] : [{ window, inTheWay }]
  })
  if (refused.length > 0) return { spent: refusal(refused), tallies }
  const counted = running.map(({ window, tallies }) => {
    const { most } = window
    return [countedAs(window), { most, tallies: add(tallies, window, now) }] as const
  })
  return { spent: { granted: true }, tallies: { ...tallies, ...Object.fromEntries(counted) } }
}

/** What still counts of all that was counted for a key; nothing where it may be forgotten. */
export function countedNow(tallies: Tallies, { key, now }: { key: string; now: number }): readonly Counted[] {
  return Object.entries(tallies).flatMap(([name, counter]) => {
    const window = readCountedAs(name)
    const amount = amountOf(stillCounted(counter.tallies, window, now))
    return amount === 0 ? [] : [{ key, ...window, amount, most: counter.most }]
  })
}

/** The fullest first, by how much of the limit is used; where all is equal in a fixed order. */
export function fullestFirst(counted: readonly Counted[]): readonly Counted[] {
  return counted.toSorted((a, b) => fullness(b) - fullness(a) || (nameOf(a) < nameOf(b) ? -1 : 1))
}

/** 1 where nothing more has room, and more than that where an amount was larger than the limit itself. */
export function fullness({ amount, most }: Counted): number {
  return most === 0 ? 0 : amount / most
}

const nameOf = (counted: Counted): string => `${countedAs(counted)}:${counted.key}`

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

type Window = Pick<RateWindow, 'limit' | 'windowMs'>

export function countedAs({ limit, windowMs }: Window): string {
  return `${limit}:${windowMs}`
}

export function readCountedAs(name: string): Window {
  const colon = name.lastIndexOf(':')
  return { limit: name.slice(0, colon), windowMs: Number(name.slice(colon + 1)) }
}

export function slotAt(window: Window, now: number): number {
  return Math.floor(now / slotMs(window))
}

/**
 * How many slots ahead of now still count: they are from a node whose clock is ahead, or from before this one's was
 * set back. What lies further ahead is from a clock that was far wrong.
 */
export function slotsAhead(window: Window): number {
  return Math.max(slotsPerWindow, Math.ceil(clockDifferenceMs / slotMs(window)))
}

/** How long a count matters at most. */
export function lifeMs(window: Window): number {
  return (slotsPerWindow + 1 + slotsAhead(window)) * slotMs(window)
}

/** How much else may be counted for the amount to have room. More than the limit has room where nothing else is. */
export function roomBeside({ most, amount }: RateWindow): number {
  return Math.max(0, most - amount)
}

const slotMs = (window: Window): number => window.windowMs / slotsPerWindow

const amountOf = (tallies: readonly Tally[]): number => tallies.reduce((sum, [, amount]) => sum + amount, 0)

function stillCounted(tallies: readonly Tally[], window: Window, now: number): readonly Tally[] {
  const current = slotAt(window, now)
  return tallies.filter(([slot]) => slot >= current - slotsPerWindow && slot <= current + slotsAhead(window))
}

function lastInTheWay(tallies: readonly Tally[], window: RateWindow): number | null {
  let sum = amountOf(tallies)
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
const tallies = z.array(z.tuple([whole, whole]))
const counter = z.object({ most: whole, tallies })
/** Records of before the limit was kept beside what was counted. */
const bareTallies = tallies.transform((bare): Counter => ({ most: 0, tallies: bare }))
const record = z.record(z.string().regex(/:\d+$/), z.union([counter, bareTallies]))

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
