/**
 * A message's way in, read straight down: recipients are routed at RCPT; at DATA the content is checked while
 * it streams, gets our trace field, is routed, and is put in the queue; only then is the final dot answered.
 *
 * A message that is small stays in memory, and goes out from there; a large one is written to the store as it
 * comes. One reply answers for all recipients of DATA, so a message of which some recipient turns out to have
 * no way (its size was not announced, or its From field binds it elsewhere) is refused whole, naming that recipient.
 */
import type { Clock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { Delivery } from '../delivery/delivery.ts'
import { unreachable } from '../delivery/reroute.ts'
import type { EnvelopeRecipient } from '../envelope.ts'
import { fromAddresses, parseHeader } from '../message/header.ts'
import { itemId, newMessageId } from '../message-id.ts'
import type { RecordEvent } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import { type Body, type Queue, QueueFull, type QueueItem, QueueUnavailable } from '../queue/queue.ts'
import { localError, type Reply, success, temporary } from '../reply.ts'
import { mayRoute, type Routes, route, senderIdentity } from '../route/route.ts'
import { BodyWriter, type MemoryBudget } from './body-writer.ts'
import { ContentCutOff } from './content.ts'
import { Intake, type IntakeFacts, MessageRefused } from './intake.ts'
import { receivedField } from './received.ts'
import type { MessageLimits, Reception, Transaction } from './transaction.ts'

export interface ReceptionOptions {
  readonly hostname: string
  readonly routing: Config['routing']
  readonly delivery: Config['delivery']
  readonly leaseMs: number
  readonly routes: Routes
  readonly queue: Queue
  readonly deliver: Pick<Delivery, 'reserve' | 'unreserve' | 'deliver' | 'wake' | 'pace'>
  readonly memory: MemoryBudget
  readonly clock: Clock
  readonly log: Log
  readonly record: RecordEvent
}

export class MessageReception implements Reception {
  readonly #options: ReceptionOptions

  constructor(options: ReceptionOptions) {
    this.#options = options
  }

  recipient(transaction: Transaction, recipient: EnvelopeRecipient): Reply | null {
    const { routes, routing } = this.#options
    if (routing.senderIdentity !== 'envelope') return mayRoute(routes, recipient.address)
    const decision = route(routes, {
      sender: transaction.sender.from || null,
      recipient: recipient.address,
      sizeBytes: transaction.declaredSizeBytes,
    })
    return decision.kind === 'refuse' ? decision.reply : null
  }

  async message(
    transaction: Transaction,
    content: AsyncIterable<Buffer>,
    limits: MessageLimits,
  ): Promise<Reply> {
    const { client, id: session } = transaction.session
    try {
      return await this.#receive(transaction, content, limits)
    } catch (error) {
      if (error instanceof ContentCutOff) {
        this.#options.log.info({ session, client: client.address }, 'the client went away during DATA')
        return localError
      }
      const reply = this.#refusal(error)
      this.#options.record({
        event: 'rejected',
        command: 'DATA',
        client,
        from: transaction.sender.from,
        to: transaction.recipients[0]?.address ?? null,
        reply,
      })
      return reply
    }
  }

  async #receive(
    transaction: Transaction,
    content: AsyncIterable<Buffer>,
    limits: MessageLimits,
  ): Promise<Reply> {
    const { queue, memory, hostname, clock } = this.#options
    const receivedAt = clock.now()
    const messageId = newMessageId(receivedAt)
    const trace = Buffer.from(receivedField({ transaction, messageId, hostname, now: receivedAt }))
    const writer = new BodyWriter(messageId, { queue, budget: memory })
    try {
      await writer.write(trace)
      const intake = new Intake(limits)
      for await (const chunk of content) await writer.write(intake.write(chunk))
      const facts = intake.end()
      const items = this.#items(transaction, {
        ...{ messageId, receivedAt, facts, sizeBytes: writer.sizeBytes },
        submittedBytes: writer.sizeBytes - trace.length,
      })
      await this.#keep(items, writer.finish())
      this.#recordAccepted(transaction, items)
      for (const item of items) await this.#options.deliver.pace(item.connector)
      return success('6.0', `Queued as ${messageId}`)
    } finally {
      // What cannot be discarded is no reason to tell the client anything else about its message.
      await writer
        .release()
        .catch((error: unknown) =>
          this.#options.log.error({ err: error, messageId }, 'a staged body could not be discarded'),
        )
    }
  }

  /** One item per connector. Throws `MessageRefused` where a recipient has no way. */
  #items(transaction: Transaction, message: ReceivedMessage): QueueItem[] {
    const byConnector = new Map<string, EnvelopeRecipient[]>()
    const sender = this.#identity(transaction, message.facts.header)
    for (const recipient of transaction.recipients) {
      // Without our trace field: what fitted at MAIL, by SIZE, must not be too large for our own addition.
      const question = { sender, recipient: recipient.address, sizeBytes: message.submittedBytes }
      const decision = route(this.#options.routes, question)
      if (decision.kind === 'refuse') throw new MessageRefused(decision.reply)
      const connector = decision.kind === 'connector' ? decision.connector : unreachable
      const group = byConnector.get(connector)
      if (group) group.push(recipient)
      else byConnector.set(connector, [recipient])
    }
    return [...byConnector].map(([connector, recipients], index) =>
      this.#item(transaction, { ...message, connector, recipients, number: index + 1 }),
    )
  }

  /** Whose binding counts (`routing.senderIdentity`); the header is read only where it is asked for. */
  #identity(transaction: Transaction, header: Buffer): string | null {
    const setting = this.#options.routing.senderIdentity
    const from = transaction.sender.from || null
    if (setting === 'envelope') return from
    const author = fromAddresses(parseHeader(header))
    return senderIdentity(setting, {
      envelopeFrom: from,
      headerFrom: 'address' in author ? author.address : null,
    })
  }

  #item(
    transaction: Transaction,
    message: ReceivedMessage & { connector: string; recipients: EnvelopeRecipient[]; number: number },
  ): QueueItem {
    const { delivery } = this.#options
    const expiresAt = message.receivedAt + delivery.expireAfter
    return {
      id: itemId(message.messageId, message.number),
      messageId: message.messageId,
      connector: message.connector,
      sender: transaction.sender,
      recipients: message.recipients.map((recipient) => ({
        ...recipient,
        state: 'pending',
        lastReply: null,
        lastHost: null,
      })),
      client: transaction.session.client,
      internetMessageId: message.facts.messageId,
      eightBit: message.facts.eightBit,
      sizeBytes: message.sizeBytes,
      receivedAt: message.receivedAt,
      expiresAt,
      delayNoticeAt: transaction.sender.from === '' ? null : message.receivedAt + delivery.delayNoticeAfter,
      attempts: 0,
      nextAttemptAt: message.connector === unreachable ? expiresAt : message.receivedAt,
      suspended: null,
      lastError: message.connector === unreachable ? 'no connector takes the recipient' : null,
    }
  }

  /** Puts the message; what can go out at once is leased in the same step and handed to delivery. */
  async #keep(items: readonly QueueItem[], body: Body): Promise<void> {
    const { queue, deliver, leaseMs, clock } = this.#options
    const bytes = body.kind === 'inline' ? body.bytes : null
    const heldBytes = bytes?.length ?? 0
    const direct = items.filter((item) => deliver.reserve(item.connector, heldBytes))
    const leases = await queue
      .put(
        { id: items[0]!.messageId, body, items },
        { now: clock.now(), lease: { itemIds: direct.map((item) => item.id), leaseMs } },
      )
      .catch((error: unknown) => {
        for (const _ of direct) deliver.unreserve(heldBytes)
        throw error
      })
    const leaseOf = new Map(leases.map((lease) => [lease.itemId, lease]))
    // A put whose answer was lost and asked for again may come back without a lease that another node has by now.
    for (const item of direct) if (!leaseOf.has(item.id)) deliver.unreserve(heldBytes)
    for (const item of items) {
      const lease = leaseOf.get(item.id)
      if (lease !== undefined) deliver.deliver({ item, lease, body: bytes }, heldBytes)
      else deliver.wake(item.connector)
    }
  }

  #recordAccepted(transaction: Transaction, items: readonly QueueItem[]): void {
    const first = items[0]!
    this.#options.record({
      event: 'accepted',
      messageId: first.messageId,
      internetMessageId: first.internetMessageId,
      from: first.sender.from,
      recipients: items.flatMap((item) =>
        item.recipients.map(({ address }) => ({ address, connector: item.connector })),
      ),
      client: first.client,
      sizeBytes: first.sizeBytes,
      tls: transaction.session.tls,
      durationMs: this.#options.clock.now() - first.receivedAt,
    })
  }

  /** What the client is told of an error; what it is not told is in the log. */
  #refusal(error: unknown): Reply {
    if (error instanceof MessageRefused) return error.reply
    if (error instanceof QueueFull) {
      this.#options.log.warn({ reason: error.message }, 'the queue is full')
      return temporary('3.1', 'Insufficient system storage, please try again later', 452)
    }
    if (error instanceof QueueUnavailable)
      this.#options.log.error({ reason: error.message }, 'the queue is unavailable')
    else this.#options.log.error({ err: error }, 'a message could not be received')
    return localError
  }
}

interface ReceivedMessage {
  readonly messageId: string
  readonly receivedAt: number
  readonly facts: IntakeFacts
  /** As it is kept, our trace field included. */
  readonly sizeBytes: number
  readonly submittedBytes: number
}
