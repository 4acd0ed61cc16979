/** A message that the relay itself writes, a DSN or a notice, as the queue takes it. */
import type { Envelope } from '../envelope.ts'
import { itemId } from '../message-id.ts'
import type { NewMessage } from '../queue/queue.ts'
import { unreachable } from './reroute.ts'

export interface OwnMessage {
  readonly envelope: Envelope
  readonly bytes: Buffer
  readonly internetMessageId: string
  readonly eightBit: boolean
}

export function ownMessage(
  { envelope, bytes, internetMessageId, eightBit }: OwnMessage,
  options: {
    readonly id: string
    readonly connector: string
    readonly now: number
    readonly expiresAt: number
  },
): NewMessage {
  const { id, connector, now, expiresAt } = options
  const { to, ...sender } = envelope
  return {
    id,
    body: { kind: 'inline', bytes },
    items: [
      {
        id: itemId(id, 1),
        messageId: id,
        connector,
        sender,
        recipients: to.map((recipient) => ({
          ...recipient,
          state: 'pending',
          lastReply: null,
          lastHost: null,
        })),
        client: { address: null, listener: null, user: null },
        internetMessageId,
        eightBit,
        sizeBytes: bytes.length,
        receivedAt: now,
        expiresAt,
        delayNoticeAt: null,
        attempts: 0,
        nextAttemptAt: connector === unreachable ? expiresAt : now,
        suspended: null,
        requireTls: false,
        boundMark: false,
        lastError: connector === unreachable ? 'no connector takes the recipient' : null,
      },
    ],
  }
}

/** Lines of 76 characters (RFC 2045 §6.8), the last without its CRLF. */
export function base64Lines(content: Buffer): Buffer {
  return Buffer.from(content.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n'), 'latin1')
}
