/**
 * What repeated AUTH failures cost, per client address and per user: the first are free, then each answer is
 * held back longer, then nothing is checked any more until a pause has passed. Others are not affected: an
 * address that a user has logged in from is not made to pay for guesses at that user's name from elsewhere.
 * Memory is bounded: the oldest records go first.
 */
import { isIPv6 } from 'node:net'
import type { Clock } from '../clock.ts'

export interface AuthAttempt {
  readonly address: string
  readonly user: string
}

export type Admission = { readonly kind: 'check'; readonly delayMs: number } | { readonly kind: 'drop' }

const freeFailures = 2
const firstDelayMs = 1000
const longestDelayMs = 8000
const mostFailures = 10
const pauseMs = 5 * 60_000
const maxRecords = 10_000

export class AuthThrottle {
  readonly #clock: Clock
  readonly #failures = new Map<string, { count: number; lastAt: number }>()
  /** `user address` of logins that succeeded, the latest last. */
  readonly #known = new Set<string>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Counts the attempt as failed before it is checked, so that many at the same time do not slip through;
   * `succeeded` takes that back. The delay is for the answer, should it be a refusal.
   */
  attempt(attempt: AuthAttempt): Admission {
    const keys = this.#keysOf(attempt)
    const before = Math.max(...keys.map((key) => this.#countOf(key)))
    if (before >= mostFailures) return { kind: 'drop' }
    for (const key of keys) this.#count(key)
    return { kind: 'check', delayMs: delayAfter(before + 1) }
  }

  succeeded(attempt: AuthAttempt): void {
    for (const key of this.#keysOf(attempt)) this.#failures.delete(key)
    const known = knownKey(attempt)
    this.#known.delete(known)
    this.#known.add(known)
    dropOldest(this.#known)
  }

  #keysOf(attempt: AuthAttempt): string[] {
    const address = `address ${network(attempt.address)}`
    return this.#known.has(knownKey(attempt)) ? [address] : [address, `user ${attempt.user}`]
  }

  #countOf(key: string): number {
    const record = this.#failures.get(key)
    if (record === undefined) return 0
    if (this.#clock.now() - record.lastAt < pauseMs) return record.count
    this.#failures.delete(key)
    return 0
  }

  #count(key: string): void {
    const count = this.#countOf(key) + 1
    this.#failures.delete(key)
    this.#failures.set(key, { count, lastAt: this.#clock.now() })
    dropOldest(this.#failures)
  }
}

function delayAfter(failures: number): number {
  if (failures <= freeFailures) return 0
  return Math.min(firstDelayMs * 2 ** (failures - freeFailures - 1), longestDelayMs)
}

const knownKey = ({ user, address }: AuthAttempt): string => `${user} ${network(address)}`

/** One customer of an IPv6 provider has 2^64 addresses, so what counts is the /64. */
function network(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const groups = head.split(':').filter((group) => group !== '')
  const missing =
    tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter((group) => group !== '').length
  const full = [...groups, ...Array<string>(missing).fill('0'), ...(tail?.split(':') ?? [])]
  return full.slice(0, 4).join(':')
}

function dropOldest(records: Map<string, unknown> | Set<string>): void {
  if (records.size <= maxRecords) return
  for (const key of records.keys()) {
    records.delete(key)
    return
  }
}
