import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type HeaderChange, MilterHeader } from '../../../src/policy/checkers/milter-header.ts'
import { MilterError } from '../../../src/policy/checkers/milter-protocol.ts'

const headerOf = (text: string | Buffer, leadingSpace = false) =>
  new MilterHeader(typeof text === 'string' ? Buffer.from(text, 'latin1') : text, { leadingSpace })
const shown = (header: MilterHeader) =>
  header.shown.map(({ name, value }) => `${name}=${value.toString('latin1')}`)

describe('a filter is shown', () => {
  it.each<[string, string, string[], string]>([
    ['fields, with their folds as LF', 'To: a,\r\n\tb\r\nX:c\r\n\r\n', ['To=a,\n\tb', 'X=c'], ''],
    ['one space less', 'To:  a\r\nX:\tb\r\n\r\n', ['To= a', 'X=\tb'], ''],
    ['empty fields', 'To:\r\nX: \r\n\r\n', ['To=', 'X='], ''],
    ['names without the white space after them', 'To \t: a\r\n\r\n', ['To=a'], ''],
    ['lines that end in LF alone', 'To: a,\n b\nX: c\n\n', ['To=a,\n b', 'X=c'], ''],
    ['8-bit octets as they are', 'Subject: \xfc\r\n\r\n', ['Subject=\xfc'], ''],
    ['a space for a NUL, which would hide what follows', 'X: a\0b\r\n\r\n', ['X=a b'], ''],
    ['a header that nothing ends', 'To: a\r\nX: b', ['To=a', 'X=b'], ''],
    ['no header', '\r\n', [], ''],
    ['nothing at all', '', [], ''],
    ['no mbox line', 'From a@example.com Mon\r\nTo: a\r\n\r\n', ['To=a'], ''],
    [
      'as body all from the first line that is no field',
      'To: a\r\nno field\r\nX: b\r\n\r\n',
      ['To=a'],
      'no field\r\nX: b\r\n\r\n',
    ],
    ['as body what begins with a fold', ' fold\r\nX: b\r\n\r\n', [], ' fold\r\nX: b\r\n\r\n'],
    ['as body a second mbox line', 'From a\r\nFrom b\r\nX: c\r\n\r\n', [], 'From b\r\nX: c\r\n\r\n'],
  ])('%s', (_name, text, fields, body) => {
    const header = headerOf(text)
    expect(shown(header)).toEqual(fields)
    expect(header.shownAsBody.toString('latin1')).toBe(body)
  })

  it('all that follows the colon, where that was agreed', () => {
    expect(shown(headerOf('To:  a\r\nX:b\r\n\r\n', true))).toEqual(['To=  a', 'X=b'])
  })
})

const field = (name: string, value: string) => ({ name, value: Buffer.from(value, 'latin1') })
const add = (name: string, value: string): HeaderChange => ({ kind: 'addHeader', ...field(name, value) })
const insert = (index: number, name: string, value = 'x'): HeaderChange => ({
  kind: 'insertHeader',
  index,
  ...field(name, value),
})
const change = (index: number, name: string, value: string): HeaderChange => ({
  kind: 'changeHeader',
  index,
  ...field(name, value),
})

describe('a filter changes', () => {
  const applied = (text: string, ...changes: HeaderChange[]) => {
    const header = headerOf(text)
    for (const each of changes) header.apply(each)
    return header.bytes({ bodyReplaced: false }).toString('latin1')
  }
  const three = 'A: 1\r\nB: 2\r\nA: 3\r\n\r\n'

  it.each<[string, string, HeaderChange[], string]>([
    ['the end', three, [add('C', '4')], 'A: 1\r\nB: 2\r\nA: 3\r\nC: 4\r\n\r\n'],
    [
      'a field with folds',
      three,
      [add('C', '4\n\t5\r\n 6')],
      'A: 1\r\nB: 2\r\nA: 3\r\nC: 4\r\n\t5\r\n 6\r\n\r\n',
    ],
    ['the top, before our trace field', three, [insert(0, 'C')], 'C: x\r\nA: 1\r\nB: 2\r\nA: 3\r\n\r\n'],
    ['the top, behind our trace field', three, [insert(1, 'C')], 'C: x\r\nA: 1\r\nB: 2\r\nA: 3\r\n\r\n'],
    ['the place behind the first field', three, [insert(2, 'C')], 'A: 1\r\nC: x\r\nB: 2\r\nA: 3\r\n\r\n'],
    ['a place behind all fields', three, [insert(100, 'C')], 'A: 1\r\nB: 2\r\nA: 3\r\nC: x\r\n\r\n'],
    [
      'the top twice, the later one above',
      three,
      [insert(1, 'C'), insert(1, 'D')],
      'D: x\r\nC: x\r\nA: 1\r\nB: 2\r\nA: 3\r\n\r\n',
    ],
    [
      'the top, counting what it put before our trace field',
      three,
      [insert(0, 'C'), insert(1, 'D'), insert(3, 'E')],
      'C: x\r\nD: x\r\nE: x\r\nA: 1\r\nB: 2\r\nA: 3\r\n\r\n',
    ],
    ['the first of a name', three, [change(1, 'a', '9')], 'a: 9\r\nB: 2\r\nA: 3\r\n\r\n'],
    ['the second of a name', three, [change(2, 'A', '9')], 'A: 1\r\nB: 2\r\nA: 9\r\n\r\n'],
    ['the first, asked for as the zeroth', three, [change(0, 'A', '9')], 'A: 9\r\nB: 2\r\nA: 3\r\n\r\n'],
    [
      'one that is not there, which adds it',
      three,
      [change(3, 'A', '9')],
      'A: 1\r\nB: 2\r\nA: 3\r\nA: 9\r\n\r\n',
    ],
    ['one to nothing, which removes it', three, [change(2, 'A', '')], 'A: 1\r\nB: 2\r\n\r\n'],
    ['one that is not there to nothing', three, [change(1, 'C', '')], three],
    ['all of a name, last first', three, [change(2, 'A', ''), change(1, 'A', '')], 'B: 2\r\n\r\n'],
    ['a header that nothing ends', 'A: 1', [add('B', '2')], 'A: 1\r\nB: 2\r\n'],
    ['an empty header', '\r\n', [add('B', '2')], 'B: 2\r\n\r\n'],
    [
      'what stands behind an mbox line',
      'From a\r\nA: 1\r\n\r\n',
      [insert(1, 'C')],
      'From a\r\nC: x\r\nA: 1\r\n\r\n',
    ],
    [
      'nothing behind a line that is no field',
      'A: 1\r\nodd\r\nA: 2\r\n\r\n',
      [add('B', '2'), change(2, 'A', '3')],
      'A: 1\r\nB: 2\r\nA: 3\r\nodd\r\nA: 2\r\n\r\n',
    ],
  ])('%s', (_name, text, changes, expected) => {
    expect(applied(text, ...changes)).toBe(expected)
  })

  it('a field with the spaces it wants, where that was agreed', () => {
    const header = headerOf('A:1\r\n\r\n', true)
    header.apply(add('B', '  2'))
    expect(header.bytes({ bodyReplaced: false }).toString()).toBe('A:1\r\nB:  2\r\n\r\n')
  })

  it.each<[string, HeaderChange]>([
    ['LF before what is no fold', add('X', 'a\nBcc: b')],
    ['CRLF before what is no fold', add('X', 'a\r\nBcc: b')],
    ['CR alone', add('X', 'a\rb')],
    ['CR before CRLF', add('X', 'a\r\r\n b')],
    ['LF at the end', change(1, 'A', 'a\n')],
    ['an empty line', insert(1, 'X', 'a\n\n b')],
    ['NUL', add('X', 'a\0b')],
    ['a line break in the name', add('X\r\nY', 'a')],
    ['a colon in the name', add('X:Y', 'a')],
    ['a space in the name', add('X Y', 'a')],
    ['no name', add('', 'a')],
    ['8-bit octets in the name', add('\xfc', 'a')],
  ])('nothing where the new field holds %s', (_name, each) => {
    const header = headerOf(three)
    expect(() => header.apply(each)).toThrow(MilterError)
    expect(header.bytes({ bodyReplaced: false }).toString()).toBe(three)
  })

  it.each([
    ['A: 1\r\n\r\n', 'A: 1\r\n\r\n'],
    ['A: 1\n\n', 'A: 1\n\n'],
    ['A: 1\r\nodd\r\n\r\n', 'A: 1\r\n\r\n'],
    ['A: 1', 'A: 1\r\n\r\n'],
    ['A: 1\r\n', 'A: 1\r\n\r\n'],
    ['odd', '\r\n'],
    ['', '\r\n'],
  ])('the body, which then begins behind an empty line (%j)', (text, expected) => {
    expect(headerOf(text).bytes({ bodyReplaced: true }).toString()).toBe(expected)
  })
})

describe('whatever the bytes', () => {
  const piece = fc.constantFrom('From', 'A', ':', ' ', '\t', '\r', '\n', '\r\n', '\0', 'ü', 'From a', '>')
  const bytes = fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(pieces.join('')))
  /** As a draft has it: up to and with the first empty line. */
  const header = bytes.map((all) => {
    const end = /^\r?\n|\n\r?\n/.exec(all.toString('latin1'))
    return end === null ? all : all.subarray(0, end.index + end[0].length)
  })

  it('a header that nobody changes keeps them', () => {
    fc.assert(
      fc.property(header, (each) => {
        expect(headerOf(each).bytes({ bodyReplaced: false })).toEqual(each)
      }),
    )
  })

  it('a new field is one line more, and the rest keeps its bytes', () => {
    const place = fc.integer({ min: 0, max: 6 })
    fc.assert(
      fc.property(header, place, (each, index) => {
        const changed = headerOf(each)
        changed.apply(insert(index, 'X-New', 'value'))
        const text = changed.bytes({ bodyReplaced: false }).toString('latin1')
        expect(text.split('X-New: value\r\n')).toHaveLength(2)
        const without = text.replace('X-New: value\r\n', '')
        expect([each.toString('latin1'), `${each.toString('latin1')}\r\n`]).toContain(without)
      }),
    )
  })
})
