import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MessageContent } from '../../../src/message/content/content.ts'
import { inspectionLimits } from '../../../src/message/content/inspection-limits.ts'
import { inspect } from '../../../src/message/content/mime.ts'
import { exe, uuencode } from '../../support/file-samples.ts'
import { attached, base64, draftOf, lines, mail, multipart, plainPart } from '../../support/mail-builder.ts'
import { writeZip } from '../../support/zip-writer.ts'

const read = (text: string | Buffer): Promise<MessageContent> => inspect(draftOf(text))
const named = (content: MessageContent) => content.attachments.map((each) => each.name)

/** `within` and the name, as a path. */
const paths = (content: MessageContent) =>
  content.attachments.map((each) => [...each.within, each.name ?? each.contentType].join(' > '))

const program = attached('evil.exe', exe)
const empty = {
  text: '',
  textIncomplete: false,
  characterSets: [],
  attachments: [],
  types: [],
  ambiguities: [],
}

describe('the text of a message', () => {
  it.each<[string, string, string]>([
    ['a message without MIME', lines('From: a@example.com', '', 'Hello'), 'Hello\r\n'],
    ['a message without a header', lines('', 'Hello'), 'Hello\r\n'],
    [
      'quoted-printable',
      mail(
        lines(
          'Content-Type: text/plain; charset=utf-8',
          'Content-Transfer-Encoding: Quoted-Printable',
          '',
          'Gr=C3=BC=',
          '=C3=9Fe =3D',
        ),
      ),
      'Grüße =\r\n',
    ],
    ['base64', mail(lines('Content-Transfer-Encoding: base64', '', base64('Hello, world'))), 'Hello, world'],
    [
      'a declared character set',
      mail(`${lines('Content-Type: text/plain; charset="ISO-8859-2"', '')}\xa3\xf3d\xbc`),
      'Łódź',
    ],
    [
      'a Japanese one',
      mail(`${lines('Content-Type: text/plain; charset=iso-2022-jp', '')}\x1b$BF|K\\\x1b(B`),
      '日本',
    ],
    [
      'an unknown one, octets that are no UTF-8',
      mail(`${lines('Content-Type: text/plain; charset=x-none', '')}Gr\xfc\xdfe`),
      'Grüße',
    ],
    ['UTF-8 that nobody declared', mail(`${lines('')}Gr\xc3\xbc\xc3\x9fe`), 'Grüße'],
    [
      'HTML',
      mail(lines('Content-Type: text/html', '', '<p>in<b>voice</b> &amp; more</p><script>alert(1)</script>')),
      '\ninvoice & more\n \r\n',
    ],
    [
      'plain and HTML',
      mail(
        multipart([plainPart('one'), lines('Content-Type: text/html', '', '<i>two</i>')], {
          type: 'alternative',
        }),
      ),
      'one\ntwo\r\n',
    ],
    [
      'text with a name, which readers show',
      mail(multipart([lines('Content-Type: text/plain; name=a.txt', '', 'shown').slice(0, -2)])),
      'shown',
    ],
    [
      'no text that is an attachment',
      mail(multipart([plainPart('shown'), attached('a.txt', 'not shown', 'text/plain')])),
      'shown',
    ],
    [
      'no text of a message attached',
      mail(
        multipart([
          plainPart('shown'),
          lines('Content-Type: message/rfc822', '', 'Subject: x', '', 'not shown'),
        ]),
      ),
      'shown',
    ],
    [
      'no preamble and no epilogue',
      mail(multipart(['\r\nshown']).replace('\r\n--b\r\n', '\r\npreamble\r\n--b\r\n')).concat('epilogue'),
      'shown',
    ],
  ])('is that of %s', async (_name, message, text) => {
    expect(await read(message)).toMatchObject({ text, ambiguities: [] })
  })

  it('is capped at 256 KB, and says so', async () => {
    const content = await read(mail(lines('', 'word '.repeat(60_000))))
    expect(content.text).toHaveLength(256 * 1024)
    expect(content.textIncomplete).toBe(true)
    expect((await read(mail(lines('', 'word')))).textIncomplete).toBe(false)
  })

  it('reads the first megabyte of a part of many tags', async () => {
    const html = `first${'<b>'.repeat(400_000)}last`
    const content = await read(mail(lines('Content-Type: text/html', '', html)))
    expect(content).toMatchObject({ text: 'first', textIncomplete: true })
  })

  it('names the declared character sets, each once', async () => {
    const part = (charset: string) => lines(`Content-Type: text/plain; charset=${charset}`, '', 'x')
    const content = await read(mail(multipart([part('UTF-8'), part('utf-8'), part('koi8-r (Russian)')])))
    expect(content.characterSets).toEqual(['utf-8', 'koi8-r'])
  })
})

describe('an attachment', () => {
  it('has its decoded name, declared type, decoded size and type by content', async () => {
    const content = await read(
      mail(
        multipart([plainPart('see'), attached('=?utf-8?Q?R=C3=A9sum=C3=A9.PDF?=', exe, 'Application/PDF')]),
      ),
    )
    expect(content).toEqual({
      ...empty,
      text: 'see',
      attachments: [
        {
          name: 'Résumé.PDF',
          extension: 'pdf',
          contentType: 'application/pdf',
          sizeBytes: exe.length,
          types: ['executable'],
          within: [],
          notInspected: null,
        },
      ],
    })
  })

  it.each([
    ['an image in the text', lines('Content-Type: image/png', 'Content-ID: <a>', '', 'x'), null],
    [
      'text that is sent as a file',
      lines('Content-Type: text/csv', 'Content-Disposition: attachment', '', 'a;b'),
      null,
    ],
    ['a part with a name', lines('Content-Type: text/plain; name="a.bat"', '', 'dir'), 'a.bat'],
    [
      'a name in Content-Disposition alone',
      lines('Content-Disposition: inline; filename=a.bat', '', 'dir'),
      'a.bat',
    ],
  ])('is %s', async (_name, part, name) => {
    expect(named(await read(mail(multipart([plainPart('x'), part]))))).toEqual([name])
  })

  it('is the message itself, where that is no text', async () => {
    expect(named(await read(mail(program)))).toEqual(['evil.exe'])
  })

  it.each(['text/plain', 'text/html', 'message/delivery-status', 'text/rfc822-headers'])(
    'is not a part of the type %s without a name',
    async (type) => {
      expect((await read(mail(multipart([lines(`Content-Type: ${type}`, '', 'x')])))).attachments).toEqual([])
    },
  )

  it('is known to be a program where only its name says so', async () => {
    const content = await read(mail(attached('readme.txt.JS', 'WScript.Echo(1)')))
    expect(content.attachments[0]!.types).toEqual(['executable'])
  })

  it('is not opened where it is larger than 16 MB, and keeps its type and size', async () => {
    const archive = writeZip([{ name: 'a.bin', bytes: Buffer.alloc(17 * 1024 * 1024), stored: true }])
    const [found, ...inside] = (await read(mail(attached('a.zip', archive)))).attachments
    expect(found).toMatchObject({ types: ['archive'], notInspected: 'tooLarge', sizeBytes: archive.length })
    expect(inside).toEqual([])
  })

  it('that is large and nothing to be opened is seen', async () => {
    const picture = Buffer.alloc(17 * 1024 * 1024, 0xff)
    expect((await read(mail(attached('a.jpg', picture)))).attachments[0]).toMatchObject({
      notInspected: null,
    })
  })
})

describe('messages in messages', () => {
  const forwarded = (inner: string, encoding = '7bit') =>
    lines('Content-Type: message/rfc822', `Content-Transfer-Encoding: ${encoding}`, '', inner).slice(0, -2)

  it.each([
    ['as they are', forwarded(mail(multipart([plainPart('x'), program], { boundary: 'c' })))],
    ['in base64', forwarded(base64(mail(multipart([program], { boundary: 'c' }))), 'base64')],
    ['with the boundary of the outer one', forwarded(base64(mail(multipart([program]))), 'base64')],
    ['as a file', attached('fwd.eml', mail(multipart([program])))],
  ])('are read %s', async (_name, part) => {
    const content = await read(mail(multipart([plainPart('x'), part])))
    expect(content.attachments).toHaveLength(2)
    expect(content.attachments[1]).toMatchObject({ name: 'evil.exe', types: ['executable'] })
    expect(content.attachments[1]!.within).toHaveLength(1)
  })

  it('say what they were found in', async () => {
    const inner = mail(
      multipart([attached('a.zip', writeZip([{ name: 'x/b.exe', bytes: exe }]))], { boundary: 'c' }),
    )
    const named = forwarded(inner).replace('rfc822', 'rfc822; name="Invoice.eml"')
    expect(paths(await read(mail(multipart([named]))))).toEqual([
      'Invoice.eml',
      'Invoice.eml > a.zip',
      'Invoice.eml > a.zip > b.exe',
    ])
  })

  it('need no type in a digest', async () => {
    const content = await read(mail(multipart([`\r\n${mail(program)}`], { type: 'digest' })))
    expect(paths(content)).toEqual(['message/rfc822', 'message/rfc822 > evil.exe'])
  })

  it('stand before what follows them', async () => {
    const content = await read(mail(multipart([forwarded(mail(program)), attached('last.txt', 'x')])))
    expect(named(content)).toEqual([null, 'evil.exe', 'last.txt'])
  })

  it('have no say in what type the message is', async () => {
    const signed = mail(multipart([plainPart('x')], { type: 'signed', boundary: 'c' }))
    expect((await read(mail(multipart([forwarded(signed)])))).types).toEqual([])
  })
})

/** What other parsers were measured not to see. Each hides a program; each is found, or said to be ambiguous. */
describe('blind spots of other parsers', () => {
  const duplicated = (field: string, other: string) =>
    mail(multipart([plainPart('x'), program])).replace(field, `${other}\r\n${field}`)
  const whole = mail(multipart([plainPart('x'), program]))
  const rewritten = (from: string | RegExp, to: string) => {
    const message = whole.replace(from, to)
    expect(message).not.toBe(whole)
    return message
  }

  it.each<[string, string, string | RegExp]>([
    [
      'a second Content-Type',
      duplicated('Content-Type: multipart', 'Content-Type: text/plain'),
      'Content-Type twice',
    ],
    [
      'a second Content-Disposition',
      duplicated(
        'Content-Disposition: attachment; filename="evil.exe"',
        'Content-Disposition: inline; filename=a.txt',
      ),
      'Content-Disposition twice',
    ],
    [
      'a second Content-Transfer-Encoding',
      duplicated('Content-Transfer-Encoding: base64', 'Content-Transfer-Encoding: 7bit'),
      'Content-Transfer-Encoding twice',
    ],
    [
      'a second MIME-Version',
      rewritten('MIME-Version', 'MIME-Version: 2.0\r\nMIME-Version'),
      'MIME-Version twice',
    ],
    ['a second From', rewritten('From', 'From: b@example.com\r\nFrom'), 'From twice'],
    [
      'a part behind the closing boundary',
      `${mail(multipart([plainPart('x')]))}--b\r\n${program}\r\n--b--\r\n`,
      'a part behind the closing boundary',
    ],
    ['a closing boundary that is missing', rewritten(/--b--\r\n$/, ''), 'a closing boundary is missing'],
    [
      'an inner one that is missing',
      mail(multipart([multipart([plainPart('x')], { boundary: 'c' }).replace('--c--\r\n', ''), program])),
      'a closing boundary is missing',
    ],
    ['a boundary with a blank at its end', rewritten('boundary="b"', 'boundary="b "'), /boundary/],
    ['a boundary with a blank at its beginning', rewritten('boundary="b"', 'boundary=" b"'), /boundary/],
    [
      'a boundary longer than programs keep',
      mail(multipart([program], { boundary: 'b'.repeat(100) })),
      /boundary/,
    ],
    ['a boundary in two sections', rewritten('boundary="b"', 'boundary*0=b; boundary*1=""'), /boundary/],
    [
      'two boundaries',
      rewritten('boundary="b"', 'boundary="b"; boundary="c"'),
      'Content-Type: the parameter boundary twice',
    ],
    ['a multipart without a boundary', rewritten('; boundary="b"', ''), 'a multipart without a boundary'],
    [
      'an inner multipart with the outer boundary',
      mail(multipart([multipart([program])])),
      'two multiparts with the same boundary',
    ],
    [
      'a delimiter that goes on',
      rewritten('--b\r\nContent-Type: application', '--bcd\r\nContent-Type: application'),
      'a line that begins as a boundary and goes on',
    ],
    [
      'a delimiter behind a bare CR',
      rewritten('\r\n--b\r\nContent-Type: application', '\r--b\r\nContent-Type: application'),
      'a bare CR before what may be a boundary',
    ],
    [
      'a header cut off by a boundary',
      mail(multipart(['Content-Type: text/plain\r\nX: y', program])),
      'a part whose header does not end',
    ],
    [
      'an unknown Content-Transfer-Encoding',
      rewritten(': base64', ': base-64'),
      'a Content-Transfer-Encoding that is unknown',
    ],
    [
      'a Content-Transfer-Encoding with more behind it',
      rewritten(': base64', ': base64; x=y'),
      'a Content-Transfer-Encoding that is unknown',
    ],
    [
      'a multipart in base64',
      rewritten('MIME-Version', 'Content-Transfer-Encoding: base64\r\nMIME-Version'),
      'a multipart with a Content-Transfer-Encoding',
    ],
    ['base64 behind its padding', rewritten('TVq', 'QQ==\r\nTVq'), 'base64 that goes on behind its padding'],
    [
      'characters in base64 that are none',
      rewritten('TVq', '!TVq'),
      'characters in base64 that do not belong there',
    ],
    [
      'a blank before a colon',
      rewritten('Content-Type: multipart', 'Content-Type : multipart'),
      'a blank before the colon of Content-Type',
    ],
    [
      'a bare CR in a header',
      rewritten('Content-Type: multipart', 'X: y\rContent-Type: multipart'),
      'a bare CR in a header',
    ],
    [
      'a bare LF in a header',
      rewritten('Content-Type: multipart', 'X: y\nContent-Type: multipart'),
      'a bare LF in a header',
    ],
    [
      'a line of blanks in a header',
      rewritten('Content-Type: multipart', 'X: y\r\n \r\nContent-Type: multipart'),
      'a line of blanks in a header',
    ],
    [
      'a line that is no field',
      rewritten('Content-Type: multipart', 'no field\r\nContent-Type: multipart'),
      'a line in a header that is no field',
    ],
    [
      'a Content-Type that nobody can read',
      rewritten('multipart/mixed', 'multipart mixed'),
      'a Content-Type that cannot be read',
    ],
    ['a NUL in a name', rewritten('evil.exe', 'evil.exe\0.txt'), 'a NUL in a header'],
    [
      'an encoded NUL in a name',
      rewritten('"evil.exe"', '"=?utf-8?Q?evil.exe=00.txt?="'),
      'a control character in the name of an attachment',
    ],
    [
      'two names',
      rewritten('"evil.exe"', '"a.txt"; filename*=utf-8\'\'evil.exe'),
      'an attachment with two names',
    ],
    [
      'another name in Content-Type',
      rewritten('octet-stream', 'octet-stream; name=evil.txt'),
      'an attachment with two names',
    ],
    [
      'quotes that do not end',
      rewritten('"evil.exe"', '"evil.exe'),
      'Content-Disposition: quotes that do not end',
    ],
    [
      'a name that needs quotes',
      rewritten('"evil.exe"', 'evil .exe'),
      'Content-Disposition: a parameter that needs quotes and has none',
    ],
    ['a fragment of a message', rewritten('multipart/mixed', 'message/partial'), 'a fragment of a message'],
  ])('%s is ambiguous', async (_name, message, ambiguity) => {
    const { ambiguities } = await read(message)
    expect(ambiguities).toContainEqual(
      typeof ambiguity === 'string' ? ambiguity : expect.stringMatching(ambiguity),
    )
  })

  it.each<[string, string]>([
    ['a second Content-Type', duplicated('Content-Type: multipart', 'Content-Type: text/plain')],
    [
      'a part behind the closing boundary',
      `${mail(multipart([plainPart('x')]))}--b\r\n${program}\r\n--b--\r\n`,
    ],
    ['no closing boundary', rewritten(/--b--\r\n$/, '')],
    [
      'an inner multipart that is not closed',
      mail(multipart([multipart([plainPart('x')], { boundary: 'c' }).replace('--c--\r\n', ''), program])),
    ],
    ['a boundary with a blank at its end', rewritten('boundary="b"', 'boundary="b "')],
    [
      'delimiters with blanks behind them',
      mail(multipart([plainPart('x'), program]).replaceAll(/^--b(-*)\r$/gm, '--b$1 \t\r')),
    ],
    [
      'a delimiter that goes on',
      rewritten('--b\r\nContent-Type: application', '--bcd\r\nContent-Type: application'),
    ],
    [
      'a message attached',
      mail(
        multipart([
          lines('Content-Type: message/rfc822', '', whole.replaceAll('b"', 'c"').replaceAll('--b', '--c')),
        ]),
      ),
    ],
    ['uuencode in the text', mail(lines('', 'see:', uuencode('evil.exe', exe), 'regards'))],
    [
      'uuencode in an inner message',
      mail(multipart([lines('Content-Type: message/rfc822', '', '', uuencode('evil.exe', exe))])),
    ],
    [
      'uuencode as a transfer encoding',
      mail(
        lines(
          'Content-Type: application/octet-stream',
          'Content-Transfer-Encoding: x-uuencode',
          '',
          uuencode('evil.exe', exe),
        ),
      ),
    ],
    ['a dot and a blank behind the name', rewritten('evil.exe', 'evil.exe. ')],
    ['a path before the name', rewritten('evil.exe', 'C:\\\\temp\\\\x.txt\\\\evil.exe')],
    [
      'a name in sections',
      rewritten('filename="evil.exe"', 'filename*0="ev"; filename*1="il.e"; filename*2=xe'),
    ],
    [
      'a name in sections and percent signs',
      rewritten('filename="evil.exe"', "filename*0*=utf-8''ev%69; filename*1*=l%2E; filename*2=exe"),
    ],
    ['a name in encoded words', rewritten('evil.exe', '=?utf-8?B?ZXZpbA==?= =?utf-8?Q?=2Eexe?=')],
    ['a name in Content-Type alone', rewritten(/octet-stream\r\n.*/, 'octet-stream; name="evil.exe"')],
    ['folding before the name', rewritten('; filename', ';\r\n\tfilename')],
    [
      'capital letters',
      mail(multipart([plainPart('x'), program])).replace(
        'Content-Type: multipart/mixed; boundary',
        'CONTENT-TYPE: MULTIPART/Mixed; BOUNDARY',
      ),
    ],
  ])('the program is found with %s', async (_name, message) => {
    const found = (await read(message)).attachments.filter((each) => each.extension === 'exe')
    expect(found).toMatchObject([{ name: 'evil.exe', types: ['executable'] }])
  })

  it('a program under another name is found by its content', async () => {
    const [found] = (await read(rewritten('evil.exe', 'nice.txt'))).attachments
    expect(found).toMatchObject({ extension: 'txt', types: ['executable'] })
  })

  it('what winmail.dat holds is said not to be inspected', async () => {
    const tnef = attached(
      'winmail.dat',
      Buffer.from('789f3e220100069008000400', 'hex'),
      'application/ms-tnef',
    )
    const content = await read(mail(multipart([plainPart('x'), tnef])))
    expect(content).toMatchObject({ types: ['tnef'], attachments: [{ notInspected: 'unsupported' }] })
  })

  it('mail as programs write it is not ambiguous', async () => {
    const related = multipart(
      [
        lines('Content-Type: text/html; charset="utf-8"', '', '<p>x'),
        lines('Content-Type: image/png; name="i.png"', 'Content-ID: <i>', '', 'x'),
      ],
      { type: 'related', boundary: '----=_NextPart_001_0001_01DA.ABC' },
    )
    const alternative = multipart([plainPart('x'), related], {
      type: 'alternative',
      boundary: '----=_NextPart_000_0000_01DA.ABC',
    })
    const unquoted = lines(
      'Content-Type: text/plain; charset=us-ascii; format=flowed',
      'Content-Disposition: inline',
      '',
      '--',
      '-- ',
      '--a',
    )
    const content = await read(
      mail(multipart([alternative, unquoted, program]).replace('boundary="b"', 'boundary=b')),
    )
    expect(content).toMatchObject({ ambiguities: [], attachments: [{ name: 'i.png' }, { name: 'evil.exe' }] })
  })
})

describe('the type of a message', () => {
  const field = (text: string) => mail(lines(text, '', 'x'))
  const cms = (type: number) =>
    Buffer.from(`3080060b2a864886f70d01070${type}a0803080`.replace('060b', '0609'), 'hex')
  const smime = (parameter: string, bytes: Buffer) =>
    mail(attached('smime.p7m', bytes, `application/pkcs7-mime${parameter}`))

  it.each<[string, string, readonly string[]]>([
    ['Auto-Submitted: auto-replied', field('Auto-Submitted: auto-replied (vacation)'), ['autoReply']],
    ['Auto-Submitted: auto-generated', field('Auto-Submitted: auto-generated'), []],
    ['Precedence: auto_reply', field('Precedence: auto_reply'), ['autoReply']],
    ['X-Autoreply', field('X-Autoreply: yes'), ['autoReply']],
    ['Autoforwarded', field('Autoforwarded: TRUE'), ['autoForward']],
    [
      'an invitation',
      mail(
        multipart([
          plainPart('x'),
          lines('Content-Type: text/calendar; method=REQUEST', '', 'BEGIN:VCALENDAR'),
        ]),
      ),
      ['calendar'],
    ],
    ['multipart/signed', mail(multipart([plainPart('x')], { type: 'signed' })), ['signed']],
    ['multipart/encrypted', mail(multipart([plainPart('x')], { type: 'encrypted' })), ['encrypted']],
    ['S/MIME that says signed', smime('; smime-type=signed-data', cms(2)), ['signed']],
    ['S/MIME that says enveloped', smime('; smime-type=enveloped-data', cms(3)), ['encrypted']],
    ['S/MIME that is signed and does not say so', smime('', cms(2)), ['signed']],
    ['S/MIME that is enveloped and does not say so', smime('', cms(3)), ['encrypted']],
    ['S/MIME as octets', mail(attached('smime.p7m', cms(3))), ['encrypted']],
    ['OpenPGP in the text', mail(lines('', '-----BEGIN PGP MESSAGE-----')), ['encrypted']],
    ['an OpenPGP signature in the text', mail(lines('', '-----BEGIN PGP SIGNED MESSAGE-----')), ['signed']],
    ['OpenPGP that is quoted', mail(lines('', '> -----BEGIN PGP MESSAGE-----')), []],
    [
      'a read receipt',
      mail(multipart([plainPart('x')], { type: 'report; report-type=disposition-notification' })),
      ['readReceipt'],
    ],
    [
      'a delivery report',
      mail(multipart([plainPart('x')], { type: 'report; report-type=delivery-status' })),
      [],
    ],
    ['a request for a receipt', field('Disposition-Notification-To: a@example.com'), []],
    ['winmail.dat', mail(multipart([attached('WINMAIL.DAT', 'x')])), ['tnef']],
    ['all else', field('Subject: x'), []],
  ])('%s', async (_name, message, types) => {
    expect((await read(message)).types).toEqual(types)
  })

  it.each<[string, string, MessageContent['attachments'][number]['notInspected']]>([
    ['enveloped S/MIME', smime('', cms(3)), 'encrypted'],
    ['signed S/MIME, which hides what it holds', smime('', cms(2)), 'unsupported'],
    ['a detached signature', mail(attached('smime.p7s', cms(2), 'application/pkcs7-signature')), null],
    [
      'a part of multipart/encrypted',
      mail(multipart([attached('a.asc', 'x')], { type: 'encrypted' })),
      'encrypted',
    ],
  ])('%s: its attachment is not inspected', async (_name, message, notInspected) => {
    expect((await read(message)).attachments).toMatchObject([{ notInspected }])
  })
})

describe('limits', () => {
  const nested = (depth: number): string => {
    let open = ''
    let close = ''
    for (let level = 0; level < depth; level++) {
      open += `Content-Type: multipart/mixed; boundary="level${level}."\r\n\r\n--level${level}.\r\n`
      close = `\r\n--level${level}.--\r\n${close}`
    }
    return mail(open + program + close)
  }

  it('reads 50 multiparts in each other', async () => {
    expect(await read(nested(50))).toMatchObject({ ambiguities: [], attachments: [{ name: 'evil.exe' }] })
  })

  it.each([51, 1000])('says that %i multiparts in each other are too deep', async (depth) => {
    expect((await read(nested(depth))).ambiguities).toContain('parts nested deeper than can be read')
  })

  it('says that 1,000 messages in each other are too deep', async () => {
    const { ambiguities, attachments } = await read(mail('Content-Type: message/rfc822\r\n\r\n'.repeat(1000)))
    expect(ambiguities).toEqual(['parts nested deeper than can be read'])
    expect(attachments).toHaveLength(50)
    expect(attachments.at(-1)).toMatchObject({ notInspected: 'tooDeep' })
  })

  it('says that 501 parts are too many', async () => {
    const parts = (count: number) =>
      read(mail(multipart(Array.from({ length: count }, () => attached('a.bin', 'x')))))
    expect(await parts(499)).toMatchObject({ ambiguities: [] })
    const content = await parts(1000)
    expect(content.ambiguities).toEqual(['more parts than can be read'])
    expect(content.attachments).toHaveLength(499)
  })

  it.each([
    ['50,000 fields', 'X: y\r\n'.repeat(50_000)],
    ['a field of a megabyte', `X: ${'y'.repeat(1024 * 1024)}\r\n`],
    ['a megabyte of parameters', `Content-Type: text/plain${'; a=b'.repeat(200_000)}\r\n`],
    ['a megabyte of open quotes', `Content-Type: text/plain; a=${'"'.repeat(1024 * 1024)}\r\n`],
    ['a name of a megabyte', `Content-Disposition: attachment; filename="${'. '.repeat(500_000)}a"\r\n`],
    ['a megabyte of encoded words', `Content-Type: text/plain; name="${'=?utf-8?Q?a'.repeat(100_000)}"\r\n`],
  ])('does not take long over %s', async (_name, header) => {
    const startedAt = performance.now()
    const { ambiguities } = await read(mail(`${header}\r\nx`))
    expect(performance.now() - startedAt).toBeLessThan(3000)
    expect(ambiguities).not.toEqual([])
  })

  it.each([
    ['a million open tags', 'text/html', '<div>'.repeat(1_000_000)],
    ['a million tags that do not end', 'text/html', '<div '.repeat(1_000_000)],
    ['a million open comments', 'text/html', '<!--'.repeat(1_000_000)],
    ['a million open quotes', 'text/html', '<a ="'.repeat(1_000_000)],
    ['a million ampersands', 'text/html', '&#'.repeat(1_000_000)],
    ['lines that may all be delimiters', 'multipart/mixed; boundary=b', '--\n'.repeat(1_000_000)],
    ['quoted-printable without an end', 'text/plain', '='.repeat(2_000_000)],
    ['lines that may all begin a file', 'text/plain', 'begin \r\n'.repeat(500_000)],
  ])('does not take long over %s', async (_name, type, body) => {
    const startedAt = performance.now()
    const encoding = body.startsWith('=') ? 'Content-Transfer-Encoding: quoted-printable\r\n' : ''
    await read(mail(`Content-Type: ${type}\r\n${encoding}\r\n${body}`))
    expect(performance.now() - startedAt).toBeLessThan(3000)
  })

  it('are what is given', async () => {
    const limits = { ...inspectionLimits, parts: 2, text: 3 }
    const content = await inspect(draftOf(mail(multipart([plainPart('words'), program]))), limits)
    expect(content).toMatchObject({
      text: 'wor',
      textIncomplete: true,
      ambiguities: ['more parts than can be read'],
    })
  })
})

describe('whatever comes', () => {
  const pieces = fc.constantFrom(
    '\r\n',
    '\r\n\r\n',
    '\n',
    '\r',
    '--b',
    '--b\r\n',
    '--b--',
    '--c\r\n',
    '--',
    ' ',
    '=',
    '=3D',
    '=\r\n',
    'TVqQAAMA',
    '"',
    ';',
    '\0',
    'Content-Type: multipart/mixed; boundary=b\r\n',
    'Content-Type: multipart/digest; boundary="c"\r\n',
    'Content-Type: message/rfc822\r\n\r\n',
    'Content-Type: text/html; charset=utf-8\r\n',
    'Content-Transfer-Encoding: base64\r\n',
    'Content-Transfer-Encoding: quoted-printable\r\n',
    'Content-Disposition: attachment; filename=a.zip\r\n',
    'begin 644 a.exe\r\n',
    '#0V%T\r\n',
    'end\r\n',
    '<b>',
    '<!--',
    '&amp;',
    'text',
  )
  const message = fc.oneof(
    fc.array(pieces, { maxLength: 60 }).map((list) => Buffer.from(list.join(''), 'latin1')),
    fc
      .array(pieces, { maxLength: 40 })
      .map((list) =>
        Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n${list.join('')}`, 'latin1'),
      ),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  )

  it('every split into chunks gives the same content', async () => {
    await fc.assert(
      fc.asyncProperty(message, fc.integer({ min: 1, max: 9 }), async (bytes, pieceBytes) => {
        expect(await inspect(draftOf(bytes, pieceBytes))).toEqual(await inspect(draftOf(bytes)))
      }),
      { numRuns: 3000 },
    )
  })

  it('a mutilated message is read to its end', async () => {
    const archive = writeZip([
      { name: 'a.txt', bytes: 'x' },
      { name: 'b.exe', bytes: exe },
    ])
    const whole = Buffer.from(
      mail(multipart([plainPart('x'), attached('a.zip', archive), program])),
      'latin1',
    )
    const mutation = fc.tuple(fc.nat(whole.length), fc.nat(30), fc.uint8Array({ maxLength: 4 }))
    await fc.assert(
      fc.asyncProperty(mutation, async ([at, cut, put]) => {
        const bytes = Buffer.concat([whole.subarray(0, at), put, whole.subarray(at + cut)])
        const content = await inspect(draftOf(bytes, 50))
        expect(content.attachments.every((each) => each.sizeBytes >= 0)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})
