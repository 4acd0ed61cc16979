import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RelaxedBody, relaxedField, withLineEnds } from '../../src/message/dkim-canonical.ts'

/** The body in these pieces, as a signature would see it. */
function relaxed(...pieces: (string | Buffer)[]): string {
  const out: string[] = []
  const body = new RelaxedBody((bytes) => out.push(bytes.toString('latin1')))
  for (const piece of pieces) body.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)
  body.end()
  return out.join('')
}

describe('a field in relaxed form', () => {
  it.each([
    // The example of RFC 6376 §3.4.5.
    ['A: X\r\n', 'a:X\r\n'],
    ['B : Y\t\r\n\tZ  \r\n', 'b:Y Z\r\n'],
    ['Subject: a\r\n\r\n', 'subject:a\r\n'],
    ['SUBJECT:\ta   b\tc \t \r\n', 'subject:a b c\r\n'],
    ['Subject:\r\n folded at once\r\n', 'subject:folded at once\r\n'],
    ['Subject:\r\n', 'subject:\r\n'],
    ['Subject: \t \r\n \t\r\n', 'subject:\r\n'],
    ['Subject: no line end', 'subject:no line end\r\n'],
    ['To: "a: b" <a@example.com>\r\n', 'to:"a: b" <a@example.com>\r\n'],
  ])('%j is %j', (raw, canonical) => {
    expect(relaxedField(Buffer.from(raw))).toBe(canonical)
  })
  it('keeps 8-bit octets, of which none is a blank', () => {
    const raw = Buffer.from([...Buffer.from('Subject: '), 0xa0, 0xfc, 0x85, 0x0d, 0x0a])
    expect(Buffer.from(relaxedField(raw), 'latin1')).toEqual(
      Buffer.from([...Buffer.from('subject:'), 0xa0, 0xfc, 0x85, 0x0d, 0x0a]),
    )
  })
})

describe('a body in relaxed form', () => {
  it.each([
    // The example of RFC 6376 §3.4.5.
    [' C \r\nD \t E\r\n\r\n\r\n', ' C\r\nD E\r\n'],
    ['', ''],
    ['\r\n', ''],
    ['\r\n\r\n', ''],
    [' \t\r\n \r\n', ''],
    [' ', ''],
    ['a', 'a\r\n'],
    ['a\r\n', 'a\r\n'],
    ['a\r\n \t \r\n\t\r\n', 'a\r\n'],
    ['a \t', 'a\r\n'],
    ['\r\n\r\na\r\n\r\nb\r\n\r\n', '\r\n\r\na\r\n\r\nb\r\n'],
    ['\t a\t\tb\r\n', ' a b\r\n'],
    ['a\r\n  \r\nb', 'a\r\n\r\nb\r\n'],
    // As it leaves by SMTP, a bare CR or LF is a line end.
    ['a\nb\n\n', 'a\r\nb\r\n'],
    ['a\rb\r\r', 'a\r\nb\r\n'],
    ['a \n\r\n\rb', 'a\r\n\r\n\r\nb\r\n'],
    ['a\0b\xff\xa0\x0c \r\n', 'a\0b\xff\xa0\x0c\r\n'],
  ])('%j is %j', (body, canonical) => {
    expect(relaxed(body)).toBe(canonical)
  })

  it('is the same however it is cut, and what the rules of RFC 6376 §3.4.4 make of the whole', () => {
    const octets = fc.constantFrom(...' \t\r\nab\0\xff')
    fc.assert(
      fc.property(fc.array(fc.array(octets, { maxLength: 9 }), { maxLength: 9 }), (pieces) => {
        const texts = pieces.map((piece) => piece.join(''))
        expect(relaxed(...texts)).toBe(naive(texts.join('')))
      }),
      { numRuns: 2000 },
    )
  })

  it('holds no empty lines in memory, and gives them back when something follows', () => {
    const lines = Buffer.alloc(64 * 1024, '\r\n')
    const pieces: Buffer[] = Array(64).fill(lines)
    expect(relaxed('a', ...pieces)).toBe('a\r\n')
    const length = 64 * 64 * 1024
    expect(relaxed('a', ...pieces, 'b')).toBe(`a${'\r\n'.repeat(length / 2)}b\r\n`)
  })
})

function naive(body: string): string {
  const text = body
    .replace(/\r\n|\r|\n/g, '\n')
    .replace(/[ \t]+/g, ' ')
    .replace(/ (?=\n|$)/g, '')
    .replace(/\n+$/, '')
  return text === '' ? '' : `${text}\n`.replaceAll('\n', '\r\n')
}

describe('a header as it will leave', () => {
  it('is the same buffer where all lines end in CRLF', () => {
    const header = Buffer.from('A: b\r\n c\r\nD: \xe9\r\n\r\n', 'latin1')
    expect(withLineEnds(header)).toBe(header)
  })
  it.each([
    ['A: b\nC: d\n\n', 'A: b\r\nC: d\r\n\r\n'],
    ['A: b\rC: d\r\n', 'A: b\r\nC: d\r\n'],
    ['A: \xe9\r\r\n\n', 'A: \xe9\r\n\r\n\r\n'],
  ])('%j is %j', (raw, header) => {
    expect(withLineEnds(Buffer.from(raw, 'latin1')).toString('latin1')).toBe(header)
  })
})
