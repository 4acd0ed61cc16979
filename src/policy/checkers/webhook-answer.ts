/** The answer of a webhook, in the words of our verdicts. Strict: what is misspelt is an error and no silent pass. */
import { z } from 'zod'
import { fieldName, fieldText, replyText } from '../../config/policy-schema.ts'
import { address } from '../../config/values.ts'
import { parseJsonAnswer } from './json-answer.ts'

const field = z.strictObject({ name: fieldName, value: fieldText })

/** For the log. */
const reason = fieldText.min(1).optional()

const changes = {
  reason,
  setHeaders: z.array(field).max(100).default([]),
  addHeaders: z.array(field).max(100).default([]),
  removeHeaders: z.array(fieldName).max(100).default([]),
  redirectTo: z.array(address).max(1000).default([]),
  addRecipients: z.array(address).max(1000).default([]),
  removeRecipients: z.array(address).max(50_000).default([]),
}

const answerSchema = z.discriminatedUnion('verdict', [
  z.strictObject({ verdict: z.literal('accept'), ...changes }),
  z.strictObject({ verdict: z.literal('hold'), ...changes }),
  z.strictObject({ verdict: z.literal('drop'), reason }),
  z.strictObject({
    verdict: z.literal('reject'),
    code: z.int().min(500).max(599).default(550),
    enhanced: z
      .string()
      .regex(/^5\.\d{1,3}\.\d{1,3}$/)
      .default('5.7.1'),
    text: replyText.default('Delivery not authorized, message refused'),
    reason,
  }),
  z.strictObject({
    verdict: z.literal('defer'),
    code: z.int().min(400).max(499).default(451),
    enhanced: z
      .string()
      .regex(/^4\.\d{1,3}\.\d{1,3}$/)
      .default('4.7.1'),
    text: replyText.default('Delivery deferred by policy'),
    reason,
  }),
])
export type WebhookAnswer = z.infer<typeof answerSchema>

/** Throws with what is wrong and where. */
export function parseWebhookAnswer(body: string): WebhookAnswer {
  return parseJsonAnswer(body, answerSchema)
}
