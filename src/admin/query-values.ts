/**
 * What stands in the path and behind the question mark is text: here it becomes what is meant, and where it means
 * nothing it is said what would be right. In the OpenAPI document each is described as it is sent.
 */
import { z } from 'zod'
import { canonicalDomain, parseAddress } from '../address.ts'
import { text } from '../config/values.ts'
import { isItemId, isMessageId } from '../message-id.ts'

export const itemOrMessageId = z
  .string()
  .refine((id) => isItemId(id) || isMessageId(id), 'must be the id of an item or of a message')
  .describe('of an item, or of a message: then all its items are meant')

/** In the path. */
export const byItemOrMessageId = z.strictObject({ id: itemOrMessageId })

export const connectorIdText = z
  .string({ error: 'must be the id of a connector' })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be the id of a connector')

const addressForm = 'must be an address such as user@example.com, or @example.com for a whole domain'

export const recipientText = text(parseAddressOrDomain, addressForm).describe(
  'user@example.com, or @example.com for a whole domain',
)

/** The null reverse-path is the empty string. */
export const senderText = text(
  (sender) => (sender === '<>' ? '' : parseAddressOrDomain(sender)),
  `${addressForm}, or <> for the null reverse-path`,
).describe('user@example.com, @example.com for a whole domain, or <> for the null reverse-path')

/** How much is answered at once. */
export function pageLimit({ most, standard }: { most: number; standard: number }) {
  const message = `must be a number from 1 to ${most}`
  const read = (given: string): number | null =>
    /^\d{1,7}$/.test(given) && Number(given) >= 1 && Number(given) <= most ? Number(given) : null
  return text(read, message)
    .default(standard)
    .meta({ type: 'integer', minimum: 1, maximum: most, description: 'how many at most' })
}

/** Of what is removed; in the query it is text. */
export const versionQuery = z.strictObject({
  version: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, 'must be a version')
    .transform(Number)
    .optional()
    .meta({ type: 'integer', description: 'of what is removed; left out: whatever is there' }),
})

export const pageCursor = z
  .string()
  .regex(/^[\x20-\x7e]{1,300}$/, 'must be the `next` of the page before')
  .optional()
  .describe('the `next` of the page before')
  .transform((cursor) => cursor ?? null)

/** What is stored has canonical forms, so `User@Example.COM` must become what was stored. */
function parseAddressOrDomain(given: string): string | null {
  if (given.startsWith('@')) {
    const domain = canonicalDomain(given.slice(1))
    return domain === null ? null : `@${domain}`
  }
  const parsed = parseAddress(given)
  return 'error' in parsed ? null : parsed.address
}
