/**
 * Whose a token is, and what its holder may do: the token of this machine (token-file.ts) is good for everything, those
 * of the runtime state for their scopes. A wrong one is answered ever later; the right one is always taken at once.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../../clock.ts'
import type { Log } from '../../observe/log.ts'
import type { Setup } from '../../setup/setup.ts'
import { allows, authenticate, type Scope, scopes, type Token, used } from '../../setup/token.ts'
import { planTokenUse } from '../../setup/token-plans.ts'
import { Refused, TooMany } from '../problem.ts'
import { TokenThrottle } from './token-throttle.ts'

export interface Holder {
  /** As events and the audit name it: `local`, or the token's name. */
  readonly name: string
  /** All of them, also those that others include. */
  readonly scopes: readonly Scope[]
  /** Null: the local token's. */
  readonly tokenId: string | null
}

export interface AuthorityOptions {
  readonly localToken: string
  readonly setup: Pick<Setup, 'current' | 'apply'>
  readonly clock: Clock
  readonly log: Log
}

/** A use that could not be stored is not tried again at once. */
const retryUseMs = 60_000

export class Authority {
  readonly #localToken: Buffer
  readonly #options: AuthorityOptions
  readonly #throttle: TokenThrottle
  /** By token, until when no use of it is stored: one is on its way, or failed. */
  readonly #usesHeld = new Map<string, number>()

  constructor(options: AuthorityOptions) {
    this.#options = options
    this.#localToken = digest(options.localToken)
    this.#throttle = new TokenThrottle(options.clock)
  }

  /** Rejects with `Refused` where it is nobody's token, or not any more. */
  async identify(presented: string, { address }: { address: string }): Promise<Holder> {
    if (timingSafeEqual(digest(presented), this.#localToken)) return local
    const { setup, clock, log } = this.#options
    // Every token has this scope; which one is needed is asked of the holder.
    const found = authenticate(presented, setup.current.tokens, { now: clock.now(), needs: 'read' })
    if ('token' in found) return this.#holding(found.token)
    const penalty = this.#throttle.refused(address)
    if (penalty.kind === 'pause')
      throw new TooMany('Too many wrong tokens came from this address', penalty.retryAfterMs)
    log.warn({ address, why: found.why }, 'A token was refused')
    await delay(penalty.delayMs, undefined, { ref: false })
    throw new Refused(401, 'The token is not one of this relay')
  }

  /** Who opened a session, as things are now; null where the token is gone or has expired. */
  holderOf(tokenId: string | null): Holder | null {
    if (tokenId === null) return local
    const { setup, clock } = this.#options
    const token = setup.current.tokens.find(({ id }) => id === tokenId)
    const isExpired = token?.expiresAt != null && clock.now() >= token.expiresAt
    return token === undefined || isExpired ? null : this.#holding(token)
  }

  #holding(token: Token): Holder {
    this.#noteUse(token)
    return {
      name: token.name,
      scopes: scopes.filter((scope) => allows(token.scopes, scope)),
      tokenId: token.id,
    }
  }

  /** Off the way of the request, which needs no store that can be written. */
  #noteUse(token: Token): void {
    const { setup, clock, log } = this.#options
    const now = clock.now()
    if (used(token, now) === null || now < (this.#usesHeld.get(token.id) ?? 0)) return
    this.#usesHeld.set(token.id, now + retryUseMs)
    setup
      .apply((current, { now }) => planTokenUse(current, { id: token.id, now }), { by: token.name })
      .then(
        () => this.#usesHeld.delete(token.id),
        (err: unknown) => log.error({ err, token: token.id }, 'The use of a token could not be stored'),
      )
  }
}

const local: Holder = { name: 'local', scopes, tokenId: null }

/** Of equal length, whatever was sent. */
const digest = (token: string): Buffer => createHash('sha256').update(token).digest()
