/** What a session with a client leaves in the receive protocol log. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { type Config, configSchema, type ListenerConfig } from '../../src/config/schema.ts'
import { createLog } from '../../src/observe/log.ts'
import { ProtocolLogs } from '../../src/observe/protocol-log/protocol-logs.ts'
import { hashPassword } from '../../src/smtp/password.ts'
import { dialogueOf, readProtocolLogs } from '../support/protocol-log-reader.ts'
import { SmtpClient } from '../support/smtp-client.ts'
import { runListener } from './running-listener.ts'

const canary = 'Canary-pw-42!'
const wrong = 'Canary-wrong-43!'
const base64 = (text: string) => Buffer.from(text).toString('base64')
const plain = (password: string) => base64(`\0alice\0${password}`)

let users: Config['access']['users']
beforeAll(async () => {
  users = [{ name: 'alice', passwordHash: await hashPassword(canary), senders: ['*'] }]
})

async function loggedListener(config: Partial<ListenerConfig> = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'relay-protocol-log-'))
  const protocolLogs = new ProtocolLogs({
    dataDir,
    hostname: 'relay.example.com',
    limits: configSchema.shape.protocolLogs.parse({}),
    clock: systemClock,
    log: createLog({ level: 'silent', destination: { write: () => {} } }),
  })
  onTestFinished(async () => {
    await protocolLogs.close()
    rmSync(dataDir, { recursive: true, force: true })
  })
  const running = await runListener({
    config: { name: 'exchange', authWithoutTls: true, protocolLogging: 'verbose', ...config },
    access: { users },
    dataDir,
    protocolLogs,
  })
  const records = async () => {
    await protocolLogs.flush()
    return readProtocolLogs(dataDir, 'receive').records
  }
  return {
    port: running.port,
    directory: join(dataDir, 'protocol-logs'),
    records,
    dialogue: async () => dialogueOf(await records()),
    /** Once the session is over. */
    whole: async () => {
      await expect.poll(async () => (await records()).at(-1)?.event).toBe('-')
      return dialogueOf(await records())
    },
  }
}

const hello = (...extensions: string[]) =>
  [
    '> 250  relay.example.com Hello [127.0.0.1] SIZE 37748736 PIPELINING 8BITMIME SMTPUTF8 DSN ENHANCEDSTATUSCODES',
    ...extensions,
  ].join(' ')

it('has a whole session as Exchange writes one', async () => {
  const listener = await loggedListener()
  const client = await SmtpClient.greet({ port: listener.port })
  const { localPort } = client.socket
  await client.message('Subject: x\r\n\r\nbody\r\n')
  await client.command('QUIT')
  expect(await listener.whole()).toEqual([
    '+',
    '> 220 relay.example.com ESMTP',
    '< EHLO client.example.com',
    hello('AUTH LOGIN PLAIN'),
    '< MAIL FROM:<sender@example.com>',
    expect.stringMatching(/^\* [0-9A-F]{16};\d{4}-\d\d-\d\dT[\d:.]+Z;1 \[receiving message\]$/),
    '> 250 2.1.0 Sender ok',
    '< RCPT TO:<rcpt@example.org>',
    '> 250 2.1.5 Recipient ok',
    '< DATA',
    '> 354 End data with <CR><LF>.<CR><LF>',
    '* [received 20 octets of content]',
    '> 250 2.6.0 Queued as TEST',
    '< QUIT',
    '> 221 2.0.0 Bye',
    '- [Local]',
  ])
  const records = await listener.records()
  expect(records.map((record) => Number(record['sequence-number']))).toEqual([...records.keys()])
  for (const record of records)
    expect(record).toMatchObject({
      'connector-id': 'relay.example.com\\exchange',
      'session-id': records[5]!.data!.split(';')[0],
      'local-endpoint': `127.0.0.1:${listener.port}`,
      'remote-endpoint': `127.0.0.1:${localPort}`,
    })
})

it('has TLS and the certificate, and the second greeting', async () => {
  const listener = await loggedListener({ tls: 'starttls' })
  const client = await SmtpClient.greet({ port: listener.port })
  await client.startTls()
  await client.command('EHLO client.example.com')
  client.close()
  expect((await listener.whole()).slice(3)).toEqual([
    hello('STARTTLS AUTH LOGIN PLAIN'),
    '< STARTTLS',
    '> 220 2.0.0 Ready to start TLS',
    expect.stringMatching(/^\* CN=relay\.example\.com .* \[Sending certificate Subject Issuer name /),
    expect.stringMatching(/^\* \[TLS protocol SP_PROT_TLS1_3_SERVER negotiation succeeded using /),
    '< EHLO client.example.com',
    hello('AUTH LOGIN PLAIN'),
    '- [Remote]',
  ])
})

it('tells why TLS failed', async () => {
  const listener = await loggedListener({ tls: 'starttls' })
  const client = await SmtpClient.greet({ port: listener.port })
  await client.command('STARTTLS')
  client.send('this is no handshake\r\n')
  const dialogue = await listener.whole()
  expect(dialogue.at(-2)).toMatch(/^\* \[.*(SSL|TLS)/i)
})

describe('of a login', () => {
  it.each<[string, readonly string[], readonly string[]]>([
    [
      'AUTH PLAIN at once',
      [`AUTH PLAIN ${plain(canary)}`],
      ['< AUTH PLAIN', '* alice [authenticated]', '> 235 2.7.0 Authentication successful'],
    ],
    [
      'AUTH PLAIN step by step',
      ['AUTH PLAIN', plain(canary)],
      [
        '< AUTH PLAIN',
        '> 334 <authentication response>',
        '* alice [authenticated]',
        '> 235 2.7.0 Authentication successful',
      ],
    ],
    [
      'AUTH LOGIN',
      ['AUTH LOGIN', base64('alice'), base64(canary)],
      [
        '< AUTH LOGIN',
        '> 334 <authentication response>',
        '> 334 <authentication response>',
        '* alice [authenticated]',
        '> 235 2.7.0 Authentication successful',
      ],
    ],
    [
      'AUTH LOGIN that fails',
      [`AUTH LOGIN ${base64('alice')}`, base64(wrong)],
      [
        '< AUTH LOGIN',
        '> 334 <authentication response>',
        '* [Inbound AUTH LOGIN failed because of LogonDenied]',
        '> 535 5.7.8 Authentication credentials invalid',
      ],
    ],
    [
      'AUTH PLAIN that fails',
      [`AUTH PLAIN ${plain(wrong)}`],
      [
        '< AUTH PLAIN',
        '* [Inbound AUTH PLAIN failed because of LogonDenied]',
        '> 535 5.7.8 Authentication credentials invalid',
      ],
    ],
    [
      'a response without a command',
      [plain(canary)],
      ['< <unrecognized command, 28 octets>', '> 500 5.5.2 Command not recognized'],
    ],
    [
      'a password where a mechanism belongs',
      [`AUTH ${base64(canary)}`],
      ['< AUTH', '> 504 5.5.4 Authentication mechanism not supported'],
    ],
    [
      'a login that the client gives up',
      ['AUTH LOGIN', '*'],
      ['< AUTH LOGIN', '> 334 <authentication response>', '> 501 5.7.0 Authentication aborted'],
    ],
    [
      'a web client with its password',
      [`Authorization: Basic ${base64(`alice:${canary}`)}`],
      ['< <unrecognized command, 49 octets>', '> 500 5.5.2 Command not recognized'],
    ],
  ])('%s shows no secret', async (_how, lines, expected) => {
    const listener = await loggedListener()
    const client = await SmtpClient.greet({ port: listener.port })
    for (const line of lines) await client.command(line)
    await client.command('QUIT')
    expect((await listener.whole()).slice(4, -3)).toEqual(expected)
    const bytes = readdirSync(join(listener.directory, 'receive'))
      .map((name) => readFileSync(join(listener.directory, 'receive', name), 'latin1'))
      .join('')
    for (const password of [canary, wrong])
      for (const spelling of [
        password,
        base64(password).replace(/=+$/, ''),
        plain(password).replace(/=+$/, ''),
      ])
        expect(bytes).not.toContain(spelling)
  })

  it('shows no secret where AUTH is refused and its response came in the same flight', async () => {
    const listener = await loggedListener({ tls: 'starttls', authWithoutTls: false })
    const client = await SmtpClient.greet({ port: listener.port })
    client.send(`AUTH LOGIN\r\n${base64('alice')}\r\n${base64(canary)}\r\nQUIT\r\n`)
    expect((await listener.whole()).slice(4, -3)).toEqual([
      '< AUTH LOGIN',
      '> 538 5.7.11 Encryption required for authentication',
      '< <unrecognized command, 8 octets>',
      '> 500 5.5.2 Command not recognized',
      '< <unrecognized command, 20 octets>',
      '> 500 5.5.2 Command not recognized',
    ])
  })
})

it('keeps commands and replies of one flight in the order of the dialogue', async () => {
  const listener = await loggedListener()
  const client = await SmtpClient.greet({ port: listener.port })
  client.send('MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<broken\r\nRSET\r\nQUIT\r\n')
  expect((await listener.whole()).slice(4)).toEqual([
    '< MAIL FROM:<>',
    expect.stringContaining('receiving message'),
    '> 250 2.1.0 Sender ok',
    '< RCPT TO:<a@example.org>',
    '> 250 2.1.5 Recipient ok',
    '< RCPT TO:<broken',
    expect.stringMatching(/^> 501 /),
    '< RSET',
    '> 250 2.0.0 Ok',
    '< QUIT',
    '> 221 2.0.0 Bye',
    '- [Local]',
  ])
})

it('ends with the reply to who is silent for too long', async () => {
  const listener = await loggedListener({ idleTimeout: 1000 })
  await SmtpClient.greet({ port: listener.port })
  expect((await listener.whole()).slice(4)).toEqual([expect.stringMatching(/^> 421 .*Timeout/), '- [Local]'])
})

it('has a client that is refused because there are too many', async () => {
  const listener = await loggedListener({ maxSessions: 1 })
  await SmtpClient.greet({ port: listener.port })
  const second = await SmtpClient.connect({ port: listener.port })
  expect(await second.reply()).toMatch(/^421 /)
  expect((await listener.dialogue()).slice(4)).toEqual(['+', expect.stringMatching(/^> 421 /), '- [Local]'])
  const ids = (await listener.records()).map((record) => record['session-id'])
  expect(new Set(ids).size).toBe(2)
})

it('is not there for a listener without it', async () => {
  const listener = await loggedListener({ protocolLogging: 'none' })
  const client = await SmtpClient.greet({ port: listener.port })
  await client.message()
  await client.command('QUIT')
  client.close()
  await expect(listener.records()).rejects.toThrow('ENOENT')
})
