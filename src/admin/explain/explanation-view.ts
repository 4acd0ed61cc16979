/** What `POST /explain` takes and answers. */
import { z } from 'zod'
import { parseAddress } from '../../address.ts'
import { address, ipAddress, size, text } from '../../config/values.ts'
import type { Explanation } from './explanation.ts'

/** A header may be so large; the mail's own limit is a listener's maxHeaderSize. */
export const mostHeaderBytes = 256 * 1024

export const explainInput = z.strictObject({
  from: text(
    parseReversePath,
    'must be a mail address such as user@example.com, or <> for the null reverse-path',
  ).describe('the envelope sender; "" or "<>" is the null reverse-path'),
  to: z.array(address).min(1, 'must name a recipient').max(100).describe('recipients'),
  size: size(0)
    .nullable()
    .default(null)
    .describe("of the message; null: the message's own, or not known yet"),
  header: z
    .array(
      z
        .string()
        .regex(/^[\x21-\x39\x3b-\x7e]+:[^\r\n]*$/, "must be a header field such as 'From: a@example.com'"),
    )
    .max(1000)
    .default([])
    .describe('header fields, where no message is given'),
  ip: ipAddress.nullable().default(null).describe("the client's IP address: may it submit?"),
  message: z.string().nullable().default(null).describe('a whole message: the rules look at it'),
  messageBase64: z
    .base64({ error: 'must be base64' })
    .nullable()
    .default(null)
    .describe('the same in base64, where it is not UTF-8'),
})
/** The null one is the empty string. */
function parseReversePath(given: string): string | null {
  if (given === '' || given === '<>') return ''
  const parsed = parseAddress(given)
  return 'error' in parsed ? null : parsed.address
}

export type ExplainInput = z.input<typeof explainInput>

const reply = z.object({ code: z.number(), enhanced: z.string().nullable(), text: z.string() })

const binding = z.object({
  of: z.enum(['address', 'domain']),
  value: z.string(),
  connector: z.string().nullable(),
})

const candidate = z.object({
  connector: z.string(),
  name: z.string(),
  space: z.string().nullable().describe('null: none of its spaces matches'),
  outcome: z.enum(['chosen', 'disabled', 'tooSmall', 'lessSpecific', 'higherCost', 'laterName', 'noMatch']),
})

const step = z.discriminatedUnion('step', [
  z.object({ step: z.literal('binding'), sender: z.string().nullable(), binding: binding.nullable() }),
  z.object({
    step: z.literal('boundConnector'),
    connector: z.string(),
    outcome: z.enum(['chosen', 'notCovered', 'disabled', 'tooSmall', 'missing']),
  }),
  z.object({ step: z.literal('addressSpaces'), candidates: z.array(candidate) }),
  z.object({
    step: z.literal('default'),
    connector: z.string().nullable(),
    outcome: z.enum(['chosen', 'disabled', 'tooSmall', 'none']),
  }),
  z.object({ step: z.literal('nothing'), outcome: z.enum(['tooLarge', 'reject', 'hold']) }),
])

const decision = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('connector'),
    connector: z.string(),
    why: z.object({
      rule: z.enum(['senderAddress', 'senderDomain', 'addressSpace', 'default', 'policy']),
      entry: z.string().describe('of the configuration: the binding, the address space, the rule'),
    }),
  }),
  z.object({ kind: z.literal('refuse'), reply }),
  z.object({ kind: z.literal('unreachable') }),
])

const because = z.array(z.object({ condition: z.string(), value: z.string() }))

const match = z.object({
  rule: z.string(),
  mode: z.enum(['enforce', 'audit', 'test']),
  because,
  recipients: z.array(z.string()),
  actions: z.array(z.string()),
  severity: z.enum(['low', 'medium', 'high']).nullable(),
})

const ruleOutcome = z.object({
  rule: z.string(),
  outcome: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('matched'), match }),
    z.object({ kind: z.literal('notMatched'), condition: z.string() }),
    z.object({ kind: z.literal('excepted'), condition: z.string(), value: z.string() }),
    z.object({
      kind: z.enum([
        'disabled',
        'notYetActive',
        'noLongerActive',
        'stoppedBefore',
        'passedOver',
        'notInspected',
      ]),
    }),
  ]),
})

/** What is not shown to people one by one: it is handed on as it is. */
const asItIs = z.looseObject({})

const explanationSchema = z
  .object({
    routed: z.boolean().describe('every recipient leaves by a connector, and the client may submit'),
    access: z
      .object({
        ip: z.string(),
        senders: z
          .union([z.literal('all'), z.array(z.string())])
          .nullable()
          .describe('as whom it may send; null: it may not'),
        refusal: reply.nullable(),
      })
      .nullable()
      .describe('null where no client address was asked about'),
    sender: z.object({
      identity: z.string().nullable().describe('whose binding counts'),
      from: z.enum(['envelope', 'header', 'headerOrEnvelope']).describe('routing.senderIdentity'),
      defect: z.string().nullable().describe('of the From field, where it counts'),
    }),
    policy: z
      .object({ verdict: asItIs, outcomes: z.array(ruleOutcome), fates: z.array(asItIs) })
      .nullable()
      .describe('null where there are no rules'),
    recipients: z.array(
      z.object({
        recipient: z.string(),
        policy: z.string().nullable().describe('what the rules do to it, in words'),
        steps: z
          .array(step)
          .nullable()
          .describe('of routing; null where it does not go on, or a rule chose the connector'),
        decision: decision.nullable().describe('null where it is dropped'),
      }),
    ),
  })
  .meta({ id: 'Explanation' })

/** Of the parts that are handed on as they are, a relay of this version says what they are. */
export const explanationView = explanationSchema as unknown as z.ZodType<Explanation>
