import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { parseLedgerEntry } from '../../src/lab/ledger.ts'
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/lab/sandbox.ts'
import { permanent, temporary } from '../../src/reply.ts'
import { SmtpClient } from '../support/smtp-client.ts'
import { base64, login, plain, securedClient, submitter } from './submitter.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function sandboxWith(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ ...login, keepMessages: 10, ...options })
  cleanups.push(() => sandbox.stop())
  return sandbox
}

function closing(client: SmtpClient): SmtpClient {
  cleanups.push(() => client.close())
  return client
}

const greeted = async (sandbox: Sandbox) => closing(await SmtpClient.greet({ port: sandbox.port }))
const secured = async (sandbox: Sandbox) => closing(await securedClient(sandbox))
const loggedIn = async (sandbox: Sandbox) => closing(await submitter(sandbox))

async function answers(client: SmtpClient, commands: readonly string[]): Promise<string[]> {
  const replies: string[] = []
  for (const command of commands) replies.push(await client.command(command))
  return replies
}

describe('before TLS', () => {
  it('offers STARTTLS and no AUTH', async () => {
    const client = await greeted(await sandboxWith())
    const offered = (await client.command('EHLO me')).split('\n').map((line) => line.slice(4))
    expect(offered.slice(1)).toEqual([
      ...['SIZE 157286400', 'PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES', 'STARTTLS'],
    ])
  })

  it.each(['MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.org>', 'DATA', 'AUTH PLAIN x', 'RSET', 'XYZ'])(
    'answers %s with 530',
    async (command) => {
      const client = await greeted(await sandboxWith())
      expect(await client.command(command)).toMatch(/^530 5\.7\.0 /)
    },
  )

  it('forgets what was sent ahead of TLS', async () => {
    const sandbox = await sandboxWith()
    const client = await greeted(sandbox)
    client.send(`STARTTLS\r\nEHLO injected\r\nAUTH PLAIN ${plain(login.user, login.password)}\r\n`)
    expect(await client.reply()).toMatch(/^220 /)
    await client.handshake({ ca: sandbox.certificate!, rejectUnauthorized: true, servername: 'localhost' })
    expect(await client.command('MAIL FROM:<a@example.com>')).toMatch(/^530 5\.7\.0 Authentication/)
    expect(await client.command('AUTH PLAIN x')).toMatch(/^503 /)
    expect(sandbox.counts.authentications).toBe(0)
  })

  it('shows a certificate that a client can check', async () => {
    const sandbox = await sandboxWith()
    const client = await greeted(sandbox)
    expect(await client.command('STARTTLS')).toMatch(/^220 /)
    await expect(
      client.handshake({ ca: [], rejectUnauthorized: true, servername: 'localhost' }),
    ).rejects.toThrow(/self-signed/)
    await secured(sandbox)
  })
})

describe('AUTH', () => {
  it('is required for mail', async () => {
    const client = await secured(await sandboxWith())
    expect(await client.command('MAIL FROM:<a@example.com>')).toMatch(/^530 5\.7\.0 /)
  })

  it('offers PLAIN and LOGIN inside TLS', async () => {
    const client = await secured(await sandboxWith())
    expect(await client.command('EHLO me')).toMatch(/\n250 AUTH PLAIN LOGIN$/)
  })

  const user = base64(login.user)
  const password = base64(login.password)
  const prompts = { user: `334 ${base64('Username:')}`, password: `334 ${base64('Password:')}` }
  const ok = '235 2.7.0 Authentication successful'
  const invalid = '535 5.7.8 Authentication credentials invalid'
  it.each<[string, string[], string[]]>([
    ['PLAIN with initial response', [`AUTH PLAIN ${plain(login.user, login.password)}`], [ok]],
    ['PLAIN without', ['AUTH PLAIN', plain(login.user, login.password)], ['334 ', ok]],
    ['LOGIN without initial response', ['AUTH LOGIN', user, password], [prompts.user, prompts.password, ok]],
    ['LOGIN with initial response', [`auth login ${user}`, password], [prompts.password, ok]],
    ['PLAIN, wrong password', [`AUTH PLAIN ${plain(login.user, 'wrong')}`], [invalid]],
    ['PLAIN, wrong user', [`AUTH PLAIN ${plain('other', login.password)}`], [invalid]],
    ['LOGIN, wrong password', ['AUTH LOGIN', user, base64('x')], [prompts.user, prompts.password, invalid]],
    ['PLAIN, empty initial response', ['AUTH PLAIN ='], ['501 5.5.2 Cannot decode the response']],
    ['not base64', ['AUTH PLAIN a'], ['501 5.5.2 Cannot decode the response']],
    ['cancelled', ['AUTH LOGIN', '*'], [prompts.user, '501 5.7.0 Authentication cancelled']],
    ['another mechanism', ['AUTH CRAM-MD5'], ['504 5.5.4 Mechanism not supported']],
    ['no mechanism', ['AUTH'], ['501 5.5.4 Syntax: AUTH mechanism']],
  ])('answers %s', async (_, commands, replies) => {
    const client = await secured(await sandboxWith())
    expect(await answers(client, commands)).toEqual(replies)
    const mail = await client.command('MAIL FROM:<a@example.com>')
    expect(mail.slice(0, 3)).toBe(replies.at(-1) === ok ? '250' : '530')
  })

  it('is taken once', async () => {
    const client = await loggedIn(await sandboxWith())
    expect(await client.command(`AUTH PLAIN ${plain(login.user, login.password)}`)).toMatch(/^503 /)
  })
})

describe('a transaction', () => {
  it('keeps message, envelope, TLS and user', async () => {
    const sandbox = await sandboxWith()
    const client = await loggedIn(sandbox)
    const commands = [
      'MAIL FROM:<a@example.com> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=QQ314159',
      'RCPT TO:<b@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@example.org',
      'RCPT TO:<"c d"@example.org> NOTIFY=NEVER',
      'DATA',
    ]
    const codes = (await answers(client, commands)).map((reply) => reply.slice(0, 9))
    expect(codes).toEqual(['250 2.1.0', '250 2.1.5', '250 2.1.5', '354 End d'])
    const queued = await client.command('Subject: x\r\n\r\n..\r\nä\r\n.')
    const [message] = sandbox.messages
    expect(queued).toBe(`250 2.0.0 Ok: queued as ${message!.id}`)
    expect(message).toMatchObject({
      envelope: {
        ...{ from: 'a@example.com', bodyType: '8bitmime', smtpUtf8: false, ret: 'hdrs', envid: 'QQ314159' },
        to: [
          { address: 'b@example.org', notify: ['success', 'delay'], orcpt: 'rfc822;b@example.org' },
          { address: '"c d"@example.org', notify: 'never', orcpt: null },
        ],
      },
      raw: Buffer.from('Subject: x\r\n\r\n.\r\nä\r\n'),
      tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
      user: login.user,
    })
    expect(sandbox.counts).toMatchObject({ messages: 1, recipients: 2, refusals: 0 })
  })

  it('takes the null reverse-path and several messages on one connection', async () => {
    const sandbox = await sandboxWith()
    const client = await loggedIn(sandbox)
    for (const content of ['one\r\n', 'two\r\n']) {
      await answers(client, ['MAIL FROM:<>', 'RCPT TO:<b@example.org>', 'DATA'])
      expect(await client.command(`${content}.`)).toMatch(/^250 /)
    }
    expect(sandbox.messages.map((message) => [message.envelope.from, message.raw.toString()])).toEqual([
      ['', 'one\r\n'],
      ['', 'two\r\n'],
    ])
  })

  it('answers a pipelined group in one write', async () => {
    const client = await loggedIn(await sandboxWith())
    const writes: string[] = []
    client.socket.on('data', (text: string) => writes.push(text))
    client.send('MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n')
    for (let i = 0; i < 4; i++) await client.reply()
    expect(writes).toHaveLength(1)
  })

  it('takes a message, its envelope and the next commands from one write', async () => {
    const sandbox = await sandboxWith()
    const client = await loggedIn(sandbox)
    client.send('MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nhi\r\n.\r\nNOOP\r\nQUIT\r\n')
    const replies: string[] = []
    for (let i = 0; i < 6; i++) replies.push((await client.reply()).slice(0, 3))
    expect(replies).toEqual(['250', '250', '354', '250', '250', '221'])
    expect(sandbox.messages[0]!.raw.toString()).toBe('hi\r\n')
  })

  it('stores the same bytes when they come one by one', async () => {
    const sandbox = await sandboxWith({ keepLedger: true })
    const client = await loggedIn(sandbox)
    const content = 'Subject: x\r\n\r\n.\r\n..x\r\n\r\n.\r.\n.\r\nä\0\xff\r\n'
    await answers(client, ['MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.org>', 'DATA'])
    const wire = Buffer.from(`${content.replaceAll('\r\n.', '\r\n..')}.\r\nNOOP\r\n`, 'latin1')
    for (const byte of wire) {
      client.send(Buffer.from([byte]))
      await new Promise(setImmediate)
    }
    expect([await client.reply(), await client.reply()].map((reply) => reply.slice(0, 3))).toEqual([
      '250',
      '250',
    ])
    expect(sandbox.messages[0]!.raw).toEqual(Buffer.from(content, 'latin1'))
    const body = Buffer.from(content.slice(content.indexOf('\r\n\r\n') + 4), 'latin1')
    expect(sandbox.ledger[0]!.sha256).toBe(createHash('sha256').update(body).digest('hex'))
  })

  it.each<[string, string[], RegExp]>([
    ['RCPT before MAIL', ['RCPT TO:<b@example.org>'], /^503 5\.5\.1 /],
    ['DATA before MAIL', ['DATA'], /^503 5\.5\.1 /],
    ['DATA without a recipient', ['MAIL FROM:<a@example.com>', 'DATA'], /^554 5\.5\.1 /],
    ['a second MAIL', ['MAIL FROM:<a@example.com>', 'MAIL FROM:<a@example.com>'], /^503 5\.5\.1 /],
    ['RCPT after RSET', ['MAIL FROM:<a@example.com>', 'RSET', 'RCPT TO:<b@example.org>'], /^503 5\.5\.1 /],
    ['a sender without brackets', ['MAIL FROM:a@example.com'], /^501 5\.1\.7 /],
    ['a recipient without domain', ['MAIL FROM:<a@example.com>', 'RCPT TO:<b>'], /^501 5\.1\.3 /],
    ['a null recipient', ['MAIL FROM:<a@example.com>', 'RCPT TO:<>'], /^501 5\.1\.3 /],
    ['an unknown parameter', ['MAIL FROM:<a@example.com> X=1'], /^555 5\.5\.4 /],
    ['a wrong parameter', ['MAIL FROM:<a@example.com> RET=SOME'], /^555 5\.5\.4 /],
    ['NEVER with others', ['MAIL FROM:<>', 'RCPT TO:<b@example.org> NOTIFY=NEVER,DELAY'], /^555 5\.5\.4 /],
    ['a declared size above the limit', ['MAIL FROM:<a@example.com> SIZE=157286401'], /^552 5\.3\.4 /],
    ['UTF-8 without SMTPUTF8', ['MAIL FROM:<a@example.com>', 'RCPT TO:<ü@example.org>'], /^553 5\.6\.7 /],
    ['UTF-8 with SMTPUTF8', ['MAIL FROM:<ä@example.com> SMTPUTF8', 'RCPT TO:<ü@example.org>'], /^250 /],
    ['an unknown command', ['XYZ'], /^500 5\.5\.2 /],
    ['a bare line feed', ['NOOP\nNOOP'], /^500 5\.5\.2 /],
    ['EHLO without a name', ['EHLO'], /^501 5\.5\.4 /],
  ])('answers %s precisely', async (_, commands, reply) => {
    const client = await loggedIn(await sandboxWith())
    expect((await answers(client, commands)).at(-1)).toMatch(reply)
  })

  it('reads a message that is too large to its end, refuses it and goes on', async () => {
    const sandbox = await sandboxWith({ maxMessageSizeBytes: 10_000 })
    const client = await loggedIn(sandbox)
    await answers(client, ['MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.org>', 'DATA'])
    expect(await client.command(`${'x'.repeat(98)}\r\n`.repeat(1000).concat('.'))).toMatch(/^552 5\.3\.4 /)
    expect(await client.command('NOOP')).toMatch(/^250 /)
    expect(sandbox.counts.messages).toBe(0)
  })

  it('closes on a line without end', async () => {
    const client = await greeted(await sandboxWith())
    client.send('x'.repeat(20_000))
    expect(await client.reply()).toMatch(/^500 5\.5\.2 /)
    await client.ended()
  })

  it('drops a message whose client leaves before the final dot', async () => {
    const sandbox = await sandboxWith()
    const client = await loggedIn(sandbox)
    await answers(client, ['MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.org>', 'DATA'])
    client.send('half a message\r\n')
    client.close()
    await (await loggedIn(sandbox)).message()
    expect(sandbox.counts.messages).toBe(1)
  })

  it('keeps only the newest messages', async () => {
    const sandbox = await sandboxWith({ keepMessages: 2 })
    const client = await loggedIn(sandbox)
    for (const content of ['1\r\n', '2\r\n', '3\r\n']) await client.message(content)
    expect(sandbox.messages.map((message) => message.raw.toString())).toEqual(['2\r\n', '3\r\n'])
  })
})

describe('other kinds of TLS', () => {
  it('speaks implicit TLS', async () => {
    const sandbox = await sandboxWith({ tls: 'implicit' })
    const client = closing(await SmtpClient.greet({ port: sandbox.port, tls: true }))
    await client.command(`AUTH PLAIN ${plain(login.user, login.password)}`)
    expect(await client.message()).toMatch(/^250 /)
    expect(sandbox.messages[0]!.tls).toMatch(/^TLSv1\.3 /)
  })

  it('takes AUTH in clear where it has no TLS', async () => {
    const sandbox = await sandboxWith({ tls: 'none' })
    expect(sandbox.certificate).toBeNull()
    const client = await greeted(sandbox)
    expect(await client.command('EHLO me')).toMatch(/ENHANCEDSTATUSCODES\n250 AUTH PLAIN LOGIN$/)
    await client.command(`AUTH PLAIN ${plain(login.user, login.password)}`)
    expect(await client.message()).toMatch(/^250 /)
    expect(sandbox.messages[0]!.tls).toBeNull()
  })

  it('makes the certificate of a directory once', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'relay-sandbox-'))
    cleanups.push(() => rmSync(directory, { recursive: true }))
    const first = await sandboxWith({ certificate: { directory } })
    const second = await sandboxWith({ certificate: { directory } })
    expect(second.certificate).toBe(first.certificate)
    expect(readFileSync(join(directory, 'cert.pem'), 'utf8')).toBe(first.certificate)
    await secured(second)
  })
})

describe('the ledger', () => {
  it('has the line before the client has the 250', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'relay-sandbox-'))
    cleanups.push(() => rmSync(directory, { recursive: true }))
    const ledgerFile = join(directory, 'ledger')
    const sandbox = await sandboxWith({ ledgerFile, keepLedger: true })
    const client = await loggedIn(sandbox)
    const mark = `run=r; seq=7; sha256=${'0'.repeat(64)}`
    const content = `Message-ID: <1@example.com>\r\nX-Relay-Load: ${mark}\r\n\r\nbody\r\n`
    expect(await client.message(content)).toMatch(/^250 /)
    const lines = readFileSync(ledgerFile, 'utf8').split('\n')
    expect(lines).toHaveLength(2)
    expect(parseLedgerEntry(lines[0]!)).toEqual({
      ...{ run: 'r', seq: 7, sizeBytes: content.length, messageId: '<1@example.com>' },
      ...{ from: 'sender@example.com', to: ['rcpt@example.org'] },
      sha256: createHash('sha256').update('body\r\n').digest('hex'),
      receivedAt: sandbox.messages[0]!.receivedAt,
    })
    expect(sandbox.ledger).toEqual([parseLedgerEntry(lines[0]!)])
  })

  it.runIf(process.platform === 'linux')(
    'answers 452 and takes nothing where it cannot be written',
    async () => {
      const sandbox = await sandboxWith({ ledgerFile: '/dev/full' })
      const client = await loggedIn(sandbox)
      expect(await client.message()).toMatch(/^452 4\.3\.1 /)
      expect(sandbox.counts.messages).toBe(0)
    },
  )
})

it('says that its ledger cannot be opened', async () => {
  await expect(
    startSandbox({ ...login, ledgerFile: join(tmpdir(), 'no/such/directory/ledger') }),
  ).rejects.toThrow(/ENOENT/)
})

describe('switches', () => {
  it('greets with another reply and closes', async () => {
    const sandbox = await sandboxWith()
    sandbox.switches.greeting = permanent('3.2', 'Not today', 554)
    const client = closing(await SmtpClient.connect({ port: sandbox.port }))
    expect(await client.reply()).toBe('554 5.3.2 Not today')
    await client.ended()
  })

  it('stops offering STARTTLS and AUTH', async () => {
    const sandbox = await sandboxWith()
    const before = await secured(sandbox)
    sandbox.switches.offerStartTls = false
    sandbox.switches.offerAuth = false
    expect(await before.command('EHLO me')).not.toMatch(/AUTH/)
    expect(await before.command(`AUTH PLAIN ${plain(login.user, login.password)}`)).toMatch(/^502 /)
    const client = await greeted(sandbox)
    expect(await client.command('EHLO me')).not.toMatch(/STARTTLS/)
    expect(await client.command('STARTTLS')).toMatch(/^502 /)
  })

  it('refuses right credentials', async () => {
    const sandbox = await sandboxWith()
    sandbox.switches.refuseAuth = temporary('7.0', 'Try later', 454)
    const client = await secured(sandbox)
    expect(await client.command(`AUTH PLAIN ${plain(login.user, login.password)}`)).toBe(
      '454 4.7.0 Try later',
    )
    expect(sandbox.counts).toMatchObject({ authentications: 0, authenticationsRefused: 1 })
  })

  it('turns connections away beyond the limit', async () => {
    const sandbox = await sandboxWith()
    sandbox.switches.maxConnections = 1
    const first = await greeted(sandbox)
    const second = closing(await SmtpClient.connect({ port: sandbox.port }))
    expect(await second.reply()).toMatch(/^421 4\.7\.0 /)
    await second.ended()
    expect(await first.command('NOOP')).toMatch(/^250 /)
    expect(sandbox.connections).toBe(1)
  })

  it('ends a connection at the message beyond its limit', async () => {
    const sandbox = await sandboxWith()
    sandbox.switches.maxMessagesPerConnection = 1
    const client = await loggedIn(sandbox)
    expect(await client.message()).toMatch(/^250 /)
    expect(await client.command('MAIL FROM:<a@example.com>')).toMatch(/^421 4\.7\.0 /)
    await client.ended()
  })
})

describe('control', () => {
  it('answers nobody while paused, and everything afterwards', async () => {
    const sandbox = await sandboxWith()
    const old = await greeted(sandbox)
    sandbox.pause()
    const fresh = closing(await SmtpClient.connect({ port: sandbox.port }))
    const replies = Promise.all([old.command('NOOP'), fresh.reply()])
    const outcome = await Promise.race([
      replies,
      new Promise((resolve) => setTimeout(resolve, 100, 'silence')),
    ])
    expect(outcome).toBe('silence')
    sandbox.resume()
    expect((await replies).map((reply) => reply.slice(0, 3))).toEqual(['250', '220'])
  })

  it('breaks connections and takes new ones', async () => {
    const sandbox = await sandboxWith()
    const old = await loggedIn(sandbox)
    sandbox.dropConnections()
    await old.ended()
    expect(await (await loggedIn(sandbox)).message()).toMatch(/^250 /)
  })

  it('tells when so many messages have arrived', async () => {
    const sandbox = await sandboxWith()
    const client = await loggedIn(sandbox)
    const order: string[] = []
    const second = sandbox.received(2).then(() => order.push('received 2'))
    await client.message()
    await sandbox.received(1)
    order.push('received 1')
    await client.message()
    await second
    expect(order).toEqual(['received 1', 'received 2'])
  })

  it('can be started again on the same port after a stop with open connections', async () => {
    const sandbox = await sandboxWith()
    const { port } = sandbox
    const client = await loggedIn(sandbox)
    await sandbox.stop()
    await client.ended()
    const again = await sandboxWith({ port })
    expect(await (await loggedIn(again)).message()).toMatch(/^250 /)
  })

  it('says why it cannot listen', async () => {
    const { port } = await sandboxWith()
    await expect(startSandbox({ ...login, port })).rejects.toThrow(/EADDRINUSE/)
  })
})
