import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addField,
  changeField,
  fieldAsGiven,
  formatField,
  insertField,
  removeField,
  removeFields,
  setField,
  stripReceived,
} from '../../../src/message/edit/header-edit.ts'
import { decodeWords } from '../../../src/message/encoded-words.ts'
import { fieldsNamed, fieldValue, parseHeader } from '../../../src/message/header.ts'

const header = (text: string): Buffer => Buffer.from(text, 'latin1')
const written = (bytes: Buffer): string => bytes.toString('latin1')
const field = (name: string, value: string): string => written(formatField(name, value).raw)
const x = formatField('X-New', 'value')

describe('formatField', () => {
  it.each<[string, string, string, string]>([
    ['plain text', 'X-A', 'some text', 'X-A: some text\r\n'],
    ['an empty value', 'X-A', ' ', 'X-A:\r\n'],
    ['line breaks as spaces', 'X-A', 'a\r\nBcc: b@example.com\r\r\nc\n', 'X-A: a Bcc: b@example.com  c\r\n'],
    ['NUL and other controls as spaces', 'X-A', 'a\0b\x07c\x7fd', 'X-A: a b c d\r\n'],
    ['tabs as they are', 'X-A', 'a\tb', 'X-A: a\tb\r\n'],
    [
      'text that is not ASCII as encoded words',
      'X-A',
      'Grüße an alle',
      'X-A: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?= an alle\r\n',
    ],
    ['mostly foreign text in base64', 'X-A', 'Привет', 'X-A: =?UTF-8?B?0J/RgNC40LLQtdGC?=\r\n'],
    ['neighbours as one word', 'X-A', 'für Jörg', 'X-A: =?UTF-8?Q?f=C3=BCr_J=C3=B6rg?=\r\n'],
    [
      'a display name without its quotes',
      'From',
      '"Jörg \\"J\\" M." <j@example.com>',
      'From: =?UTF-8?Q?J=C3=B6rg_=22J=22_M=2E?= <j@example.com>\r\n',
    ],
    ['quotes that are text', 'Subject', 'der "König"', 'Subject: der =?UTF-8?Q?=22K=C3=B6nig=22?=\r\n'],
  ])('writes %s', (_name, name, value, expected) => {
    expect(field(name, value)).toBe(expected)
  })

  it('folds at white space, at 78 characters', () => {
    const words = `${'word '.repeat(40)}end`
    const lines = field('X-A', words).split('\r\n')
    expect(lines.every((line) => line.length <= 78)).toBe(true)
    expect(lines.slice(1, -1).every((line) => line.startsWith(' '))).toBe(true)
    expect(fieldValue(parseHeader(header(field('X-A', words))).fields[0]!)).toBe(words)
  })

  it('writes any text as one field of ASCII in lines of 998 at most, which reads as the text', () => {
    const piece = fc.constantFrom(
      'ü',
      '𠀀',
      '𝐀',
      ' ',
      '  ',
      '\t',
      'a',
      '"',
      '(',
      ')',
      '<',
      ',',
      '=',
      '?',
      'x'.repeat(500),
      ' '.repeat(900),
    )
    const text = fc.oneof(
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
      fc.string({ unit: 'grapheme', maxLength: 200 }),
    )
    fc.assert(
      fc.property(text, (value) => {
        const raw = field('Subject', value)
        expect(raw).toMatch(/^Subject:[\t\x20-\x7e]*(?:\r\n[ \t]+[\x21-\x7e][\t\x20-\x7e]*)*\r\n$/)
        expect(raw.split('\r\n').every((line) => line.length <= 998)).toBe(true)
        const [read, ...more] = parseHeader(header(raw)).fields
        expect(more).toEqual([])
        const expected = value.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, ' ').trim()
        if (!value.includes('=?')) expect(decodeWords(fieldValue(read!))).toBe(expected.replace(/\r\n/g, ' '))
      }),
    )
  })

  it.each(['', 'A B', 'A:', 'Ä', 'a'.repeat(77), 'X\r\nY'])('refuses %j as a name', (name) => {
    expect(() => formatField(name, 'v')).toThrow(RangeError)
    expect(() => fieldAsGiven(name, 'v')).toThrow(RangeError)
  })
})

describe('fieldAsGiven', () => {
  it.each<[string, string, string]>([
    ['its folding with LF', 'v=1;\n\ta=rsa-sha256;\n  b=QUJD', 'X: v=1;\r\n\ta=rsa-sha256;\r\n  b=QUJD\r\n'],
    ['its folding with CRLF', 'a;\r\n b', 'X: a;\r\n b\r\n'],
    ['the blank it begins with', '  a', 'X:  a\r\n'],
    ['a first line that is empty', '\n a', 'X:\r\n a\r\n'],
    ['a long line that may be', 'y'.repeat(990), `X: ${'y'.repeat(990)}\r\n`],
  ])('keeps %s', (_name, value, expected) => {
    expect(written(fieldAsGiven('X', value).raw)).toBe(expected)
  })

  it.each<[string, Buffer, string]>([
    [
      'a line that would be another field',
      Buffer.from('a\nBcc: b@example.com'),
      'X: a\r\n Bcc: b@example.com\r\n',
    ],
    ['an empty line', Buffer.from('a\n\nbody'), 'X: a\r\n body\r\n'],
    ['a line of blanks', Buffer.from('a\r\n \t\r\n b'), 'X: a\r\n b\r\n'],
    ['NUL', Buffer.from('a\0b'), 'X: a b\r\n'],
    ['octets of UTF-8', Buffer.from('für'), 'X: =?UTF-8?Q?f=C3=BCr?=\r\n'],
    ['octets of Latin-1', Buffer.from('für', 'latin1'), 'X: =?UTF-8?Q?f=C3=BCr?=\r\n'],
  ])('mends %s', (_name, value, expected) => {
    expect(written(fieldAsGiven('X', value).raw)).toBe(expected)
  })

  it('folds a line that is too long', () => {
    const lines = written(fieldAsGiven('X', `${'y'.repeat(500)} ${'z'.repeat(600)}`).raw).split('\r\n')
    expect(lines.every((line) => line.length <= 998)).toBe(true)
  })
})

describe('setField', () => {
  it.each<[string, string, string]>([
    ['the only one', 'A: 1\r\nX-New: old\r\nB: 2\r\n\r\n', 'A: 1\r\nX-New: value\r\nB: 2\r\n\r\n'],
    [
      'all of the name, at the place of the first',
      'x-new: 1\r\nB: 2\r\nX-NEW : 2\r\n\t3\r\n\r\n',
      'X-New: value\r\nB: 2\r\n\r\n',
    ],
    ['one that does not end', 'A: 1\r\nX-New: old', 'A: 1\r\nX-New: value\r\n'],
    ['none, and is added', 'A: 1\r\n\r\n', 'A: 1\r\nX-New: value\r\n\r\n'],
  ])('replaces %s', (_name, before, after) => {
    expect(written(setField(header(before), x))).toBe(after)
  })

  it('finds all of the name in a header of 50,000 fields', () => {
    const many = header(`${'a:\r\n'.repeat(25_000)}X-New: 1\r\n${'b:\r\n'.repeat(25_000)}X-New: 2\r\n\r\n`)
    expect(fieldCount(setField(many, x), 'X-New: value')).toBe(1)
    expect(written(removeFields(many, 'x-new'))).not.toContain('X-New')
  })
})

const fieldCount = (bytes: Buffer, text: string): number => written(bytes).split(text).length - 1

describe('addField', () => {
  it.each<[string, string, string]>([
    ['at the end', 'A: 1\r\nX-New: old\r\n\r\n', 'A: 1\r\nX-New: old\r\nX-New: value\r\n\r\n'],
    ['to an empty header', '\r\n', 'X-New: value\r\n\r\n'],
    ['to nothing', '', 'X-New: value\r\n'],
    ['to a header without an empty line', 'A: 1\r\n', 'A: 1\r\nX-New: value\r\n'],
    ['behind a last line that does not end', 'A: 1', 'A: 1\r\nX-New: value\r\n'],
    [
      'behind a mbox line',
      'From a@example.com Mon\r\n\r\n',
      'From a@example.com Mon\r\nX-New: value\r\n\r\n',
    ],
    ['to a header with bare LF', 'A: 1\nB: 2\n\n', 'A: 1\nB: 2\nX-New: value\r\n\n'],
    [
      'before what others take for the body',
      'A: 1\r\nno field\r\nB: 2\r\n\r\n',
      'A: 1\r\nX-New: value\r\nno field\r\nB: 2\r\n\r\n',
    ],
    ['before text without a header', 'Hello\r\n\r\n', 'X-New: value\r\nHello\r\n\r\n'],
    ['never before a fold', ' fold\r\nA: 1\r\n\r\n', ' fold\r\nA: 1\r\nX-New: value\r\n\r\n'],
    [
      'before an empty line with text behind it',
      'A: 1\n\nB: 2\r\n\r\n',
      'A: 1\nX-New: value\r\n\nB: 2\r\n\r\n',
    ],
  ])('adds %s', (_name, before, after) => {
    expect(written(addField(header(before), x))).toBe(after)
  })
})

describe('insertField', () => {
  it.each<[string, number, string]>([
    ['first', 0, 'X-New: value\r\nA: 1\r\nB: 2\r\n 3\r\nA: 4\r\n\r\n'],
    ['second', 1, 'A: 1\r\nX-New: value\r\nB: 2\r\n 3\r\nA: 4\r\n\r\n'],
    ['third', 2, 'A: 1\r\nB: 2\r\n 3\r\nX-New: value\r\nA: 4\r\n\r\n'],
    ['last', 3, 'A: 1\r\nB: 2\r\n 3\r\nA: 4\r\nX-New: value\r\n\r\n'],
    ['last where the index is too high', 99, 'A: 1\r\nB: 2\r\n 3\r\nA: 4\r\nX-New: value\r\n\r\n'],
  ])('makes the field the %s', (_name, index, after) => {
    expect(written(insertField(header('A: 1\r\nB: 2\r\n 3\r\nA: 4\r\n\r\n'), x, index))).toBe(after)
  })

  it('leaves a mbox line the first', () => {
    expect(written(insertField(header('From a Mon\r\nA: 1\r\n\r\n'), x, 0))).toBe(
      'From a Mon\r\nX-New: value\r\nA: 1\r\n\r\n',
    )
  })
})

describe('changeField and removeField', () => {
  const before = header('X-New: 1\r\nA: 2\r\nx-new: 3\r\n 4\r\n\r\n')
  it.each<[number, string, string]>([
    [1, 'X-New: value\r\nA: 2\r\nx-new: 3\r\n 4\r\n\r\n', 'A: 2\r\nx-new: 3\r\n 4\r\n\r\n'],
    [2, 'X-New: 1\r\nA: 2\r\nX-New: value\r\n\r\n', 'X-New: 1\r\nA: 2\r\n\r\n'],
    [3, 'X-New: 1\r\nA: 2\r\nx-new: 3\r\n 4\r\nX-New: value\r\n\r\n', written(before)],
    [0, 'X-New: 1\r\nA: 2\r\nx-new: 3\r\n 4\r\nX-New: value\r\n\r\n', written(before)],
  ])('find number %i of the name', (nth, changed, removed) => {
    expect(written(changeField(before, x, nth))).toBe(changed)
    expect(written(removeField(before, 'X-NEW', nth))).toBe(removed)
  })
})

describe('stripReceived', () => {
  it('removes all Received fields, folded ones whole, and nothing else', () => {
    const before = header('Received: a\r\n\tb\r\nX-Received: c\r\nRECEIVED : d\r\nFrom: e\r\n\r\n')
    expect(written(stripReceived(before))).toBe('X-Received: c\r\nFrom: e\r\n\r\n')
  })
})

describe('every edit', () => {
  const line = fc.constantFrom(
    'X-New',
    'A',
    ':',
    ' ',
    '\t',
    '\r',
    '\n',
    '\r\n',
    '\r\n',
    'a',
    '\0',
    '\xff',
    'From ',
  )
  const bytes = fc.oneof(
    fc.array(line, { maxLength: 40 }).map((pieces) => header(pieces.join(''))),
    fc.uint8Array({ maxLength: 60 }).map((noise) => Buffer.from(noise)),
  )
  const others = (edited: Buffer): string[] =>
    parseHeader(edited)
      .fields.filter((each) => each.name !== 'x-new')
      // The line break that a last line lacked is the only thing that may come to it.
      .map((each) => written(each.raw).replace(/\r\n$/, ''))

  const afterHeader = (edited: Buffer): string => written(edited.subarray(parseHeader(edited).sizeBytes))

  it.each<[string, (before: Buffer) => Buffer]>([
    ['set', (before) => setField(before, x)],
    ['add', (before) => addField(before, x)],
    ['insert', (before) => insertField(before, x, 1)],
    ['change', (before) => changeField(before, x, 1)],
    ['remove', (before) => removeFields(before, 'X-New')],
    ['remove one', (before) => removeField(before, 'X-New', 1)],
  ])('%s touches no other field and nothing behind the header, whatever the bytes', (_name, edit) => {
    fc.assert(
      fc.property(bytes, (before) => {
        const after = edit(before)
        expect(others(after)).toEqual(others(before))
        expect(afterHeader(after)).toBe(afterHeader(before))
      }),
    )
  })

  it('adds exactly one field, which reads as it was written', () => {
    fc.assert(
      fc.property(bytes, (before) => {
        const count = (edited: Buffer) => fieldsNamed(parseHeader(edited), 'x-new').length
        expect(count(addField(before, x))).toBe(count(before) + 1)
        expect(count(setField(before, x))).toBe(1)
        expect(fieldValue(fieldsNamed(parseHeader(setField(before, x)), 'x-new')[0]!)).toBe('value')
        expect(count(removeFields(before, 'x-new'))).toBe(0)
      }),
    )
  })
})
