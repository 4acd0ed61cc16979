import { describe, expect, it } from 'vitest'
import { insertDisclaimer } from '../../../src/message/edit/disclaimer.ts'
import type { Disclaimer } from '../../../src/message/edit/edit.ts'
import { bytesOf, draftOf, message } from '../drafts.ts'

const plainDisclaimer: Disclaimer = {
  kind: 'disclaimer',
  text: 'Legal\nnotice\n',
  html: '<p>Legal notice</p>',
  position: 'append',
  fallback: 'wrap',
}

/** What comes of the message, the same however it is cut. */
async function inserted(bytes: Buffer, options: Partial<Disclaimer> = {}): Promise<string> {
  let first: string | null = null
  for (const size of [100_000, 1, 7, 64]) {
    const draft = await insertDisclaimer(draftOf(bytes, size), { ...plainDisclaimer, ...options })
    if ('refused' in draft) return `${draft.refused.code} ${draft.refused.enhanced}`
    const text = withFixedBoundary(await bytesOf(draft))
    expect(withFixedBoundary(await bytesOf(draft))).toBe(text)
    first ??= text
    expect(text).toBe(first)
  }
  return first!
}

/** Boundaries are random, and so long that the field is folded. */
const withFixedBoundary = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replaceAll(/=_wrapped-[0-9a-f-]{36}/g, '=_wrapped')
    .replace(';\r\n boundary="=_w', '; boundary="=_w')

const lines = (...all: readonly string[]): string => all.join('\r\n')

describe('in a plain message, the disclaimer', () => {
  it.each<[string, Partial<Disclaimer>, string[], string[]]>([
    [
      'stands at the end',
      {},
      ['Subject: a', '', 'Text', ''],
      ['Subject: a', '', 'Text', '', 'Legal', 'notice', ''],
    ],
    [
      'stands at the beginning',
      { position: 'prepend' },
      ['Subject: a', '', 'Text', ''],
      ['Subject: a', '', 'Legal', 'notice', '', 'Text', ''],
    ],
    [
      'ends the line that nothing ends',
      {},
      ['A: b', '', 'Text'],
      ['A: b', '', 'Text', '', 'Legal', 'notice'],
    ],
    ['is the text where there is none', {}, ['A: b', '', ''], ['A: b', '', 'Legal', 'notice', '']],
    ['comes with the empty line that a header lacks', {}, ['A: b', ''], ['A: b', '', 'Legal', 'notice', '']],
    ['comes with the line break that a header lacks', {}, ['A: b'], ['A: b', '', 'Legal', 'notice', '']],
    ['is the message where there is none', {}, [''], ['', 'Legal', 'notice', '']],
    ['leaves an empty header empty', {}, ['', 'Text', ''], ['', 'Text', '', 'Legal', 'notice', '']],
    [
      'keeps NUL, bare LF and octets above 127',
      {},
      ['A: b', '', 'a\0b\nc\rd\xfc', ''],
      ['A: b', '', 'a\0b\nc\rd\xfc', '', 'Legal', 'notice', ''],
    ],
    [
      'finds the end of a header of bare LF',
      {},
      ['A: b\n\nText', ''],
      ['A: b\n\nText', '', 'Legal', 'notice', ''],
    ],
    [
      'is stuffed, without blanks at its ends, in format=flowed',
      { text: 'From us  \n> a\n b' },
      ['Content-Type: text/plain; format=flowed', '', 'Text ', 'goes on ', ''],
      ['Content-Type: text/plain; format=flowed', '', 'Text ', 'goes on ', '', ' From us', ' > a', '  b', ''],
    ],
    [
      'has no control characters',
      { text: 'a\0b\x1b[0m\tc' },
      ['A: b', '', 'Text', ''],
      ['A: b', '', 'Text', '', 'ab[0m\tc', ''],
    ],
  ])('%s', async (_name, options, before, after) => {
    expect(await inserted(message(...before), options)).toBe(lines(...after))
  })

  it('is added again to a message that has it', async () => {
    const once = await inserted(message('A: b', '', 'Text', ''))
    expect(await inserted(Buffer.from(once, 'latin1'))).toBe(`${once}\r\nLegal\r\nnotice\r\n`)
  })
})

describe('in the transfer encoding of the part', () => {
  const typed = (...fields: string[]): string[] => ['Content-Type: text/plain; charset=utf-8', ...fields, '']

  it.each<[string, Partial<Disclaimer>, string[], string[]]>([
    [
      'quoted-printable is written again',
      { text: 'für = x' },
      [...typed('Content-Transfer-Encoding: quoted-printable'), 'a=C3=BC=', 'b', ''],
      [...typed('Content-Transfer-Encoding: quoted-printable'), 'a=C3=BCb', '', 'f=C3=BCr =3D x', ''],
    ],
    [
      'base64 is written again',
      { text: 'für' },
      [...typed('Content-Transfer-Encoding: BASE64'), Buffer.from('Text').toString('base64'), ''],
      [...typed('Content-Transfer-Encoding: BASE64'), Buffer.from('Text\r\n\r\nfür').toString('base64'), ''],
    ],
    [
      '8bit holds what is not ASCII',
      { text: 'für' },
      [...typed('Content-Transfer-Encoding: 8bit'), 'Text', ''],
      [...typed('Content-Transfer-Encoding: 8bit'), 'Text', '', 'f\xc3\xbcr', ''],
    ],
    [
      '7bit becomes quoted-printable for what is not ASCII',
      { text: 'für' },
      [...typed('MIME-Version: 1.0', 'Content-Transfer-Encoding: 7bit'), 'a=b', ''],
      [
        ...typed('MIME-Version: 1.0', 'Content-Transfer-Encoding: quoted-printable'),
        'a=3Db',
        '',
        'f=C3=BCr',
        '',
      ],
    ],
    [
      '7bit becomes quoted-printable for a line that is too long',
      { text: 'x'.repeat(999) },
      [...typed('MIME-Version: 1.0'), 'a', ''],
      [
        ...typed('MIME-Version: 1.0', 'Content-Transfer-Encoding: quoted-printable'),
        'a',
        '',
        ...Array.from({ length: 13 }, () => `${'x'.repeat(75)}=`),
        'x'.repeat(24),
        '',
      ],
    ],
    [
      'a checksum of the old content goes',
      {},
      [...typed('MIME-Version: 1.0', 'Content-MD5: AAAA'), 'Text', ''],
      [...typed('MIME-Version: 1.0'), 'Text', '', 'Legal', 'notice', ''],
    ],
  ])('%s', async (_name, options, before, after) => {
    expect(await inserted(message(...before), options)).toBe(lines(...after))
  })
})

describe('in the character set of the part', () => {
  const withText = (charset: string, text: string, encoding = '8bit'): Buffer =>
    message(
      'MIME-Version: 1.0',
      `Content-Type: text/plain; charset=${charset}; format=fixed`,
      `Content-Transfer-Encoding: ${encoding}`,
      '',
      text,
    )

  it('what it can hold is written in it', async () => {
    const text = await inserted(withText('"ISO-8859-1"', '\xe4\r\n'), { text: 'für' })
    expect(text).toBe(`${withText('"ISO-8859-1"', '\xe4\r\n').toString('latin1')}\r\nf\xfcr\r\n`)
  })

  it('ASCII is written in any that is like ASCII', async () => {
    for (const charset of ['shift_jis', 'gbk', 'koi8-r', 'iso-2022-jp'])
      expect(await inserted(withText(charset, 'a\r\n'))).toBe(
        `${withText(charset, 'a\r\n').toString('latin1')}\r\nLegal\r\nnotice\r\n`,
      )
  })

  it.each<[string, Buffer, string]>([
    ['iso-8859-1', Buffer.from('\xe4', 'latin1'), 'ä'],
    ['windows-1251', Buffer.from('\xcf\x93', 'latin1'), 'П“'],
    ['iso-2022-jp', Buffer.from('GyRCJTUlYRsoQg==', 'base64'), 'サメ'],
    ['utf-16le', Buffer.from('aä', 'utf16le'), 'aä'],
    ['gb18030', Buffer.from('\x81\x40\x88\x9f', 'latin1'), '丂垷'],
  ])('%s that cannot hold it becomes UTF-8', async (charset, octets, text) => {
    const after = await inserted(withText(charset, octets.toString('base64'), 'base64'), { text: 'Ж€ü' })
    const [header, body] = after.split('\r\n\r\n')
    expect(header).toContain('Content-Type: text/plain; charset=utf-8; format=fixed')
    expect(Buffer.from(body!, 'base64').toString()).toBe(`${text}\r\n\r\nЖ€ü`)
  })

  it('8-bit text that becomes UTF-8 becomes quoted-printable', async () => {
    const after = await inserted(withText('iso-8859-1', '\x61\xe4\r\n'), { text: 'Ж' })
    expect(after).toContain('Content-Transfer-Encoding: quoted-printable\r\n')
    expect(after).toMatch(/\r\n\r\na=C3=A4\r\n\r\n=D0=96\r\n$/)
  })

  it.each<[string, string[], string[]]>([
    [
      'none, in a message without MIME',
      ['A: b', '', 'Text', ''],
      [
        'A: b',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: quoted-printable',
        'MIME-Version: 1.0',
        '',
        'Text',
        '',
        '=D0=96',
        '',
      ],
    ],
    [
      'US-ASCII, in which UTF-8 was written all the same',
      [
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset="US-ASCII"; x=y',
        'Content-Transfer-Encoding: 8bit',
        '',
        '\xc3\xbc',
        '',
      ],
      [
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8; x=y',
        'Content-Transfer-Encoding: 8bit',
        '',
        '\xc3\xbc',
        '',
        '\xd0\x96',
        '',
      ],
    ],
    [
      'a type that cannot be read',
      ['MIME-Version: 1.0', 'Content-Type: text', 'Content-Transfer-Encoding: 8bit', '', 'a', ''],
      [
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: 8bit',
        '',
        'a',
        '',
        '\xd0\x96',
        '',
      ],
    ],
  ])('becomes UTF-8 from %s', async (_name, before, after) => {
    expect(await inserted(message(...before), { text: 'Ж' })).toBe(lines(...after))
  })

  it.each<[string, Buffer, string]>([
    ['one that nobody knows', withText('x-none', 'a\r\n'), 'D'],
    ['UTF-7', withText('utf-7', 'a\r\n'), 'D'],
    ['UTF-16 without its order', withText('utf-16', 'YQA=', 'base64'), 'D'],
    ['octets that are not of it', withText('gb18030', '\xff\r\n'), 'Ж'],
    ['octets of something else than ASCII or UTF-8', message('A: b', '', 'f\xfcr', ''), 'Ж'],
  ])('nothing is guessed: %s', async (_name, bytes, text) => {
    expect(await inserted(bytes, { text, fallback: 'reject' })).toBe('550 5.7.1')
  })
})

describe('in an HTML message, the disclaimer', () => {
  const html = (...text: string[]): string[] => [
    'MIME-Version: 1.0',
    'Content-Type: text/html; charset=iso-8859-1',
    '',
    ...text,
  ]

  it.each<[string, Partial<Disclaimer>, string[], string[]]>([
    [
      'stands before </body>',
      {},
      ['<body>a</body>', '</html>', ''],
      ['<body>a', '<p>Legal notice</p>', '</body>', '</html>', ''],
    ],
    [
      'stands behind <body>',
      { position: 'prepend' },
      ['<body x=y>a', ''],
      ['<body x=y>', '<p>Legal notice</p>', 'a', ''],
    ],
    ['stands at the end', {}, ['<p>a', ''], ['<p>a', '', '<p>Legal notice</p>', '']],
    ['is ASCII', { html: '<b>für 𝐀</b>' }, ['a'], ['a', '<b>f&#252;r &#119808;</b>', '']],
    [
      'is the text, escaped, where it has no HTML',
      { html: null, text: 'a < b & c > d\nü' },
      ['x</body>'],
      ['x', '<div>a &lt; b &amp; c &gt; d<br>', '&#252;</div>', '</body>'],
    ],
  ])('%s', async (_name, options, before, after) => {
    expect(await inserted(message(...html(...before)), options)).toBe(lines(...html(...after)))
  })

  it('falls back where it would stand in a comment', async () => {
    expect(await inserted(message(...html('a<!-- b')), { fallback: 'reject' })).toBe('550 5.7.1')
  })

  it('becomes quoted-printable for a line that is too long', async () => {
    const after = await inserted(message(...html('<body>ä</body>')), { html: 'x'.repeat(1000) })
    expect(after).toContain('Content-Transfer-Encoding: quoted-printable\r\n')
    expect(after.split('\r\n').every((line) => line.length <= 78)).toBe(true)
  })

  it('converts what shifts between sets, to find its place', async () => {
    const bytes = Buffer.concat([
      message('MIME-Version: 1.0', 'Content-Type: text/html; charset=iso-2022-jp', '', ''),
      Buffer.from('<body>\x1b$B%5%a\x1b(B</body>'),
    ])
    const after = await inserted(bytes)
    expect(after).toContain('charset=utf-8')
    expect(after).toContain('<body>=E3=82=B5=E3=83=A1\r\n<p>Legal notice</p>\r\n</body>')
  })
})

/** A multipart with its delimiters; `P` and `H` are a plain and an HTML part of a body, `+` marks those that take it. */
interface Tree {
  readonly type: string
  readonly parts: readonly (string | Tree | readonly [fields: readonly string[], text: string])[]
}

function build(tree: Tree, marked: boolean, depth = 0): string[] {
  const boundary = `b${depth}${tree.type.replace(/\W/g, '')}`
  const [type, ...parameters] = tree.type.split(';')
  const head = [`Content-Type: multipart/${[type, ...parameters].join(';')}; boundary="${boundary}"`, '']
  const all = tree.parts.flatMap((part) => {
    if (Array.isArray(part)) return [`--${boundary}`, ...part[0], '', part[1]]
    if (typeof part !== 'string') return [`--${boundary}`, ...build(part as Tree, marked, depth + 1)]
    const isHtml = part.startsWith('H')
    const fields = [`Content-Type: text/${isHtml ? 'html' : 'plain'}`]
    const takes = marked && part.endsWith('+')
    const text = isHtml
      ? takes
        ? ['<p>h', '<p>Legal notice</p>', '']
        : ['<p>h']
      : takes
        ? ['p', '', 'Legal', 'notice']
        : ['p']
    return [`--${boundary}`, ...fields, '', ...text]
  })
  return [...head, 'preamble', ...all, `--${boundary}--`, 'epilogue']
}

const pdf = [['Content-Type: application/pdf', 'Content-Transfer-Encoding: base64'], 'JVBERi0='] as const
const textFile = [['Content-Type: text/plain', 'Content-Disposition: attachment'], 'file'] as const
const namedFile = [['Content-Type: text/plain; name="a.txt"'], 'file'] as const
const mailFile = [['Content-Type: message/rfc822'], 'Subject: inner\r\n\r\ninner'] as const
const calendar = [['Content-Type: text/calendar; method=REQUEST'], 'BEGIN:VCALENDAR'] as const

describe('of a multipart, the disclaimer goes', () => {
  it.each<[string, Tree]>([
    ['into the text of mixed', { type: 'mixed', parts: ['P+', pdf] }],
    ['into the first text of mixed alone', { type: 'mixed', parts: ['P+', pdf, 'H', 'P'] }],
    ['into all versions of an alternative', { type: 'alternative', parts: ['P+', 'H+', calendar] }],
    [
      'into the alternative in mixed',
      { type: 'mixed', parts: [{ type: 'alternative', parts: ['P+', 'H+'] }, 'P', pdf] },
    ],
    ['into the root of related', { type: 'related', parts: ['H+', pdf, 'H'] }],
    [
      'into the root that related names',
      {
        type: 'related;start="<root@x>"',
        parts: [
          pdf,
          [
            ['Content-ID: <root@x>', 'Content-Type: multipart/alternative; boundary=i'],
            lines('--i', '', 'p', '--i--'),
          ],
        ],
      },
    ],
    [
      'into alternatives with related inside',
      {
        type: 'mixed',
        parts: [{ type: 'alternative', parts: ['P+', { type: 'related', parts: ['H+', pdf] }] }, pdf],
      },
    ],
    [
      'into alternatives inside related',
      {
        type: 'related;type="multipart/alternative"',
        parts: [{ type: 'alternative', parts: ['P+', 'H+'] }, pdf, 'H'],
      },
    ],
    [
      'past attachments before the text',
      { type: 'mixed', parts: [pdf, textFile, namedFile, mailFile, 'P+', 'P'] },
    ],
    ['into an unknown multipart as into mixed', { type: 'x-none', parts: ['H+', 'P'] }],
    ['into mixed in mixed', { type: 'mixed', parts: [{ type: 'mixed', parts: [pdf, 'P+', 'P'] }, 'P'] }],
    ['past a part that holds no text', { type: 'mixed', parts: [{ type: 'mixed', parts: [pdf] }, 'P+'] }],
    ['past a digest', { type: 'mixed', parts: [{ type: 'digest', parts: [mailFile] }, 'P+'] }],
    [
      'into the explanation of a report',
      { type: 'report; report-type=delivery-status', parts: ['P+', mailFile] },
    ],
  ])('%s', async (name, tree) => {
    const before = build(tree, false).join('\r\n')
    const expected = name.includes('names')
      ? before.replace('p\r\n--i--', 'p\r\n\r\nLegal\r\nnotice\r\n--i--')
      : build(tree, true).join('\r\n')
    expect(expected).not.toBe(before)
    expect(await inserted(Buffer.from(before))).toBe(expected)
  })

  it('into one that is cut off', async () => {
    const before = message('Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'text')
    expect(await inserted(before)).toBe(`${before.toString()}\r\n\r\nLegal\r\nnotice`)
  })

  it('into parts with headers of their own, changed where they must', async () => {
    const before = message(
      'MIME-Version: 1.0',
      'Content-Type: multipart/alternative; boundary=b',
      '',
      '--b',
      '',
      'text',
      '--b  ',
      'X-A: 1',
      'content-TYPE: text/plain;',
      '\tcharset=iso-8859-1 ; format=flowed',
      'X-B: 2',
      '',
      'f\xfcr',
      '--b--',
      '',
    )
    expect(await inserted(before, { text: 'Ж' })).toBe(
      lines(
        'MIME-Version: 1.0',
        'Content-Type: multipart/alternative; boundary=b',
        '',
        '--b',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: quoted-printable',
        '',
        'text',
        '',
        '=D0=96',
        '--b  ',
        'X-A: 1',
        'Content-Type: text/plain; charset=utf-8 ; format=flowed',
        'X-B: 2',
        'Content-Transfer-Encoding: quoted-printable',
        '',
        'f=C3=BCr',
        '',
        '=D0=96',
        '--b--',
        '',
      ),
    )
  })

  it('into the body without reading the attachments behind it before', async () => {
    let read = 0
    const start = message('Content-Type: multipart/mixed; boundary=b', '', '')
    const body = {
      async *read() {
        for (const piece of [
          '--b\r\n\r\ntext\r\n--b\r\nContent-Type: application/pdf\r\n\r\n',
          'a',
          'b',
          '\r\n--b--\r\n',
        ]) {
          read++
          yield Buffer.from(piece)
        }
      },
    }
    const draft = await insertDisclaimer({ header: start, body }, plainDisclaimer)
    expect(read).toBe(1)
    expect('body' in draft && (await bytesOf(draft)).toString()).toContain(
      'text\r\n\r\nLegal\r\nnotice\r\n--b',
    )
  })
})

describe('a message that is signed or encrypted', () => {
  const armored = (what: string): string => `\r\n-----BEGIN PGP ${what}-----\r\n\r\nhQEM`
  it.each<[string, string]>([
    ['is signed', lines('Content-Type: multipart/signed; boundary=b', '', '--b', '', 'text', '--b--', '')],
    [
      'is encrypted',
      lines('Content-Type: multipart/encrypted; boundary=b', '', '--b', '', 'text', '--b--', ''),
    ],
    [
      'is signed in mixed',
      lines(
        'Content-Type: multipart/mixed; boundary=a',
        '',
        '--a',
        'Content-Type: multipart/signed; boundary=b',
        '',
        '--b',
        '',
        'x',
        '--b--',
        '--a--',
        '',
      ),
    ],
    [
      'is opaque S/MIME',
      lines('Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m', '', 'MII=', ''),
    ],
    [
      'is S/MIME by its name',
      lines('Content-Type: application/octet-stream; name="smime.p7m"', '', 'MII=', ''),
    ],
    ['is a PGP message', lines('A: b', '', armored('MESSAGE'), '')],
    ['is a signed PGP message', lines('A: b', '', armored('SIGNED MESSAGE'), '')],
    [
      'is a PGP message in a set that nobody knows',
      lines('Content-Type: text/plain; charset=x', '', armored('MESSAGE'), ''),
    ],
    [
      'is a PGP message in base64',
      lines('Content-Transfer-Encoding: base64', '', Buffer.from(armored('MESSAGE')).toString('base64'), ''),
    ],
  ])('is left alone: it %s', async (_name, text) => {
    const bytes = Buffer.from(text)
    for (const fallback of ['wrap', 'reject'] as const)
      for (const position of ['append', 'prepend'] as const)
        expect(await inserted(bytes, { fallback, position })).toBe(text)
  })

  it('is not one that mentions or attaches one', async () => {
    const quoted = await inserted(message('A: b', '', 'I wrote', armored('MESSAGE'), ''))
    expect(quoted).toMatch(/Legal\r\nnotice\r\n$/)
    const attached = await inserted(
      message(
        ...['Content-Type: multipart/mixed; boundary=a', '', '--a', '', 'text', '--a'],
        ...['Content-Type: multipart/signed; boundary=b', '', '--b', '', 'x', '--b--', '--a--', ''],
      ),
    )
    expect(attached).toContain('text\r\n\r\nLegal\r\nnotice\r\n--a')
  })
})

describe('where it cannot be inserted', () => {
  const impossible = message(
    'Received: from a',
    'Received: from b',
    'From: a@example.com',
    'DKIM-Signature: v=1; b=x',
    'Subject: Hello',
    'MIME-Version: 1.0',
    'Content-Type: application/pdf;',
    ' name=a.pdf',
    'no field',
    'Message-ID: <1@example.com>',
    '',
    'JVBERi0=\0',
  )
  const wrapped = (eightBit = false): string[] => [
    'Received: from a',
    'Received: from b',
    'From: a@example.com',
    'Subject: Hello',
    'Message-ID: <1@example.com>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="=_wrapped"',
    `Content-Transfer-Encoding: ${eightBit ? '8' : '7'}bit`,
    '',
    '--=_wrapped',
    'Content-Type: text/plain; charset=us-ascii',
    'Content-Transfer-Encoding: 7bit',
    '',
    'Legal',
    'notice',
    '--=_wrapped',
    'Content-Type: message/rfc822',
    `Content-Transfer-Encoding: ${eightBit ? '8' : '7'}bit`,
    'Content-Disposition: attachment',
    '',
  ]

  it('the message becomes an attachment, byte for byte', async () => {
    expect(await inserted(impossible)).toBe(
      lines(...wrapped(), `${impossible.toString('latin1')}\r\n--=_wrapped--\r\n`),
    )
  })

  it('it is 8bit where the message has such octets', async () => {
    const eightBit = Buffer.concat([impossible, Buffer.from('\xff', 'latin1')])
    expect(await inserted(eightBit)).toBe(
      lines(...wrapped(true), `${eightBit.toString('latin1')}\r\n--=_wrapped--\r\n`),
    )
  })

  it('text that is not ASCII is encoded', async () => {
    const after = await inserted(impossible, { text: 'für' })
    expect(after).toContain(
      lines('charset=utf-8', 'Content-Transfer-Encoding: quoted-printable', '', 'f=C3=BCr', '--='),
    )
  })

  it('a message without a header gets one', async () => {
    const after = await inserted(message('Content-Type: a/b', ''))
    expect(after).toMatch(/^MIME-Version: 1\.0\r\nContent-Type: multipart\/mixed; boundary="=_wrapped"\r\n/)
    expect(after).toContain('\r\n\r\nContent-Type: a/b\r\n\r\n--=_wrapped--')
  })

  it('an mbox line stays the first', async () => {
    const after = await inserted(message('From a@example.com Mon Jan 1', 'Content-Type: a/b', '', 'x'))
    expect(after).toMatch(/^From a@example\.com Mon Jan 1\r\nMIME-Version/)
  })

  it('the message goes as it is, or is refused', async () => {
    expect(await inserted(impossible, { fallback: 'ignore' })).toBe(impossible.toString('latin1'))
    expect(await inserted(impossible, { fallback: 'reject' })).toBe('550 5.7.1')
  })

  it.each<[string, string[]]>([
    [
      'no part holds text',
      ['Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Type: a/b', '', 'x', '--b--'],
    ],
    ['the text is a file', ['Content-Disposition: attachment; filename=a.txt', '', 'x']],
    ['the text is in a message', ['Content-Type: message/rfc822', '', 'A: b', '', 'x']],
    ['there is no boundary', ['Content-Type: multipart/mixed', '', '--b', '', 'x', '--b--']],
    ['the boundary never comes', ['Content-Type: multipart/mixed; boundary=b', '', 'x']],
    ['there are two types', ['Content-Type: text/plain', 'Content-Type: text/html', '', 'x']],
    [
      'there are two encodings',
      ['Content-Transfer-Encoding: 7bit', 'Content-Transfer-Encoding: base64', '', 'x'],
    ],
    ['the encoding is unknown', ['Content-Transfer-Encoding: x-uuencode', '', 'x']],
    ['base64 goes on behind its padding', ['Content-Transfer-Encoding: base64', '', 'QQ==', 'QUJDRA==']],
    ['base64 holds other characters', ['Content-Transfer-Encoding: base64', '', 'QU.FB']],
    [
      'one version of an alternative cannot take it',
      [
        'Content-Type: multipart/alternative; boundary=b',
        '',
        '--b',
        '',
        'x',
        '--b',
        'Content-Type: text/html; charset=x-none',
        '',
        'y',
        '--b--',
      ],
    ],
    [
      'the header is too large to be read',
      [`X: ${'y'.repeat(300_000)}`, 'Content-Type: text/plain', '', 'x'],
    ],
    [
      'a part has no end to its header',
      ['Content-Type: multipart/mixed; boundary=b', '', '--b', 'X: y', '--b--'],
    ],
    ['the body lies 1,000 parts deep', nested(1000)],
  ])('because %s', async (_name, before) => {
    expect(await inserted(message(...before), { fallback: 'reject' })).toBe('550 5.7.1')
    expect(await inserted(message(...before))).toContain(before.join('\r\n'))
  })

  it('1,000 parts behind the body are no reason', async () => {
    const [head, ...rest] = nested(1000)
    const before = message(
      'Content-Type: multipart/mixed; boundary=out',
      '',
      '--out',
      '',
      'text',
      '--out',
      head!,
      ...rest,
      '--out--',
    )
    expect(await inserted(before)).toBe(before.toString().replace('text', 'text\r\n\r\nLegal\r\nnotice'))
  })
})

function nested(levels: number): string[] {
  const all: string[] = []
  for (let level = 0; level < levels; level++)
    all.push(`Content-Type: multipart/mixed; boundary=n${level}`, '', `--n${level}`)
  return [...all, '', 'text', ...Array.from({ length: levels }, (_, level) => `--n${levels - 1 - level}--`)]
}
