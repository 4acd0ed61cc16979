import { describe, expect, it } from 'vitest'
import { LineBuffer } from '../../src/observe/line-buffer.ts'

const roomy = 1024 ** 3

describe('a buffer of lines', () => {
  it('gives what was added, in its order and in UTF-8', () => {
    const lines = new LineBuffer()
    const texts = ['a\n', 'bücher\n', '日本語\n', '🙂\n', 'lone \ud800 surrogate\n', '']
    for (const text of texts) expect(lines.add(text, roomy)).toBe(Buffer.byteLength(text))
    expect(lines.length).toBe(Buffer.byteLength(texts.join('')))
    expect(lines.take()).toEqual(Buffer.from(texts.join('')))
    expect(lines.length).toBe(0)
    expect(lines.take()).toHaveLength(0)
  })

  it('keeps what was taken until the next time, whatever is added meanwhile', () => {
    const lines = new LineBuffer()
    for (let turn = 0; turn < 10; turn++) {
      const text = `${turn}`.repeat(turn * 20_000)
      lines.add(text, roomy)
      const taken = lines.take()
      lines.add('x'.repeat(200_000), roomy)
      expect(taken.toString()).toBe(text)
      expect(lines.take()).toHaveLength(200_000)
    }
  })

  it('grows by lines of any size', () => {
    const lines = new LineBuffer()
    const texts = [10, 65_500, 100, 3_000_000, 1, 70_000].map((length, i) => 'äbcde?'[i]!.repeat(length))
    for (const text of texts) lines.add(text, roomy)
    expect(lines.take().toString()).toBe(texts.join(''))
  })

  it.each([
    { text: 'abc', mostBytes: 3, bytes: 3 },
    { text: 'abc', mostBytes: 2, bytes: 0 },
    { text: 'äö', mostBytes: 4, bytes: 4 },
    { text: 'äö', mostBytes: 3, bytes: 0 },
    { text: 'a', mostBytes: 0, bytes: 0 },
    { text: 'a', mostBytes: -5, bytes: 0 },
  ])('takes $bytes octets of $text where $mostBytes are allowed', ({ text, mostBytes, bytes }) => {
    const lines = new LineBuffer()
    expect(lines.add(text, mostBytes)).toBe(bytes)
    expect(lines.take().toString()).toBe(bytes === 0 ? '' : text)
  })
})
