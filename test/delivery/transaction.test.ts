import { describe, expect, it } from 'vitest'
import type { OutgoingMessage } from '../../src/delivery/extensions.ts'
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
  inClear,
  message,
  opened,
  quick,
  recipient,
  sender,
  start,
  strict,
  text,
  told,
  trickle,
  withoutPipelining,
} from '../support/scripted-host.ts'

describe('a transaction: what the host does, what it means', () => {
  const nobody = '554 5.5.1 No valid recipients\r\n'
  type Row = [string, Script, string | readonly string[], 'usable' | 'closed']

  const rows: Row[] = [
    ['takes it', {}, ['250 2.0.0 Queued as 4711'], 'usable'],
    [
      'MAIL 550',
      { MAIL: '550 5.7.1 Not you\r\n', RCPT: '503 MAIL first\r\n', DATA: '503 RCPT first\r\n' },
      'message: 550 5.7.1 Not you',
      'usable',
    ],
    [
      'MAIL 451',
      { MAIL: '451 4.3.0 Later\r\n', RCPT: '503 MAIL first\r\n', DATA: '503 RCPT first\r\n' },
      'message: 451 4.3.0 Later',
      'usable',
    ],
    ['MAIL 421', { MAIL: ['421 4.3.2 Busy\r\n', hangUp] }, 'connection lost: 421 4.3.2 Busy', 'closed'],
    [
      'MAIL 530',
      { MAIL: '530 5.7.0 Log in first\r\n' },
      'connection auth-refused: 530 5.7.0 Log in first',
      'closed',
    ],
    [
      'MAIL nonsense',
      { MAIL: 'what?\r\n' },
      'connection lost: 451 4.5.0 The smart host answered MAIL with "what?"',
      'closed',
    ],
    [
      'MAIL 354',
      { MAIL: '354 go\r\n' },
      'connection lost: 451 4.5.0 The smart host answered MAIL with "354 go"',
      'closed',
    ],
    [
      'MAIL two codes',
      { MAIL: '250-ok\r\n550 no\r\n' },
      'connection lost: 451 4.5.0 The smart host answered MAIL with "250-ok?550 no"',
      'closed',
    ],
    [
      'MAIL closes',
      { MAIL: hangUp },
      'connection lost: 451 4.4.2 Connection lost: Connection closed unexpectedly',
      'closed',
    ],
    ['RCPT 550', { RCPT: '550 5.1.1 No\r\n', DATA: nobody }, ['550 5.1.1 No'], 'usable'],
    ['RCPT 450', { RCPT: '450 4.2.0 Later\r\n', DATA: nobody }, ['450 4.2.0 Later'], 'usable'],
    [
      'RCPT 552 too many',
      { RCPT: '552 5.5.3 Too many recipients\r\n', DATA: nobody },
      ['452 4.5.3 Too many recipients'],
      'usable',
    ],
    [
      'RCPT 552 full',
      { RCPT: '552 5.2.2 Mailbox full\r\n', DATA: nobody },
      ['552 5.2.2 Mailbox full'],
      'usable',
    ],
    ['RCPT 421', { RCPT: ['421 4.7.0 Slow down\r\n', hangUp] }, 'message: 421 4.7.0 Slow down', 'closed'],
    [
      'RCPT closes',
      { RCPT: hangUp },
      'connection lost: 451 4.4.2 Connection lost: Connection closed unexpectedly',
      'closed',
    ],
    ['RCPT 550 and closes', { RCPT: ['550 5.1.1 No\r\n', hangUp] }, ['550 5.1.1 No'], 'closed'],
    ['DATA 451', { DATA: '451 4.3.0 Later\r\n' }, 'message: 451 4.3.0 Later', 'usable'],
    ['DATA 554', { DATA: '554 5.6.0 No\r\n' }, 'message: 554 5.6.0 No', 'usable'],
    [
      'DATA 250',
      { DATA: '250 Ok\r\n' },
      'connection lost: 451 4.5.0 The smart host answered DATA with "250 Ok"',
      'closed',
    ],
    [
      'DATA closes',
      { DATA: hangUp },
      'connection lost: 451 4.4.2 Connection lost: Connection closed unexpectedly',
      'closed',
    ],
    [
      'DATA 354 and an early 250',
      { DATA: '354 Go on\r\n250 2.0.0 Queued\r\n' },
      'connection lost: 451 4.5.0 The smart host answered DATA with "more than one reply"',
      'closed',
    ],
    ['dot 451', { '.': '451 4.3.0 Later\r\n' }, 'message: 451 4.3.0 Later', 'usable'],
    ['dot 554', { '.': '554 5.7.1 Spam\r\n' }, 'message: 554 5.7.1 Spam', 'usable'],
    ['dot 421', { '.': ['421 4.3.2 Busy\r\n', hangUp] }, 'message: 421 4.3.2 Busy', 'closed'],
    [
      'dot 354',
      { '.': '354 Go on\r\n' },
      'message uncertain: 451 4.4.2 The smart host answered the final dot with "354 Go on"',
      'closed',
    ],
    [
      'dot nonsense',
      { '.': 'ok\r\n' },
      'message uncertain: 451 4.4.2 The smart host answered the final dot with "ok"',
      'closed',
    ],
    [
      'dot two codes',
      { '.': '250-ok\r\n554 no\r\n' },
      'message uncertain: 451 4.4.2 The smart host answered the final dot with "250-ok?554 no"',
      'closed',
    ],
    [
      'dot closes',
      { '.': hangUp },
      'message uncertain: 451 4.4.2 Connection lost: Connection closed unexpectedly',
      'closed',
    ],
    [
      'dot half a reply and closes',
      { '.': ['250 2.0.0 Que', hangUp] },
      'message uncertain: 451 4.4.2 Connection lost: Connection closed unexpectedly',
      'closed',
    ],
    [
      'dot resets',
      { '.': reset },
      'message uncertain: 451 4.4.2 Connection lost: connection reset (ECONNRESET)',
      'closed',
    ],
    ['dot 250 and closes', { '.': ['250 2.0.0 Queued\r\n', hangUp] }, ['250 2.0.0 Queued'], 'usable'],
    [
      'a reply with NUL and controls',
      { '.': '554 5.7.1 a\0b\u001b[31m\r\n' },
      'message: 554 5.7.1 a?b?[31m',
      'usable',
    ],
  ]

  it.each(rows)('%s', async (_name, script, outcome, state) => {
    for (const server of [await inClear(script), await withoutPipelining(script)]) {
      const connection = await opened(server)
      const attempt = await connection.send(message(), text)
      expect(told(attempt)).toEqual(outcome)
      expect(attempt.host).toBe(connection.host)
      if (state === 'closed') {
        await expect.poll(() => connection.usable).toBe(false)
        await server.session.closed
      }
    }
  })

  it.each<[string, Script, string]>([
    ['MAIL', { MAIL: silence }, 'connection lost: 451 4.4.2 Connection lost: timed out'],
    ['RCPT', { RCPT: silence }, 'connection lost: 451 4.4.2 Connection lost: timed out'],
    ['DATA', { DATA: silence }, 'connection lost: 451 4.4.2 Connection lost: timed out'],
    ['the final dot', { '.': silence }, 'message uncertain: 451 4.4.2 Connection lost: timed out'],
    [
      'the final dot, but sends bytes',
      { '.': trickle('250 2.0.0 Queued') },
      'message uncertain: 451 4.4.2 Connection lost: timed out',
    ],
  ])('never answers %s', async (_name, script, outcome) => {
    const server = await inClear(script)
    const connection = await opened(server, {}, { timeouts: quick })
    expect(told(await connection.send(message(), text))).toBe(outcome)
    expect(connection.usable).toBe(false)
    await server.session.closed
  })

  it('does not know what became of it where the host closes after the dot inside TLS', async () => {
    const server = await start({ tls: certificates.good, script: { '.': hangUp } })
    const connection = await opened(server, strict)
    expect(told(await connection.send(message(), text))).toMatch(
      /^message uncertain: 451 4\.4\.2 Connection lost: /,
    )
  })

  it('waits for each reply anew, however many there are', async () => {
    const slow: Answer = async () => {
      await new Promise((resolve) => setTimeout(resolve, 100))
      return '250 Ok\r\n'
    }
    const server = await withoutPipelining({ MAIL: slow, RCPT: slow })
    const connection = await opened(server, {}, { timeouts: quick })
    const to = ['a', 'b', 'c', 'd'].map((name) => `${name}@example.org`)
    expect(told(await connection.send(message({ to }), text))).toHaveLength(4)
  })

  const mixed: Script = {
    'RCPT TO:<A@': '250 2.1.5 Ok\r\n',
    'RCPT TO:<B@': '550 5.1.1 No\r\n',
    'RCPT TO:<C@': '450 4.2.0 Later\r\n',
  }
  const abc = ['a@example.org', 'b@example.org', 'c@example.org']

  it('gives each recipient its own reply', async () => {
    for (const server of [await inClear(mixed), await withoutPipelining(mixed)]) {
      const connection = await opened(server)
      expect(told(await connection.send(message({ to: abc }), text))).toEqual([
        '250 2.0.0 Queued as 4711',
        '550 5.1.1 No',
        '450 4.2.0 Later',
      ])
    }
  })

  it.each<[string, Script, string]>([
    ['DATA', { DATA: '451 4.3.0 Later\r\n' }, 'message: 451 4.3.0 Later'],
    ['the final dot', { '.': '554 5.7.1 Spam\r\n' }, 'message: 554 5.7.1 Spam'],
    [
      'the connection after the dot',
      { '.': hangUp },
      'message uncertain: 451 4.4.2 Connection lost: Connection closed unexpectedly',
    ],
  ])('keeps the refusals of recipients when %s fails after them', async (_name, script, outcome) => {
    const server = await inClear({ ...mixed, ...script })
    const connection = await opened(server)
    expect(told(await connection.send(message({ to: abc }), text))).toBe(
      `${outcome}, 1: 550 5.1.1 No, 2: 450 4.2.0 Later`,
    )
  })

  it('matches 50 mixed recipients to their replies, also where one address stands twice', async () => {
    const answers = Array.from(
      { length: 50 },
      (_, i) => ['250 Ok', `550 5.1.1 No ${i}`, `450 4.2.0 Later ${i}`][i % 3]!,
    )
    let next = 0
    const server = await inClear({ RCPT: () => `${answers[next++]}\r\n` })
    const connection = await opened(server)
    const to = answers.map((_, i) => (i < 25 ? `user${i}@example.org` : 'same@example.org'))
    const replies = answers.map((answer) => (answer === '250 Ok' ? '250 2.0.0 Queued as 4711' : answer))
    expect(told(await connection.send(message({ to }), text))).toEqual(replies)
  })

  it('sends no DATA without PIPELINING where every recipient was refused', async () => {
    const server = await withoutPipelining({ RCPT: '550 5.1.1 No\r\n' })
    const connection = await opened(server)
    await connection.send(message({ to: abc }), text)
    expect(server.session.commands).not.toContain('DATA')
  })

  it('hangs up on a host that takes DATA after it has refused everyone', async () => {
    for (const script of [{ RCPT: '550 5.1.1 No\r\n' }, { MAIL: '550 5.7.1 No\r\n' }]) {
      const server = await inClear(script)
      const connection = await opened(server)
      const attempt = await connection.send(message(), text)
      expect(attempt.scope).toBe('MAIL' in script ? 'message' : 'recipients')
      expect(connection.usable).toBe(false)
      await server.session.closed
      expect(server.messages).toEqual([])
    }
  })

  it('ends the connection where RSET is refused, and says so', async () => {
    const server = await inClear({ DATA: '451 4.3.0 Later\r\n', RSET: '502 5.5.1 Unknown\r\n' })
    const connection = await opened(server)
    await connection.send(message(), text)
    expect(told(await connection.send(message(), text))).toMatch(/^connection lost: /)
    expect(connection.usable).toBe(false)
  })

  it('ends the connection where RSET is answered by hanging up', async () => {
    const server = await inClear({ DATA: '451 4.3.0 Later\r\n', RSET: hangUp })
    const connection = await opened(server)
    await connection.send(message(), text)
    expect(told(await connection.send(message(), text))).toMatch(/^connection lost: /)
  })

  it('does not wait for RSET where the host has closed since the refusal', async () => {
    const server = await inClear({ DATA: '451 4.3.0 Later\r\n' })
    const connection = await opened(server)
    await connection.send(message(), text)
    server.session.end()
    await expect.poll(() => connection.usable).toBe(false)
    expect(told(await connection.send(message(), text))).toMatch(/^connection lost: /)
  })

  it('is not usable once the host has closed an idle connection', async () => {
    for (const parting of ['', '421 4.4.2 Idle for too long\r\n']) {
      const server = await inClear({ '.': '250 Ok\r\n' })
      const connection = await opened(server)
      await connection.send(message(), text)
      await server.session.say(parting)
      server.session.end()
      await server.session.closed
      await expect.poll(() => connection.usable).toBe(false)
      expect(told(await connection.send(message(), text))).toMatch(/^connection lost: /)
    }
  })

  it.each<[string, string]>([
    ['blank lines', '\r\n'],
    ['replies', '250 Ok\r\n'],
  ])('is given up when the host answers MAIL with endless %s', async (_name, line) => {
    const server = await inClear({ MAIL: line.repeat(100_000) })
    const connection = await opened(server)
    expect(told(await connection.send(message(), text))).toMatch(/^connection lost: /)
    expect(connection.usable).toBe(false)
  })

  it('breaks off an attempt when it is closed', async () => {
    const server = await inClear({ '.': silence })
    const connection = await opened(server)
    const attempt = connection.send(message(), text)
    await expect.poll(() => server.messages.length).toBe(1)
    connection.close()
    expect(told(await attempt)).toMatch(/^message uncertain: /)
  })
})

describe('bodies', () => {
  const large = Buffer.alloc(
    3_000_000,
    'A line of a long message, with a dot.\r\n.And one that begins with it\r\n',
  )
  large.write('\r\n', large.length - 2)
  const unstuffed = (data: Buffer): Buffer =>
    Buffer.from(
      data
        .toString('latin1')
        .replace(/\r\n\./g, '\r\n')
        .replace(/^\./, ''),
      'latin1',
    )

  async function* inPieces(body: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
    for (let from = 0; from < body.length; from += pieceBytes) yield body.subarray(from, from + pieceBytes)
  }

  it.each([1_000, 65_536, 200_000, 3_000_000])(
    'arrive as they are stored, in pieces of %d bytes',
    async (pieceBytes) => {
      const server = await start({
        tls: certificates.good,
        script: { EHLO: ehlo('STARTTLS', 'AUTH PLAIN', 'PIPELINING') },
      })
      const connection = await opened(server, strict)
      const item = message({ sizeBytes: large.length })
      await connection.send(item, inPieces(large, pieceBytes))
      await connection.send(item, large)
      expect(server.messages.map(({ data }) => unstuffed(data).equals(large))).toEqual([true, true])
    },
  )

  it.each<[string, string, string]>([
    ['of dots', '.\r\n..\r\n...\r\n.x\r\n', '..\r\n...\r\n....\r\n..x\r\n'],
    ['without a last line end', 'a\r\nb', 'a\r\nb\r\n'],
    ['of nothing', '', ''],
    [
      'that would end early at another host',
      'a\n.\r\nb\r.\rc\r\n.\nd\r\n',
      'a\r\n..\r\nb\r\n..\r\nc\r\n..\r\nd\r\n',
    ],
  ])('%s end only once', async (_name, body, onTheWire) => {
    const server = await inClear()
    const connection = await opened(server)
    const item = message({ sizeBytes: body.length })
    for (const source of [Buffer.from(body), inPieces(Buffer.from(body), 1)])
      expect(told(await connection.send(item, source))).toEqual(['250 2.0.0 Queued as 4711'])
    expect(server.messages.map(({ data }) => String(data))).toEqual([onTheWire, onTheWire])
  })

  it('are read no faster than the host takes them', async () => {
    let pause: () => void = () => {}
    const server = await inClear({
      DATA: (_line, session) => {
        pause = session.pause()
        return '354 Go on\r\n'
      },
    })
    const connection = await opened(server)
    const piece = Buffer.alloc(64 * 1024, 'x')
    const total = 500
    let read = 0
    async function* source() {
      for (; read < total; read++) yield piece
    }
    const attempt = connection.send(message({ sizeBytes: total * piece.length }), source())
    let before = -1
    while (before !== read) {
      before = read
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    // What the kernel's buffers take on loopback is a few megabytes.
    expect(read).toBeLessThan(total / 2)
    pause()
    expect(told(await attempt)).toEqual(['250 2.0.0 Queued as 4711'])
    expect(read).toBe(total)
  })

  it.each<[string, () => AsyncGenerator<Buffer>, string]>([
    [
      'cannot be read to its end',
      async function* () {
        yield text.subarray(0, 10)
        throw new Error('disk on fire')
      },
      'disk on fire',
    ],
    [
      'is shorter than what was accepted',
      () => inPieces(text.subarray(1), 10),
      'The body has 24 bytes instead of 25',
    ],
    ['is longer', () => inPieces(Buffer.concat([text, text]), 10), 'The body has 50 bytes instead of 25'],
  ])('get no dot where one %s', async (_name, source, reason) => {
    const server = await inClear()
    const connection = await opened(server)
    expect(told(await connection.send(message(), source()))).toBe(
      `connection lost: 451 4.3.0 Cannot read the stored message: ${reason}`,
    )
    expect(connection.usable).toBe(false)
    await server.session.closed
    expect(server.messages).toEqual([])
    expect(server.session.clear).not.toContain('\r\n.\r\n')
  })

  it('give up a source that does not go on', async () => {
    const server = await inClear()
    const connection = await opened(server, {}, { timeouts: quick })
    let goOn = () => {}
    let released = false
    async function* source() {
      try {
        yield text.subarray(0, 10)
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
        yield text.subarray(10)
        yield text
      } finally {
        released = true
      }
    }
    expect(told(await connection.send(message(), source()))).toBe(
      'connection lost: 451 4.4.2 Connection lost: timed out',
    )
    await server.session.closed
    goOn()
    await expect.poll(() => released).toBe(true)
    expect(server.messages).toEqual([])
  })

  it('give up a host that takes nothing any more', async () => {
    const server = await inClear({
      DATA: (_line, session) => {
        session.pause()
        return '354 Go on\r\n'
      },
    })
    const connection = await opened(server, {}, { timeouts: quick })
    const body = Buffer.alloc(30_000_000, 'x')
    expect(told(await connection.send(message({ sizeBytes: body.length }), body))).toBe(
      'connection lost: 451 4.4.2 Connection lost: timed out',
    )
  })

  const early = (answer: Answer): Script => ({ body: answer })
  it.each<[string, Answer, string]>([
    ['552 is what it says', '552 5.3.4 Too large\r\n', 'message: 552 5.3.4 Too large'],
    ['421 is what it says', ['421 4.3.2 Busy\r\n', hangUp], 'message: 421 4.3.2 Busy'],
    [
      '250 is no success',
      '250 2.0.0 Queued\r\n',
      'connection lost: 451 4.5.0 The smart host answered a message that was still being sent with "250 2.0.0 Queued"',
    ],
    ['RST is a lost connection', reset, 'connection lost: 451 4.4.2 Connection lost: '],
    ['FIN is a lost connection', hangUp, 'connection lost: 451 4.4.2 Connection lost: '],
  ])('answered before their dot: %s', async (_name, answer, outcome) => {
    const server = await inClear(early(answer))
    const connection = await opened(server)
    let released = false
    async function* endless() {
      try {
        for (;;) {
          yield text
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      } finally {
        released = true
      }
    }
    expect(told(await connection.send(message(), endless()))).toContain(outcome)
    expect(connection.usable).toBe(false)
    await server.session.closed
    await expect.poll(() => released).toBe(true)
    expect(server.messages).toEqual([])
  })
})

describe('what a host did not announce', () => {
  const nothing = async (): Promise<RawServer> => inClear({ EHLO: ehlo('PIPELINING') })
  const utf8 = 'grün@example.org'

  it.each<[string, Partial<OutgoingMessage> & { to?: string[] }, string]>([
    [
      '8-bit content',
      { eightBit: true },
      'message: 554 5.6.3 The message has 8-bit content, the smart host takes only 7-bit',
    ],
    [
      'an internationalized recipient',
      { to: [utf8] },
      'message: 553 5.6.7 The message needs SMTPUTF8, the smart host does not offer it',
    ],
    [
      'an internationalized sender',
      { sender: sender(utf8) },
      'message: 553 5.6.7 The message needs SMTPUTF8, the smart host does not offer it',
    ],
    [
      'a message that needs SMTPUTF8',
      { sender: sender('a@example.com', { smtpUtf8: true }) },
      'message: 553 5.6.7 The message needs SMTPUTF8, the smart host does not offer it',
    ],
  ])('is not sent: %s', async (_name, fields, outcome) => {
    const server = await nothing()
    const connection = await opened(server)
    expect(told(await connection.send(message(fields), text))).toBe(outcome)
    expect(connection.usable).toBe(true)
    expect(server.session.commands).toEqual(['EHLO relay.example.com'])
    expect(connection.messages).toBe(0)
  })

  it('is not sent: a message larger than SIZE allows', async () => {
    const server = await inClear({ EHLO: ehlo(`SIZE ${text.length}`) })
    const connection = await opened(server)
    expect(told(await connection.send(message({ sizeBytes: text.length + 1 }), text))).toBe(
      'message: 552 5.3.4 The message has 26 bytes, the smart host takes 25',
    )
    expect(told(await connection.send(message(), text))).toEqual(['250 2.0.0 Queued as 4711'])
  })

  it('is not sent: parameters of DSN and SIZE', async () => {
    const server = await nothing()
    const connection = await opened(server)
    await connection.send(
      message({
        sender: sender('a@example.com', { ret: 'full', envid: 'QQ314159', bodyType: '8bitmime' }),
        recipients: [recipient('b@example.org', { notify: ['success'], orcpt: 'rfc822;b@example.org' })],
      }),
      text,
    )
    expect(server.messages[0]!.envelope).toEqual(['MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.org>'])
  })

  it('is sent where it is announced, to each recipient its own', async () => {
    const server = await inClear()
    const connection = await opened(server)
    expect(connection.offersDsn).toBe(true)
    await connection.send(
      message({
        eightBit: true,
        sender: sender('', { ret: 'hdrs', envid: 'QQ+2B314159' }),
        recipients: [
          recipient('a@example.org', { notify: 'never' }),
          recipient('b@example.org', { notify: ['success', 'failure'], orcpt: 'rfc822;B@example.net' }),
          recipient('c@example.org'),
          recipient(utf8),
        ],
      }),
      text,
    )
    expect(server.messages[0]!.envelope).toEqual([
      'MAIL FROM:<> SIZE=25 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B314159',
      'RCPT TO:<a@example.org> NOTIFY=NEVER',
      'RCPT TO:<b@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;B@example.net',
      'RCPT TO:<c@example.org>',
      `RCPT TO:<${utf8}>`,
    ])
  })
})

describe('injection', () => {
  it.each([
    'a@example.org> NOTIFY=NEVER',
    'a@example.org\r\nRSET',
    'a b@example.org',
    'a@example.org NOTIFY=NEVER',
    '',
  ])('sends nothing to %j', async (address) => {
    const server = await inClear()
    const connection = await opened(server)
    const fields = address === '' ? { to: [''] } : { to: ['b@example.org', address] }
    expect(told(await connection.send(message(fields), text))).toMatch(
      /^message: 451 4\.3\.0 Cannot send to /,
    )
    if (address !== '')
      expect(told(await connection.send(message({ sender: sender(address) }), text))).toMatch(
        /^message: 451 4\.3\.0 Cannot send from /,
      )
    expect(server.session.commands).toEqual(['EHLO relay.example.com'])
  })

  it('leaves parameters out that are not what they should be', async () => {
    const server = await inClear()
    const connection = await opened(server)
    await connection.send(
      message({
        sender: sender('a@example.com', { envid: 'x RET=FULL' }),
        recipients: [recipient('b@example.org', { orcpt: 'rfc822;b\r\nRSET' })],
      }),
      text,
    )
    expect(server.messages[0]!.envelope).toEqual([
      'MAIL FROM:<a@example.com> SIZE=25',
      'RCPT TO:<b@example.org>',
    ])
  })

  it('takes a quoted local part for what it is', async () => {
    const server = await inClear()
    const connection = await opened(server)
    await connection.send(message({ to: ['"a b>c"@example.org'] }), text)
    expect(server.session.commands).toContain('RCPT TO:<"a b>c"@example.org>')
  })
})
