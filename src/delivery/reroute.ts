/**
 * Routing again what is already queued (Exchange: a removed or disabled connector's queue is resubmitted to
 * routing; the Unreachable queue is, when the configuration changes). Nothing bounces here: a recipient
 * without a way waits as `unreachable` until it expires.
 */
import { itemId } from '../message-id.ts'
import type { QueuedRecipient, QueueItem } from '../queue/queue.ts'
import { formatReply, type Reply } from '../reply.ts'
import { isBinding, type Why } from '../route/route.ts'

export const unreachable = 'unreachable'

export type Placement =
  /** `why` it is this one, where routing said so. */
  | { readonly kind: 'connector'; readonly connector: string; readonly why?: Pick<Why, 'rule'> }
  | { readonly kind: 'unreachable'; readonly reply: Reply }

/**
 * The items that take the place of `item`: one per connector its pending recipients now leave by, due at
 * `now`, and one for those without a way, which is not due again by itself. Recipients that are delivered or
 * failed stay with the first.
 */
export function reroute(
  item: QueueItem,
  options: { place: (recipient: string) => Placement; now: number },
): QueueItem[] {
  const groups = new Map<string, Group>()
  for (const recipient of item.recipients) {
    if (recipient.state !== 'pending') continue
    const placement = options.place(recipient.address)
    const connector = placement.kind === 'connector' ? placement.connector : unreachable
    // Who does not leave by the binding any more is not marked as if he did.
    const boundMark =
      item.boundMark &&
      placement.kind === 'connector' &&
      placement.why !== undefined &&
      isBinding(placement.why)
    const key = boundMark ? `bound ${connector}` : connector
    const group = groups.get(key) ?? { connector, boundMark, recipients: [], reply: null }
    group.recipients.push(recipient)
    if (placement.kind === 'unreachable') group.reply ??= placement.reply
    groups.set(key, group)
  }
  const settled = item.recipients.filter((recipient) => recipient.state !== 'pending')
  const number = Number(item.id.slice(item.messageId.length + 1))
  return [...groups.values()].map(({ connector, boundMark, ...group }, index) => ({
    ...item,
    // The replaced item's number, then numbers that no other item of this message can have: each split takes its own range.
    id: index === 0 ? item.id : itemId(item.messageId, number * 1000 + index),
    connector,
    boundMark,
    recipients: index === 0 ? [...settled, ...group.recipients] : group.recipients,
    nextAttemptAt: connector === unreachable ? item.expiresAt : options.now,
    lastError: group.reply === null ? item.lastError : formatReply(group.reply),
  }))
}

interface Group {
  readonly connector: string
  readonly boundMark: boolean
  readonly recipients: QueuedRecipient[]
  reply: Reply | null
}
