/**
 * Who a message is from, for sender bindings. A binding names an address or a whole domain; which of the
 * message's two senders it is compared with is `routing.senderIdentity`.
 */
import { domainOf, parseAddress } from '../address.ts'

export type SenderIdentity = 'envelope' | 'header' | 'headerOrEnvelope'

export interface Senders {
  /** Null for the null reverse-path, which is nobody's. */
  readonly envelopeFrom: string | null
  /** The one address of the From field; null where there is none, or several. */
  readonly headerFrom: string | null
}

/**
 * The address whose binding counts, or null where nobody's does. With `header` the envelope plays no part,
 * so that an automatic answer with a null reverse-path leaves the way its author's mail does.
 */
export function senderIdentity(setting: SenderIdentity, senders: Senders): string | null {
  const envelope = senders.envelopeFrom || null
  if (setting === 'envelope') return envelope
  const header = canonical(senders.headerFrom)
  return setting === 'header' ? header : (header ?? envelope)
}

/**
 * The form in which senders are compared. RFC 5321 §2.4 leaves the case of a local part to its host, but no
 * provider gives `Sales@` and `sales@` to two people, and Exchange does not tell them apart. Quoting that
 * changes nothing (`"sales"@example.com`) must not evade a binding either.
 */
export function senderKey(address: string): string {
  if (isKey.test(address)) return address
  const local = address.slice(0, address.lastIndexOf('@'))
  const plain = local.startsWith('"') ? local.slice(1, -1).replace(/\\(.)/g, '$1') : local
  return `${plain.normalize('NFC').toLowerCase()}@${domainOf(address)}`
}

/** In which nothing changes, as in most. */
const isKey = /^[a-z0-9.+_-]+@[^@"]*$/

function canonical(address: string | null): string | null {
  if (address === null) return null
  const parsed = parseAddress(address)
  return 'error' in parsed ? null : parsed.address
}
