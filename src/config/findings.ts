/**
 * The schema's verdict on a configuration, as findings in our words: every error with the value that is there
 * and what would be right. Values of secret keys are never repeated: people write passwords where they do not belong.
 */
import { z } from 'zod'
import { type Path, valueAt } from './path.ts'
import { error, type Finding } from './problem.ts'
import { configSchema } from './schema.ts'
import { keysAt, nearest, schemasAt } from './schema-walk.ts'

/** Keys whose value is, or may hold, a secret. */
const secretKeys = new Set(['password', 'passwordHash', 'url', 'env', 'file', 'key'])

export function schemaFindings(value: unknown): Finding[] {
  const result = configSchema.safeParse(value, { error: (issue) => expectation(issue as z.core.$ZodIssue) })
  if (result.success) return []
  return result.error.issues.flatMap(alternatives).flatMap((issue) => findingsOf(issue, value))
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

/**
 * A union's issue says only that no alternative fits. Where one alternative fails in fewer places than all
 * others, its own issues say more.
 */
function alternatives(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const unknown = unknownToAll(issue.errors)
  if (unknown.length > 0)
    return [{ code: 'unrecognized_keys', keys: unknown, path: issue.path, message: issue.message }]
  const [best, second] = issue.errors
    .map((issues) => ({ issues, weight: weightOf(issues) }))
    .sort((a, b) => a.weight - b.weight)
  if (best === undefined || best.weight >= hopeless || best.weight === second?.weight) return [issue]
  return best.issues.flatMap((inner) => alternatives({ ...inner, path: [...issue.path, ...inner.path] }))
}

function unknownToAll(errors: readonly z.core.$ZodIssue[][]): string[] {
  const keys = errors.map((issues) =>
    issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [],
    ),
  )
  return keys.reduce((common, each) => common.filter((key) => each.includes(key)))
}

/** Not even the kind of value is right: a list, say, where text or a mapping may stand. */
const hopeless = 100

function weightOf(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce((sum, issue) => sum + weight(issue), 0)
}

function weight(issue: z.core.$ZodIssue): number {
  if (issue.path.length === 0 && issue.code === 'invalid_type') return hopeless
  // A union in a union is as wrong as the best of its own alternatives.
  if (issue.path.length === 0 && issue.code === 'invalid_union')
    return Math.min(hopeless, ...issue.errors.map(weightOf))
  return issue.code === 'unrecognized_keys' ? 10 * issue.keys.length : 1
}

/** What would be right, where the schema itself has no words for it. */
function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${kinds[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.join(', ')}`
    case 'too_small':
      if (!isNumber(issue.origin) && issue.minimum === 1) return 'must not be empty'
      return isNumber(issue.origin)
        ? `must be ${issue.minimum} or more`
        : `must have at least ${issue.minimum} ${unitsOf(issue.origin)}`
    case 'too_big':
      return isNumber(issue.origin)
        ? `must be ${issue.maximum} or less`
        : `must have at most ${issue.maximum} ${unitsOf(issue.origin)}`
    default:
      return 'must have another form'
  }
}

const isNumber = (origin: string): boolean => origin === 'number' || origin === 'int'
const unitsOf = (origin: string): string => (origin === 'array' ? 'entries' : 'characters')

const kinds: Record<string, string> = {
  string: 'text (in quotes, if it looks like something else)',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
}
