import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatReply } from '../../src/reply.ts'
import { Intake, type IntakeFacts, MessageRefused } from '../../src/smtp/intake.ts'
import type { MessageLimits } from '../../src/smtp/transaction.ts'

const limits: MessageLimits = {
  maxMessageSize: 10_000,
  maxHeaderSize: 2000,
  maxLineLength: 1000,
  maxHops: 3,
  bareNewlines: 'reject',
}
const repairing: MessageLimits = { ...limits, bareNewlines: 'repair' }

type Result = { kept: string; facts: Omit<IntakeFacts, 'header'> & { header: string } } | { refused: string }

/** Takes in `text` (latin1) in the pieces that `cuts` make of it. */
function takeIn(text: string, options: { limits?: MessageLimits; cuts?: readonly number[] } = {}): Result {
  const bytes = Buffer.from(text, 'latin1')
  const cuts = [0, ...(options.cuts ?? []), bytes.length].map((cut) => Math.min(cut, bytes.length))
  const intake = new Intake(options.limits ?? limits)
  const kept: Buffer[] = []
  try {
    for (let i = 1; i < cuts.length; i++) kept.push(intake.write(bytes.subarray(cuts[i - 1], cuts[i])))
    const facts = intake.end()
    return {
      kept: Buffer.concat(kept).toString('latin1'),
      facts: { ...facts, header: facts.header.toString('latin1') },
    }
  } catch (error) {
    if (!(error instanceof MessageRefused)) throw error
    return { refused: formatReply(error.reply) }
  }
}

const octetByOctet = (text: string): number[] => Array.from(text, (_, index) => index)
const header = 'From: a@example.com\r\nMessage-ID: <1@example.com>\r\n\r\n'

describe('facts', () => {
  it.each<[string, string, Partial<Extract<Result, { facts: unknown }>['facts']>]>([
    [
      'a message',
      `${header}body\r\n`,
      { header, sizeBytes: 58, messageId: '<1@example.com>', eightBit: false },
    ],
    ['no body', 'From: a@example.com\r\n', { header: 'From: a@example.com\r\n', messageId: null }],
    ['no header', '\r\nbody\r\n', { header: '\r\n', receivedCount: 0 }],
    ['nothing', '', { header: '', sizeBytes: 0, hasFinalNewline: false }],
    ['no final newline', 'a: b\r\n\r\nx', { hasFinalNewline: false }],
    ['a final newline', 'a: b\r\n\r\nx\r\n', { hasFinalNewline: true }],
    ['eight bit in the body', `${header}\xfc\r\n`, { eightBit: true }],
    ['eight bit in the header', 'Subject: \xfc\r\n\r\n', { eightBit: true }],
    ['hops', 'Received: a\r\nRECEIVED : b\r\n\r\nReceived: c\r\n', { receivedCount: 2 }],
    [
      'words that only begin like fields',
      'Received-SPF: a\r\nMessage-IDs: x\r\n\r\n',
      { receivedCount: 0, messageId: null },
    ],
    [
      'the first network message id that can be read, in the header only',
      [
        ...['Subject: x', ' X-MS-Exchange-Organization-Network-Message-Id: no', 'X-Other: y'],
        'X-MS-Exchange-Organization-Network-Message-Id: 4711',
        'x-ms-exchange-organization-network-message-id:\t8f2B0001-0000-4000-8000-00000000000a',
        'X-MS-Exchange-Organization-Network-Message-Id: 00000000-0000-0000-0000-000000000000',
        ...['', 'body', ''],
      ].join('\r\n'),
      { networkMessageId: '8f2B0001-0000-4000-8000-00000000000a' },
    ],
    [
      'a network message id only behind the header',
      'a: b\r\n\r\nX-MS-Exchange-Organization-Network-Message-Id: 00000000-0000-0000-0000-000000000000\r\n',
      { networkMessageId: null },
    ],
    ['a folded Message-ID', 'message-id:\r\n <1@example.com>\r\n\r\n', { messageId: '<1@example.com>' }],
    [
      'the first of two Message-IDs',
      'Message-ID: <1@a>\r\nMessage-ID: <2@a>\r\n\r\n',
      { messageId: '<1@a>' },
    ],
    ['an empty Message-ID', 'Message-ID: \r\nSubject: x\r\n\r\n', { messageId: null }],
    ['a Message-ID in the body', 'a: b\r\n\r\nMessage-ID: <1@a>\r\n', { messageId: null }],
    ['controls in a Message-ID', 'Message-ID: <a\x1b@b>\r\n\r\n', { messageId: '<a?@b>' }],
  ])('knows of %s', (_name, text, facts) => {
    expect(takeIn(text)).toMatchObject({ kept: text, facts })
  })

  it('gives a clean chunk back as it is, without a copy', () => {
    for (const mode of [limits, repairing]) {
      const chunk = Buffer.from(`${header}body\r\n`)
      expect(new Intake(mode).write(chunk)).toBe(chunk)
    }
  })
})

describe('refusals', () => {
  const line = (length: number) => `${'x'.repeat(length - 2)}\r\n`
  it.each([
    ['a bare LF', `${header}a\nb\r\n`, '550 5.6.11'],
    ['a bare LF at the very start', '\nb\r\n', '550 5.6.11'],
    ['a bare CR', `${header}a\rb\r\n`, '550 5.6.11'],
    ['a bare CR at the end', `${header}a\r`, '550 5.6.11'],
    ['CR CR LF', `${header}a\r\r\n`, '550 5.6.11'],
    ['LF CR', `${header}a\n\r`, '550 5.6.11'],
    ['NUL', `${header}a\0b\r\n`, '554 5.6.0'],
    ['a line too long', header + line(1001), '554 5.6.0'],
    ['a line too long that never ends', `${header}${'x'.repeat(1001)}`, '554 5.6.0'],
    ['a message too large', header + line(1000).repeat(10), '552 5.3.4'],
    ['a header too large', `a: b\r\n${line(998).repeat(2)}\r\n`, '552 5.3.4'],
    ['a header that never ends', line(998).repeat(3), '552 5.3.4'],
    ['too many hops', `${'Received: x\r\n'.repeat(4)}\r\n`, '554 5.4.6'],
    ['too many hops and no body', 'Received: x\r\n'.repeat(4), '554 5.4.6'],
    ['what came first of two', `${header}\0\n`, '554 5.6.0'],
    ['what came first of two, the other way', `${header}\n\0`, '550 5.6.11'],
  ])('%s', (_name, text, reply) => {
    expect(takeIn(text)).toEqual({ refused: expect.stringContaining(reply) })
    expect(takeIn(text, { cuts: octetByOctet(text) })).toEqual(takeIn(text))
  })

  it.each([
    ['a line of the limit', header + line(1000)],
    ['a message of the limit', `${header}${line(1000).repeat(9)}${line(948)}`],
    ['a header of the limit', `${line(999)}${line(999)}\r\n`],
    ['as many hops as the limit', `${'Received: x\r\n'.repeat(3)}\r\n`],
  ])('not %s', (_name, text) => {
    expect(takeIn(text)).toMatchObject({ kept: text })
    expect(takeIn(text, { cuts: octetByOctet(text) })).toEqual(takeIn(text))
  })

  it('come as soon as they are sure', () => {
    const intake = new Intake(limits)
    intake.write(Buffer.from(header))
    expect(() => {
      for (let i = 0; i < 11; i++) intake.write(Buffer.from(line(1000)))
    }).toThrow(MessageRefused)
  })
})

describe('repair', () => {
  it.each([
    ['a\nb\r\n', 'a\r\nb\r\n', 1],
    ['a\rb\r\n', 'a\r\nb\r\n', 1],
    ['a\r\r\n', 'a\r\n\r\n', 1],
    ['a\n\r', 'a\r\n\r\n', 2],
    ['a\r', 'a\r\n', 1],
    ['\r', '\r\n', 1],
    ['\n.\n', '\r\n.\r\n', 2],
    ['a\r\nb\r\n', 'a\r\nb\r\n', 0],
  ])('makes %j into %j', (text, kept, repaired) => {
    for (const cuts of [[], octetByOctet(text)])
      expect(takeIn(text, { limits: repairing, cuts })).toMatchObject({ kept, facts: { repaired } })
  })

  it('does not repair NUL', () => {
    expect(takeIn('a\0\n', { limits: repairing })).toEqual({ refused: expect.stringContaining('554 5.6.0') })
  })

  it('counts what it adds into the size', () => {
    const many = { ...repairing, maxMessageSize: 3000 }
    expect(takeIn(`\r\n${'\n'.repeat(1600)}`, { limits: many })).toEqual({
      refused: expect.stringContaining('552 5.3.4'),
    })
  })
})

describe('every split', () => {
  const piece = fc.constantFrom(
    ...[
      '\r',
      '\n',
      '\r\n',
      '\r\n\r\n',
      '\0',
      '.',
      'x',
      '\xfc',
      'Received: y\r\n',
      'Message-ID: <z>\r\n',
      'abc: d\r\n',
    ],
    'x'.repeat(30),
  )
  const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''))
  const clean = fc.array(
    fc.constantFrom('\r\n', '.', 'abc', 'Received: y\r\n', 'Message-ID: <z>\r\n', '\r\n\r\n'),
    {
      maxLength: 40,
    },
  )
  const cuts = fc.array(fc.nat(400), { maxLength: 20 }).map((list) => list.sort((a, b) => a - b))
  const tight: MessageLimits = {
    ...limits,
    maxMessageSize: 150,
    maxHeaderSize: 90,
    maxLineLength: 60,
    maxHops: 2,
  }
  const modes = fc.constantFrom<MessageLimits>(limits, repairing, tight, { ...tight, bareNewlines: 'repair' })

  it('gives the same bytes, facts and refusal', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          clean.map((pieces) => pieces.join('')),
        ),
        cuts,
        modes,
        (message, at, mode) => {
          const whole = takeIn(message, { limits: mode })
          expect(takeIn(message, { limits: mode, cuts: at })).toEqual(whole)
          expect(takeIn(message, { limits: mode, cuts: octetByOctet(message) })).toEqual(whole)
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('agrees with a plain reading of the rules', () => {
    fc.assert(
      fc.property(text, modes, (message, mode) => {
        const repaired = message.replace(/\r\n|\r|\n/g, '\r\n')
        const bare = repaired !== message
        const content = mode.bareNewlines === 'repair' ? repaired : message
        const head = `\r\n${content}`.split('\r\n\r\n')[0]!.slice(2)
        const headerEnds = `\r\n${content}`.includes('\r\n\r\n')
        const headerSize = headerEnds ? `${head}\r\n\r\n`.slice(head === '' ? 2 : 0).length : content.length
        const wrong =
          (bare && mode.bareNewlines === 'reject') ||
          content.includes('\0') ||
          content.length > mode.maxMessageSize ||
          headerSize > mode.maxHeaderSize ||
          content
            .split('\r\n')
            .some((part, i, all) => part.length + (i < all.length - 1 ? 2 : 0) > mode.maxLineLength) ||
          head.split('\r\n').filter((field) => field.startsWith('Received:')).length > mode.maxHops
        const result = takeIn(message, { limits: mode })
        expect('refused' in result).toBe(wrong)
        if ('kept' in result) expect(result.kept).toBe(content)
      }),
      { numRuns: 3000 },
    )
  })
})
