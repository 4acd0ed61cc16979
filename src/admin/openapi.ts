/**
 * The OpenAPI 3.1 document, from the declarations that the routes come from: it cannot say anything else than what is
 * checked. What is sent is described as it is sent (a size as `35MB` or bytes), what is answered as it is answered.
 * Schemas that have an id are components, so that clients made from the document have types of these names. Pure.
 */
import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import { formatDuration } from '../config/units.ts'
import { units } from '../config/values.ts'
import type { Endpoint } from './endpoint.ts'
import { problemSchema, problemType } from './problem.ts'

export type JsonSchema = z.core.JSONSchema.BaseSchema & Record<string, unknown>

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly required: boolean
  readonly description?: string
  readonly schema: JsonSchema
}

interface Content {
  readonly [mediaType: string]: { readonly schema: JsonSchema }
}

export interface OpenApiResponse {
  readonly description: string
  readonly content?: Content
}

export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly 'x-scope': string | null
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, OpenApiResponse>>
}

export interface OpenApiDocument {
  readonly openapi: '3.1.1'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>
    readonly securitySchemes: object
  }
}

export function openApi(endpoints: readonly Endpoint[], { version }: { version: string }): OpenApiDocument {
  const components = new Components()
  const paths: Record<string, Record<string, Operation>> = {}
  for (const each of endpoints) {
    const path = each.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [each.method.toLowerCase()]: operationOf(each, components) }
  }
  return {
    openapi: '3.1.1',
    info: { title: 'smarthost-relay', version, description: introduction },
    servers: [{ url: '/' }],
    tags: [...new Set(endpoints.map(({ part }) => part))].map((name) => ({ name })),
    paths,
    components: { schemas: components.schemas, securitySchemes },
  }
}

const introduction =
  'Manages a running relay. Who asks presents a token (made by relay token): Authorization: Bearer TOKEN. The scope operate ' +
  'includes read, admin includes both. Instants are milliseconds since 1970 and named …At, durations …Ms, sizes in bytes. ' +
  'What is refused is told as RFC 9457 says, with the field at fault; fields that nobody knows are refused.'

const securitySchemes = {
  token: { type: 'http', scheme: 'bearer', description: 'a token, as relay token makes it' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: 'relay-session',
    description: 'of the page, by POST /session; with TLS its name begins with __Host-',
  },
}

function operationOf(declared: Endpoint, components: Components): Operation {
  const { method, path, scope, part, summary } = declared
  return {
    operationId: operationId(method, path),
    tags: [part],
    summary,
    description: scope === null ? 'Anybody may ask.' : `Needs the scope ${scope}.`,
    security: scope === null ? [] : [{ token: [] }, { session: [] }],
    'x-scope': scope,
    parameters: [
      ...parametersOf(declared.params, 'path', components),
      ...parametersOf(declared.query, 'query', components),
    ],
    ...(declared.body && { requestBody: bodyOf(declared.body, declared.bodyTypes, components) }),
    responses: responsesOf(declared, components),
  }
}

/** `GET /queue/:id` is getQueueById. */
function operationId(method: string, path: string): string {
  const words = path
    .split('/')
    .filter((step) => step !== '')
    .map((step) => (step.startsWith(':') ? `by-${step.slice(1)}` : step))
    .flatMap((step) => step.split(/[^A-Za-z0-9]+/))
    .filter((word) => word !== '')
  return method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
}

function parametersOf(
  schema: z.ZodType | undefined,
  place: Parameter['in'],
  components: Components,
): Parameter[] {
  if (schema === undefined) return []
  const { properties = {}, required = [] } = components.of(schema, 'input')
  return Object.entries(properties as Record<string, JsonSchema>).map(
    ([name, { description, ...property }]) => ({
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description !== undefined && { description }),
      schema: property,
    }),
  )
}

function bodyOf(
  schema: z.ZodType,
  types: readonly string[] = ['application/json'],
  components: Components,
): NonNullable<Operation['requestBody']> {
  const json = components.of(schema, 'input')
  const content = types.map((type) => [type, { schema: type === 'application/json' ? json : text }] as const)
  return { required: true, content: Object.fromEntries(content) }
}

const text: JsonSchema = { type: 'string' }

/** What every request may be answered with, whatever it asks. */
const usualProblems = [400, 401, 403, 421, 429, 500, 503]

function responsesOf(declared: Endpoint, components: Components): Operation['responses'] {
  const { scope, problems = [] } = declared
  const known = usualProblems.filter((status) => scope !== null || (status !== 401 && status !== 403))
  const bodily = declared.body ? [413, 415] : []
  const all = [...new Set([...known, ...bodily, ...problems])].sort((a, b) => a - b)
  return {
    ...successOf(declared, components),
    ...Object.fromEntries(all.map((status) => [String(status), problemOf(status, components)])),
  }
}

/** An answer of another type than JSON is text; where its schema says more, it can be had as JSON too. */
function successOf(declared: Endpoint, components: Components): Operation['responses'] {
  const { answer, mediaType, status = 200 } = declared
  if (answer === null) return { '204': { description: 'Done' } }
  const json = components.of(answer, 'output')
  const content: Record<string, { schema: JsonSchema }> = {}
  if (mediaType === undefined || json.type !== 'string') content['application/json'] = { schema: json }
  if (mediaType !== undefined) content[mediaType] = { schema: text }
  return { [status]: { description: STATUS_CODES[status]!, content } }
}

function problemOf(status: number, components: Components): OpenApiResponse {
  const schema = components.of(problem, 'output')
  return { description: STATUS_CODES[status] ?? 'Refused', content: { [problemType]: { schema } } }
}

const problem = problemSchema.meta({ id: 'Problem' })

type Direction = 'input' | 'output'

/** The document's shared schemas, as they turn up. */
class Components {
  readonly schemas: Record<string, JsonSchema> = {}

  /** A reference where the schema has an id. */
  of(schema: z.ZodType, io: Direction): JsonSchema {
    const {
      $schema: _schema,
      $defs = {},
      ...made
    } = z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      override: (context) => asSent(context, io),
    }) as JsonSchema
    for (const [id, definition] of Object.entries($defs))
      this.schemas[nameOf(id, io)] = referring(definition as JsonSchema, io)
    return referring(made, io)
  }
}

/** What is sent and what is answered differ, in what may be left out if in nothing else. */
const nameOf = (id: string, io: Direction): string => (io === 'input' ? `${id}Input` : id)

/** Refers to components instead of to definitions beside it. */
function referring({ id: _id, ...schema }: JsonSchema, io: Direction): JsonSchema {
  const refer = (key: string, value: unknown): unknown =>
    key === '$ref' && typeof value === 'string'
      ? value.replace(/^#\/\$defs\/(.+)$/, (_, id) => componentRef(id, io))
      : value
  return JSON.parse(JSON.stringify(schema, refer))
}

const componentRef = (id: string, io: Direction): string => `#/components/schemas/${nameOf(id, io)}`

type Overriding = Parameters<NonNullable<z.core.ToJSONSchemaParams['override']>>[0]

/**
 * Durations are sent as text, so their defaults are shown as it too. What is answered may have more fields in a later
 * version: clients must not refuse those.
 */
function asSent({ zodSchema, jsonSchema }: Overriding, io: Direction): void {
  if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
  const { type, defaultValue } = zodSchema._zod.def as { type: string; defaultValue?: unknown }
  if (io === 'input' && type === 'default')
    jsonSchema.default = (
      unitOf(zodSchema) === 'duration' ? asDuration(defaultValue) : defaultValue
    ) as typeof jsonSchema.default
}

const asDuration = (value: unknown): unknown =>
  Array.isArray(value) ? value.map(asDuration) : typeof value === 'number' ? formatDuration(value) : value

/** Also of one that has a default, or may be null. */
function unitOf(schema: z.core.$ZodType): 'duration' | 'size' | undefined {
  const { innerType, element } = schema._zod.def as { innerType?: z.core.$ZodType; element?: z.core.$ZodType }
  const inner = innerType ?? element
  return units.get(schema as z.ZodType)?.unit ?? (inner && unitOf(inner))
}
