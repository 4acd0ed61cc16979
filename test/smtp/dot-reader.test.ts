import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DotReader } from '../../src/smtp/dot-reader.ts'

/** What comes out of `text` in the pieces that `cuts` make of it; `rest` is all that follows the end. */
function read(text: string, cuts: readonly number[] = []): { content: string; rest: string | null } {
  const bytes = Buffer.from(text, 'latin1')
  const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length]
  const reader = new DotReader()
  let content = ''
  for (let i = 1; i < edges.length; i++) {
    const piece = reader.write(bytes.subarray(edges[i - 1], edges[i]))
    content += piece.content.toString('latin1')
    if (piece.rest !== null)
      return { content, rest: piece.rest.toString('latin1') + bytes.subarray(edges[i]).toString('latin1') }
  }
  return { content, rest: null }
}

/** The rule of RFC 5321 §4.5.2, with the whole text at hand; what may still become an end is held back. */
function readPlainly(text: string): { content: string; rest: string | null } {
  const end = `\r\n${text}`.indexOf('\r\n.\r\n')
  const data = end === -1 ? text.replace(/(^|\r\n)\.\r?$/, '$1') : text.slice(0, end)
  const content = `\r\n${data}`.replace(/\r\n\./g, '\r\n').slice(2)
  return { content, rest: end === -1 ? null : text.slice(end + 3) }
}

describe('DotReader', () => {
  it.each([
    ['.\r\n', '', ''],
    ['a\r\n.\r\nQUIT', 'a\r\n', 'QUIT'],
    ['..\r\n.\r\n', '.\r\n', ''],
    ['.a\r\n.\r\n', 'a\r\n', ''],
    ['a.\r\n.b.\r\n..c\r\n.\r\n', 'a.\r\nb.\r\n.c\r\n', ''],
    ['\r\n.\r\n', '\r\n', ''],
    ['.\r', '', null],
    ['.', '', null],
    ['a\r\n.', 'a\r\n', null],
    ['a\n.\n', 'a\n.\n', null],
    ['a\n..b\r\n', 'a\n..b\r\n', null],
    ['a\r.\r', 'a\r.\r', null],
    ['a\r\n.\n', 'a\r\n\n', null],
    ['a\r\n.\r.\r\n', 'a\r\n\r.\r\n', null],
    ['a\n.\r\n', 'a\n.\r\n', null],
    ['a\r\r\n.\r\n', 'a\r\r\n', ''],
  ])('%j', (text, content, rest) => {
    expect(read(text)).toEqual({ content, rest })
    expect(readPlainly(text)).toEqual({ content, rest })
  })

  it('gives the octets themselves where nothing was stuffed', () => {
    const chunk = Buffer.from('Subject: x\r\n\r\nbody\r\n')
    expect(new DotReader().write(chunk).content.buffer).toBe(chunk.buffer)
  })

  it('reads every split as the rule says', () => {
    const text = fc
      .array(fc.constantFrom('\r', '\n', '\r\n', '.', '..', 'x', '\r\n.', '\0', '\r\n.\r\n'), {
        maxLength: 30,
      })
      .map((pieces) => pieces.join(''))
    const cuts = fc.array(fc.nat(60), { maxLength: 10 }).map((list) => list.sort((a, b) => a - b))
    fc.assert(
      fc.property(text, cuts, (data, at) => {
        const expected = readPlainly(data)
        expect(read(data)).toEqual(expected)
        expect(read(data, at)).toEqual(expected)
        expect(
          read(
            data,
            Array.from(data, (_, index) => index),
          ),
        ).toEqual(expected)
      }),
      { numRuns: 5000 },
    )
  })
})
