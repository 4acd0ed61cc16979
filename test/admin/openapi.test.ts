/** The document and the page that describe the API, from the declarations that it runs by. */
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Endpoint, endpoint } from '../../src/admin/endpoint.ts'
import { type OpenApiDocument, type Operation, openApi } from '../../src/admin/openapi.ts'
import { partsOf } from '../../src/admin/parts.ts'
import { escaped, referencePage } from '../../src/admin/reference-page.ts'
import { duration, size } from '../../src/config/values.ts'
import { type AdminPort, startAdminPort } from '../support/admin-port.ts'
import { runSetup } from '../support/running-setup.ts'

const declared = (fields: Partial<Endpoint>): Endpoint =>
  endpoint({
    ...{ method: 'GET', path: '/things', scope: 'read', part: 'Things', summary: 'All things' },
    ...{ answer: z.object({}), handle: async () => ({}) },
    ...fields,
  } as Endpoint)

const documentOf = (...fields: Partial<Endpoint>[]): OpenApiDocument =>
  openApi(fields.map(declared), { version: '1' })

const only = (fields: Partial<Endpoint>): Operation =>
  Object.values(Object.values(documentOf(fields).paths)[0]!)[0]!

describe('an operation', () => {
  it.each<[string, string, string]>([
    ['GET', '/queue', 'getQueue'],
    ['GET', '/queue/:id', 'getQueueById'],
    ['POST', '/queue/:id/suspend', 'postQueueByIdSuspend'],
    ['GET', '/openapi.json', 'getOpenapiJson'],
    ['PUT', '/email/exchange/:organizationName/x', 'putEmailExchangeByOrganizationNameX'],
  ])('%s %s is named %s', (method, path, id) => {
    expect(only({ method: method as Endpoint['method'], path }).operationId).toBe(id)
  })

  it('says which scope it needs, or that anybody may ask', () => {
    expect(only({ scope: 'operate' })).toMatchObject({
      'x-scope': 'operate',
      description: 'Needs the scope operate.',
      security: [{ token: [] }, { session: [] }],
    })
    expect(only({ scope: null })).toMatchObject({ 'x-scope': null, security: [] })
    expect(only({ scope: null }).responses).not.toHaveProperty('401')
  })

  it('has its parameters one by one', () => {
    const { parameters } = only({
      path: '/things/:id',
      params: z.strictObject({ id: z.string().describe('of a thing') }),
      query: z.strictObject({ limit: z.string().transform(Number), after: z.string().optional() }),
    })
    expect(parameters).toEqual([
      { name: 'id', in: 'path', required: true, description: 'of a thing', schema: { type: 'string' } },
      { name: 'limit', in: 'query', required: true, schema: { type: 'string' } },
      { name: 'after', in: 'query', required: false, schema: { type: 'string' } },
    ])
  })

  it('describes a body as it is sent, before sizes and durations are read', () => {
    const body = z.strictObject({
      size: size().default(1024).describe('of it'),
      keep: duration().default(300_000),
      retry: z.array(duration()).default([60_000]),
      name: z.string().nullable().default(null),
    })
    const { requestBody } = only({ method: 'POST', body })
    expect(requestBody?.content['application/json']?.schema).toMatchObject({
      additionalProperties: false,
      properties: {
        size: { type: ['string', 'number'], default: 1024, description: 'of it' },
        keep: { type: 'string', default: '5m' },
        retry: { items: { type: 'string' }, default: ['1m'] },
        name: { type: ['string', 'null'], default: null },
      },
    })
  })

  it('takes bodies of the types that it declares', () => {
    const { requestBody } = only({
      method: 'POST',
      body: z.unknown(),
      bodyTypes: ['application/json', 'text/csv'],
    })
    expect(requestBody?.content['text/csv']).toEqual({ schema: { type: 'string' } })
  })

  it('answers with JSON that may grow, nothing, or another type', () => {
    const success = (fields: Partial<Endpoint>) => Object.entries(only(fields).responses)[0]
    const schema = { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] }
    const answer = z.object({ a: z.number() })
    const json = { 'application/json': { schema } }
    expect(success({ answer })).toEqual(['200', { description: 'OK', content: json }])
    expect(success({ answer, status: 201 })).toEqual(['201', { description: 'Created', content: json }])
    expect(success({ answer: null })).toEqual(['204', { description: 'Done' }])
    const csv = { 'text/csv': { schema: { type: 'string' } } }
    expect(success({ answer: z.string(), mediaType: 'text/csv' })?.[1].content).toEqual(csv)
    expect(success({ answer, mediaType: 'text/csv' })?.[1].content).toEqual({ ...json, ...csv })
  })

  it('names the problems of all requests, and its own', () => {
    const { responses } = only({ method: 'POST', body: z.unknown(), problems: [404, 409] })
    expect(Object.keys(responses)).toEqual([
      ...['200', '400', '401', '403', '404', '409', '413', '415', '421', '429', '500', '503'],
    ])
    expect(responses['404']).toEqual({
      description: 'Not Found',
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    })
  })
})

it('makes schemas that have an id components, those that are sent and those that are answered apart', () => {
  const shared = z.strictObject({ a: z.number().default(1) }).meta({ id: 'TestShared' })
  const { paths, components } = documentOf(
    { answer: z.object({ list: z.array(shared) }) },
    { method: 'POST', body: shared, answer: shared },
  )
  const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
  expect(paths['/things']).toMatchObject({
    get: {
      responses: {
        200: {
          content: { 'application/json': { schema: { properties: { list: { items: ref('TestShared') } } } } },
        },
      },
    },
    post: {
      requestBody: { content: { 'application/json': { schema: ref('TestSharedInput') } } },
      responses: { 200: { content: { 'application/json': { schema: ref('TestShared') } } } },
    },
  })
  expect(components.schemas.TestShared).toMatchObject({ required: ['a'] })
  expect(components.schemas.TestSharedInput).not.toHaveProperty('required')
})

describe('the document of a server', () => {
  let port: AdminPort
  let document: OpenApiDocument
  let asked: readonly Endpoint[]

  beforeAll(async () => {
    const running = await runSetup()
    // Nothing else of a relay is needed to declare what it can be asked.
    const endpoints = partsOf({ ...running, delivery: { status: () => [] }, sandbox: null } as never)
    port = await startAdminPort({ running, endpoints })
    asked = [...endpoints]
    document = (await port.ask('/openapi.json', { token: null })).json
  })
  afterAll(() => port.stop())

  const operations = () => Object.values(document.paths).flatMap((methods) => Object.values(methods))

  it('is valid', async () => {
    expect(await new Validator().validate(structuredClone(document) as never)).toEqual({ valid: true })
  })

  it('holds what this server can be asked, itself too', () => {
    const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const declaredHere = asked.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
    expect(declaredHere.length).toBeGreaterThan(30)
    expect(listed).toEqual(expect.arrayContaining(declaredHere))
    for (const operation of ['GET /openapi.json', 'GET /healthz', 'POST /session', 'POST /tokens'])
      expect(listed).toContain(operation)
    expect(new Set(operations().map(({ operationId }) => operationId)).size).toBe(operations().length)
  })

  it('says of each operation what it does, and has all that it refers to', () => {
    for (const { summary, tags } of operations()) {
      expect(summary).toMatch(/^[A-Z].*[^.]$/)
      expect(document.tags.map(({ name }) => name)).toContain(tags[0])
    }
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref!)
    expect(refs.length).toBeGreaterThan(0)
    for (const ref of new Set(refs)) {
      expect(ref).toMatch(/^#\/components\/schemas\//)
      expect(document.components.schemas).toHaveProperty(ref.split('/').at(-1)!)
    }
  })

  it('is a page for people too, which runs nothing and loads nothing from elsewhere', async () => {
    const page = await port.ask('/reference', { token: null })
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    expect(page.text).not.toMatch(/<script|\sstyle=|\son\w+=|https?:\/\/(?!127\.0\.0\.1)/)
    for (const { operationId, summary } of operations()) {
      expect(page.text).toContain(`id="${operationId}"`)
      expect(page.text).toContain(escaped(summary))
    }
    const style = await port.ask('/reference.css', { token: null })
    expect(style.headers['content-type']).toBe('text/css; charset=utf-8')
    const ids = new Set([...page.text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
    for (const [, link] of page.text.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(link)
  })
})

describe('the page', () => {
  const hostile = `<script>alert("1")</script>&'`

  it('escapes all that comes from declarations', () => {
    const html = referencePage(
      documentOf({
        ...{ path: `/${hostile}`, part: hostile, summary: hostile, method: 'POST' },
        query: z.strictObject({ [hostile]: z.string().describe(hostile) }),
        body: z.strictObject({ [hostile]: z.enum([hostile]).default(hostile).describe(hostile) }),
        answer: z.object({ [hostile]: z.literal(hostile) }),
      }),
    )
    expect(html).not.toContain('<script')
    expect(html).not.toContain('alert("1")')
    expect(html).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;')
  })

  it('shows a command that can be run, with the least that must be sent', () => {
    const html = referencePage(
      documentOf({
        method: 'POST',
        path: '/things/:id/mend',
        body: z.strictObject({
          how: z.enum(['well', 'badly']),
          with: z.array(z.strictObject({ name: z.string() })),
          times: z.int().min(3),
          why: z.string().optional(),
        }),
      }),
    )
    expect(html).toContain(
      escaped(`curl -X POST "$RELAY/things/ID/mend" \\
  -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d '{"how":"well","with":[{"name":"…"}],"times":3}'`),
    )
  })

  it('shows fields inside of fields by their path, with type, range and default', () => {
    const html = referencePage(
      documentOf({
        answer: z.object({
          list: z.array(z.object({ name: z.string().nullable() })),
          limits: z.object({ most: z.int().min(1).max(9) }),
        }),
      }),
    )
    expect(html).toContain('<code>list[].name</code>')
    expect(html).toContain('string | null')
    expect(html).toContain('<code>limits.most</code>')
    expect(html).toContain('integer, 1 to 9')
  })
})
