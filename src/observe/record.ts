/**
 * The one place where a mail event becomes visible: `record(event)` moves the counters, writes the line of
 * the mail log and keeps the event in the tracking history, so that they cannot disagree. A line holds every name
 * and reply an operator needs to follow a message: queue id, connector, recipients, host, and the smart host's own words.
 */
import type { Logger } from 'pino'
import { assertNever } from '../assert-never.ts'
import type { Client } from '../queue/queue.ts'
import { formatReply, printable, type Reply } from '../reply.ts'
import type { MailEvent, RecordEvent } from './events.ts'
import { lineWriter } from './log.ts'
import type { Metrics } from './metrics.ts'

export function createRecorder(options: {
  log: Logger
  metrics: Metrics
  /** Keeps the event: in the tracking history, and for who looks on. */
  track?: RecordEvent | undefined
}): RecordEvent {
  const write = lineWriter(options.log)
  const { metrics, track } = options
  return function record(event: MailEvent): void {
    metrics.count(event)
    write(levelOf(event), lineOf(event))
    track?.(event)
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
    case 'checked':
      return event.away === null ? 'info' : 'warn'
    case 'limited':
    case 'refused':
      return 'warn'
    case 'accepted':
    case 'rule':
    case 'dropped':
    case 'notice':
    case 'delivered':
    case 'dsn':
    case 'suspended':
    case 'resumed':
    case 'retried':
    case 'removed':
    case 'rerouted':
    case 'configured':
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
        forms: event.forms ?? undefined,
        client: clientOf(event.client),
        sizeBytes: event.sizeBytes,
        tls: event.tls,
        durationMs: event.durationMs,
      }
    case 'rejected':
      return {
        event: event.event,
        command: event.command,
        messageId: event.message?.messageId,
        internetMessageId: event.message && textOrNull(event.message.internetMessageId),
        client: clientOf(event.client),
        from: textOrNull(event.from),
        to: textOrNull(event.to),
        reply: replyText(event.reply),
      }
    case 'rule':
    case 'checked':
    case 'limited':
    case 'dropped':
    case 'refused':
    case 'notice':
      return policyLine(event)
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
      return {
        event: event.event,
        itemId: event.itemId,
        messageId: event.messageId,
        connector: event.connector,
      }
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
      return actLine(event)
    case 'configured':
      return {
        event: event.event,
        by: event.by,
        act: event.act,
        what: event.what,
        id: printable(event.id),
        before: event.before,
        after: event.after,
      }
    default:
      return assertNever(event)
  }
}

type OfPolicy = Extract<
  MailEvent,
  { event: 'rule' | 'checked' | 'limited' | 'dropped' | 'refused' | 'notice' }
>

function policyLine(event: OfPolicy): object {
  switch (event.event) {
    case 'rule':
      return {
        event: event.event,
        messageId: event.messageId,
        rule: event.rule,
        mode: event.mode,
        because: event.because.map(({ condition, value }) => ({ condition, value: printable(value) })),
        actions: event.actions,
        severity: event.severity ?? undefined,
        from: event.from,
        recipients: firstOf(event.recipients),
        recipientCount: countOf(event.recipients),
      }
    case 'checked':
      return {
        event: event.event,
        messageId: event.messageId,
        checker: event.checker,
        verdict: event.verdict,
        away: event.away === null ? undefined : printable(event.away),
        note: textOrNull(event.note),
        durationMs: event.durationMs,
      }
    case 'limited':
      return {
        event: event.event,
        messageId: event.messageId,
        limit: event.limit,
        of: printable(event.of),
        over: event.over,
      }
    case 'dropped':
    case 'refused':
      return {
        event: event.event,
        messageId: event.messageId,
        by: event.by,
        from: event.from,
        recipients: firstOf(event.recipients),
        recipientCount: countOf(event.recipients),
        reply: event.event === 'refused' ? replyText(event.reply) : undefined,
        dsnId: event.event === 'refused' ? event.dsnId : undefined,
      }
    case 'notice':
      return {
        event: event.event,
        messageId: event.messageId,
        about: event.about,
        rule: event.rule,
        to: firstOf(event.to),
      }
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

type Act = Extract<MailEvent, { event: 'suspended' | 'resumed' | 'retried' | 'removed' | 'rerouted' }>

function actLine(event: Act): object {
  return {
    event: event.event,
    itemId: event.itemId,
    messageId: event.messageId,
    connector: event.connector,
    fromConnector: event.fromConnector,
    from: event.from,
    recipients: event.recipients && firstOf(event.recipients),
    recipientCount: event.recipients && countOf(event.recipients),
    by: event.by,
    reason: printable(event.reason),
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
