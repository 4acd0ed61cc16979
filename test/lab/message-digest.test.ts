import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { formatLoadMark, MessageDigest, parseLoadMark } from '../../src/lab/message-digest.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function digest(message: string, chunkBytes: number) {
  const digester = new MessageDigest()
  const bytes = Buffer.from(message)
  for (let at = 0; at < bytes.length; at += chunkBytes) digester.update(bytes.subarray(at, at + chunkBytes))
  return digester.finish()
}

const mark = { run: 'a1b2', seq: 17, sha256: '0'.repeat(64) }

describe('MessageDigest', () => {
  const body = 'first\r\n\r\nsecond\r\n'
  const message = `Message-ID: <1@example.com>\r\nx-relay-load: ${formatLoadMark(mark)}\r\n\r\n${body}`

  it.each([1, 2, 7, 100, 10_000])(
    'finds size, body hash, id and mark in chunks of %i bytes',
    (chunkBytes) => {
      const expected = { sizeBytes: message.length, sha256: sha256(body), messageId: '<1@example.com>', mark }
      expect(digest(message, chunkBytes)).toEqual(expected)
    },
  )

  it('does not let trace fields change the hash of the body', () => {
    const traced = `Received: from a\r\n\tby b; now\r\n${message}`
    expect(digest(traced, 5)).toMatchObject({ sizeBytes: traced.length, sha256: sha256(body), mark })
  })

  it('reads a mark that a hop has folded', () => {
    const folded = message.replace('; sha256', ';\r\n\tsha256')
    expect(digest(folded, 11).mark).toEqual(mark)
  })

  it.each([
    ['an empty message', '', ''],
    ['a header block without a body', 'Subject: x\r\n', ''],
    ['a body without a header block', '\r\nbody\r\n', 'body\r\n'],
  ])('hashes the body of %s', (_, text, expected) => {
    for (const chunkBytes of [1, 100])
      expect(digest(text, chunkBytes)).toMatchObject({ sha256: sha256(expected), mark: null })
  })

  it('does not take a field of the body for one of the header', () => {
    expect(digest(`Subject: x\r\n\r\nX-Relay-Load: ${formatLoadMark(mark)}\r\n`, 100).mark).toBeNull()
  })
})

it.each(['', 'run=a', 'run=a; seq=x; sha256=0', `run=a b; seq=1; sha256=${'0'.repeat(64)}`])(
  'does not take %j for a mark',
  (value) => {
    expect(parseLoadMark(value)).toBeNull()
  },
)
