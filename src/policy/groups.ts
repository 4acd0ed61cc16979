/**
 * To whom one form of a message goes, and how: the variants that the rules made of it, as groups that the queue takes.
 * Pure. Nobody gets the same form twice, and whom a rule adds gets nothing where the message goes to them anyway.
 */
import { needsSmtpUtf8 } from '../address.ts'
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import type { Variant } from './rules/verdict.ts'

/** Recipients of one form of the message that leave the same way. */
export interface Group {
  readonly sender: EnvelopeSender
  readonly recipients: readonly EnvelopeRecipient[]
  /** For an operator to decide; null: goes on. */
  readonly hold: string | null
  /** Where a rule chose the connector. */
  readonly connector: string | null
  readonly requireTls: boolean
}

/** The envelope as it stands before the rules. */
export interface Before {
  readonly sender: EnvelopeSender
  readonly recipients: ReadonlyMap<string, EnvelopeRecipient>
  readonly hold: string | null
}

/** `variants` are those of one form, `all` those of the whole message. */
export function groupsOf(
  variants: readonly Variant[],
  { before, all }: { readonly before: Before; readonly all: readonly Variant[] },
): Group[] {
  const once = new Once(ownRecipients(variants))
  const reached = variants.map(({ recipients, redirectTo }) => {
    const own = recipients.map((address) => before.recipients.get(address)!)
    return redirectTo === null ? own : once.of(redirectTo).map(insteadOf(own))
  })
  once.of(ownRecipients(all))
  return variants.flatMap((variant, index) => {
    const recipients = [...reached[index]!, ...once.of(variant.added).map(silent)]
    return recipients.length === 0 ? [] : groupOf(variant, { before, recipients })
  })
}

/** For the operator the first reason is the one. */
function groupOf(
  variant: Variant,
  { before, recipients }: { before: Before; recipients: readonly EnvelopeRecipient[] },
): Group {
  const { sender, hold, connector, requireTls } = variant
  // RFC 5321 §4.5.5: a report that had a sender could be answered by another, and so on for ever.
  const keepsSender = sender === null || before.sender.from === ''
  const envelope = keepsSender ? before.sender : withAddress(before.sender, sender)
  return {
    sender: writesUtf8(variant) ? { ...envelope, smtpUtf8: true } : envelope,
    recipients,
    hold: before.hold ?? hold,
    connector,
    requireTls,
  }
}

/** An address that has no ASCII form stands in the header as it is (RFC 6532), which the next hop must know. */
function writesUtf8({ edits }: Variant): boolean {
  return edits.some((edit) => {
    if (edit.kind === 'rewriteFrom') return needsSmtpUtf8(edit.address)
    return edit.kind === 'addMailboxes' && edit.addresses.some(needsSmtpUtf8)
  })
}

function ownRecipients(variants: readonly Variant[]): string[] {
  return variants.flatMap(({ redirectTo, recipients }) => (redirectTo === null ? recipients : []))
}

class Once {
  readonly #seen: Set<string>

  constructor(seen: readonly string[]) {
    this.#seen = new Set(seen)
  }

  /** Those not seen before. */
  of(addresses: readonly string[]): string[] {
    return addresses.filter((address) => !this.#seen.has(address) && this.#seen.add(address))
  }
}

/** Where nobody's failure was to be told, neither is that of whom the message goes to instead. */
function insteadOf(own: readonly EnvelopeRecipient[]): (address: string) => EnvelopeRecipient {
  const notify = own.every((recipient) => recipient.notify === 'never') ? 'never' : null
  return (address) => ({ address, notify, orcpt: null })
}

/** The sender did not write to them and must not hear of them. */
export const silent = (address: string): EnvelopeRecipient => ({ address, notify: 'never', orcpt: null })

export function withAddress(sender: EnvelopeSender, from: string): EnvelopeSender {
  return { ...sender, from, smtpUtf8: sender.smtpUtf8 || needsSmtpUtf8(from) }
}
