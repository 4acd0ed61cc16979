/**
 * A sender binding of the runtime state, under the sender it binds: `user@example.com` as senders are compared, or
 * `@example.com` for a domain's default.
 */
import { z } from 'zod'
import { canonicalDomain, parseAddress } from '../address.ts'
import { connectorId, text } from '../config/values.ts'
import { senderKey } from '../route/sender.ts'

export const senderKind = 'sender'

export const senderForm =
  'must be a mail address such as user@example.com, or @example.com for the default of a domain'

/** An address or `@domain`, in the form in which bindings are compared. */
export const senderId = text(parseSender, senderForm)

const boundForm = { error: 'must be the id of a connector, or 0 for none' }

/** The connector of a binding: 0 or null binds to none, also where the domain has a default. */
export const boundConnector = z
  .union([z.literal([0, '0', null], boundForm).transform(() => null), connectorId], boundForm)
  .describe('0: no connector, also where the domain has a default')

export const senderValue = z.strictObject({
  /** Null: bound to none. */
  connector: z.string().nullable(),
  createdAt: z.number(),
})

/** Null where it is neither an address nor `@domain`. */
export function parseSender(sender: string): string | null {
  if (sender.startsWith('@')) {
    const domain = canonicalDomain(sender.slice(1))
    return domain === null ? null : `@${domain}`
  }
  const parsed = parseAddress(sender)
  return 'error' in parsed ? null : senderKey(parsed.address)
}

/** What is compared has no quotes; as an address a local part such as `sales team` needs them. */
export function formatSender(id: string): string {
  const at = id.lastIndexOf('@')
  const local = id.slice(0, at)
  if (at === 0 || dotAtom.test(local)) return id
  return `"${local.replace(/["\\]/g, '\\$&')}"${id.slice(at)}`
}

const dotAtom = /^[^\s"(),.:;<>@[\]\\]+(?:\.[^\s"(),.:;<>@[\]\\]+)*$/u
