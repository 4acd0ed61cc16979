/**
 * What the API can be asked, declared once: from a declaration come the route, the check of who asks and of what is
 * sent, and the part of the OpenAPI document that describes it. A handler sees checked values only; it answers with
 * what its schema says, or throws: `Refused` for a problem of its own words, whatever else is mapped here.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { QueueFull, QueueUnavailable } from '../queue/queue.ts'
import { type Refusal, SetupRefused } from '../setup/plan.ts'
import type { Scope } from '../setup/token.ts'
import { StateConflict } from '../state/state.ts'
import { checked } from './bad-input.ts'
import { Refused, storeAway, TooMany } from './problem.ts'

export interface Asked<Params, Query, Body> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  /** Who asks: the holder of a token, as the audit names it; '' where anybody may. */
  readonly by: string
  readonly request: FastifyRequest
  /** For further header fields, or to send what is no JSON. */
  readonly reply: FastifyReply
}

export interface Endpoint<Params = unknown, Query = unknown, Body = unknown, Answer = unknown> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `/connectors/:id` */
  readonly path: string
  /** What a token needs; null: anybody may ask. */
  readonly scope: Scope | null
  /** Not counted as a request of whoever asks: machines ask it, and must be answered. */
  readonly isUnlimited?: boolean
  /** The part of the reference it belongs to: Connectors, Senders … */
  readonly part: string
  /** One sentence without a full stop. */
  readonly summary: string
  readonly params?: z.ZodType<Params>
  /** Without one, every parameter is refused. */
  readonly query?: z.ZodType<Query>
  readonly body?: z.ZodType<Body>
  /** JSON alone unless it says otherwise: no form of a web page can send that. */
  readonly bodyTypes?: readonly string[]
  readonly bodyLimitBytes?: number
  /** Null: nothing is answered (204). */
  readonly answer: z.ZodType<Answer> | null
  /** 200 unless it says otherwise. */
  readonly status?: 201 | 202
  /** Where the answer is no JSON: the handler sends it itself and returns the reply. */
  readonly mediaType?: string
  /** Statuses of problems beyond those that every endpoint may have (400, 401, 403, 421, 429, 500, 503). */
  readonly problems?: readonly number[]
  handle(asked: Asked<Params, Query, Body>): Promise<Answer | FastifyReply>
}

export interface Gate {
  /** Whether whoever asks has the scope; resolves with who it is, else rejects with `Refused`. */
  admit(request: FastifyRequest, scope: Scope): Promise<string>
  /** For what anybody may ask, though not without end. Throws `Refused`. */
  count(request: FastifyRequest): void
}

/** Keeps the types of one declaration together. */
export function endpoint<Params, Query, Body, Answer>(
  declared: Endpoint<Params, Query, Body, Answer>,
): Endpoint {
  return declared as unknown as Endpoint
}

export class Api {
  readonly #server: FastifyInstance
  readonly #gate: Gate
  readonly #endpoints: Endpoint[] = []
  /** How many requests with large bodies are under way. */
  #large = 0

  constructor(server: FastifyInstance, gate: Gate) {
    this.#server = server
    this.#gate = gate
    const parse = server.getDefaultJsonParser('error', 'error')
    server.addContentTypeParser(jsonType, { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
      if (!isUtf8(bytes)) return done(notUtf8())
      return parse(request, bytes.toString(), done)
    })
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints
  }

  add(...endpoints: readonly Endpoint[]): void {
    for (const each of endpoints) {
      this.#endpoints.push(each)
      for (const type of each.bodyTypes ?? []) this.#readText(type)
      this.#route(each)
    }
  }

  /** Throws `Refused` where whoever asks does so too often. */
  count(request: FastifyRequest): void {
    this.#gate.count(request)
  }

  /** What can be done at a path, for who tried something else; HEAD where GET. */
  methodsAt(path: string): string[] {
    const there = this.#endpoints.filter((each) => isAt(path, each.path))
    return [...new Set(there.flatMap((each) => (hasHead(each) ? ['GET', 'HEAD'] : [each.method])))]
  }

  #route(declared: Endpoint): void {
    const { method, path, scope, bodyLimitBytes } = declared
    const holders = new WeakMap<FastifyRequest, string>()
    this.#server.route({
      method,
      url: path,
      exposeHeadRoute: hasHead(declared),
      ...(bodyLimitBytes !== undefined && { bodyLimit: bodyLimitBytes }),
      // Before the body is read: who may not ask must not make us read.
      onRequest: async (request, reply) => {
        if (scope !== null) holders.set(request, await this.#gate.admit(request, scope))
        else if (!declared.isUnlimited) this.#gate.count(request)
        if (declared.body) demandType(request, declared.bodyTypes ?? [jsonType])
        if (mayBeLarge(request, bodyLimitBytes)) this.#takeLarge(reply)
      },
      handler: async (request, reply) => {
        try {
          return await answerTo(declared, { request, reply, by: holders.get(request) ?? '' })
        } catch (error) {
          throw translated(error)
        }
      },
    })
  }

  /** A body is in memory as a whole, and more than once: many at a time would take it from the mail. */
  #takeLarge({ raw }: FastifyReply): void {
    if (this.#large >= mostLarge) throw new TooMany('Too many large requests are under way', 1000)
    this.#large++
    raw.once('close', () => {
      this.#large--
    })
  }

  /** A body that is no JSON comes as text, without a byte order mark. */
  #readText(type: string): void {
    if (this.#server.hasContentTypeParser(type)) return
    this.#server.addContentTypeParser(
      type,
      { parseAs: 'buffer' },
      async (_: FastifyRequest, bytes: Buffer) => {
        if (!isUtf8(bytes)) throw notUtf8()
        return bytes.toString().replace(/^\ufeff/, '')
      },
    )
  }
}

const largeBytes = 1024 * 1024
const mostLarge = 4

/** One that does not say how long it is may be as long as is read. */
const mayBeLarge = ({ headers }: FastifyRequest, limitBytes = 0): boolean =>
  limitBytes > largeBytes && Number(headers['content-length'] ?? limitBytes) > largeBytes

/** What is no JSON may be a stream, which fastify would read to its end for a HEAD. */
const hasHead = ({ method, mediaType }: Endpoint): boolean => method === 'GET' && mediaType === undefined

const jsonType = 'application/json'

/** What stood there instead would be kept, in passwords too. */
const notUtf8 = (): Refused => new Refused(400, 'The body must be text in UTF-8')

async function answerTo(
  declared: Endpoint,
  { request, reply, by }: { request: FastifyRequest; reply: FastifyReply; by: string },
): Promise<unknown> {
  const answer = await declared.handle({
    params: declared.params ? checked(declared.params, request.params, 'path') : {},
    query: checked(declared.query ?? noParameters, request.query, 'query'),
    body: declared.body ? checked(declared.body, request.body, 'body') : undefined,
    by,
    request,
    reply,
  })
  if (declared.answer === null) return reply.code(204).send()
  if (declared.status !== undefined && !reply.sent) reply.code(declared.status)
  return answer
}

/** `/connectors/29` is at `/connectors/:id`. */
function isAt(path: string, pattern: string): boolean {
  const [steps, wanted] = [path.split('/'), pattern.split('/')]
  const fits = (step: string, at: number) => step === steps[at] || (step.startsWith(':') && steps[at] !== '')
  return steps.length === wanted.length && wanted.every(fits)
}

/** Without a schema there are no parameters, so each is one too many. */
const noParameters = z.strictObject({})

function demandType({ headers }: FastifyRequest, types: readonly string[]): void {
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()
  if (types.includes(type)) return
  throw new Refused(415, `The body must be ${types.join(' or ')}: say so in Content-Type`)
}

const statuses: Record<Refusal, number> = {
  invalid: 400,
  missing: 404,
  conflict: 409,
  readOnly: 409,
  inUse: 409,
  noKey: 409,
}

/** What is refused further down, as this API refuses; anything else is a fault of ours. */
function translated(error: unknown): unknown {
  if (error instanceof SetupRefused) return new Refused(statuses[error.refusal], error.message, error.field)
  if (error instanceof QueueUnavailable) return storeAway('The store is away', error)
  if (error instanceof QueueFull) return new Refused(507, error.message)
  if (error instanceof StateConflict)
    return new Refused(409, `Others are changing the same: ${error.message}; ask again`)
  return error
}
