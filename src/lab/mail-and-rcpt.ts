/**
 * MAIL and RCPT as the sandbox reads them (RFC 5321 §4.1.1.2, §4.1.1.3, with SIZE, 8BITMIME, SMTPUTF8, DSN and
 * AUTH parameters). It is as exact as a strict provider: a relay that sends it anything else has a defect.
 */
import type { EnvelopeRecipient, EnvelopeSender, Notify } from '../envelope.ts'
import { permanent, type Reply } from '../reply.ts'

export interface MailCommand {
  readonly sender: EnvelopeSender
  readonly sizeBytes: number | null
}

// A quoted local part may hold what would otherwise end the path.
const path = String.raw`<((?:"(?:[^"\\]|\\.)*"|[^<>\s"])*)>(?: (.*))?$`
const mailPattern = new RegExp(`^FROM:${path}`, 'i')
const rcptPattern = new RegExp(`^TO:${path}`, 'i')

/** Reads what follows `MAIL `; a reply says what is wrong with it. */
export function parseMail(text: string): MailCommand | Reply {
  const match = mailPattern.exec(text)
  if (!match || !isPath(match[1]!, { empty: true })) return permanent('1.7', 'Bad sender address', 501)
  const parameters = parseParameters(match[2])
  const sender = {
    from: match[1]!,
    bodyType: parameters.get('BODY')?.toLowerCase() === '8bitmime' ? '8bitmime' : '7bit',
    smtpUtf8: parameters.has('SMTPUTF8'),
    ret: (parameters.get('RET')?.toLowerCase() as 'full' | 'hdrs' | undefined) ?? null,
    envid: parameters.get('ENVID') ?? null,
  } as const
  for (const [name, value] of parameters)
    if (!mailParameters[name]?.test(value)) return unknownParameter(name)
  if (!sender.smtpUtf8 && !isAscii(sender.from)) return needsUtf8
  return { sender, sizeBytes: parameters.has('SIZE') ? Number(parameters.get('SIZE')) : null }
}

/** Reads what follows `RCPT `. */
export function parseRcpt(text: string, sender: EnvelopeSender): EnvelopeRecipient | Reply {
  const match = rcptPattern.exec(text)
  if (!match || !isPath(match[1]!, { empty: false })) return permanent('1.3', 'Bad recipient address', 501)
  const parameters = parseParameters(match[2])
  for (const [name, value] of parameters)
    if (!rcptParameters[name]?.test(value)) return unknownParameter(name)
  if (!sender.smtpUtf8 && !isAscii(match[1]!)) return needsUtf8
  return {
    address: match[1]!,
    notify: parseNotify(parameters.get('NOTIFY')),
    orcpt: parameters.get('ORCPT') ?? null,
  }
}

const mailParameters: Record<string, RegExp> = {
  SIZE: /^\d{1,15}$/,
  BODY: /^(?:7BIT|8BITMIME)$/i,
  SMTPUTF8: /^$/,
  RET: /^(?:FULL|HDRS)$/i,
  ENVID: /^[!-*,-<>-~+]{1,100}$/,
  AUTH: /^[!-~]+$/,
}
const rcptParameters: Record<string, RegExp> = {
  NOTIFY: /^(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*)$/i,
  ORCPT: /^[\w-]+;[!-<>-~]+$/,
}

const noParameters: ReadonlyMap<string, string> = new Map()

function parseParameters(text: string | undefined): ReadonlyMap<string, string> {
  if (text === undefined) return noParameters
  return new Map(
    text.split(' ').map((parameter) => {
      const equals = parameter.indexOf('=')
      return equals < 0
        ? [parameter.toUpperCase(), '']
        : [parameter.slice(0, equals).toUpperCase(), parameter.slice(equals + 1)]
    }),
  )
}

function parseNotify(value: string | undefined): Notify {
  if (value === undefined) return null
  const lower = value.toLowerCase()
  return lower === 'never' ? 'never' : (lower.split(',') as ('success' | 'failure' | 'delay')[])
}

function isPath(path: string, allow: { empty: boolean }): boolean {
  return path === '' ? allow.empty : path.indexOf('@') > 0 && !path.endsWith('@')
}

const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text)
const needsUtf8 = permanent('6.7', 'Address is not ASCII and SMTPUTF8 was not given', 553)
const unknownParameter = (name: string): Reply =>
  permanent('5.4', `Parameter ${name} is unknown or its value is wrong`, 555)
