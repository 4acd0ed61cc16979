/**
 * One call of OVHcloud's API, and the routes made of it. Every well-formed organisation and service leads to this
 * relay, which is one service: scripts keep the names that they have.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { canonicalDomain, parseAddress } from '../../address.ts'
import { senderKey } from '../../route/sender.ts'
import { checked } from '../bad-input.ts'
import type { Credentials } from './credentials.ts'
import { OvhcloudError } from './ovhcloud-error.ts'

export interface Asked<Query, Body> {
  readonly path: PathParameters
  readonly query: Query
  readonly body: Body
  /** Who asks, as the audit names it. */
  readonly by: string
}

/** Those that the path has; others are not to be asked for. */
export interface PathParameters {
  readonly id: number
  /** As senders are compared. */
  readonly primaryEmailAddress: string
  readonly domainName: string
}

export interface Call<Query = unknown, Body = unknown> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Behind the service: `/sendConnector/:id`. */
  readonly path: string
  readonly query?: z.ZodType<Query>
  readonly body?: z.ZodType<Body>
  /** What is answered as JSON; null for what OVHcloud calls void. */
  handle(asked: Asked<Query, Body>): Promise<unknown>
}

/** Keeps the types of one declaration together. */
export function call<Query, Body>(declared: Call<Query, Body>): Call {
  return declared as unknown as Call
}

const service = '/email/exchange/:organizationName/service/:exchangeService'

export function addCall(server: FastifyInstance, declared: Call, credentials: Credentials): void {
  const { method, path } = declared
  server.route<{ Params: Record<string, string> }>({
    method,
    url: service + path,
    // Before the body is read: who may not ask must not make us read.
    onRequest: (request) => credentials.admit(request, method === 'GET' ? 'read' : 'admin'),
    preHandler: async (request) => credentials.verify(request, bodyOf(request)),
    handler: async (request, reply) => {
      const answer = await declared.handle({
        path: pathParameters(request.params),
        query: checked(declared.query ?? nothing, request.query, 'query'),
        body: checked(declared.body ?? nothing, parsedBody(request), 'body'),
        by: credentials.holderOf(request),
      })
      return answered(reply, answer)
    },
  })
}

export function answered(reply: FastifyReply, answer: unknown): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(answer))
}

const nothing = z.strictObject({})

/** The bytes as they came: they are signed. */
function bodyOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

/** Whatever its type says: `curl -d` calls all it sends a form. */
function parsedBody(request: FastifyRequest): unknown {
  const bytes = bodyOf(request)
  // The clients send nothing where there are no parameters.
  if (bytes.length === 0) return {}
  if (!isUtf8(bytes)) throw new OvhcloudError(400, 'The body must be text in UTF-8')
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new OvhcloudError(400, 'The body is no JSON')
  }
}

function pathParameters(given: Record<string, string>): PathParameters {
  for (const name of ['organizationName', 'exchangeService'])
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(given[name] ?? ''))
      throw new OvhcloudError(404, 'This service does not exist', { field: name })
  return {
    id: given.id === undefined ? 0 : number(given.id),
    primaryEmailAddress: given.primaryEmailAddress === undefined ? '' : address(given.primaryEmailAddress),
    domainName: given.domainName === undefined ? '' : domain(given.domainName),
  }
}

function number(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new OvhcloudError(400, 'id must be a whole number', { field: 'id' })
}

function address(text: string): string {
  const parsed = parseAddress(text)
  if (!('error' in parsed)) return senderKey(parsed.address)
  throw new OvhcloudError(400, 'primaryEmailAddress must be a mail address such as user@example.com', {
    field: 'primaryEmailAddress',
  })
}

function domain(text: string): string {
  const canonical = canonicalDomain(text)
  if (canonical !== null) return canonical
  throw new OvhcloudError(400, 'domainName must be a domain name such as example.com', {
    field: 'domainName',
  })
}
