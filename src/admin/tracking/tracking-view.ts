/**
 * Events of the tracking history as the admin port and `relay trace --json` show them. Declared as a schema, so that the
 * command checks what it is given with the declaration that the server answers by.
 */
import { z } from 'zod'
import type { TrackedEvent } from '../../tracking/tracked-event.ts'

export const trackedEventSchema: z.ZodType<TrackedEvent> = z.object({
  at: z.number(),
  event: z.string(),
  source: z.string(),
  messageId: z.string(),
  itemId: z.string().nullable(),
  internetMessageId: z.string().nullable(),
  networkMessageId: z.string().nullable(),
  /** The empty string is the null reverse-path. */
  from: z.string().nullable(),
  recipients: z.array(z.object({ address: z.string(), status: z.string().nullable() })),
  recipientCount: z.number(),
  connector: z.string().nullable(),
  client: z.string().nullable(),
  host: z.string().nullable(),
  sizeBytes: z.number().nullable(),
  context: z.string().nullable(),
  reference: z.string().nullable(),
  about: z.string().nullable(),
  details: z.record(z.string(), z.string()),
})

export const trackingPageSchema = z.object({
  events: z.array(trackedEventSchema),
  next: z.string().nullable(),
  /** Lines of the history that could not be read. */
  broken: z.number(),
})

/** Of `format=csv`, which has no room for them in its body. */
export const nextHeader = 'x-relay-next'
