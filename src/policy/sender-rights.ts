/**
 * Who may send as whom: the envelope sender at MAIL, and the author at the end of DATA. A client whose senders are
 * restricted must name them in both places, because it is the From field that people see. What readers could
 * take for another author than we do is refused, not guessed: several From fields, or one without a clear reading.
 */
import { canonicalDomain, parseAddress } from '../address.ts'
import type { HeaderView } from '../message/header-view.ts'
import { permanent, printable, type Reply } from '../reply.ts'
import type { SenderRights } from '../smtp/transaction.ts'

/**
 * At the end of DATA: may this client write as these authors? Each mailbox of the one From field must be allowed,
 * and each of a Sender field (RFC 5322 §3.6.2), which some readers show as "on behalf of".
 */
export function fromRefusal(rights: SenderRights, header: HeaderView): Reply | null {
  if (rights === 'all') return null
  const fields = header.mailboxes('from')
  if (fields.length === 0) return notPermitted('the message has no From field')
  if (fields.length > 1) return notPermitted('the message has more than one From field')
  return fieldRefusal(rights, 'From', fields[0]!) ?? senderFieldRefusal(rights, header)
}

/** Letter case does not count, as with Exchange. */
export function maySendAs(rights: SenderRights, address: string): boolean {
  return rights === 'all' || rights.some((pattern) => matches(pattern, address))
}

/** `*`, `*@example.com` or `user@example.com`. */
export function isSenderPattern(pattern: string): boolean {
  if (pattern === '*') return true
  return pattern.startsWith('*@')
    ? canonicalDomain(pattern.slice(2)) !== null
    : !('error' in parseAddress(pattern))
}

function senderFieldRefusal(rights: SenderRights, header: HeaderView): Reply | null {
  for (const mailboxes of header.mailboxes('sender')) {
    const refusal = fieldRefusal(rights, 'Sender', mailboxes)
    if (refusal !== null) return refusal
  }
  return null
}

function fieldRefusal(
  rights: SenderRights,
  field: string,
  mailboxes: ReturnType<HeaderView['mailboxes']>[number],
): Reply | null {
  if (mailboxes === null) return notPermitted(`the ${field} field cannot be read`)
  if (mailboxes.length === 0) return notPermitted(`the ${field} field has no address`)
  const foreign = mailboxes.find(({ address }) => !maySendAs(rights, address))
  return foreign === undefined ? null : notPermitted(foreign.address)
}

/** Exchange's words and code, so that those who search for them find its explanations. */
function notPermitted(what: string): Reply {
  return permanent('7.60', `Client does not have permissions to send as this sender: ${printable(what)}`)
}

function matches(pattern: string, address: string): boolean {
  if (pattern === '*') return true
  if (pattern.startsWith('*@')) {
    const domain = canonicalDomain(pattern.slice(2))
    return domain !== null && address.endsWith(`@${domain}`)
  }
  const parsed = parseAddress(pattern)
  return !('error' in parsed) && parsed.address.toLowerCase() === address.toLowerCase()
}
