/**
 * What a rule tells somebody of a message it matched, in the manner of Exchange's incident report: the
 * administrator's text, then who wrote to whom, the subject, and why the rule matched. Text from outside is data
 * here: it stands in lines of its own and cannot begin a field.
 */
import { isAscii } from 'node:buffer'
import { needsSmtpUtf8 } from '../address.ts'
import { base64Lines, type OwnMessage } from '../delivery/own-message.ts'
import { formatField } from '../message/edit/header-edit.ts'
import { HeaderView } from '../message/header-view.ts'
import { printable } from '../reply.ts'
import { dateTime } from '../smtp/received.ts'
import type { Transaction } from '../smtp/transaction.ts'
import type { Notice } from './rules/verdict.ts'

export interface NoticeContext {
  /** The notice's own id. */
  readonly id: string
  readonly hostname: string
  readonly postmaster: string
  /** Of the message it is about. */
  readonly messageId: string
  readonly receivedAt: number
  readonly transaction: Transaction
  readonly draft: { readonly header: Buffer }
}

/** As many as Exchange's incident report names. */
const mostNamed = 10

export function composeNotice(notice: Notice, context: NoticeContext): OwnMessage {
  const { id, hostname, postmaster, receivedAt } = context
  const to = [...new Set(notice.to)]
  const text = Buffer.from(`${bodyLines(notice, context).join('\r\n')}\r\n`)
  const ascii = isAscii(text)
  const internetMessageId = `<${id}@${hostname}>`
  const header = [
    `From: Mail Delivery System <${postmaster}>`,
    `To: ${to.map((address) => `<${address}>`).join(',\r\n\t')}`,
    formatField('Subject', notice.subject).raw.toString().trimEnd(),
    `Date: ${dateTime(receivedAt)}`,
    `Message-ID: ${internetMessageId}`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Transfer-Encoding: ${ascii ? '7bit' : 'base64'}`,
  ]
  const head = Buffer.from(`${header.join('\r\n')}\r\n\r\n`)
  const bytes = Buffer.concat([head, ascii ? text : base64Lines(text)])
  const needsUtf8 = [postmaster, ...to].some(needsSmtpUtf8)
  return {
    envelope: {
      from: '',
      to: to.map((address) => ({ address, notify: 'never', orcpt: null })),
      bodyType: isAscii(bytes) ? '7bit' : '8bitmime',
      smtpUtf8: needsUtf8,
      ret: null,
      envid: null,
    },
    bytes,
    internetMessageId,
    eightBit: !isAscii(bytes),
  }
}

function bodyLines(notice: Notice, { messageId, receivedAt, transaction, draft }: NoticeContext): string[] {
  const { sender, recipients, session } = transaction
  const header = new HeaderView(draft.header)
  const named = recipients.slice(0, mostNamed).map(({ address }) => address)
  const more = recipients.length - named.length
  return [
    ...(notice.text === null ? [] : [...notice.text.split(/\r\n|\r|\n/), '']),
    `Rule: ${printable(notice.rule)}`,
    ...notice.because.map(({ condition, value }) => `Matched: ${condition}: ${printable(value)}`),
    `Queue id: ${messageId}`,
    `Received: ${dateTime(receivedAt)}`,
    `Client: ${session.client.address ?? 'unknown'}${session.client.user === null ? '' : ` as ${printable(session.client.user)}`}`,
    `Sender: <${sender.from}>`,
    `Recipients: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
    `Subject: ${printable(header.subject)}`,
    `Message-ID: ${printable(header.values('message-id')[0] ?? '')}`,
  ].flatMap(wrapped)
}

/** RFC 5322 §2.1.1 allows lines of 998 octets. */
const longestLine = 240

function wrapped(line: string): string[] {
  const parts = line.match(new RegExp(`[^]{1,${longestLine}}`, 'gu'))
  return parts ?? ['']
}
