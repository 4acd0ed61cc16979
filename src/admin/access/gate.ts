/**
 * Who may pass: whoever presents a token or has a session, and whose scope is enough; not more often than is good for
 * the mail. A request that the cookie alone answers for must come from our own page (same-origin.ts).
 */
import type { FastifyRequest } from 'fastify'
import type { Scope } from '../../setup/token.ts'
import { network } from '../../smtp/failure-counts.ts'
import type { Gate } from '../endpoint.ts'
import { Refused, TooMany } from '../problem.ts'
import type { Authority, Holder } from './authority.ts'
import type { RequestRates } from './request-rates.ts'
import { foreignness } from './same-origin.ts'
import { sessionIn } from './session-cookie.ts'
import type { Sessions } from './sessions.ts'
import { plain } from './token-throttle.ts'

export interface AccessGateOptions {
  readonly authority: Authority
  readonly sessions: Sessions
  readonly rates: RequestRates
  readonly isTls: boolean
}

export class AccessGate implements Gate {
  readonly #options: AccessGateOptions

  constructor(options: AccessGateOptions) {
    this.#options = options
  }

  async admit(request: FastifyRequest, scope: Scope): Promise<string> {
    return this.#granted(await this.#holder(request), scope)
  }

  /** As `admit`, for a token that comes in another field than Authorization. */
  async admitToken(
    { ip }: FastifyRequest,
    { presented, scope }: { readonly presented: string; readonly scope: Scope },
  ): Promise<string> {
    return this.#granted(await this.#options.authority.identify(presented, { address: ip }), scope)
  }

  count({ ip }: FastifyRequest): void {
    this.#count(`address ${network(plain(ip))}`)
  }

  #granted({ tokenId, scopes, name }: Holder, scope: Scope): string {
    this.#count(tokenId === null ? 'local' : `token ${tokenId}`)
    if (scopes.includes(scope)) return name
    throw new Refused(403, `This needs a token with the scope ${scope}`)
  }

  async #holder(request: FastifyRequest): Promise<Holder> {
    const { authorization } = request.headers
    if (authorization !== undefined) {
      const presented = /^Bearer +([\x21-\x7e]{1,1000}) *$/i.exec(authorization)?.[1] ?? ''
      return this.#options.authority.identify(presented, { address: request.ip })
    }
    const holder = this.#holderOfSession(request)
    if (holder !== null) return holder
    this.count(request)
    throw new Refused(401, 'This needs a token: Authorization: Bearer …')
  }

  #holderOfSession({ headers, method }: FastifyRequest): Holder | null {
    const { sessions, authority, isTls } = this.#options
    const secret = sessionIn(headers.cookie, { isTls })
    const session = secret === null ? null : sessions.find(secret)
    if (session === null) return null
    const holder = authority.holderOf(session.tokenId)
    if (holder === null) sessions.end(secret!)
    else if (method !== 'GET' && method !== 'HEAD') demandOwnPage(headers, { isTls })
    return holder
  }

  #count(key: string): void {
    const waitMs = this.#options.rates.take(key)
    if (waitMs > 0) throw new TooMany('Too many requests: fewer than 100 a second are answered', waitMs)
  }
}

export function demandOwnPage(
  headers: FastifyRequest['headers'],
  { isTls }: { readonly isTls: boolean },
): void {
  const fetchSite = headers['sec-fetch-site']
  const { origin, host } = headers
  const why = foreignness({ fetchSite: fetchSite?.toString(), origin, host, isTls })
  if (why !== null) throw new Refused(403, `The cookie counts for our own page alone, and ${why}`)
}
