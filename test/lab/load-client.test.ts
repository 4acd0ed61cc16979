/** The load generator's client against a host that answers what no sandbox does. */
import { afterEach, describe, expect, it } from 'vitest'
import { LoadConnection, LoadConnectionError, type LoadTarget } from '../../src/lab/load-client.ts'
import { type LoadMessage, LoadMessages } from '../../src/lab/load-message.ts'
import { ehlo, hangUp, RawServer, type Script, silence } from '../support/raw-server.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function host(script: Script, options: { bytewise?: boolean } = {}): Promise<RawServer> {
  const server = await RawServer.start({ script, ...options })
  cleanups.push(() => server.close())
  return server
}

const targetOf = (server: RawServer, change: Partial<LoadTarget> = {}): LoadTarget => ({
  ...{ host: '127.0.0.1', port: server.port, tls: 'off', trust: { secureContext: null, insecure: false } },
  ...{ auth: null, ehloName: 'load.example.com', timeoutMs: 5000 },
  ...change,
})

async function connection(server: RawServer, change: Partial<LoadTarget> = {}): Promise<LoadConnection> {
  const opened = await LoadConnection.open(targetOf(server, change))
  cleanups.push(() => opened.destroy())
  return opened
}

function message(to: readonly string[] = ['u@example.org']): LoadMessage {
  const sizes = { kind: 'list', bytes: [1000] } as const
  const recipientsPerMessage = to.length
  return new LoadMessages({
    run: 'r',
    seed: 1,
    from: ['a@example.com'],
    to,
    recipientsPerMessage,
    sizes,
  }).message(1)
}

const mail = 'MAIL FROM:<a@example.com>'
const rcpt = 'RCPT TO:<u@example.org>'

describe('a transaction', () => {
  it('leaves in two writes where PIPELINING is offered', async () => {
    const server = await host({})
    expect(await (await connection(server)).submit(message())).toEqual({
      kind: 'accepted',
      recipients: ['u@example.org'],
    })
    const [, ...flights] = server.session.reads.map((read) => read.toString('latin1'))
    expect(flights[0]).toBe(`${mail} SIZE=1000\r\n${rcpt}\r\nDATA\r\n`)
    expect(flights.slice(1)).toHaveLength(1)
    expect(flights[1]).toMatch(/\r\n\.\r\n$/)
  })

  it('waits for each reply where PIPELINING is not offered, and gives no SIZE where it is not', async () => {
    const server = await host({ EHLO: ehlo('8BITMIME') })
    expect(await (await connection(server)).submit(message())).toMatchObject({ kind: 'accepted' })
    const reads = server.session.reads.map((read) => read.toString('latin1'))
    expect(reads.slice(1, 4)).toEqual([`${mail}\r\n`, `${rcpt}\r\n`, 'DATA\r\n'])
  })

  it('reads replies of several lines that come in pieces', async () => {
    const lines = (code: number) => `${code}-2.1.0 one\r\n${code}-2.1.0 two\r\n${code} 2.1.0 three\r\n`
    const server = await host({ connect: lines(220), MAIL: lines(250), '.': lines(250) }, { bytewise: true })
    expect(await (await connection(server)).submit(message())).toMatchObject({ kind: 'accepted' })
  })

  it.each<[string, Script, object]>([
    [
      'MAIL',
      { MAIL: '550 5.7.1 no\r\n', RCPT: '503 5.5.1 no\r\n', DATA: '503 5.5.1 no\r\n' },
      { command: 'MAIL', reply: '550 5.7.1 no' },
    ],
    [
      'RCPT',
      { RCPT: '450 4.1.1 no\r\n', DATA: '554 5.5.1 no\r\n' },
      { command: 'RCPT', reply: '450 4.1.1 no' },
    ],
    ['DATA', { DATA: '451 4.3.0 no\r\n' }, { command: 'DATA', reply: '451 4.3.0 no' }],
    ['the dot', { '.': '554 5.6.0 no\r\n' }, { command: 'dot', reply: '554 5.6.0 no' }],
    [
      'RCPT, and DATA is taken nevertheless',
      { RCPT: '550 5.1.1 no\r\n', '.': '554 5.5.1 no\r\n' },
      { command: 'RCPT', reply: '550 5.1.1 no' },
    ],
  ])('says that %s was refused, and the connection goes on', async (_, script, refused) => {
    for (const pipelining of [['PIPELINING'], []]) {
      const server = await host({ EHLO: ehlo(...pipelining), ...script })
      const client = await connection(server)
      expect(await client.submit(message())).toEqual({ kind: 'refused', ...refused })
      expect(await client.submit(message())).toEqual({ kind: 'refused', ...refused })
      expect(client.usable).toBe(true)
    }
  })

  it.each<[string, Script]>([
    ['MAIL', { MAIL: ['421 4.3.2 bye\r\n', hangUp] }],
    ['RCPT', { RCPT: ['421 4.3.2 bye\r\n', hangUp] }],
    ['DATA', { DATA: ['421 4.3.2 bye\r\n', hangUp] }],
    ['dot', { '.': ['421 4.3.2 bye\r\n', hangUp] }],
  ])('ends with the connection at a 421 to %s', async (command, script) => {
    const client = await connection(await host(script))
    expect(await client.submit(message())).toEqual({ kind: 'refused', command, reply: '421 4.3.2 bye' })
    expect(client.usable).toBe(false)
  })

  it.each<[string, Script, object]>([
    ['before the dot', { DATA: hangUp }, { afterDot: false, reason: 'connection closed' }],
    ['after the dot', { '.': hangUp }, { afterDot: true, reason: 'connection closed' }],
    ['after the dot, by silence', { '.': silence }, { afterDot: true, reason: 'no reply in time' }],
  ])('is lost where the connection is, %s', async (_, script, lost) => {
    const client = await connection(await host(script), { timeoutMs: 200 })
    expect(await client.submit(message())).toEqual({ kind: 'lost', ...lost })
    expect(await client.submit(message())).toMatchObject({ kind: 'lost', afterDot: false })
  })

  it('says which recipients were taken', async () => {
    const to = ['a@example.org', 'b@example.org', 'c@example.org']
    const server = await host({
      RCPT: (line) => (line.includes('b@') ? '550 5.1.1 no\r\n' : '250 2.1.5 ok\r\n'),
    })
    const submission = await (await connection(server)).submit(message(to))
    expect(submission).toEqual({ kind: 'accepted', recipients: ['c@example.org', 'a@example.org'] })
  })
})

describe('a connection', () => {
  it('is not made in clear where STARTTLS was asked for and is not offered', async () => {
    const server = await host({ EHLO: ehlo('AUTH PLAIN LOGIN') })
    const auth = { user: 'u', password: 'hidden' }
    const opening = LoadConnection.open(targetOf(server, { tls: 'starttls', auth }))
    await expect(opening).rejects.toEqual(new LoadConnectionError('STARTTLS: not offered'))
    expect(server.session.commands).toEqual(['EHLO load.example.com'])
  })

  it('logs in with LOGIN where PLAIN is not offered', async () => {
    const server = await host({ EHLO: ehlo('AUTH LOGIN') })
    await connection(server, { auth: { user: 'u', password: 'p' } })
    const responses = ['u', 'p'].map((text) => Buffer.from(text).toString('base64'))
    expect(server.session.commands.slice(1)).toEqual(['AUTH LOGIN', ...responses])
  })

  it.each<[string, Script, RegExp]>([
    ['greets with 554', { connect: '554 5.3.2 go away\r\n' }, /^greeting: 554 5\.3\.2 go away$/],
    ['greets with 421', { connect: '421 4.3.2 later\r\n' }, /^greeting: 421 4\.3\.2 later$/],
    ['greets with something else', { connect: 'hello\r\n' }, /^greeting: not a reply$/],
    ['says nothing', { connect: silence }, /^greeting: no reply in time$/],
    ['hangs up', { connect: hangUp }, /^greeting: connection closed$/],
    ['refuses EHLO', { EHLO: '502 5.5.1 no\r\n' }, /^EHLO: 502 5\.5\.1 no$/],
    ['offers no AUTH', { EHLO: ehlo('PIPELINING') }, /^AUTH: neither PLAIN nor LOGIN offered$/],
    ['never ends its reply', { connect: `220-${'x'.repeat(100_000)}` }, /^greeting: reply is too long$/],
  ])('fails with the reason where the host %s', async (_, script, reason) => {
    const server = await host(script)
    const auth = { user: 'u', password: 'p' }
    await expect(LoadConnection.open(targetOf(server, { auth, timeoutMs: 300 }))).rejects.toThrow(reason)
  })

  it('notices that the host said 421 and left between two messages', async () => {
    const server = await host({})
    const client = await connection(server)
    await server.session.say('421 4.4.2 idle\r\n')
    server.session.end()
    await expect.poll(() => client.usable).toBe(false)
  })

  it('does not mind a host that closes without answering QUIT', async () => {
    const server = await host({ QUIT: hangUp })
    const client = await connection(server)
    await client.quit()
    expect(client.usable).toBe(false)
  })
})
