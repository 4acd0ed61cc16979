import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Connector } from '../../src/config/connector.ts'
import type { HostAddress } from '../../src/delivery/resolve.ts'
import { openSmartHost } from '../../src/delivery/smarthost.ts'
import type { Certificate } from '../support/certificates.ts'
import {
  type Answer,
  ehlo,
  hangUp,
  type RawServer,
  reset,
  type Script,
  silence,
} from '../support/raw-server.ts'
import {
  certificates,
  connectorTo,
  inClear,
  log,
  message,
  named,
  opened,
  openingOf,
  password,
  quick,
  quickToOpen,
  start,
  strict,
  text,
  told,
  trickle,
  withLogin,
} from '../support/scripted-host.ts'

describe('a connection that goes well', () => {
  it('says EHLO, STARTTLS, EHLO, AUTH, and relays', async () => {
    const server = await start({ tls: certificates.good })
    const connection = await opened(server, strict)
    expect(connection.host).toBe(`smtp.example.com[127.0.0.1]:${server.port}`)
    expect(told(await connection.send(message(), text))).toEqual(['250 2.0.0 Queued as 4711'])
    await connection.quit()
    expect(connection.usable).toBe(false)
    expect(server.session.commands).toEqual([
      'EHLO relay.example.com',
      'STARTTLS',
      'EHLO relay.example.com',
      `AUTH PLAIN ${Buffer.from(`\0newsletter\0${password}`).toString('base64')}`,
      `MAIL FROM:<newsletter@example.com> SIZE=${text.length}`,
      'RCPT TO:<user@example.org>',
      'DATA',
      'QUIT',
    ])
    expect(server.session.clear).toBe('EHLO relay.example.com\r\nSTARTTLS\r\n')
    expect(server.session.secure).toMatch(/^EHLO/)
    expect(server.messages[0]!.data).toEqual(text)
  })

  it('speaks TLS from the first byte where the connector says implicit', async () => {
    const server = await start({ tls: certificates.good, implicit: true })
    const connection = await opened(server, { ...strict, tls: 'implicit' })
    expect(told(await connection.send(message(), text))).toEqual(['250 2.0.0 Queued as 4711'])
    expect(server.session.clear).toBe('')
    expect(server.session.commands).not.toContain('STARTTLS')
  })

  it('sends the envelope in one write and the body with its dot in another', async () => {
    const server = await start({ tls: certificates.good })
    const connection = await opened(server, strict)
    const before = server.session.reads.length
    await connection.send(message({ to: ['a@example.org', 'b@example.org'] }), text)
    expect(server.session.reads.slice(before).map(String)).toEqual([
      `MAIL FROM:<newsletter@example.com> SIZE=${text.length}\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n`,
      `${text}.\r\n`,
    ])
  })

  it('carries many messages, also after refused ones', async () => {
    const answers = ['550 5.1.1 No\r\n', '250 Ok\r\n', '452 4.2.2 Full\r\n', '250 Ok\r\n']
    const server = await inClear({
      RCPT: () => answers.shift()!,
      DATA: (_line, session) =>
        String(session.commands.at(-2)).startsWith('RCPT') && answers.length % 2 === 1
          ? '554 5.5.1 No valid recipients\r\n'
          : '354 Go on\r\n',
    })
    const connection = await opened(server)
    const attempts = []
    for (let i = 0; i < 4; i++) attempts.push(told(await connection.send(message(), text)))
    expect(attempts).toEqual([
      ['550 5.1.1 No'],
      ['250 2.0.0 Queued as 4711'],
      ['452 4.2.2 Full'],
      ['250 2.0.0 Queued as 4711'],
    ])
    expect(connection.messages).toBe(4)
    expect(server.sessions).toHaveLength(1)
    const verbs = server.session.commands.map((command) => command.slice(0, 4))
    const refused = ['MAIL', 'RCPT', 'DATA', 'RSET']
    expect(verbs.slice(1)).toEqual([...refused, 'MAIL', 'RCPT', 'DATA', ...refused, 'MAIL', 'RCPT', 'DATA'])
  })

  it('understands replies that come byte by byte', async () => {
    const server = await start({ tls: certificates.good, bytewise: true })
    const connection = await opened(server, strict)
    expect(told(await connection.send(message(), text))).toEqual(['250 2.0.0 Queued as 4711'])
  })

  it('understands replies of several lines', async () => {
    const server = await inClear({ '.': '250-2.0.0 Queued\r\n250-2.0.0 as\r\n250 2.0.0 4711\r\n' })
    const connection = await opened(server)
    expect(told(await connection.send(message(), text))).toEqual(['250 2.0.0 Queued as 4711'])
  })

  it('greets with HELO where EHLO is unknown, and then uses no extension', async () => {
    const server = await inClear({ EHLO: '502 5.5.1 What?\r\n' })
    const connection = await opened(server)
    expect(connection.offersDsn).toBe(false)
    expect(told(await connection.send(message(), text))).toEqual(['250 2.0.0 Queued as 4711'])
    expect(server.session.commands.slice(2, 4)).toEqual([
      'MAIL FROM:<newsletter@example.com>',
      'RCPT TO:<user@example.org>',
    ])
  })

  it('takes leave in a short time from a host that does not answer QUIT', async () => {
    const server = await inClear({ QUIT: silence })
    const connection = await opened(server, {}, { timeouts: quick })
    await connection.quit()
    await server.session.closed
    expect(server.session.commands.at(-1)).toBe('QUIT')
  })
})

describe('opening: what the host does, what it means', () => {
  it.each<[string, Script, string]>([
    ['greets with 554', { connect: '554 5.3.2 Go away\r\n' }, 'greeting: 554 5.3.2 Go away'],
    ['greets with 421', { connect: '421 4.3.2 Busy\r\n' }, 'greeting: 421 4.3.2 Busy'],
    [
      'greets with 250',
      { connect: '250 Hello\r\n' },
      'greeting: 451 4.5.0 Not an SMTP server: it answered "250 Hello"',
    ],
    [
      'greets with something else',
      { connect: 'SSH-2.0-OpenSSH\r\n' },
      'greeting: 451 4.5.0 Not an SMTP server: it answered "SSH-2.0-OpenSSH"',
    ],
    [
      'closes before the greeting',
      { connect: hangUp },
      'connect: 451 4.4.1 No greeting: Connection closed unexpectedly',
    ],
    ['answers EHLO with 421', { EHLO: '421 4.3.2 Busy\r\n' }, 'greeting: 421 4.3.2 Busy'],
    ['answers EHLO and HELO with 550', { EHLO: '550 No\r\n', HELO: '550 No\r\n' }, 'greeting: 550 No'],
    ['closes at EHLO', { EHLO: hangUp }, 'lost: 451 4.4.2 No answer to EHLO: Connection closed unexpectedly'],
  ])('%s', async (_name, script, outcome) => {
    const server = await start({ script })
    expect(await openingOf(server)).toBe(outcome)
    await server.session.closed
  })

  it.each<[string, Script, RegExp]>([
    ['never greets', { connect: silence }, /^connect: 451 4\.4\.1 No greeting: timed out \(ETIMEDOUT\)$/],
    ['never answers EHLO', { EHLO: silence }, /^lost: 451 4\.4\.2 No answer to EHLO: timed out/],
    [
      'greets one byte at a time',
      { connect: trickle('220 hello hello hello hello hello hello\r\n') },
      /^connect: .*timed out/,
    ],
    ['never ends its answer to EHLO', { EHLO: trickle('250-more\r\n'.repeat(20)) }, /^lost: .*timed out/],
    [
      'never shakes hands',
      { STARTTLS: '220 Go\r\n' },
      /^tls: 451 4\.7\.5 TLS with the smart host failed: timed out/,
    ],
    [
      'never answers AUTH',
      { EHLO: ehlo('AUTH PLAIN'), 'AUTH PLAIN': silence },
      /^lost: .* AUTH came to no end: timed out/,
    ],
    [
      'answers AUTH with 334 for ever',
      { EHLO: ehlo('AUTH PLAIN'), 'AUTH PLAIN': '334 \r\n', '': '334 \r\n' },
      /^lost: /,
    ],
  ])('is given up when the host %s', async (_name, script, outcome) => {
    const server = await start({ script })
    const change = 'STARTTLS' in script ? {} : withLogin
    expect(await openingOf(server, change, { timeouts: quickToOpen })).toMatch(outcome)
    await server.session.closed
  })

  it.each<[string, string]>([
    ['endless lines', '250-more\r\n'.repeat(50_000)],
    ['an endless line', 'x'.repeat(1_000_000)],
  ])('is given up when the host answers EHLO with %s', async (_name, answer) => {
    const server = await start({ script: { EHLO: answer } })
    expect(await openingOf(server)).toMatch(/^lost: 451 4\.4\.2 No answer to EHLO: Server response exceeds/)
  })

  it('is given up when the host greets with blank lines without end', async () => {
    const server = await start({ script: { connect: '\r\n'.repeat(500_000) } })
    expect(await openingOf(server)).toBe('connect: 451 4.4.1 No greeting: it says more than it is asked')
  })

  it.each([{ ca: 'not a certificate' }, { clientCertificate: { cert: 'not one either', key: 'nor a key' } }])(
    'fails where our own TLS settings are unusable: %o',
    async (change) => {
      for (const tls of ['starttls', 'implicit'] as const) {
        const server = await start({ tls: certificates.good, implicit: tls === 'implicit' })
        expect(await openingOf(server, { ...strict, ...change, tls })).toMatch(/^tls: /)
      }
    },
  )

  it('says that nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))
    expect(await openingOf({ port })).toBe(
      'connect: 451 4.4.1 Cannot connect: connection refused (ECONNREFUSED)',
    )
  })

  it('stops when it is told to', async () => {
    const server = await start({ script: { connect: silence } })
    const stop = new AbortController()
    const opening = openSmartHost(connectorTo(server), named, { log, signal: stop.signal })
    while (server.sessions.length === 0) await new Promise((resolve) => setImmediate(resolve))
    stop.abort()
    expect(await opening).toMatchObject({ ok: false, attempt: { scope: 'connection', fault: 'connect' } })
    await server.session.closed
  })

  it('does not even connect where it was told to stop before', async () => {
    const server = await start()
    const result = await openSmartHost(connectorTo(server), named, { log, signal: AbortSignal.abort() })
    expect(result.ok).toBe(false)
  })
})

describe('never in clear', () => {
  const noTls = ehlo('PIPELINING', 'AUTH PLAIN LOGIN')
  const alone = /^EHLO relay\.example\.com\r\n(STARTTLS\r\n)?(QUIT\r\n)?$/

  it.each<[string, Script, RegExp]>([
    [
      'does not offer STARTTLS',
      { EHLO: noTls, STARTTLS: '502 5.5.1 Unknown\r\n' },
      /^tls: .*answered "502 5\.5\.1 Unknown"/,
    ],
    [
      'answers STARTTLS with 454',
      { STARTTLS: '454 4.7.0 Later\r\n' },
      /^tls: .*answered "454 4\.7\.0 Later"/,
    ],
    ['answers STARTTLS with 250 of EHLO', { STARTTLS: '554 No\r\n250 Ok\r\n' }, /^tls: /],
    ['closes at STARTTLS', { STARTTLS: hangUp }, /^(tls|lost): /],
    ['speaks HELO only', { EHLO: '502 No\r\n' }, /^greeting: 502 No/],
    ['goes on in clear after its 220', { STARTTLS: ['220 Go\r\n', '250 mx.example.net\r\n'] }, /^tls: /],
    ['closes after its 220', { STARTTLS: ['220 Go\r\n', hangUp] }, /^tls: .*closed/],
    [
      'resets after its 220',
      { STARTTLS: ['220 Go\r\n', reset] },
      /^tls: .*closed the connection during the handshake/,
    ],
  ])('sends neither AUTH nor MAIL to a host that %s', async (_name, script, outcome) => {
    const server = await start({ script })
    expect(await openingOf(server, strict, { timeouts: { ...quick, openMs: 2000 } })).toMatch(outcome)
    await server.session.closed
    expect(server.session.clear.replace(/\x16\x03[\s\S]*$/, '')).toMatch(alone)
  })

  it.each<[string, Partial<Connector>]>([
    ['requireTLS', { requireTLS: true }],
    ['basicAuthRequireTLS', { ...strict, requireTLS: false }],
  ])('holds for %s alone', async (_name, change) => {
    const server = await start({ script: { EHLO: noTls, STARTTLS: '502 5.5.1 Unknown\r\n' } })
    expect(await openingOf(server, change)).toMatch(/^tls: 451 4\.7\.5 No STARTTLS at the smart host: /)
    expect(server.session.clear).toMatch(alone)
  })

  it('does not fall back to clear when an offered STARTTLS fails, though TLS is not required', async () => {
    const server = await start({ script: { STARTTLS: '454 4.7.0 Later\r\n' } })
    expect(await openingOf(server, withLogin)).toMatch(/^tls: /)
    expect(server.session.clear).toMatch(alone)
  })

  it('uses an offered STARTTLS though TLS is not required', async () => {
    const server = await start({ tls: certificates.good })
    const connection = await opened(server, withLogin)
    await connection.send(message(), text)
    expect(server.session.clear).not.toMatch(/AUTH|MAIL/)
  })

  it('ignores what was injected behind the reply to STARTTLS', async () => {
    const injected = `220 Go\r\n${ehlo('AUTH PLAIN', 'X-EVIL')}235 2.7.0 Welcome\r\n`
    const secure = ehlo('AUTH LOGIN')
    let greetings = 0
    const server = await start({
      tls: certificates.good,
      script: { STARTTLS: injected, EHLO: () => (greetings++ === 0 ? ehlo('STARTTLS') : secure) },
    })
    await opened(server, strict)
    expect(server.session.commands.filter((command) => command.startsWith('AUTH'))).toEqual(['AUTH LOGIN'])
  })

  it('forgets what the host offered before TLS', async () => {
    let greetings = 0
    const before = ehlo('STARTTLS', 'AUTH PLAIN', 'SIZE 10', 'DSN')
    const server = await start({
      tls: certificates.good,
      script: { EHLO: () => (greetings++ === 0 ? before : ehlo('PIPELINING')) },
    })
    const connection = await opened(server, { requireTLS: true, ca: certificates.ca })
    expect(connection.offersDsn).toBe(false)
    expect(told(await connection.send(message(), text))).toEqual(['250 2.0.0 Queued as 4711'])
  })

  it('sends nothing of a message that requires TLS over a connection in clear, and others after it', async () => {
    const server = await inClear()
    const connection = await opened(server)
    const refused = 'message: 451 4.7.30 The message requires TLS, which the smart host does not offer'
    expect(told(await connection.send(message({ requireTls: true }), text))).toBe(refused)
    expect(connection.usable).toBe(true)
    expect(connection.messages).toBe(0)
    expect(server.session.clear).toBe('EHLO relay.example.com\r\n')
    expect(told(await connection.send(message(), text))).toEqual(['250 2.0.0 Queued as 4711'])
  })

  it('sends it over TLS, required of the host or not', async () => {
    const server = await start({ tls: certificates.good })
    const connection = await opened(server, withLogin)
    expect(told(await connection.send(message({ requireTls: true }), text))).toEqual([
      '250 2.0.0 Queued as 4711',
    ])
  })

  it('speaks no TLS older than 1.2', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    const server = await start({ tls: { ...certificates.good, ...old } })
    expect(await openingOf(server, strict)).toMatch(/^tls: .*no TLS version from 1\.2 on/)
    expect(server.session.clear).not.toMatch(/AUTH|MAIL/)
  })
})

describe('certificates', () => {
  const { good, wrongName, expired, notYetValid, selfSigned, address, chained, withoutIntermediate } =
    certificates
  const numbered: HostAddress = { name: '127.0.0.1', address: '127.0.0.1' }
  const otherCa = { ca: certificates.otherCa }
  const other = { tlsDomain: 'smtp.example.net' }
  const ip = { host: numbered }

  type Row = readonly [
    name: string,
    certificate: Certificate,
    levels: { encryptionOnly: string; certificateValidation: string; domainValidation: string },
    setting?: { change?: Partial<Connector>; host?: HostAddress },
  ]
  const all = (reason: string): Row[2] => ({
    encryptionOnly: 'ok',
    certificateValidation: reason,
    domainValidation: reason,
  })
  const byName = (reason: string): Row[2] => ({ ...all('ok'), domainValidation: reason })

  const rows: readonly Row[] = [
    ['right', good, all('ok')],
    ['with an intermediate', chained, all('ok')],
    ['of another name', wrongName, byName('carries another name')],
    ['of the name that tlsDomain gives', wrongName, all('ok'), { change: other }],
    ['of the host but not of tlsDomain', good, byName('carries another name'), { change: other }],
    ['expired', expired, all('has expired')],
    ['not yet valid', notYetValid, all('not valid yet')],
    ['self-signed', selfSigned, all('self-signed')],
    ['of an unknown authority', good, all('not trusted'), { change: otherCa }],
    ['of an unknown authority, system roots', good, all('not trusted'), { change: { ca: null } }],
    ['without its intermediate', withoutIntermediate, all('not trusted')],
    ['of an address', address, all('ok'), ip],
    ['of a name, for a host that is an address', good, byName('carries another name'), ip],
    [
      'of a name in tlsDomain, for an address',
      good,
      all('ok'),
      { ...ip, change: { tlsDomain: 'smtp.example.com' } },
    ],
  ]
  const cases = rows.flatMap(([name, certificate, levels, setting = {}]) =>
    Object.entries(levels).map(([level, outcome]) => ({ name, certificate, level, outcome, setting })),
  )

  it.each(cases)('$level finds one $name: $outcome', async ({ certificate, level, outcome, setting }) => {
    const server = await start({ tls: certificate })
    const change = { ...strict, ...setting.change, tlsAuthLevel: level as Connector['tlsAuthLevel'] }
    const result = await openingOf(server, change, setting.host ? { host: setting.host } : {})
    if (outcome === 'ok') return expect(result).toBe('ok')
    expect(result).toMatch(/^tls: 451 4\.7\.5 TLS with the smart host failed: /)
    expect(result).toContain(outcome)
    await server.session.closed
    expect(server.session.clear + server.session.secure).not.toMatch(/AUTH|MAIL/)
  })

  it('checks implicit TLS the same', async () => {
    const server = await start({ tls: wrongName, implicit: true })
    expect(await openingOf(server, { ...strict, tls: 'implicit' })).toMatch(/^tls: .*carries another name/)
    expect(server.session.secure).toBe('')
  })

  it('checks though the environment says not to', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    onTestFinished(() => void vi.unstubAllEnvs())
    const server = await start({ tls: selfSigned })
    for (const tlsAuthLevel of ['certificateValidation', 'domainValidation'] as const)
      expect(await openingOf(server, { ...strict, tlsAuthLevel })).toMatch(/^tls: /)
  })

  it('asks for the configured name in SNI, and for none where the host is an address', async () => {
    const server = await start({ tls: good })
    await opened(server, strict)
    await opened(server, { ...strict, tlsAuthLevel: 'encryptionOnly' }, { host: numbered })
    await opened(server, { ...strict, tlsAuthLevel: 'encryptionOnly', ...other })
    const names = server.sessions.map((session) => session.tls!.servername)
    expect(names).toEqual(['smtp.example.com', false, 'smtp.example.net'])
  })

  it('shows the client certificate', async () => {
    const server = await start({
      tls: { ...good, ca: certificates.ca, requestCert: true, rejectUnauthorized: true },
    })
    await opened(server, { ...strict, clientCertificate: certificates.client })
    expect(server.session.tls!.getPeerCertificate().subject.CN).toBe('client of a test')
  })

  it('fails before AUTH where a client certificate is demanded and there is none', async () => {
    const server = await start({
      tls: {
        ...good,
        ca: certificates.ca,
        requestCert: true,
        rejectUnauthorized: true,
        maxVersion: 'TLSv1.2',
      },
    })
    expect(await openingOf(server, strict)).toMatch(/^tls: /)
    expect(server.session.secure).toBe('')
  })
})

describe('AUTH', () => {
  const auth = (mechanisms: string, script: Script = {}): Promise<RawServer> =>
    start({ tls: certificates.good, script: { EHLO: ehlo('STARTTLS', mechanisms), ...script } })
  const sent = (server: RawServer): string[] =>
    server.session.commands.slice(3).map((line) => line.split(' ')[0]!)

  it('uses LOGIN where only that is offered', async () => {
    const server = await auth('AUTH LOGIN')
    await opened(server, strict)
    const base64 = (word: string) => Buffer.from(word).toString('base64')
    expect(server.session.commands.slice(3)).toEqual(['AUTH LOGIN', base64('newsletter'), base64(password)])
  })

  it.each(['AUTH PLAIN', 'AUTH LOGIN PLAIN', 'AUTH=LOGIN PLAIN', 'auth plain'])(
    'uses PLAIN where the host says %s',
    async (offer) => {
      const server = await auth(offer)
      await opened(server, strict)
      expect(server.session.commands[3]).toMatch(/^AUTH PLAIN /)
    },
  )

  it.each(['SIZE', 'AUTH CRAM-MD5', 'AUTH XOAUTH2 GSSAPI', 'AUTH', 'X-AUTH PLAIN'])(
    'sends no credentials to a host that says only %s',
    async (offer) => {
      const server = await auth(offer)
      expect(await openingOf(server, strict)).toMatch(
        /^auth-missing: 451 4\.7\.0 The connector logs in with PLAIN or LOGIN, the smart host offers (no|only) AUTH/,
      )
      expect(sent(server)).toEqual([])
    },
  )

  it('does not take the greeting of EHLO for an offer', async () => {
    const server = await auth('PIPELINING', { EHLO: '250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n' })
    expect(await openingOf(server, strict)).toMatch(/^auth-missing: /)
  })

  it('does not log in where the connector has no login', async () => {
    const server = await auth('AUTH PLAIN')
    await opened(server, { ...strict, smartHostAuthMechanism: 'none' })
    expect(sent(server)).toEqual([])
  })

  it('logs in over clear only where the connector allows it and the host has no TLS', async () => {
    const server = await start({ script: { EHLO: ehlo('AUTH PLAIN') } })
    expect(await openingOf(server, withLogin)).toBe('ok')
  })

  it.each<[string, string]>([
    ['535 5.7.8 Wrong', 'auth-refused: 535 5.7.8 Wrong'],
    ['534 5.7.9 Too weak', 'auth-refused: 534 5.7.9 Too weak'],
    ['550 Not you', 'auth-refused: 550 Not you'],
    ['454 4.7.0 Not now', 'auth-temporary: 454 4.7.0 Not now'],
    ['421 4.3.2 Busy', 'greeting: 421 4.3.2 Busy'],
    ['whatever', 'lost: 451 4.4.2 AUTH came to no end: it answered "whatever"'],
  ])('answered with %s', async (reply, outcome) => {
    for (const [offer, step] of [
      ['AUTH PLAIN', 'AUTH PLAIN'],
      ['AUTH LOGIN', 'password'],
    ] as const) {
      const server = await auth(offer, { [step]: `${reply}\r\n` })
      expect(await openingOf(server, strict)).toBe(outcome)
      await server.session.closed
      expect(server.session.commands).not.toContainEqual(expect.stringMatching(/^MAIL/))
    }
  })

  it('does not send the password where the host refuses the user name', async () => {
    const server = await auth('AUTH LOGIN', { user: '535 5.7.8 Unknown\r\n' })
    expect(await openingOf(server, strict)).toBe('auth-refused: 535 5.7.8 Unknown')
    expect(sent(server)).toHaveLength(2)
  })

  it('is over when the host closes at it', async () => {
    const server = await auth('AUTH PLAIN', { AUTH: hangUp, 'AUTH PLAIN': hangUp })
    expect(await openingOf(server, strict)).toMatch(/^lost: /)
  })

  it('keeps the password out of a reply that repeats it', async () => {
    const echo: Answer = (line) => `535 5.7.8 Bad: ${line} ${password}\r\n`
    for (const server of [
      await auth('AUTH PLAIN', { 'AUTH PLAIN': echo }),
      await auth('AUTH LOGIN', { password: echo }),
    ]) {
      const outcome = await openingOf(server, strict)
      expect(outcome).toMatch(/^auth-refused: 535 5\.7\.8 Bad: /)
      expect(outcome).not.toContain(password)
      expect(outcome).not.toContain(server.session.commands.at(-1)!.split(' ').at(-1)!)
    }
  })
})
