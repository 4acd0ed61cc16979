/** What `GET /queue` takes. Of its filter the acts on many items take all but the id. */
import { z } from 'zod'
import {
  connectorIdText,
  itemOrMessageId,
  pageCursor,
  pageLimit,
  recipientText,
  senderText,
} from '../query-values.ts'

export const maxLimit = 1000

export const itemStates = z.enum(['ready', 'deferred', 'leased', 'suspended'], {
  error: 'must be ready, deferred, leased or suspended',
})

/** Left out: whichever. */
export const filterFields = {
  connector: connectorIdText.optional(),
  state: itemStates.optional(),
  sender: senderText.optional(),
  recipient: recipientText.optional(),
}

export const queueQuery = z.strictObject({
  ...filterFields,
  id: itemOrMessageId.optional(),
  order: z
    .enum(['oldest', 'newest'], { error: 'must be oldest or newest' })
    .optional()
    .describe('by reception; left out: as the store finds them fastest'),
  limit: pageLimit({ most: maxLimit, standard: 100 }),
  after: pageCursor,
})
