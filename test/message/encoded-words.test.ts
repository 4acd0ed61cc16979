import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeWords, encodeRun, encodeWords } from '../../src/message/encoded-words.ts'

describe('decodeWords', () => {
  it.each<[string, string, string]>([
    ['plain text', 'a b', 'a b'],
    ['Q', '=?utf-8?Q?f=C3=BCr_dich?=', 'für dich'],
    ['B in lower case', '=?UTF-8?b?ZsO8cg==?=', 'für'],
    ['an older character set', '=?iso-8859-1?Q?f=FCr?=', 'für'],
    ['a language', '=?utf-8*de?Q?f=C3=BCr?=', 'für'],
    ['neighbours without the blank between them', '=?utf-8?Q?a?= =?utf-8?Q?b?=', 'ab'],
    ['a character that two words share', '=?utf-8?Q?f=C3?= =?utf-8?Q?=BCr?=', 'für'],
    ['text around words', 'x =?utf-8?Q?a?= y', 'x a y'],
    ['a character set that nobody knows', '=?x-none?Q?a?=', 'a'],
    ['what is no word', '=?utf-8?Q?a', '=?utf-8?Q?a'],
    ['an encoding that nobody knows', '=?utf-8?X?a?=', '=?utf-8?X?a?='],
  ])('reads %s', (_name, value, expected) => {
    expect(decodeWords(value)).toBe(expected)
  })

  it.each<[string, string, string]>([
    ['in Q', '=?utf-8?Q?a=0D=0ABcc:_b=00c=0Dd=0Ae?=', 'a Bcc: b c d e'],
    ['in B', `=?utf-8?B?${Buffer.from('a\r\nb\0').toString('base64')}?=`, 'a b '],
    ['in UTF-7', '=?utf-7?Q?a+AA0ACg-b?=', 'a b'],
    ['in UTF-16', '=?utf-16be?B?AGEADQAKAGI=?=', 'a b'],
    ['as they are', 'a\r\n =?utf-8?Q?b?=\0', 'a  b '],
    ['around a marker of the library', 'a__\0JOIN\0__=?utf-8?Q?b?=', 'a__ JOIN __b'],
  ])('makes line breaks and NUL spaces: %s', (_name, value, expected) => {
    expect(decodeWords(value)).toBe(expected)
  })

  it('leaves what comes behind 2000 words as it is', () => {
    const words = '=?utf-8?Q?a?= '.repeat(2001)
    expect(decodeWords(words)).toBe(`${'a'.repeat(2000)} =?utf-8?Q?a?= `)
  })

  const length = 256 * 1024
  const filled = (piece: string): string => piece.repeat(Math.ceil(length / piece.length)).slice(0, length)
  it.each<[string, string]>([
    ['words in unknown character sets', filled('=?x?Q?a?==?y?Q?b?=')],
    ['words in Japanese', filled('=?iso-2022-jp?B?GyRCJTUlYRsoQg==?= x ')],
    ['one word', `=?gb18030?Q?${filled('=81=30')}?=`],
    ['beginnings of words', filled('=?a?Q?')],
    ['openings', filled('=?')],
    ['blanks behind a word', `=?a?Q?b?=${filled(' ')}`],
    ['signs without digits', `=?utf-8?Q?${filled('= ')}?=`],
  ])('reads 256 KB of %s within a second', (_name, value) => {
    const before = performance.now()
    const text = decodeWords(value)
    expect(performance.now() - before).toBeLessThan(1000)
    expect(text.length).toBeLessThanOrEqual(value.length + 1)
  })

  it('never fails, and always gives one line', () => {
    const piece = fc.constantFrom(
      '=?',
      '?=',
      'utf-8',
      '?Q?',
      '?B?',
      '=',
      '0D',
      '=0A',
      'QQ==',
      ' ',
      '\r\n',
      '\0',
      '__\0JOIN\0__',
      'iso-2022-jp',
      'utf-16',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        expect(decodeWords(pieces.join(''))).not.toMatch(/[\r\n\0]/)
      }),
    )
  })
})

describe('encodeWords', () => {
  it('leaves ASCII as it is', () => {
    expect(encodeWords('some  text, "quoted"')).toBe('some  text, "quoted"')
  })

  it('writes words of 75 characters at most, each of whole characters', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('ü', 'a', '𠀀', 'é', '👩‍👩‍👧', ' ', 'я'),
          minLength: 1,
          maxLength: 200,
        }),
        (text) => {
          const words = encodeRun(text).split(' ')
          for (const word of words) {
            expect(word.length).toBeLessThanOrEqual(75)
            expect(decodeWords(word)).not.toContain('\ufffd')
          }
          expect(decodeWords(words.join(' '))).toBe(text)
        },
      ),
    )
  })

  it('reads back as it was written', () => {
    const word = fc.constantFrom('plain', 'für', 'Köln', '𠀀', 'x'.repeat(600), '"q"')
    const gap = fc.constantFrom(' ', '  ', '\t', ' '.repeat(500))
    fc.assert(
      fc.property(fc.array(fc.tuple(word, gap), { minLength: 1, maxLength: 12 }), (pairs) => {
        const text = pairs.flat().join('').trim()
        const written = encodeWords(text)
        expect(written).toMatch(/^[\t\x20-\x7e]*$/)
        expect(decodeWords(written)).toBe(text)
      }),
    )
  })
})
