import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TransferEncoding } from '../../../src/message/content/part-header.ts'
import { decoder } from '../../../src/message/content/transfer-encoding.ts'
import { UuencodeFinder } from '../../../src/message/content/uuencode.ts'
import { uuencode } from '../../support/file-samples.ts'

class Collected {
  readonly chunks: Buffer[] = []
  ended = false

  write(bytes: Buffer): void {
    this.chunks.push(Buffer.from(bytes))
  }

  end(): void {
    this.ended = true
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }
}

function decode(encoding: TransferEncoding, text: string, pieceBytes = 1000) {
  const sink = new Collected()
  const ambiguities: string[] = []
  const decoding = decoder(encoding, { sink, ambiguous: (what) => ambiguities.push(what) })
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; at += pieceBytes) decoding.write(bytes.subarray(at, at + pieceBytes))
  decoding.end()
  expect(sink.ended).toBe(true)
  return { text: sink.text, ambiguities }
}

describe('base64', () => {
  it.each<[string, string, number]>([
    ['', '', 0],
    ['YQ==', 'a', 0],
    ['YWI=', 'ab', 0],
    ['YWJj\r\nZGVm', 'abcdef', 0],
    ['YWI', 'ab', 0],
    ['Y', '', 0],
    ['YQ==YWI=', 'aab', 1],
    ['YQ==\r\n==', 'a', 0],
    ['YW!Jj', 'abc', 1],
    ['YWJj-- \r\n', 'abc', 1],
  ])('reads %j as %j', (encoded, text, ambiguities) => {
    const decoded = decode('base64', encoded)
    expect(decoded.text).toBe(text)
    expect(decoded.ambiguities).toHaveLength(ambiguities)
  })

  it('gives any octets back, in any pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 7 }), (bytes, pieceBytes) => {
        const encoded = Buffer.from(bytes).toString('base64').replace(/.{20}/g, '$&\r\n')
        expect(decode('base64', encoded, pieceBytes)).toEqual({
          text: Buffer.from(bytes).toString('latin1'),
          ambiguities: [],
        })
      }),
    )
  })
})

describe('quoted-printable', () => {
  it.each([
    ['a=3Db=3db', 'a=b=b'],
    ['a=\r\nb', 'ab'],
    ['a=\nb', 'ab'],
    ['a= \t\r\nb', 'ab'],
    ['a=zb', 'a=zb'],
    ['a=3', 'a=3'],
    ['a=', 'a='],
    ['a==3D', 'a=='],
    ['a=\rb', 'a=\rb'],
    [`a=${' '.repeat(100)}\r\nb`, `a=${' '.repeat(100)}\r\nb`],
  ])('reads %j as %j', (encoded, text) => {
    expect(decode('quoted-printable', encoded).text).toBe(text)
  })

  it('is the same in any pieces', () => {
    const piece = fc.constantFrom('=', '3', 'D', 'x', ' ', '\r', '\n', '=\r\n', '=3D', ' '.repeat(70))
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }),
        fc.integer({ min: 1, max: 9 }),
        (pieces, pieceBytes) => {
          const text = pieces.join('')
          expect(decode('quoted-printable', text, pieceBytes)).toEqual(decode('quoted-printable', text))
        },
      ),
      { numRuns: 1000 },
    )
  })
})

describe('uuencode', () => {
  function find(text: string, pieceBytes = 1000) {
    const files: { name: string; sink: Collected }[] = []
    const finder = new UuencodeFinder((name) => {
      files.push({ name, sink: new Collected() })
      return files.at(-1)!.sink
    })
    const bytes = Buffer.from(text, 'latin1')
    for (let at = 0; at < bytes.length; at += pieceBytes) finder.write(bytes.subarray(at, at + pieceBytes))
    finder.end()
    return files.map(({ name, sink }) => ({ name, text: sink.text, ended: sink.ended }))
  }

  it.each<[string, string, readonly string[]]>([
    ['a file in the text', `see\r\n${uuencode('a.exe', Buffer.from('Cat'))}\r\nregards`, ['a.exe']],
    [
      'two files',
      `${uuencode('a', Buffer.from('Cat'))}\r\n${uuencode('b c', Buffer.from('Cat'))}`,
      ['a', 'b c'],
    ],
    ['lines that end in LF', uuencode('a', Buffer.from('Cat')).replaceAll('\r', ''), ['a']],
    ['a file that does not end', 'begin 755 a\r\n#0V%T', ['a']],
    ['a sentence', 'begin with 3\r\nbegin 12 a\r\nbegin 644\r\n begin 644 a\r\n', []],
  ])('is found in %s', (_name, text, names) => {
    expect(find(text)).toEqual(names.map((name) => ({ name, text: 'Cat', ended: true })))
  })

  it('gives any octets back, in any pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 9 }), (bytes, pieceBytes) => {
        const [file] = find(`x\r\n${uuencode('a', Buffer.from(bytes))}\r\n`, pieceBytes)
        expect(file).toEqual({ name: 'a', text: Buffer.from(bytes).toString('latin1'), ended: true })
      }),
    )
  })
})
