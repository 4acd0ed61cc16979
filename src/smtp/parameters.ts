/**
 * The arguments of MAIL and RCPT, read by the grammar of RFC 5321 §4.1.2 and of the extensions we offer:
 * SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY, ORCPT (RFC 3461), AUTH (RFC 4954).
 * Pure. What comes out is canonical and complete; what cannot be read is answered with the precise refusal,
 * and nothing of a refused command is kept.
 */
import { type AddressError, parseAddress } from '../address.ts'
import type { EnvelopeRecipient, EnvelopeSender, Notify } from '../envelope.ts'
import { permanent, printable, type Reply } from '../reply.ts'

export interface MailArgument {
  readonly sender: EnvelopeSender
  /** SIZE, as declared. */
  readonly sizeBytes: number | null
}

export interface Refusal {
  readonly refusal: Reply
  /** The path as typed, for the log; null where not even that could be made out. */
  readonly path: string | null
}

/** Reads what follows `MAIL `. */
export function parseMail(argument: string, options: { maxMessageSize: number }): MailArgument | Refusal {
  const command = splitCommand(argument, 'FROM:')
  if (command === null) return refuse(null, permanent('5.4', 'Syntax: MAIL FROM:<address>', 501))
  const { path } = command
  const parameters = readParameters(command.parameters, mailParameters)
  if ('code' in parameters) return refuse(path, parameters)
  const smtpUtf8 = parameters.has('SMTPUTF8')
  const from = path === '' ? '' : readAddress(path, { smtpUtf8, syntaxTail: '1.7' })
  if (typeof from !== 'string') return refuse(path, from)
  const size = parameters.get('SIZE')
  if (size !== undefined && Number(size) > options.maxMessageSize) return refuse(path, tooLarge(options))
  const ret = parameters.get('RET')?.toUpperCase()
  return {
    sender: {
      from,
      bodyType: parameters.get('BODY')?.toUpperCase() === '8BITMIME' ? '8bitmime' : '7bit',
      smtpUtf8,
      ret: ret === undefined ? null : ret === 'FULL' ? 'full' : 'hdrs',
      envid: parameters.get('ENVID') ?? null,
    },
    sizeBytes: size === undefined ? null : Number(size),
  }
}

/** Reads what follows `RCPT `. `<Postmaster>` alone means the relay's own (RFC 5321 §4.5.1). */
export function parseRcpt(
  argument: string,
  options: { smtpUtf8: boolean; hostname: string },
): EnvelopeRecipient | Refusal {
  const command = splitCommand(argument, 'TO:')
  if (command === null) return refuse(null, permanent('5.4', 'Syntax: RCPT TO:<address>', 501))
  const { path } = command
  const parameters = readParameters(command.parameters, rcptParameters)
  if ('code' in parameters) return refuse(path, parameters)
  const typed = path.toLowerCase() === 'postmaster' ? `${path}@${options.hostname}` : path
  const address = readAddress(typed, { smtpUtf8: options.smtpUtf8, syntaxTail: '1.3' })
  if (typeof address !== 'string') return refuse(path, address)
  const orcpt = parameters.get('ORCPT') ?? null
  if (orcpt !== null && !options.smtpUtf8 && !isAscii(orcpt)) return refuse(path, badValue('ORCPT'))
  return { address, notify: readNotify(parameters.get('NOTIFY')), orcpt }
}

export function tooLarge(options: { maxMessageSize: number }): Reply {
  return permanent('3.4', `Message too large, the limit is ${options.maxMessageSize} bytes`, 552)
}

const refuse = (path: string | null, refusal: Reply): Refusal => ({
  refusal,
  path: path === null ? null : printable(path).slice(0, 320),
})
const badValue = (keyword: string): Reply =>
  permanent('5.4', `The value of ${keyword} is missing or malformed`, 501)
const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text)

/**
 * A path ends at the first `>` outside a quoted string. White space after the colon is no RFC's syntax, but
 * common, and has one reading only.
 */
const pathAndRest = /^<((?:"(?:[^"\\]|\\.)*"|[^"<>])*)>(?: +(.*))?$/

function splitCommand(argument: string, keyword: string): { path: string; parameters: string } | null {
  if (argument.slice(0, keyword.length).toUpperCase() !== keyword) return null
  const match = pathAndRest.exec(argument.slice(keyword.length).trim())
  return match ? { path: match[1]!, parameters: match[2] ?? '' } : null
}

function readAddress(path: string, options: { smtpUtf8: boolean; syntaxTail: string }): string | Reply {
  if (path.startsWith('@')) return refusalOf('source-route', options)
  const parsed = parseAddress(path)
  if ('error' in parsed) return refusalOf(parsed.error, options)
  // RFC 6531 §3.4: without SMTPUTF8 the whole path is ASCII, a domain in U-labels included.
  if (!options.smtpUtf8 && !isAscii(path))
    return permanent('6.7', 'A non-ASCII address needs the SMTPUTF8 parameter', 553)
  return parsed.address
}

function refusalOf(error: AddressError, options: { syntaxTail: string }): Reply {
  switch (error) {
    case 'source-route':
      return permanent('7.1', 'Source routes, percent hacks and bang paths are not relayed')
    case 'too-long':
      return permanent(options.syntaxTail, 'Address too long', 501)
    case 'domain':
      return permanent(options.syntaxTail, 'The domain of the address is not valid', 501)
    case 'syntax':
      return permanent(options.syntaxTail, 'Bad address syntax', 501)
  }
}

/** What the value of each parameter must match; null where it takes none. */
type Grammar = ReadonlyMap<string, { readonly value: RegExp; readonly maxLength: number } | null>

/** RFC 3461 §4: `+` and two upper-case hex digits stand for an octet. */
const xtext = /^(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})+$/
const printableXtext = /^(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+(?:[2-6][0-9A-F]|7[0-9A-E]))+$/
/** RFC 3461 §4.2, RFC 6533 §3: any address type with xtext, and `utf-8` also with raw UTF-8. */
const orcpt =
  /^(?:[A-Za-z0-9!#$%&'*/?^_`{|}~.-]+;(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+(?:[2-6][0-9A-F]|7[0-9A-E]))+|utf-8;[^\x00-\x20\x7f-\x9f\ufffd]+)$/i

const mailParameters: Grammar = new Map([
  ['SIZE', { value: /^\d{1,20}$/, maxLength: 20 }],
  ['BODY', { value: /^(?:7BIT|8BITMIME)$/i, maxLength: 8 }],
  ['SMTPUTF8', null],
  ['RET', { value: /^(?:FULL|HDRS)$/i, maxLength: 4 }],
  ['ENVID', { value: printableXtext, maxLength: 100 }],
  // Who the client says submitted it first. We vouch for nobody, so it is read and not passed on (RFC 4954 §5).
  ['AUTH', { value: xtext, maxLength: 500 }],
])

const rcptParameters: Grammar = new Map([
  [
    'NOTIFY',
    { value: /^(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*)$/i, maxLength: 64 },
  ],
  ['ORCPT', { value: orcpt, maxLength: 500 }],
])

const none: ReadonlyMap<string, string> = new Map()

function readParameters(text: string, grammar: Grammar): ReadonlyMap<string, string> | Reply {
  if (text === '') return none
  const read = new Map<string, string>()
  for (const parameter of text.split(/ +/)) {
    const equals = parameter.indexOf('=')
    const keyword = (equals === -1 ? parameter : parameter.slice(0, equals)).toUpperCase()
    const value = equals === -1 ? null : parameter.slice(equals + 1)
    const expected = grammar.get(keyword)
    if (!/^[A-Z0-9][A-Z0-9-]*$/.test(keyword)) return permanent('5.4', 'Bad parameter syntax', 501)
    if (expected === undefined)
      return permanent('5.4', `Parameter ${keyword.slice(0, 40)} not recognized`, 555)
    if (read.has(keyword)) return permanent('5.4', `Parameter ${keyword} given twice`, 501)
    if (!fits(value, expected)) return badValue(keyword)
    read.set(keyword, value ?? '')
  }
  return read
}

function fits(value: string | null, expected: { value: RegExp; maxLength: number } | null): boolean {
  if (expected === null) return value === null
  return value !== null && value.length <= expected.maxLength && expected.value.test(value)
}

function readNotify(value: string | undefined): Notify {
  if (value === undefined) return null
  const words = value.toLowerCase().split(',')
  if (words[0] === 'never') return 'never'
  return [...new Set(words)] as ('success' | 'failure' | 'delay')[]
}
