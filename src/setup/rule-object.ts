/**
 * Policy rules of the runtime state, one object each under the rule's name, and one object with their order. The file's
 * rules come before them: what stands there cannot be got around with a token.
 */
import { z } from 'zod'

export const ruleKind = 'rule'

export const ruleValue = z.strictObject({
  /** As given, under the schema of the configuration file. */
  rule: z.record(z.string(), z.unknown()),
  createdAt: z.number(),
})

export const orderKind = 'rule-order'
export const orderId = 'rules'
/** Names, the first is asked first; a rule that is not named comes last. */
export const orderValue = z.strictObject({ names: z.array(z.string()) })
