import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Report, ReportedRecipient } from '../../src/delivery/disposition.ts'
import { composeDsn, type DsnOptions, returnsContent } from '../../src/delivery/dsn.ts'
import type { OwnMessage } from '../../src/delivery/own-message.ts'
import { permanent, type Reply, success, temporary } from '../../src/reply.ts'
import { sender } from '../support/queue-fixtures.ts'

interface ParsedPart {
  readonly contentType: string
  readonly content: Buffer
}

/** The reader is mailparser, not ours: it must find in the bytes what we meant. It comes without types. */
const { simpleParser } = createRequire(import.meta.url)('mailparser') as {
  simpleParser(
    bytes: Buffer,
    options: object,
  ): Promise<{
    headers: Map<string, unknown>
    from: { text: string }
    to: { text: string }
    subject: string
    messageId: string
    date: Date
    text: string
    attachments: ParsedPart[]
  }>
}

const parse = (dsn: OwnMessage) => simpleParser(dsn.bytes, { keepDeliveryStatus: true, skipTextToHtml: true })

const receivedAt = Date.UTC(2026, 0, 5, 8, 0, 0)
const now = Date.UTC(2026, 0, 5, 9, 30, 0)
const expiresAt = Date.UTC(2026, 0, 7, 8, 0, 0)

const failed: ReportedRecipient = {
  address: 'user@example.org',
  orcpt: null,
  fate: 'failed',
  reply: permanent('1.1', 'User unknown'),
  host: 'smtp.example.net',
  lastAttemptAt: now,
}
const delayed: ReportedRecipient = { ...failed, fate: 'delayed', reply: temporary('2.1', 'Busy', 450) }
const relayed: ReportedRecipient = { ...failed, fate: 'relayed', reply: success('0.0', 'Queued') }
const expired: ReportedRecipient = {
  ...failed,
  fate: 'expired',
  reply: { code: 550, enhanced: '4.4.7', text: 'Message expired' },
  host: null,
  lastAttemptAt: null,
}

function reportOn(recipients: readonly ReportedRecipient[], fields: Partial<Report> = {}): Report {
  return {
    kind: 'failed',
    itemId: '01JZZZZZZZAAAAAAAAAA-1',
    sender: sender('anna@example.com'),
    internetMessageId: '<original@example.com>',
    receivedAt,
    expiresAt,
    recipients,
    ...fields,
  }
}

const originalHeader = Buffer.from('From: anna@example.com\r\nSubject: Invoice 4711\r\n')
const originalBody = Buffer.from('Dear user,\r\n\r\n.\r\n')

function dsnOf(report: Report, options: Partial<DsnOptions> = {}): OwnMessage {
  return composeDsn(report, {
    hostname: 'relay.example.com',
    postmaster: 'postmaster@example.com',
    now,
    dsnId: '01JZZZZZZZBBBBBBBBBB',
    originalHeader,
    originalBody: null,
    ...options,
  })
}

const full = { sender: sender('anna@example.com', { ret: 'full' }) }

async function partsOf(dsn: OwnMessage) {
  const { attachments } = await parse(dsn)
  const status = attachments.find((part) => part.contentType === 'message/delivery-status')!
  const [message, ...groups] = status.content
    .toString()
    .trimEnd()
    .split('\r\n\r\n')
    .map((group) => group.replace(/\r\n(?= )/g, '').split('\r\n'))
  const original = attachments.find((part) => part !== status) ?? null
  return { message: message!, groups, original }
}

const recipientFields = async (recipient: ReportedRecipient, fields: Partial<Report> = {}) =>
  (await partsOf(dsnOf(reportOn([recipient], fields)))).groups[0]!

describe('the message', () => {
  it('goes from the null reverse-path to the sender, and asks for no report of its own', () => {
    expect(dsnOf(reportOn([failed])).envelope).toEqual({
      from: '',
      to: [{ address: 'anna@example.com', notify: 'never', orcpt: null }],
      bodyType: '7bit',
      smtpUtf8: false,
      ret: null,
      envid: null,
    })
  })

  it('has the header fields of an automatic answer', async () => {
    const dsn = dsnOf(reportOn([failed]))
    const parsed = await parse(dsn)
    expect(parsed.from.text).toBe('"Mail Delivery System" <postmaster@example.com>')
    expect(parsed.to.text).toBe('anna@example.com')
    expect(parsed.date.getTime()).toBe(now)
    expect(parsed.messageId).toBe('<01JZZZZZZZBBBBBBBBBB@relay.example.com>')
    expect(dsn.internetMessageId).toBe(parsed.messageId)
    expect(parsed.headers.get('auto-submitted')).toBe('auto-replied')
    expect(parsed.headers.get('in-reply-to')).toBe('<original@example.com>')
    expect(parsed.headers.get('mime-version')).toBe('1.0')
    expect(parsed.headers.get('content-type')).toMatchObject({
      value: 'multipart/report',
      params: { 'report-type': 'delivery-status' },
    })
  })

  it.each<[Report['kind'], string, string]>([
    ['failed', 'Subject: Invoice 4711\r\n', 'Undeliverable: Invoice 4711'],
    ['delayed', 'Subject: Invoice 4711\r\n', 'Delivery delayed: Invoice 4711'],
    ['relayed', 'Subject: Invoice 4711\r\n', 'Relayed: Invoice 4711'],
    ['failed', 'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n', 'Undeliverable: Grüße'],
    ['failed', 'Subject: folded\r\n subject\r\n', 'Undeliverable: folded subject'],
    ['failed', 'Subject: Grüße, not encoded\r\n', 'Undeliverable: your message'],
    ['failed', 'Subject: a\r\nSubject: b\r\n', 'Undeliverable: your message'],
    ['failed', 'Subject:\r\n', 'Undeliverable: your message'],
    ['failed', `Subject: ${'word '.repeat(100)}\r\n`, `Undeliverable: ${'word '.repeat(40)}...`],
  ])('of kind %s to %j has the subject %j', async (kind, header, subject) => {
    const dsn = dsnOf(reportOn([failed], { kind }), { originalHeader: Buffer.from(header) })
    expect((await parse(dsn)).subject).toBe(subject)
  })

  it.each([null, 'no angle brackets', '<two words>', '<a>\r\nBcc: x@example.com', '<ü@example.com>'])(
    'answers no message whose id is %j',
    (internetMessageId) => {
      const text = dsnOf(reportOn([failed], { internetMessageId })).bytes.toString()
      expect(text).not.toMatch(/^(In-Reply-To|References|Bcc):/m)
    },
  )

  it('needs SMTPUTF8 only where its own addresses do', async () => {
    const umlaut = { ...failed, address: 'jürg@example.org' }
    expect(dsnOf(reportOn([umlaut])).envelope.smtpUtf8).toBe(false)
    const dsn = dsnOf(reportOn([failed], { sender: sender('änne@example.com') }))
    expect(dsn.envelope).toMatchObject({ smtpUtf8: true, bodyType: '8bitmime' })
    expect(dsn.eightBit).toBe(true)
    expect((await parse(dsn)).to.text).toBe('änne@example.com')
  })
})

describe('the part for people', () => {
  it('says what happened, to whom and why, and then what administrators need', async () => {
    const { text } = await parse(dsnOf(reportOn([failed])))
    expect(text.replaceAll('\r\n', '\n')).toBe(`Your message could not be delivered to:

  user@example.org
    smtp.example.net answered: 550 5.1.1 User unknown

Diagnostic information for administrators:

Generating server: relay.example.com
Queue id: 01JZZZZZZZAAAAAAAAAA-1
Received: Mon, 05 Jan 2026 08:00:00 +0000
Message-ID: <original@example.com>

user@example.org
Remote server: smtp.example.net
Reply: 550 5.1.1 User unknown
`)
  })

  it('puts each recipient under what happened to it', async () => {
    const all = [
      { ...relayed, address: 'd@example.org' },
      { ...delayed, address: 'c@example.org' },
      { ...expired, address: 'b@example.org' },
      { ...failed, address: 'a@example.org' },
    ]
    const { text } = await parse(dsnOf(reportOn(all)))
    expect(text).toMatch(
      /could not be delivered to:\s+a@[\s\S]*not be delivered in time[\s\S]*b@example.org\s+550 4.4.7 Message expired[\s\S]*keeps trying until Wed, 07 Jan 2026 08:00:00 \+0000, to:\s+c@[\s\S]*does not confirm delivery, for:\s+d@[\s\S]*Diagnostic information/,
    )
  })

  it('shows expiry as Exchange does, beside what the host said last', async () => {
    const busy = { ...expired, reply: temporary('2.1', 'Busy', 450), host: 'smtp.example.net' }
    const { text } = await parse(dsnOf(reportOn([busy])))
    expect(text).toContain(
      '550 4.4.7 Message expired\nRemote server: smtp.example.net\nReply: 450 4.2.1 Busy\n',
    )
  })

  it('says that a person has removed the message', async () => {
    const removed = { ...failed, fate: 'removed', host: null } as const
    const { text } = await parse(dsnOf(reportOn([removed])))
    expect(text).toMatch(
      /^An administrator has removed your message before it was delivered to:\s+user@example.org/,
    )
  })

  it('names a hundred recipients of a kind, the status part all', async () => {
    const many = Array.from({ length: 150 }, (_, index) => ({ ...failed, address: `u${index}@example.org` }))
    const dsn = dsnOf(reportOn(many))
    const { text } = await parse(dsn)
    expect(text).toContain('u99@example.org')
    expect(text).not.toContain('u100@example.org')
    expect(text).toContain('and 50 more')
    expect((await partsOf(dsn)).groups).toHaveLength(150)
  })
})

describe('the status part', () => {
  it('has the fields of RFC 3464 for the message', async () => {
    const report = reportOn([failed], { sender: sender('anna@example.com', { envid: 'QQ+2B314159' }) })
    expect((await partsOf(dsnOf(report))).message).toEqual([
      'Reporting-MTA: dns; relay.example.com',
      'Original-Envelope-Id: QQ+314159',
      'Arrival-Date: Mon, 05 Jan 2026 08:00:00 +0000',
    ])
  })

  it('leaves out an envelope id that was not given (RFC 3461 §6.3)', async () => {
    expect((await partsOf(dsnOf(reportOn([failed])))).message).toHaveLength(2)
  })

  it('has the fields of a recipient that failed', async () => {
    expect(await recipientFields({ ...failed, orcpt: 'rfc822;first+2Bname@example.org' })).toEqual([
      'Original-Recipient: rfc822; first+name@example.org',
      'Final-Recipient: rfc822; user@example.org',
      'Action: failed',
      'Status: 5.1.1',
      'Remote-MTA: dns; smtp.example.net',
      'Diagnostic-Code: smtp; 550 5.1.1 User unknown',
      'Last-Attempt-Date: Mon, 05 Jan 2026 09:30:00 +0000',
    ])
  })

  it('has the fields of a recipient that waits', async () => {
    expect(await recipientFields(delayed)).toEqual([
      'Final-Recipient: rfc822; user@example.org',
      'Action: delayed',
      'Status: 4.2.1',
      'Remote-MTA: dns; smtp.example.net',
      'Diagnostic-Code: smtp; 450 4.2.1 Busy',
      'Last-Attempt-Date: Mon, 05 Jan 2026 09:30:00 +0000',
      'Will-Retry-Until: Wed, 07 Jan 2026 08:00:00 +0000',
    ])
  })

  it('has the fields of a recipient that expired without an attempt', async () => {
    expect(await recipientFields(expired)).toEqual([
      'Final-Recipient: rfc822; user@example.org',
      'Action: failed',
      'Status: 4.4.7',
      'Diagnostic-Code: smtp; 550 4.4.7 Message expired',
    ])
  })

  it.each<[ReportedRecipient['fate'], Reply, string, string]>([
    ['failed', { code: 550, enhanced: null, text: 'No' }, 'failed', '5.0.0'],
    ['failed', permanent('7.1', 'No', 554), 'failed', '5.7.1'],
    ['failed', { code: 550, enhanced: '5.007.01', text: 'No' }, 'failed', '5.7.1'],
    ['expired', temporary('3.2', 'Down', 421), 'failed', '4.3.2'],
    ['expired', { code: 450, enhanced: null, text: 'Later' }, 'failed', '4.4.7'],
    ['expired', permanent('5.3', 'Too many', 552), 'failed', '4.4.7'],
    ['removed', { code: 550, enhanced: '4.3.2', text: 'Removed' }, 'failed', '4.3.2'],
    ['delayed', { code: 450, enhanced: null, text: 'Later' }, 'delayed', '4.0.0'],
    ['relayed', success('1.5', 'Ok'), 'relayed', '2.1.5'],
    ['relayed', { code: 250, enhanced: null, text: 'Ok' }, 'relayed', '2.0.0'],
  ])('of %s by %j: action %s, status %s', async (fate, reply, action, status) => {
    const fields = await recipientFields({ ...failed, fate, reply })
    expect(fields).toContain(`Action: ${action}`)
    expect(fields).toContain(`Status: ${status}`)
  })

  it.each([
    ['rfc822;user@example.org', 'rfc822; user@example.org'],
    ['rfc822;a+3Db+20c@example.org', 'rfc822; a=b c@example.org'],
    ['rfc822;a+0D+0AAction:+20relayed', 'rfc822; a??Action: relayed'],
    ['x400;/C=de/', 'x400; /C=de/'],
    ['utf-8;j\\x{FC}rg\\x{2B}x@example.org', 'utf-8; j\\x{FC}rg\\x{2B}x@example.org'],
    ['utf-8;jürg@example.org', 'utf-8; j\\x{FC}rg@example.org'],
    ['user@example.org', 'unknown; user@example.org'],
  ])('shows ORCPT=%s as %s', async (orcpt, shown) => {
    expect(await recipientFields({ ...failed, orcpt })).toContain(`Original-Recipient: ${shown}`)
  })

  it.each([
    ['a+b=c@example.org', 'rfc822; a+b=c@example.org'],
    ['jürg@example.org', 'utf-8; j\\x{FC}rg@example.org'],
    ['jürg+x=1@example.org', 'utf-8; j\\x{FC}rg\\x{2B}x\\x{3D}1@example.org'],
    ['"ü \\\\"@example.org', 'utf-8; "\\x{FC}\\x{20}\\x{5C}\\x{5C}"@example.org'],
    ['𝒳@example.org', 'utf-8; \\x{1D4B3}@example.org'],
  ])('shows the recipient %s as %s (RFC 6533 §3)', async (address, shown) => {
    expect(await recipientFields({ ...failed, address })).toContain(`Final-Recipient: ${shown}`)
  })

  it.each([
    ['192.0.2.1', '[192.0.2.1]'],
    ['2001:db8::1', '[IPv6:2001:db8::1]'],
    ['smtp.example.net', 'smtp.example.net'],
  ])('names the host %s as %s', async (host, shown) => {
    expect(await recipientFields({ ...failed, host })).toContain(`Remote-MTA: dns; ${shown}`)
  })
})

describe('the original', () => {
  const body8 = Buffer.from('Grüße\r\n')
  const header8 = Buffer.from('Subject: Grüße\r\n')
  const latin1 = Buffer.from('Subject: Gr\xfc\xdfe\r\n', 'latin1')
  const contentRefused = { ...failed, reply: permanent('6.3', 'Conversion required but not supported', 554) }

  it.each<[string, Partial<Report>, Partial<DsnOptions>, string | null, string]>([
    ['by its header', {}, { originalBody }, 'text/rfc822-headers', ''],
    [
      'by its header, RET=HDRS',
      { sender: sender('a@example.com', { ret: 'hdrs' }) },
      { originalBody },
      'text/rfc822-headers',
      '',
    ],
    ['whole, RET=FULL', full, { originalBody }, 'message/rfc822', '7bit'],
    ['whole, 8 bit', full, { originalBody: body8 }, 'message/rfc822', '8bit'],
    [
      'by its header where the host refused 8-bit content',
      { ...full, recipients: [contentRefused] },
      { originalBody: body8 },
      'text/rfc822-headers',
      '',
    ],
    [
      'whole where it is ASCII and the host refused other content',
      { ...full, recipients: [contentRefused] },
      { originalBody },
      'message/rfc822',
      '7bit',
    ],
    ['by its header for a delay', { ...full, kind: 'delayed' }, { originalBody }, 'text/rfc822-headers', ''],
    [
      'by its header for a success',
      { ...full, kind: 'relayed' },
      { originalBody },
      'text/rfc822-headers',
      '',
    ],
    ['by its header where the body is not there', full, {}, 'text/rfc822-headers', ''],
    [
      'by its header over 1 MB',
      full,
      { originalBody: Buffer.alloc(1024 ** 2, 'x\r\n') },
      'text/rfc822-headers',
      '',
    ],
    [
      'by its header with a line over 998',
      full,
      { originalBody: Buffer.from(`${'x'.repeat(999)}\r\n`) },
      'text/rfc822-headers',
      '',
    ],
    [
      'whole with a line of 998',
      full,
      { originalBody: Buffer.from(`${'x'.repeat(998)}\r\n`) },
      'message/rfc822',
      '7bit',
    ],
    [
      'by its header with a LF alone',
      full,
      { originalBody: Buffer.from('a\nb\r\n') },
      'text/rfc822-headers',
      '',
    ],
    [
      'by its header with a CR alone',
      full,
      { originalBody: Buffer.from('a\rb\r\n') },
      'text/rfc822-headers',
      '',
    ],
    ['by its header with a NUL', full, { originalBody: Buffer.from('a\0b\r\n') }, 'text/rfc822-headers', ''],
    ['by its header in UTF-8', {}, { originalHeader: header8 }, 'message/global-headers', ''],
    [
      'whole with a header in UTF-8',
      full,
      { originalHeader: header8, originalBody: body8 },
      'message/global',
      'base64',
    ],
    [
      'by its header in an unknown charset',
      full,
      { originalHeader: latin1, originalBody },
      'text/rfc822-headers',
      '',
    ],
    ['not at all where it is gone', full, { originalHeader: null }, null, ''],
  ])('comes back %s', async (_name, fields, options, type, encoding) => {
    const dsn = dsnOf(reportOn([failed], fields), options)
    const { original } = await partsOf(dsn)
    expect(original?.contentType ?? null).toBe(type)
    if (original === null) return
    const header = options.originalHeader ?? originalHeader
    const whole = Buffer.concat([header, Buffer.from('\r\n'), options.originalBody ?? Buffer.alloc(0)])
    const expected = type === 'message/rfc822' || type === 'message/global' ? whole : header
    expect(original.content.toString('latin1')).toBe(expected.toString('latin1'))
    if (encoding !== '')
      expect(dsn.bytes.toString()).toContain(`${type}\r\nContent-Transfer-Encoding: ${encoding}\r\n`)
    expect(dsn.eightBit).toBe(encoding === '8bit')
    expect(dsn.envelope.bodyType).toBe(encoding === '8bit' ? '8bitmime' : '7bit')
  })

  it('has its header cut at a field where it is very long', async () => {
    const long = Buffer.from(`Subject: a\r\n${`X-Field: ${'x'.repeat(500)}\r\n`.repeat(1000)}`)
    const { original } = await partsOf(dsnOf(reportOn([failed]), { originalHeader: long }))
    expect(original!.content.length).toBeGreaterThan(60_000)
    expect(original!.content.length).toBeLessThanOrEqual(64 * 1024)
    expect(long.indexOf(original!.content)).toBe(0)
    expect(original!.content.toString().endsWith('x\r\n')).toBe(true)
  })

  it.each<[boolean, Partial<Report>, number]>([
    [true, full, 1024 ** 2],
    [false, full, 1024 ** 2 + 1],
    [false, { ...full, kind: 'delayed' }, 1],
    [false, {}, 1],
  ])('needs its body read: %s', (needed, fields, sizeBytes) => {
    expect(returnsContent(reportOn([failed], fields), sizeBytes)).toBe(needed)
  })
})

describe('hostile content', () => {
  it('cannot end its part with our boundary', async () => {
    const boundary = /boundary="([^"]+)"/.exec(dsnOf(reportOn([failed])).bytes.toString())![1]
    const evil = Buffer.from(`--${boundary}--\r\n--${boundary}\r\nContent-Type: text/html\r\n\r\n`)
    const dsn = dsnOf(reportOn([failed], full), { originalBody: evil })
    const { original } = await partsOf(dsn)
    expect(original!.content.toString()).toBe(`${originalHeader}\r\n${evil}`)
    expect((await parse(dsn)).attachments).toHaveLength(2)
  })

  it('cannot make lines, fields or recipients out of a reply', async () => {
    const reply = {
      code: 550,
      enhanced: '5.1.1',
      text: 'no\r\n\r\nAction: relayed\r\nBcc: x@example.com\u202e\0',
    }
    const dsn = dsnOf(reportOn([{ ...failed, reply, host: 'evil\r\nX: y' }]))
    const { groups } = await partsOf(dsn)
    expect(groups).toHaveLength(1)
    expect(groups[0]).toContain(
      'Diagnostic-Code: smtp; 550 5.1.1 no????Action: relayed??Bcc: x@example.com??',
    )
    expect(groups[0]).toContain('Remote-MTA: dns; evil??X: y')
    expect((await parse(dsn)).text).toContain(
      'Reply: 550 5.1.1 no????Action: relayed??Bcc: x@example.com??\n',
    )
  })

  it('folds long replies so that unfolding gives them back', async () => {
    const reply = permanent('1.1', `${'word '.repeat(60)}end`)
    expect(await recipientFields({ ...failed, reply })).toContain(
      `Diagnostic-Code: smtp; 550 5.1.1 ${reply.text}`,
    )
  })

  it.each([76, 77, 78, 200])('folds a reply that ends in spaces around column %i', async (length) => {
    const text = 'x'.repeat(length - 'Diagnostic-Code: smtp; 550 5.1.1 '.length)
    const dsn = dsnOf(reportOn([{ ...failed, reply: permanent('1.1', `${text}  `) }]))
    expect(dsn.bytes.toString()).not.toMatch(/\r\n[ \t]+\r\n/)
    expect((await partsOf(dsn)).groups[0]).toContain(`Diagnostic-Code: smtp; 550 5.1.1 ${text}`)
  })

  it('folds no line of spaces alone, which some readers take for the end of the fields', () => {
    const reply = permanent('1.1', `a${' '.repeat(300)}b`)
    const text = dsnOf(reportOn([{ ...failed, reply }])).bytes.toString()
    expect(text).toContain('Diagnostic-Code: smtp; 550 5.1.1 a b\r\n')
    expect(text).not.toMatch(/\r\n[ \t]+\r\n/)
  })

  it('breaks a word only where the line would be too long for SMTP', () => {
    const text = dsnOf(reportOn([{ ...failed, orcpt: `x;${'y'.repeat(2000)}` }])).bytes.toString()
    expect(text).toMatch(/Original-Recipient: x;\r\n y{899}\r\n y{900}\r\n y{201}\r\n/)
  })

  it('is quoted-printable by the letter: no line over 76, no broken escape, no space at an end', () => {
    const line = fc.array(fc.constantFrom('ü', 'a', '=', ' ', '\t'), { minLength: 40, maxLength: 200 })
    fc.assert(
      fc.property(line, (pieces) => {
        const header = Buffer.from(`Subject: ü${pieces.join('')}\r\nX: y\r\n`)
        const bytes = dsnOf(reportOn([failed]), { originalHeader: header }).bytes.toString('latin1')
        const encoded = bytes.slice(bytes.indexOf('message/global-headers')).split('\r\n').slice(3, -3)
        for (const each of encoded)
          expect(each).toMatch(
            /^(?:(?:[\t -<>-~]|=[0-9A-F]{2}){0,75}=|(?:(?:[\t -<>-~]|=[0-9A-F]{2})*(?:[!-<>-~]|=[0-9A-F]{2}))?)$/,
          )
        for (const each of encoded) expect(each.length).toBeLessThanOrEqual(76)
      }),
    )
  })

  it('never makes a line over 998 octets, a CR or LF alone, or 8 bits undeclared', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', ' ', 'ü', '\r', '\n', '\0', '=', '.', '-', 'x'.repeat(600)),
      maxLength: 30,
    })
    const octets = fc.array(
      fc.constantFrom('a', 'ü', '=', ' ', '\t', '\r\n', '\n', '\r', '\0', 'x'.repeat(400)),
      { maxLength: 20 },
    )
    fc.assert(
      fc.property(text, text, text, octets, octets, (reply, envid, orcpt, header, body) => {
        const recipient = { ...failed, orcpt, reply: { ...failed.reply, text: reply } }
        const dsn = dsnOf(
          reportOn([recipient], { sender: sender('anna@example.com', { ret: 'full', envid }) }),
          {
            originalHeader: Buffer.from(`Subject: ${header.join('')}`),
            originalBody: Buffer.from(body.join('')),
          },
        )
        const bytes = dsn.bytes.toString('latin1')
        expect(bytes).not.toMatch(/\r(?!\n)|(?<!\r)\n|\0/)
        for (const line of bytes.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998)
        expect(/[\x80-\xff]/.test(bytes)).toBe(dsn.eightBit)
      }),
    )
  })
})
