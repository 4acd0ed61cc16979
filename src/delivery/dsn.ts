/**
 * A delivery status notification as a message (RFC 3461 §6, RFC 3462, RFC 3464, RFC 6533): what happened in
 * words, the same for programs, and the original's header or all of it. Everything from outside, above all
 * the smart host's replies, is data here: it cannot begin a line, a field or a MIME part.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import { needsSmtpUtf8 } from '../address.ts'
import { fieldsNamed, fieldValue, parseHeader } from '../message/header.ts'
import { formatReply, printable } from '../reply.ts'
import type { Report, ReportedRecipient } from './disposition.ts'
import { base64Lines, type OwnMessage } from './own-message.ts'

export interface DsnOptions {
  /** The relay's own name. */
  readonly hostname: string
  /** The address in From. */
  readonly postmaster: string
  readonly now: number
  /** The message id of the DSN. */
  readonly dsnId: string
  /** The original's header, without the empty line; null where it cannot be read any more. */
  readonly originalHeader: Buffer | null
  /** What follows that empty line; needed only where `returnsContent` says so. */
  readonly originalBody: Buffer | null
}

/** Larger originals come back as their header only; RFC 3461 §6.2 leaves the size to us. */
export const longestReturnedBytes = 1024 ** 2
const longestReturnedHeaderBytes = 64 * 1024
/** RFC 5322 §2.1.1, without CRLF. */
const longestLine = 998
/** The part for people names so many recipients of each kind; the part for programs names all. */
const mostNamed = 100

/** Whether the DSN has room and reason for the whole original (RFC 3461 §6.2: RET=FULL, and only for failures). */
export function returnsContent(report: Report, originalBytes: number): boolean {
  return report.kind === 'failed' && report.sender.ret === 'full' && originalBytes <= longestReturnedBytes
}

export function composeDsn(report: Report, options: DsnOptions): OwnMessage {
  const parts = [
    textPart(explanation(report, options)),
    part('message/delivery-status', '7bit', Buffer.from(statusFields(report, options))),
    ...originalPart(report, options),
  ]
  const boundary = freeBoundary(options.dsnId, parts)
  const internetMessageId = `<${options.dsnId}@${options.hostname}>`
  const header = [
    `From: Mail Delivery System <${options.postmaster}>`,
    `To: <${report.sender.from}>`,
    `Subject: ${subject(report, options.originalHeader)}`,
    `Date: ${formatDate(options.now)}`,
    `Message-ID: ${internetMessageId}`,
    ...references(report),
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status;',
    `\tboundary="${boundary}"`,
  ]
  const bytes = Buffer.concat([
    Buffer.from(lines([...header, '', 'This is a delivery report in MIME format.'])),
    ...parts.flatMap((each) => [Buffer.from(`\r\n--${boundary}\r\n`), each]),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ])
  const eightBit = !isAscii(bytes)
  return {
    envelope: {
      from: '',
      to: [{ address: report.sender.from, notify: 'never', orcpt: null }],
      bodyType: eightBit ? '8bitmime' : '7bit',
      smtpUtf8: needsSmtpUtf8(report.sender.from) || needsSmtpUtf8(options.postmaster),
      ret: null,
      envid: null,
    },
    bytes,
    internetMessageId,
    eightBit,
  }
}

const subjects = { failed: 'Undeliverable', delayed: 'Delivery delayed', relayed: 'Relayed' } as const

/** As Exchange does, the original's subject with a word before it; encoded words stay as they are. */
function subject(report: Report, originalHeader: Buffer | null): string {
  const fields = originalHeader === null ? [] : fieldsNamed(parseHeader(originalHeader), 'subject')
  const original = fields.length === 1 ? fieldValue(fields[0]!) : ''
  if (!/^[\x20-\x7e]+$/.test(original)) return `${subjects[report.kind]}: your message`
  const short = original.length > 200 ? original.slice(0, 200).replace(/ [^ ]*$/, ' ...') : original
  return `${subjects[report.kind]}: ${short}`
}

function references(report: Report): string[] {
  const id = report.internetMessageId
  if (id === null || !/^<[\x21-\x3b\x3d\x3f-\x7e]{3,500}>$/.test(id)) return []
  return [`In-Reply-To: ${id}`, `References: ${id}`]
}

const headings: Record<ReportedRecipient['fate'], (report: Report) => readonly string[]> = {
  failed: () => ['Your message could not be delivered to:'],
  expired: () => ['Your message could not be delivered in time, and the relay has stopped trying, to:'],
  removed: () => ['An administrator has removed your message before it was delivered to:'],
  delayed: (report) => [
    'Your message has not been delivered yet. You need not send it again: the relay',
    `keeps trying until ${formatDate(report.expiresAt)}, to:`,
  ],
  relayed: () => ['Your message was passed on to a mail server that does not confirm delivery, for:'],
}

/** The part for people, in Exchange's order: what happened, to whom and why; then what administrators need. */
function explanation(report: Report, options: DsnOptions): string {
  const text: string[] = []
  for (const fate of ['failed', 'expired', 'removed', 'delayed', 'relayed'] as const) {
    const recipients = report.recipients.filter((recipient) => recipient.fate === fate)
    if (recipients.length === 0) continue
    text.push(...headings[fate](report), '')
    for (const recipient of recipients.slice(0, mostNamed))
      text.push(`  ${recipient.address}`, `    ${answer(recipient)}`, '')
    if (recipients.length > mostNamed) text.push(`  and ${recipients.length - mostNamed} more`, '')
  }
  text.push('Diagnostic information for administrators:', '', `Generating server: ${options.hostname}`)
  text.push(`Queue id: ${report.itemId}`, `Received: ${formatDate(report.receivedAt)}`)
  if (report.internetMessageId !== null) text.push(`Message-ID: ${printable(report.internetMessageId)}`)
  for (const recipient of report.recipients.slice(0, mostNamed)) {
    text.push('', recipient.address)
    if (recipient.fate === 'expired' && recipient.host !== null) text.push('550 4.4.7 Message expired')
    if (recipient.host !== null) text.push(`Remote server: ${printable(recipient.host)}`)
    text.push(`Reply: ${said(recipient)}`)
  }
  return lines(text)
}

function answer(recipient: ReportedRecipient): string {
  const { host } = recipient
  return host === null ? said(recipient) : `${printable(host)} answered: ${said(recipient)}`
}

const said = (recipient: ReportedRecipient): string => printable(formatReply(recipient.reply))

/** RFC 3464 §2 as RFC 3461 §6.3 wants it filled, all of it ASCII. */
function statusFields(report: Report, options: DsnOptions): string {
  const { envid } = report.sender
  const message = [
    `Reporting-MTA: dns; ${options.hostname}`,
    ...(envid === null ? [] : [`Original-Envelope-Id: ${decodeXtext(envid)}`]),
    `Arrival-Date: ${formatDate(report.receivedAt)}`,
  ]
  const groups = report.recipients.map((recipient) => ['', ...recipientFields(recipient, report)])
  return lines([message, ...groups].flat().map((field) => fold(ascii(field))))
}

const actions = {
  failed: 'failed',
  expired: 'failed',
  removed: 'failed',
  delayed: 'delayed',
  relayed: 'relayed',
} as const

function recipientFields(recipient: ReportedRecipient, report: Report): string[] {
  const { host, fate, lastAttemptAt, orcpt } = recipient
  return [
    ...(orcpt === null ? [] : [`Original-Recipient: ${originalRecipient(orcpt)}`]),
    `Final-Recipient: ${finalRecipient(recipient.address)}`,
    `Action: ${actions[fate]}`,
    `Status: ${status(recipient)}`,
    ...(host === null ? [] : [`Remote-MTA: dns; ${mtaName(host)}`]),
    `Diagnostic-Code: smtp; ${said(recipient)}`,
    ...(lastAttemptAt === null ? [] : [`Last-Attempt-Date: ${formatDate(lastAttemptAt)}`]),
    ...(fate === 'delayed' ? [`Will-Retry-Until: ${formatDate(report.expiresAt)}`] : []),
  ]
}

const unspecific = {
  failed: '5.0.0',
  expired: '4.4.7',
  removed: '4.3.2',
  delayed: '4.0.0',
  relayed: '2.0.0',
} as const

/**
 * The code of the trouble itself where the reply has one of the right class: an expired message has the status
 * of its last attempt (RFC 3464 §2.3.3, RFC 3463 §3.5), which is temporary, with the action `failed`.
 */
function status(recipient: ReportedRecipient): string {
  const other = unspecific[recipient.fate]
  const { enhanced } = recipient.reply
  return enhanced !== null && enhanced[0] === other[0] ? enhanced.split('.').map(Number).join('.') : other
}

/** RFC 3461 §4.2: the type and the address in xtext; the type utf-8 has an encoding of its own (RFC 6533 §3). */
function originalRecipient(orcpt: string): string {
  const semicolon = orcpt.indexOf(';')
  if (semicolon === -1) return `unknown; ${decodeXtext(orcpt)}`
  const type = orcpt.slice(0, semicolon)
  const address = orcpt.slice(semicolon + 1)
  return /^utf-8$/i.test(type)
    ? `${type}; ${address.replace(/[^\x21-\x7e]/gu, embeddedCharacter)}`
    : `${type}; ${decodeXtext(address)}`
}

function finalRecipient(address: string): string {
  return needsSmtpUtf8(address)
    ? `utf-8; ${address.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x5b\x5d-\x7e]/gu, embeddedCharacter)}`
    : `rfc822; ${address}`
}

const embeddedCharacter = (character: string): string =>
  `\\x{${character.codePointAt(0)!.toString(16).toUpperCase().padStart(2, '0')}}`

/** RFC 3461 §9.3: an IP address stands in brackets. */
function mtaName(host: string): string {
  if (/^[0-9a-f.]*:[0-9a-f:.]*$/i.test(host)) return `[IPv6:${host}]`
  return /^[\d.]+$/.test(host) ? `[${host}]` : host
}

/** RFC 3461 §4: `+3D` is an equals sign. */
const decodeXtext = (text: string): string =>
  text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

/** The third part (RFC 3462 §2): the original where it is asked for and safe to carry, else its header. */
function originalPart(report: Report, options: DsnOptions): Buffer[] {
  const { originalHeader: header, originalBody: body } = options
  if (header === null) return []
  const isGlobal = !isAscii(header) && isUtf8(header)
  if (body !== null && returnsContent(report, header.length + body.length)) {
    const original = Buffer.concat([header, Buffer.from('\r\n'), body])
    // Base64 is for message/global alone: other messages inside a message must not be encoded (RFC 2046 §5.2.1).
    if (isGlobal) return [part('message/global', 'base64', base64Lines(original))]
    if (isAscii(header) && isLineSafe(original) && (isAscii(body) || !refusedForContent(report)))
      return [part('message/rfc822', isAscii(body) ? '7bit' : '8bit', original)]
  }
  return [encodedPart(isGlobal ? 'message/global-headers' : 'text/rfc822-headers', firstFields(header))]
}

/** A host that would not take 8-bit content (X.6.Z) would not take it inside a report either. */
function refusedForContent(report: Report): boolean {
  return report.recipients.some((recipient) => recipient.reply.enhanced?.startsWith('5.6.'))
}

/** As many whole fields as fit. */
function firstFields(header: Buffer): Buffer {
  if (header.length <= longestReturnedHeaderBytes) return header
  let sizeBytes = 0
  for (const field of parseHeader(header).fields) {
    if (sizeBytes + field.raw.length > longestReturnedHeaderBytes) break
    sizeBytes += field.raw.length
  }
  return header.subarray(0, sizeBytes)
}

const textPart = (text: string): Buffer => encodedPart('text/plain; charset=utf-8', Buffer.from(text))

function encodedPart(type: string, content: Buffer): Buffer {
  return isAscii(content) && isLineSafe(content)
    ? part(type, '7bit', content)
    : part(type, 'quoted-printable', quotedPrintable(content))
}

function part(type: string, encoding: string, content: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(lines([`Content-Type: ${type}`, `Content-Transfer-Encoding: ${encoding}`, ''])),
    content,
  ])
}

/** A boundary that none of the parts contains, whoever wrote them. */
function freeBoundary(dsnId: string, parts: readonly Buffer[]): string {
  for (let attempt = 0; ; attempt++) {
    const boundary = `=_${dsnId}_${attempt}`
    if (!parts.some((each) => each.includes(`--${boundary}`))) return boundary
  }
}

/** RFC 2045 §6.7. CRLF is a line break, CR and LF alone are data. */
function quotedPrintable(content: Buffer): Buffer {
  const encoded = content
    .toString('latin1')
    .split('\r\n')
    .map((line) => softBreaks(line.replace(/[^\t\x20-\x3c\x3e-\x7e]|[\t ]$/g, escapedOctet)))
  return Buffer.from(encoded.join('\r\n'), 'latin1')
}

const escapedOctet = (octet: string): string =>
  `=${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`

/** At most 76 characters a line, never inside an escape. */
function softBreaks(line: string): string {
  const pieces: string[] = []
  let at = 0
  while (line.length - at > 76) {
    const nextEscape = line.indexOf('=', at + 73)
    const length = nextEscape === -1 || nextEscape >= at + 75 ? 75 : nextEscape - at
    pieces.push(line.slice(at, at + length))
    at += length
  }
  return [...pieces, line.slice(at)].join('=\r\n')
}

/** Breaks a field at spaces (RFC 5322 §2.2.3), and inside a word only where the line would be too long for SMTP. */
function fold(field: string): string {
  const pieces =
    field
      .trimEnd()
      .replace(/ +/g, ' ')
      .match(/.{1,76}(?= |$)|.{77,900}?(?= |$)|.{1,900}/g) ?? []
  return pieces.map((piece, index) => (index === 0 || piece[0] === ' ' ? piece : ` ${piece}`)).join('\r\n')
}

const lines = (all: readonly string[]): string => all.map((line) => `${line}\r\n`).join('')

/** Printable ASCII: the status fields have no charset. */
const ascii = (text: string): string => text.replace(/[^\x20-\x7e]/gu, '?')

/** Lines that SMTP carries as they are: no NUL, no CR or LF alone, none too long. */
function isLineSafe(content: Buffer): boolean {
  const text = content.toString('latin1')
  return !/\0|\r(?!\n)|(?<!\r)\n/.test(text) && !text.split('\r\n').some((line) => line.length > longestLine)
}

/** RFC 5322 §3.3, in UTC with the numeric zone that RFC 3464 asks for. */
function formatDate(at: number): string {
  return new Date(at).toUTCString().replace('GMT', '+0000')
}
