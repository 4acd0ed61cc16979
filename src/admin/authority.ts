/**
 * Who may do what on the admin port. Reading its pages needs nothing; what changes the queue, or shows mail, needs a
 * token. A wrong one is answered ever later; the right one is always taken at once.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import type { Scope } from './token.ts'
import { TokenThrottle } from './token-throttle.ts'

export type Authorization =
  /** Whose token it was, as it stands in the log. */
  | { readonly granted: true; readonly by: string }
  | { readonly granted: false; readonly status: 401; readonly detail: string }
  | { readonly granted: false; readonly status: 429; readonly detail: string; readonly retryAfterMs: number }

export interface Claimant {
  /** The field Authorization. */
  readonly authorization: string | undefined
  readonly address: string
}

export class Authority {
  readonly #localToken: Buffer
  readonly #throttle: TokenThrottle

  constructor({ localToken, clock }: { localToken: string; clock: Clock }) {
    this.#localToken = digest(localToken)
    this.#throttle = new TokenThrottle(clock)
  }

  async authorize({ authorization, address }: Claimant, needs: Scope): Promise<Authorization> {
    if (authorization === undefined) return refused('This needs a token: Authorization: Bearer …')
    const token = /^Bearer +([\x21-\x7e]{1,1000}) *$/i.exec(authorization)?.[1] ?? ''
    const by = this.#holderOf(token, needs)
    if (by !== null) return { granted: true, by }
    const penalty = this.#throttle.refused(address)
    if (penalty.kind === 'pause') {
      const detail = 'Too many wrong tokens came from this address'
      return { granted: false, status: 429, detail, retryAfterMs: penalty.retryAfterMs }
    }
    await delay(penalty.delayMs, undefined, { ref: false })
    return refused('The token is not one of this relay')
  }

  /** Null where the token is nobody's. The local one is good for all scopes. */
  #holderOf(token: string, _needs: Scope): string | null {
    return timingSafeEqual(digest(token), this.#localToken) ? 'local' : null
  }
}

const refused = (detail: string): Authorization => ({ granted: false, status: 401, detail })

/** Of equal length, whatever was sent. */
const digest = (token: string): Buffer => createHash('sha256').update(token).digest()
