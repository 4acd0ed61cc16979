/**
 * What the tracking history says of each mail event, in the words of Exchange's message tracking log. One event is no
 * line (it is not about a message), one, or several: a line holds a hundred recipients at most, so that a
 * mailing to thousands can be found by each of them and no reader has to hold a line of a megabyte.
 *
 * Where Exchange has no word (SUSPEND, RESUME, RETRY, REMOVE: acts on one item) the queue's own is used. What has no
 * field of its own stands in custom-data, as Exchange writes it: `S:Name=Value`.
 */
import { assertNever } from '../assert-never.ts'
import { isoInstant } from '../instant.ts'
import { messageIdOf } from '../message-id.ts'
import type { MailEvent } from '../observe/events.ts'
import { formatReply, printable, type Reply } from '../reply.ts'
import { formatLine, joinList, type TrackingField } from './csv.ts'

export interface LineContext {
  /** When the event happened. */
  readonly at: number
  /** The relay's own name. */
  readonly hostname: string
}

export const maxRecipientsInLine = 100

export function trackingLines(event: MailEvent, context: LineContext): string[] {
  switch (event.event) {
    case 'accepted':
      return receiveLines(event, context)
    case 'rule':
    case 'checked':
    case 'limited':
      return agentInfoLines(event, context)
    case 'dropped':
    case 'refused':
    case 'notice':
      return agentLines(event, context)
    case 'delivered':
    case 'deferred':
    case 'failed':
    case 'expired':
      return attemptLines(event, context)
    case 'dsn':
    case 'dsn-unroutable':
      return dsnLines(event, context)
    case 'suspended':
    case 'resumed':
    case 'retried':
    case 'removed':
    case 'rerouted':
      return itemLines(event, context)
    case 'rejected':
      return refusalLines(event, context)
    case 'lease-lost': // The node that has the item says what becomes of it.
    case 'connector': // About a queue, not about a message.
    case 'configured': // Neither.
      return []
    default:
      return assertNever(event)
  }
}

type Named<Name extends MailEvent['event']> = Extract<MailEvent, { event: Name }>

/** A form that policy made beyond the first is a message of its own: forked, as Exchange says. */
function receiveLines(event: Named<'accepted'>, context: LineContext): string[] {
  const { messageId, client, recipients } = event
  const sender = pathText(event.from)
  const received = lines(recipients, context, {
    'client-ip': client.address ?? '',
    'server-hostname': context.hostname,
    'connector-id': client.listener ?? '',
    source: 'SMTP',
    'event-id': 'RECEIVE',
    'internal-message-id': messageId,
    'message-id': event.internetMessageId ?? '',
    'network-message-id': event.networkMessageId?.toLowerCase(),
    'total-bytes': String(event.sizeBytes),
    'sender-address': sender,
    'return-path': sender,
    'original-client-ip': client.address ?? '',
    'custom-data': customData(
      ['User', client.user],
      ['TLS', event.tls],
      ['Connectors', connectorsOf(recipients)],
    ),
  })
  for (const form of event.forms ?? [])
    if (form !== messageId)
      received.push(
        ...lines([], context, {
          source: 'AGENT',
          'event-id': 'TRANSFER',
          'internal-message-id': form,
          'message-id': event.internetMessageId ?? '',
          'network-message-id': event.networkMessageId?.toLowerCase(),
          reference: messageId,
          'sender-address': sender,
          'return-path': sender,
        }),
      )
  return received
}

function connectorsOf(recipients: readonly { readonly connector: string }[]): string {
  if (recipients.length === 1) return recipients[0]!.connector
  return [...new Set(recipients.map(({ connector }) => connector))].join('|')
}

/** Before DATA there is no message. What is refused there was never received: the client has it still. */
function refusalLines(event: Named<'rejected'>, context: LineContext): string[] {
  const { message, client, reply } = event
  if (message === undefined) return []
  const sender = event.from === null ? '' : pathText(event.from)
  const recipients = message.recipients.map((address) => ({ address, reply }))
  return lines(recipients, context, {
    'client-ip': client.address ?? '',
    'connector-id': client.listener ?? '',
    source: message.by === 'policy' ? 'AGENT' : 'SMTP',
    'event-id': 'FAIL',
    'internal-message-id': message.messageId,
    'message-id': message.internetMessageId ?? '',
    'network-message-id': message.networkMessageId?.toLowerCase(),
    'total-bytes': message.sizeBytes === null ? '' : String(message.sizeBytes),
    'sender-address': sender,
    'return-path': sender,
    'original-client-ip': client.address ?? '',
    'custom-data': customData(['User', client.user], ['RefusedAt', event.command]),
  })
}

function agentInfoLines(event: Named<'rule' | 'checked' | 'limited'>, context: LineContext): string[] {
  if (event.messageId === null) return []
  const sender = event.event === 'rule' ? pathText(event.from) : ''
  return lines(event.event === 'rule' ? event.recipients.map(ofAddress) : [], context, {
    source: 'AGENT',
    'event-id': 'AGENTINFO',
    'internal-message-id': event.messageId,
    'sender-address': sender,
    'return-path': sender,
    'custom-data': verdictData(event),
  })
}

function verdictData(event: Named<'rule' | 'checked' | 'limited'>): string {
  switch (event.event) {
    case 'rule': {
      const { rule, mode, because, actions, severity } = event
      const reasons = because.map(({ condition, value }) => `${condition}=${value}`)
      const details = [
        'ETR',
        `rule=${rule}`,
        `mode=${mode}`,
        `action=${actions.join('+')}`,
        `sev=${severity ?? ''}`,
      ]
      return customData(['TRA', inBars(details)], ['Because', inBars(reasons)])
    }
    case 'checked': {
      const { checker, verdict, away, note, durationMs } = event
      const details = [
        checker,
        `action=${verdict}`,
        `away=${away ?? ''}`,
        `note=${note ?? ''}`,
        `ms=${durationMs}`,
      ]
      return customData(['Check', inBars(details)])
    }
    case 'limited':
      return customData(['Limit', inBars([event.limit, `of=${event.of}`, `action=${event.over}`])])
    default:
      return assertNever(event)
  }
}

function agentLines(event: Named<'dropped' | 'refused' | 'notice'>, context: LineContext): string[] {
  if (event.event === 'notice')
    return lines(event.to.map(ofAddress), context, {
      source: 'AGENT',
      'event-id': 'RECEIVE',
      'internal-message-id': event.messageId,
      'message-id': ownMessageId(event.messageId, context),
      reference: event.about,
      'sender-address': nullPath,
      'return-path': nullPath,
      'custom-data': customData(['About', event.about], ['By', event.rule]),
    })
  const refused = event.event === 'refused' ? event : null
  const recipients = event.recipients.map((address) => ({
    address,
    ...(refused && { reply: refused.reply }),
  }))
  const sender = pathText(event.from)
  return lines(recipients, context, {
    source: 'AGENT',
    'event-id': refused === null ? 'DROP' : 'FAIL',
    'internal-message-id': event.messageId,
    reference: dsnReference(refused?.dsnId ?? null, context),
    'sender-address': sender,
    'return-path': sender,
    'custom-data': customData(['By', event.by]),
  })
}

/** A message's end by time is Exchange's FAIL too; its status says `4.4.7`, and custom-data says so. */
function attemptLines(
  event: Named<'delivered' | 'deferred' | 'failed' | 'expired'>,
  context: LineContext,
): string[] {
  const { recipients } = event
  const sender = pathText(event.from)
  const host = hostOf(event.host)
  return lines(recipients, context, {
    'client-hostname': context.hostname,
    'server-ip': host.address,
    'server-hostname': host.name,
    'source-context': recipients.length === 0 ? '' : replyText(recipients[0]!.reply),
    'connector-id': event.connector,
    source: event.host === null ? 'QUEUE' : 'SMTP',
    'event-id': attemptWords[event.event],
    'internal-message-id': event.messageId,
    'message-id': event.internetMessageId ?? '',
    'total-bytes': event.event === 'delivered' ? String(event.sizeBytes) : '',
    reference:
      event.event === 'failed' || event.event === 'expired' ? dsnReference(event.dsnId, context) : '',
    'sender-address': sender,
    'return-path': sender,
    'message-info': event.event === 'delivered' ? latency(event.delayMs, context) : '',
    'custom-data': customData(
      ['Item', event.itemId],
      ['Attempts', String(event.attempts)],
      ['NextAttempt', event.event === 'deferred' ? isoInstant(event.nextAttemptAt) : null],
      ['Uncertain', event.event === 'deferred' && event.uncertain ? 'true' : null],
      ['Expired', event.event === 'expired' ? 'true' : null],
    ),
  })
}

/** Delivery names a smart host `name[address]:port`, or `[address]:port` where it has no name. */
function hostOf(host: string | null): { readonly name: string; readonly address: string } {
  if (host === null) return { name: '', address: '' }
  const opening = host.indexOf('[')
  return opening === -1
    ? { name: host, address: '' }
    : { name: host.slice(0, opening), address: host.slice(opening + 1, host.indexOf(']')) }
}

const attemptWords = { delivered: 'SEND', deferred: 'DEFER', failed: 'FAIL', expired: 'FAIL' } as const

/** BADMAIL is what can be neither delivered nor returned. */
function dsnLines(event: Named<'dsn' | 'dsn-unroutable'>, context: LineContext): string[] {
  const { about } = event
  if (event.event === 'dsn-unroutable')
    return lines([{ address: event.to, reply: event.reply }], context, {
      source: 'DSN',
      'event-id': 'BADMAIL',
      'internal-message-id': messageIdOf(about),
      'custom-data': customData(['Item', about]),
    })
  return lines([{ address: event.to }], context, {
    'connector-id': event.connector,
    source: 'DSN',
    'event-id': 'DSN',
    'internal-message-id': event.messageId,
    'message-id': ownMessageId(event.messageId, context),
    reference: event.aboutInternetMessageId ?? messageIdOf(about),
    'sender-address': nullPath,
    'return-path': nullPath,
    'custom-data': customData(['About', about], ['Kind', event.kind]),
  })
}

function itemLines(
  event: Named<'suspended' | 'resumed' | 'retried' | 'removed' | 'rerouted'>,
  context: LineContext,
): string[] {
  const recipients = (event.recipients ?? []).map((address) => ({ address }))
  const sender = event.from === undefined ? undefined : pathText(event.from)
  return lines(recipients, context, {
    'source-context': printable(event.reason),
    'connector-id': event.connector,
    'sender-address': sender,
    'return-path': sender,
    // As in Exchange: a person did it.
    source: event.by !== undefined ? 'ADMIN' : event.event === 'rerouted' ? 'ROUTING' : 'QUEUE',
    'event-id': itemWords[event.event],
    'internal-message-id': event.messageId,
    'message-id': event.internetMessageId ?? '',
    'custom-data': customData(
      ['Item', event.itemId],
      ['By', event.by ?? null],
      ['FromConnector', event.fromConnector ?? null],
    ),
  })
}

const itemWords = {
  suspended: 'SUSPEND',
  resumed: 'RESUME',
  retried: 'RETRY',
  removed: 'REMOVE',
  rerouted: 'RESUBMIT',
} as const

/** The Message-ID of what the relay itself writes: DSNs and notices. */
const ownMessageId = (id: string, { hostname }: LineContext): string => `<${id}@${hostname}>`

function dsnReference(dsnId: string | null, context: LineContext): string {
  return dsnId === null ? '' : ownMessageId(dsnId, context)
}

interface Recipient {
  readonly address: string
  readonly reply?: Reply
}

const ofAddress = (address: string): Recipient => ({ address })

/**
 * The fields are completed where they are, and not copied: a copy of an object with so many keys costs more than
 * all of the rest, and this is done for each event of all mail.
 */
function lines(
  recipients: readonly Recipient[],
  { at }: LineContext,
  fields: { -readonly [Field in TrackingField]?: string | undefined },
): string[] {
  fields['date-time'] = isoInstant(at)
  fields['recipient-count'] = recipients.length === 0 ? '' : String(recipients.length)
  fields.directionality = 'Originating'
  fields['transport-traffic-type'] = 'Email'
  const all: string[] = []
  for (let from = 0; from === 0 || from < recipients.length; from += maxRecipientsInLine) {
    const some =
      recipients.length <= maxRecipientsInLine
        ? recipients
        : recipients.slice(from, from + maxRecipientsInLine)
    fields['recipient-address'] = joinList(some.map(addressOf))
    fields['recipient-status'] = some[0]?.reply === undefined ? '' : joinList(some.map(statusOf))
    all.push(formatLine(fields))
  }
  return all
}

const addressOf = ({ address }: Recipient): string => address
const statusOf = ({ reply }: Recipient): string => (reply === undefined ? '' : replyText(reply))

/** As Exchange writes the null reverse-path. */
const nullPath = '<>'
const pathText = (from: string): string => (from === '' ? nullPath : from)

/** When the message was received, and how long it was here in seconds. */
function latency(delayMs: number, { at, hostname }: LineContext): string {
  return `${isoInstant(at - delayMs)};LSRV=${hostname}:TOTAL=${(delayMs / 1000).toFixed(3)}`
}

function customData(...values: readonly (readonly [name: string, value: string | null])[]): string {
  const entries: string[] = []
  for (const [name, value] of values) if (value !== null && value !== '') entries.push(`S:${name}=${value}`)
  return joinList(entries)
}

/** Within one entry of custom-data parts are separated by bars. */
const inBars = (parts: readonly string[]): string =>
  parts.map((part) => printable(part).replaceAll('|', '/')).join('|')

const replyText = (reply: Reply): string => printable(formatReply(reply))
