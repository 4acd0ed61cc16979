import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataReader } from '../../src/lab/data-reader.ts'

/** Feeds the bytes in chunks of the given sizes, in turn, and collects what comes out. */
function read(wire: Buffer, sizes: readonly number[]): { content: string; rest: string | null } {
  const reader = new DataReader()
  let content = ''
  for (let at = 0, i = 0; at < wire.length; i++) {
    const size = sizes[i % sizes.length]!
    const part = reader.read(Buffer.from(wire.subarray(at, at + size)))
    at += size
    content += part.content.toString('latin1')
    if (part.rest) return { content, rest: part.rest.toString('latin1') + wire.toString('latin1', at) }
  }
  return { content, rest: null }
}

const chunkings = [[1], [2], [3], [5], [1, 4], [4, 1, 2], [100_000]]

describe('DataReader', () => {
  it.each([
    ['an ordinary message', 'a\r\nb\r\n.\r\n', 'a\r\nb\r\n', ''],
    ['an empty message', '.\r\n', '', ''],
    ['an empty line', '\r\n.\r\n', '\r\n', ''],
    ['what follows the final dot', 'a\r\n.\r\nMAIL FROM:<>\r\n', 'a\r\n', 'MAIL FROM:<>\r\n'],
    ['a stuffed dot', '..\r\n.\r\n', '.\r\n', ''],
    ['stuffed dots in the first and later lines', '..a\r\n..\r\n...b\r\n.\r\n', '.a\r\n.\r\n..b\r\n', ''],
    ['a dot that was not stuffed', 'a\r\n.b\r\n.\r\n', 'a\r\nb\r\n', ''],
    ['a dot in a line', 'a.\r\n b.c\r\n.\r\n', 'a.\r\n b.c\r\n', ''],
    ['a dot before a bare CR', 'a\r\n.\rb\r\n.\r\n', 'a\r\n\rb\r\n', ''],
    ['many line ends', '\r\n\r\n\r\r\n\n.\r\n\r\n.\r\n', '\r\n\r\n\r\r\n\n.\r\n\r\n', ''],
  ])('reads %s, whatever the chunks', (_, wire, content, rest) => {
    for (const sizes of chunkings) expect(read(Buffer.from(wire), sizes)).toEqual({ content, rest })
  })

  it.each([
    '\n.\n',
    '\n.\r\n',
    '\r.\r',
    '\r\n.\n',
    '\r\n.\r',
    '\r.\r\n',
    '\n.\r',
    '\r\n.\0\r\n',
    '\r\n\0.\r\n',
  ])('does not end a message at %j', (smuggled) => {
    const wire = Buffer.from(`a${smuggled}MAIL FROM:<x@example.com>\r\n.\r\n`)
    for (const sizes of chunkings) {
      const { content, rest } = read(wire, sizes)
      expect(rest).toBe('')
      expect(content).toContain('MAIL FROM:<x@example.com>\r\n')
    }
  })

  it('gives back any content that was dot-stuffed, cut anywhere', () => {
    const piece = fc.constantFrom('.', '..', '\r', '\n', '\r\n', 'a', 'bc', '\0', '\r\n.', '\xff')
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
        (pieces, sizes) => {
          const content = pieces.length === 0 ? '' : `${pieces.join('')}\r\n`
          const stuffed = `\r\n${content}`.replaceAll('\r\n.', '\r\n..').slice(2)
          const wire = Buffer.from(`${stuffed}.\r\nNOOP\r\n`, 'latin1')
          expect(read(wire, sizes)).toEqual({ content, rest: 'NOOP\r\n' })
        },
      ),
    )
  })
})
