/**
 * Signatures, before a verifier that this project did not write: OpenDKIM. Where it is missing the tests are skipped, and
 * fail in CI.
 */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DkimKey, dkimAlgorithm } from '../../src/message/dkim.ts'
import { dkimRecord } from '../../src/message/dkim-record.ts'
import { DkimSigner } from '../../src/policy/signing.ts'
import { closeAfterwards, startHost, startRelay } from '../support/end-to-end.ts'
import { skipsOpenDkim, verifyWithOpenDkim } from '../support/opendkim.ts'
import { connectorTo } from '../support/relay-process.ts'
import { SmtpClient } from '../support/smtp-client.ts'

const privateKeys = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ed: generateKeyPairSync('ed25519').privateKey,
}
const keys = Object.entries(privateKeys).map(
  ([selector, privateKey]): DkimKey => ({
    domain: 'example.com',
    selector,
    algorithm: dkimAlgorithm(privateKey),
    privateKey,
  }),
)
const records = keys.map((key) => dkimRecord({ ...key, publicKey: createPublicKey(key.privateKey) }))
const signer = new DkimSigner(keys)
const passes = ['pass rsa-sha256 example.com', 'pass ed25519-sha256 example.com']
const fails = ['fail rsa-sha256 example.com', 'fail ed25519-sha256 example.com']

const usual = [
  'From: Alice <alice@example.com>',
  'To: Bob <bob@example.org>',
  'Subject: About\r\n the  weather ',
  'Date: Fri, 11 Jul 2003 21:00:37 -0700',
  'Message-ID: <1@example.com>',
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=utf-8',
  'X-Mailer: none',
]

/** The message as it leaves: the end of DATA gives the last line its end. */
async function sign(fields: readonly string[], body: Buffer, pieceBytes = 65_536): Promise<Buffer> {
  const signed = await signer.sign(
    {
      header: Buffer.from(`${fields.join('\r\n')}\r\n\r\n`, 'latin1'),
      body: {
        async *read() {
          for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes)
        },
      },
    },
    { now: Date.now() },
  )
  const complete = body.length === 0 || body.toString('latin1').endsWith('\r\n')
  return Buffer.concat([signed.header, body, Buffer.from(complete ? '' : '\r\n')])
}

const latin1 = (text: string) => Buffer.from(text, 'latin1')

describe.skipIf(skipsOpenDkim)('OpenDKIM', () => {
  it('verifies signatures of both algorithms, whatever the message', { timeout: 60_000 }, async () => {
    const messages: [string, readonly string[], Buffer][] = [
      ['plain', usual, latin1('Hi.\r\n\r\nWe lost the game.\r\n')],
      ['no body', usual, latin1('')],
      ['empty lines alone', usual, latin1('\r\n\r\n')],
      ['blanks alone', usual, latin1(' \t\r\n \r\n')],
      ['empty lines and blanks at the end', usual, latin1('a \t\r\n \r\n\t\r\n\r\n')],
      ['empty lines at the beginning', usual, latin1('\r\n\r\na\r\n')],
      ['no line end at the end', usual, latin1('a\r\nb')],
      ['runs of blanks', usual, latin1('\ta \t b\r\n  c\r\n')],
      ['dots', usual, latin1('.\r\n..\r\n.a\r\n')],
      ['8-bit text', usual, latin1('\xfc\xa0\x85 \xff\r\n')],
      ['8-bit fields', ['From: J\xfcrgen <a@example.com>', 'Subject: \xa0 \xfc \x85'], latin1('a\r\n')],
      ['UTF-8 fields', [...usual.slice(1), 'From: \xc3\xbc <\xc3\xbc@example.com>'], latin1('a\r\n')],
      ['a long line', usual, latin1(`${'x y '.repeat(5000)}\r\n`)],
      ['a domain below', ['From: a@news.example.com'], latin1('a\r\n')],
      ['no other field', ['From: a@example.com'], latin1('a\r\n')],
      ['fields without a value', ['From: a@example.com', 'Subject:', 'To: ', 'Cc:\r\n '], latin1('a\r\n')],
      ['oddly written names', ['FROM: a@example.com', 'sUBJECT:a', 'to:b@example.org'], latin1('a\r\n')],
      ['fields twice', ['Subject: 1', ...usual, 'Subject: 2', 'List-Id: a', 'List-Id: b'], latin1('a\r\n')],
      [
        'many fields',
        [...usual, ...Array.from({ length: 300 }, (_, i) => `List-X${i}: ${i}`)],
        latin1('a\r\n'),
      ],
      ['a large body', usual, Buffer.alloc(3_000_000, 'Some text, \t and blanks. \r\n\r\n')],
    ]
    const signed = await Promise.all(messages.map(([, fields, body]) => sign(fields, body)))
    const told = await verifyWithOpenDkim(signed, records)
    expect(messages.map(([name], index) => [name, told[index]])).toEqual(
      messages.map(([name]) => [name, passes]),
    )
  })

  it('verifies random messages, however they were cut', { timeout: 60_000 }, async () => {
    const line = fc.string({ unit: fc.constantFrom(...'  \t\tab.:=\xfc'), maxLength: 12 })
    const message = fc.record({
      subject: line,
      references: fc.option(fc.array(line, { minLength: 1, maxLength: 3 })),
      lines: fc.array(line, { maxLength: 8 }),
      ended: fc.boolean(),
      pieceBytes: fc.integer({ min: 1, max: 40 }),
    })
    const samples = fc.sample(message, { numRuns: 100, seed: 6376 })
    const signed = await Promise.all(
      samples.map(({ subject, references, lines, ended, pieceBytes }) => {
        const folded =
          references === null
            ? []
            : [`References: <1@example.com>${references.map((each) => `\r\n ${each}.`).join('')}`]
        const fields = [`Subject: ${subject}.`, 'From: a@example.com', ...folded]
        return sign(fields, latin1(lines.join('\r\n') + (ended ? '\r\n' : '')), pieceBytes)
      }),
    )
    const told = await verifyWithOpenDkim(signed, records)
    expect(
      told.flatMap((each, index) => (each.join() === passes.join() ? [] : [signed[index]!.toString()])),
    ).toEqual([])
  })

  it('verifies what the way may change, and refuses what it may not', async () => {
    const body = latin1('Pay 100 to Bob.\r\n')
    const message = (await sign(usual, body)).toString('latin1')
    const sparse = (await sign(['From: a@example.com'], body)).toString('latin1')
    const cases: [string, string, string[]][] = [
      ['untouched', message, passes],
      ['a trace field above', `Received: from a by b; now\r\n${message}`, passes],
      ['folded anew', message.replace('About\r\n the  weather ', 'About the\r\n\tweather'), passes],
      ['a missing date added', sparse.replace('From:', 'Date: today\r\nMessage-ID: <2@b>\r\nFrom:'), passes],
      ['a list of its own added', `List-Id: <a.example.org>\r\n${message}`, passes],
      ['an empty line at the end', `${message}\r\n`, passes],
      ['another body', message.replace('100', '900'), fails],
      ['more body', `${message}And more.\r\n`, fails],
      ['another subject', message.replace('weather', 'climate'), fails],
      ['another type', message.replace('text/plain', 'text/html'), fails],
      ['a second author above', `From: boss@example.com\r\n${message}`, fails],
      ['a second author below', message.replace('X-Mailer', 'From: b@example.com\r\nX-Mailer'), fails],
      ['a second subject', `Subject: Urgent\r\n${message}`, fails],
      ['a second date', `Date: tomorrow\r\n${message}`, fails],
      ['a second type', `Content-Type: text/html\r\n${message}`, fails],
      ['another place to answer to', `Reply-To: eve@example.net\r\n${message}`, fails],
      ['a copy that was not there', `Cc: eve@example.net\r\n${message}`, fails],
      ['a recipient that was not there', `To: eve@example.net\r\n${sparse}`, fails],
    ]
    const told = await verifyWithOpenDkim(
      cases.map(([, text]) => latin1(text)),
      records,
    )
    expect(cases.map(([name], index) => [name, told[index]])).toEqual(
      cases.map(([name, , expected]) => [name, expected]),
    )
  })

  it('verifies what the relay has relayed, our trace field and all', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'relay-dkim-keys-'))
    closeAfterwards(() => rmSync(directory, { recursive: true }))
    const dkim = Object.entries(privateKeys).map(([selector, key]) => {
      const file = join(directory, `${selector}.pem`)
      writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
      return { domain: 'example.com', selector, key: { file } }
    })
    const host = await startHost()
    const relay = await startRelay({ policy: { dkim }, connectors: [connectorTo(host.port)] })
    const client = await SmtpClient.connect({ port: relay.port })
    closeAfterwards(() => client.close())
    await client.reply()
    await client.command('EHLO client.example.com')
    const large = '.and  some more\t\r\n'.repeat(40_000)
    for (const body of ['Hi.\r\n', '', large.replace(/^\./gm, '..')])
      expect(await client.message(`${usual.join('\r\n')}\r\n\r\n${body}`)).toMatch(/^250 /)
    await host.received(3)
    const received = host.messages.map(({ raw }) => raw)
    expect(received.map((bytes) => bytes.toString('latin1', 0, 10))).toEqual(Array(3).fill('Received: '))
    expect(await verifyWithOpenDkim(received, records)).toEqual([passes, passes, passes])
  })
})
