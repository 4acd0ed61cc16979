/**
 * YAML as configuration takes it: one document, plain keys, no key twice, no unknown tags, aliases bounded.
 * What YAML would read in a way its author may not have meant is an error, never a guess.
 */
import { type Document, isScalar, LineCounter, parseDocument, visit } from 'yaml'
import type { Path } from './path.ts'
import type { Problem } from './problem.ts'

export interface YamlSource {
  readonly value: unknown
  /** The line of the value at this path, or of the nearest one above it. */
  lineOf(path: Path): number | null
}

/** Aliases that copy aliases grow a file of a kilobyte to gigabytes. */
const mostAliases = 100

/** One broken bracket breaks everything after it: more than these say nothing new. */
const mostErrors = 20

export function readYaml(text: string): YamlSource | { readonly errors: readonly Problem[] } {
  const lines = new LineCounter()
  // Without `prettyErrors` the messages do not quote the file, in which somebody may have left a password.
  // The log level is not `silent`: that would let a second document pass.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const errors = [...document.errors, ...document.warnings].map(({ message, pos }) =>
    syntaxError(message, lines.linePos(pos[0])),
  )
  if (errors.length === 0) errors.push(...ambiguities(document, lines))
  if (errors.length > 0) return { errors: errors.slice(0, mostErrors) }
  try {
    const value: unknown = document.toJS({ maxAliasCount: mostAliases })
    return { value, lineOf: (path) => lineOf(document, { lines, path }) }
  } catch (error) {
    return { errors: [{ path: '', message: `cannot be read: ${(error as Error).message}`, line: null }] }
  }
}

/** What the parser lets pass, but JavaScript or the reader would take for something else. */
function ambiguities(document: Document, lines: LineCounter): Problem[] {
  const errors: Problem[] = []
  const add = (message: string, range: { range?: readonly number[] | null }) =>
    errors.push(syntaxError(message, lines.linePos(range.range?.[0] ?? 0)))
  visit(document, {
    Pair: (_, { key }) => {
      if (!isScalar(key) || key.value === null) add('A key must be a plain word', key as { range?: number[] })
    },
    Alias: (_, alias) => {
      if (!alias.resolve(document)) add(`The alias *${alias.source} has no anchor before it`, alias)
    },
  })
  return errors
}

function syntaxError(message: string, at: { line: number; col: number }): Problem {
  const known = messages.find(([pattern]) => pattern.test(message))
  return { path: `line ${at.line}`, message: `${known?.[1] ?? message} (column ${at.col})`, line: at.line }
}

/** The parser's messages that speak to its programmer. */
const messages: readonly (readonly [RegExp, string])[] = [
  [/^Map keys must be unique/, 'This key stands twice in the same mapping'],
  [/multiple documents/, 'There must be one document: no second ---'],
  [/call stack/, 'The nesting is too deep'],
]

function lineOf(document: Document, options: { lines: LineCounter; path: Path }): number | null {
  for (let length = options.path.length; length >= 0; length--) {
    const node: unknown = document.getIn(options.path.slice(0, length), true)
    const range = (node as { range?: readonly number[] | null } | undefined)?.range
    if (range) return options.lines.linePos(range[0]!).line
  }
  return null
}
