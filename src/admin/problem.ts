/**
 * What the admin port answers where it does not do what was asked: RFC 9457, with the field at fault where there is
 * one. `about:blank` says that the status tells the kind of problem; the rest is in `detail`, for people.
 */
import { STATUS_CODES } from 'node:http'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { printable } from '../reply.ts'

export const problemType = 'application/problem+json'

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  field: z.string().optional(),
})

export function fail(reply: FastifyReply, status: number, detail: string, field?: string): FastifyReply {
  const problem = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail }
  return reply
    .code(status)
    .type(problemType)
    .send(field === undefined ? problem : { ...problem, field })
}

/** A request that is refused, from wherever that is found out. */
export class Refused extends Error {
  override name = 'Refused'
  readonly status: number
  readonly field: string | undefined

  constructor(status: number, detail: string, field?: string) {
    super(detail)
    this.status = status
    this.field = field
  }
}

/** 429, and how long to wait. */
export class TooMany extends Refused {
  readonly retryAfterMs: number

  constructor(detail: string, retryAfterMs: number) {
    super(429, detail)
    this.retryAfterMs = retryAfterMs
  }
}

/** What the answer needs cannot be read or written now; `what` begins the sentence that says so. */
export function storeAway(what: string, error: unknown): Refused {
  const reason = error instanceof Error ? error.message : String(error)
  return new Refused(503, `${what}: ${printable(reason)}`)
}

/** The answer, with the header fields that belong to its status (RFC 9110 §10.2.3, §11.6.1). */
export function refuse(reply: FastifyReply, error: Refused): FastifyReply {
  if (error instanceof TooMany) reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000))
  if (error.status === 401) reply.header('www-authenticate', 'Bearer')
  return fail(reply, error.status, error.message, error.field)
}
