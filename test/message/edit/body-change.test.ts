import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { changedBody, replaceBy } from '../../../src/message/edit/body-change.ts'
import { bodyOf } from '../drafts.ts'

async function read(body: ReturnType<typeof bodyOf>): Promise<string> {
  let text = ''
  for await (const chunk of body.read()) {
    expect(chunk.length).toBeGreaterThan(0)
    text += chunk.toString('latin1')
  }
  return text
}

const replaced = (from: number, to: number, by: string) => ({
  from,
  to,
  rewriter: replaceBy(Buffer.from(by)),
})

describe('changedBody', () => {
  it.each<[string, ReturnType<typeof replaced>[], string]>([
    ['nothing', [], '0123456789'],
    ['a stretch', [replaced(2, 4, 'ab')], '01ab456789'],
    ['an empty stretch', [replaced(3, 3, 'ab')], '012ab3456789'],
    ['the beginning', [replaced(0, 0, 'ab')], 'ab0123456789'],
    ['the end', [replaced(10, 10, 'ab')], '0123456789ab'],
    ['all', [replaced(0, 10, 'ab')], 'ab'],
    ['neighbours', [replaced(1, 3, 'ab'), replaced(3, 3, 'c'), replaced(3, 5, 'de')], '0abcde56789'],
    ['a stretch by nothing', [replaced(1, 9, '')], '09'],
    ['what lies behind the end', [replaced(8, 12, 'ab'), replaced(14, 20, 'c')], '01234567abc'],
  ])('changes %s, however the body is cut, and each time it is read', async (_name, changes, expected) => {
    for (let size = 1; size <= 11; size++) {
      const body = changedBody(bodyOf(Buffer.from('0123456789'), size), changes)
      expect(await read(body)).toBe(expected)
      expect(await read(body)).toBe(expected)
    }
  })

  it('gives a stretch to its rewriter as it is', async () => {
    const seen: string[] = []
    const rewriter = () => ({
      write: (bytes: Buffer) => {
        seen.push(bytes.toString())
        return bytes
      },
      end: () => Buffer.from('!'),
    })
    const body = changedBody(bodyOf(Buffer.from('0123456789'), 3), [{ from: 2, to: 7, rewriter }])
    expect(await read(body)).toBe('0123456!789')
    expect(seen).toEqual(['2', '345', '6'])
  })

  it('ends the body it reads when nobody reads on', async () => {
    let ended = false
    const source = {
      async *read() {
        try {
          for (;;) yield Buffer.from('0123456789')
        } finally {
          ended = true
        }
      },
    }
    for await (const _ of changedBody(source, [replaced(2, 4, 'ab')]).read()) break
    expect(ended).toBe(true)
  })

  it('passes all else byte for byte, whatever is changed', async () => {
    const stretch = fc.tuple(fc.nat(5), fc.nat(5), fc.string({ maxLength: 4 }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(stretch, { maxLength: 6 }),
        fc.integer({ min: 1, max: 20 }),
        async (stretches, size) => {
          const text = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
          let at = 0
          let expected = ''
          const changes = stretches.map(([gap, length, by]) => {
            expected += text.slice(at, at + gap) + by
            const from = at + gap
            at = from + length
            return replaced(from, at, by)
          })
          expected = Buffer.from(expected + text.slice(at)).toString('latin1')
          expect(await read(changedBody(bodyOf(Buffer.from(text), size), changes))).toBe(expected)
        },
      ),
    )
  })
})
