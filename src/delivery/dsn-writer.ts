/**
 * Makes a report into a queued message: reads back what the DSN returns of the original, composes it, routes
 * its recipient as any other mail, with the null reverse-path. What it returns is stored in the same step
 * that concludes the item it reports on.
 */
import type { Clock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { siblingMessageId } from '../message-id.ts'
import type { MailEvent } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import { BodyMissing, type NewMessage, type Queue, type QueueItem } from '../queue/queue.ts'
import type { Report } from './disposition.ts'
import { composeDsn, returnsContent } from './dsn.ts'
import { ownMessage } from './own-message.ts'
import type { Placement } from './reroute.ts'

/** A header ends within this, or is returned in part. */
export const headerBytes = 256 * 1024

export interface DsnWriterOptions {
  readonly queue: Queue
  readonly hostname: string
  readonly delivery: Config['delivery']
  readonly clock: Clock
  readonly log: Log
  /** Where a message of ours, from the null reverse-path, goes. */
  readonly place: (recipient: string, sizeBytes: number) => Placement
}

/** What is told of: an item, or recipients that never became one. */
export type Reported = Pick<QueueItem, 'id' | 'messageId' | 'sizeBytes'> &
  Partial<Pick<QueueItem, 'requireTls'>>

export type WrittenDsn =
  | { readonly message: NewMessage; readonly event: MailEvent }
  /** Nowhere to send it, and nothing to keep: the event says so. */
  | { readonly message: null; readonly event: MailEvent }

export class DsnWriter {
  readonly #options: DsnWriterOptions

  constructor(options: DsnWriterOptions) {
    this.#options = options
  }

  /**
   * `body` is the original where it is still in memory; else it is read from the store. Of a message that requires
   * TLS nothing is returned: its report must reach the sender also where there is no TLS, which may be what it is
   * about. RFC 8689 §5 has such a report protected as the message was, or redacted.
   */
  async write(item: Reported, report: Report, body: Buffer | null): Promise<WrittenDsn> {
    const { hostname, delivery, clock, place } = this.#options
    const now = clock.now()
    const dsnId = siblingMessageId(now, item.messageId)
    const original = item.requireTls ? null : (body ?? (await this.#read(item, report)))
    const split = original === null ? null : splitMessage(original)
    const dsn = composeDsn(report, {
      hostname,
      postmaster: delivery.postmaster ?? `postmaster@${hostname}`,
      now,
      dsnId,
      originalHeader: split?.header ?? null,
      originalBody: split !== null && original!.length === item.sizeBytes ? split.body : null,
    })
    const to = report.sender.from
    const placement = place(to, dsn.bytes.length)
    if (placement.kind === 'unreachable') {
      return { message: null, event: { event: 'dsn-unroutable', about: item.id, to, reply: placement.reply } }
    }
    const { connector } = placement
    const message = ownMessage(dsn, { id: dsnId, connector, now, expiresAt: now + delivery.expireAfter })
    return {
      message,
      event: {
        event: 'dsn',
        messageId: dsnId,
        about: item.id,
        aboutInternetMessageId: report.internetMessageId,
        kind: report.kind,
        to,
        connector: placement.connector,
      },
    }
  }

  /**
   * The original, whole where the report returns it whole, else as much as holds its header; null where it cannot
   * be read. That is no reason to keep the outcome from being stored: without it the message would be sent again.
   */
  async #read(item: Reported, report: Report): Promise<Buffer | null> {
    const limit = returnsContent(report, item.sizeBytes) ? item.sizeBytes : headerBytes
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      for await (const chunk of this.#options.queue.body(item.messageId)) {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes >= limit) break
      }
    } catch (error) {
      const reason = error instanceof BodyMissing ? error.message : String(error)
      this.#options.log.warn({ itemId: item.id, reason }, 'a DSN returns nothing of its message')
      return null
    }
    return Buffer.concat(chunks)
  }
}

function splitMessage(message: Buffer): { header: Buffer; body: Buffer } {
  const end = message.indexOf('\r\n\r\n')
  return end < 0
    ? { header: message, body: Buffer.alloc(0) }
    : { header: message.subarray(0, end + 2), body: message.subarray(end + 4) }
}
