/** What operators post to act upon the queue. */
import { z } from 'zod'
import type { Act } from '../../delivery/queue-acts.ts'
import { connectorIdText } from '../query-values.ts'
import { filterFields } from './queue-query.ts'

export const actKinds = ['suspend', 'resume', 'retry', 'remove', 'redirect'] as const
export type ActKind = (typeof actKinds)[number]

export const mostActed = 1000

const reason = z
  .string()
  .regex(/^[^\p{C}\u2028\u2029]{1,200}$/u, 'must be one line of 1 to 200 characters')
  .default('asked by an operator')
  .describe('for the log and the history')
const dsn = z.boolean().default(true).describe('whether the sender is told')
const connector = connectorIdText.describe('in whose queue the mail is to wait')

export const actBodies = {
  suspend: z.strictObject({ reason }),
  resume: z.strictObject({ reason }),
  retry: z.strictObject({ reason }),
  remove: z.strictObject({ reason, dsn }),
  redirect: z.strictObject({ reason, connector }),
} satisfies Record<ActKind, z.ZodType>

const many = {
  filter: z
    .strictObject(filterFields, {
      error: 'must say which items are meant: connector, state, sender, recipient; {} means all',
    })
    .describe('which items are meant; {} means all'),
  limit: z
    .int({ error: `must be a number from 1 to ${mostActed}` })
    .min(1, `must be a number from 1 to ${mostActed}`)
    .max(mostActed, `must be a number from 1 to ${mostActed}`)
    .default(mostActed)
    .describe('how many are looked at; `next` in the answer leads to the others'),
  after: z.string().nullable().default(null).describe('the `next` of the answer before'),
}

export const actionsBody = z.discriminatedUnion(
  'action',
  [
    actBodies.suspend.extend({ action: z.literal('suspend'), ...many }),
    actBodies.resume.extend({ action: z.literal('resume'), ...many }),
    actBodies.retry.extend({ action: z.literal('retry'), ...many }),
    actBodies.remove.extend({ action: z.literal('remove'), ...many }),
    actBodies.redirect.extend({ action: z.literal('redirect'), ...many }),
  ],
  {
    error: ({ code }) =>
      code === 'invalid_union'
        ? `must be ${actKinds.slice(0, -1).join(', ')} or ${actKinds.at(-1)}`
        : 'must be an object',
  },
)
export type ActionsBody = z.infer<typeof actionsBody>

/** What is to be done, without why and to what. */
export function actOf(kind: ActKind, fields: object): Act {
  const { dsn, connector } = fields as { readonly dsn: boolean; readonly connector: string }
  switch (kind) {
    case 'remove':
      return { kind, dsn }
    case 'redirect':
      return { kind, connector }
    default:
      return { kind }
  }
}
