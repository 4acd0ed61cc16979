/**
 * The schema's verdict on a configuration, as findings in our words: every error with the value that is there
 * and what would be right. Values of secret keys are never repeated: people write passwords where they do not belong.
 */
import { z } from 'zod'
import { type Path, valueAt } from './path.ts'
import { error, type Finding } from './problem.ts'
import { configSchema } from './schema.ts'
import { expectation, mostTelling } from './schema-issues.ts'
import { keysAt, nearest, schemasAt } from './schema-walk.ts'

/** Keys whose value is, or may hold, a secret. */
const secretKeys = new Set(['password', 'passwordHash', 'url', 'env', 'file', 'key'])

export function schemaFindings(value: unknown): Finding[] {
  const result = configSchema.safeParse(value, { error: (issue) => expectation(issue, kinds) })
  if (result.success) return []
  return result.error.issues.flatMap(mostTelling).flatMap((issue) => findingsOf(issue, value))
}

/** `; it is 70000`, or nothing where the value must not be shown. */
function isNow(value: unknown, at: Path): string {
  if (at.some((step) => typeof step === 'string' && secretKeys.has(step))) return ''
  if (Array.isArray(value)) return '; it is a list'
  if (typeof value === 'object' && value !== null) return '; it is a mapping'
  return `; it is ${JSON.stringify(value)?.slice(0, 100)}`
}

function findingsOf(issue: z.core.$ZodIssue, root: unknown): Finding[] {
  const at = issue.path as Path
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => error([...at, key], `unknown key${meant(key, at)}`))
  const value = valueAt(root, at)
  const message = value === undefined ? missing(at) : `${issue.message}${isNow(value, at)}`
  return [error(at, message)]
}

function meant(key: string, at: Path): string {
  const known = keysAt(configSchema, at)
  const near = nearest(key, known)
  return near === null ? `: known here are ${known.join(', ')}` : `: did you mean ${near}?`
}

function missing(at: Path): string {
  const description = schemasAt(configSchema, at)
    .map((schema) => z.globalRegistry.get(schema)?.description)
    .find((text) => text !== undefined)
  return description === undefined ? 'is missing' : `is missing: ${description}`
}

const kinds: Record<string, string> = {
  string: 'text (in quotes, if it looks like something else)',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
}
