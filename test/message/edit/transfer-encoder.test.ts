import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decoding } from '../../../src/message/edit/part-rewriter.ts'
import { encodeAll, encoder } from '../../../src/message/edit/transfer-encoder.ts'

const quoted = (text: string): string =>
  encodeAll('quoted-printable', Buffer.from(text, 'latin1')).toString('latin1')

describe('the quoted-printable encoder', () => {
  it.each<[string, string, string]>([
    ['text', 'a b\tc', 'a b\tc'],
    ['line breaks', 'a\r\nb\r\n', 'a\r\nb\r\n'],
    ['a bare LF', 'a\nb', 'a=0Ab'],
    ['a bare CR', 'a\rb\r', 'a=0Db=0D'],
    ['CR CR LF', 'a\r\r\n', 'a=0D\r\n'],
    ['blanks before a line break', 'a \r\nb\t\r\n', 'a=20\r\nb=09\r\n'],
    ['blanks at the end', 'a  ', 'a =20'],
    ['a blank before a bare CR', 'a \rb', 'a=20=0Db'],
    ['the equals sign', 'a=b', 'a=3Db'],
    ['octets above 127 and controls', '\xfc\0\x7f', '=FC=00=7F'],
    ['a line of 76', 'a'.repeat(76), `${'a'.repeat(75)}=\r\na`],
    ['a code at the end of a line', `${'a'.repeat(74)}=`, `${'a'.repeat(74)}=\r\n=3D`],
  ])('writes %s', (_name, text, expected) => {
    expect(quoted(text)).toBe(expected)
  })
})

describe.each(['quoted-printable', 'base64'] as const)('%s', (encoding) => {
  it('decodes to what was encoded, in lines of 76, however it is cut', () => {
    const octets = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .array(fc.constantFrom(0x0d, 0x0a, 0x20, 0x09, 0x3d, 0x61, 0xfc), { maxLength: 300 })
        .map((all) => Uint8Array.from(all)),
    )
    fc.assert(
      fc.property(octets, fc.integer({ min: 1, max: 100 }), (array, size) => {
        const bytes = Buffer.from(array)
        const own = encoder(encoding)
        const pieces: Buffer[] = []
        for (let at = 0; at < bytes.length; at += size) pieces.push(own.write(bytes.subarray(at, at + size)))
        const encoded = Buffer.concat([...pieces, own.end()])
        expect(encoded.equals(encodeAll(encoding, bytes))).toBe(true)
        for (const line of encoded.toString('latin1').split('\r\n')) {
          expect(line).toMatch(/^[\t\x20-\x7e]{0,76}$/)
          expect(line).not.toMatch(/[ \t]$/)
        }
        const decode = decoding(encoding)
        expect(Buffer.concat([decode.write(encoded), decode.end()]).equals(bytes)).toBe(true)
      }),
    )
  })
})
