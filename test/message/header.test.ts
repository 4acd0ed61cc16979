import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  fieldsNamed,
  fieldValue,
  fromAddresses,
  parseHeader,
  parseMailboxes,
} from '../../src/message/header.ts'

const headerOf = (...lines: string[]) => parseHeader(Buffer.from(lines.map((line) => `${line}\r\n`).join('')))
const names = (text: string) => parseHeader(Buffer.from(text)).fields.map((field) => field.name)

describe('parseHeader', () => {
  it.each<[string, string, (string | null)[]]>([
    ['nothing', '', []],
    ['an empty line at once', '\r\nbody', []],
    ['names in any case', 'FROM: a\r\nsubject: b\r\n', ['from', 'subject']],
    ['a body after the empty line', 'From: a\r\n\r\nTo: b\r\n', ['from']],
    ['folded fields', 'To: a,\r\n b,\r\n\tc\r\nFrom: d\r\n', ['to', 'from']],
    ['a folded line of spaces only', 'To: a\r\n \r\nFrom: d\r\n', ['to', 'from']],
    ['a last line without an end', 'To: a\r\nFrom: b', ['to', 'from']],
    ['lines that end in LF alone', 'To: a\nFrom: b\n\nbody', ['to', 'from']],
    ['a CR alone, which ends no line', 'To: a\rFrom: b\r\n', ['to']],
    ['white space before the colon', 'From : a\r\nTo\t: b\r\n', ['from', 'to']],
    ['an mbox line', 'From a@example.com Mon Jan  1\r\nFrom: b\r\n', [null, 'from']],
    ['a fold with nothing before it', ' a: b\r\nFrom: c\r\n', [null, 'from']],
    ['a name with a space inside', 'Two words: a\r\nFrom: b\r\n', [null, 'from']],
    ['a name that is not ASCII', 'Fröm: a\r\n', [null]],
    ['an empty name', ': a\r\n', [null]],
  ])('reads %s', (_name, text, expected) => {
    expect(names(text)).toEqual(expected)
  })

  it('gives all fields of a name, in order, with their values unfolded', () => {
    const header = headerOf('Received: one', 'From: x', 'RECEIVED: two,', '\tfolded ', 'Received:')
    expect(fieldsNamed(header, 'received').map(fieldValue)).toEqual(['one', 'two,\tfolded', ''])
  })

  it('keeps the raw bytes of a field', () => {
    const header = parseHeader(Buffer.from('Subject:  a\r\n  b \r\nFrom: c\r\n'))
    expect(header.fields[0]!.raw.toString()).toBe('Subject:  a\r\n  b \r\n')
  })

  it('is, joined, the header again byte for byte, whatever the bytes', () => {
    const piece = fc.constantFrom('From', ':', ' ', '\t', '\r', '\n', '\r\n', 'a', '\0', 'ü', '"', '(')
    const text = fc.array(piece, { maxLength: 60 }).map((pieces) => Buffer.from(pieces.join('')))
    const noise = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(fc.oneof(text, noise), (bytes) => {
        const header = parseHeader(bytes)
        const joined = Buffer.concat(header.fields.map((field) => field.raw))
        expect(joined.equals(bytes.subarray(0, header.sizeBytes))).toBe(true)
        expect(bytes.subarray(header.sizeBytes).toString('latin1')).toMatch(/^(?:$|\r?\n)/)
      }),
    )
  })

  it('stops counting at 2000 fields, keeps the bytes, and says so', () => {
    const bytes = Buffer.from(`${'a:\r\n'.repeat(2500)}From: x@example.com\r\n\r\nbody`)
    const header = parseHeader(bytes)
    expect(header).toMatchObject({ complete: false, sizeBytes: bytes.length - 6 })
    expect(header.fields).toHaveLength(2001)
    expect(header.fields.at(-1)!.name).toBeNull()
    expect(Buffer.concat(header.fields.map((field) => field.raw))).toHaveLength(header.sizeBytes)
    expect(parseHeader(Buffer.from('a:\r\n'.repeat(2000))).complete).toBe(true)
  })
})

describe('fromAddresses', () => {
  it.each([
    ['a@example.com', 'a@example.com'],
    ['A <a@EXAMPLE.com>', 'a@example.com'],
    ['<a@example.com>', 'a@example.com'],
    ['Anna Q. Public <a@example.com>', 'a@example.com'],
    ['"Public, Anna" <a@example.com>', 'a@example.com'],
    ['"a@good.example, b" <c@example.com>', 'c@example.com'],
    ['"say \\"hi\\" <x@y>" <c@example.com>', 'c@example.com'],
    ['=?utf-8?Q?J=C3=BCrg_=40_home?= <j@example.com>', 'j@example.com'],
    ['=?iso-8859-1?Q?a?= =?utf-8?B?YQ==?= <j@example.com>', 'j@example.com'],
    ['Jürg <j@example.com>', 'j@example.com'],
    ['info@münchen.example', 'info@xn--mnchen-3ya.example'],
    ['a@example.com (Anna (not Berta))', 'a@example.com'],
    ['(x) Anna (y) < (z) a@example.com (w) > (v)', 'a@example.com'],
    ['(an \\) escaped bracket, and b@example.com) a@example.com', 'a@example.com'],
    ['a @ example.com', 'a@example.com'],
    ['"a b"@example.com', '"a b"@example.com'],
    ['a@[192.0.2.1]', 'a@[192.0.2.1]'],
    [', a@example.com,,', 'a@example.com'],
    ['Team: a@example.com;', 'a@example.com'],
    ['"The: team": A <a@example.com>;,', 'a@example.com'],
  ])('reads %s', (value, address) => {
    expect(fromAddresses(headerOf(`From: ${value}`))).toMatchObject({ address })
  })

  it('reads a field that is folded', () => {
    expect(fromAddresses(headerOf('From: "Anna', ' Public"', '\t<a@example.com>'))).toMatchObject({
      address: 'a@example.com',
    })
  })

  it.each([
    ['none', 'Subject: a'],
    ['none', 'From:'],
    ['none', 'From: (nobody)'],
    ['none', 'From: undisclosed:;'],
    ['several', 'From: a@example.com, b@example.com'],
    ['several', 'From: Team: a@example.com, b@example.com;'],
    ['several', 'From: Team: a@example.com;, b@example.com'],
    ['several', 'From: a@example.com, a@example.com'],
    ['unparsable', 'From: Anna'],
    ['unparsable', 'From: Public, Anna <a@example.com>'],
    ['unparsable', 'From: a@good.example <b@example.com>'],
    ['unparsable', 'From: a@example.com <b@example.com>, c@example.com'],
    ['unparsable', 'From: <@evil.example:ceo@example.com>'],
    ['unparsable', 'From: <@evil.example,@b.example:ceo@example.com>'],
    ['unparsable', 'From: a@example.com b@example.com'],
    ['unparsable', 'From: <a@example.com> <b@example.com>'],
    ['unparsable', 'From: <a@example.com> x'],
    ['unparsable', 'From: a b@example.com'],
    ['unparsable', 'From: <a@example.com'],
    ['unparsable', 'From: a@example.com>'],
    ['unparsable', 'From: <<a@example.com>>'],
    ['unparsable', 'From: <>'],
    ['unparsable', 'From: @example.com'],
    ['unparsable', 'From: a@b@example.com'],
    ['unparsable', 'From: "a@example.com'],
    ['unparsable', 'From: (a@example.com'],
    ['unparsable', 'From: a@example.com)'],
    ['unparsable', 'From: Team: a@example.com'],
    ['unparsable', 'From: Team: Sub: a@example.com;;'],
    ['unparsable', 'From: Team: a@example.com; b@example.com'],
    ['unparsable', 'From: a@example.com;'],
    ['unparsable', 'From: : a@example.com;'],
    ['unparsable', 'From: u%evil.example@example.com'],
    ['unparsable', 'From: "a@evil.example"@example.com'],
    ['unparsable', 'From: a@evil\u3002example'],
    ['unparsable', 'From: a\u200b@example.com'],
    ['unparsable', 'From: Anna\u0000 <a@example.com>'],
  ])('says %s of %s', (defect, line) => {
    expect(fromAddresses(headerOf(line))).toEqual({ defect })
  })

  it('takes neither the first nor the last of several fields', () => {
    const several = { defect: 'several' }
    expect(fromAddresses(headerOf('From: a@example.com', 'From: b@example.com'))).toEqual(several)
    expect(fromAddresses(headerOf('From: a@example.com', 'FROM : a@example.com'))).toEqual(several)
  })

  it('does not guess what stands in the part of a header it did not read', () => {
    const header = parseHeader(Buffer.from(`From: a@example.com\r\n${'a:\r\n'.repeat(2500)}`))
    expect(fromAddresses(header)).toEqual({ defect: 'unparsable' })
  })

  it('does not read a field that is longer than any list of authors', () => {
    const quoted = (length: number) =>
      fromAddresses(headerOf(`From: "${'a'.repeat(length)}" <a@example.com>`))
    expect(quoted(50_000)).toMatchObject({ address: 'a@example.com' })
    expect(quoted(16_000_000)).toEqual({ defect: 'unparsable' })
  })

  it('reads octets that are not UTF-8 only where they do not matter', () => {
    const latin1 = (text: string) => fromAddresses(parseHeader(Buffer.from(text, 'latin1')))
    expect(latin1('From: "J\xfcrg" <j@example.com>\r\n')).toMatchObject({ address: 'j@example.com' })
    expect(latin1('From: j\xfcrg@example.com\r\n')).toEqual({ defect: 'unparsable' })
  })
})

describe('parseMailboxes', () => {
  it('gives the members of lists and groups in order', () => {
    const list = 'A <a@example.com>, Team: b@example.com, "C" <c@example.com>; , d@example.com'
    expect(parseMailboxes(list)?.map((mailbox) => mailbox.address)).toEqual([
      'a@example.com',
      'b@example.com',
      'c@example.com',
      'd@example.com',
    ])
  })

  it('reads or refuses any text, and does so quickly', () => {
    const piece = fc.constantFrom(
      'a',
      '@',
      'example.com',
      '<',
      '>',
      ',',
      ';',
      ':',
      '"',
      '(',
      ')',
      '\\',
      ' ',
      '.',
      '[',
      ']',
      'ü',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const mailboxes = parseMailboxes(pieces.join(''))
        for (const { address } of mailboxes ?? []) expect(address).toMatch(/^[^\s<>]+@[^\s<>@]+$|^".*"@/)
      }),
    )
    const started = performance.now()
    for (const nasty of ['(', '"', '<', ':', 'a:', '\\', '(\\', ',', '@', 'a@b,', '"\\', '['])
      parseMailboxes(nasty.repeat(20_000))
    expect(performance.now() - started).toBeLessThan(5000)
  })
})
