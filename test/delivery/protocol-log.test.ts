/** What a connection to a smart host leaves in the send protocol log, with hosts that do more than they should. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Connector } from '../../src/config/connector.ts'
import { configSchema } from '../../src/config/schema.ts'
import { openSmartHost } from '../../src/delivery/smarthost.ts'
import { ProtocolLogs } from '../../src/observe/protocol-log/protocol-logs.ts'
import { dialogueOf, readProtocolLogs } from '../support/protocol-log-reader.ts'
import { ehlo, hangUp, type RawServerOptions, type Script } from '../support/raw-server.ts'
import {
  certificates,
  connectorTo,
  log,
  message,
  named,
  quick,
  start,
  strict,
  text,
  withoutPipelining,
} from '../support/scripted-host.ts'

const canary = 'Canary-pw-42!'
const withCanary: Partial<Connector> = { ...strict, user: 'newsletter', password: canary }
const secretOffered = (mechanism: string): RawServerOptions => ({
  tls: certificates.good,
  script: { EHLO: ehlo('PIPELINING', 'STARTTLS', `AUTH ${mechanism}`) },
})

class Conversation {
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'relay-protocol-log-'))
  readonly #logs = new ProtocolLogs({
    dataDir: this.#dataDir,
    hostname: 'relay.example.com',
    limits: configSchema.shape.protocolLogs.parse({}),
    clock: systemClock,
    log,
  })

  constructor() {
    onTestFinished(async () => {
      await this.#logs.close()
      rmSync(this.#dataDir, { recursive: true, force: true })
    })
  }

  open(server: { port: number }, change: Partial<Connector> = {}) {
    const connector = connectorTo(server, { name: 'Provider', ...change })
    const protocol = this.#logs.send(connector.name, { address: named.address, port: server.port })
    return openSmartHost(connector, named, { log, timeouts: quick, protocol })
  }

  /** Opens, sends one message, and takes leave. */
  async whole(server: { port: number }, change: Partial<Connector> = {}): Promise<string[]> {
    const result = await this.open(server, change)
    if (result.ok) {
      await result.connection.send(message(), text)
      await result.connection.quit()
    }
    return this.dialogue()
  }

  async dialogue(): Promise<string[]> {
    return dialogueOf(await this.records())
  }

  async records() {
    await this.#logs.flush()
    return readProtocolLogs(this.#dataDir, 'send').records
  }

  /** Every byte of every file. */
  get bytes(): string {
    const directory = join(this.#dataDir, 'protocol-logs', 'send')
    return readdirSync(directory)
      .map((name) => readFileSync(join(directory, name), 'latin1'))
      .join('')
  }
}

const tlsLines = [
  expect.stringMatching(
    /^\* \[TLS protocol SP_PROT_TLS1_3_CLIENT negotiation succeeded using .* CALG_ECDH_EPHEM with strength 2\d\d bits\]$/,
  ),
  expect.stringMatching(
    /^\* CN=good of a test CN=root of a test .* smtp\.example\.com \[Received certificate Subject Issuer name /,
  ),
]
const mailLines = [
  '* [sending message with RecordId ITEM-1 and InternetMessageId <1@example.com>]',
  '> MAIL FROM:<newsletter@example.com>',
  '> RCPT TO:<user@example.org>',
  '> DATA',
  '< 250 2.1.0 Sender ok',
  '< 250 2.1.5 Recipient ok',
  '< 354 Go on',
  `* [sending ${text.length} octets of content]`,
  '< 250 2.0.0 Queued as 4711',
]
const end = ['> QUIT', '< 221 2.0.0 Bye', '- [Local]']

describe('a whole session', () => {
  it('stands in the log as Exchange writes one', async () => {
    const conversation = new Conversation()
    const server = await withoutPipelining()
    expect(await conversation.whole(server)).toEqual([
      '* [attempting to connect]',
      '+',
      '< 220 mx.example.net ESMTP',
      '> EHLO relay.example.com',
      '< 250  mx.example.net at your service SIZE 8BITMIME DSN',
      '* [sending message with RecordId ITEM-1 and InternetMessageId <1@example.com>]',
      `> MAIL FROM:<newsletter@example.com> SIZE=${text.length}`,
      '< 250 2.1.0 Sender ok',
      '> RCPT TO:<user@example.org>',
      '< 250 2.1.5 Recipient ok',
      '> DATA',
      '< 354 Go on',
      `* [sending ${text.length} octets of content]`,
      '< 250 2.0.0 Queued as 4711',
      ...end,
    ])
    const records = await conversation.records()
    expect(records.map((record) => Number(record['sequence-number']))).toEqual([...records.keys()])
    expect(new Set(records.map((record) => record['session-id'])).size).toBe(1)
    expect(records[0]).toMatchObject({
      'date-time': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      'connector-id': 'Provider',
      'session-id': expect.stringMatching(/^[0-9A-F]{16}$/),
      'local-endpoint': '',
      'remote-endpoint': `127.0.0.1:${server.port}`,
    })
    for (const record of records.slice(1)) expect(record['local-endpoint']).toMatch(/^127\.0\.0\.1:\d+$/)
  })

  it.each(['PLAIN', 'LOGIN'])('has TLS, the certificate, and of AUTH %s no secret', async (mechanism) => {
    const conversation = new Conversation()
    const dialogue = await conversation.whole(await start(secretOffered(mechanism)), withCanary)
    const offered = `< 250  mx.example.net at your service PIPELINING STARTTLS AUTH ${mechanism}`
    const challenges = mechanism === 'LOGIN' ? Array(2).fill('< 334 <authentication response>') : []
    expect(dialogue).toEqual([
      '* [attempting to connect]',
      '+',
      '< 220 mx.example.net ESMTP',
      '> EHLO relay.example.com',
      offered,
      '> STARTTLS',
      '< 220 2.0.0 Go ahead',
      ...tlsLines,
      '> EHLO relay.example.com',
      offered,
      `> AUTH ${mechanism}`,
      ...challenges,
      '< 235 2.7.0 <authentication response>',
      ...mailLines,
      ...end,
    ])
    expect(conversation.bytes).not.toContain(canary)
  })

  it('tells TLS from the first byte before the greeting', async () => {
    const conversation = new Conversation()
    const server = await start({ tls: certificates.good, implicit: true })
    const dialogue = await conversation.whole(server, { ...withCanary, tls: 'implicit' })
    expect(dialogue.slice(0, 5)).toEqual([
      '* [attempting to connect]',
      '+',
      ...tlsLines,
      '< 220 mx.example.net ESMTP',
    ])
  })
})

describe('the password stays out', () => {
  const spellings = [
    canary,
    Buffer.from(canary).toString('base64'),
    Buffer.from(canary).toString('base64').replace(/=+$/, ''),
    Buffer.from(`\0newsletter\0${canary}`).toString('base64'),
    Buffer.from(`\0newsletter\0${canary}`).toString('base64').replace(/=+$/, ''),
    Buffer.from(canary).toString('hex'),
  ]
  const echo = spellings.join(' ')
  const refusals: [string, string, Script][] = [
    ['PLAIN', 'with 535', { 'AUTH PLAIN': `535 5.7.8 You said ${echo}\r\n` }],
    ['PLAIN', 'with several lines', { 'AUTH PLAIN': `535-5.7.8 ${echo}\r\n535 5.7.8 ${echo}\r\n` }],
    ['PLAIN', 'with a challenge', { 'AUTH PLAIN': `334 ${echo}\r\n` }],
    ['PLAIN', 'with what is no reply', { 'AUTH PLAIN': `${echo}\r\n` }],
    ['PLAIN', 'and hangs up', { 'AUTH PLAIN': [`535 ${echo}\r\n`, hangUp] }],
    ['PLAIN', 'half a line before it hangs up', { 'AUTH PLAIN': [`535 ${echo}`, hangUp] }],
    ['PLAIN', 'and accepts it', { 'AUTH PLAIN': `235 2.7.0 ${echo}\r\n` }],
    ['LOGIN', 'at the command', { 'AUTH LOGIN': `504 5.5.4 ${echo}\r\n` }],
    ['LOGIN', 'at the user', { user: `535 5.7.8 ${echo}\r\n` }],
    ['LOGIN', 'in a challenge', { user: `334 ${echo}\r\n` }],
    ['LOGIN', 'at the password', { password: `535 5.7.8 ${echo}\r\n` }],
    ['LOGIN', 'and asks again', { password: `334 ${echo}\r\n` }],
    ['LOGIN', 'and accepts it', { password: `235 ${echo}\r\n` }],
  ]
  it.each(refusals)('of AUTH %s where the host repeats it %s', async (mechanism, _how, script) => {
    const conversation = new Conversation()
    const offered = secretOffered(mechanism)
    const server = await start({ ...offered, script: { ...offered.script, ...script } })
    const dialogue = await conversation.whole(server, withCanary)
    expect(dialogue).toContain(`> AUTH ${mechanism}`)
    expect(dialogue.at(-1)).toMatch(/^- /)
    for (const spelling of spellings) expect(conversation.bytes).not.toContain(spelling)
  })
})

it('keeps the password out of what a host says later, in the spellings it was sent in', async () => {
  const conversation = new Conversation()
  const encoded = Buffer.from(`\0newsletter\0${canary}`).toString('base64')
  const echo = [canary, encoded, encoded.replace(/=+$/, '')].join(' ')
  const { script, ...offered } = secretOffered('PLAIN')
  const later = { MAIL: `250 2.1.0 ${echo}\r\n250 2.1.0 ${echo}\r\n${echo}\r\n` }
  await conversation.whole(await start({ ...offered, script: { ...script, ...later } }), withCanary)
  expect(conversation.bytes).toContain('250 2.1.0 *** *** ***')
  for (const secret of echo.split(' ')) expect(conversation.bytes).not.toContain(secret)
})

describe('the end', () => {
  it('is told where nobody listens', async () => {
    const conversation = new Conversation()
    const server = await start()
    const { port } = server
    await server.close()
    await conversation.open({ port })
    expect(await conversation.dialogue()).toEqual([
      '* [attempting to connect]',
      expect.stringMatching(/^\* \[\d{3} .*ECONNREFUSED/),
    ])
  })

  it('is told where TLS fails', async () => {
    const conversation = new Conversation()
    const dialogue = await conversation.whole(await start({ tls: certificates.expired }), strict)
    expect(dialogue.slice(-3)).toEqual([
      '< 220 2.0.0 Go ahead',
      expect.stringMatching(/^\* \[4\d\d .*expired/),
      expect.stringMatching(/^- \[(Local|Remote)\]$/),
    ])
  })

  it.each<[string, Script, string[]]>([
    ['the host closes it', { DATA: hangUp }, ['* [Connection closed unexpectedly]', '- [Remote]']],
    ['the host says nothing any more', { DATA: '' }, ['* [timed out]', '- [Local]']],
    [
      'the host takes leave',
      { MAIL: ['421 4.3.2 Going down\r\n', hangUp] },
      ['< 421 4.3.2 Going down', '- [Local]'],
    ],
  ])('is told where %s', async (_how, script, lines) => {
    const conversation = new Conversation()
    const server = await withoutPipelining(script)
    expect((await conversation.whole(server)).slice(-lines.length)).toEqual(lines)
  })

  it('comes once, after RSET between two messages', async () => {
    const conversation = new Conversation()
    const server = await withoutPipelining({ RCPT: '550 5.1.1 No such user\r\n' })
    const result = await conversation.open(server)
    if (!result.ok) throw new Error('not open')
    await result.connection.send(message(), text)
    await result.connection.send(message(), text)
    await result.connection.quit()
    result.connection.close()
    const dialogue = await conversation.dialogue()
    expect(dialogue.filter((line) => line === '> RSET')).toHaveLength(1)
    expect(dialogue.filter((line) => line.startsWith('-'))).toEqual(['- [Local]'])
    expect(dialogue.filter((line) => line.startsWith('* [sending message'))).toHaveLength(2)
  })
})
