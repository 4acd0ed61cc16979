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
  readonly fate: 'failed' | 'expired' | 'removed' | 'delayed' | 'relayed'
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
  const waiting = concluded.find((one) => one.fate === 'deferred')
  const attempted = changed(item, {
    recipients: replacePending(item, concluded),
    attempts,
    // Not after the expiry, so that a long wait does not stretch the time a sender is left without an answer.
    nextAttemptAt: Math.min(retryAt, item.expiresAt),
    lastError: waiting ? `${attempt.host}: ${formatReply(waiting.reply)}` : item.lastError,
  })
  return disposition(attempted, concluded, {
    now: options.now,
    lastAttemptAt: options.now,
    host: attempt.host,
    uncertain: attempt.scope === 'message' && attempt.uncertain,
    successIsOurs: options.hostOffersDsn !== true,
    delayNoticeDue: isDelayNoticeDue(item, options),
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
    delayNoticeDue: isDelayNoticeDue(item, options),
  })
}

/**
 * What the sender is told when an operator removes the item: it has failed for those recipients whose failure
 * they asked to hear of. Null where nobody is to be told.
 */
export function removalReport(item: QueueItem): Report | null {
  const recipients = pendingOf(item)
    .filter(({ notify }) => asksFor(notify, 'failure'))
    .map(({ address, orcpt }): ReportedRecipient => {
      return { address, orcpt, fate: 'removed', reply: removed, host: null, lastAttemptAt: null }
    })
  return reportOf(item, recipients)
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
  const { address, notify, orcpt } = answer.recipient
  const fate = fateOf(answer, options)
  const recipient = {
    address,
    notify,
    orcpt,
    state: stateAfter[fate],
    lastReply: reply,
    lastHost: options.host,
  }
  return { recipient, reply, fate }
}

function fateOf(answer: Answer, options: { outOfTime: boolean }): keyof typeof stateAfter {
  if (answer.final && isPositive(answer.reply)) return 'delivered'
  if (isPermanent(answer.reply) && !answer.temporary) return 'failed'
  return options.outOfTime ? 'expired' : 'deferred'
}

const stateAfter = {
  delivered: 'delivered',
  deferred: 'pending',
  failed: 'failed',
  expired: 'failed',
} as const

/**
 * The item after an attempt. All fields by name, as in other objects made for each message: one made by spread
 * gets a hidden class of its own from V8, and whoever reads it later pays for that.
 */
function changed(
  item: QueueItem,
  to: Pick<QueueItem, 'recipients' | 'attempts' | 'nextAttemptAt' | 'lastError'>,
): QueueItem {
  return {
    id: item.id,
    messageId: item.messageId,
    connector: item.connector,
    sender: item.sender,
    recipients: to.recipients,
    client: item.client,
    internetMessageId: item.internetMessageId,
    eightBit: item.eightBit,
    sizeBytes: item.sizeBytes,
    receivedAt: item.receivedAt,
    expiresAt: item.expiresAt,
    delayNoticeAt: item.delayNoticeAt,
    attempts: to.attempts,
    nextAttemptAt: to.nextAttemptAt,
    suspended: item.suspended,
    requireTls: item.requireTls,
    boundMark: item.boundMark,
    lastError: to.lastError,
  }
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
  return (
    concluded.some((one) => one.fate === 'delivered') &&
    concluded.every((one) => one.fate !== 'deferred' || isTooManyRecipients(one.reply))
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
  readonly delayNoticeDue: boolean
}

const isDelayNoticeDue = (item: QueueItem, { now }: { now: number }): boolean =>
  item.delayNoticeAt !== null && item.delayNoticeAt <= now

function disposition(
  item: QueueItem,
  concluded: readonly Concluded[],
  circumstances: Circumstances,
): Disposition {
  const rest = circumstances.delayNoticeDue ? { ...item, delayNoticeAt: null } : item
  const report = reportOn(rest, concluded, circumstances)
  return {
    items: rest.recipients.some((recipient) => recipient.state === 'pending') ? [rest] : [],
    report,
    events: (id) =>
      eventsOf(rest, concluded, { circumstances, dsnId: report?.kind === 'failed' ? id : null }),
  }
}

function reportOn(
  item: QueueItem,
  concluded: readonly Concluded[],
  circumstances: Circumstances,
): Report | null {
  const { lastAttemptAt } = circumstances
  const recipients: ReportedRecipient[] = []
  for (const one of concluded) {
    const fate = reportableFate(one, circumstances)
    if (fate === null) continue
    const { address, orcpt, lastHost: host } = one.recipient
    recipients.push({ address, orcpt, fate, reply: one.reply, host, lastAttemptAt })
  }
  return reportOf(item, recipients)
}

function reportOf(item: QueueItem, recipients: readonly ReportedRecipient[]): Report | null {
  // RFC 3464 §2, RFC 5321 §6.1: never about a message that is itself such a report.
  if (item.sender.from === '' || recipients.length === 0) return null
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
  if (fates.has('failed') || fates.has('expired') || fates.has('removed')) return 'failed'
  return fates.has('delayed') ? 'delayed' : 'relayed'
}

function eventsOf(
  item: QueueItem,
  concluded: readonly Concluded[],
  options: { circumstances: Circumstances; dsnId: string | null },
): MailEvent[] {
  const { dsnId } = options
  const { host, now, uncertain } = options.circumstances
  const { id: itemId, messageId, connector, attempts, sizeBytes, nextAttemptAt, internetMessageId } = item
  const { from } = item.sender
  const of = (fate: Concluded['fate']) => {
    const recipients: { address: string; reply: Reply }[] = []
    for (const { fate: its, recipient, reply } of concluded)
      if (its === fate) recipients.push({ address: recipient.address, reply })
    return recipients
  }
  const delayMs = now - item.receivedAt
  const events: MailEvent[] = []
  const delivered = of('delivered')
  if (delivered.length > 0 && host !== null)
    events.push({
      event: 'delivered',
      itemId,
      messageId,
      internetMessageId,
      connector,
      from,
      recipients: delivered,
      host,
      attempts,
      sizeBytes,
      delayMs,
    })
  const deferred = of('deferred')
  if (deferred.length > 0)
    events.push({
      event: 'deferred',
      itemId,
      messageId,
      internetMessageId,
      connector,
      from,
      recipients: deferred,
      host,
      attempts,
      nextAttemptAt,
      uncertain,
    })
  for (const event of ['failed', 'expired'] as const) {
    const recipients = of(event)
    if (recipients.length > 0)
      events.push({
        event,
        itemId,
        messageId,
        internetMessageId,
        connector,
        from,
        recipients,
        host,
        attempts,
        dsnId,
      })
  }
  return events
}

/** As Exchange words it, code included. The class is 4 as nothing permanent was found (RFC 3463 §3.5, X.4.7). */
const expired = (reason: string | null): Reply => ({
  code: 550,
  enhanced: '4.4.7',
  text: reason === null ? 'Message expired' : `Message expired; ${reason}`,
})

/** Exchange's code and words (X.3.2, class 4: the message itself is without fault, and may be sent again). */
const removed: Reply = { code: 550, enhanced: '4.3.2', text: 'Message deleted by administrative action' }

const delayed = (reason: string | null): Reply =>
  temporary('4.7', reason === null ? 'Message delayed' : `Message delayed; ${reason}`, 400)
