/** What `/senders` takes and answers. */
import { z } from 'zod'
import type { CurrentSetup, SetSender } from '../../setup/current.ts'
import { boundConnector, formatSender, senderId } from '../../setup/sender-object.ts'
import { connectorIdText, pageLimit } from '../query-values.ts'
import { warningView } from '../warning-view.ts'

export const senderView = z.object({
  sender: z.string().describe('user@example.com, or @example.com for the default of a domain'),
  connector: z.string().nullable().describe('null: none, also where the domain has a default'),
  connectorName: z.string().nullable(),
  origin: z.enum(['file', 'api']).describe('file: read-only'),
  version: z.number().nullable(),
  createdAt: z.number().nullable(),
  changedAt: z.number().nullable(),
})
export type SenderView = z.infer<typeof senderView>

export const boundSenderView = senderView.extend({
  warnings: z.array(warningView).describe('what is allowed, and may not be meant'),
})
export type BoundSenderView = z.infer<typeof boundSenderView>

export const senderListView = z.object({
  senders: z.array(senderView).describe('by sender'),
  total: z.number().describe('how many match'),
  next: z.string().nullable().describe('`after` of the next page'),
})
export type SenderListView = z.infer<typeof senderListView>

export const importedView = z.object({
  created: z.number(),
  changed: z.number(),
  unchanged: z.number(),
  removed: z.number(),
  warnings: z.array(warningView),
})
export type ImportedView = z.infer<typeof importedView>

export const senderQuery = z.strictObject({
  search: z.string().max(320).optional().describe('stands somewhere in the sender, in any case'),
  connector: z
    .union([z.literal('0'), connectorIdText], { error: 'must be the id of a connector, or 0 for none' })
    .optional()
    .describe('bound to this one; 0: to none'),
  origin: z.enum(['file', 'api']).optional(),
  limit: pageLimit({ most: 1000, standard: 100 }),
  after: z
    .string()
    .max(320)
    .nullable()
    .default(null)
    .meta({ type: 'string', description: 'the `next` of the page before' }),
  format: z.enum(['json', 'csv']).optional().describe('csv: all that match, as lines `sender,connector`'),
})
export type SenderQuery = z.infer<typeof senderQuery>

export const senderParams = z.strictObject({ sender: senderId })

const version = z.int().min(1)

export const bindInput = z.strictObject({
  connector: boundConnector,
  version: version.optional().describe('of the binding that is replaced; left out: whatever is there'),
})

/** Each binding is checked when it is read: there may be 100,000. */
const jsonImport = z.strictObject({
  senders: z.array(z.unknown()).meta({
    items: {
      type: 'object',
      properties: { sender: { type: 'string' }, connector: { type: ['string', 'integer', 'null'] } },
      required: ['sender', 'connector'],
      additionalProperties: false,
    },
  }),
  replace: z.boolean().default(false).describe('remove the bindings made here that are not named'),
})

const { $schema: _schema, ...jsonImportAsSent } = z.toJSONSchema(jsonImport, { io: 'input' })

/** CSV comes as text, which the document of the API says of that type alone. */
export const importInput = z.union([z.string(), jsonImport]).meta({ anyOf: undefined, ...jsonImportAsSent })

export const importQuery = z.strictObject({
  replace: z
    .enum(['true', 'false'])
    .optional()
    .describe('with CSV: true removes the bindings made here that are not named'),
})

export function senderViewOf(
  { id, origin, connector, stored }: SetSender,
  current: CurrentSetup,
): SenderView {
  const named = current.connectors.find((each) => each.id === connector)
  return {
    sender: formatSender(id),
    connector,
    connectorName: named?.connector.name ?? null,
    origin,
    version: stored?.version ?? null,
    createdAt: stored?.createdAt ?? null,
    changedAt: stored?.changedAt ?? null,
  }
}
