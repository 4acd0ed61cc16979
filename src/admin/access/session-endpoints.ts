/** The page's login: a token becomes a session, which the browser keeps where no script can read it. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Refused } from '../problem.ts'
import type { Authority, Holder } from './authority.ts'
import { demandOwnPage } from './gate.ts'
import { endedCookie, sessionCookie, sessionIn } from './session-cookie.ts'
import { type SessionView, sessionInput, sessionView } from './session-view.ts'
import type { Sessions } from './sessions.ts'

export interface SessionEndpointsOptions {
  readonly authority: Authority
  readonly sessions: Sessions
  readonly isTls: boolean
}

export function sessionEndpoints(options: SessionEndpointsOptions): Endpoint[] {
  const { authority, sessions, isTls } = options
  return [
    endpoint({
      method: 'POST',
      path: '/session',
      scope: null,
      part: 'Access',
      summary: 'Log in with a token; the cookie of the answer stands for it',
      body: sessionInput,
      answer: sessionView,
      async handle({ body, request, reply }) {
        // No page elsewhere may log anybody in: what was done then would be done in the name of its owner.
        if (request.headers.origin !== undefined) demandOwnPage(request.headers, options)
        const holder = await authority.identify(body.token, { address: request.ip })
        endSession(request, options)
        reply.header('set-cookie', sessionCookie(sessions.open(holder.tokenId), { isTls }))
        return viewOf(holder)
      },
    }),
    endpoint({
      method: 'GET',
      path: '/session',
      scope: null,
      part: 'Access',
      summary: 'Who is logged in',
      answer: sessionView,
      problems: [401],
      async handle({ request, reply }) {
        const secret = sessionIn(request.headers.cookie, { isTls })
        const session = secret === null ? null : sessions.find(secret)
        const holder = session === null ? null : authority.holderOf(session.tokenId)
        if (holder !== null) return viewOf(holder)
        if (secret !== null) forget(reply, { ...options, secret })
        throw new Refused(401, 'Nobody is logged in, or not any more')
      },
    }),
    endpoint({
      method: 'DELETE',
      path: '/session',
      scope: null,
      part: 'Access',
      summary: 'Log out',
      answer: null,
      async handle({ request, reply }) {
        const secret = sessionIn(request.headers.cookie, { isTls })
        if (secret === null) return
        demandOwnPage(request.headers, options)
        forget(reply, { ...options, secret })
      },
    }),
  ]
}

const viewOf = ({ name, scopes }: Holder): SessionView => ({ name, scopes: [...scopes] })

/** The one that the browser had before. */
function endSession({ headers }: FastifyRequest, { sessions, isTls }: SessionEndpointsOptions): void {
  const secret = sessionIn(headers.cookie, { isTls })
  if (secret !== null) sessions.end(secret)
}

function forget(
  reply: FastifyReply,
  { sessions, isTls, secret }: SessionEndpointsOptions & { readonly secret: string },
): void {
  sessions.end(secret)
  reply.header('set-cookie', endedCookie({ isTls }))
}
