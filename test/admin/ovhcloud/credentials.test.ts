/** Who may ask OVHcloud's API, and how those who may not are told so. */
import { beforeEach, describe, expect, it } from 'vitest'
import { applicationSecretContext } from '../../../src/setup/token.ts'
import { parseSecretKey, reseal, type SealedSecret, SecretBox } from '../../../src/state/secrets.ts'
import type { Answered, Asked } from '../../support/admin-port.ts'
import { stateKey } from '../../support/running-setup.ts'
import { type Application, OvhcloudPort, service } from './ovhcloud-port.ts'

let ovhcloud: OvhcloudPort
let application: Application
beforeEach(async () => {
  ovhcloud = await OvhcloudPort.start()
  application = await ovhcloud.application()
})

const told = ({ code, json }: Answered) =>
  code === 200 ? json : `${code} ${json.class} ${json.errorCode}: ${json.message}`
const path = `${service}/sendConnector`
const body = JSON.stringify({ displayName: 'Signed', smartHost: 'smtp.example.net' })
const post = { method: 'POST', path, body }

describe('the clock', () => {
  it.each(['/auth/time', '/1.0/auth/time', '/v1/auth/time'])('is told to anybody at %s', async (path) => {
    const { code, text, headers } = await ovhcloud.port.ask(path, { token: null })
    expect([code, text]).toEqual([200, String(ovhcloud.port.clock.now() / 1000)])
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
    expect(headers['x-ovh-queryid']).toMatch(/^RELAY\.[0-9a-f]{8}\.[0-9a-f]{8}$/)
  })
})

describe('a token', () => {
  it.each(['', '/1.0', '/v1'])('asks with Bearer alone below %j', async (version) => {
    expect(told(await ovhcloud.port.ask(version + path))).toEqual([29])
  })

  it('signs with its application secret below each version', async () => {
    for (const version of ['', '/1.0', '/v1'])
      expect(told(await ovhcloud.signed(application, { path: version + path }))).toEqual([29])
  })

  it('signs what it called, also behind a proxy that calls us by another name', async () => {
    const host = `localhost:${ovhcloud.port.admin.port}`
    const headers = { host, 'x-forwarded-host': '127.0.0.1, proxy.example.com' }
    expect(told(await ovhcloud.signed(application, { path }, { headers }))).toEqual([29])
  })

  it('signs on when its secret was sealed anew with another key', async () => {
    const { applicationKey, applicationSecret } = application
    const current = parseSecretKey(Buffer.alloc(32, 8).toString('base64'))
    if ('error' in current || 'error' in stateKey) throw new Error('No key')
    const box = new SecretBox({ current, former: [stateKey] })
    const object = { kind: 'token', id: applicationKey }
    const stored = ovhcloud.port.setup.current.tokens[0]!.applicationSecret
    const resealed = reseal({ applicationSecret: stored }, { box, object }) as {
      applicationSecret: SealedSecret
    }
    const only = new SecretBox({ current, former: [] })
    const context = applicationSecretContext(applicationKey)
    expect(only.open(resealed.applicationSecret, { context })).toBe(applicationSecret)
  })

  it('that signs is who the audit names', async () => {
    expect(told(await ovhcloud.signed(application, post))).toMatchObject({ function: 'addSendConnector' })
    expect(ovhcloud.port.events.at(-1)).toMatchObject({ by: 'Terraform admin', what: 'connector' })
  })

  it('has its id as application key and itself as consumer key, and its secret is kept sealed', async () => {
    const { applicationKey, applicationSecret, consumerKey } = application
    expect((await ovhcloud.port.ask('/tokens')).json.tokens).toMatchObject([{ id: applicationKey }])
    expect(consumerKey).toMatch(/^relay_/)
    const { objects } = ovhcloud.port.setup.current.snapshot
    const stored = JSON.stringify([objects, ovhcloud.port.events]) + ovhcloud.port.logged()
    expect(stored).toContain('"applicationSecret":{"sealed"')
    expect(stored).not.toContain(applicationSecret)
    expect(stored).not.toContain(consumerKey)
  })

  it('reads where its scope is read, and changes nothing', async () => {
    const reader = await ovhcloud.application('read')
    expect(told(await ovhcloud.signed(reader, { path }))).toEqual([29])
    expect(told(await ovhcloud.signed(reader, post))).toBe(
      '403 Client::Forbidden NOT_GRANTED_CALL: This call has not been granted: This needs a token with the scope admin',
    )
  })
})

describe('nobody asks', () => {
  const headers = (change: Record<string, string>): Asked => ({ headers: change })
  it.each<[string, Asked, string]>([
    [
      'with a wrong signature',
      headers({ 'x-ovh-signature': `$1$${'0'.repeat(40)}` }),
      '400 Client::BadRequest INVALID_SIGNATURE: Invalid signature',
    ],
    [
      'without a signature',
      headers({ 'x-ovh-signature': '' }),
      '400 Client::BadRequest INVALID_SIGNATURE: Invalid signature',
    ],
    [
      'for another path',
      { headers: { host: '127.0.0.2' } },
      '400 Client::BadRequest INVALID_SIGNATURE: Invalid signature',
    ],
    ['with another body', { body: '{}' }, '400 Client::BadRequest INVALID_SIGNATURE: Invalid signature'],
    [
      'without a time',
      headers({ 'x-ovh-timestamp': '' }),
      '400 Client::BadRequest QUERY_TIME_OUT: Query out of time',
    ],
    [
      'with an unknown application key',
      headers({ 'x-ovh-application': '000000000000' }),
      '403 Client::Forbidden INVALID_KEY: This application key is invalid',
    ],
    [
      'with an unknown consumer key',
      headers({ 'x-ovh-consumer': `relay_${'A'.repeat(43)}` }),
      '403 Client::Forbidden NOT_CREDENTIAL: This credential does not exist',
    ],
    [
      'with the token of the machine as consumer key',
      headers({ 'x-ovh-consumer': 'A'.repeat(43) }),
      '403 Client::Forbidden NOT_CREDENTIAL: This credential does not exist',
    ],
    [
      'without a consumer key',
      headers({ 'x-ovh-consumer': '' }),
      '401 Client::Unauthorized NOT_CREDENTIAL: You must login first',
    ],
    [
      'without an application key',
      headers({ 'x-ovh-application': '' }),
      '401 Client::Unauthorized NOT_CREDENTIAL: You must login first',
    ],
    [
      'with a wrong token',
      { token: `relay_${'A'.repeat(43)}` },
      '401 Client::Unauthorized NOT_CREDENTIAL: The token is not one of this relay',
    ],
  ])('%s', async (_what, change, expected) => {
    expect(told(await ovhcloud.signed(application, post, change))).toBe(expected)
    expect(told(await ovhcloud.port.ask(path))).toEqual([29])
  })

  it('with the consumer key of another application', async () => {
    const other = await ovhcloud.application('operate')
    const mixed = { ...application, consumerKey: other.consumerKey }
    expect(told(await ovhcloud.signed(mixed, { path }))).toContain('NOT_CREDENTIAL')
  })

  it('with a token that was made without an application secret', async () => {
    const token = await ovhcloud.port.tokenFor('admin')
    const { id } = (await ovhcloud.port.ask('/tokens')).json.tokens.find(
      ({ name }: { name: string }) => name === 'for admin',
    )
    const plain = { applicationKey: id, applicationSecret: '', consumerKey: token }
    expect(told(await ovhcloud.signed(plain, { path }))).toContain('403 Client::Forbidden INVALID_KEY')
  })

  it('with a token that is gone, or has expired', async () => {
    const { applicationKey } = application
    await ovhcloud.port.ask(`/tokens/${applicationKey}`, { method: 'DELETE' })
    expect(told(await ovhcloud.signed(application, { path }))).toContain('INVALID_KEY')
  })

  it('more than five minutes before or after it signed', async () => {
    const now = ovhcloud.port.clock.now()
    for (const at of [now - 301_000, now + 301_000])
      expect(told(await ovhcloud.signed(application, { path, at }))).toBe(
        '400 Client::BadRequest QUERY_TIME_OUT: Query out of time',
      )
  })

  it('with nothing, or with the cookie of a session', async () => {
    const login = await ovhcloud.port.ask('/session', {
      method: 'POST',
      token: null,
      body: { token: application.consumerKey },
    })
    const cookie = String(login.headers['set-cookie']).split(';')[0]!
    for (const headers of [{}, { cookie }])
      expect(told(await ovhcloud.port.ask(path, { token: null, headers }))).toBe(
        '401 Client::Unauthorized NOT_CREDENTIAL: You must login first',
      )
  })

  it('for the same once more, when the second that it signed is over', async () => {
    const put = { method: 'PUT', path: `${service}/account/user@example.com`, body: '{"sendConnectorId":29}' }
    const at = ovhcloud.port.clock.now()
    expect(told(await ovhcloud.signed(application, { ...put, at }))).toBeNull()
    expect(told(await ovhcloud.signed(application, { ...put, at }))).toBeNull()
    ovhcloud.port.clock.advance(6000)
    expect(told(await ovhcloud.signed(application, { ...put, at }))).toContain('INVALID_SIGNATURE')
    expect(told(await ovhcloud.signed(application, put))).toBeNull()
    const get = { path, at }
    expect(told(await ovhcloud.signed(application, get))).toEqual([29])
    expect(told(await ovhcloud.signed(application, get))).toEqual([29])
  })
})

describe('an answer that is a refusal', () => {
  it('has what the clients of OVHcloud read', async () => {
    const { code, headers, json } = await ovhcloud.port.ask(`${service}/sendConnector/4711`)
    expect(code).toBe(404)
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
    expect(json).toEqual({
      class: 'Client::NotFound',
      message: 'There is no connector 4711',
      httpCode: '404 Not Found',
      details: { field: 'id' },
      queryId: headers['x-ovh-queryid'],
    })
  })

  it.each([
    ['GET', '/1.0/me', '404 Client::NotFound INVALID_URL: Got an invalid (or empty) URL'],
    ['PATCH', `/1.0${path}`, '404 Client::NotFound INVALID_URL: Got an invalid (or empty) URL'],
    [
      'GET',
      '/1.0/email/exchange/-/service/b/sendConnector',
      '404 Client::NotFound undefined: This service does not exist',
    ],
    [
      'GET',
      '/email/exchange/a/service/b%20c/sendConnector',
      '404 Client::NotFound undefined: This service does not exist',
    ],
  ])('%s %s: %s', async (method, path, expected) => {
    expect(told(await ovhcloud.port.ask(path, { method }))).toBe(expected)
  })

  it('has this form for a body that is none, and one that is too large', async () => {
    const ask = (body: string | Buffer) => ovhcloud.port.ask(path, { method: 'POST', body })
    expect(told(await ask(Buffer.from('{"displayName":"f\xfcr"}', 'latin1')))).toBe(
      '400 Client::BadRequest undefined: The body must be text in UTF-8',
    )
    expect(told(await ask('{'))).toBe('400 Client::BadRequest undefined: The body is no JSON')
    expect(told(await ask('[]'))).toBe('400 Client::BadRequest undefined: The body must be an object')
    expect(told(await ask(`"${'x'.repeat(20_000)}"`))).toMatch(/^413 Client::PayloadTooLarge/)
  })

  it('leaves the errors of our own API as they are', async () => {
    const { headers, json } = await ovhcloud.port.ask('/nowhere')
    expect(headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(json.status).toBe(404)
    const typed = await ovhcloud.port.ask('/tokens', { method: 'POST', body: '{}' })
    expect(typed.code).toBe(415)
  })
})

it('every service is this one, by whatever name', async () => {
  const other = '/1.0/email/exchange/dedicated-zz11111-1/service/other.name_2/sendConnector'
  expect(told(await ovhcloud.port.ask(other))).toEqual([29])
})
