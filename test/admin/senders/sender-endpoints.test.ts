/** `/senders` of a running admin port, over both stores. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { senderEndpoints } from '../../../src/admin/senders/sender-endpoints.ts'
import { route } from '../../../src/route/route.ts'
import { InForce } from '../../../src/setup/in-force.ts'
import { openState } from '../../state/redis-harness.ts'
import { type AdminPort, type Asked, startAdminPort } from '../../support/admin-port.ts'
import { type RedisServer, startRedis } from '../../support/redis.ts'
import { plainFile, runSetup } from '../../support/running-setup.ts'
import { stores } from '../../support/stores.ts'

const yaml = `
hostname: relay.example.com
listeners: [{ name: exchange, port: 2525 }]
connectors:
  - { id: 29, name: Of the file, addressSpaces: ["*"], smartHosts: [192.0.2.29] }
  - { id: asleep, name: Asleep, enabled: false, smartHosts: [192.0.2.30] }
senders:
  - { address: file@example.com, connector: 29 }
`

let port: AdminPort
afterEach(() => port.stop())

const path = (sender: string) => `/senders/${encodeURIComponent(sender)}`
const put = (sender: string, body: unknown) => port.ask(path(sender), { method: 'PUT', body })
const remove = (sender: string, query = '') => port.ask(path(sender) + query, { method: 'DELETE' })
const importCsv = (body: string | Uint8Array, query = '') =>
  port.ask(`/senders/import${query}`, { method: 'POST', body, headers: { 'content-type': 'text/csv' } })
const importJson = (body: unknown, query = '') =>
  port.ask(`/senders/import${query}`, { method: 'POST', body })
const list = async (query = ''): Promise<string[]> =>
  (await port.ask(`/senders${query}`)).json.senders.map(
    ({ sender, connector }: { sender: string; connector: string | null }) => `${sender} ${connector}`,
  )

async function start(): Promise<void> {
  const running = await runSetup({ yaml })
  port = await startAdminPort({ running, endpoints: senderEndpoints({ setup: running.setup }) })
}

describe('a binding', () => {
  beforeEach(start)

  it('is made, read, changed and removed', async () => {
    const made = await put('New@Example.com', { connector: 29 })
    expect(made.code).toBe(200)
    expect(made.json).toEqual({
      sender: 'new@example.com',
      connector: '29',
      connectorName: 'Of the file',
      origin: 'api',
      version: 1,
      createdAt: port.clock.now(),
      changedAt: port.clock.now(),
      warnings: [],
    })
    const changed = await put('new@example.com', { connector: 0, version: 1 })
    expect(changed.json).toMatchObject({ connector: null, connectorName: null, version: 2 })
    expect((await port.ask(path('new@example.com'))).json).toMatchObject({ connector: null, version: 2 })
    expect(await remove('new@example.com', '?version=2')).toMatchObject({ code: 204, text: '' })
    expect(await port.ask(path('new@example.com'))).toMatchObject({
      code: 404,
      json: { detail: 'There is no binding of new@example.com' },
    })
    expect(port.events).toMatchObject([
      { act: 'created', what: 'sender', by: 'local', before: null, after: { connector: '29' } },
      { act: 'changed', before: { connector: '29' }, after: { connector: null } },
      { act: 'removed', before: { connector: null }, after: null },
    ])
  })

  it('of a domain to none is known, and no default', async () => {
    await put('@example.net', { connector: null })
    await put('@example.org', { connector: 29 })
    await put('alone@example.org', { connector: 0 })
    expect(await list()).toEqual([
      '@example.net null',
      '@example.org 29',
      'alone@example.org null',
      'file@example.com 29',
    ])
    const { routes } = new InForce(port.setup.current)
    const why = (sender: string) => {
      const decision = route(routes, { sender, recipient: 'a@example.info', sizeBytes: 1 })
      return 'why' in decision ? decision.why.rule : decision.kind
    }
    expect(why('a@example.net')).toBe('addressSpace')
    expect(why('a@example.org')).toBe('senderDomain')
    expect(why('alone@example.org')).toBe('addressSpace')
  })

  it('to a disabled connector is made, and says so', async () => {
    const { code, json } = await put('a@example.com', { connector: 'asleep' })
    expect(code).toBe(200)
    expect(json.warnings).toMatchObject([
      { field: 'connector', message: expect.stringMatching(/^connector asleep is disabled/) },
    ])
  })

  it('shows an address that needs quotes with them, and takes it so', async () => {
    await put('"Sales Team"@example.com', { connector: 29 })
    expect(await list('?origin=api')).toEqual(['"sales team"@example.com 29'])
    expect(port.setup.current.unusable).toEqual([])
    expect((await remove('"sales team"@example.com')).code).toBe(204)
  })

  it.each<[string, string, unknown, number, string | undefined, string]>([
    ['no address', 'example.com', { connector: 29 }, 400, 'sender', 'must be a mail address'],
    ['no domain', '@exa mple.com', { connector: 29 }, 400, 'sender', 'must be a mail address'],
    [
      'no connector',
      'a@example.com',
      {},
      400,
      'connector',
      'connector must be the id of a connector, or 0 for none',
    ],
    ['a connector that is none', 'a@example.com', { connector: true }, 400, 'connector', 'must be the id'],
    [
      'a connector that is missing',
      'a@example.com',
      { connector: 28 },
      400,
      'connector',
      'there is no 28; did you mean 29?',
    ],
    [
      'an unknown field',
      'a@example.com',
      { connector: 29, versions: 1 },
      400,
      'versions',
      'did you mean version?',
    ],
    ['a version that is none', 'a@example.com', { connector: 29, version: '1' }, 400, 'version', 'must be'],
    ['a list', 'a@example.com', [], 400, undefined, 'The body must be an object'],
    ['a sender of the file', 'file@example.com', { connector: 0 }, 409, 'sender', 'configuration file'],
    [
      'a version of none',
      'a@example.com',
      { connector: 29, version: 1 },
      404,
      undefined,
      'There is no binding',
    ],
    [
      'another version',
      'there@example.com',
      { connector: 29, version: 2 },
      409,
      'version',
      'at version 1, not 2',
    ],
  ])('is refused with %s', async (_, sender, body, code, field, detail) => {
    await put('there@example.com', { connector: 0 })
    const before = port.setup.current.revision
    const answer = await put(sender, body)
    expect(answer).toMatchObject({ code, json: { status: code, detail: expect.stringContaining(detail) } })
    expect(answer.json.field).toBe(field)
    expect(port.setup.current.revision).toBe(before)
  })

  it.each([
    ['file@example.com', '', 409],
    ['a@example.com', '', 404],
    ['there@example.com', '?version=7', 409],
    ['there@example.com', '?version=x', 400],
    ['there@example.com', '?versions=1', 400],
    ['there', '', 400],
  ])('is not removed where that is refused: %s%s', async (sender, query, code) => {
    await put('there@example.com', { connector: 0 })
    expect((await remove(sender, query)).code).toBe(code)
    expect(await list()).toHaveLength(2)
  })

  it('needs a token that may do it', async () => {
    const reader = await port.tokenFor('read')
    const operator = await port.tokenFor('operate')
    const asked: [string, Asked][] = [
      [path('a@example.com'), { method: 'PUT', body: { connector: 29 } }],
      [path('a@example.com'), { method: 'DELETE' }],
      ['/senders/import', { method: 'POST', body: { senders: [] } }],
    ]
    for (const [where, how] of asked) {
      expect((await port.ask(where, { ...how, token: operator })).code).toBe(403)
      expect((await port.ask(where, { ...how, token: null })).code).toBe(401)
    }
    expect((await port.ask('/senders', { token: reader })).code).toBe(200)
    expect((await port.ask('/senders', { token: null })).code).toBe(401)
  })
})

describe('the list', () => {
  beforeEach(async () => {
    await start()
    await importCsv('b@example.com,0\na@example.com,29\n@example.org,29\nb@example.org,asleep\n')
  })

  it.each([
    [
      '',
      [
        '@example.org 29',
        'a@example.com 29',
        'b@example.com null',
        'b@example.org asleep',
        'file@example.com 29',
      ],
    ],
    ['?search=EXAMPLE.org', ['@example.org 29', 'b@example.org asleep']],
    ['?search=b%40', ['b@example.com null', 'b@example.org asleep']],
    ['?connector=29&origin=api', ['@example.org 29', 'a@example.com 29']],
    ['?connector=0', ['b@example.com null']],
    ['?origin=file', ['file@example.com 29']],
    ['?search=nowhere', []],
  ])('is filtered: %s', async (query, expected) => {
    expect(await list(query)).toEqual(expected)
  })

  it('comes in pages, by sender', async () => {
    const seen: string[] = []
    let after = ''
    do {
      const { json } = await port.ask(`/senders?limit=2${after && `&after=${encodeURIComponent(after)}`}`)
      expect(json.total).toBe(5)
      seen.push(...json.senders.map(({ sender }: { sender: string }) => sender))
      after = json.next ?? ''
    } while (after !== '')
    expect(seen).toEqual([
      '@example.org',
      'a@example.com',
      'b@example.com',
      'b@example.org',
      'file@example.com',
    ])
  })

  it.each(['?limit=0', '?limit=1001', '?origin=else', '?connector=a%20b', '?sort=up', '?format=xml'])(
    'is refused: %s',
    async (query) => {
      const { code, json } = await port.ask(`/senders${query}`)
      expect(code).toBe(400)
      expect(json.field).toBe(/\?(\w+)/.exec(query)![1])
    },
  )

  it('comes as CSV, which can be imported again', async () => {
    const csv = await port.ask('/senders?format=csv')
    expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8')
    expect(csv.text).toBe(
      "sender,connector\r\n'@example.org,29\r\na@example.com,29\r\nb@example.com,0\r\n" +
        'b@example.org,asleep\r\nfile@example.com,29\r\n',
    )
    const asked = await port.ask('/senders?search=org', { headers: { accept: 'text/csv' } })
    expect(asked.text).toBe("sender,connector\r\n'@example.org,29\r\nb@example.org,asleep\r\n")
    expect((await importCsv(csv.text, '?replace=true')).json).toMatchObject({ unchanged: 5, removed: 0 })
  })
})

describe('an import', () => {
  beforeEach(start)

  it('by JSON and by CSV is one change', async () => {
    const senders = [
      { sender: 'a@example.com', connector: 29 },
      { sender: '@example.org', connector: null },
    ]
    expect(await importJson({ senders })).toMatchObject({
      code: 200,
      json: { created: 2, changed: 0, unchanged: 0, removed: 0, warnings: [] },
    })
    expect(port.setup.current.revision).toBe(1)
    const second = await importCsv(
      '\ufeffsender;connector\r\na@example.com;0\r\nb@example.com;29\r\n',
      '?replace=true',
    )
    expect(second.json).toMatchObject({ created: 1, changed: 1, unchanged: 0, removed: 1 })
    expect(port.setup.current.revision).toBe(2)
    expect(await list('?origin=api')).toEqual(['a@example.com null', 'b@example.com 29'])
  })

  it.each<[string, () => ReturnType<AdminPort['ask']>, number, string | undefined, string]>([
    [
      'a line that is none',
      () => importCsv('a@example.com,29\nb'),
      400,
      'line 2',
      'line 2: there must be two fields',
    ],
    [
      'a missing connector',
      () => importCsv('a@example.com,29\nb@example.com,x'),
      400,
      'line 2',
      'there is no x',
    ],
    [
      'one sender twice',
      () => importCsv('a@example.com,29\nA@example.com,0'),
      400,
      'line 2',
      'stands in line 1 already',
    ],
    [
      'a sender of the file',
      () => importCsv('a@example.com,29\nfile@example.com,0'),
      409,
      'line 2',
      'configuration file',
    ],
    [
      'nothing instead of all',
      () => importCsv('', '?replace=true'),
      400,
      'replace',
      'it would remove them all',
    ],
    [
      'another character set',
      () => importCsv(Buffer.from('m\xfcller@example.com,29', 'latin1')),
      400,
      undefined,
      'UTF-8',
    ],
    ['no list', () => importJson({ senders: 7 }), 400, 'senders', 'senders must be a list'],
    [
      'an unknown field',
      () => importJson({ senders: [], replaces: true }),
      400,
      'replaces',
      'did you mean replace?',
    ],
    ['an entry that is none', () => importJson({ senders: [7] }), 400, 'senders.0', 'must be an object'],
    [
      'replace in the query and JSON',
      () => importJson({ senders: [] }, '?replace=true'),
      400,
      'replace',
      'the body',
    ],
    ['another replace', () => importCsv('', '?replace=1'), 400, 'replace', 'must be one of true, false'],
    ['a body over its limit', () => importCsv(' '.repeat(10 * 1024 * 1024 + 1)), 413, undefined, 'too large'],
    [
      'a form',
      () =>
        port.ask('/senders/import', { method: 'POST', body: 'a', headers: { 'content-type': 'text/plain' } }),
      415,
      undefined,
      'application/json or text/csv',
    ],
  ])('is refused with %s, and nothing is changed', async (_, asked, code, field, detail) => {
    const answer = await asked()
    expect(answer).toMatchObject({ code, json: { detail: expect.stringContaining(detail) } })
    expect(answer.json.field).toBe(field)
    expect(port.setup.current.revision).toBe(0)
    expect(port.events).toEqual([])
  })
})

describe('two nodes of one store', () => {
  it('do not lose what the other did', async () => {
    await start()
    const other = await runSetup({ yaml: plainFile, state: port.state })
    const second = await startAdminPort({
      running: other,
      endpoints: senderEndpoints({ setup: other.setup }),
    })
    await put('a@example.com', { connector: 29 })
    const answers = await Promise.all([
      put('a@example.com', { connector: 0, version: 1 }),
      second.ask(path('a@example.com'), { method: 'PUT', body: { connector: 0, version: 1 } }),
      second.ask(path('b@example.com'), { method: 'PUT', body: { connector: 29 } }),
    ])
    expect(answers.map(({ code }) => code).sort()).toEqual([200, 200, 409])
    expect(await list('?origin=api')).toEqual(['a@example.com null', 'b@example.com 29'])
    await second.stop()
  })
})

describe.runIf(stores.includes('redis'))('many bindings in Redis', () => {
  let redis: RedisServer
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(() => redis.destroy())

  it('are stored in one step, seen by another node and routed by', async () => {
    const [state, otherState] = [await openState({ url: redis.url }), await openState({ url: redis.url })]
    const [running, other] = [await runSetup({ yaml, state }), await runSetup({ yaml, state: otherState })]
    port = await startAdminPort({ running, endpoints: senderEndpoints({ setup: running.setup }) })
    const seen = new Promise<void>((resolve) => other.setup.watch(() => resolve()))
    const lines = Array.from({ length: 40_000 }, (_, n) => `user${n}@example.com,29`)
    expect(await importCsv(lines.join('\n'))).toMatchObject({ code: 200, json: { created: 40_000 } })
    await seen
    expect(other.setup.current.revision).toBe(1)
    const { routes } = new InForce(other.setup.current)
    const question = { sender: 'User39999@example.com', recipient: 'a@example.org', sizeBytes: 1 }
    expect(route(routes, question)).toMatchObject({ connector: '29', why: { rule: 'senderAddress' } })
    expect((await importCsv('x@example.com,0', '?replace=true')).json).toMatchObject({ removed: 40_000 })
    await Promise.all([other.close(), state.close(), otherState.close()])
  }, 60_000)
})
