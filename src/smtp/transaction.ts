/** What the listener knows when it asks, and the two questions it asks of the stations behind it. */
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import type { Client } from '../queue/queue.ts'
import type { Reply } from '../reply.ts'

/** The senders that a client may use: `user@example.com`, `*@example.com`, or all there are. */
export type SenderRights = readonly string[] | 'all'

export interface Session {
  /** The connection's id in the log. */
  readonly id: string
  readonly client: Client
  /** The argument of EHLO or HELO. */
  readonly helo: string
  /** RFC 3848: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, with UTF8 variants (RFC 6531). */
  readonly protocol: string
  /** `TLSv1.3 TLS_AES_256_GCM_SHA384`; null in clear. */
  readonly tls: string | null
  /** As whom the From field may speak; all where `access.fromField` is `ignore`. The envelope was checked at MAIL. */
  readonly senders: SenderRights
}

/** RFC 5321 §3.3: one MAIL, its RCPTs and its DATA. */
export interface Transaction {
  readonly session: Session
  readonly sender: EnvelopeSender
  /** The SIZE parameter of MAIL (RFC 1870). */
  readonly declaredSizeBytes: number | null
  readonly recipients: readonly EnvelopeRecipient[]
}

/** The limits of a listener that a message meets while it streams. */
export interface MessageLimits {
  readonly maxMessageSize: number
  readonly maxHeaderSize: number
  readonly maxLineLength: number
  readonly maxHops: number
  readonly bareNewlines: 'reject' | 'repair'
}

export interface Reception {
  /**
   * At RCPT, after access and limits: null accepts the recipient, a reply refuses it alone. A promise only where
   * somebody outside has to be asked.
   */
  recipient(transaction: Transaction, recipient: EnvelopeRecipient): Reply | null | Promise<Reply | null>

  /**
   * At DATA: reads the message to its end, or until it is sure to be refused, and answers the final dot. The
   * positive reply is given only when the message is durable. Never rejects: a fault of ours is
   * `localError`, complete in the log. A stream that fails (the client went away) leaves nothing behind.
   */
  message(transaction: Transaction, content: AsyncIterable<Buffer>, limits: MessageLimits): Promise<Reply>
}
