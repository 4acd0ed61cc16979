import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { explainEndpoints } from '../../src/admin/explain/explain-endpoints.ts'
import { registerExplain } from '../../src/cli/explain.ts'
import { ContentInspector } from '../../src/message/content/inspector.ts'
import { InForce } from '../../src/setup/in-force.ts'
import { senderKind } from '../../src/setup/sender-object.ts'
import { localToken, startAdminPort } from '../support/admin-port.ts'
import { closedPort } from '../support/closed-port.ts'
import { runSetup } from '../support/running-setup.ts'
import { runCommand } from './run-command.ts'

let directory: string
let file: string
let port: number

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'relay-explain-'))
  file = join(directory, 'relay.yaml')
  writeFileSync(join(directory, 'admin-token'), `${localToken}\n`)
  port = await closedPort()
})
afterAll(() => rmSync(directory, { recursive: true }))

// The password's variable is not set: explain must not need it.
const configuration = `
hostname: relay.example.com
listeners: [{ name: a, port: 2525 }]
access: { networks: [10.0.0.0/8] }
routing: { senderIdentity: envelope }
connectors:
  - { id: 29, name: Provider, smartHosts: [smtp.example.com], smartHostAuthMechanism: basicAuthRequireTLS, user: u, password: { env: RELAY_TEST_NOT_SET } }
  - { id: partner, name: Partner, addressSpaces: ["*.example.org;10"], maxSendSize: 10MB, smartHosts: [smtp.example.org] }
  - { id: dear, name: Dear, addressSpaces: ["*.example.org;20"], maxSendSize: 20MB, smartHosts: [smtp.example.org] }
senders: [{ address: news@example.com, connector: 29 }]
`

/** With a token, as if a relay had been started, and nothing at its port: the file alone answers. */
function run(args: string[], text = configuration, adminPort = port) {
  writeFileSync(file, `${text}dataDir: ${directory}\nadmin: { port: ${adminPort} }\n`)
  return runCommand(registerExplain, ['--config', file, 'explain', ...args])
}

describe('explain', () => {
  it('prints every step, every candidate, and the outcome', async () => {
    const { out, code } = await run(['--from', 'a@example.net', '--to', 'b@Sub.Example.ORG'])
    expect(code).toBe(0)
    expect(out).toBe(`b@sub.example.org
  1. Neither a@example.net nor its domain has a binding
  2. Address spaces: the most specific one of a connector that is large enough wins, then cost, then name
     CONNECTOR  NAME     ADDRESS SPACE          OUTCOME
     partner    Partner  SMTP:*.example.org;10  is chosen
     dear       Dear     SMTP:*.example.org;20  loses: its address space is as specific, but costs more
  => leaves by connector partner (address space SMTP:*.example.org;10)
`)
  })

  it.each<[string[], string, number]>([
    [['--from', 'news@example.com'], '=> leaves by connector 29 (binding of news@example.com)', 0],
    [['--from', '<NEWS@example.com>'], '=> leaves by connector 29 (binding of news@example.com)', 0],
    [['--from', '<>'], '1. No sender counts for a binding', 0],
    [['--from', 'a@example.net', '--size', '15MB'], '=> leaves by connector dear', 0],
    [
      ['--from', 'a@example.net', '--size', '30MB'],
      '=> refused: 552 5.3.4 The message is larger than 20MB',
      1,
    ],
    // The From field does not count under senderIdentity: envelope.
    [['--from', 'a@example.net', '--header', 'From: news@example.com'], '=> leaves by connector partner', 0],
    [['--from', 'a@example.net', '--ip', '10.1.2.3'], 'Client 10.1.2.3: may submit without AUTH', 0],
    [['--from', 'a@example.net', '--ip', '192.0.2.1'], 'Client 192.0.2.1: refused: 550 5.7.1', 1],
  ])('%j: %s', async (args, text, expected) => {
    const { out, code } = await run([...args, '--to', 'b@sub.example.org'])
    expect(out).toContain(text)
    expect(code).toBe(expected)
  })

  it.each<[string[], string]>([
    [['--from', 'a@app.example.com'], 'may submit without AUTH, as *@app.example.com (access.networks)'],
    [['--from', 'a@example.com'], 'refused: 553 5.7.1 You may not send as <a@example.com>'],
    [['--from', '<>', '--header', 'From: a@app.example.com'], 'may submit without AUTH, as'],
    [
      ['--from', 'a@app.example.com', '--header', 'From: Boss <boss@example.com>'],
      'refused: 550 5.7.60 Client does not have permissions to send as this sender: boss@example.com',
    ],
  ])('holds a client to the senders of its network: %j, %s', async (args, text) => {
    const networks = '[10.0.0.0/8, { network: 10.9.9.9, senders: ["*@app.example.com"] }]'
    const restricted = configuration.replace('[10.0.0.0/8]', networks)
    const { out, code } = await run([...args, '--to', 'b@example.org', '--ip', '10.9.9.9'], restricted)
    expect(out).toContain(`Client 10.9.9.9: ${text}`)
    expect(code).toBe(text.startsWith('refused') ? 1 : 0)
    const free = await run([...args, '--to', 'b@example.org', '--ip', '10.9.9.8'], restricted)
    expect(free.out).toContain('Client 10.9.9.8: may submit without AUTH (access.networks)')
    const ignored = restricted.replace('access: {', 'access: { fromField: ignore,')
    const { out: envelopeAlone } = await run([...args, '--to', 'b@example.org', '--ip', '10.9.9.9'], ignored)
    expect(envelopeAlone).not.toContain('5.7.60')
  })

  it('goes through each recipient, and ends with 1 where one has no way', async () => {
    const { out, code } = await run([
      '--from',
      'a@example.net',
      '--to',
      'b@example.org',
      '--to',
      'c@example.com',
    ])
    expect(out).toContain('=> leaves by connector partner')
    expect(out).toContain('=> refused: 550 5.4.4 No connector takes mail for example.com')
    expect(code).toBe(1)
  })

  it('says that held mail is accepted, and ends with 1: it has no way', async () => {
    const { out, code } = await run(
      ['--from', 'a@example.net', '--to', 'c@example.com'],
      configuration.replace('envelope', 'envelope, unroutable: hold'),
    )
    expect(out).toContain('=> accepted, and kept as unreachable until the configuration changes')
    expect(code).toBe(1)
  })

  it.each<[string, string[], string]>([
    ['header', ['--header', 'From: "News, daily" <news@example.com>'], '=> leaves by connector 29'],
    ['header', ['--header', 'Subject: x'], 'From field: there is none, so nobody is bound by it'],
    [
      'header',
      ['--header', 'From: news@example.com', '--header', 'From: b@example.com'],
      'From field: there is more than one mailbox, so nobody is bound by it',
    ],
    ['header', ['--header', 'From: news@example.com (a'], 'From field: it cannot be read without a guess'],
    ['headerOrEnvelope', ['--header', 'Subject: x'], 'Neither a@example.net nor its domain has a binding'],
  ])('reads the From field where senderIdentity is %s: %j', async (setting, args, text) => {
    const { out } = await run(
      ['--from', 'a@example.net', '--to', 'b@example.org', ...args],
      configuration.replace('senderIdentity: envelope', `senderIdentity: ${setting}`),
    )
    expect(out).toContain(text)
  })

  it('prints JSON with the same steps and decision', async () => {
    const { out, code } = await run([
      '--from',
      'a@example.net',
      '--to',
      'c@example.com',
      '--ip',
      '10.0.0.1',
      '--json',
    ])
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      routed: false,
      access: { ip: '10.0.0.1', refusal: null },
      sender: { identity: 'a@example.net', from: 'envelope' },
      recipients: [
        {
          recipient: 'c@example.com',
          steps: [{ step: 'binding' }, { step: 'addressSpaces' }, { step: 'default' }, { step: 'nothing' }],
          decision: { kind: 'refuse', reply: { code: 550, enhanced: '5.4.4' } },
        },
      ],
    })
  })
})

describe('wrong usage ends with 2', () => {
  it.each([
    [['--to', 'b@example.org'], "'--from <address>' not specified"],
    [['--from', 'a@example.net'], "'--to <address>' not specified"],
    [['--from', 'nobody', '--to', 'b@example.org'], 'nobody is not a mail address'],
    [['--from', 'a@example.net', '--to', '<>'], '<> is not a mail address'],
    [['--from', 'a@example.net', '--to', 'b@example.org', '--size', 'big'], 'big is not a size'],
    [['--from', 'a@example.net', '--to', 'b@example.org', '--ip', '10.0.0'], '10.0.0 is not an IP address'],
    [
      ['--from', 'a@example.net', '--to', 'b@example.org', '--header', 'no colon'],
      'no colon is not a header field',
    ],
  ])('%j', async (args, message) => {
    expect(await run(args)).toMatchObject({ out: '', code: 2, err: expect.stringContaining(message) })
  })
})

describe('which configuration', () => {
  const asked = ['--from', 'a@example.net', '--to', 'b@sub.example.org']

  async function runningRelay() {
    const running = await runSetup({ yaml: configuration })
    const { setup, clock } = running
    const value = { connector: '29', createdAt: 1 }
    const bind = { changes: [{ kind: senderKind, id: '@example.net', expected: null, value }], audit: [] }
    await setup.apply(() => bind, { by: 'test' })
    const inspector = new ContentInspector()
    const endpoints = explainEndpoints({ setup, inForce: new InForce(setup.current), inspector, clock })
    return startAdminPort({ running, endpoints })
  }

  it("is the running relay's, which knows what the file does not", async () => {
    const relay = await runningRelay()
    const tokenFile = ['--token-file', join(directory, 'admin-token')]
    const byUrl = await run([...asked, '--admin', relay.url, ...tokenFile])
    const byFile = await run(asked, configuration, relay.admin.port)
    const json = await run([...asked, '--json'], configuration, relay.admin.port)
    const refused = await run(
      [...asked, ...Array(100).fill(['--to', 'b@example.org']).flat()],
      configuration,
      relay.admin.port,
    )
    await relay.stop()
    expect(byUrl).toMatchObject({ code: 0, err: '' })
    expect(byUrl.out).toContain('=> leaves by connector 29 (binding of the domain example.net)')
    expect(byFile).toEqual(byUrl)
    expect(JSON.parse(json.out)).toMatchObject({
      routed: true,
      recipients: [{ decision: { connector: '29' } }],
    })
    expect(refused).toMatchObject({ code: 2, out: '', err: expect.stringContaining('to ') })
  })

  it('is the file where no relay answers, which is said', async () => {
    const { out, err, code } = await run(asked)
    expect(out).toContain('=> leaves by connector partner')
    expect(err).toBe(
      `No relay answers: this is what ${file} says, without what was configured while a relay ran\n`,
    )
    expect(code).toBe(0)
    expect((await run(asked, configuration, 0)).err).toBe(err)
  })

  it('is none where a relay was named and does not answer', async () => {
    const { out, err, code } = await run([...asked, '--admin', `http://127.0.0.1:${port}`])
    expect(out).toBe('')
    expect(err).toContain('connection refused')
    expect(code).toBe(1)
  })
})

it('ends with 1 and the errors of a configuration that is wrong', async () => {
  const { err, code } = await run(['--from', 'a@example.net', '--to', 'b@example.org'], 'hostname: a b\n')
  expect(code).toBe(1)
  expect(err).toContain('relay.yaml:1: hostname: must be a domain name')
  expect(err).toContain('listeners: is missing')
})
