/**
 * One login: throttle, password check, verdict. Password hashes are dear on purpose and are computed on the
 * threads that the store's file access needs too, so few are computed at a time and few may wait.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { permanent, type Reply, temporary } from '../reply.ts'
import type { User } from './access.ts'
import { AuthThrottle } from './auth-throttle.ts'
import { hashPassword, verifyPassword } from './password.ts'

export interface Credentials {
  readonly address: string
  readonly user: string
  readonly password: string
}

export type Login =
  | { readonly kind: 'accepted'; readonly user: User }
  | { readonly kind: 'refused'; readonly reply: Reply }
  /** The connection is to be closed. */
  | { readonly kind: 'dropped'; readonly reply: Reply }

const mostAtOnce = 2
const mostWaiting = 100

export class Authentication {
  readonly #users: ReadonlyMap<string, User>
  readonly #throttle: AuthThrottle
  /** What is checked for a user that does not exist, so that time does not tell. */
  #decoy: Promise<string> | null = null
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(users: readonly User[], options: { clock: Clock }) {
    this.#users = new Map(users.map((user) => [user.name.normalize('NFC'), user]))
    this.#throttle = new AuthThrottle(options.clock)
  }

  /** Without users there is nothing to log in to, and AUTH is not offered. */
  get offered(): boolean {
    return this.#users.size > 0
  }

  async login(credentials: Credentials): Promise<Login> {
    const name = credentials.user.normalize('NFC')
    const attempt = { address: credentials.address, user: name }
    const admission = this.#throttle.attempt(attempt)
    if (admission.kind === 'drop') return { kind: 'dropped', reply: tooManyFailures }
    if (this.#waiting.length >= mostWaiting) return { kind: 'refused', reply: busy }
    const user = this.#users.get(name)
    const matches = await this.#inTurn(() => this.#verify(credentials.password, user))
    if (matches && user !== undefined) {
      this.#throttle.succeeded(attempt)
      return { kind: 'accepted', user }
    }
    if (admission.delayMs > 0) await sleep(admission.delayMs, undefined, { ref: false })
    return { kind: 'refused', reply: wrongCredentials }
  }

  async #verify(password: string, user: User | undefined): Promise<boolean> {
    if (user !== undefined) return await verifyPassword(password, user.passwordHash)
    this.#decoy ??= hashPassword('')
    await verifyPassword(password, await this.#decoy)
    return false
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running >= mostAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running++
    try {
      return await work()
    } finally {
      // The turn is handed on, so the count stays; it falls only when nobody waits.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}

export const tooManyFailures: Reply = temporary('7.0', 'Too many failed logins, closing connection', 421)
const wrongCredentials = permanent('7.8', 'Authentication credentials invalid', 535)
const busy = temporary('7.0', 'Too many logins at this moment, please try again later', 454)
