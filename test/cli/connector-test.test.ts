/** `relay connector test` against the sandbox, and against hosts that follow a script, where no relay runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { registerConnector } from '../../src/cli/connector.ts'
import { registerConnectorTest } from '../../src/cli/connector-test.ts'
import { type Sandbox, startSandbox } from '../../src/lab/sandbox.ts'
import { closedPort } from '../support/closed-port.ts'
import { ehlo, hangUp, RawServer, type RawServerOptions } from '../support/raw-server.ts'
import { certificates } from '../support/scripted-host.ts'
import { type Run, runCommand } from './run-command.ts'

const password = 'canary-hunter2'
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const secrets = [password, base64(password), base64(`\0sandbox\0${password}`)]

let directory: string
const at = (name: string): string => join(directory, name)
let noRelay: { port: number }
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'relay-connector-test-'))
  writeFileSync(at('password'), `${password}\n`)
  writeFileSync(at('ca.pem'), certificates.ca)
  noRelay = { port: await closedPort() }
})
afterAll(() => rmSync(directory, { recursive: true }))

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function sandboxOf(
  options: { address?: string; port?: number; password?: string } = {},
): Promise<Sandbox> {
  const sandbox = await startSandbox({ user: 'sandbox', password, ...options })
  closing.push(() => sandbox.stop())
  writeFileSync(at('sandbox.pem'), sandbox.certificate!)
  return sandbox
}

async function hostOf(options: RawServerOptions): Promise<RawServer> {
  const host = await RawServer.start(options)
  closing.push(() => host.close())
  return host
}

/** Strict, to the sandbox, unless `change` says otherwise. */
async function test(port: number, change: Record<string, unknown> = {}, ...args: string[]): Promise<Run> {
  const connector = {
    id: 29,
    name: 'Provider',
    addressSpaces: ['*'],
    smartHosts: ['127.0.0.1'],
    port,
    smartHostAuthMechanism: 'basicAuthRequireTLS',
    user: 'sandbox',
    password: { file: at('password') },
    requireTLS: true,
    tlsAuthLevel: 'domainValidation',
    caFile: at('sandbox.pem'),
    ...change,
  }
  const config = {
    hostname: 'relay.example.com',
    dataDir: at('data'),
    listeners: [{ name: 'exchange', port: 0 }],
    admin: noRelay,
    connectors: [connector],
  }
  writeFileSync(at('relay.yaml'), stringify(config))
  const register = (program: Parameters<typeof registerConnector>[0]) =>
    registerConnectorTest(registerConnector(program))
  const run = await runCommand(register, ['--config', at('relay.yaml'), 'connector', 'test', '29', ...args])
  for (const secret of secrets) expect(run.out + run.err).not.toContain(secret)
  return run
}

const inClear = {
  requireTLS: false,
  tlsAuthLevel: undefined,
  smartHostAuthMechanism: 'none',
  user: null,
  password: null,
  caFile: null,
}
const named = { tlsDomain: 'smtp.example.com', caFile: null }

/** `step: text`, with a mark before those that failed. */
async function steps(port: number, change: Record<string, unknown> = {}): Promise<string[]> {
  const run = await test(port, change, '--json')
  expect(run.err).toBe('')
  const { ok, hosts } = JSON.parse(run.out)
  const all = hosts.flatMap((host: { steps: { step: string; ok: boolean; text: string }[] }) => host.steps)
  expect(run.code).toBe(ok ? 0 : 1)
  return all.map((one: { step: string; ok: boolean; text: string }) => {
    return `${one.ok ? '' : 'FAILED '}${one.step}: ${one.text}`
  })
}

const found = (step: string): unknown => expect.stringMatching(new RegExp(`^${step}`))

describe('a connector that works', () => {
  it('is shown step by step, each with its reply, and no mail is sent', async () => {
    const sandbox = await sandboxOf()
    const { out, code } = await test(sandbox.port)
    expect(code).toBe(0)
    const lines = out.split('\n').map((line) => line.trimEnd())
    expect(lines.slice(0, 5)).toEqual([
      `127.0.0.1, port ${sandbox.port}`,
      'RESULT  STEP         WHAT WAS FOUND',
      'ok      resolve      127.0.0.1',
      'ok      connect      connected',
      expect.stringMatching(/^ok {6}greeting {5}220 sandbox\.localhost/),
    ])
    expect(out).toMatch(/^ok +ehlo +250 sandbox\.localhost/m)
    expect(out).toMatch(/^ +SIZE \d+, .*AUTH /m)
    expect(out).toMatch(/^ok +tls +TLSv1\.3 TLS_\w+, by STARTTLS$/m)
    expect(out).toMatch(/^ok +certificate +passes domainValidation$/m)
    expect(out).toMatch(/^ +subject: CN=localhost$/m)
    expect(out).toMatch(/^ +names: DNS:localhost, IP Address:127\.0\.0\.1/m)
    expect(out).toMatch(/^ +valid: .+ to .+$/m)
    expect(out).toMatch(/^ok +auth +235 2\.7\.0 /m)
    expect(out).toMatch(/^ok +quit +221 2\.0\.0 /m)
    expect(sandbox.counts).toMatchObject({ connections: 1, authentications: 1, messages: 0, refusals: 0 })
  })

  it('is told as JSON', async () => {
    const sandbox = await sandboxOf()
    const { out } = await test(sandbox.port, {}, '--json')
    expect(JSON.parse(out)).toMatchObject({
      connector: '29',
      name: 'Provider',
      ok: true,
      hosts: [
        {
          smartHost: '127.0.0.1',
          address: '127.0.0.1',
          extensions: expect.arrayContaining(['PIPELINING']),
          certificate: { subject: 'CN=localhost', chainFault: null, nameFault: null },
        },
      ],
    })
  })

  it('may log in by LOGIN', async () => {
    const host = await hostOf({
      tls: certificates.good,
      script: { EHLO: ehlo('STARTTLS', 'AUTH LOGIN'), password: '235 2.7.0 Come in\r\n' },
    })
    const { out, code } = await test(host.port, { ...named, caFile: at('ca.pem') })
    expect(code).toBe(0)
    expect(out).toMatch(/^ok +auth +235 2\.7\.0 Come in$/m)
  })

  it('may do without TLS and login', async () => {
    const host = await hostOf({ script: { EHLO: ehlo('PIPELINING') } })
    expect(await steps(host.port, inClear)).toEqual([
      'resolve: 127.0.0.1',
      'connect: connected',
      'greeting: 220 mx.example.net ESMTP',
      'ehlo: 250 mx.example.net at your service',
      'tls: not offered, and the connector does not require it',
      'quit: 221 2.0.0 Bye',
    ])
    expect(host.sessions).toHaveLength(1)
  })

  it('may have a host that leaves without a word', async () => {
    const host = await hostOf({ script: { EHLO: ehlo('PIPELINING'), QUIT: hangUp } })
    expect((await steps(host.port, inClear)).at(-1)).toBe('quit: closed without a reply')
  })
})

describe('a step that fails is shown with its reason', () => {
  it('connection', async () => {
    expect(await steps(await closedPort())).toEqual([
      'resolve: 127.0.0.1',
      expect.stringMatching(/^FAILED connect: 451 4\.4\.1 Cannot connect: connection refused/),
    ])
  })

  it('greeting', async () => {
    const host = await hostOf({ script: { connect: ['554 5.7.1 Go away\r\n', hangUp] } })
    expect((await steps(host.port)).slice(2)).toEqual(['FAILED greeting: 554 5.7.1 Go away'])
    expect(host.sessions).toHaveLength(1)
  })

  it('EHLO', async () => {
    const refusal = '550 5.7.1 Not you\r\n'
    const host = await hostOf({ script: { EHLO: refusal, HELO: refusal } })
    expect((await steps(host.port)).slice(2)).toEqual([
      'greeting: 220 mx.example.net ESMTP',
      'FAILED ehlo: 550 5.7.1 Not you',
    ])
  })

  it('no STARTTLS, and not a byte of the login in clear', async () => {
    const script = { EHLO: ehlo('PIPELINING', 'AUTH PLAIN'), STARTTLS: '502 5.5.1 No\r\n' }
    const host = await hostOf({ script })
    expect((await steps(host.port)).slice(4)).toEqual([expect.stringMatching(/^FAILED tls: /)])
    const verbs = host.sessions.flatMap(({ commands }) => commands.map((command) => command.slice(0, 4)))
    expect(verbs).not.toContain('AUTH')
    expect(verbs).not.toContain('MAIL')
  })

  it('a certificate with another name, which is shown, and no login', async () => {
    const sandbox = await sandboxOf()
    const { out, code } = await test(sandbox.port, { tlsDomain: 'smtp.example.com' })
    expect(code).toBe(1)
    expect(out).toMatch(/^FAILED +certificate +451 4\.7\.5 .*its certificate carries another name/m)
    expect(out).toMatch(/^ +chain: leads to a trusted root$/m)
    expect(out).toMatch(/^ +name: .*smtp\.example\.com/m)
    expect(out).not.toMatch(/ auth /)
    expect(sandbox.counts).toMatchObject({ authentications: 0, authenticationsRefused: 0 })
  })

  it('a certificate that nobody trusts', async () => {
    const sandbox = await sandboxOf()
    const { out, code } = await test(sandbox.port, { caFile: null })
    expect(code).toBe(1)
    expect(out).toMatch(/^ok +tls +TLSv1\.3/m)
    expect(out).toMatch(/^FAILED +certificate +451 4\.7\.5 .*self-signed/m)
    expect(out).toMatch(/^ +chain: DEPTH_ZERO_SELF_SIGNED_CERT$/m)
    expect(out).toMatch(/^ +name: is the one it must carry$/m)
  })

  it('a login, whose refusal repeats the credentials', async () => {
    const host = await hostOf({
      tls: certificates.good,
      script: { 'AUTH PLAIN': (line) => `535 5.7.8 Not good: ${line} (${password})\r\n` },
    })
    const { out, code } = await test(host.port, { ...named, caFile: at('ca.pem') })
    expect(code).toBe(1)
    expect(out).toMatch(/^ok +certificate +passes domainValidation$/m)
    expect(out).toMatch(/^FAILED +auth +535 5\.7\.8 Not good: AUTH PLAIN \*\*\* \(\*\*\*\)$/m)
  })

  it('a login that the host does not offer', async () => {
    const host = await hostOf({ tls: certificates.good, script: { EHLO: ehlo('STARTTLS', 'AUTH GSSAPI') } })
    const told = await steps(host.port, { ...named, caFile: at('ca.pem') })
    expect(told.at(-1)).toMatch(/^FAILED auth: 451 4\.7\.0 .*only AUTH GSSAPI$/)
  })

  it('QUIT', async () => {
    const host = await hostOf({ script: { EHLO: ehlo('PIPELINING'), QUIT: ['554 5.0.0 Never\r\n', hangUp] } })
    expect((await steps(host.port, inClear)).at(-1)).toBe('FAILED quit: 554 5.0.0 Never')
  })
})

it('what a lower level does not ask for is told all the same', async () => {
  const sandbox = await sandboxOf()
  const lenient = { caFile: null, tlsAuthLevel: 'encryptionOnly', tlsDomain: 'smtp.example.com' }
  const { out, code } = await test(sandbox.port, lenient)
  expect(code).toBe(0)
  expect(out).toMatch(/^ok +certificate +passes encryptionOnly$/m)
  expect(out).toMatch(/^ +chain: DEPTH_ZERO_SELF_SIGNED_CERT$/m)
  expect(out).toMatch(/^ +name: .*smtp\.example\.com/m)
})

describe('several smart hosts', () => {
  it('are all tried, and one that is down fails the test', async () => {
    const sandbox = await sandboxOf()
    const told = await steps(sandbox.port, { smartHosts: ['127.0.0.2', '127.0.0.1'] })
    expect(told).toEqual([
      'resolve: 127.0.0.2',
      found('FAILED connect'),
      'resolve: 127.0.0.1',
      ...['connect', 'greeting', 'ehlo', 'tls', 'certificate', 'auth', 'quit'].map(found),
    ])
  })

  it('do not all hear credentials that one has refused', async () => {
    const first = await sandboxOf({ password: 'another' })
    const second = await sandboxOf({ address: '127.0.0.2', port: first.port })
    const told = await steps(first.port, {
      smartHosts: ['127.0.0.1', '127.0.0.2'],
      tlsAuthLevel: 'encryptionOnly',
    })
    expect(told.filter((line) => line.startsWith('FAILED'))).toEqual([
      found('FAILED auth: 535 5.7.8'),
      'FAILED auth: not tried: another host has refused the credentials',
    ])
    expect(second.counts).toMatchObject({ connections: 1, authentications: 0, authenticationsRefused: 0 })
  })
})

it('names a connector that is not there, and a configuration that is not right', async () => {
  writeFileSync(at('relay.yaml'), 'hostname: relay.example.com\n')
  const run = (...args: string[]) =>
    runCommand(
      (program) => registerConnectorTest(registerConnector(program)),
      [...['--config', at('relay.yaml'), 'connector', 'test'], ...args],
    )
  expect(await run('29')).toMatchObject({ code: 1, err: expect.stringContaining('listeners') })
  expect((await run()).code).toBe(2)
  const sandbox = await sandboxOf()
  await test(sandbox.port)
  expect(await run('30')).toMatchObject({
    code: 1,
    err: `No relay runs, and ${at('relay.yaml')} has no connector 30\n`,
  })
})
