/**
 * One form of a message as queue items, one per connector: each recipient is routed, and what leaves by one
 * connector leaves together. Pure. A recipient without a way refuses the whole message, by name: one reply answers
 * DATA for all of them.
 */
import type { Config } from '../config/schema.ts'
import { formatSize } from '../config/units.ts'
import { unreachable } from '../delivery/reroute.ts'
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import { itemId } from '../message-id.ts'
import type { Group } from '../policy/groups.ts'
import type { Client, QueueItem } from '../queue/queue.ts'
import { permanent, type Reply, temporary } from '../reply.ts'
import { isBinding, type Routes, route } from '../route/route.ts'

export interface ItemFacts {
  readonly messageId: string
  readonly receivedAt: number
  readonly client: Client
  readonly internetMessageId: string | null
  readonly eightBit: boolean
  /** As it is kept, our trace field included. */
  readonly sizeBytes: number
  /** Without our trace field: what fitted at MAIL, by SIZE, must not be too large for our own addition. */
  readonly submittedBytes: number
  /** Whom the client named; others are there by policy. */
  readonly submitted: readonly EnvelopeRecipient[]
  /** Whether another hop has put the mark of sender-bound mail on it. */
  marked(): boolean
}

export interface ItemRules {
  readonly routes: Routes
  readonly delivery: Pick<Config['delivery'], 'expireAfter' | 'delayNoticeAfter'>
  /** Whose binding counts; null: nobody's. */
  identity(sender: EnvelopeSender): string | null
}

export function queueItems(
  groups: readonly Group[],
  facts: ItemFacts,
  rules: ItemRules,
): QueueItem[] | { readonly refused: Reply } {
  const items: QueueItem[] = []
  for (const group of groups) {
    const parcels: Parcel[] = []
    for (const recipient of group.recipients) {
      const way = wayFor(group, { recipient, facts, rules })
      if ('code' in way) return { refused: way }
      const { connector, bound } = way
      // There are few: a message leaves by one connector, most often.
      const parcel = parcels.find((each) => each.way.connector === connector && each.way.bound === bound)
      if (parcel) parcel.recipients.push(recipient)
      else parcels.push({ way, recipients: [recipient] })
    }
    for (const parcel of parcels)
      items.push(queueItem(group, { parcel, facts, rules, number: items.length + 1 }))
  }
  return items
}

interface Way {
  readonly connector: string
  /** By the sender's binding: such mail is marked, so it is not in one item with other mail of the connector. */
  readonly bound: boolean
}

interface Parcel {
  readonly way: Way
  readonly recipients: EnvelopeRecipient[]
}

function wayFor(
  group: Group,
  { recipient, facts, rules }: { recipient: EnvelopeRecipient; facts: ItemFacts; rules: ItemRules },
): Way | Reply {
  if (group.connector !== null) return chosenByPolicy(group.connector, { facts, rules })
  const decision = route(rules.routes, {
    sender: rules.identity(group.sender),
    recipient: recipient.address,
    sizeBytes: facts.submittedBytes,
  })
  switch (decision.kind) {
    case 'connector':
      return { connector: decision.connector, bound: isBinding(decision.why) }
    case 'unreachable':
      return { connector: unreachable, bound: false }
    case 'refuse':
      return isSubmitted(recipient, facts) || decision.reply.enhanced !== noRoute ? decision.reply : misled
  }
}

/** RFC 3463 §3.5: routing, unable to route. */
const noRoute = '5.4.4'
/** A mistake in our configuration bounces nobody's mail; and the client need not learn who gets a blind copy. */
const misled = temporary('3.5', 'No connector takes a recipient that policy added')

function isSubmitted({ address }: EnvelopeRecipient, { submitted }: ItemFacts): boolean {
  return submitted.some((recipient) => recipient.address === address)
}

/** As with a sender's binding, there is no silent fallback where the connector is not to be used. */
function chosenByPolicy(id: string, { facts, rules }: { facts: ItemFacts; rules: ItemRules }): Way | Reply {
  const connector = rules.routes.connectors.get(id)
  if (connector === undefined) return temporary('3.5', 'The connector chosen by policy does not exist')
  if (!connector.enabled) return temporary('3.2', 'The connector chosen by policy is disabled')
  if (facts.submittedBytes <= connector.maxSendSize) return { connector: id, bound: false }
  const limit = formatSize(connector.maxSendSize)
  return permanent(
    '3.4',
    `The message is larger than ${limit}, the limit of the connector chosen by policy`,
    552,
  )
}

/** All fields by name: one made by spread gets a hidden class of its own from V8, for each message. */
function queueItem(
  group: Group,
  options: {
    parcel: Parcel
    facts: ItemFacts
    rules: ItemRules
    number: number
  },
): QueueItem {
  const { facts } = options
  const { way, recipients } = options.parcel
  const { connector } = way
  const { expireAfter, delayNoticeAfter } = options.rules.delivery
  const expiresAt = facts.receivedAt + expireAfter
  return {
    id: itemId(facts.messageId, options.number),
    messageId: facts.messageId,
    connector,
    sender: group.sender,
    recipients: recipients.map(({ address, notify, orcpt }) => ({
      address,
      notify,
      orcpt,
      state: 'pending',
      lastReply: null,
      lastHost: null,
    })),
    client: facts.client,
    internetMessageId: facts.internetMessageId,
    eightBit: facts.eightBit,
    sizeBytes: facts.sizeBytes,
    receivedAt: facts.receivedAt,
    expiresAt,
    delayNoticeAt: group.sender.from === '' ? null : facts.receivedAt + delayNoticeAfter,
    attempts: 0,
    nextAttemptAt: connector === unreachable ? expiresAt : facts.receivedAt,
    suspended: group.hold,
    requireTls: group.requireTls,
    boundMark: way.bound && !facts.marked(),
    lastError: connector === unreachable ? 'no connector takes the recipient' : null,
  }
}
