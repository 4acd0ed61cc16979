import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerCheck } from '../../src/cli/check.ts'
import { runCommand } from './run-command.ts'

let directory: string
const at = (name: string) => join(directory, name)
const run = (...args: string[]) => runCommand(registerCheck, ['--config', at('relay.yaml'), 'check', ...args])

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'relay-check-'))
  writeFileSync(at('password'), 'canary-hunter2\n')
})
afterAll(() => rmSync(directory, { recursive: true }))

const good = () => `
hostname: relay.example.com
dataDir: /var/lib/relay
listeners:
  - { name: exchange, port: 2525 }
  - { name: legacy, address: "::1", port: 0, tls: off }
access: { networks: [10.0.0.0/8], users: [] }
connectors:
  - id: 29
    name: Provider
    smartHosts: [smtp-relay.example.com, 10.0.0.1]
    port: 587
    smartHostAuthMechanism: basicAuthRequireTLS
    user: news@example.com
    password: { file: ${at('password')} }
  - { id: open, name: Everything else, addressSpaces: ["*;10"], default: true, smartHosts: [smtp.example.com] }
  - { id: off, name: Off, enabled: false, addressSpaces: [example.net], smartHosts: [smtp.example.com] }
  - { id: lost, name: Lost, smartHosts: [smtp.example.com] }
senders: [{ domain: example.com, connector: 29 }, { address: a@example.com, connector: 0 }]
`

describe('a good configuration', () => {
  it('is told with the senders of networks, and what is signed', async () => {
    execFileSync('openssl', ['genpkey', '-algorithm', 'rsa', '-out', at('dkim.pem')], { stdio: 'ignore' })
    chmodSync(at('dkim.pem'), 0o600)
    writeFileSync(
      at('relay.yaml'),
      `${good().replace('networks: [10.0.0.0/8]', 'networks: [10.0.0.0/8, { network: 10.1.0.1, senders: ["*@example.com", b@example.org] }]')}
policy: { dkim: [{ domain: example.com, selector: 2026a, key: { file: ${at('dkim.pem')} } }] }
`,
    )
    const { out } = await run()
    expect(out).toContain(
      'Submission without AUTH from 10.0.0.0/8, 10.1.0.1 (only as *@example.com, b@example.org); after AUTH by no user\n',
    )
    expect(out).toContain('DKIM signs example.com (2026a, rsa-sha256)\n')
    expect(JSON.parse((await run('--json')).out)).toMatchObject({
      access: { networks: ['10.0.0.0/8', { network: '10.1.0.1' }] },
      dkim: [{ domain: 'example.com', selector: '2026a', algorithm: 'rsa-sha256' }],
    })
  })

  it('is told with what would listen where and relay where', async () => {
    writeFileSync(at('relay.yaml'), good())
    const { out, err, code } = await run()
    expect(code).toBe(0)
    expect(out).toBe(`${at('relay.yaml')} is valid

LISTENS   ON                    FOR
exchange  127.0.0.1:2525        SMTP, STARTTLS offered
legacy    [::1], any free port  SMTP without TLS
admin     127.0.0.1:8080        HTTP: health, metrics, queue

Submission without AUTH from 10.0.0.0/8; after AUTH by no user
Mail waits in the embedded store in /var/lib/relay

CONNECTOR  NAME             TAKES              TO                                        TLS                           LOGIN
29         Provider         1 sender binding   smtp-relay.example.com:587, 10.0.0.1:587  required, domainValidation    news@example.com
open       Everything else  *;10, default      smtp.example.com:25                       if offered, domainValidation  none
off        Off              nothing: disabled  smtp.example.com:25                       if offered, domainValidation  none
lost       Lost             nothing            smtp.example.com:25                       if offered, domainValidation  none

What no connector takes is refused
`)
    expect(err).toMatch(
      /^warning: .*relay\.yaml:\d+: connectors\[3\]: no mail can reach the connector lost.*\n$/,
    )
  })

  it('is told as JSON, without its secrets', async () => {
    writeFileSync(at('relay.yaml'), good())
    const { out, code } = await run('--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      file: at('relay.yaml'),
      listeners: [
        { name: 'exchange', address: '127.0.0.1', port: 2525, tls: 'starttls' },
        { name: 'legacy' },
      ],
      connectors: [
        { id: '29', requireTLS: true, senderBindings: 1 },
        { id: 'open' },
        { id: 'off' },
        { id: 'lost' },
      ],
      queue: { store: 'embedded', place: '/var/lib/relay' },
      warnings: [{ path: 'connectors[3]' }],
    })
    expect(out).not.toContain('canary-hunter2')
  })
})

describe('a bad configuration', () => {
  const bad = () => good().replace('port: 2525', 'port: 99999').replace(at('password'), at('missing'))

  it('ends with 1 and every error on standard error, secrets included', async () => {
    writeFileSync(at('relay.yaml'), bad())
    const { out, err, code } = await run()
    expect(code).toBe(1)
    expect(out).toBe('')
    expect(err).toMatch(/relay\.yaml:5: listeners\[0\]\.port: must be 65535 or less; it is 99999\n/)
    expect(err).toMatch(
      /relay\.yaml:15: connectors\[0\]\.password\.file: cannot be read: there is no such file/,
    )
  })

  it('ends with 1 and the errors in JSON', async () => {
    writeFileSync(at('relay.yaml'), bad())
    const { out, code } = await run('--json')
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      errors: [{ path: 'listeners[0].port', line: 5 }, { path: 'connectors[0].password.file' }],
    })
  })
})

it('prints the reference, which is config/relay.yaml', async () => {
  const { out, code } = await run('--reference')
  expect(code).toBe(0)
  expect(out).toBe(readFileSync(new URL('../../config/relay.yaml', import.meta.url), 'utf8'))
})

it('prints the JSON Schema', async () => {
  const { out, code } = await run('--json-schema')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ type: 'object', required: ['hostname', 'listeners'] })
})

it('refuses an option it does not know as wrong usage', async () => {
  expect(await run('--verbose')).toMatchObject({ code: 2, err: expect.stringContaining('--verbose') })
})
