/**
 * The trace field we put before a message (RFC 5321 §4.4): who handed it over, how, to which relay, under which
 * id. It names a recipient only where there is one, so that a blind copy stays blind, and no user names.
 */
import { oncePerSecond } from '../instant.ts'
import type { Transaction } from './transaction.ts'

export function receivedField(options: {
  transaction: Transaction
  messageId: string
  hostname: string
  now: number
}): string {
  const { transaction, messageId, hostname, now } = options
  const { session, recipients } = transaction
  const client = addressLiteral(session.client.address)
  const tls = session.tls === null ? '' : `\r\n\t(${session.tls.replace(/[^\w. -]/g, '?')})`
  const recipient = recipients.length === 1 ? `\r\n\tfor <${recipients[0]!.address}>` : ''
  return (
    `Received: from ${heloName(session.helo) ?? client} (${client})\r\n` +
    `\tby ${hostname} with ${session.protocol} id ${messageId}${tls}${recipient};\r\n` +
    `\t${dateTime(now)}\r\n`
  )
}

/** RFC 5322 §3.3, in UTC. */
export const dateTime = oncePerSecond((date) => date.toUTCString().replace('GMT', '+0000'))

function addressLiteral(address: string | null): string {
  if (address === null) return 'unknown'
  return address.includes(':') ? `[IPv6:${address}]` : `[${address}]`
}

/** Null for a name that is neither a domain nor an address literal: it could say anything, so it is left out. */
function heloName(helo: string): string | null {
  return /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9_])?|\[[A-Za-z0-9.:]{3,60}\])$/.test(helo)
    ? helo
    : null
}
