/** What operators post: each body is checked whole, and the first wrong field is named with what would be right. Pure. */
import { z } from 'zod'
import type { Act } from '../delivery/queue-acts.ts'
import type { ListFilter } from '../queue/queue.ts'
import { parseQueueQuery } from './queue-query.ts'

export const actKinds = ['suspend', 'resume', 'retry', 'remove', 'redirect'] as const
export type ActKind = (typeof actKinds)[number]

/** An act on whatever has the id in the path. */
export interface ActRequest {
  readonly act: Act
  readonly reason: string
}

/** An act on all items that the filter means. */
export interface ActionsRequest extends ActRequest {
  readonly filter: ListFilter
  readonly limit: number
  readonly after: string | null
}

export interface BadBody {
  readonly field: string | undefined
  readonly message: string
}

export const mostActed = 1000

const reason = z
  .string({ error: 'must be a text' })
  .regex(/^[^\p{C}\u2028\u2029]{1,200}$/u, 'must be one line of 1 to 200 characters')
  .default('asked by an operator')
const dsn = z.boolean({ error: 'must be true or false' }).default(true)
const connector = z
  .string({ error: 'must be the id of a connector' })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be the id of a connector')

const bodies = {
  suspend: z.strictObject({ reason }),
  resume: z.strictObject({ reason }),
  retry: z.strictObject({ reason }),
  remove: z.strictObject({ reason, dsn }),
  redirect: z.strictObject({ reason, connector }),
} satisfies Record<ActKind, z.ZodType>

const many = {
  filter: z.record(z.string(), z.string({ error: 'must be a text' }), {
    error: 'must say which items are meant: connector, state, sender, recipient; {} means all',
  }),
  limit: z
    .int({ error: `must be a number from 1 to ${mostActed}` })
    .min(1, `must be a number from 1 to ${mostActed}`)
    .max(mostActed, `must be a number from 1 to ${mostActed}`)
    .default(mostActed),
  after: z.string({ error: 'must be the `next` of the answer before' }).nullable().default(null),
}

const actions = z.discriminatedUnion(
  'action',
  [
    bodies.suspend.extend({ action: z.literal('suspend'), ...many }),
    bodies.resume.extend({ action: z.literal('resume'), ...many }),
    bodies.retry.extend({ action: z.literal('retry'), ...many }),
    bodies.remove.extend({ action: z.literal('remove'), ...many }),
    bodies.redirect.extend({ action: z.literal('redirect'), ...many }),
  ],
  { error: `must be ${actKinds.slice(0, -1).join(', ')} or ${actKinds.at(-1)}` },
)

export function parseAct(kind: ActKind, body: unknown): ActRequest | BadBody {
  const parsed = bodies[kind].safeParse(body)
  if (!parsed.success) return badBody(parsed.error)
  const { reason, ...rest } = parsed.data
  return { act: { kind, ...rest } as Act, reason }
}

export function parseActions(body: unknown): ActionsRequest | BadBody {
  const parsed = actions.safeParse(body)
  if (!parsed.success) return badBody(parsed.error)
  const { action, filter: fields, limit, after, reason, ...rest } = parsed.data
  const filter = parseFilter(fields)
  if ('message' in filter) return filter
  return { act: { kind: action, ...rest } as Act, reason, filter, limit, after }
}

const filterFields = ['connector', 'state', 'sender', 'recipient']

function parseFilter(fields: Readonly<Record<string, string>>): ListFilter | BadBody {
  for (const field of Object.keys(fields))
    if (!filterFields.includes(field)) {
      const message = `There is no field filter.${field}; there are ${filterFields.join(', ')}`
      return { field: `filter.${field}`, message }
    }
  const query = parseQueueQuery(fields)
  if ('field' in query) return { field: `filter.${query.field}`, message: `filter.${query.message}` }
  return query.filter
}

function badBody({ issues }: z.ZodError): BadBody {
  const issue = issues[0]!
  if (issue.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0]!].join('.')
    return { field, message: `There is no field ${field} here` }
  }
  const field = issue.path.join('.')
  if (field === '') return { field: undefined, message: 'The body must be an object' }
  return { field, message: `${field} ${issue.message}` }
}
