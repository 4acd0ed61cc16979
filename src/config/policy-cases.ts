/**
 * The file that `relay policy test` runs: cases with a message and what the rules should say of it. Read with the
 * same care as the configuration: every error at once, with its place.
 */

import { parseDocument } from 'yaml'
import { z } from 'zod'
import { formatPath, type Path } from './path.ts'
import { ruleSchema } from './policy-schema.ts'
import { address, instant, ipAddress } from './values.ts'

const fate = z.enum(['pass', 'hold', 'reject', 'defer', 'drop'])

const field = z
  .string()
  .regex(/^[\x21-\x39\x3b-\x7e]+:[^\r\n]*$/, "must be a header field such as 'Subject: Hello'")

const caseSchema = z.strictObject({
  name: z.string().min(1),
  from: z
    .union([z.literal(['', '<>']).transform(() => ''), address])
    .describe("the envelope sender; '<>' is the null reverse-path"),
  to: z.array(address).min(1),
  client: z
    .strictObject({
      address: ipAddress.nullable().default(null),
      listener: z.string().nullable().default(null),
      user: z.string().nullable().default(null),
    })
    .prefault({}),
  at: instant.nullable().default(null).describe('when; null: now'),
  headers: z.array(field).default([]),
  body: z.string().default(''),
  file: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('a message, instead of headers and body; beside this file'),
  expect: z.strictObject({
    verdict: fate.optional().describe('of every recipient'),
    recipients: z.record(address, fate).optional().describe('of those that are named'),
    reply: z.string().min(1).optional().describe('how it begins, such as 550 5.7.1'),
    rules: z.array(ruleSchema.shape.name).optional().describe('those that matched, in order'),
    headers: z.array(field).optional().describe('fields of the message that the first recipient gets'),
    connector: z.union([z.string(), z.int()]).transform(String).optional().describe('that a rule chose'),
    hold: z.string().optional().describe('the reason'),
  }),
})

const fileSchema = z.strictObject({ cases: z.array(caseSchema).min(1) })
export type PolicyCase = z.infer<typeof caseSchema>

/** Every error with its place, such as `cases[2].expect.verdict: …`. */
export function parsePolicyCases(
  text: string,
): { cases: readonly PolicyCase[] } | { errors: readonly string[] } {
  const document = parseDocument(text)
  if (document.errors.length > 0) return { errors: document.errors.map(({ message }) => message) }
  const result = fileSchema.safeParse(document.toJS())
  if (result.success) return result.data
  return { errors: result.error.issues.map(({ path, message }) => `${formatPath(path as Path)}: ${message}`) }
}
