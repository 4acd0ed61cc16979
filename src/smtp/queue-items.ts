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
import { type Routes, route } from '../route/route.ts'

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
    const byConnector = new Map<string, EnvelopeRecipient[]>()
    for (const recipient of group.recipients) {
      const connector = connectorFor(group, { recipient, facts, rules })
      if (typeof connector !== 'string') return { refused: connector }
      const others = byConnector.get(connector)
      if (others) others.push(recipient)
      else byConnector.set(connector, [recipient])
    }
    for (const [connector, recipients] of byConnector)
      items.push(queueItem(group, { recipients, facts, rules, connector, number: items.length + 1 }))
  }
  return items
}

function connectorFor(
  group: Group,
  { recipient, facts, rules }: { recipient: EnvelopeRecipient; facts: ItemFacts; rules: ItemRules },
): string | Reply {
  if (group.connector !== null) return chosenByPolicy(group.connector, { facts, rules })
  const decision = route(rules.routes, {
    sender: rules.identity(group.sender),
    recipient: recipient.address,
    sizeBytes: facts.submittedBytes,
  })
  switch (decision.kind) {
    case 'connector':
      return decision.connector
    case 'unreachable':
      return unreachable
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
function chosenByPolicy(
  id: string,
  { facts, rules }: { facts: ItemFacts; rules: ItemRules },
): string | Reply {
  const connector = rules.routes.connectors.get(id)
  if (connector === undefined) return temporary('3.5', 'The connector chosen by policy does not exist')
  if (!connector.enabled) return temporary('3.2', 'The connector chosen by policy is disabled')
  if (facts.submittedBytes <= connector.maxSendSize) return id
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
    recipients: readonly EnvelopeRecipient[]
    facts: ItemFacts
    rules: ItemRules
    connector: string
    number: number
  },
): QueueItem {
  const { facts, connector } = options
  const { expireAfter, delayNoticeAfter } = options.rules.delivery
  const expiresAt = facts.receivedAt + expireAfter
  return {
    id: itemId(facts.messageId, options.number),
    messageId: facts.messageId,
    connector,
    sender: group.sender,
    recipients: options.recipients.map(({ address, notify, orcpt }) => ({
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
    lastError: connector === unreachable ? 'no connector takes the recipient' : null,
  }
}
