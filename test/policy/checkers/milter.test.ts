import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { MilterChecker, type MilterOptions } from '../../../src/policy/checkers/milter.ts'
import { QueueFull } from '../../../src/queue/queue.ts'
import {
  type CheckedFields,
  checkedMessage,
  recipientOf,
  textOf,
  transactionOf,
} from '../../support/checked-message.ts'
import { closedPort } from '../../support/closed-port.ts'
import { Gate } from '../../support/gate.ts'
import {
  type Answer,
  type FilterOptions,
  hangUp,
  MilterServer,
  nothing,
  type Script,
  says,
  unanswered,
} from '../../support/milter-server.ts'
import { sender } from '../../support/queue-fixtures.ts'

const atTheEnd: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of atTheEnd.splice(0).reverse()) await end()
})

async function filter(options: FilterOptions = {}): Promise<MilterServer> {
  const server = await MilterServer.start(options)
  atTheEnd.push(() => server.close())
  return server
}

const settings = { name: 'filter', concurrency: 4, hostname: 'relay.example.com' }

function checkerOf(address: string, options: Partial<MilterOptions> = {}): MilterChecker {
  const checker = new MilterChecker({ ...settings, ...options, address })
  atTheEnd.push(() => checker.close())
  return checker
}

const never = new AbortController().signal

async function verdictOf(options: FilterOptions, fields: CheckedFields = {}) {
  const server = await filter(options)
  const message = checkedMessage(fields)
  const verdict = await checkerOf(server.address).check(message, never)
  return { server, message, verdict, told: server.sessions[0]!.told }
}

async function passed(options: FilterOptions, fields: CheckedFields = {}) {
  const { verdict, ...rest } = await verdictOf(options, fields)
  if (verdict.kind !== 'pass') throw new Error(`The message did not pass: ${JSON.stringify(verdict)}`)
  return { verdict, ...rest }
}

const letters = (told: readonly string[]): string => told.map((each) => each[0]).join('')
const endOfMessage = (...answers: Buffer[]): FilterOptions => ({ script: { E: answers } })

describe('a filter is told', () => {
  it('the whole of a message, in order, with what Postfix tells beside it', async () => {
    const session = {
      client: { address: '192.0.2.7', listener: 'exchange', user: 'alice' },
      helo: 'mx.example.com',
      tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
    }
    const server = await filter()
    const message = checkedMessage({
      header: 'From: <alice@example.com>\r\nSubject: Two\r\n lines\r\n\r\n',
      body: 'Hello\r\n.\r\n\0\xfc',
    })
    const transaction = {
      ...transactionOf({ session, from: 'alice@example.com', declaredSizeBytes: 100 }),
      sender: {
        ...sender('alice@example.com'),
        ret: 'hdrs' as const,
        envid: 'QQ314159',
        bodyType: '8bitmime' as const,
      },
      recipients: [
        {
          ...recipientOf('bob@example.org'),
          notify: ['failure', 'delay'] as const,
          orcpt: 'rfc822;bob@example.org',
        },
        { ...recipientOf('carol@example.net'), notify: 'never' as const },
      ],
    }
    const verdict = await checkerOf(server.address).check({ ...message, transaction }, never)
    expect(verdict).toMatchObject({ kind: 'pass', draft: message.draft, note: null })
    const id = message.messageId
    expect(server.told.slice(1)).toEqual([
      'D Cj|relay.example.com|{daemon_name}|exchange|v|smarthost-relay|_|unknown [192.0.2.7]|',
      'C [192.0.2.7]|4||192.0.2.7|',
      'D H{tls_version}|TLSv1.3|{cipher}|TLS_AES_256_GCM_SHA384|',
      'H mx.example.com|',
      `D Mi|${id}|{auth_type}|PLAIN|{auth_authen}|alice|{mail_addr}|alice@example.com|{mail_host}|example.com|{mail_mailer}|smtp|`,
      'M <alice@example.com>|SIZE=100|BODY=8BITMIME|RET=HDRS|ENVID=QQ314159|',
      `D Ri|${id}|{rcpt_addr}|bob@example.org|{rcpt_host}|example.org|{rcpt_mailer}|smtp|`,
      'R <bob@example.org>|NOTIFY=FAILURE,DELAY|ORCPT=rfc822;bob@example.org|',
      `D Ri|${id}|{rcpt_addr}|carol@example.net|{rcpt_host}|example.net|{rcpt_mailer}|smtp|`,
      'R <carol@example.net>|NOTIFY=NEVER|',
      `D Ti|${id}|`,
      'T',
      'L From|<alice@example.com>|',
      'L Subject|Two\n lines|',
      `D Ni|${id}|`,
      'N',
      'B Hello\r\n.\r\n|\xc3\xbc',
      `D Ei|${id}|`,
      'E',
    ])
  })

  it.each<[string, CheckedFields, string[]]>([
    [
      'the null reverse-path and a client that is not known',
      { from: '', session: { client: { address: null, listener: null, user: null } } },
      ['C unknown|U', 'M <>|'],
    ],
    [
      'an IPv6 client',
      { session: { client: { address: '2001:db8::7', listener: null, user: null } } },
      ['C [2001:db8::7]|6||2001:db8::7|', 'M <sender@example.com>|'],
    ],
  ])('%s', async (_name, fields, expected) => {
    const { server } = await verdictOf({}, fields)
    expect(server.sessions[0]!.only('C', 'M')).toEqual(expected)
  })

  it.each<[string, CheckedFields, string[]]>([
    ['a message without a header', { header: '\r\n', body: 'a' }, ['N', 'B a']],
    ['a message without a body', { header: 'A: b\r\n\r\n', body: '' }, ['L A|b|', 'N']],
    ['an empty message', { header: '', body: '' }, ['N']],
    [
      'lines that are no fields, as body',
      { header: 'A: b\r\nodd\r\n\r\n', body: 'c' },
      ['L A|b|', 'N', 'B odd\r\n\r\n', 'B c'],
    ],
    ['bare CR and LF, and NUL', { header: 'A: b\n\n', body: 'a\rb\nc\0' }, ['L A|b|', 'N', 'B a\rb\nc|']],
  ])('%s, which passes unharmed', async (_name, fields, expected) => {
    const { verdict, message, server } = await passed({}, fields)
    expect(server.sessions[0]!.only('L', 'N', 'B')).toEqual(expected)
    expect(verdict.draft).toBe(message.draft)
  })

  it('a large body in chunks that libmilter takes', async () => {
    const body = Buffer.from(Array.from({ length: 200_000 }, (_, index) => 32 + (index % 90)))
    const { server } = await verdictOf({}, { body })
    const chunks = server.sessions[0]!.only('B').map((each) => each.slice(2))
    expect(chunks.map(({ length }) => length)).toEqual([65_535, 65_535, 65_535, 200_000 - 3 * 65_535])
    expect(chunks.join('') === body.toString('latin1')).toBe(true)
  })

  it('nothing that it declined', async () => {
    const flags = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x40 | 0x200
    const { told } = await verdictOf({ flags, macros: Buffer.from('\0\0\0\x02\0\0\0\0\x05i\0') })
    // The lists of macros leave MAIL without any.
    expect(letters(told.filter((each) => !each.startsWith('D')))).toBe('OME')
    expect(told.filter((each) => each.startsWith('D M'))).toEqual([])
    expect(told.at(-2)).toMatch(/^D Ei\|/)
  })

  it('the macros that it asked for, as far as they are known', async () => {
    const macros = Buffer.from('\0\0\0\0j {client_addr} {client_ptr} {client_name}\0\0\0\0\x02i s r\0')
    const { told } = await verdictOf({ macros })
    expect(told.filter((each) => /^D [CM]/.test(each))).toEqual([
      'D Cj|relay.example.com|{client_addr}|192.0.2.7|{client_name}|unknown|',
      expect.stringMatching(/^D Mi\|[^|]+\|s\|client\.example\.com\|r\|ESMTP\|$/),
    ])
  })

  it('the value with its space where it agreed on that', async () => {
    const { server } = await verdictOf({ flags: 0x100000 }, { header: 'A: b\r\nC:d\r\n\r\n' })
    expect(server.sessions[0]!.only('L')).toEqual(['L A| b|', 'L C|d|'])
  })

  it('no command that is younger than its version', async () => {
    const { told } = await verdictOf({ version: 2, actions: 0x3f })
    expect(letters(told.filter((each) => !each.startsWith('D')))).toBe('OCHMRLLNBE')
  })

  it.each<[string, FilterOptions]>([
    ['over TCP', {}],
    ['over a UNIX socket', { where: 'unix' }],
    ['in replies of one byte at a time', { bytewise: true }],
    ['without waiting where it does not answer', { flags: unanswered }],
  ])('all of it %s', async (_name, options) => {
    const { verdict, told, message } = await passed(options)
    expect(letters(told.filter((each) => !each.startsWith('D')))).toBe('OCHMRTLLNBE')
    expect(verdict).toEqual({
      ...{ kind: 'pass', draft: message.draft, sender: null, added: [], removed: [] },
      ...{ refused: [], hold: null, note: null },
    })
  })

  it('no more of what it wants to skip', async () => {
    const header = 'A: 1\r\nB: 2\r\nC: 3\r\n\r\n'
    const body = Buffer.alloc(200_000, 'x')
    const { told } = await passed({ script: { L: says('s'), B: says('s') } }, { header, body })
    expect(letters(told.filter((each) => !each.startsWith('D')))).toBe('OCHMRTLNBE')
  })

  it('a body no faster than it reads it, which takes no memory of ours', async () => {
    const gate = new Gate()
    let read = 0
    const body = {
      async *read() {
        for (; read < 400; read++) yield Buffer.alloc(64 * 1024, 'x')
      },
    }
    const server = await filter({ flags: unanswered, script: { N: () => gate.opened.then(() => nothing) } })
    const checking = checkerOf(server.address).check(checkedMessage({ body }), never)
    // Until nothing moves any more: what is under way then is in the buffers of sockets.
    for (let before = -1; before !== read; await delay(100)) before = read
    expect(read).toBeLessThan(200)
    gate.open()
    expect(await checking).toMatchObject({ kind: 'pass' })
    expect(read).toBe(400)
  })
})

const rejection = { kind: 'refuse', reply: { code: 550, enhanced: '5.7.1' } }
const deferral = { kind: 'refuse', reply: { code: 451, enhanced: '4.7.1' } }
const own = says('y', '554-5.7.0 Not\r\n554 5.7.0 this')
const ownRefusal = { kind: 'refuse', reply: { code: 554, enhanced: '5.7.0', text: 'Not this' } }

describe('a filter decides', () => {
  const cases: [string, string, Answer, unknown][] = []
  for (const step of ['C', 'H', 'M', 'T', 'L', 'N', 'B', 'E']) {
    cases.push([step, 'REJECT', says('r'), rejection])
    cases.push([step, 'TEMPFAIL', says('t'), deferral])
    cases.push([step, 'CONN_FAIL', says('f'), deferral])
    cases.push([step, 'SHUTDOWN', says('4'), deferral])
    cases.push([step, 'a reply of its own', own, ownRefusal])
    cases.push([step, 'ACCEPT', says('a'), { kind: 'pass', note: null }])
    cases.push([step, 'CONTINUE', says('c'), { kind: 'pass', note: null }])
    cases.push([step, 'PROGRESS and then REJECT', [says('p'), says('p'), says('r')], rejection])
  }
  for (const step of ['M', 'R', 'T', 'L', 'N', 'B', 'E'])
    cases.push([step, 'DISCARD', says('d'), { kind: 'drop', note: null }])
  cases.push(['R', 'ACCEPT', says('a'), { kind: 'pass', refused: [] }])

  it.each(cases)('at %s: %s', async (step, name, answer, expected) => {
    const { verdict, server } = await verdictOf({ script: { [step]: answer } })
    expect(verdict).toMatchObject(expected as object)
    const last = letters(server.sessions[0]!.only(...'CHMRTLNBE')).at(-1)
    expect(last).toBe(name === 'CONTINUE' ? 'E' : step)
  })

  it('ends a message that it was not told to its end', async () => {
    const { server } = await verdictOf({ script: { M: says('r') } })
    const session = server.sessions[0]!
    await expect.poll(() => session.told.at(-1)).toBe('A')
  })
})

describe('recipients', () => {
  const to = ['a@example.org', 'b@example.org', 'c@example.org']
  const answers = (replies: Record<string, Buffer>): FilterOptions => ({
    script: { R: (told) => replies[/<(.)@/.exec(told)![1]!] ?? says('c') },
  })

  it('that are refused are told by DSN, the others go on', async () => {
    const { verdict, server } = await passed(answers({ a: says('r'), c: own }), { to })
    expect(verdict.refused).toEqual([
      { recipient: to[0], reply: rejectedReply },
      { recipient: to[2], reply: ownRefusal.reply },
    ])
    expect(verdict.removed).toEqual([])
    expect(server.told.at(-1)).toBe('E')
  })

  it('that are all refused have the message refused, with the first reply', async () => {
    const { verdict, server } = await verdictOf(answers({ a: own, b: says('r'), c: says('r') }), { to })
    expect(verdict).toMatchObject(ownRefusal)
    expect(server.sessions[0]!.only('T', 'L', 'E')).toEqual([])
  })

  it.each<[string, Buffer]>([
    ['TEMPFAIL', says('t')],
    ['a reply of its own', says('y', '451 4.7.1 Greylisted')],
  ])('of whom one is deferred defer the message, when all were asked about: %s', async (_name, answer) => {
    const { verdict, server } = await verdictOf(answers({ a: answer, b: says('r') }), { to })
    expect(verdict).toMatchObject(deferral)
    expect(server.sessions[0]!.only('R')).toHaveLength(3)
    expect(server.sessions[0]!.only('T')).toEqual([])
  })

  it('that are refused stay so when the message is accepted before its end', async () => {
    const { verdict } = await passed(answers({ a: says('r'), b: says('a') }), { to })
    expect(verdict.refused).toEqual([{ recipient: to[0], reply: rejectedReply }])
  })

  const rejectedReply = { code: 550, enhanced: '5.7.1', text: 'Message refused by a content check' }
})

describe('a filter changes', () => {
  const header = 'From: <sender@example.com>\r\nSubject: A letter\r\n\r\n'

  it('the header, and nothing else', async () => {
    const { verdict, message } = await passed(
      endOfMessage(
        ...[
          says('h', 'X-Last', 'yes'),
          says('i', 1, 'X-First', 'a\n\tb'),
          says('m', 1, 'subject', 'Another'),
        ],
        says('a'),
      ),
      { header },
    )
    expect(await textOf(verdict.draft)).toBe(
      'X-First: a\r\n\tb\r\nFrom: <sender@example.com>\r\nsubject: Another\r\nX-Last: yes\r\n\r\nHello\r\n',
    )
    expect(verdict.draft.body).toBe(message.draft.body)
    expect(verdict.note).toBe('changed header')
  })

  it('sender and recipients, with parameters or without', async () => {
    const { verdict, message } = await passed(
      endOfMessage(
        ...[says('+', '<c@example.org>'), says('2', '<d@example.org>', 'NOTIFY=NEVER')],
        ...[says('-', '<a@example.org>'), says('e', '<bounces@example.com>', 'RET=HDRS')],
        says('c'),
      ),
      { to: ['a@example.org', 'b@example.org'] },
    )
    expect(verdict).toMatchObject({
      sender: 'bounces@example.com',
      added: ['c@example.org', 'd@example.org'],
      removed: ['a@example.org'],
      note: 'changed recipients, sender',
    })
    expect(verdict.draft).toBe(message.draft)
  })

  it('the body, in pieces of any size, between other changes', async () => {
    const large = Buffer.alloc(3 * 1024 * 1024, 'line\r\n')
    const { verdict } = await passed(
      endOfMessage(
        says('b', Buffer.from('one\r')),
        says('h', 'X', '1'),
        says('b', Buffer.from('\n')),
        says('b', large),
        says('a'),
      ),
      { header },
    )
    const text = await textOf(verdict.draft)
    expect(text === `From: <sender@example.com>\r\nSubject: A letter\r\nX: 1\r\n\r\none\r\n${large}`).toBe(
      true,
    )
    expect(verdict.note).toBe('changed body, header')
  })

  it.each<[string, string[], string]>([
    ['LF alone', ['a\nb\n'], 'a\r\nb\r\n'],
    ['CR alone', ['a\rb'], 'a\r\nb'],
    [
      'what would be read as the end of the message elsewhere',
      ['a\n.\nMAIL FROM:<x@y>\n'],
      'a\r\n.\r\nMAIL FROM:<x@y>\r\n',
    ],
    ['CR at the end', ['a\r'], 'a\r\n'],
    ['CR and LF in two pieces', ['a\r', '\nb'], 'a\r\nb'],
    ['CR twice, in two pieces', ['a\r', '\rb'], 'a\r\n\r\nb'],
    ['an empty piece between', ['a\r', '', '\n'], 'a\r\n'],
    ['nothing at all', [''], ''],
    ['NUL and 8-bit octets', ['\0\xfc'], '\0\xfc'],
  ])('the body to lines that end with CRLF: %s', async (_name, pieces, expected) => {
    const answers = pieces.map((piece) => says('b', Buffer.from(piece, 'latin1')))
    const { verdict } = await passed(endOfMessage(...answers, says('a')), { header })
    expect(await textOf(verdict.draft)).toBe(`${header}${expected}`)
  })

  it('the body of a message whose header does not end', async () => {
    const { verdict } = await passed(endOfMessage(says('b', Buffer.from('new')), says('a')), {
      header: 'A: 1',
      body: '',
    })
    expect(await textOf(verdict.draft)).toBe('A: 1\r\n\r\nnew')
  })

  it('nothing where it refuses the message after all', async () => {
    const script = endOfMessage(says('b', Buffer.from('half')), says('q', 'held'), says('r'))
    expect((await verdictOf(script)).verdict).toMatchObject(rejection)
  })

  it('the message to one that an operator has to release', async () => {
    const { verdict } = await passed(endOfMessage(says('q', 'Virus found'), says('a')))
    expect(verdict.hold).toBe('Virus found')
  })

  it('the message to one for nobody, which is dropped', async () => {
    const { verdict } = await verdictOf(endOfMessage(says('-', '<user@example.org>'), says('a')))
    expect(verdict).toEqual({ kind: 'drop', note: 'left no recipient' })
  })
})

describe('what cannot be understood', () => {
  it.each<[string, Script]>([
    ['no negotiation', { O: says('c') }],
    ['a version that was not offered', { O: says('O', 8, 0, 0) }],
    ['an action that is unknown', { O: says('O', 6, 0x1000, 0) }],
    ['an unknown reply', { M: says('Z') }],
    ['a reply of hostile length', { M: Buffer.from('7fffffff63', 'hex') }],
    ['bytes of another protocol', { O: Buffer.from('220 mx.example.com ESMTP\r\n') }],
    ['a change before the end', { N: says('h', 'X', '1') }],
    ['DISCARD of a client', { C: says('d') }],
    ['DISCARD of a HELO', { H: says('d') }],
    ['a field with a line break', { E: [says('h', 'X', 'a\r\nBcc: b'), says('a')] }],
    ['an address with a line break', { E: [says('+', '<a@example.org>\r\nDATA'), says('a')] }],
    ['a sender with a line break', { E: [says('e', '<a@example.org\n>'), says('a')] }],
    ['an address with a NUL', { E: [says('+', 'a@example.org', 'x'), says('a')] }],
    ['a body without end', { E: [says('b', Buffer.alloc(17 * 1024 * 1024)), says('a')] }],
    ['a connection that ends at once', { O: hangUp }],
    ['a connection that ends in the middle', { N: hangUp }],
    ['a connection that ends before the decision', { E: [says('h', 'X', '1'), hangUp] }],
  ])('is reported, and the connection is not used again: %s', async (_name, script) => {
    const server = await filter({ script })
    const checker = checkerOf(server.address)
    await expect(checker.check(checkedMessage(), never)).rejects.toThrow()
    await server.over()
    expect(server.sessions).toHaveLength(1)
  })

  it('ends in a verdict or an error, whatever the bytes', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 30 }).map((each) => Buffer.from(each)),
      fc
        .tuple(
          fc.constantFrom(...'+-24abcdefhilmpqrsty'),
          fc.constantFrom('', '\0', 'a\0', 'a\0b\0', '\0\0\0\x01a\0b\0'),
        )
        .map(([letter, data]) => says(letter, Buffer.from(data))),
    )
    const step = fc.constantFrom(...'OCHMRTLNBE')
    await fc.assert(
      fc.asyncProperty(step, fc.array(bytes, { maxLength: 4 }), async (at, answers) => {
        const server = await MilterServer.start({ script: { [at]: [...answers, hangUp] } })
        const checker = new MilterChecker({ ...settings, address: server.address })
        try {
          const verdict = await checker.check(checkedMessage(), AbortSignal.timeout(10_000))
          expect(['pass', 'refuse', 'drop']).toContain(verdict.kind)
        } catch (error) {
          expect(String(error)).toMatch(/^(MilterError|ConnectionLost): /)
        } finally {
          await checker.close()
          await server.close()
        }
      }),
    )
  })

  it('a filter that is not there', async () => {
    const checker = checkerOf(`tcp://127.0.0.1:${await closedPort()}`)
    await expect(checker.check(checkedMessage(), never)).rejects.toThrow('ECONNREFUSED')
  })

  it.each<[string, Script]>([
    ['of the negotiation', { O: nothing }],
    ['of a step', { M: nothing }],
    ['of the end, whatever progress it reports', { E: says('p') }],
  ])('a filter of which nothing comes, when the time is up: %s', async (_name, script) => {
    const server = await filter({ script })
    const controller = new AbortController()
    const checking = checkerOf(server.address).check(checkedMessage(), controller.signal)
    const [step] = Object.keys(script)
    await expect.poll(() => server.told.some((each) => each.startsWith(step!))).toBe(true)
    controller.abort(new Error('the time is up'))
    await expect(checking).rejects.toThrow('the time is up')
    await server.over()
  })

  it('a body of ours that cannot be read, which is not the fault of the filter', async () => {
    const body = {
      // biome-ignore lint/correctness/useYield: it fails before.
      async *read(): AsyncGenerator<Buffer> {
        throw new QueueFull('no space')
      },
    }
    const server = await filter()
    await expect(checkerOf(server.address).check(checkedMessage({ body }), never)).rejects.toThrow(QueueFull)
    await server.over()
  })

  it('a new body that cannot be kept', async () => {
    const server = await filter(endOfMessage(says('b', Buffer.alloc(1024 * 1024)), says('a')))
    const message = {
      ...checkedMessage(),
      async keep(chunks: AsyncIterable<Buffer>): Promise<never> {
        for await (const _chunk of chunks) throw new QueueFull('no space')
        throw new Error('nothing came')
      },
    }
    await expect(checkerOf(server.address).check(message, never)).rejects.toThrow(QueueFull)
    await server.over()
  })
})

describe('connections', () => {
  const session = transactionOf().session
  const nextOf = (message = checkedMessage()) => ({
    ...message,
    transaction: { ...message.transaction, session },
  })
  const accepting: FilterOptions = { script: { E: says('a') } }

  it('carry the messages of several clients, where the filter went on to the end', async () => {
    const server = await filter()
    const checker = checkerOf(server.address)
    for (let n = 0; n < 3; n++) await checker.check(checkedMessage(), never)
    expect(letters(server.sessions[0]!.only(...'OCHMEKAQ'))).toBe('OCHMEKCHMEKCHME')
    expect(server.sessions).toHaveLength(1)
  })

  it('carry the messages of one client, whatever the filter decided of them', async () => {
    const answers = [says('a'), says('r'), says('c'), says('t')]
    const server = await filter({ script: { E: () => answers.shift()! } })
    const checker = checkerOf(server.address)
    for (let n = 0; n < 4; n++) await checker.check(nextOf(), never)
    expect(letters(server.sessions[0]!.only(...'OCHMEKAQ'))).toBe('OCHMEMEMEME')
    expect(server.sessions).toHaveLength(1)
  })

  it('end for a client whose message was accepted, as libmilter waits for its next one only', async () => {
    const server = await filter(accepting)
    const checker = checkerOf(server.address, { concurrency: 1 })
    for (let n = 0; n < 2; n++) await checker.check(checkedMessage(), never)
    await server.over(0)
    expect(server.sessions.map(({ told }) => letters(told.filter((each) => /^[OEKQ]/.test(each))))).toEqual([
      'OEQ',
      'OE',
    ])
  })

  it('go on with the next message of a client after one that was cut short', async () => {
    const answers = [says('r'), says('c')]
    const server = await filter({ script: { M: () => answers.shift()! } })
    const checker = checkerOf(server.address)
    expect(await checker.check(nextOf(), never)).toMatchObject(rejection)
    expect(await checker.check(nextOf(), never)).toMatchObject({ kind: 'pass' })
    expect(letters(server.sessions[0]!.only(...'OCHMEKAQ'))).toBe('OCHMAME')
  })

  it('end with a client that was turned away', async () => {
    const server = await filter({ script: { H: says('r') } })
    await checkerOf(server.address).check(checkedMessage(), never)
    await server.over()
    expect(letters(server.sessions[0]!.only(...'OCHMAQ'))).toBe('OCHQ')
  })

  it('are not handed to another client by a filter older than QUIT_NC', async () => {
    const server = await filter({ version: 5 })
    const checker = checkerOf(server.address)
    for (let n = 0; n < 2; n++) await checker.check(checkedMessage(), never)
    expect(server.sessions).toHaveLength(2)
    expect(server.sessions[0]!.only('K')).toEqual([])
  })

  it.each<[string, FilterOptions]>([
    ['where every step is answered', {}],
    ['where only the end is', { flags: unanswered }],
  ])('that died while they were kept are replaced without a word, %s', async (_name, options) => {
    let messages = 0
    const server = await filter({
      ...options,
      script: {
        // Dies when the next client comes, so that nothing can be seen of it before.
        K: hangUp,
        E: () => {
          messages++
          return says('c')
        },
      },
    })
    const checker = checkerOf(server.address)
    for (let n = 0; n < 3; n++)
      expect(await checker.check(checkedMessage(), never)).toMatchObject({ kind: 'pass' })
    expect(messages).toBe(3)
    expect(server.sessions).toHaveLength(3)
  })

  it('that the filter closed are forgotten', async () => {
    const server = await filter()
    const checker = checkerOf(server.address)
    await checker.check(checkedMessage(), never)
    server.sessions[0]!.hangUp()
    await server.over(0)
    await checker.check(checkedMessage(), never)
    expect(server.sessions).toHaveLength(2)
    expect(server.sessions[1]!.only('K')).toEqual([])
  })

  it('over which a filter said what it was not asked are not used again', async () => {
    const server = await filter()
    const checker = checkerOf(server.address)
    await checker.check(checkedMessage(), never)
    server.sessions[0]!.say(says('a'))
    await server.over(0)
    expect(await checker.check(checkedMessage(), never)).toMatchObject({ kind: 'pass' })
    expect(server.sessions).toHaveLength(2)
  })

  it('are replaced once, and then the filter is away', async () => {
    let connections = 0
    const server = await filter({
      script: {
        O: () => (++connections === 1 ? says('O', 6, 0, 0) : hangUp),
        K: hangUp,
      },
    })
    const checker = checkerOf(server.address)
    await checker.check(checkedMessage(), never)
    await expect(checker.check(checkedMessage(), never)).rejects.toThrow('closed the connection')
    expect(connections).toBe(2)
  })

  it('that end after the filter has begun to answer are not replaced', async () => {
    let messages = 0
    const server = await filter({
      script: { M: () => (++messages === 1 ? says('c') : hangUp) },
    })
    const checker = checkerOf(server.address)
    await checker.check(checkedMessage(), never)
    await expect(checker.check(checkedMessage(), never)).rejects.toThrow()
    expect(messages).toBe(2)
    expect(server.sessions).toHaveLength(1)
  })

  it('carry one message at a time', async () => {
    const gate = new Gate()
    const server = await filter({ script: { E: () => gate.opened.then(() => says('c')) } })
    const checker = checkerOf(server.address)
    const checking = [1, 2, 3].map(() => checker.check(checkedMessage(), never))
    await expect.poll(() => server.sessions.filter(({ told }) => told.includes('E')).length).toBe(3)
    gate.open()
    await Promise.all(checking)
    for (const each of server.sessions) expect(each.only('M')).toHaveLength(1)
  })

  it('are never more than the limit, kept ones included', async () => {
    const server = await filter(accepting)
    const checker = checkerOf(server.address, { concurrency: 2 })
    for (let n = 0; n < 4; n++) await checker.check(checkedMessage(), never)
    await Promise.all([server.over(0), server.over(1)])
    expect(server.sessions).toHaveLength(4)
    expect(server.sessions.map(({ told }) => told.includes('Q'))).toEqual([true, true, false, false])
  })

  it('that nobody needs for a while are closed with QUIT', async () => {
    const server = await filter()
    await checkerOf(server.address, { idleMs: 20 }).check(checkedMessage(), never)
    await server.over()
    expect(server.told.at(-1)).toBe('Q')
  })

  it('are closed with QUIT when the relay stops, also those of messages under way then', async () => {
    const gate = new Gate()
    const server = await filter({ script: { E: () => gate.opened.then(() => says('c')) } })
    const checker = checkerOf(server.address)
    const checking = checker.check(checkedMessage(), never)
    await expect.poll(() => server.told.includes('E')).toBe(true)
    await checker.close()
    gate.open()
    expect(await checking).toMatchObject({ kind: 'pass' })
    await server.over()
    expect(server.told.at(-1)).toBe('Q')
  })
})
