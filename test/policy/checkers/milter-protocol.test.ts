import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  abort,
  bodyChunk,
  command,
  connect,
  header,
  longestData,
  MilterError,
  macros,
  offer,
  type Packet,
  PacketDecoder,
  parseMilterReply,
  parseNegotiation,
  quit,
  quitNewClient,
  type Step,
} from '../../../src/policy/checkers/milter-protocol.ts'
import { says } from '../../support/milter-server.ts'

const packetOf = (bytes: Buffer): Packet => {
  const [packet, ...more] = new PacketDecoder().decode(bytes)
  expect(more).toEqual([])
  return packet!
}
const text = (bytes: Buffer | null): string | undefined => bytes?.toString('latin1').replaceAll('\0', '|')

describe('commands', () => {
  it.each<[string, Buffer | null, string]>([
    ['ABORT', abort, '|||\x01A'],
    ['QUIT', quit, '|||\x01Q'],
    ['QUIT_NC', quitNewClient, '|||\x01K'],
    [
      'an IPv4 client',
      connect('[192.0.2.7]', { family: 4, address: '192.0.2.7' }),
      '|||\x1aC[192.0.2.7]|4||192.0.2.7|',
    ],
    ['an IPv6 client', connect('[::1]', { family: 6, address: '::1' }), '|||\x0eC[::1]|6||::1|'],
    ['an unknown client', connect('unknown', null), '|||\x0aCunknown|U'],
    ['HELO', command('helo', 'mx'), '|||\x04Hmx|'],
    ['MAIL with parameters', command('mail', '<>', 'SIZE=1'), '|||\x0bM<>|SIZE=1|'],
    ['RCPT', command('rcpt', '<a@b>'), '|||\x07R<a@b>|'],
    ['DATA', command('data'), '|||\x01T'],
    ['a header field', header('To', Buffer.from(' a')), '|||\x07LTo| a|'],
    ['an empty header field', header('To', Buffer.alloc(0)), '|||\x05LTo||'],
    ['the end of the header', command('endOfHeader'), '|||\x01N'],
    ['a chunk of the body', bodyChunk(Buffer.from('a\0b')), '|||\x04Ba|b'],
    ['the end of the message', command('endOfMessage'), '|||\x01E'],
    [
      'macros',
      macros(
        'mail',
        new Map([
          ['i', '1'],
          ['mail_addr', ''],
        ]),
      ),
      '|||\x13DMi|1|{mail_addr}||',
    ],
    ['no macros', macros('mail', new Map()), ''],
    ['macros of a step that has none', macros('body', new Map([['i', '1']])), ''],
  ])('write %s', (_name, bytes, expected) => {
    expect(text(bytes) ?? '').toBe(expected)
  })

  it('offer version 6, all actions, and all flags but those for larger chunks and refused recipients', () => {
    expect(offer().toString('hex')).toBe('0000000d4f' + '00000006' + '000001ff' + '001ff7ff')
  })

  it('cut a header field where libmilter would close the connection', () => {
    const bytes = header('X', Buffer.alloc(100_000, 'a'))
    expect(bytes.length).toBe(4 + 1 + longestData)
    expect(bytes.at(-1)).toBe(0)
    const longName = header('X'.repeat(100_000), Buffer.from('value'))
    expect(text(longName)).toMatch(/X\|value\|$/)
  })

  it('refuse to write a string that holds a NUL', () => {
    expect(() => command('helo', 'a\0b')).toThrow('NUL')
  })
})

describe('parseNegotiation', () => {
  const negotiated = (...numbers: number[]) => parseNegotiation(packetOf(says('O', ...numbers)))
  const allSteps: Step[] = [
    ...(['connect', 'helo', 'mail', 'rcpt', 'data'] as const),
    ...(['header', 'endOfHeader', 'body', 'endOfMessage'] as const),
  ]

  it.each<[string, number, number, Step[]]>([
    ['nothing declined', 6, 0, []],
    ['what libmilter has no callback for', 6, 0x1 | 0x2 | 0x200, ['connect', 'helo', 'data']],
    ['everything', 6, 0x37f, allSteps.slice(0, -1)],
    ['DATA, of a filter from before it', 3, 0, ['data']],
    ['flags that nobody offered', 6, 0x70000800, []],
  ])('does not send what was declined: %s', (_name, version, flags, declined) => {
    const { sent, answered } = negotiated(version, 0, flags)
    expect(allSteps.filter((step) => !sent.has(step))).toEqual(declined)
    expect([...answered]).toEqual([...sent])
  })

  it('waits for no answer where none was promised', () => {
    const { sent, answered } = negotiated(6, 0, 0xff080)
    expect([...sent]).toEqual(allSteps)
    expect([...answered]).toEqual(['endOfMessage'])
  })

  it.each([
    [0x100000, true],
    [0, false],
  ])('keeps to what was agreed on leading spaces (flags %i)', (flags, expected) => {
    expect(negotiated(6, 0, flags).leadingSpace).toBe(expected)
  })

  it('reads the lists of macros that the filter wants, known steps or not', () => {
    const lists = [0, 'j {client_addr}', 5, 'i,{msg_id}', 77, 'x', 2, '']
    const { macros: wanted } = parseNegotiation(packetOf(says('O', 6, 0, 0, ...lists)))
    expect([...wanted]).toEqual([
      ['connect', ['j', 'client_addr']],
      ['endOfMessage', ['i', 'msg_id']],
      ['mail', []],
    ])
  })

  it.each<[string, Buffer]>([
    ['another packet', says('c')],
    ['too little', says('O', 6, 0)],
    ['a version before 2', says('O', 1, 0, 0)],
    ['a version that was not offered', says('O', 7, 0, 0)],
    ['an action that is unknown', says('O', 6, 0x200, 0)],
    ['a list of macros without an end', says('O', 6, 0, 0, Buffer.from('\0\0\0\0j'))],
    ['half a number of a list', says('O', 6, 0, 0, Buffer.from('\0'))],
  ])('refuses %s', (_name, bytes) => {
    expect(() => parseNegotiation(packetOf(bytes))).toThrow(MilterError)
  })
})

describe('parseMilterReply', () => {
  const replyTo = (bytes: Buffer) => parseMilterReply(packetOf(bytes))

  it.each<[string, Buffer, unknown]>([
    ['CONTINUE', says('c'), { kind: 'continue' }],
    ['ACCEPT', says('a'), { kind: 'accept' }],
    ['REJECT', says('r'), { kind: 'reject' }],
    ['TEMPFAIL', says('t'), { kind: 'tempfail' }],
    ['DISCARD', says('d'), { kind: 'discard' }],
    ['SKIP', says('s'), { kind: 'skip' }],
    ['PROGRESS', says('p'), { kind: 'progress' }],
    ['CONN_FAIL, as a deferral', says('f'), { kind: 'tempfail' }],
    ['SHUTDOWN, as a deferral', says('4'), { kind: 'tempfail' }],
    ['ADDHEADER', says('h', 'X-A', 'b'), { kind: 'addHeader', name: 'X-A', value: Buffer.from('b') }],
    [
      'INSHEADER',
      says('i', 1, 'X-A', ' b\n c'),
      { kind: 'insertHeader', index: 1, name: 'X-A', value: Buffer.from(' b\n c') },
    ],
    [
      'CHGHEADER',
      says('m', 2, 'To', ''),
      { kind: 'changeHeader', index: 2, name: 'To', value: Buffer.alloc(0) },
    ],
    ['ADDRCPT', says('+', '<a@b>'), { kind: 'addRecipient', address: '<a@b>' }],
    ['ADDRCPT_PAR', says('2', '<a@b>', 'NOTIFY=NEVER'), { kind: 'addRecipient', address: '<a@b>' }],
    ['ADDRCPT_PAR without any', says('2', '<a@b>'), { kind: 'addRecipient', address: '<a@b>' }],
    ['DELRCPT', says('-', '<a@b>'), { kind: 'deleteRecipient', address: '<a@b>' }],
    ['CHGFROM', says('e', '<>'), { kind: 'changeSender', address: '<>' }],
    ['CHGFROM with parameters', says('e', '<a@b>', 'SIZE=1'), { kind: 'changeSender', address: '<a@b>' }],
    ['REPLBODY', says('b', Buffer.from('a\0b')), { kind: 'replaceBody', piece: Buffer.from('a\0b') }],
    ['REPLBODY by nothing', says('b'), { kind: 'replaceBody', piece: Buffer.alloc(0) }],
    ['QUARANTINE', says('q', 'suspect'), { kind: 'quarantine', reason: 'suspect' }],
    ['QUARANTINE without NUL', says('q', Buffer.from('suspect')), { kind: 'quarantine', reason: 'suspect' }],
  ])('reads %s', (_name, bytes, expected) => {
    expect(replyTo(bytes)).toEqual(expected)
  })

  it.each<[string, string, string]>([
    ['a line', '550 5.7.1 No', '550 5.7.1 No'],
    ['a temporary one', '451 4.7.1 Later', '451 4.7.1 Later'],
    ['without an enhanced code', '554 No', '554 5.7.1 No'],
    ['several lines', '550-5.7.1 No\r\n550-5.7.1 really\r\n550 5.7.1 not', '550 5.7.1 No really not'],
    ['with percent signs doubled', '550 5.7.1 100%% spam', '550 5.7.1 100% spam'],
    ['with one that is not', '550 5.7.1 100% spam', '550 5.7.1 100 spam'],
    ['that would close the session', '421 4.7.0 Later', '451 4.7.0 Later'],
    ['that is not ASCII', '550 5.7.1 Nö', '550 5.7.1 N?'],
  ])('reads a reply of its own: %s', (_name, words, expected) => {
    const reply = replyTo(says('y', words))
    if (reply.kind !== 'replyCode') throw new Error('is no reply code')
    const { code, enhanced, text: said } = reply.reply
    expect(`${code} ${enhanced} ${said}`).toBe(expected)
  })

  it.each<[string, Buffer]>([
    ['an unknown reply', says('z')],
    ['data where none belongs', says('c', 'x')],
    ['ADDHEADER without a value', says('h', 'X-A')],
    ['ADDHEADER of three strings', says('h', 'X-A', 'b', 'c')],
    ['ADDHEADER without the last NUL', says('h', Buffer.from('X-A\0b'))],
    ['ADDHEADER of nothing', says('h')],
    ['INSHEADER without an index', says('i', Buffer.from('\0\0'))],
    ['INSHEADER without a field', says('i', 1)],
    ['ADDRCPT with parameters', says('+', 'a@b', 'x')],
    ['ADDRCPT without NUL', says('+', Buffer.from('a@b'))],
    ['ADDRCPT of nothing', says('+')],
    ['a reply that accepts', says('y', '250 2.0.0 Ok')],
    ['a reply without a text', says('y', '550')],
    ['a reply of no code', says('y', 'No')],
    ['a reply of two codes', says('y', '550-5.7.1 No\r\n451 4.7.1 Later')],
    ['a reply that goes on', says('y', '550-5.7.1 No')],
    ['a reply that ended before', says('y', '550 5.7.1 No\r\n550 5.7.1 really')],
    ['a reply with an LF alone', says('y', '550 5.7.1 No\n250 Ok')],
    ['a reply with a CR alone', says('y', '550 5.7.1 No\r250 Ok')],
    ['a reply with a NUL', says('y', '550 5.7.1 No\x00 Ok')],
    ['an empty reply', says('y')],
  ])('refuses %s', (_name, bytes) => {
    expect(() => replyTo(bytes)).toThrow(MilterError)
  })

  it('never throws anything else, whatever the bytes', () => {
    const commands = fc.constantFrom(...'+-24abcdefhilmpqrstyOz\0')
    const piece = fc.constantFrom('\0', '550 ', '550-', '\r\n', '%', 'a', '\0\0\0\x01', '\n', ' ')
    const data = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.from(pieces.join(''))),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    )
    fc.assert(
      fc.property(commands, data, (letter, bytes) => {
        const packet = { command: letter, data: bytes }
        for (const parse of [parseMilterReply, parseNegotiation]) {
          try {
            parse(packet)
          } catch (error) {
            expect(error).toBeInstanceOf(MilterError)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('PacketDecoder', () => {
  /** A body in pieces is the same body, however it was cut. */
  const joined = (packets: readonly Packet[]): string[] => {
    const texts: string[] = []
    let last: string | null = null
    for (const { command: letter, data } of packets) {
      if (letter === 'b' && last === 'b') texts.push(`${texts.pop()}${data.toString('latin1')}`)
      else texts.push(`${letter}${data.toString('latin1')}`)
      last = letter
    }
    return texts
  }

  it('gives the same packets, however the network cut them', () => {
    const packet = fc
      .tuple(fc.constantFrom('c', 'h', 'b', 'y'), fc.uint8Array({ maxLength: 30 }))
      .map(([letter, data]) => says(letter, Buffer.from(data)))
    const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 })
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 8 }), cuts, (packets, sizes) => {
        const bytes = Buffer.concat(packets)
        const whole = new PacketDecoder().decode(bytes)
        const decoder = new PacketDecoder()
        const found: Packet[] = []
        let at = 0
        for (const size of sizes) {
          found.push(...decoder.decode(bytes.subarray(at, at + size)))
          at = Math.min(at + size, bytes.length)
        }
        found.push(...decoder.decode(bytes.subarray(at)))
        expect(joined(found)).toEqual(joined(whole))
        expect(joined(whole)).toEqual(
          joined(packets.map((each) => ({ command: each.toString('latin1', 4, 5), data: each.subarray(5) }))),
        )
      }),
    )
  })

  it('hands a long body on as it comes', () => {
    const decoder = new PacketDecoder()
    const [head] = decoder.decode(says('b', Buffer.alloc(8 * 1024 * 1024)).subarray(0, 1000))
    expect(head).toEqual({ command: 'b', data: Buffer.alloc(995) })
  })

  it.each([
    ['no command', Buffer.from('0000000061', 'hex')],
    ['more than memory may hold', Buffer.from('7fffffff68', 'hex')],
    ['just too much', Buffer.from('0010000268', 'hex')],
  ])('refuses a packet of %s before it takes memory', (_name, bytes) => {
    expect(() => new PacketDecoder().decode(bytes)).toThrow(MilterError)
  })

  it('throws nothing but MilterError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 }), (chunks) => {
        const decoder = new PacketDecoder()
        try {
          for (const chunk of chunks) decoder.decode(Buffer.from(chunk))
        } catch (error) {
          expect(error).toBeInstanceOf(MilterError)
        }
      }),
    )
  })
})
