/**
 * One event of the tracking history as programs and people get it, read from a line of the files: the relay's words
 * where the line has Exchange's.
 */
import { messageIdOf } from '../message-id.ts'
import { parseLine, splitList } from './csv.ts'

export interface TrackedEvent {
  /** Epoch ms. */
  readonly at: number
  /** RECEIVE, AGENTINFO, DEFER, SEND, FAIL, DSN, … */
  readonly event: string
  /** SMTP, AGENT, DSN, QUEUE, ROUTING. */
  readonly source: string
  readonly messageId: string
  /** Null where the event is about the message, not about one item of it. */
  readonly itemId: string | null
  readonly internetMessageId: string | null
  readonly networkMessageId: string | null
  /** The empty string is the null reverse-path; null where the event does not say. */
  readonly from: string | null
  readonly recipients: readonly { readonly address: string; readonly status: string | null }[]
  /** More than `recipients` where they stand in several lines. */
  readonly recipientCount: number
  /** Of the connector, or of the listener where the message was received. */
  readonly connector: string | null
  readonly client: string | null
  /** The smart host. */
  readonly host: string | null
  readonly sizeBytes: number | null
  /** The smart host's answer, or why something was done. */
  readonly context: string | null
  /** The Message-ID or message id of the other message: a failure's DSN, what a DSN is about. */
  readonly reference: string | null
  /** Item or message id of the original, for a DSN or notice. */
  readonly about: string | null
  /** What else is known: `{ Attempts: '2', NextAttempt: '…' }`. */
  readonly details: Readonly<Record<string, string>>
}

/** Null where the line is broken. */
export function readTrackedEvent(line: string): TrackedEvent | null {
  const fields = parseLine(line)
  if (fields === null) return null
  const at = Date.parse(fields['date-time'])
  if (Number.isNaN(at) || fields['event-id'] === '') return null
  const { Item: itemId = null, About: about = null, ...details } = readCustomData(fields['custom-data'])
  const addresses = splitList(fields['recipient-address'])
  const statuses = splitList(fields['recipient-status'])
  const isReceived = fields['event-id'] === 'RECEIVE'
  return {
    at,
    event: fields['event-id'],
    source: fields.source,
    messageId: fields['internal-message-id'],
    itemId,
    internetMessageId: fields['message-id'] || null,
    networkMessageId: fields['network-message-id'] || null,
    from: fields['sender-address'] === '<>' ? '' : fields['sender-address'] || null,
    recipients: addresses.map((address, i) => ({ address, status: statuses[i] || null })),
    recipientCount: Number(fields['recipient-count']) || addresses.length,
    connector: fields['connector-id'] || null,
    client: fields['client-ip'] || null,
    host: isReceived ? null : fields['server-hostname'] || fields['server-ip'] || null,
    sizeBytes: fields['total-bytes'] === '' ? null : Number(fields['total-bytes']),
    context: fields['source-context'] || null,
    reference: fields.reference || null,
    about,
    details,
  }
}

/** Whether it tells of a message that we did not take: the client has it still. */
export const isRefusal = ({ event, details }: Pick<TrackedEvent, 'event' | 'details'>): boolean =>
  event === 'FAIL' && details.RefusedAt !== undefined

/**
 * Whose history the event belongs to, beside the message's own: the one that a DSN or notice is about, the one a form was
 * made of.
 */
export function relatedMessageId(event: TrackedEvent): string | null {
  if (event.about !== null) return messageIdOf(event.about)
  return event.event === 'TRANSFER' ? event.reference : null
}

function readCustomData(text: string): Record<string, string> {
  const values: Record<string, string> = {}
  for (const entry of splitList(text)) {
    const equals = entry.indexOf('=')
    if (entry.startsWith('S:') && equals > 2) values[entry.slice(2, equals)] = entry.slice(equals + 1)
  }
  return values
}
