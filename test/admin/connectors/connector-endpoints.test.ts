/** Connectors over the API: what can be asked, what is refused and how, and that no secret ever comes back. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectorViewSchema } from '../../../src/admin/connectors/connector-view.ts'
import { createLog } from '../../../src/observe/log.ts'
import { QueueUnavailable } from '../../../src/queue/queue.ts'
import { openEmbeddedState } from '../../../src/state/embedded-state.ts'
import { openState } from '../../state/redis-harness.ts'
import type { AdminPort, Answered } from '../../support/admin-port.ts'
import { FaultyQueue } from '../../support/faulty-queue.ts'
import { newMessage } from '../../support/queue-fixtures.ts'
import { redisAvailable, startRedis } from '../../support/redis.ts'
import { runSetup } from '../../support/running-setup.ts'
import { certificates } from '../../support/scripted-host.ts'
import { connectorStatus } from '../queue/queue-items.ts'
import { provider, startConnectorPort } from './connector-port.ts'

let port: AdminPort
const closing: (() => Promise<void>)[] = []
const use = (opened: AdminPort): AdminPort => {
  closing.unshift(() => opened.stop())
  return opened
}
beforeEach(async () => {
  port = use(await startConnectorPort())
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const post = (path: string, body: unknown, at = port) => at.ask(path, { method: 'POST', body })
const patch = (path: string, body: unknown, at = port) => at.ask(path, { method: 'PATCH', body })
const put = (path: string, body: unknown) => port.ask(path, { method: 'PUT', body })
const remove = (path: string) => port.ask(path, { method: 'DELETE' })

/** As `status field: detail`. */
const problem = ({ code, json }: Answered): string => `${code} ${json.field ?? '-'}: ${json.detail}`

describe('a connector', () => {
  it('is made, and shown without its password', async () => {
    const made = await post('/connectors', provider)
    expect(made).toMatchObject({ code: 201, json: { warnings: [] } })
    const { connector } = made.json
    expect(connectorViewSchema.strict().parse(connector)).toEqual({
      connector: '30',
      name: 'Newsletter provider',
      state: 'ready',
      fault: null,
      lastError: null,
      nextAttemptAt: null,
      waitingUntil: null,
      waitingFor: null,
      connections: 0,
      attemptsInFlight: 0,
      queue: { ready: 0, deferred: 0, leased: 0, suspended: 0 },
      origin: 'api',
      version: 1,
      createdAt: port.clock.now(),
      changedAt: port.clock.now(),
      rates: { incoming: 0, outgoing: 0 },
      senders: 0,
      settings: {
        enabled: true,
        default: false,
        addressSpaces: ['SMTP:*.example.org;10'],
        smartHosts: ['smtp-relay.example.com'],
        port: 587,
        tls: 'starttls',
        smartHostAuthMechanism: 'basicAuthRequireTLS',
        user: 'newsletter@example.com',
        passwordSet: true,
        requireTLS: true,
        tlsAuthLevel: 'domainValidation',
        tlsDomain: null,
        ca: null,
        clientCertificate: null,
        fqdn: null,
        maxSendSize: 100 * 1024 ** 2,
        limits: {
          connections: 20,
          messagesPerConnection: 20,
          messagesPerSecond: null,
          messagesPerMinute: null,
          messagesPerHour: null,
          messagesPerDay: null,
          recipientsPerDay: null,
        },
        protocolLogging: 'none',
      },
    })
    expect((await port.ask('/connectors/30')).json).toEqual(connector)
    expect((await port.ask('/connectors')).json.connectors[1]).toEqual(connector)
  })

  it('is changed, bit by bit, at its version', async () => {
    await post('/connectors', { ...provider, id: 'news', limits: { connections: 3 } })
    const changed = await patch('/connectors/news', {
      version: 1,
      smartHosts: ['smtp2.example.com'],
      maxSendSize: '35MB',
      port: null,
      limits: { messagesPerDay: 1000 },
    })
    expect(changed).toMatchObject({
      code: 200,
      json: {
        connector: {
          version: 2,
          settings: {
            smartHosts: ['smtp2.example.com'],
            maxSendSize: 35 * 1024 ** 2,
            port: 25,
            passwordSet: true,
            limits: { connections: 3, messagesPerDay: 1000 },
          },
        },
        warnings: [
          {
            field: 'smartHosts',
            message: 'smartHosts changed: the stored password is sent to another place from now on',
          },
        ],
      },
    })
  })

  it('gets a client certificate, whose key is not shown', async () => {
    const { cert, key } = certificates.client
    const made = await post('/connectors', {
      ...provider,
      ca: certificates.ca,
      clientCertificate: { cert, key },
    })
    expect(made.json.connector.settings).toMatchObject({
      ca: certificates.ca,
      clientCertificate: { cert, keySet: true },
    })
    expect(made.text).not.toContain('PRIVATE KEY')
  })

  it('changes how it logs in', async () => {
    await post('/connectors', { ...provider, id: 5 })
    const path = '/connectors/5/authentication'
    const ended = await put(path, { version: 1, smartHostAuthMechanism: 'none' })
    expect(ended.json.connector.settings).toMatchObject({ user: null, passwordSet: false, requireTLS: false })
    expect(problem(await put(path, { version: 2, smartHostAuthMechanism: 'basicAuth', user: 'a' }))).toBe(
      '400 password: password is missing: basicAuth logs in with user and password',
    )
    const login = {
      version: 2,
      smartHostAuthMechanism: 'basicAuthRequireTLS',
      user: 'a',
      password: 'canary-2',
    }
    expect((await put(path, login)).json.connector).toMatchObject({ version: 3, settings: { user: 'a' } })
  })

  it('is disabled and enabled', async () => {
    await post('/connectors', { ...provider, id: 5 })
    const disabled = await post('/connectors/5/disable', {})
    expect(disabled.json.connector).toMatchObject({
      state: 'disabled',
      version: 2,
      settings: { enabled: false },
    })
    expect((await post('/connectors/5/disable', {})).json.connector.version).toBe(2)
    const enabled = await post('/connectors/5/enable', { version: 2 })
    expect(enabled.json.connector).toMatchObject({ state: 'ready', version: 3 })
    expect(problem(await post('/connectors/5/enable', { version: 2 }))).toBe(
      '409 version: The connector 5 was changed meanwhile: it is at version 3, not 2',
    )
  })

  it('is removed, and its number with it', async () => {
    await post('/connectors', provider)
    expect(await remove('/connectors/30?version=1')).toMatchObject({ code: 204, text: '' })
    expect((await port.ask('/connectors/30')).code).toBe(404)
    expect((await post('/connectors', provider)).json.connector.connector).toBe('31')
  })

  it('is not removed while it is in use', async () => {
    await post('/connectors', { ...provider, id: 5 })
    const value = { connector: '5', createdAt: 1 }
    const changes = [{ kind: 'sender', id: '@example.com', expected: null, value }]
    await port.setup.apply(() => ({ changes, audit: [] }), { by: 'anna' })
    expect(problem(await remove('/connectors/5'))).toBe(
      '409 -: The connector 5 is in use, with 1 sender bound to it: @example.com',
    )
    expect((await port.ask('/connectors/5')).json.senders).toBe(1)
  })
})

describe('what is wrong is refused with its field, and nothing is changed:', () => {
  const own = { name: 'Own', smartHosts: ['192.0.2.1'], addressSpaces: ['*'] }
  it.each<[string, string, unknown, string]>([
    [
      'an unknown field',
      '/connectors',
      { ...own, smartHost: 'x' },
      '400 smartHost: There is no field smartHost: did you mean smartHosts?',
    ],
    ['no body', '/connectors', undefined, '415 -: The body must be application/json: say so in Content-Type'],
    ['a wrong type', '/connectors', { ...own, enabled: 'yes' }, '400 enabled: enabled must be true or false'],
    ['no name', '/connectors', { smartHosts: ['192.0.2.1'] }, '400 name: name is missing'],
    ...['\0', '\r\n250 x', '\u2028', '\ud800'].map((end): [string, string, unknown, string] => [
      `a name that ends in ${JSON.stringify(end)}`,
      '/connectors',
      { ...own, name: `Own${end}` },
      '400 name: name must be one line of text',
    ]),
    [
      'a user that would end the field of AUTH PLAIN',
      '/connectors',
      { ...own, smartHostAuthMechanism: 'basicAuthRequireTLS', user: 'a\0b', password: 'canary-2' },
      '400 user: user must be one line of text',
    ],
    [
      'a user that is too long for AUTH PLAIN',
      '/connectors',
      { ...own, smartHostAuthMechanism: 'basicAuthRequireTLS', user: 'a'.repeat(256), password: 'canary-2' },
      '400 user: user must have at most 255 characters',
    ],
    [
      'no smart host',
      '/connectors',
      { ...own, smartHosts: [] },
      '400 smartHosts: smartHosts must not be empty',
    ],
    [
      'a smart host with a port',
      '/connectors',
      { ...own, smartHosts: ['a.example.com:25'] },
      '400 smartHosts.0: smartHosts.0 must be a host name or an IP address, without a port',
    ],
    [
      '*example.org',
      '/connectors',
      { ...own, addressSpaces: ['*example.org'] },
      '400 addressSpaces.0: addressSpaces.0 must be * or a domain such as example.org; a wildcard takes whole labels, as in *.example.org',
    ],
    [
      'cost 0',
      '/connectors',
      { ...own, addressSpaces: ['example.org;0'] },
      '400 addressSpaces.0: addressSpaces.0 must have a cost from 1 to 100 after the semicolon',
    ],
    ['port 0', '/connectors', { ...own, port: 0 }, '400 port: port must be 1 or more'],
    [
      'a rate of 0',
      '/connectors',
      { ...own, limits: { messagesPerDay: 0 } },
      '400 limits.messagesPerDay: limits.messagesPerDay must be 1 or more',
    ],
    [
      'an unknown limit',
      '/connectors',
      { ...own, limits: { perDay: 1 } },
      '400 limits.perDay: There is no field limits.perDay',
    ],
    [
      'id 0',
      '/connectors',
      { ...own, id: 0 },
      '400 id: id must be 1 or more: 0 is no id, it means "no connector"',
    ],
    [
      'an id of the file',
      '/connectors',
      { ...own, id: 29 },
      '409 id: id 29 is taken by a connector of the configuration file',
    ],
    [
      'the name of another',
      '/connectors',
      { ...own, name: 'of the file' },
      '400 name: name must be another: the connector 29 has this name',
    ],
    [
      'a second default',
      '/connectors',
      { ...own, default: true },
      '400 default: default must be false: the connector five (Default) is the default, and there is one',
    ],
    [
      'a CA that is none',
      '/connectors',
      { ...own, ca: 'x' },
      '400 ca: ca must be one or more certificates in PEM form',
    ],
    [
      'a password of two lines',
      '/connectors',
      { ...own, password: 'canary-hunter2\n' },
      '400 password: password must be one line of 1 to 1000 characters',
    ],
    [
      'the key of another certificate',
      '/connectors',
      { ...own, clientCertificate: { cert: certificates.client.cert, key: certificates.good.key } },
      '400 clientCertificate.key: clientCertificate.key must be the key of the certificate',
    ],
  ])('%s', async (_what, path, body, expected) => {
    await post('/connectors', { ...own, id: 'five', name: 'Default', default: true })
    const before = port.setup.current.revision
    expect(problem(await post(path, body))).toBe(expected)
    expect(port.setup.current.revision).toBe(before)
  })

  it.each<[string, string, unknown, string]>([
    ['no version', '/connectors/5', { port: 25 }, '400 version: version is missing'],
    ['a name that is null', '/connectors/5', { version: 1, name: null }, '400 name: name must be text'],
    ['the id', '/connectors/5', { version: 1, id: 6 }, '400 id: There is no field id'],
    [
      'the password',
      '/connectors/5',
      { version: 1, password: 'canary-2' },
      '400 password: password is changed by PUT /connectors/:id/authentication, or with `authentication` here',
    ],
    [
      'the user',
      '/connectors/5',
      { version: 1, user: 'x' },
      '400 user: user is changed by PUT /connectors/:id/authentication, or with `authentication` here',
    ],
    [
      'the mechanism',
      '/connectors/5',
      { version: 1, smartHostAuthMechanism: 'none' },
      '400 smartHostAuthMechanism: smartHostAuthMechanism is changed by PUT /connectors/:id/authentication, or with `authentication` here',
    ],
    [
      'a limit of the wrong type',
      '/connectors/5',
      { version: 1, limits: { connections: '3' } },
      '400 limits.connections: limits.connections must be a number',
    ],
    ['port 0', '/connectors/5', { version: 1, port: 0 }, '400 port: port must be 1 or more'],
    [
      'what stands in the file',
      '/connectors/29',
      { version: 1, port: 25 },
      '409 -: The connector 29 stands in the configuration file, as connectors[0]: it is changed there',
    ],
    ['what is not there', '/connectors/6', { version: 1, port: 25 }, '404 -: There is no connector 6'],
  ])('in a change, %s', async (_what, path, body, expected) => {
    await post('/connectors', { ...provider, id: 5 })
    const before = port.setup.current.revision
    expect(problem(await patch(path, body))).toBe(expected)
    expect(port.setup.current.revision).toBe(before)
  })

  it('a body without end', async () => {
    const name = 'x'.repeat(2 * 1024 * 1024)
    expect((await post('/connectors', { ...own, name })).code).toBe(413)
  })

  it('a version that is none', async () => {
    expect(problem(await remove('/connectors/5?version=0'))).toBe('400 version: version must be a version')
  })
})

it('each asks for its scope', async () => {
  await post('/connectors', { ...provider, id: 5 })
  const scopes = ['read', 'operate', 'admin'] as const
  const tokens = await Promise.all(scopes.map((scope) => port.tokenFor(scope)))
  const refusedTo = async (method: string, path: string, body?: unknown) => {
    const codes: number[] = []
    for (const token of tokens) codes.push((await port.ask(path, { method, token, body })).code)
    return scopes.filter((_, index) => codes[index] === 403)
  }
  expect(await refusedTo('GET', '/connectors')).toEqual([])
  expect(await refusedTo('GET', '/connectors/5')).toEqual([])
  expect(await refusedTo('POST', '/connectors/5/enable', {})).toEqual(['read'])
  expect(await refusedTo('POST', '/connectors/5/disable', {})).toEqual(['read'])
  expect(await refusedTo('POST', '/connectors/6/test', {})).toEqual(['read'])
  for (const [method, path] of [
    ['POST', '/connectors'],
    ['PATCH', '/connectors/5'],
    ['PUT', '/connectors/5/authentication'],
    ['POST', '/connectors/test'],
  ] as const)
    expect(await refusedTo(method, path, {})).toEqual(['read', 'operate'])
  expect(await refusedTo('DELETE', '/connectors/6')).toEqual(['read', 'operate'])
  expect((await port.ask('/connectors', { token: null })).code).toBe(401)
})

describe('a password', () => {
  it('is in no answer, no line of the log and no audit, and sealed in the store', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'relay-sealed-'))
    const log = createLog({ level: 'debug', destination: { write: () => {} } })
    const state = await openEmbeddedState({ dir, log })
    const running = await runSetup({ state })
    const sealed = await startConnectorPort({ running })
    const answers = [
      await post('/connectors', { ...provider, id: 5 }, sealed),
      await post('/connectors', { ...provider, id: 5 }, sealed),
      await post('/connectors', { ...provider, id: 6, password: { canary: 'canary-hunter2' } }, sealed),
      await post('/connectors', { ...provider, id: 7, [provider.password]: 1 }, sealed).then(({ code }) => ({
        ...{ code, text: '' },
      })),
      await sealed.ask('/connectors'),
      await patch(
        '/connectors/5',
        { version: 1, port: 25, authentication: { password: 'canary-3' } },
        sealed,
      ),
      await sealed.ask('/connectors/5', { method: 'DELETE' }),
    ]
    expect(answers.map(({ code }) => code)).toEqual([201, 409, 400, 400, 200, 200, 204])
    const told = [
      ...answers.map(({ text }) => text),
      ...running.lines,
      sealed.logged(),
      JSON.stringify(running.events),
    ]
    expect(told.join('\n')).not.toMatch(/canary/)
    expect(running.events).toMatchObject([
      { event: 'configured', by: 'local', act: 'created', what: 'connector', id: '5' },
      { event: 'configured', act: 'changed', after: { passwordSet: true, passwordChanged: true } },
      { event: 'configured', act: 'removed', before: { passwordSet: true }, after: null },
    ])
    await post('/connectors', { ...provider, id: 8 }, sealed)
    await sealed.stop()
    await state.close()
    const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((each) =>
      each.isFile(),
    )
    const stored = Buffer.concat(
      await Promise.all(files.map((each) => readFile(join(each.parentPath, each.name)))),
    )
    expect(stored.includes('newsletter@example.com')).toBe(true)
    expect(stored.includes('canary')).toBe(false)
    expect(stored.includes(Buffer.from('canary-hunter2').toString('base64'))).toBe(false)
    await rm(dir, { recursive: true })
  })

  it('is not taken where no key is configured', async () => {
    const keyless = use(await startConnectorPort({ running: await runSetup({ box: null }) }))
    expect(await post('/connectors', provider, keyless)).toMatchObject({
      code: 409,
      json: { detail: expect.stringContaining('state.key') },
    })
    const { password: _, user: __, smartHostAuthMechanism: ___, ...open } = provider
    expect((await post('/connectors', open, keyless)).code).toBe(201)
  })
})

describe('two who change the same', () => {
  it('are told: the second gets 409 with the version that is there', async () => {
    await post('/connectors', { ...provider, id: 5 })
    const answers = await Promise.all([
      patch('/connectors/5', { version: 1, port: 25 }),
      patch('/connectors/5', { version: 1, port: 26 }),
    ])
    expect(answers.map(({ code }) => code).sort()).toEqual([200, 409])
    expect(problem(answers.find(({ code }) => code === 409)!)).toBe(
      '409 version: The connector 5 was changed meanwhile: it is at version 2, not 1',
    )
  })

  it.runIf(redisAvailable)(
    'on two nodes of one Redis are told too, and never get one number twice',
    async () => {
      const redis = await startRedis()
      const states = [await openState({ url: redis.url }), await openState({ url: redis.url })]
      const ports = []
      for (const state of states) ports.push(await startConnectorPort({ running: await runSetup({ state }) }))
      const [a, b] = ports as [AdminPort, AdminPort]
      const made = await Promise.all(
        Array.from({ length: 8 }, (_, n) =>
          post('/connectors', { ...provider, name: `Of ${n}` }, n % 2 ? a : b),
        ),
      )
      expect(made.map(({ json }) => json.connector.connector).sort()).toEqual([
        '30',
        '31',
        '32',
        '33',
        '34',
        '35',
        '36',
        '37',
      ])
      const changed = await Promise.all([
        patch('/connectors/30', { version: 1, port: 25 }, a),
        patch('/connectors/30', { version: 1, port: 26 }, b),
      ])
      expect(changed.map(({ code }) => code).sort()).toEqual([200, 409])
      const same = await Promise.all(
        [a, b].map((at) => post('/connectors', { ...provider, name: 'Same' }, at)),
      )
      expect(same.map(({ code }) => code).sort()).toEqual([201, 400])
      for (const each of ports) await each.stop()
      for (const state of states) await state.close()
      await redis.destroy()
    },
  )
})

describe('the list', () => {
  it('has how each stands, and queues that have no connector', async () => {
    const queue = await FaultyQueue.open()
    closing.push(() => queue.destroy())
    const message = newMessage({ items: [{ connector: '29' }, { connector: 'gone' }] })
    await queue.put(message, { now: port.clock.now() })
    const stopped = connectorStatus({ connector: '29', state: 'retry', lastError: 'no answer' })
    const listing = use(await startConnectorPort({ queue, statuses: [stopped] }))
    await post('/connectors', { ...provider, id: 5, enabled: false }, listing)
    const value = { settings: { name: 'Broken' }, password: null, clientKey: null, createdAt: 7 }
    const changes = [{ kind: 'connector', id: 'odd', expected: null, value }]
    await listing.setup.apply(() => ({ changes, audit: [] }), { by: 'anna' })
    const { connectors } = (await listing.ask('/connectors')).json
    expect(connectors).toMatchObject([
      {
        connector: '29',
        state: 'retry',
        lastError: 'no answer',
        origin: 'file',
        version: null,
        queue: { ready: 1 },
      },
      { connector: '5', state: 'disabled', origin: 'api' },
      {
        connector: 'odd',
        name: 'Broken',
        state: 'unusable',
        lastError: expect.stringContaining('smartHosts'),
        version: 1,
        createdAt: 7,
        settings: null,
      },
      { connector: 'gone', state: 'not-configured', origin: null, settings: null, queue: { ready: 1 } },
    ])
    queue.fail('totals', new QueueUnavailable('away'))
    expect(
      (await listing.ask('/connectors')).json.connectors.map(({ queue }: { queue: unknown }) => queue),
    ).toEqual([null, null, null])
  })

  it('shows the file as it is set', async () => {
    const { json } = await port.ask('/connectors/29')
    expect(json).toMatchObject({ origin: 'file', settings: { smartHosts: ['192.0.2.29'], fqdn: null } })
    expect(problem(await port.ask('/connectors/30'))).toBe('404 -: There is no connector 30')
  })
})
