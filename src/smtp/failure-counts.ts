/**
 * How often something failed, by key: the first failures are free, then each costs a longer delay, then there is a
 * pause. Forgotten when nothing has failed for the length of the pause. Bounded: the oldest go first.
 */
import { isIPv6 } from 'node:net'
import type { Clock } from '../clock.ts'

const freeFailures = 2
const firstDelayMs = 1000
const longestDelayMs = 8000
export const mostFailures = 10
export const pauseMs = 5 * 60_000
const maxRecords = 10_000

export class FailureCounts {
  readonly #clock: Clock
  readonly #failures = new Map<string, { count: number; lastAt: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  of(key: string): number {
    return this.#record(key)?.count ?? 0
  }

  add(key: string): void {
    const count = this.of(key) + 1
    this.#failures.delete(key)
    this.#failures.set(key, { count, lastAt: this.#clock.now() })
    dropOldest(this.#failures)
  }

  forget(key: string): void {
    this.#failures.delete(key)
  }

  /** How long until the key is forgotten; 0 where it is not known. */
  pauseOf(key: string): number {
    const record = this.#record(key)
    return record === undefined ? 0 : record.lastAt + pauseMs - this.#clock.now()
  }

  #record(key: string): { count: number; lastAt: number } | undefined {
    const record = this.#failures.get(key)
    if (record === undefined || this.#clock.now() - record.lastAt < pauseMs) return record
    this.#failures.delete(key)
    return undefined
  }
}

export function delayAfter(failures: number): number {
  if (failures <= freeFailures) return 0
  return Math.min(firstDelayMs * 2 ** (failures - freeFailures - 1), longestDelayMs)
}

/** One customer of an IPv6 provider has 2^64 addresses, so what counts is the /64. */
export function network(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const groups = head.split(':').filter((group) => group !== '')
  const missing =
    tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter((group) => group !== '').length
  const full = [...groups, ...Array<string>(missing).fill('0'), ...(tail?.split(':') ?? [])]
  return full.slice(0, 4).join(':')
}

export function dropOldest(records: Map<string, unknown> | Set<string>): void {
  if (records.size <= maxRecords) return
  for (const key of records.keys()) {
    records.delete(key)
    return
  }
}
