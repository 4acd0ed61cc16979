/** What a test of a connector found, host by host. */
import { z } from 'zod'

const stepSchema = z.object({
  step: z.enum(['resolve', 'connect', 'greeting', 'ehlo', 'tls', 'certificate', 'auth', 'quit']),
  ok: z.boolean(),
  text: z.string().describe("the host's reply, or what was found"),
})

const certificateFactsSchema = z.object({
  subject: z.string(),
  names: z.string(),
  issuer: z.string(),
  validFrom: z.string(),
  validTo: z.string(),
  chainFault: z.string().nullable().describe('why it does not lead to a trusted root'),
  nameFault: z.string().nullable().describe('why it is not made for the name it must carry'),
})

const testedHostSchema = z.object({
  smartHost: z.string(),
  address: z.string().nullable(),
  steps: z.array(stepSchema).readonly(),
  extensions: z.array(z.string()).readonly().describe('of the answer to EHLO'),
  certificate: certificateFactsSchema.nullable(),
})

export const connectorTestSchema = z
  .object({
    connector: z.string().nullable().describe('null where it is not saved'),
    name: z.string(),
    port: z.number(),
    ok: z.boolean().describe('every step at every host'),
    hosts: z.array(testedHostSchema).readonly(),
  })
  .meta({ id: 'ConnectorTest' })
export type ConnectorTest = z.infer<typeof connectorTestSchema>
