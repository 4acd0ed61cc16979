/**
 * What an attempt means for an item, or the time that has passed without one. Each pending recipient ends up
 * delivered, deferred, failed or expired on its own; the item goes on with those that still wait, or ends.
 * What the sender must be told follows RFC 3461. Nothing of connection scope comes here, by type: a refused
 * password or certificate is the connector's matter (connector-state) and bounces nobody's mail.
 */
import type { EnvelopeSender, Notify } from '../envelope.ts'
import type { MailEvent } from '../observe/events.ts'
import type { QueuedRecipient, QueueItem } from '../queue/queue.ts'
import { formatReply, isPermanent, isPositive, type Reply, temporary } from '../reply.ts'
import type { Attempt } from './attempt.ts'
import { nextRetryAt } from './schedule.ts'

export type AnsweredAttempt = Exclude<Attempt, { scope: 'connection' }>

export interface Disposition {
  /** What the item becomes: itself, changed, or nothing. */
  readonly items: readonly QueueItem[]
  /** What a DSN has to say; null where none is due. */
  readonly report: Report | null
  /** For the mail log, once the disposition is stored; `dsnId` is the message made of `report`. */
  events(dsnId: string | null): readonly MailEvent[]
}

/** One DSN's content. Its sender is never the null reverse-path. */
export interface Report {
  /** The gravest of its recipients'. */
  readonly kind: 'failed' | 'delayed' | 'relayed'
  readonly itemId: string
  readonly sender: EnvelopeSender
  readonly internetMessageId: string | null
  readonly receivedAt: number
  readonly expiresAt: number
  /** At least one. */
  readonly recipients: readonly ReportedRecipient[]
}

export interface ReportedRecipient {
  readonly address: string
  readonly orcpt: string | null
  readonly fate: 'failed' | 'expired' | 'delayed' | 'relayed'
  readonly reply: Reply
  /** Who gave the reply; null for one of our own. */
  readonly host: string | null
  /** Null where no attempt was made, or the last one's time is not known. */
  readonly lastAttemptAt: number | null
}

/** What the transaction with the smart host means. The attempt's indexes are those of the pending recipients. */
export function dispose(
  item: QueueItem,
  attempt: AnsweredAttempt,
  options: {
    readonly now: number
    readonly schedule: readonly number[]
    /** 0 to 1. */
    readonly jitter: number
    /** Whether the smart host took over NOTIFY (RFC 3461 §5.2.1); if not, success is ours to report. */
    readonly hostOffersDsn?: boolean
  },
): Disposition {
  const answers = answersTo(pendingOf(item), attempt, item.id)
  const outOfTime = options.now >= item.expiresAt
  const concluded = answers.map((answer) => conclude(answer, { host: attempt.host, outOfTime }))
  const attempts = item.attempts + 1
  const retryAt = goesOnAtOnce(concluded) ? options.now : nextRetryAt(options.schedule, attempts, options)
  const waiting = concluded.filter((one) => one.fate === 'deferred')
  const changed = {
    ...item,
    recipients: replacePending(item, concluded),
    attempts,
    // Not after the expiry, so that a long wait does not stretch the time a sender is left without an answer.
    nextAttemptAt: Math.min(retryAt, item.expiresAt),
    lastError: waiting[0] ? `${attempt.host}: ${formatReply(waiting[0].reply)}` : item.lastError,
  }
  return disposition(changed, concluded, {
    now: options.now,
    lastAttemptAt: options.now,
    host: attempt.host,
    uncertain: attempt.scope === 'message' && attempt.uncertain,
    successIsOurs: options.hostOffersDsn !== true,
  })
}

/**
 * What the time means for an item no attempt was made for, because its connector is down or its route is gone:
 * it expires, or its sender is told of the delay, or nothing is due. `reason` is why it waits, as one line.
 */
export function expire(
  item: QueueItem,
  options: { readonly now: number; readonly reason: string | null },
): Disposition {
  const outOfTime = options.now >= item.expiresAt
  const own = outOfTime ? expired(options.reason) : delayed(options.reason)
  const concluded = pendingOf(item).map((recipient): Concluded => {
    const reply = recipient.lastReply ?? own
    if (!outOfTime) return { recipient, reply, fate: 'waiting' }
    return { recipient: { ...recipient, state: 'failed' }, reply, fate: 'expired' }
  })
  return disposition({ ...item, recipients: replacePending(item, concluded) }, concluded, {
    now: options.now,
    lastAttemptAt: null,
    host: null,
    uncertain: false,
    successIsOurs: false,
  })
}

/** A recipient's answer from the smart host. */
interface Answer {
  readonly recipient: QueuedRecipient
  readonly reply: Reply
  /** Whether the whole transaction came to its end with this reply; only then can it mean delivered. */
  readonly final: boolean
  /** Treated as temporary whatever its code says. */
  readonly temporary: boolean
}

/** A recipient after the decision. `waiting` is `deferred` without an attempt. */
interface Concluded {
  readonly recipient: QueuedRecipient
  readonly reply: Reply
  readonly fate: 'delivered' | 'deferred' | 'failed' | 'expired' | 'waiting'
}

const pendingOf = (item: QueueItem): QueuedRecipient[] =>
  item.recipients.filter((recipient) => recipient.state === 'pending')

function answersTo(pending: readonly QueuedRecipient[], attempt: AnsweredAttempt, id: string): Answer[] {
  if (attempt.scope === 'recipients' && attempt.replies.length !== pending.length)
    throw new Error(
      `Cannot dispose of ${id}: ${attempt.replies.length} replies for ${pending.length} recipients`,
    )
  return pending.map((recipient, index) => {
    if (attempt.scope === 'recipients') {
      const reply = attempt.replies[index]!
      return {
        recipient,
        reply,
        final: true,
        temporary: isTooManyRecipients(reply) && attempt.replies.some(isPositive),
      }
    }
    const refusal = attempt.refused.get(index)
    if (refusal === undefined)
      return { recipient, reply: attempt.reply, final: false, temporary: attempt.uncertain }
    const othersAccepted = attempt.refused.size < pending.length
    return {
      recipient,
      reply: refusal,
      final: false,
      temporary: isTooManyRecipients(refusal) && othersAccepted,
    }
  })
}

function conclude(answer: Answer, options: { host: string; outOfTime: boolean }): Concluded {
  const { reply } = answer
  const asked = { ...answer.recipient, lastReply: reply, lastHost: options.host }
  if (answer.final && isPositive(reply))
    return { recipient: { ...asked, state: 'delivered' }, reply, fate: 'delivered' }
  if (isPermanent(reply) && !answer.temporary)
    return { recipient: { ...asked, state: 'failed' }, reply, fate: 'failed' }
  if (options.outOfTime) return { recipient: { ...asked, state: 'failed' }, reply, fate: 'expired' }
  return { recipient: asked, reply, fate: 'deferred' }
}

/**
 * A host that takes fewer recipients in a transaction than we sent (RFC 5321 §4.5.3.1.10): it answers the others
 * 452, older ones 552, which the RFC asks to treat as 452. True only for that meaning of these codes, as a full
 * mailbox is 552 too.
 */
function isTooManyRecipients(reply: Reply): boolean {
  if (reply.code !== 452 && reply.code !== 552) return false
  return reply.enhanced === null
    ? /\btoo many (?:recipients|rcpts?)\b/i.test(reply.text)
    : /^[45]\.5\.3$/.test(reply.enhanced)
}

/** The same section: the rest goes in the next transaction, without a wait. It ends, as each delivers somebody. */
function goesOnAtOnce(concluded: readonly Concluded[]): boolean {
  const waiting = concluded.filter((one) => one.fate === 'deferred')
  return (
    concluded.some((one) => one.fate === 'delivered') &&
    waiting.every((one) => isTooManyRecipients(one.reply))
  )
}

function replacePending(item: QueueItem, concluded: readonly Concluded[]): QueuedRecipient[] {
  let index = 0
  return item.recipients.map((recipient) =>
    recipient.state === 'pending' ? concluded[index++]!.recipient : recipient,
  )
}

interface Circumstances {
  readonly now: number
  readonly lastAttemptAt: number | null
  readonly host: string | null
  readonly uncertain: boolean
  readonly successIsOurs: boolean
}

function disposition(
  item: QueueItem,
  concluded: readonly Concluded[],
  circumstances: Circumstances,
): Disposition {
  const delayNoticeDue = item.delayNoticeAt !== null && item.delayNoticeAt <= circumstances.now
  const rest = { ...item, delayNoticeAt: delayNoticeDue ? null : item.delayNoticeAt }
  const report = reportOn(rest, concluded, { ...circumstances, delayNoticeDue })
  return {
    items: pendingOf(rest).length > 0 ? [rest] : [],
    report,
    events: (dsnId) => eventsOf(rest, concluded, { ...circumstances, dsnId, report }),
  }
}

function reportOn(
  item: QueueItem,
  concluded: readonly Concluded[],
  circumstances: Circumstances & { delayNoticeDue: boolean },
): Report | null {
  // RFC 3464 §2, RFC 5321 §6.1: never about a message that is itself such a report.
  if (item.sender.from === '') return null
  const recipients = concluded.flatMap((one): ReportedRecipient[] => {
    const fate = reportableFate(one, circumstances)
    if (fate === null) return []
    const { address, orcpt, lastHost: host } = one.recipient
    return [{ address, orcpt, fate, reply: one.reply, host, lastAttemptAt: circumstances.lastAttemptAt }]
  })
  if (recipients.length === 0) return null
  const { id, sender, internetMessageId, receivedAt, expiresAt } = item
  return {
    kind: gravest(recipients),
    itemId: id,
    sender,
    internetMessageId,
    receivedAt,
    expiresAt,
    recipients,
  }
}

/** What the sender asked to be told of this recipient (RFC 3461 §5.2.2, §5.2.5, §5.2.6). */
function reportableFate(
  one: Concluded,
  options: { successIsOurs: boolean; delayNoticeDue: boolean },
): ReportedRecipient['fate'] | null {
  const { notify } = one.recipient
  switch (one.fate) {
    case 'failed':
    case 'expired':
      return asksFor(notify, 'failure') ? one.fate : null
    case 'deferred':
    case 'waiting':
      return options.delayNoticeDue && asksFor(notify, 'delay') ? 'delayed' : null
    case 'delivered':
      return options.successIsOurs && asksFor(notify, 'success') ? 'relayed' : null
  }
}

/** Without NOTIFY, failure must be reported and delay may be (RFC 3461 §4.1). */
function asksFor(notify: Notify, keyword: 'success' | 'failure' | 'delay'): boolean {
  if (notify === null) return keyword !== 'success'
  return notify !== 'never' && notify.includes(keyword)
}

function gravest(recipients: readonly ReportedRecipient[]): Report['kind'] {
  const fates = new Set(recipients.map((recipient) => recipient.fate))
  if (fates.has('failed') || fates.has('expired')) return 'failed'
  return fates.has('delayed') ? 'delayed' : 'relayed'
}

function eventsOf(
  item: QueueItem,
  concluded: readonly Concluded[],
  circumstances: Circumstances & { dsnId: string | null; report: Report | null },
): MailEvent[] {
  const { host, now, uncertain } = circumstances
  const about = {
    itemId: item.id,
    messageId: item.messageId,
    connector: item.connector,
    from: item.sender.from,
  }
  const { attempts, sizeBytes, nextAttemptAt } = item
  const of = (fate: Concluded['fate']) =>
    concluded
      .filter((one) => one.fate === fate)
      .map((one) => ({ address: one.recipient.address, reply: one.reply }))
  const dsnId = circumstances.report?.kind === 'failed' ? circumstances.dsnId : null
  const delayMs = now - item.receivedAt
  const events: MailEvent[] = []
  if (of('delivered').length > 0 && host !== null)
    events.push({
      event: 'delivered',
      ...about,
      recipients: of('delivered'),
      host,
      attempts,
      sizeBytes,
      delayMs,
    })
  if (of('deferred').length > 0)
    events.push({
      event: 'deferred',
      ...about,
      recipients: of('deferred'),
      host,
      attempts,
      nextAttemptAt,
      uncertain,
    })
  for (const event of ['failed', 'expired'] as const)
    if (of(event).length > 0) events.push({ event, ...about, recipients: of(event), host, attempts, dsnId })
  return events
}

/** As Exchange words it, code included. The class is 4 as nothing permanent was found (RFC 3463 §3.5, X.4.7). */
const expired = (reason: string | null): Reply => ({
  code: 550,
  enhanced: '4.4.7',
  text: reason === null ? 'Message expired' : `Message expired; ${reason}`,
})

const delayed = (reason: string | null): Reply =>
  temporary('4.7', reason === null ? 'Message delayed' : `Message delayed; ${reason}`, 400)
