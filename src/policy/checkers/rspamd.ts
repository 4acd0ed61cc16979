/**
 * rspamd over its own HTTP protocol: the message as the body of POST /checkv2, what is known of its envelope and client
 * as headers; the answer is an action, and changes to make. They are made as rspamd's own milter makes them.
 */
import type { CheckerConfig } from '../../config/policy-schema.ts'
import { readDraft } from '../../message/draft.ts'
import {
  addField,
  fieldAsGiven,
  formatField,
  insertField,
  removeField,
  removeFields,
  setField,
} from '../../message/edit/header-edit.ts'
import { parseHeader } from '../../message/header.ts'
import { printable, type Reply } from '../../reply.ts'
import { type CheckedMessage, type Checker, type CheckerVerdict, NotChecked, unchanged } from './checker.ts'
import { HttpEndpoint } from './http-endpoint.ts'
import { oneLine, outsideReply } from './outside-reply.ts'
import { type AddedField, parseRspamdAnswer, type RspamdAnswer } from './rspamd-answer.ts'

type RspamdConfig = Extract<CheckerConfig, { kind: 'rspamd' }>

export interface RspamdOptions {
  /** The password itself; the configuration holds only where to find it. */
  readonly password: string | null
  /** The relay's name: rspamd writes it into Authentication-Results. */
  readonly hostname: string
}

export class Rspamd implements Checker {
  readonly name: string
  readonly #endpoint: HttpEndpoint
  readonly #options: RspamdOptions

  constructor(config: Pick<RspamdConfig, 'name' | 'url'>, options: RspamdOptions) {
    this.name = config.name
    const url = new URL(config.url)
    url.pathname = `${url.pathname.replace(/\/$/, '')}/checkv2`
    this.#endpoint = new HttpEndpoint(url)
    this.#options = options
  }

  async check(message: CheckedMessage, signal: AbortSignal): Promise<CheckerVerdict> {
    const { status, body, early } = await this.#endpoint.post({
      headers: requestHeaders(message, this.#options),
      body: readDraft(message.draft),
      limitBytes: 1024 * 1024,
      signal,
    })
    if (status === 413) throw new NotChecked('the message is larger than it takes (HTTP status 413)')
    if (status !== 200)
      throw new Error(`answered with HTTP status ${status}: ${oneLine(body.toString('utf8', 0, 200))}`)
    if (early) throw new Error('judged the message before it had all of it')
    return verdictOf(message, parseRspamdAnswer(body.toString('utf8')))
  }

  async close(): Promise<void> {
    this.#endpoint.close()
  }
}

/** rspamd refuses requests whose header is too long, and no rule of its wants to know all of so many recipients. */
const mostRecipientBytes = 8 * 1024

function requestHeaders(
  { messageId, transaction }: CheckedMessage,
  { password, hostname }: RspamdOptions,
): Record<string, string | string[]> {
  const { session, sender, recipients } = transaction
  const [tlsVersion, tlsCipher] = session.tls?.split(' ') ?? []
  const known: Record<string, string | null | undefined> = {
    From: sender.from || '<>',
    IP: session.client.address,
    Helo: session.helo,
    User: session.client.user,
    'Queue-Id': messageId,
    'MTA-Name': hostname,
    'TLS-Version': tlsVersion,
    'TLS-Cipher': tlsCipher,
    // Asks for the answer as its milter gets it: with a signature among the fields to add, for example.
    Milter: 'Yes',
    Password: password,
  }
  const headers: Record<string, string | string[]> = {
    'Content-Type': 'message/rfc822',
    Rcpt: first(recipients.map(({ address }) => address)),
  }
  for (const [name, value] of Object.entries(known)) if (value) headers[name] = printable(value)
  return headers
}

function first(addresses: readonly string[]): string[] {
  let bytes = 0
  const end = addresses.findIndex((address) => {
    bytes += address.length + 'Rcpt: \r\n'.length
    return bytes > mostRecipientBytes
  })
  return end === -1 ? [...addresses] : addresses.slice(0, end)
}

function verdictOf(message: CheckedMessage, answer: RspamdAnswer): CheckerVerdict {
  const { note, action, milter } = answer
  const disposition = milter.ignoreAction ? 'pass' : dispositionOf(action, milter.onReject)
  if (disposition === 'drop') return { kind: 'drop', note }
  if (disposition === 'refuse' || disposition === 'defer')
    return { kind: 'refuse', reply: refusal(disposition, answer.smtpMessage), note }
  const header = edited(message.draft.header, answer)
  const { draft } = message
  return {
    ...unchanged(message, note),
    draft: header === draft.header ? draft : { header, body: draft.body },
    sender: milter.sender,
    added: milter.added,
    removed: milter.removed,
    hold: disposition === 'hold' ? `rspamd: ${note}` : null,
  }
}

/** `greylist` is advice that its own module follows with a `soft reject`; actions of the operator's own are accepted. */
function dispositionOf(
  action: string,
  onReject: RspamdAnswer['milter']['onReject'],
): 'pass' | 'hold' | 'drop' | 'defer' | 'refuse' {
  switch (action) {
    case 'reject':
      return ({ reject: 'refuse', discard: 'drop', quarantine: 'hold' } as const)[onReject]
    case 'soft reject':
      return 'defer'
    case 'discard':
      return 'drop'
    case 'quarantine':
      return 'hold'
    default:
      return 'pass'
  }
}

function refusal(kind: 'refuse' | 'defer', text: string | null): Reply {
  return kind === 'refuse'
    ? outsideReply({ code: 554, text: text ?? 'Spam message rejected' })
    : outsideReply({ code: 451, text: text ?? 'Try again later' })
}

/** The header with all changes; the very same where there are none. */
function edited(header: Buffer, { action, subject, dkimSignatures, milter }: RspamdAnswer): Buffer {
  let bytes = header
  for (const { name, nth } of milter.removeFields) bytes = removed(bytes, { name, nth })
  for (const field of milter.addFields) bytes = withField(bytes, field)
  for (const value of dkimSignatures) bytes = withField(bytes, { name: 'DKIM-Signature', value, order: 1 })
  if (milter.ignoreAction) return addField(bytes, formatField('X-Rspamd-Action', action))
  if (action === 'rewrite subject' && subject !== null)
    bytes = setField(bytes, fieldAsGiven('Subject', subject))
  if (action === 'add header')
    for (const { name, value } of milter.spamFields) bytes = setField(bytes, fieldAsGiven(name, value))
  return bytes
}

function removed(header: Buffer, { name, nth }: { name: string; nth: number }): Buffer {
  if (nth === 0) return removeFields(header, name)
  if (nth > 0) return removeField(header, name, nth)
  const count = parseHeader(header).fields.filter((field) => field.name === name.toLowerCase()).length
  return removeField(header, name, count + nth + 1)
}

/** Milters count our trace field, which stands above the draft: 0 is before it and 1 behind it, both the draft's top. */
function withField(header: Buffer, { name, value, order }: AddedField): Buffer {
  const field = fieldAsGiven(name, value)
  if (order === null) return addField(header, field)
  const index = order >= 0 ? order : parseHeader(header).fields.length + order + 1
  return insertField(header, field, Math.max(index - 1, 0))
}
