/**
 * The annotated reference (config/relay.yaml) and the JSON Schema, both written from the zod schema: its keys, in
 * its order, with its descriptions and defaults. A test compares the file with what is written here.
 */
import { stringify } from 'yaml'
import { z } from 'zod'
import { examples, fresh, furtherEntries, introduction, notes } from './reference-values.ts'
import { configSchema } from './schema.ts'
import { isArraySchema, isObjectSchema, isUnionSchema, unwrap } from './schema-walk.ts'
import { formatDuration, formatSize } from './units.ts'
import { units } from './values.ts'

export function renderReference(): string {
  const lines = [...prose(introduction.trim()), '', ...mapping(configSchema, fresh, '')]
  return `${lines.join('\n')}\n`
}

/** For editors: what may stand in the file, before durations and sizes are read. */
export function jsonSchema(): object {
  return z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      const given = defaultOf(zodSchema as Schema)
      if (given !== undefined && !isObjectSchema(unwrap(zodSchema)))
        jsonSchema.default = asWritten(zodSchema as Schema, given)
    },
  })
}

type Schema = z.core.$ZodType
type Values = Readonly<Record<string, unknown>>

/** The keys of a mapping: as settings where `values` has them, else as comments. */
function mapping(schema: z.ZodObject, values: Values, path: string): string[] {
  return Object.entries(schema.shape).flatMap(([key, field]) => {
    const at = path === '' ? key : `${path}.${key}`
    const value = values[key]
    const example = value === undefined ? exampleOf(field, at) : undefined
    // Told elsewhere: the keys of exceptions are those of conditions.
    if (value === undefined && example === undefined) return []
    const lines =
      value !== undefined
        ? setting(key, { schema: field, value, path: at })
        : commentedOut(setting(key, { schema: field, value: example, path: at }))
    return [...commentOn(field, at), ...lines, ...(path === '' ? [''] : [])]
  })
}

function setting(key: string, field: { schema: Schema; value: unknown; path: string }): string[] {
  const { value, path } = field
  const bare = unwrap(field.schema)
  if (isObjectSchema(bare) && isMapping(value)) return [`${key}:`, ...indented(mapping(bare, value, path))]
  if (!isArraySchema(bare) || !Array.isArray(value) || value.length === 0) return [`${key}: ${inline(value)}`]
  const element = unwrap(bare.element)
  if (isObjectSchema(element))
    return [
      `${key}:`,
      ...indented([...value.flatMap((each) => entry(element, each, path)), ...further(path)]),
    ]
  if (isUnionSchema(element) && element.options.map(unwrap).some(isObjectSchema))
    return [`${key}:`, ...indented([...alternatives(element), ...value.map((each) => `- ${inline(each)}`)])]
  return [`${key}: ${inline(value)}`]
}

/** One entry of a list: its comments first, then the dash on its first setting. */
function entry(schema: z.ZodObject, value: Values, path: string): string[] {
  const lines = mapping(schema, value, path)
  const first = lines.findIndex((line) => !line.startsWith('#'))
  return lines.map((line, index) => (index < first ? line : index === first ? `- ${line}` : `  ${line}`))
}

function further(path: string): string[] {
  const more = furtherEntries[path]
  if (more === undefined) return []
  const lines = Object.entries(more.entry).map(
    ([key, value], index) => `${index === 0 ? '-' : ' '} ${key}: ${inline(value)}`,
  )
  return ['', ...prose(more.note), ...commentedOut(lines)]
}

/** What the keys of a union's alternatives mean. */
function alternatives(schema: z.ZodUnion): string[] {
  const described = schema.options.flatMap((option) => {
    const bare = unwrap(option)
    return isObjectSchema(bare)
      ? Object.entries(bare.shape).map(([key, field]) => [key, descriptionOf(field)] as const)
      : []
  })
  const told = described.filter(([, text]) => text !== '').map(([key, text]) => `${key} ${text}`)
  return [...new Set(told)].flatMap(prose)
}

/** Description and default; of a section no default, its keys have theirs. */
function commentOn(schema: Schema, path: string): string[] {
  const given = defaultOf(schema)
  const section = isObjectSchema(unwrap(schema)) && given !== null
  const lines = prose(descriptionOf(schema))
  if (!section && given !== undefined) {
    const standard = `default: ${inline(asWritten(schema, given))}`
    const last = `${lines.at(-1)}; ${standard}`
    if (lines.length > 0 && last.length <= width) lines.splice(-1, 1, last)
    else lines.push(...prose(standard))
  }
  return [...lines, ...prose(notes[path] ?? '')]
}

function exampleOf(schema: Schema, path: string): unknown {
  return examples[path] ?? asWritten(schema, defaultOf(schema))
}

function descriptionOf(schema: Schema): string {
  return z.globalRegistry.get(schema)?.description ?? ''
}

interface Definition {
  readonly type: string
  readonly innerType?: Schema
  readonly defaultValue?: unknown
}

function defaultOf(schema: Schema): unknown {
  const definition = schema._zod.def as Definition
  return definition.type === 'default' || definition.type === 'prefault' ? definition.defaultValue : undefined
}

/** A parsed value as it stands in the file: 300000 is `5m` where the key takes a duration. */
function asWritten(schema: Schema, value: unknown): unknown {
  if (typeof value === 'number') {
    const unit = unitOf(schema)
    if (unit === null) return value
    return unit === 'duration' ? formatDuration(value) : formatSize(value)
  }
  const bare = unwrap(schema)
  return Array.isArray(value) && isArraySchema(bare)
    ? value.map((each) => asWritten(bare.element, each))
    : value
}

function unitOf(schema: Schema): 'duration' | 'size' | null {
  const inner = (schema._zod.def as Definition).innerType
  return units.get(schema)?.unit ?? (inner === undefined ? null : unitOf(inner))
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  if (isMapping(value)) {
    const pairs = Object.entries(value).map(([key, each]) => `${key}: ${inline(each)}`)
    return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`
  }
  return typeof value === 'string' && /[,[\]{}]/.test(value)
    ? JSON.stringify(value)
    : stringify(value, { lineWidth: 0 }).trimEnd()
}

function isMapping(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `  ${line}`))
}

function commentedOut(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `#${line}`))
}

const width = 100

/** Comment lines of at most `width` characters; line breaks and runs of blanks in the text stay. */
function prose(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    if (line.length + 2 <= width) return text === '' ? [] : [`# ${line}`.trimEnd()]
    const end = line.lastIndexOf(' ', width - 2)
    return [`# ${line.slice(0, end)}`, ...prose(line.slice(end + 1))]
  })
}
