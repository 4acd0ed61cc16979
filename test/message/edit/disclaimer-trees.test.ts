/** The disclaimer in random MIME trees, read before and after by mailsplit, which shares no code with us. */
import { Splitter } from '@zone-eu/mailsplit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { insertDisclaimer } from '../../../src/message/edit/disclaimer.ts'
import type { Disclaimer } from '../../../src/message/edit/edit.ts'
import { bytesOf, draftOf } from '../drafts.ts'

const text = 'Legal notice: für alle Ж'
const disclaimer: Disclaimer = {
  kind: 'disclaimer',
  text,
  html: null,
  position: 'append',
  fallback: 'reject',
}

interface ReadPart {
  readonly type: string
  readonly encoding: string
  readonly header: string
  body: string
}

/** Parts as they stand, and all that is between them. */
async function readBy(bytes: Buffer): Promise<{ parts: ReadPart[]; between: string }> {
  const splitter = new Splitter()
  splitter.end(bytes)
  const parts = new Map<unknown, ReadPart>()
  let between = ''
  for await (const chunk of splitter) {
    if (chunk.type === 'node')
      parts.set(chunk, {
        type: String(chunk.contentType || 'text/plain'),
        encoding: String(chunk.encoding || '7bit'),
        header: chunk.getHeaders().toString('latin1'),
        body: '',
      })
    else if (chunk.type === 'body') parts.get(chunk.node)!.body += chunk.value.toString('latin1')
    else if (chunk.type === 'data') between += chunk.value.toString('latin1')
  }
  return { parts: [...parts.values()], between }
}

function decoded({ encoding, body }: ReadPart): Buffer {
  if (encoding === 'base64') return Buffer.from(body, 'base64')
  if (encoding !== 'quoted-printable') return Buffer.from(body, 'latin1')
  const joined = body.replace(/=\r\n/g, '')
  return Buffer.from(
    joined.replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
}

type Leaf = readonly [fields: readonly string[], body: Buffer]
type Tree = Leaf | { readonly type: string; readonly parts: readonly Tree[] }

const line = fc.constantFrom(
  'text',
  '',
  'für',
  '--',
  '--b',
  '--b0x',
  ' -- ',
  'x'.repeat(200),
  'a\0b',
  '=',
  '<b>',
  '</body>',
  '>',
  'From x',
)
const body = fc.array(line, { maxLength: 8 }).map((lines) => Buffer.from(lines.join('\r\n')))
const octets = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))

const encodedText = (type: string) =>
  fc.tuple(body, fc.constantFrom('8bit', 'quoted-printable', 'base64')).map(([bytes, encoding]): Leaf => {
    const quoted = bytes
      .toString('latin1')
      .replace(
        /[^\r\n -<>-~]/g,
        (octet) => `=${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
      )
    const written =
      encoding === 'base64'
        ? Buffer.from(bytes.toString('base64'))
        : encoding === '8bit'
          ? bytes
          : Buffer.from(quoted.replace(/ (?=\r\n|$)/g, '=20'))
    return [[`Content-Type: ${type}; charset=utf-8`, `Content-Transfer-Encoding: ${encoding}`], written]
  })

const attachment: fc.Arbitrary<Leaf> = fc.oneof(
  octets.map((bytes): Leaf => [['Content-Type: application/x-junk'], bytes]),
  body.map((bytes): Leaf => [['Content-Type: text/plain; name=a.txt'], bytes]),
  body.map((bytes): Leaf => [['Content-Type: message/rfc822', 'Content-Disposition: attachment'], bytes]),
)

const { tree } = fc.letrec<{ tree: Tree; leaf: Leaf }>((tie) => ({
  leaf: fc.oneof(encodedText('text/plain'), encodedText('text/html'), attachment),
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    tie('leaf'),
    fc.record({
      type: fc.constantFrom('mixed', 'alternative', 'related'),
      parts: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
    }),
  ),
}))

let boundaries = 0
function written(node: Tree): Buffer {
  if (!('type' in node)) return Buffer.concat([Buffer.from(`${node[0].join('\r\n')}\r\n\r\n`), node[1]])
  const boundary = `=_${boundaries++}_`
  const pieces = node.parts.flatMap((part) => [Buffer.from(`\r\n--${boundary}\r\n`), written(part)])
  const type = `Content-Type: multipart/${node.type}; boundary="${boundary}"\r\n\r\npreamble`
  return Buffer.concat([Buffer.from(type), ...pieces, Buffer.from(`\r\n--${boundary}--\r\nepilogue`)])
}

describe('in any MIME tree, the disclaimer', () => {
  it('changes text parts alone, by itself alone, however the message is cut', async () => {
    let changedMessages = 0
    await fc.assert(
      fc.asyncProperty(tree, fc.integer({ min: 1, max: 50 }), async (node, size) => {
        boundaries = 0
        const bytes = Buffer.concat([Buffer.from('MIME-Version: 1.0\r\nX-A: 1\r\n'), written(node)])
        const draft = await insertDisclaimer(draftOf(bytes), disclaimer)
        const cut = await insertDisclaimer(draftOf(bytes, size), disclaimer)
        if ('refused' in draft || 'refused' in cut) {
          expect(draft).toEqual(cut)
          return
        }
        const result = await bytesOf(draft)
        expect((await bytesOf(cut)).equals(result)).toBe(true)
        const [before, after] = await Promise.all([readBy(bytes), readBy(result)])
        // It counts the line break behind an empty part to what is between parts.
        expect(after.between.replaceAll('\r\n', '')).toBe(before.between.replaceAll('\r\n', ''))
        expect(after.parts.map(({ type }) => type)).toEqual(before.parts.map(({ type }) => type))
        const changed = before.parts.filter((part, index) => {
          const now = after.parts[index]!
          if (now.body === part.body) {
            expect(now.header).toBe(part.header)
            return false
          }
          expect(part.type).toMatch(/^text\/(?:plain|html)$/)
          expect(part.header).not.toContain('name=')
          const shown =
            part.type === 'text/html' ? text.replace(/[^\x00-\x7f]/g, (c) => `&#${c.charCodeAt(0)};`) : text
          const [start, end, ...more] = decoded(now)
            .toString('latin1')
            .split(Buffer.from(shown).toString('latin1'))
          expect(more).toEqual([])
          const old = decoded(part).toString('latin1')
          expect(old.startsWith(start!.replace(/(?:\r\n(?:\r\n)?|\r\n<div>)$/, ''))).toBe(true)
          expect(old.endsWith(end!.replace(/^(?:<\/div>)?\r\n/, ''))).toBe(true)
          return true
        })
        expect(changed.length).toBeGreaterThan(0)
        changedMessages++
      }),
      { numRuns: 300 },
    )
    expect(changedMessages).toBeGreaterThan(100)
  })

  it('leaves every byte of a message that it cannot be put into', async () => {
    const piece = fc.constantFrom(
      '--b',
      '--b--',
      '\r\n',
      '\n',
      '\r',
      '\0',
      'a',
      '\xff',
      ' ',
      'Content-Type: application/x-junk\r\n\r\n',
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
        const bytes = Buffer.from(
          `Content-Type: application/x-junk; boundary=b\r\n\r\n${pieces.join('')}`,
          'latin1',
        )
        const draft = await insertDisclaimer(draftOf(bytes, 5), { ...disclaimer, fallback: 'ignore' })
        expect('header' in draft && (await bytesOf(draft)).equals(bytes)).toBe(true)
        const wrapped = await insertDisclaimer(draftOf(bytes, 5), { ...disclaimer, fallback: 'wrap' })
        expect('header' in wrapped && (await bytesOf(wrapped)).includes(bytes)).toBe(true)
      }),
    )
  })

  it('keeps the bytes around it whatever they are', async () => {
    const piece = fc.constantFrom(
      '--b',
      '--b--',
      '--b \r\n',
      '\r\n',
      '\r\n',
      '\n',
      '\r',
      '\0',
      'a',
      '\xff',
      ' ',
      'A: b',
      'Content-Type: text/html\r\n',
      'Content-Type: multipart/mixed; boundary=c\r\n',
      '\r\n--c',
      '<!--',
      '</body>',
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        async (pieces, size) => {
          const bytes = Buffer.from(
            `Content-Type: multipart/alternative; boundary=b\r\n\r\n${pieces.join('')}`,
            'latin1',
          )
          const marked = {
            ...disclaimer,
            text: 'DISCLAIMER',
            html: 'DISCLAIMER',
            fallback: 'ignore',
          } as const
          const draft = await insertDisclaimer(draftOf(bytes, size), marked)
          if ('refused' in draft) throw new Error('refused')
          const withoutLineBreaks = (each: Buffer): string => each.toString('latin1').replace(/[\r\n]/g, '')
          const result = withoutLineBreaks(await bytesOf(draft))
          expect(result.replaceAll('DISCLAIMER', '')).toBe(withoutLineBreaks(bytes))
        },
      ),
    )
  })
})
