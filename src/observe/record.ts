/**
 * The one place where a mail event becomes visible: `record(event)` moves the counters and writes the line of
 * the mail log, so that the two cannot disagree. A line holds every name and reply an operator
 * needs to follow a message: queue id, connector, recipients, host, and the smart host's own words.
 */
import type { Logger } from 'pino'
import { assertNever } from '../assert-never.ts'
import type { Client } from '../queue/queue.ts'
import { formatReply, printable, type Reply } from '../reply.ts'
import type { MailEvent, RecordEvent } from './events.ts'
import { withoutRedaction } from './log.ts'
import type { Metrics } from './metrics.ts'

export function createRecorder(options: { log: Logger; metrics: Metrics }): RecordEvent {
  const log = withoutRedaction(options.log)
  const { metrics } = options
  return function record(event: MailEvent): void {
    metrics.count(event)
    log[levelOf(event)](lineOf(event))
  }
}

/** A mailing to thousands would be a line of a megabyte; the queue and the DSN name every recipient. */
const maxRecipientsInLine = 100

/** `warn` is what an operator may want to act upon. Refusing a client is not, unless the fault is ours (X.3.X). */
function levelOf(event: MailEvent): 'info' | 'warn' {
  switch (event.event) {
    case 'rejected':
      return event.reply.enhanced?.startsWith('4.3.') ? 'warn' : 'info'
    case 'connector':
      return event.state === 'ready' ? 'info' : 'warn'
    case 'deferred':
    case 'failed':
    case 'expired':
    case 'dsn-unroutable':
    case 'lease-lost':
      return 'warn'
    case 'accepted':
    case 'delivered':
    case 'dsn':
    case 'suspended':
    case 'resumed':
    case 'retried':
    case 'removed':
    case 'rerouted':
      return 'info'
    default:
      return assertNever(event)
  }
}

function lineOf(event: MailEvent): object {
  switch (event.event) {
    case 'accepted':
      return {
        event: event.event,
        messageId: event.messageId,
        internetMessageId: textOrNull(event.internetMessageId),
        from: event.from,
        recipients: firstOf(event.recipients).map((to) => ({ address: to.address, connector: to.connector })),
        recipientCount: countOf(event.recipients),
        client: clientOf(event.client),
        sizeBytes: event.sizeBytes,
        tls: event.tls,
        durationMs: event.durationMs,
      }
    case 'rejected':
      return {
        event: event.event,
        command: event.command,
        client: clientOf(event.client),
        from: textOrNull(event.from),
        to: textOrNull(event.to),
        reply: replyText(event.reply),
      }
    case 'delivered':
    case 'deferred':
    case 'failed':
    case 'expired':
      return attemptLine(event)
    case 'dsn':
      return {
        event: event.event,
        messageId: event.messageId,
        about: event.about,
        kind: event.kind,
        to: event.to,
        connector: event.connector,
      }
    case 'dsn-unroutable':
      return { event: event.event, about: event.about, to: event.to, reply: replyText(event.reply) }
    case 'lease-lost':
      return itemLine(event)
    case 'connector':
      return {
        event: event.event,
        connector: event.connector,
        state: event.state,
        fault: event.fault,
        host: event.host,
        reply: event.reply && replyText(event.reply),
        nextAttemptAt: event.nextAttemptAt,
      }
    case 'suspended':
    case 'resumed':
    case 'retried':
    case 'removed':
    case 'rerouted':
      return itemLine(event, printable(event.reason))
    default:
      return assertNever(event)
  }
}

type Attempted = Extract<MailEvent, { event: 'delivered' | 'deferred' | 'failed' | 'expired' }>

/**
 * One literal for the four outcomes, fields that do not apply left undefined (they are not written): spreading
 * parts together makes a slow object and trebles the cost of the line.
 */
function attemptLine(event: Attempted): object {
  return {
    event: event.event,
    itemId: event.itemId,
    messageId: event.messageId,
    connector: event.connector,
    from: event.from,
    recipients: firstOf(event.recipients).map((to) => ({ address: to.address, reply: replyText(to.reply) })),
    recipientCount: countOf(event.recipients),
    host: event.host,
    attempts: event.attempts,
    sizeBytes: event.event === 'delivered' ? event.sizeBytes : undefined,
    delayMs: event.event === 'delivered' ? event.delayMs : undefined,
    nextAttemptAt: event.event === 'deferred' ? event.nextAttemptAt : undefined,
    uncertain: event.event === 'deferred' ? event.uncertain : undefined,
    dsnId: event.event === 'failed' || event.event === 'expired' ? event.dsnId : undefined,
  }
}

function itemLine(event: Extract<MailEvent, { itemId: string }>, reason?: string): object {
  return {
    event: event.event,
    itemId: event.itemId,
    messageId: event.messageId,
    connector: event.connector,
    reason,
  }
}

function firstOf<Recipient>(all: readonly Recipient[]): readonly Recipient[] {
  return all.length <= maxRecipientsInLine ? all : all.slice(0, maxRecipientsInLine)
}

/** Written only where the line does not hold them all. */
const countOf = (all: readonly unknown[]): number | undefined =>
  all.length > maxRecipientsInLine ? all.length : undefined

const clientOf = (client: Client): Client => ({
  address: client.address,
  listener: client.listener,
  user: textOrNull(client.user),
})

const replyText = (reply: Reply): string => printable(formatReply(reply))
const textOrNull = (text: string | null): string | null => (text === null ? null : printable(text))
