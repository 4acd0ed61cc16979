/**
 * What rspamd answers to /checkv2, read with care: all of it ends in headers, replies and logs. Fields that we do not
 * use may be there and be anything; those we use are what they should be, or the answer is an error.
 */
import { z } from 'zod'
import { parseAddress } from '../../address.ts'
import { parseJsonAnswer } from './json-answer.ts'
import { oneLine } from './outside-reply.ts'

export interface AddedField {
  readonly name: string
  readonly value: string
  /** As milters count: 0 and 1 are the top, below zero from the end; null: at the end. */
  readonly order: number | null
}

export interface RspamdAnswer {
  readonly action: string
  /** `add header, score 7.2 of 15: SYMBOL(5.2), OTHER(2)` */
  readonly note: string
  /** For the client; null: it said none. */
  readonly smtpMessage: string | null
  /** Of action `rewrite subject`, encoded. */
  readonly subject: string | null
  readonly dkimSignatures: readonly string[]
  readonly milter: {
    readonly addFields: readonly AddedField[]
    /** The nth of its name, 0 all of them, below zero from the end. */
    readonly removeFields: readonly { readonly name: string; readonly nth: number }[]
    /** Of action `add header`. */
    readonly spamFields: readonly { readonly name: string; readonly value: string }[]
    /** Canonical; the empty string is the null reverse-path. */
    readonly sender: string | null
    readonly added: readonly string[]
    readonly removed: readonly string[]
    /** What action `reject` means. */
    readonly onReject: 'reject' | 'discard' | 'quarantine'
    readonly ignoreAction: boolean
  }
}

/** Throws with what is wrong. */
export function parseRspamdAnswer(body: string): RspamdAnswer {
  const answer = parseJsonAnswer(body, answerSchema)
  const { milter } = answer
  return {
    action: answer.action,
    note: noteOf(answer),
    smtpMessage: answer.messages.smtp_message ?? null,
    subject: answer.subject ?? null,
    dkimSignatures: [answer['dkim-signature'] ?? []].flat(),
    milter: {
      addFields: Object.entries(milter.add_headers).flatMap(([name, values]) =>
        [values].flat().map((value) => addedField(name, value)),
      ),
      removeFields: Object.entries(milter.remove_headers).map(([name, nth]) => ({ name, nth })),
      spamFields: spamFields(milter.spam_header),
      sender: milter.change_from ?? null,
      added: milter.add_rcpt,
      removed: milter.del_rcpt,
      onReject: milter.reject === 'discard' || milter.reject === 'quarantine' ? milter.reject : 'reject',
      ignoreAction: milter.no_action,
    },
  }
}

const fieldName = z.string().regex(/^[\x21-\x39\x3b-\x7e]{1,76}$/, 'no name of a header field')

/** Folded as it may be; a line break that is no fold would begin a field of somebody else's. */
const fieldValue = z
  .string()
  .max(64 * 1024)
  .refine(
    (value) => !/[\0\r\n]/.test(value.replace(/\r?\n(?=[ \t])/g, '')),
    'a line break or NUL in a header field',
  )

const added = z.union([
  fieldValue,
  z.object({ value: fieldValue, order: z.int().optional(), index: z.int().optional() }),
])

const envelopeAddress = z.string().transform((text, context) => {
  const parsed = parseAddress(text.replace(/^<(.*)>$/, '$1'))
  if (!('error' in parsed)) return parsed.address
  context.addIssue({ code: 'custom', message: 'no mail address' })
  return z.NEVER
})
const nullPath = z.enum(['', '<>']).transform(() => '')

/** A table of Lua's that is empty comes as an empty list. */
const record = <T extends z.ZodType>(value: T) =>
  z.preprocess(
    (given) => (Array.isArray(given) && given.length === 0 ? {} : given),
    z.record(fieldName, value).default({}),
  )

const milterSchema = z.object({
  add_headers: record(z.union([added, z.array(added)])),
  remove_headers: record(z.int()),
  spam_header: z.union([fieldValue, z.record(fieldName, fieldValue)]).optional(),
  change_from: z.union([nullPath, envelopeAddress]).optional(),
  add_rcpt: z.array(envelopeAddress).default([]),
  del_rcpt: z.array(envelopeAddress).default([]),
  reject: z.string().optional(),
  no_action: z.boolean().default(false),
})

const emptyAsObject = (given: unknown): unknown =>
  given === undefined || (Array.isArray(given) && given.length === 0) ? {} : given

const answerSchema = z.object({
  action: z.string().min(1).max(100),
  score: z.number().optional(),
  required_score: z.number().optional(),
  symbols: z.preprocess(emptyAsObject, z.record(z.string(), z.object({ score: z.number().default(0) }))),
  messages: z.preprocess(emptyAsObject, z.object({ smtp_message: z.string().optional() })),
  subject: fieldValue.optional(),
  'dkim-signature': z.union([fieldValue, z.array(fieldValue)]).optional(),
  milter: z.preprocess(emptyAsObject, milterSchema),
})
type Answer = z.infer<typeof answerSchema>

function addedField(name: string, value: z.infer<typeof added>): AddedField {
  if (typeof value === 'string') return { name, value, order: null }
  return { name, value: value.value, order: value.order ?? value.index ?? null }
}

function spamFields(given: z.infer<typeof milterSchema>['spam_header']): { name: string; value: string }[] {
  if (given === undefined) return [{ name: 'X-Spam', value: 'Yes' }]
  if (typeof given === 'string') return [{ name: 'X-Spam', value: given }]
  return Object.entries(given).map(([name, value]) => ({ name, value }))
}

/** The symbols that weigh most: with them an operator sees why. */
function noteOf({ action, score, required_score: required, symbols }: Answer): string {
  const weightiest = Object.entries(symbols)
    .sort(([, a], [, b]) => Math.abs(b.score) - Math.abs(a.score))
    .slice(0, 10)
    .map(([name, symbol]) => `${name}(${rounded(symbol.score)})`)
  const scored = score === undefined ? '' : `, score ${rounded(score)}`
  const outOf = required === undefined ? '' : ` of ${rounded(required)}`
  return oneLine(`${action}${scored}${outOf}${weightiest.length === 0 ? '' : `: ${weightiest.join(', ')}`}`)
}

const rounded = (score: number): number => Math.round(score * 100) / 100
