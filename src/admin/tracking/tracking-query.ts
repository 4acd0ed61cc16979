/** What `GET /tracking` takes. */
import { z } from 'zod'
import { text } from '../../config/values.ts'
import { isItemId, isMessageId } from '../../message-id.ts'
import { isCursor } from '../../tracking/cursor.ts'
import type { TrackingFilter } from '../../tracking/filter.ts'
import { connectorIdText, pageLimit, recipientText, senderText } from '../query-values.ts'

export const mostEvents = 1000
export const mostIds = 100

const ids = text((given) => {
  const listed = given.split(',')
  const valid = listed.length <= mostIds && listed.every((id) => isItemId(id) || isMessageId(id))
  return valid ? listed : null
}, `must be the id of an item or of a message, or up to ${mostIds} of them separated by commas`).describe(
  'of an item or of a message; several separated by commas',
)

const guid = text(
  (given) => (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(given) ? given.toLowerCase() : null),
  'must be a GUID',
)

const instant = text((given) => {
  const at = /^\d{1,15}$/.test(given) ? Number(given) : Date.parse(given)
  return Number.isNaN(at) ? null : at
}, 'must be an instant such as 2026-01-31T18:00:00Z').describe(
  '2026-01-31T18:00:00Z, or milliseconds since 1970',
)

export const trackingQuery = z.strictObject({
  id: ids.optional(),
  internetMessageId: z
    .string()
    .regex(/^[^\u0000-\u001f\u007f]{1,998}$/, 'must be a Message-ID, with its angle brackets')
    .optional()
    .describe('the Message-ID field, with its angle brackets: all events of the messages that have it'),
  networkMessageId: guid.optional().describe('by which Exchange knows the message: all of its events'),
  sender: senderText.optional(),
  recipient: recipientText.optional(),
  connector: connectorIdText.optional().describe('the id of a connector, or the name of a listener'),
  event: z
    .string()
    .regex(/^[A-Z]{2,30}$/, 'must be an event such as RECEIVE, SEND, DEFER or FAIL')
    .optional()
    .describe('RECEIVE, SEND, DEFER, FAIL …'),
  from: instant.optional(),
  until: instant.optional(),
  limit: pageLimit({ most: mostEvents, standard: 100 }),
  after: z
    .string()
    .refine(isCursor, 'must be the `next` of the page before')
    .optional()
    .describe('the `next` of the page before')
    .transform((cursor) => cursor ?? null),
  format: z
    .enum(['json', 'csv'], { error: 'must be json or csv' })
    .default('json')
    .describe(
      "csv: lines of Exchange's message tracking log; `next` is then in the header field X-Relay-Next",
    ),
})
export type TrackingQuery = z.infer<typeof trackingQuery>

/** As the history is searched. */
export function trackingFilterOf(query: TrackingQuery): TrackingFilter {
  const { id, limit: _limit, after: _after, format: _format, ...filter } = query
  const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
  return id === undefined ? given : { ...given, ids: id }
}
