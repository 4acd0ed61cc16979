/** Both protocol logs of a running relay: a message on its way in and out, read back as Exchange's tools read theirs. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { permanent } from '../../src/reply.ts'
import { hashPassword } from '../../src/smtp/password.ts'
import { quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { dialogueOf, readProtocolLogs } from '../support/protocol-log-reader.ts'
import { connectorTo, type RelayProcess } from '../support/relay-process.ts'
import { SmtpClient } from '../support/smtp-client.ts'

const inPassword = 'Canary-in-42!'
const outPassword = 'Canary-out-43!'
const dataDir = (relay: RelayProcess) => join(relay.directory, 'data')

async function verboseRelay(port: number, change: Record<string, unknown> = {}): Promise<RelayProcess> {
  const passwordHash = await hashPassword(inPassword)
  return startRelay(
    {
      listeners: [{ name: 'exchange', port: 0, protocolLogging: 'verbose' }],
      access: { networks: [], users: [{ name: 'alice', passwordHash, senders: ['*@example.com'] }] },
      connectors: [
        connectorTo(port, {
          name: 'Provider',
          password: { env: 'OUT_PASSWORD' },
          protocolLogging: 'verbose',
        }),
      ],
      delivery: quickRetries,
      ...change,
    },
    { OUT_PASSWORD: outPassword },
  )
}

async function submit(relay: RelayProcess): Promise<string> {
  const client = await SmtpClient.greet({ port: relay.port })
  await client.startTls()
  await client.command('EHLO client.example.com')
  await client.command('AUTH LOGIN')
  await client.command(Buffer.from('alice').toString('base64'))
  await client.command(Buffer.from(inPassword).toString('base64'))
  const accepted = await client.message(
    'From: sender@example.com\r\nMessage-ID: <1@example.com>\r\n\r\nHello\r\n',
  )
  await client.command('QUIT')
  client.close()
  return accepted
}

/** Every byte of both logs. */
function bytesOf(relay: RelayProcess): string {
  return ['receive', 'send']
    .map((direction) => join(dataDir(relay), 'protocol-logs', direction))
    .flatMap((directory) =>
      readdirSync(directory).map((name) => readFileSync(join(directory, name), 'latin1')),
    )
    .join('')
}

function expectNoSecrets(relay: RelayProcess): void {
  for (const password of [inPassword, outPassword])
    for (const secret of [password, `\0alice\0${password}`, `\0sandbox\0${password}`]) {
      expect(bytesOf(relay)).not.toContain(secret)
      expect(bytesOf(relay)).not.toContain(Buffer.from(secret).toString('base64').replace(/=+$/, ''))
    }
}

it('log a message on its way in and out, without passwords, in the words of Exchange', async () => {
  const host = await startHost({ password: outPassword })
  const relay = await verboseRelay(host.port)
  const accepted = await submit(relay)
  expect(accepted).toMatch(/^250 2\.6\.0 /)
  const delivered = await relay.line((line) => line.event === 'delivered')
  await relay.stop()

  const receive = readProtocolLogs(dataDir(relay), 'receive')
  expect(receive.header[2]).toBe('#Log-type: SMTP Receive Protocol Log')
  expect(dialogueOf(receive.records)).toEqual([
    '+',
    '> 220 relay.example.com ESMTP',
    '< EHLO client.example.com',
    expect.stringMatching(/^> 250 {2}relay\.example\.com Hello \[127\.0\.0\.1\] SIZE \d+ .* STARTTLS$/),
    '< STARTTLS',
    '> 220 2.0.0 Ready to start TLS',
    expect.stringContaining('[Sending certificate '),
    expect.stringContaining('[TLS protocol SP_PROT_TLS1_3_SERVER negotiation succeeded '),
    '< EHLO client.example.com',
    expect.stringMatching(
      /^> 250 {2}relay\.example\.com Hello \[127\.0\.0\.1\] SIZE \d+ .* AUTH LOGIN PLAIN$/,
    ),
    '< AUTH LOGIN',
    '> 334 <authentication response>',
    '> 334 <authentication response>',
    '* alice [authenticated]',
    '> 235 2.7.0 Authentication successful',
    '< MAIL FROM:<sender@example.com>',
    expect.stringMatching(/^\* [0-9A-F]{16};\S+Z;1 \[receiving message\]$/),
    '> 250 2.1.0 Sender ok',
    '< RCPT TO:<rcpt@example.org>',
    '> 250 2.1.5 Recipient ok',
    '< DATA',
    '> 354 End data with <CR><LF>.<CR><LF>',
    '* [received 64 octets of content]',
    `> ${accepted}`,
    '< QUIT',
    '> 221 2.0.0 Bye',
    '- [Local]',
  ])

  const send = readProtocolLogs(dataDir(relay), 'send')
  expect(send.header[2]).toBe('#Log-type: SMTP Send Protocol Log')
  expect(new Set(send.records.map((record) => record['connector-id']))).toEqual(new Set(['Provider']))
  const dialogue = dialogueOf(send.records)
  expect(dialogue.slice(0, 4)).toEqual([
    '* [attempting to connect]',
    '+',
    expect.stringMatching(/^< 220 /),
    '> EHLO relay.example.com',
  ])
  expect(dialogue.slice(dialogue.findIndex((line) => line.startsWith('> AUTH')))).toEqual([
    '> AUTH PLAIN',
    expect.stringMatching(/^< 235 .*<authentication response>$/),
    `* [sending message with RecordId ${delivered.itemId} and InternetMessageId <1@example.com>]`,
    expect.stringMatching(/^> MAIL FROM:<sender@example\.com> SIZE=\d+/),
    expect.stringMatching(/^> RCPT TO:<rcpt@example\.org>/),
    '> DATA',
    expect.stringMatching(/^< 250 /),
    expect.stringMatching(/^< 250 /),
    expect.stringMatching(/^< 354 /),
    expect.stringMatching(/^\* \[sending \d+ octets of content\]$/),
    `< ${(delivered.recipients as { reply: string }[])[0]!.reply}`,
    '> QUIT',
    expect.stringMatching(/^< 221 /),
    '- [Local]',
  ])
  expectNoSecrets(relay)
})

it('show no password where logins fail on both sides', async () => {
  const host = await startHost({ password: 'another' })
  host.switches.refuseAuth = permanent('7.8', `No ${Buffer.from(outPassword).toString('base64')}`, 535)
  const relay = await verboseRelay(host.port)
  await submit(relay)
  const client = await SmtpClient.greet({ port: relay.port })
  await client.startTls()
  await client.command('EHLO client.example.com')
  const wrong = Buffer.from(`\0alice\0${outPassword}`).toString('base64')
  expect(await client.command(`AUTH PLAIN ${wrong}`)).toMatch(/^535 /)
  client.close()
  await relay.line((line) => line.event === 'connector' && line.state === 'suspended')
  await relay.stop()
  const received = dialogueOf(readProtocolLogs(dataDir(relay), 'receive').records)
  expect(received).toContain('* [Inbound AUTH PLAIN failed because of LogonDenied]')
  const sent = dialogueOf(readProtocolLogs(dataDir(relay), 'send').records)
  expect(sent.slice(-4)).toEqual([
    '> AUTH PLAIN',
    '< 535 5.7.8 <authentication response>',
    '* [Outbound authentication failed with LogonDenied]',
    '- [Local]',
  ])
  expectNoSecrets(relay)
})

it('leave mail alone where they cannot be written', async () => {
  const host = await startHost({ password: outPassword })
  const relay = await verboseRelay(host.port)
  const inTheWay = join(dataDir(relay), 'protocol-logs')
  rmSync(inTheWay, { recursive: true, force: true })
  writeFileSync(inTheWay, '')
  for (let count = 0; count < 3; count++) expect(await submit(relay)).toMatch(/^250 2\.6\.0 /)
  await host.received(3)
  const told = () => relay.lines.filter(({ msg }) => msg?.includes('protocol log cannot be written'))
  await relay.until(() => told().length === 2)
  rmSync(inTheWay)
  await relay.stop()
  expect(told().map(({ directory }) => directory)).toEqual(
    expect.arrayContaining([join(inTheWay, 'send'), join(inTheWay, 'receive')]),
  )
  const { records } = readProtocolLogs(dataDir(relay), 'receive')
  expect(records.filter(({ event }) => event === '+')).toHaveLength(3)
})

it('are not there unless asked for', async () => {
  const host = await startHost()
  const relay = await startRelay({ connectors: [connectorTo(host.port)] })
  const client = await SmtpClient.greet({ port: relay.port })
  expect(await client.message()).toMatch(/^250 /)
  client.close()
  await host.received(1)
  await relay.stop()
  expect(readdirSync(dataDir(relay))).not.toContain('protocol-logs')
})
