/** Tests of connectors over the API, against the sandbox and hosts that follow a script. */
import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectorTestSchema } from '../../../src/admin/connectors/connector-test-view.ts'
import { startSandbox } from '../../../src/lab/sandbox.ts'
import { type AdminPort, localToken } from '../../support/admin-port.ts'
import { Gate } from '../../support/gate.ts'
import { hangUp, RawServer, type RawServerOptions, silence } from '../../support/raw-server.ts'
import { startConnectorPort } from './connector-port.ts'

const password = 'canary-hunter2'

let port: AdminPort
const closing: (() => Promise<void>)[] = []
beforeEach(async () => {
  port = await startConnectorPort()
})
afterEach(async () => {
  await port.stop()
  for (const close of closing.splice(0)) await close()
})

async function hostOf(options: RawServerOptions): Promise<RawServer> {
  const host = await RawServer.start(options)
  closing.push(() => host.close())
  return host
}

/** How to reach the sandbox, strictly. */
async function sandboxSettings() {
  const sandbox = await startSandbox({ user: 'sandbox', password })
  closing.push(() => sandbox.stop())
  const settings = {
    name: 'Sandbox',
    addressSpaces: ['*.example.org'],
    smartHosts: ['127.0.0.1'],
    port: sandbox.port,
    smartHostAuthMechanism: 'basicAuthRequireTLS',
    user: 'sandbox',
    ca: sandbox.certificate!,
  }
  return { sandbox, settings }
}

const post = (path: string, body: unknown, token = localToken) =>
  port.ask(path, { method: 'POST', body, token })
const inClear = (host: RawServer) => ({ name: 'Host', smartHosts: ['127.0.0.1'], port: host.port })

describe('a connector that is saved', () => {
  it('is tried step by step by whoever operates, with what is stored of it', async () => {
    const { sandbox, settings } = await sandboxSettings()
    await post('/connectors', { ...settings, password, id: 5 })
    const tested = await post('/connectors/5/test', {}, await port.tokenFor('operate'))
    expect(tested.code).toBe(200)
    const { hosts, ...rest } = connectorTestSchema.strict().parse(tested.json)
    expect(rest).toEqual({ connector: '5', name: 'Sandbox', port: sandbox.port, ok: true })
    expect(hosts).toMatchObject([
      {
        smartHost: '127.0.0.1',
        address: '127.0.0.1',
        certificate: { subject: 'CN=localhost', chainFault: null, nameFault: null },
      },
    ])
    expect(hosts[0]!.steps.map(({ step, ok }) => `${step} ${ok}`)).toEqual([
      'resolve true',
      'connect true',
      'greeting true',
      'ehlo true',
      'tls true',
      'certificate true',
      'auth true',
      'quit true',
    ])
    expect(tested.text).not.toContain(password)
    expect(sandbox.counts).toMatchObject({ authentications: 1, messages: 0 })
  })

  it('has what fails told, also where the host repeats the password', async () => {
    const { sandbox, settings } = await sandboxSettings()
    await post('/connectors', { ...settings, password: 'canary-wrong', id: 5 })
    const { json, text } = await post('/connectors/5/test', {})
    expect(json).toMatchObject({ ok: false })
    expect(json.hosts[0].steps.at(-1)).toMatchObject({
      step: 'auth',
      ok: false,
      text: expect.stringMatching(/^535 /),
    })
    expect(text).not.toContain('canary')
    expect(sandbox.counts.authentications).toBe(0)
  })

  it('is not there, or cannot be used', async () => {
    expect(await post('/connectors/5/test', {})).toMatchObject({ code: 404, json: { field: 'id' } })
    const changes = [{ kind: 'connector', id: 'odd', expected: null, value: { settings: 1 } }]
    await port.setup.apply(() => ({ changes, audit: [] }), { by: 'anna' })
    expect((await post('/connectors/odd/test', {})).code).toBe(409)
  })
})

describe('a connector that is not saved', () => {
  it('is tried, and is not saved by it', async () => {
    const { settings } = await sandboxSettings()
    const before = port.setup.current.revision
    const { json } = await post('/connectors/test', { ...settings, password })
    expect(json).toMatchObject({ connector: null, ok: true })
    expect(port.setup.current.revision).toBe(before)
  })

  it('has the stored password of the one it would change', async () => {
    const { sandbox, settings } = await sandboxSettings()
    await post('/connectors', { ...settings, password, id: 5 })
    expect((await post('/connectors/test', { ...settings, maxSendSize: '1MB', id: 5 })).json.ok).toBe(true)
    expect(sandbox.counts.authentications).toBe(1)
  })

  it('never has it sent to a host that did not have it', async () => {
    const { settings } = await sandboxSettings()
    const host = await hostOf({})
    await post('/connectors', { ...settings, password, id: 5 })
    const moved = { ...settings, id: 5, port: host.port, smartHostAuthMechanism: 'basicAuth' }
    expect(await post('/connectors/test', moved)).toMatchObject({
      code: 400,
      json: {
        field: 'password',
        detail: 'password is missing: the stored one is not sent where port differs',
      },
    })
    expect(host.sessions).toEqual([])
  })

  it('is refused where it could not be saved', async () => {
    const host = await hostOf({})
    const { code, json } = await post('/connectors/test', { ...inClear(host), user: 'x' })
    expect([code, json.field]).toEqual([400, 'user'])
    expect(host.sessions).toEqual([])
  })
})

describe('tests', () => {
  it('run four at a time', async () => {
    const gate = new Gate()
    const waiting = new Gate()
    const connect = async () => {
      if (host.sessions.length === 4) waiting.open()
      await gate.opened
      return ['554 5.7.1 Go away\r\n', hangUp] as const
    }
    const host = await hostOf({ script: { connect } })
    const running = [1, 2, 3, 4].map(() => post('/connectors/test', inClear(host)))
    await waiting.opened
    const fifth = await post('/connectors/test', inClear(host))
    expect(fifth).toMatchObject({ code: 429, headers: { 'retry-after': '10' } })
    gate.open()
    for (const each of await Promise.all(running))
      expect(each).toMatchObject({ code: 200, json: { ok: false } })
    expect((await post('/connectors/test', inClear(host))).code).toBe(200)
  })

  it('end with whoever asked for them', async () => {
    const host = await hostOf({ script: { EHLO: silence } })
    for (let n = 0; n < 5; n++) {
      const body = JSON.stringify(inClear(host))
      const headers = { authorization: `Bearer ${localToken}`, 'content-type': 'application/json' }
      const client = request(`${port.url}/connectors/test`, { method: 'POST', headers })
      client.on('error', () => {})
      client.end(body)
      await expect.poll(() => host.sessions[n]?.commands.length).toBe(1)
      client.destroy()
      await host.sessions[n]!.closed
    }
    expect(host.sessions).toHaveLength(5)
  })
})
