/**
 * Who is logged in to the page. A session is 256 random bits in a cookie; kept is their hash, in memory alone, with the
 * token it was opened with: what the token may, and whether it still may, is asked anew at each request. A session ends
 * when it is not used for half a day, when its token is gone, and with the process.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../../clock.ts'

export const idleMs = 12 * 60 * 60_000
export const mostSessions = 1000

export interface Session {
  /** Null: the local token's. */
  readonly tokenId: string | null
}

export class Sessions {
  readonly #clock: Clock
  /** By the hash of the secret, the one that was not used for longest first. */
  readonly #sessions = new Map<string, Session & { readonly usedAt: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The secret for the cookie. */
  open(tokenId: string | null): string {
    const secret = randomBytes(32).toString('base64url')
    this.#sessions.set(hashOf(secret), { tokenId, usedAt: this.#clock.now() })
    const [oldest] = this.#sessions.keys()
    if (this.#sessions.size > mostSessions) this.#sessions.delete(oldest!)
    return secret
  }

  /** Asking for it is a use. */
  find(secret: string): Session | null {
    const hash = hashOf(secret)
    const session = this.#sessions.get(hash)
    if (session === undefined) return null
    const now = this.#clock.now()
    this.#sessions.delete(hash)
    if (now - session.usedAt >= idleMs) return null
    this.#sessions.set(hash, { tokenId: session.tokenId, usedAt: now })
    return session
  }

  end(secret: string): void {
    this.#sessions.delete(hashOf(secret))
  }
}

/** Also what makes the time a look-up takes say nothing of the secrets that are kept. */
const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')
