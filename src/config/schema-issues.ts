/**
 * What a schema says against a value, made fit to be told: which of its issues say most, and in our words what would be
 * right. For the configuration file and for what is sent to the API.
 */
import type { z } from 'zod'

/**
 * A union's issue says only that no alternative fits. Where one alternative fails in fewer places than all
 * others, its own issues say more.
 */
export function mostTelling(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const unknown = unknownToAll(issue.errors)
  if (unknown.length > 0)
    return [{ code: 'unrecognized_keys', keys: unknown, path: issue.path, message: issue.message }]
  const [best, second] = issue.errors
    .map((issues) => ({ issues, weight: weightOf(issues) }))
    .sort((a, b) => a.weight - b.weight)
  if (best === undefined || best.weight >= hopeless || best.weight === second?.weight) return [issue]
  return best.issues.flatMap((inner) => mostTelling({ ...inner, path: [...issue.path, ...inner.path] }))
}

function unknownToAll(errors: readonly z.core.$ZodIssue[][]): string[] {
  const keys = errors.map((issues) =>
    issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [],
    ),
  )
  return keys.reduce((common, each) => common.filter((key) => each.includes(key)), keys[0] ?? [])
}

/** Not even the kind of value is right, such as a list where text may stand; or it is not the one word it could be. */
const hopeless = 100

function weightOf(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce((sum, issue) => sum + weight(issue), 0)
}

function weight(issue: z.core.$ZodIssue): number {
  if (issue.path.length === 0 && isOfKind(issue)) return hopeless
  // A union in a union is as wrong as the best of its own alternatives.
  if (issue.path.length === 0 && issue.code === 'invalid_union')
    return Math.min(hopeless, ...issue.errors.map(weightOf))
  return issue.code === 'unrecognized_keys' ? 10 * issue.keys.length : 1
}

const isOfKind = ({ code }: z.core.$ZodIssue): boolean => code === 'invalid_type' || code === 'invalid_value'

/** What would be right, where the schema itself has no words for it; `kinds` names kinds of values by zod's names. */
export function expectation(
  issue: z.core.$ZodIssue | z.core.$ZodRawIssue,
  kinds: Readonly<Record<string, string>>,
): string {
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

/** The same where the value came as JSON, and may be missing. */
export function inWordsOfJson(issue: z.core.$ZodRawIssue): string {
  const isMissing = issue.input === undefined && issue.code !== 'unrecognized_keys'
  return isMissing ? 'is missing' : expectation(issue, kindsOfJson)
}

const kindsOfJson: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
}

const isNumber = (origin: string): boolean => origin === 'number' || origin === 'int'
const unitsOf = (origin: string): string => (origin === 'array' ? 'entries' : 'characters')
