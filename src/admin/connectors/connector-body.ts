/** What is sent to make a connector, to change one and to change how it logs in. */
import { z } from 'zod'
import { connectorId } from '../../config/values.ts'
import { connectorInput, connectorSettings, password } from '../../setup/connector-object.ts'
import type { Authentication, ConnectorChanges } from '../../setup/connector-plans.ts'

export const connectorVersion = z
  .int()
  .min(1)
  .describe('of the connector as it was read: what somebody else changed meanwhile is not lost')

export const connectorParams = z.object({ id: z.string() })

export const newConnectorBody = connectorInput.extend({
  id: connectorId.optional().describe('number or word; left out: the next number'),
})
export type NewConnectorBody = z.input<typeof newConnectorBody>

export const testBody = connectorInput.extend({
  id: connectorId
    .optional()
    .describe(
      'of a connector: its stored credentials are used where none are given and they go the same way',
    ),
})
export type TestBody = z.input<typeof testBody>

const authentication = {
  smartHostAuthMechanism: connectorSettings.shape.smartHostAuthMechanism
    .unwrap()
    .optional()
    .describe('none forgets user and password'),
  user: connectorSettings.shape.user.unwrap().optional(),
  password: password
    .nullable()
    .optional()
    .describe('write-only; left out: the stored one, for the same user'),
}

export const authenticationBody = z.strictObject({ version: connectorVersion, ...authentication })

/** Said where somebody looks for it: a login is changed as a whole. */
const elsewhere = () =>
  z
    .never({ error: `is ${changedElsewhere}` })
    .optional()
    .describe(changedElsewhere)
const changedElsewhere = 'changed by PUT /connectors/:id/authentication, or with `authentication` here'

const { smartHostAuthMechanism: _mechanism, user: _user, limits, ...settings } = connectorSettings.shape

/** As it is sent, which is what the plan of a change takes. */
export interface ConnectorPatch extends ConnectorChanges {
  readonly version: number
  readonly authentication?: Authentication
}

export const connectorPatch = z.strictObject({
  version: connectorVersion,
  ...changesOf(settings),
  limits: z
    .strictObject(changesOf(limits.unwrap().shape))
    .nullable()
    .optional()
    .describe('one by one; null: all their defaults'),
  clientCertificate: connectorInput.shape.clientCertificate.unwrap().optional(),
  authentication: z
    .strictObject(authentication)
    .optional()
    .describe('in the same step, so that new smart hosts and their credentials come together'),
  smartHostAuthMechanism: elsewhere(),
  user: elsewhere(),
  password: elsewhere(),
})

/** What is left out stays as it is; null takes back what has a default. */
function changesOf(shape: Readonly<Record<string, z.core.$ZodType>>): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(shape).map(([name, schema]) => [name, changeOf(schema)]))
}

function changeOf(schema: z.core.$ZodType): z.ZodType {
  if (!(schema instanceof z.ZodDefault)) return (schema as z.ZodType).optional()
  const bare = schema.unwrap() as z.ZodType
  const description = schema.description ?? ''
  // What may be null already says what that means.
  if (bare instanceof z.ZodNullable) return bare.optional().describe(description)
  return bare.nullable().optional().describe(`${description}; null: the default`)
}
