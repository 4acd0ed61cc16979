/** What a declaration promises, over the real admin port. */
import { once } from 'node:events'
import { type ClientRequest, request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { endpoint } from '../../src/admin/endpoint.ts'
import { Refused } from '../../src/admin/problem.ts'
import { connectorId } from '../../src/config/values.ts'
import { QueueFull, QueueUnavailable } from '../../src/queue/queue.ts'
import { SetupRefused } from '../../src/setup/plan.ts'
import { type AdminPort, type Asked, localToken, startAdminPort } from '../support/admin-port.ts'

const secret = 'canary-secret'
const limits = z.strictObject({ connections: z.int().min(1).max(1000).optional() })
const part = 'Test'

const thingEndpoints = [
  endpoint({
    method: 'GET',
    path: '/things/:id',
    scope: 'read',
    part,
    summary: 'One thing',
    params: z.strictObject({ id: z.string().regex(/^\d+$/, 'must be digits') }),
    query: z.strictObject({ limit: z.coerce.number().int().min(1).optional() }),
    answer: z.object({ id: z.string(), limit: z.number().nullable(), by: z.string() }),
    handle: async ({ params, query, by }) => ({ id: params.id, limit: query.limit ?? null, by }),
  }),
  endpoint({
    method: 'POST',
    path: '/things',
    scope: 'operate',
    part,
    summary: 'A thing',
    body: z.strictObject({
      name: z.string(),
      password: z.string().max(5).nullable().default(null),
      limits: limits.prefault({}),
      host: z.union([z.strictObject({ name: z.string() }), z.int()]).optional(),
      of: z.union([z.literal([0, null]), connectorId], { error: 'must be an id, or 0' }).optional(),
      tags: z.array(z.enum(['a', 'b'])).optional(),
    }),
    bodyLimitBytes: 1000,
    answer: z.object({ name: z.string() }),
    status: 201,
    handle: async ({ body }) => ({ name: body.name }),
  }),
  endpoint({
    method: 'DELETE',
    path: '/things/:id',
    scope: 'admin',
    part,
    summary: 'No thing',
    answer: null,
    handle: async () => undefined as never,
  }),
  endpoint({
    method: 'POST',
    path: '/table',
    scope: 'admin',
    part,
    summary: 'A table',
    body: z.union([z.string(), z.strictObject({ rows: z.int() })]),
    bodyTypes: ['application/json', 'text/csv'],
    answer: z.object({ given: z.unknown() }),
    handle: async ({ body }) => ({ given: body }),
  }),
  endpoint({
    method: 'POST',
    path: '/large',
    scope: 'read',
    part,
    summary: 'Something large',
    body: z.strictObject({ text: z.string() }),
    bodyLimitBytes: 10_000_000,
    answer: z.object({ length: z.number() }),
    handle: async ({ body }) => ({ length: body.text.length }),
  }),
  endpoint({
    method: 'GET',
    path: '/stream',
    scope: 'read',
    part,
    summary: 'A stream',
    answer: z.string(),
    mediaType: 'text/plain',
    handle: async ({ reply }) => reply.type('text/plain').send(Readable.from(['a', 'b'])),
  }),
  endpoint({
    method: 'GET',
    path: '/faults/:kind',
    scope: null,
    part,
    summary: 'What goes wrong',
    params: z.strictObject({ kind: z.string() }),
    answer: z.object({}),
    handle: ({ params }) => {
      throw faults[params.kind]
    },
  }),
]

const faults: Readonly<Record<string, Error>> = {
  refused: new Refused(418, 'a teapot', 'pot'),
  invalid: new SetupRefused('invalid', 'wrong', 'addressSpaces.0'),
  missing: new SetupRefused('missing', 'not there'),
  inUse: new SetupRefused('inUse', 'bound'),
  away: new QueueUnavailable('Redis is away'),
  full: new QueueFull('Full'),
  bug: new TypeError(secret),
}

let port: AdminPort
beforeAll(async () => {
  port = await startAdminPort({ endpoints: thingEndpoints })
})
afterAll(() => port.stop())

const post = (body: unknown, change: Partial<Asked> = {}) =>
  port.ask('/things', { method: 'POST', body, ...change })
const json = { 'content-type': 'application/json' }

it('gives the handler checked values and who asks, and its answer to who asked', async () => {
  expect(await port.ask('/things/7?limit=3')).toMatchObject({
    code: 200,
    json: { id: '7', limit: 3, by: 'local' },
  })
  expect(await post({ name: 'x' })).toMatchObject({ code: 201, json: { name: 'x' } })
  expect(await port.ask('/things/7', { method: 'DELETE' })).toMatchObject({ code: 204, text: '' })
})

describe('names the parameter that is wrong', () => {
  it.each<[string, string, string | undefined, string]>([
    ['unknown to a schema', '/things/7?limt=3', 'limt', 'There is no parameter limt: did you mean limit?'],
    ['where there is none', '/stream?x=3', 'x', 'There is no parameter x'],
    ['of another form', '/things/7?limit=0', 'limit', 'limit must be 1 or more'],
    ['given twice', '/things/7?limit=1&limit=2', 'limit', 'limit must be a number'],
    ['in the path', '/things/seven', 'id', 'id must be digits'],
  ])('%s', async (_name, path, field, detail) => {
    expect(await port.ask(path)).toMatchObject({ code: 400, json: { status: 400, field, detail } })
  })
})

describe('names the field that is wrong', () => {
  it.each<[string, unknown, string | undefined, string]>([
    ['unknown', { name: 'x', colour: 1 }, 'colour', 'There is no field colour'],
    [
      'nearly known',
      { name: 'x', pasword: 1 },
      'pasword',
      'There is no field pasword: did you mean password?',
    ],
    [
      'unknown, deeper',
      { name: 'x', limits: { conections: 1 } },
      'limits.conections',
      'did you mean connections?',
    ],
    ['missing', {}, 'name', 'name is missing'],
    ['of another type', { name: 1 }, 'name', 'name must be text'],
    ['too large, deeper', { name: 'x', limits: { connections: 5000 } }, 'limits.connections', '1000 or less'],
    [
      'of another type, deeper',
      { name: 'x', limits: { connections: '5' } },
      'limits.connections',
      'a number',
    ],
    ['in a list', { name: 'x', tags: ['a', 'c'] }, 'tags.1', 'tags.1 must be one of a, b'],
    ['of a union, by its best alternative', { name: 'x', host: { name: 1 } }, 'host.name', 'must be text'],
    ['of a union, by none', { name: 'x', host: [] }, 'host', 'host must have another form'],
    ['of a union that has words of its own', { name: 'x', of: true }, 'of', 'of must be an id, or 0'],
    ['the whole of it', [], undefined, 'The body must be an object'],
    ['null', null, undefined, 'The body must be an object'],
    ['a key that means something to JavaScript', '{"name":"x","__proto__":{}}', undefined, 'no JSON'],
  ])('%s', async (_name, body, field, detail) => {
    const answer = await post(body, { headers: json })
    expect(answer).toMatchObject({ code: 400, json: { type: 'about:blank', title: 'Bad Request' } })
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.json.field).toBe(field)
    expect(answer.json.detail).toContain(detail)
  })

  it('first of several', async () => {
    expect((await post({ limits: { connections: 0 } })).json.field).toBe('name')
  })

  it('and never repeats a value', async () => {
    const bodies = [
      { name: 'x', password: secret },
      { name: [secret] },
      { name: 'x', tags: [secret] },
      `{"name":"${secret}"`,
    ]
    for (const body of bodies) {
      const answer = await post(body, { headers: json })
      expect(answer.code).toBe(400)
      expect(answer.text).not.toContain(secret)
    }
  })
})

describe('refuses a body', () => {
  it.each<[string, Partial<Asked>, number, string]>([
    ['that is missing', { headers: json, body: undefined }, 400, 'The body is missing'],
    ['that is no JSON', { headers: json, body: '{' }, 400, 'The body is no JSON'],
    ['without a type', { body: '{"name":"x"}' }, 415, 'The body must be application/json'],
    [
      'that a form could send',
      { headers: { 'content-type': 'text/plain' }, body: '{}' },
      415,
      'application/json',
    ],
    ['over the limit', { body: { name: 'x'.repeat(1000) } }, 413, 'The body is too large'],
    [
      'in a type of another path',
      { headers: { 'content-type': 'text/csv' }, body: 'a' },
      415,
      'application/json',
    ],
  ])('%s', async (_name, asked, code, detail) => {
    const answer = await post(undefined, asked)
    expect(answer).toMatchObject({ code, json: { status: code } })
    expect(answer.json.detail).toContain(detail)
  })

  it('unread, of whoever may not ask', async () => {
    const readToken = await port.tokenFor('read')
    for (const token of [null, readToken])
      expect((await post('{', { token, headers: json })).code).toBe(token === null ? 401 : 403)
  })
})

describe('a large body', () => {
  const large = (length: number) =>
    port
      .ask('/large', { method: 'POST', body: { text: 'x'.repeat(length) } })
      .then(({ code, json, headers }) => ({
        code,
        length: json.length,
        after: headers['retry-after'],
      }))

  /** Of a body that never comes. */
  const begun = async (): Promise<ClientRequest> => {
    const headers = {
      'content-type': 'application/json',
      'content-length': '9000000',
      expect: '100-continue',
    }
    const request = httpRequest(`${port.url}/large`, {
      ...{ method: 'POST', agent: false, headers: { ...headers, authorization: `Bearer ${localToken}` } },
    })
    request.on('error', () => undefined)
    request.flushHeaders()
    await once(request, 'continue')
    request.write('{')
    return request
  }

  it('is read while few others are; small ones, always', async () => {
    expect(await large(5_000_000)).toEqual({ code: 200, length: 5_000_000 })
    const requests = [await begun(), await begun(), await begun(), await begun()]
    await expect.poll(() => large(5_000_000)).toEqual({ code: 429, after: '1' })
    expect(await large(1000)).toEqual({ code: 200, length: 1000 })
    requests.pop()!.destroy()
    await expect.poll(() => large(5_000_000)).toEqual({ code: 200, length: 5_000_000 })
    for (const request of requests) request.destroy()
  })
})

describe('a body that is no JSON', () => {
  const table = (body: string | Buffer, type: string) =>
    port.ask('/table', { method: 'POST', body, headers: { 'content-type': type } })

  it('comes as text, without its byte order mark', async () => {
    expect((await table('\ufeffsender,connector\r\n', 'text/csv; charset=utf-8')).json).toEqual({
      given: 'sender,connector\r\n',
    })
    expect((await table('{"rows":1}', 'application/json')).json).toEqual({ given: { rows: 1 } })
  })

  it.each([
    ['text/csv', 'f\xfcr'],
    ['application/json', '{"rows":"f\xfcr"}'],
  ])('is refused where it is not UTF-8: %s', async (type, body) => {
    expect(await table(Buffer.from(body, 'latin1'), type)).toMatchObject({
      code: 400,
      json: { detail: 'The body must be text in UTF-8' },
    })
  })
})

describe('what a handler throws', () => {
  it.each<[string, number, object]>([
    ['refused', 418, { detail: 'a teapot', field: 'pot' }],
    ['invalid', 400, { detail: 'wrong', field: 'addressSpaces.0' }],
    ['missing', 404, { detail: 'not there' }],
    ['inUse', 409, { detail: 'bound' }],
    ['away', 503, { detail: 'The store is away: Redis is away' }],
    ['full', 507, { detail: 'Full' }],
    ['bug', 500, { detail: 'Internal error; the log has the rest' }],
  ])('is answered: %s', async (kind, code, problem) => {
    const answer = await port.ask(`/faults/${kind}`, { token: null })
    expect(answer).toMatchObject({ code, json: { status: code, ...problem } })
    expect(answer.text).not.toContain(secret)
  })

  it('is in the log where it is a fault of ours, and only there', async () => {
    await port.ask('/faults/bug')
    expect(port.logged()).toContain(secret)
    expect(port.logged()).not.toContain('a teapot')
  })
})

describe('another method', () => {
  it.each([
    ['PUT', '/things', 'POST'],
    ['GET', '/things', 'POST'],
    ['PATCH', '/things/7', 'GET, HEAD, DELETE'],
    ['OPTIONS', '/things/7', 'GET, HEAD, DELETE'],
    ['HEAD', '/stream', 'GET'],
    ['POST', '/healthz', 'GET, HEAD'],
  ])('%s %s is not allowed, and the answer says what is', async (method, path, allow) => {
    const answer = await port.ask(path, { method })
    expect(answer.code).toBe(405)
    expect(answer.headers.allow).toBe(allow)
  })

  it.each(['/thing', '/things/7/8', '/things/', '/'.repeat(50)])('finds nothing at %s', async (path) => {
    expect(await port.ask(path, { method: 'PUT' })).toMatchObject({ code: 404 })
  })

  it('is HEAD where GET is: the same without the body', async () => {
    const answer = await port.ask('/things/7', { method: 'HEAD' })
    expect(answer).toMatchObject({ code: 200, text: '' })
    expect(Number(answer.headers['content-length'])).toBeGreaterThan(0)
  })
})
