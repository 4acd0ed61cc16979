import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseMimeValue } from '../../../src/message/content/mime-value.ts'

const parameters = (text: string) =>
  Object.fromEntries(
    [...parseMimeValue(text).parameters].map(([name, { plain, extended }]) => [name, extended ?? plain]),
  )

describe('parseMimeValue', () => {
  it.each<[string, string, Record<string, string>]>([
    ['text/plain', 'text/plain', {}],
    [' Text/Plain ; Charset = UTF-8 ;', 'text/plain', { charset: 'UTF-8' }],
    ['text/plain (a comment); charset=utf-8', 'text/plain', { charset: 'utf-8' }],
    ['attachment; filename="a;b=c.pdf"; size=1', 'attachment', { filename: 'a;b=c.pdf', size: '1' }],
    ['attachment; filename="a\\"b\\\\c.pdf"', 'attachment', { filename: 'a"b\\c.pdf' }],
    ['attachment; filename="C:\\temp\\a.pdf"', 'attachment', { filename: 'C:\\temp\\a.pdf' }],
    ['attachment; filename=""', 'attachment', { filename: '' }],
    ['multipart/mixed; boundary=----=_Part/1', 'multipart/mixed', { boundary: '----=_Part/1' }],
    ["attachment; filename*=utf-8'de'Gr%C3%BC%C3%9Fe.pdf", 'attachment', { filename: 'Grüße.pdf' }],
    ["attachment; filename*=iso-8859-1''Gr%FC%DFe.pdf", 'attachment', { filename: 'Grüße.pdf' }],
    ['attachment; filename*1=df; filename*0=a.p', 'attachment', { filename: 'a.pdf' }],
    [
      "attachment; filename*0*=utf-8''%C3; filename*1*=%BC; filename*2=%.pdf",
      'attachment',
      { filename: 'ü%.pdf' },
    ],
    ['', '', {}],
  ])('reads %s', (text, value, expected) => {
    const parsed = parseMimeValue(text)
    expect(parsed).toMatchObject({ value, defect: null })
    expect(parameters(text)).toEqual(expected)
  })

  it('keeps both forms of a parameter', () => {
    const { parameters: both } = parseMimeValue("attachment; filename=a.txt; filename*=utf-8''b.txt")
    expect(both.get('filename')).toEqual({ plain: 'a.txt', extended: 'b.txt' })
  })

  it.each([
    ['a; b=c; b=d', 'the parameter b twice'],
    ['a; b*0=c; b*0=d', 'the parameter b twice'],
    ['a; b', 'a parameter without a value'],
    ['a; b c=d', 'a parameter with an odd name'],
    ['a; b=c d', 'a parameter that needs quotes and has none'],
    ['a; b=c(d)', 'a parameter that needs quotes and has none'],
    ['a; b=c"d"', 'a parameter that needs quotes and has none'],
    ['a; b="c', 'quotes that do not end'],
    ['a; b="c" d', 'something behind the quotes'],
    ['a; b*0=c; b*2=d', 'a continued parameter with a gap'],
    [`a${'; b=c'.repeat(101)}`, 'more parameters than can be read'],
  ])('says what is wrong with %s', (text, defect) => {
    expect(parseMimeValue(text).defect).toBe(defect)
  })

  it('reads whatever comes', () => {
    const text = fc.array(
      fc.constantFrom('a', ';', '=', '"', '\\', '*', '0', "'", '%', 'C3', ' ', '(', 'ü'),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(text, (pieces) => {
        const { value } = parseMimeValue(pieces.join(''))
        expect(value).toBe(value.toLowerCase().trim())
      }),
      { numRuns: 2000 },
    )
  })
})
