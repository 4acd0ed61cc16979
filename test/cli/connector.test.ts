/** `relay connector new | set | …`, over a real admin port on a real setup. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { registerConnector } from '../../src/cli/connector.ts'
import { registerConnectorTest } from '../../src/cli/connector-test.ts'
import type { Input } from '../../src/cli/secret-input.ts'
import { startSandbox } from '../../src/lab/sandbox.ts'
import { startConnectorPort } from '../admin/connectors/connector-port.ts'
import { type AdminPort, localToken } from '../support/admin-port.ts'
import { closedPort } from '../support/closed-port.ts'
import { certificates } from '../support/scripted-host.ts'
import { type Run, runCommand } from './run-command.ts'

const password = 'canary-hunter2'

let port: AdminPort
let directory: string
const at = (name: string): string => join(directory, name)
beforeEach(async () => {
  port = await startConnectorPort()
  directory = mkdtempSync(join(tmpdir(), 'relay-cli-'))
  writeFileSync(at('token'), `${localToken}\n`)
  writeFileSync(at('password'), `${password}\n`)
  writeFileSync(at('ca.pem'), certificates.ca)
  writeFileSync(at('client.pem'), certificates.client.cert)
  writeFileSync(at('client.key'), certificates.client.key)
})
afterEach(async () => {
  await port.stop()
  rmSync(directory, { recursive: true })
})

/** What is asked is asked of a relay, and no password is ever printed. */
async function connector(args: readonly string[], input: Input = Readable.from([])): Promise<Run> {
  const register = (program: Parameters<typeof registerConnector>[0]) =>
    registerConnectorTest(registerConnector(program, input))
  const place = ['--admin', port.url, '--token-file', at('token')]
  const run = await runCommand(register, ['connector', ...args, ...place])
  expect(run.out + run.err).not.toContain('canary')
  return run
}

const plain = ['--name', 'Provider', '--smart-hosts', 'smtp.example.com', '--address-spaces', 'example.org']
const login = ['--smart-host-auth-mechanism', 'BasicAuthRequireTLS', '--user', 'newsletter@example.com']
const connectorOf = (id: string) => port.setup.current.connectors.find((each) => each.id === id)?.connector

/** A terminal, on which these lines are typed. */
function terminal(...lines: string[]): Input {
  const input = Object.assign(new PassThrough(), { isTTY: true })
  const type = () => {
    const line = lines.shift()
    if (line !== undefined) input.write(`${line}\r`)
  }
  input.on('resume', type)
  return input
}

describe('relay connector new', () => {
  it('makes one with everything that can be set', async () => {
    const { out, err, code } = await connector([
      ...['new', '--name', 'Provider', '--id', '40'],
      ...['--smart-hosts', 'smtp.example.com, [192.0.2.1]', '--port', '587', '--tls', 'STARTTLS'],
      ...['--address-spaces', 'SMTP:*.example.org;10, example.net'],
      ...[...login, '--password-file', at('password')],
      ...['--require-tls', '--tls-auth-level', 'DomainValidation', '--tls-domain', 'smtp.example.com'],
      ...['--smart-host-ca-file', at('ca.pem')],
      ...['--client-certificate', at('client.pem'), '--client-key', at('client.key')],
      ...['--fqdn', 'mail.example.com', '--max-message-size', '35MB', '--default', '--disabled'],
      ...['--protocol-logging-level', 'Verbose', '--max-connections', '3'],
      ...['--smtp-max-messages-per-connection', '5', '--max-messages-per-second', '1'],
      ...['--max-messages-per-minute', '10', '--max-messages-per-hour', '100'],
      ...['--max-messages-per-day', '1000', '--max-recipients-per-day', 'unlimited'],
    ])
    expect({ out, err, code }).toEqual({ out: 'Connector 40 (Provider) is made\n', err: '', code: 0 })
    expect(connectorOf('40')).toEqual({
      id: '40',
      name: 'Provider',
      enabled: false,
      default: true,
      addressSpaces: ['SMTP:*.example.org;10', 'example.net'],
      smartHosts: ['smtp.example.com', '192.0.2.1'],
      port: 587,
      tls: 'starttls',
      smartHostAuthMechanism: 'basicAuthRequireTLS',
      user: 'newsletter@example.com',
      password,
      requireTLS: true,
      tlsAuthLevel: 'domainValidation',
      tlsDomain: 'smtp.example.com',
      ca: certificates.ca,
      clientCertificate: certificates.client,
      fqdn: 'mail.example.com',
      maxSendSize: 35 * 1024 ** 2,
      limits: {
        connections: 3,
        messagesPerConnection: 5,
        messagesPerSecond: 1,
        messagesPerMinute: 10,
        messagesPerHour: 100,
        messagesPerDay: 1000,
        recipientsPerDay: null,
      },
      protocolLogging: 'verbose',
    })
  })

  it('tells what is doubtful, and prints JSON where asked', async () => {
    const reachedByNobody = plain.slice(0, 4)
    const { out, err } = await connector(['new', ...reachedByNobody])
    expect(out).toBe('Connector 30 (Provider) is made\n')
    expect(err).toMatch(/^warning: addressSpaces are empty: .+\n$/)
    const json = JSON.parse(
      (await connector(['new', '--json', '--name', 'Other', ...reachedByNobody.slice(2)])).out,
    )
    expect(json).toMatchObject({
      connector: { connector: '31', name: 'Other' },
      warnings: [{ field: 'addressSpaces' }],
    })
  })

  it('reads the password from standard input', async () => {
    const { code } = await connector(
      ['new', ...plain, ...login, '--password-stdin'],
      Readable.from([`${password}\n`]),
    )
    expect(code).toBe(0)
    expect(connectorOf('30')?.password).toBe(password)
  })

  it('asks for it on a terminal, without echo', async () => {
    const { err, code } = await connector(['new', ...plain, ...login], terminal(password, password))
    expect({ err, code }).toEqual({ err: 'Password: \nAgain: \n', code: 0 })
    expect(connectorOf('30')?.password).toBe(password)
  })

  it.each<[string, string[], number, RegExp]>([
    [
      'a password among the arguments',
      ['new', ...plain, ...login, '--password', password],
      2,
      /^error: a password is no argument: every user/,
    ],
    [
      'a password twice',
      ['new', ...plain, ...login, '--password-stdin', '--password-file', 'x'],
      2,
      /exclude each other/,
    ],
    ['a login without one', ['new', ...plain, ...login], 2, /^error: a password is needed: --password-file/],
    [
      'a password file that is not there',
      ['new', ...plain, ...login, '--password-file', '/nowhere/at/all'],
      1,
      /^The password cannot be read from \/nowhere\/at\/all: there is no such file$/m,
    ],
    ['no name', ['new', '--smart-hosts', 'smtp.example.com'], 2, /^error: name is missing/],
    [
      'a wildcard within a label',
      ['new', ...plain, '--address-spaces', '*example.org'],
      2,
      /^error: addressSpaces\.0 must be \* or a domain/,
    ],
    ['port 0', ['new', ...plain, '--port', '0'], 2, /^error: port must be 1 or more$/m],
    ['a port that is none', ['new', ...plain, '--port', 'smtp'], 2, /It must be a whole number/],
    [
      'a level that is none',
      ['new', ...plain, '--tls-auth-level', 'high'],
      2,
      /It must be one of encryptionOnly, /,
    ],
    [
      'an id that is taken',
      ['new', ...plain, '--id', '29'],
      1,
      /^id 29 is taken by a connector of the configuration file$/m,
    ],
    [
      'a certificate without its key',
      ['new', ...plain, '--client-certificate', 'CLIENT'],
      2,
      /^error: clientCertificate\.key is missing/,
    ],
  ])('refuses %s', async (_what, args, code, told) => {
    const run = await connector(args.map((arg) => (arg === 'CLIENT' ? at('client.pem') : arg)))
    expect(run).toMatchObject({ out: '', code, err: expect.stringMatching(told) })
    expect(port.setup.current.connectors).toHaveLength(1)
  })
})

describe('relay connector set', () => {
  beforeEach(async () => {
    await connector(['new', ...plain, ...login, '--password-file', at('password'), '--id', '5'])
  })

  it('changes what is named', async () => {
    const { out, code } = await connector(['set', '5', '--port', '587', '--max-messages-per-hour', '7'])
    expect({ out, code }).toEqual({ out: 'Connector 5 (Provider) is changed\n', code: 0 })
    expect(connectorOf('5')).toMatchObject({
      port: 587,
      password,
      limits: { messagesPerHour: 7, connections: 20 },
    })
  })

  it('takes back what has a default', async () => {
    await connector(['set', '5', '--max-messages-per-hour', '7', '--fqdn', 'mail.example.com', '--default'])
    expect(connectorOf('5')).toMatchObject({ fqdn: 'mail.example.com', default: true })
    const { err } = await connector([
      ...['set', '5', '--max-messages-per-hour', 'unlimited', '--fqdn', 'none', '--no-default'],
      ...['--address-spaces', 'none', '--tls-domain', 'none'],
    ])
    expect(err).toMatch(/^warning: addressSpaces are empty/)
    expect(connectorOf('5')).toMatchObject({
      limits: { messagesPerHour: null },
      fqdn: 'relay.example.com',
      default: false,
      addressSpaces: [],
    })
  })

  it('changes the login alone, or with new hosts in one step', async () => {
    writeFileSync(at('other'), 'canary-other')
    await connector(['set', '5', '--password-file', at('other')])
    expect(connectorOf('5')).toMatchObject({ user: 'newsletter@example.com', password: 'canary-other' })
    const moved = ['--smart-hosts', 'smtp.example.net', '--user', 'b', '--password-file', at('password')]
    expect((await connector(['set', '5', ...moved])).err).toBe('')
    expect(connectorOf('5')).toMatchObject({ smartHosts: ['smtp.example.net'], user: 'b', password })
    expect(port.setup.current.connectors.find(({ id }) => id === '5')?.stored?.version).toBe(3)
    await connector(['set', '5', '--smart-host-auth-mechanism', 'none'])
    expect(connectorOf('5')).toMatchObject({ user: null, password: null })
  })

  it('asks for a password where the user changes, and only there', async () => {
    expect((await connector(['set', '5', '--user', 'newsletter@example.com'])).code).toBe(0)
    expect(await connector(['set', '5', '--user', 'b'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('a password is needed'),
    })
    expect((await connector(['set', '5', '--user', 'b'], terminal('canary-b', 'canary-b'))).code).toBe(0)
    expect(connectorOf('5')).toMatchObject({ user: 'b', password: 'canary-b' })
  })

  it('warns where the stored password goes elsewhere', async () => {
    const { err } = await connector(['set', '5', '--smart-hosts', 'smtp.example.net'])
    expect(err).toBe(
      'warning: smartHosts changed: the stored password is sent to another place from now on\n',
    )
  })

  it.each<[string, string[], number, RegExp]>([
    ['nothing to change', ['set', '5'], 2, /^error: nothing to change/],
    [
      'a connector of the file',
      ['set', '29', '--port', '25'],
      1,
      /^The connector 29 stands in the configuration file/,
    ],
    ['a connector that is not there', ['set', '6', '--port', '25'], 1, /^There is no connector 6$/m],
  ])('refuses %s', async (_what, args, code, told) => {
    expect(await connector(args)).toMatchObject({ out: '', code, err: expect.stringMatching(told) })
  })
})

describe('relay connector', () => {
  beforeEach(async () => {
    await connector(['new', ...plain, '--id', '5'])
  })

  it('disable and enable', async () => {
    expect((await connector(['disable', '5'])).out).toBe('Connector 5 (Provider) is disabled\n')
    expect(connectorOf('5')?.enabled).toBe(false)
    const { out } = await connector(['enable', '5', '--json'])
    expect(JSON.parse(out)).toMatchObject({ connector: { state: 'ready', version: 3 }, warnings: [] })
  })

  it('remove', async () => {
    expect((await connector(['remove', '5'])).out).toBe('Connector 5 (Provider) is removed\n')
    expect(connectorOf('5')).toBeUndefined()
    await connector(['new', ...plain, '--id', '6'])
    expect(JSON.parse((await connector(['remove', '6', '--json'])).out)).toEqual({
      connector: '6',
      removed: true,
    })
    expect(await connector(['remove', '29'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('configuration file'),
    })
  })

  it('list', async () => {
    const { out, code } = await connector(['list'])
    expect(code).toBe(0)
    const [head, ...rows] = out.split('\n').map((line) => line.split(/ {2,}/))
    expect(head!.slice(0, 4)).toEqual(['ID', 'NAME', 'STATE', 'MADE BY'])
    expect(rows.slice(0, 2).map((row) => row.map((cell) => cell.trim()).slice(0, 4))).toEqual([
      ['29', 'Of the file', 'ready', 'file'],
      ['5', 'Provider', 'ready', 'api'],
    ])
  })

  it('show, with its settings', async () => {
    await connector([
      'set',
      '5',
      ...login,
      '--password-file',
      at('password'),
      '--max-messages-per-day',
      '300',
    ])
    const { out } = await connector(['show', '5'])
    for (const line of [
      /^Made by +the API, version 2$/m,
      /^Smart hosts +smtp\.example\.com, port 25$/m,
      /^Authentication +basicAuthRequireTLS as newsletter@example\.com, password set$/m,
      /^TLS +starttls, required, domainValidation$/m,
      /^Messages\/day +300$/m,
      /^Max message size +100MB$/m,
    ])
      expect(out).toMatch(line)
    expect((await connector(['show', '29'])).out).toMatch(/^Made by +the configuration file: changed there$/m)
    expect(await connector(['show', '6'])).toMatchObject({ code: 1, err: 'There is no connector 6\n' })
  })

  it('test tries one of the file that the running relay does not have yet', async () => {
    const closed = await closedPort()
    const connectors = [{ id: 70, name: 'New in the file', addressSpaces: ['*'], smartHosts: ['127.0.0.1'] }]
    const file = {
      hostname: 'relay.example.com',
      dataDir: directory,
      listeners: [{ name: 'exchange', port: 0 }],
      admin: { port: port.admin.port },
      connectors: connectors.map((each) => ({ ...each, port: closed })),
    }
    writeFileSync(at('relay.yaml'), JSON.stringify(file))
    writeFileSync(at('admin-token'), localToken)
    const test = (id: string) =>
      runCommand(
        (program) => registerConnectorTest(registerConnector(program)),
        ['--config', at('relay.yaml'), 'connector', 'test', id],
      )
    const { out, err, code } = await test('70')
    expect({ err, code }).toEqual({
      err: `There is no connector 70: trying connector 70 of ${at('relay.yaml')} from here\n`,
      code: 1,
    })
    expect(out).toMatch(/^FAILED +connect /m)
    expect(await test('71')).toMatchObject({ out: '', err: 'There is no connector 71\n', code: 1 })
  })

  it('test asks the running relay, which alone has the connector', async () => {
    const sandbox = await startSandbox({ user: 'sandbox', password })
    writeFileSync(at('sandbox.pem'), sandbox.certificate!)
    await connector([
      ...['set', '5', '--smart-hosts', '127.0.0.1', '--port', String(sandbox.port)],
      ...['--smart-host-auth-mechanism', 'basicAuthRequireTLS', '--user', 'sandbox'],
      ...['--password-file', at('password'), '--smart-host-ca-file', at('sandbox.pem')],
    ])
    const { out, err, code } = await connector(['test', '5'])
    expect({ err, code }).toEqual({ err: '', code: 0 })
    expect(out).toMatch(/^ok +auth +235 2\.7\.0 /m)
    await sandbox.stop()
    const failed = await connector(['test', '5', '--json'])
    expect(failed.code).toBe(1)
    expect(JSON.parse(failed.out)).toMatchObject({ connector: '5', name: 'Provider', ok: false })
  })
})
