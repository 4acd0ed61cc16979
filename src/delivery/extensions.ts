/** What a smart host offers in its answer to EHLO (RFC 5321 §4.1.1.1), and whether a message fits into it. */
import { needsSmtpUtf8, parseAddress } from '../address.ts'
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import { permanent, printable, type Reply, temporary } from '../reply.ts'

export interface Extensions {
  readonly pipelining: boolean
  readonly eightBitMime: boolean
  readonly smtpUtf8: boolean
  readonly dsn: boolean
  /** RFC 1870; `maxBytes` is null where the host declares no limit. Null where SIZE is not offered. */
  readonly size: { readonly maxBytes: number | null } | null
  /** SASL mechanisms, in upper case. */
  readonly auth: readonly string[]
}

/** One message on its way out: what a transaction is made of, beside the body. */
export interface OutgoingMessage {
  /** Of its queue item. */
  readonly id: string
  /** Its own Message-ID field; null where it has none. */
  readonly internetMessageId: string | null
  readonly sender: EnvelopeSender
  readonly recipients: readonly EnvelopeRecipient[]
  /** Of the stored body, exactly. */
  readonly sizeBytes: number
  readonly eightBit: boolean
  /** Not a byte of it leaves on a connection in clear. */
  readonly requireTls: boolean
}

/** Reads the whole reply. An answer to HELO offers nothing: it has one line. */
export function parseExtensions(ehloReply: string): Extensions {
  const offered = new Map<string, string[]>()
  // The first line is the host's name and greeting, whatever words are in it.
  for (const line of ehloReply.split(/\r?\n/).slice(1)) {
    // `AUTH=LOGIN` is an old spelling that some hosts still add.
    const match = /^250[ -]([A-Za-z0-9][A-Za-z0-9-]*)(?:[ =]+(.*))?$/.exec(line.trimEnd())
    if (!match) continue
    const keyword = match[1]!.toUpperCase()
    const parameters = (match[2] ?? '').split(/[ =]+/).filter((word) => word !== '')
    offered.set(keyword, [...(offered.get(keyword) ?? []), ...parameters])
  }
  const limit = Number(offered.get('SIZE')?.[0] ?? 0)
  return {
    pipelining: offered.has('PIPELINING'),
    eightBitMime: offered.has('8BITMIME'),
    smtpUtf8: offered.has('SMTPUTF8'),
    dsn: offered.has('DSN'),
    size: offered.has('SIZE') ? { maxBytes: limit > 0 ? limit : null } : null,
    auth: (offered.get('AUTH') ?? []).map((mechanism) => mechanism.toUpperCase()),
  }
}

/**
 * Why a message cannot go to this host, decided before a byte of it is sent; null where it can. What the host
 * did not announce is never sent: neither 8-bit content nor an internationalized envelope.
 */
export function misfit(message: OutgoingMessage, extensions: Extensions): Reply | null {
  const maxBytes = extensions.size?.maxBytes ?? null
  if (maxBytes !== null && message.sizeBytes > maxBytes)
    return permanent(
      '3.4',
      `The message has ${message.sizeBytes} bytes, the smart host takes ${maxBytes}`,
      552,
    )
  if (message.eightBit && !extensions.eightBitMime)
    return permanent('6.3', 'The message has 8-bit content, the smart host takes only 7-bit', 554)
  if (needsUtf8(message) && !extensions.smtpUtf8)
    return permanent('6.7', 'The message needs SMTPUTF8, the smart host does not offer it', 553)
  return addressFault(message)
}

export function needsUtf8({ sender, recipients }: OutgoingMessage): boolean {
  return (
    sender.smtpUtf8 ||
    needsSmtpUtf8(sender.from) ||
    recipients.some((recipient) => needsSmtpUtf8(recipient.address))
  )
}

/** Every address is proved once more to be one, so that nothing stored can add a parameter or a command. */
function addressFault({ sender, recipients }: OutgoingMessage): Reply | null {
  if (sender.from !== '' && !isCanonical(sender.from))
    return temporary('3.0', `Cannot send from ${quoted(sender.from)}: it is not a mail address`)
  const wrong = recipients.find((recipient) => !isCanonical(recipient.address))
  // Temporary: what is stored was accepted by us, so the mistake is ours (design §2.5).
  return wrong ? temporary('3.0', `Cannot send to ${quoted(wrong.address)}: it is not a mail address`) : null
}

function isCanonical(address: string): boolean {
  const parsed = parseAddress(address)
  return !('error' in parsed) && parsed.address === address
}

const quoted = (text: string): string => printable(JSON.stringify(text))
