/**
 * What OVHcloud's API answers where it does not do what was asked. Its clients read `message`, `class` (go-ovh) and
 * `errorCode` (python-ovh); the id of the query stands in `X-OVH-QUERYID` too, and in our log where the fault is ours.
 */
import { STATUS_CODES } from 'node:http'
import type { FastifyReply } from 'fastify'
import { QueueUnavailable } from '../../queue/queue.ts'
import { printable } from '../../reply.ts'
import { type Refusal, SetupRefused } from '../../setup/plan.ts'
import { StateConflict } from '../../state/state.ts'
import { Refused, TooMany } from '../problem.ts'

/** Those that its clients know. */
export type ErrorCode =
  | 'INVALID_CREDENTIAL'
  | 'INVALID_KEY'
  | 'INVALID_SIGNATURE'
  | 'INVALID_URL'
  | 'NOT_CREDENTIAL'
  | 'NOT_GRANTED_CALL'
  | 'QUERY_TIME_OUT'

export class OvhcloudError extends Error {
  override name = 'OvhcloudError'
  readonly status: number
  readonly errorCode: ErrorCode | null
  /** The parameter at fault. */
  readonly field: string | null

  constructor(
    status: number,
    message: string,
    { errorCode = null, field = null }: { errorCode?: ErrorCode | null; field?: string | null } = {},
  ) {
    super(message)
    this.status = status
    this.errorCode = errorCode
    this.field = field
  }
}

/** What whoever asked is told; null where the fault is ours, and only the log has it. */
export function ovhcloudErrorOf(error: unknown): OvhcloudError | null {
  if (error instanceof OvhcloudError) return error
  if (error instanceof SetupRefused)
    return new OvhcloudError(statuses[error.refusal], error.message, { field: error.field ?? null })
  if (error instanceof Refused) return refused(error)
  if (error instanceof StateConflict) return new OvhcloudError(409, `${error.message}: try again`)
  if (error instanceof QueueUnavailable)
    return new OvhcloudError(503, `The store is away: ${printable(error.message)}`)
  const { statusCode } = error as { statusCode?: number }
  return statusCode !== undefined && statusCode < 500
    ? new OvhcloudError(statusCode, (error as Error).message)
    : null
}

export function fail(reply: FastifyReply, error: OvhcloudError, queryId: string): FastifyReply {
  const { status, errorCode, field, message } = error
  const reason = STATUS_CODES[status] ?? 'Error'
  const from = status < 500 ? 'Client' : 'Server'
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send(
      JSON.stringify({
        class: `${from}::${reason.replace(/[^A-Za-z]/g, '')}`,
        message,
        httpCode: `${status} ${reason}`,
        ...(errorCode !== null && { errorCode }),
        ...(field !== null && { details: { field } }),
        queryId,
      }),
    )
}

const statuses: Record<Refusal, number> = {
  invalid: 400,
  missing: 404,
  conflict: 409,
  readOnly: 403,
  inUse: 409,
  noKey: 409,
}

/** Of the gate that all of the API has. */
function refused(error: Refused): OvhcloudError {
  const { status, message, field } = error
  if (error instanceof TooMany) return new OvhcloudError(429, message)
  if (status === 401) return new OvhcloudError(401, message, { errorCode: 'NOT_CREDENTIAL' })
  if (status === 403)
    return new OvhcloudError(403, `This call has not been granted: ${message}`, {
      errorCode: 'NOT_GRANTED_CALL',
    })
  return new OvhcloudError(status, message, { field: field ?? null })
}
