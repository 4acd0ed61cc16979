/**
 * Signatures of changes that were carried out: who overhears one cannot send it again. A client that asks for the same
 * twice within a second signs the same, so one that comes again at once is taken; what it asks for is then done twice,
 * as at OVHcloud. Each node remembers its own.
 */
import type { Clock } from '../../clock.ts'
import { timestampToleranceMs } from './signature.ts'

/** The second that one timestamp stands for, and some time on the way. */
const sameSecondMs = 5_000
/** 160 changes a second for five minutes: more than the admin port answers for long. */
const mostRemembered = 50_000

interface Seen {
  readonly firstAt: number
  readonly signedAt: number
}

export class Replays {
  readonly #clock: Clock
  /** By signature, the oldest first. */
  readonly #seen = new Map<string, Seen>()
  /** What was signed until then may have been forgotten, so it is taken for a replay. */
  #forgottenUntil = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether it was sent before, longer ago than a client could mean to; remembers it. */
  isReplay(signature: string, { signedAt }: { readonly signedAt: number }): boolean {
    const now = this.#clock.now()
    const seen = this.#seen.get(signature)
    if (seen !== undefined) return now - seen.firstAt > sameSecondMs
    if (signedAt <= this.#forgottenUntil) return true
    this.#seen.set(signature, { firstAt: now, signedAt })
    this.#forget(now)
    return false
  }

  #forget(now: number): void {
    for (const [signature, { signedAt }] of this.#seen) {
      const isOver = now - signedAt > timestampToleranceMs
      if (!isOver && this.#seen.size <= mostRemembered) return
      this.#seen.delete(signature)
      if (!isOver) this.#forgottenUntil = Math.max(this.#forgottenUntil, signedAt)
    }
  }
}
