/**
 * What is sent to the API, against its schema: the value, or a refusal that names the first wrong field and says
 * what would be right. What was sent is never repeated, as it may be a secret.
 */
import type { z } from 'zod'
import { inWordsOfJson, mostTelling } from '../config/schema-issues.ts'
import { keysAt, nearest } from '../config/schema-walk.ts'
import { printable } from '../reply.ts'
import { Refused } from './problem.ts'

/** Where the value came from, which tells how its parts are called. */
export type Origin = 'body' | 'query' | 'path'

/** Throws `Refused` (400). */
export function checked<Value>(schema: z.ZodType<Value>, given: unknown, origin: Origin): Value {
  const parsed = schema.safeParse(given, { error: inWordsOfJson })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues.flatMap(mostTelling)
  const { field, message } = problemOf(issue!, { schema, origin })
  throw new Refused(400, message, field)
}

interface Told {
  /** Undefined where the whole is wrong. */
  readonly field: string | undefined
  readonly message: string
}

function problemOf(issue: z.core.$ZodIssue, { schema, origin }: { schema: z.ZodType; origin: Origin }): Told {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)))
  if (issue.code === 'unrecognized_keys') {
    const [key] = issue.keys as [string]
    const near = nearest(key, keysAt(schema, path))
    const field = nameOf([...path, key])
    const part = origin === 'body' ? 'field' : 'parameter'
    return { field, message: `There is no ${part} ${field}${near === null ? '' : `: did you mean ${near}?`}` }
  }
  if (path.length === 0) return { field: undefined, message: `The ${origin} ${issue.message}` }
  const field = nameOf(path)
  return { field, message: `${field} ${issue.message}` }
}

/** `limits.connections`, `addressSpaces.0`; of a key that somebody made up, no more than anybody needs to see. */
const nameOf = (path: readonly (string | number)[]): string => printable(path.join('.').slice(0, 200))
