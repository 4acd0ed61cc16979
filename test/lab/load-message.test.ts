import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { DataReader } from '../../src/lab/data-reader.ts'
import { type LoadMessageOptions, LoadMessages } from '../../src/lab/load-message.ts'
import { MessageDigest } from '../../src/lab/message-digest.ts'

const options: LoadMessageOptions = {
  run: 'r1',
  seed: 1,
  from: ['a-{seq}@example.com', 'b@example.com'],
  to: ['x-{seq}-{n}@example.org'],
  recipientsPerMessage: 2,
  sizes: { kind: 'list', bytes: [4096] },
}

function contentOf(wire: readonly Buffer[]): Buffer {
  const part = new DataReader().read(Buffer.concat(wire))
  expect(part.rest?.length).toBe(0)
  return part.content
}

const bodyOf = (content: Buffer): Buffer => content.subarray(content.indexOf('\r\n\r\n') + 4)

describe('LoadMessages', () => {
  it.each([600, 1000, 4096, 65_536, 131_072, 131_073, 1_000_000])(
    'makes messages of exactly %i bytes that say their hash',
    (bytes) => {
      const messages = new LoadMessages({ ...options, sizes: { kind: 'list', bytes: [bytes] } })
      for (let seq = 1; seq <= 20; seq++) {
        const message = messages.message(seq)
        const content = contentOf(message.wire)
        expect([content.length, message.sizeBytes]).toEqual([bytes, bytes])
        expect(createHash('sha256').update(bodyOf(content)).digest('hex')).toBe(message.sha256)
        const digest = new MessageDigest()
        digest.update(content)
        expect(digest.finish().mark).toEqual({ run: 'r1', seq, sha256: message.sha256 })
      }
    },
  )

  it('makes the smallest message it can where the size is less', () => {
    const message = new LoadMessages({ ...options, sizes: { kind: 'list', bytes: [1] } }).message(1)
    expect(contentOf(message.wire).toString()).toMatch(/\r\n\r\nThis is message 1 of run r1\.\r\n$/)
  })

  it('has lines that begin with dots, empty lines and lone dots, and no line above 998 bytes', () => {
    const body = bodyOf(contentOf(new LoadMessages(options).message(5).wire)).toString()
    for (const part of ['\r\n.\r\n', '\r\n..', '\r\n\r\n']) expect(body).toContain(part)
    expect(Math.max(...body.split('\r\n').map((line) => line.length))).toBeLessThan(998)
    expect(body.replaceAll('\r\n', '')).toMatch(/^[\x20-\x7e]*$/)
  })

  it('makes the same message again, and no two alike', () => {
    const messages = new LoadMessages(options)
    const hash = (seq: number) => messages.message(seq).sha256
    expect(hash(3)).toBe(new LoadMessages(options).message(3).sha256)
    expect(new Set(Array.from({ length: 200 }, (_, seq) => hash(seq))).size).toBe(200)
  })

  it('fills in the patterns and uses them in turn', () => {
    const messages = new LoadMessages(options)
    expect(messages.message(1)).toMatchObject({
      from: 'b@example.com',
      to: ['x-1-1@example.org', 'x-1-2@example.org'],
    })
    expect(messages.message(2)).toMatchObject({ from: 'a-2@example.com' })
  })

  it('stays within a range of sizes and uses all of it', () => {
    const messages = new LoadMessages({
      ...options,
      sizes: { kind: 'range', minBytes: 1000, maxBytes: 1009 },
    })
    const sizes = Array.from({ length: 300 }, (_, seq) => messages.message(seq).sizeBytes)
    expect([...new Set(sizes)].sort()).toEqual(Array.from({ length: 10 }, (_, i) => 1000 + i))
  })
})
