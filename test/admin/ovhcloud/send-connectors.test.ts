/** Connectors as OVHcloud's API has them. */
import { beforeEach, describe, expect, it } from 'vitest'
import { createConnector, enableConnector } from '../../../src/setup/connector-plans.ts'
import { plainFile } from '../../support/running-setup.ts'
import { OvhcloudPort } from './ovhcloud-port.ts'

const yaml = plainFile.replace(
  /\}\]\n$/,
  '}, { id: word, name: Without a number, addressSpaces: [example.net], smartHosts: [192.0.2.30] }]\n',
)
const given = { displayName: 'testconnector', smartHost: 'smtp-relay.example.com' }
const login = {
  smartHostAuthMechanism: 'basicAuthRequireTLS',
  user: 'newsletter@example.com',
  password: 'top secret',
}

let ovhcloud: OvhcloudPort
beforeEach(async () => {
  ovhcloud = await OvhcloudPort.start(yaml)
})

const later = () => ovhcloud.port.clock.advance(1000)
const made = async (body: object = {}) => {
  await ovhcloud.expect('POST', '/sendConnector', { ...given, ...body })
  later()
}
const get = (id: number) => ovhcloud.get(`/sendConnector/${id}`)
const stored = (id: string) =>
  ovhcloud.port.setup.current.connectors.find((each) => each.id === id)!.connector
/** As the zone of this machine has it. */
const local = (at: number) => {
  const text = new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
  return expect.stringMatching(`^${text}[+-]\\d\\d:\\d\\d$`)
}

describe('a new connector', () => {
  it('is a task that is todo, then doing for a second, then done', async () => {
    const now = ovhcloud.port.clock.now()
    const task = await ovhcloud.expect('POST', '/sendConnector', {
      ...given,
      ...login,
      port: 587,
      requireTLS: true,
    })
    expect(task).toEqual({
      id: 1,
      function: 'addSendConnector',
      status: 'todo',
      todoDate: local(now),
      finishDate: null,
    })
    expect(await ovhcloud.get('/task')).toEqual([1])
    expect(await ovhcloud.get('/task/1')).toMatchObject({ status: 'doing', finishDate: null })
    expect(await get(30)).toMatchObject({ state: 'creating', taskPendingId: 1 })
    ovhcloud.port.clock.advance(999)
    expect(await ovhcloud.get('/task/1')).toMatchObject({ status: 'doing' })
    ovhcloud.port.clock.advance(1)
    expect(await ovhcloud.get('/task/1')).toEqual({ ...task, status: 'done', finishDate: local(now + 1000) })
    expect(await get(30)).toEqual({
      id: 30,
      displayName: 'testconnector',
      smartHost: 'smtp-relay.example.com',
      port: 587,
      maxSendSize: 100,
      requireTLS: true,
      smartHostAuthMechanism: 'basicAuthRequireTLS',
      default: false,
      dnsRouting: false,
      state: 'ok',
      taskPendingId: 0,
      creationDate: local(now),
      lastUpdateDate: null,
    })
  })

  it('needs a name and a smart host, and has the defaults of the platform', async () => {
    await made()
    expect(await get(30)).toMatchObject({
      port: 25,
      maxSendSize: 100,
      requireTLS: false,
      smartHostAuthMechanism: 'none',
    })
    expect(stored('30')).toMatchObject({ addressSpaces: [], default: false, enabled: true })
  })

  it('logs in with what is never shown again', async () => {
    await made(login)
    expect(stored('30')).toMatchObject({ user: login.user, password: login.password, requireTLS: true })
    expect(await get(30)).not.toHaveProperty('user')
    const { objects } = ovhcloud.port.setup.current.snapshot
    expect(JSON.stringify([await get(30), objects, ovhcloud.port.events])).not.toContain(login.password)
  })

  it.each<[string, object, string]>([
    [
      'without a name',
      { displayName: undefined },
      '400 Client::BadRequest displayName: displayName is missing',
    ],
    [
      'without a smart host',
      { smartHost: undefined },
      '400 Client::BadRequest smartHost: smartHost is missing',
    ],
    ['with port 0', { port: 0 }, '400 Client::BadRequest port: port must be'],
    ['with a port in text', { port: '587' }, '400 Client::BadRequest port: port must be a'],
    [
      'with more than 100 MB',
      { maxSendSize: 101 },
      '400 Client::BadRequest maxSendSize: maxSendSize must be',
    ],
    [
      'with a mechanism that is none',
      { smartHostAuthMechanism: 'digest' },
      '400 Client::BadRequest smartHostAuthMechanism: smartHostAuthMechanism must be one of none, basicAuth, basicAuthRequireTLS',
    ],
    [
      'with a smart host that is none',
      { smartHost: 'not a host' },
      '400 Client::BadRequest smartHost: smartHost must',
    ],
    ['with an empty name', { displayName: '' }, '400 Client::BadRequest displayName: displayName must'],
    [
      'with a name that is taken',
      { displayName: 'of the FILE' },
      '400 Client::BadRequest displayName: displayName must be another',
    ],
    [
      'with a login that lacks the password',
      { ...login, password: '' },
      '400 Client::BadRequest password: password is missing',
    ],
    [
      'with a field that is none',
      { smarthost: 'a' },
      '400 Client::BadRequest smarthost: There is no field smarthost: did you mean smartHost?',
    ],
  ])('%s is refused, and nothing is stored', async (_what, change, refusal) => {
    expect(await ovhcloud.refusal('POST', '/sendConnector', { ...given, ...change })).toContain(refusal)
    expect(ovhcloud.port.setup.current.snapshot.objects).toEqual([])
  })
})

describe('the list', () => {
  it('has those with a number, in its order, also those of the file', async () => {
    for (const displayName of ['One', 'Two']) await made({ displayName })
    await ovhcloud.expect('DELETE', '/sendConnector/30')
    await made({ displayName: 'Three' })
    expect(await ovhcloud.get('/sendConnector')).toEqual([29, 31, 32])
  })

  it.each([
    ['0', '404 Client::NotFound id: There is no connector 0'],
    ['4711', '404 Client::NotFound id: There is no connector 4711'],
    ['word', '400 Client::BadRequest id: id must be a whole number'],
  ])('has no %s', async (id, refusal) => {
    expect(await ovhcloud.refusal('GET', `/sendConnector/${id}`)).toBe(refusal)
  })
})

describe('an edit', () => {
  it('takes the object as it was read, with what is changed in it', async () => {
    await made()
    const before = await get(30)
    expect(
      await ovhcloud.expect('PUT', '/sendConnector/30', { ...before, port: 2525, maxSendSize: 20 }),
    ).toBeNull()
    expect(await get(30)).toMatchObject({ state: 'ok', taskPendingId: 2 })
    const changedAt = ovhcloud.port.clock.now()
    later()
    expect(await get(30)).toEqual({
      ...before,
      port: 2525,
      maxSendSize: 20,
      lastUpdateDate: local(changedAt),
    })
    expect(stored('30').maxSendSize).toBe(20 * 1024 ** 2)
    expect(await ovhcloud.get('/task/2')).toMatchObject({ function: 'setSendConnector', status: 'done' })
  })

  it('changes each field that can be changed, alone', async () => {
    await made()
    for (const change of [
      { displayName: 'other' },
      { smartHost: 'other.example.com' },
      { port: 26 },
      { maxSendSize: 1 },
      { requireTLS: true },
    ]) {
      await ovhcloud.expect('PUT', '/sendConnector/30', change)
      expect(await get(30)).toMatchObject(change)
    }
  })

  it('ignores fields that are read-only', async () => {
    await made()
    const before = await get(30)
    const readOnly = {
      id: 31,
      state: 'suspended',
      default: true,
      smartHostAuthMechanism: 'basicAuth',
      creationDate: null,
    }
    await ovhcloud.expect('PUT', '/sendConnector/30', readOnly)
    expect(await get(30)).toEqual(before)
    expect(await ovhcloud.get('/task')).toEqual([1])
  })

  it('leaves what this API cannot show as it is', async () => {
    const settings = {
      name: 'Elsewhere',
      smartHosts: ['a.example.com', 'b.example.com'],
      maxSendSize: 10 * 1024 ** 2 + 1,
      addressSpaces: ['example.org'],
      smartHostAuthMechanism: 'basicAuthRequireTLS' as const,
      user: 'user',
      password: 'top secret',
    }
    await ovhcloud.port.setup.apply(createConnector(settings), { by: 'test' })
    const before = stored('30')
    const shown = await get(30)
    expect(shown).toMatchObject({ smartHost: 'a.example.com', maxSendSize: 10, requireTLS: true })
    await ovhcloud.expect('PUT', '/sendConnector/30', { ...shown, displayName: 'Here' })
    expect(stored('30')).toEqual({ ...before, name: 'Here' })
  })

  it.each<[string, object, string]>([
    ['MX routing', { dnsRouting: true }, '400 Client::BadRequest dnsRouting: dnsRouting must be false'],
    [
      'a size that is none',
      { maxSendSize: 0 },
      '400 Client::BadRequest maxSendSize: maxSendSize must be 1 to 100 megabytes',
    ],
    ['a port that is none', { port: 65536 }, '400 Client::BadRequest port: port must be'],
    ['a smart host that is none', { smartHost: 'a b' }, '400 Client::BadRequest smartHost: smartHost must'],
    ['a password', { password: 'x' }, '400 Client::BadRequest password: There is no field password'],
  ])('is refused %s', async (_what, change, refusal) => {
    await made()
    expect(await ovhcloud.refusal('PUT', '/sendConnector/30', change)).toContain(refusal)
  })

  it('of a connector of the file is refused', async () => {
    const refusal = await ovhcloud.refusal('PUT', '/sendConnector/29', { port: 26 })
    expect(refusal).toContain('403 Client::Forbidden -: The connector 29 stands in the configuration file')
  })

  it('of a connector that is not there is refused', async () => {
    expect(await ovhcloud.refusal('PUT', '/sendConnector/30', { port: 26 })).toContain('404 Client::NotFound')
  })
})

describe('a change of authentication', () => {
  const change = (body: object) => ovhcloud.expect('POST', '/sendConnector/30/changeAuthentication', body)

  it('logs in, logs in otherwise, and not any more', async () => {
    await made()
    expect(await change(login)).toMatchObject({ function: 'setSendConnector', status: 'todo' })
    expect(await get(30)).toMatchObject({ smartHostAuthMechanism: 'basicAuthRequireTLS' })
    await change({ password: 'another' })
    expect(stored('30')).toMatchObject({ user: login.user, password: 'another' })
    await change({ smartHostAuthMechanism: 'none' })
    expect(stored('30')).toMatchObject({ smartHostAuthMechanism: 'none', user: null, password: null })
  })

  it('is a task also where nothing is said', async () => {
    await made(login)
    expect(await change({})).toMatchObject({ id: 2, status: 'todo' })
    expect(stored('30')).toMatchObject({ password: login.password })
  })

  it('is refused where the login would not be whole', async () => {
    await made()
    const path = '/sendConnector/30/changeAuthentication'
    expect(await ovhcloud.refusal('POST', path, { smartHostAuthMechanism: 'basicAuth' })).toContain(
      '400 Client::BadRequest user',
    )
    expect(await ovhcloud.refusal('POST', '/sendConnector/31/changeAuthentication', {})).toContain(
      '404 Client::NotFound',
    )
  })
})

describe('a deletion', () => {
  it('is a task, and the connector is gone', async () => {
    await made()
    expect(await ovhcloud.expect('DELETE', '/sendConnector/30')).toMatchObject({
      function: 'deleteSendConnector',
    })
    expect(await ovhcloud.get('/sendConnector')).toEqual([29])
    expect(await ovhcloud.refusal('DELETE', '/sendConnector/30')).toContain('404 Client::NotFound')
  })

  it('is refused while an account, a domain or a rule has it', async () => {
    await made()
    await ovhcloud.expect('PUT', '/account/user@example.com', { sendConnectorId: 30 })
    const refusal = () => ovhcloud.refusal('DELETE', '/sendConnector/30')
    expect(await refusal()).toBe(
      '409 Client::Conflict -: The connector 30 is in use, with 1 sender bound to it: user@example.com',
    )
    await ovhcloud.expect('PUT', '/account/user@example.com', { sendConnectorId: 0 })
    await ovhcloud.expect('PUT', '/domain/example.com/changeDefaultSBR', { sendConnectorIdDefault: 30 })
    expect(await refusal()).toContain('@example.com')
    await ovhcloud.expect('PUT', '/domain/example.com/changeDefaultSBR', { sendConnectorIdDefault: 0 })
    expect(await ovhcloud.expect('DELETE', '/sendConnector/30')).toMatchObject({ status: 'todo' })
  })

  it('of a connector of the file is refused', async () => {
    expect(await ovhcloud.refusal('DELETE', '/sendConnector/29')).toContain('403 Client::Forbidden')
  })
})

it('a connector that is disabled is suspended', async () => {
  await made()
  await ovhcloud.port.setup.apply(enableConnector('30', { version: undefined, enabled: false }), {
    by: 'test',
  })
  expect(await get(30)).toMatchObject({ state: 'suspended' })
})

it('changes side by side have a task each', async () => {
  const names = Array.from({ length: 20 }, (_, n) => `Connector ${n}`)
  const tasks = await Promise.all(
    names.map((displayName) => ovhcloud.expect('POST', '/sendConnector', { ...given, displayName })),
  )
  expect(new Set(tasks.map(({ id }) => id)).size).toBe(20)
  expect(await ovhcloud.get('/sendConnector')).toHaveLength(21)
  expect(await ovhcloud.refusal('GET', '/task/21')).toBe('404 Client::NotFound id: There is no task 21')
})
