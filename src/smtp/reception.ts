/**
 * A message's way in, read straight down: recipients are routed at RCPT; at DATA the content is checked while
 * it streams, policy judges it and may make several forms of it, each is routed and gets our trace field, and all
 * are put in the queue in one step; only then is the final dot answered.
 *
 * A message that is small stays in memory, and goes out from there; a large one is written to the store as it
 * comes. One reply answers for all recipients of DATA, so a message of which some recipient turns out to have
 * no way (its size was not announced, or its From field binds it elsewhere) is refused whole, naming that recipient.
 */
import { isAscii } from 'node:buffer'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { isMarked } from '../delivery/bound-mark.ts'
import type { Delivery } from '../delivery/delivery.ts'
import type { EnvelopeRecipient, EnvelopeSender } from '../envelope.ts'
import { type Draft, readDraft } from '../message/draft.ts'
import { fieldsNamed, fieldValue, fromAddresses, parseHeader } from '../message/header.ts'
import { newMessageId, siblingMessageId } from '../message-id.ts'
import type { MailEvent, RecordEvent, RefusedMessage } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import type { PolicyMail } from '../policy/policy-mail.ts'
import type { Dropped, Form, PolicyStation, Ruling } from '../policy/station.ts'
import { type NewMessage, type Queue, QueueFull, type QueueItem, QueueUnavailable } from '../queue/queue.ts'
import { localError, printable, type Reply, success, temporary } from '../reply.ts'
import { mayRoute, type Routes, route, senderIdentity } from '../route/route.ts'
import type { BodyWriter, MemoryBudget } from './body-writer.ts'
import { ContentCutOff } from './content.ts'
import { handOver } from './hand-over.ts'
import { Intake, type IntakeFacts, MessageRefused } from './intake.ts'
import { MessageBodies } from './message-bodies.ts'
import { queueItems } from './queue-items.ts'
import { receivedField } from './received.ts'
import type { MessageLimits, Reception, Transaction } from './transaction.ts'

export interface ReceptionOptions {
  readonly hostname: string
  readonly routing: Config['routing']
  readonly delivery: Config['delivery']
  readonly leaseMs: number
  /** Those in force now: they may change while a transaction is under way. */
  readonly routes: () => Routes
  readonly queue: Queue
  readonly deliver: Pick<Delivery, 'reserve' | 'unreserve' | 'deliver' | 'wake' | 'pace'>
  readonly policy: PolicyStation
  /** What policy has to say to others: DSNs of recipients refused, and notices. */
  readonly policyMail: PolicyMail
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

  recipient(transaction: Transaction, recipient: EnvelopeRecipient): Reply | null | Promise<Reply | null> {
    return (
      this.#routeRefusal(transaction, recipient) ?? this.#options.policy.recipient(transaction, recipient)
    )
  }

  async message(
    transaction: Transaction,
    content: AsyncIterable<Buffer>,
    limits: MessageLimits,
  ): Promise<Reply> {
    const { client, id: session } = transaction.session
    const receivedAt = this.#options.clock.now()
    const messageId = newMessageId(receivedAt)
    const arrival: Arrival = { transaction, messageId, receivedAt, findings: [] }
    const bodies = new MessageBodies(this.#options)
    let received: Received | null = null
    try {
      received = await this.#read(arrival, { content, limits, bodies })
      return await this.#take(received, bodies)
    } catch (error) {
      if (error instanceof ContentCutOff) {
        this.#options.log.info({ session, client: client.address }, 'the client went away during DATA')
        return localError
      }
      const reply = this.#refusal(error)
      this.#recordRejected(received ?? arrival, { reply, byPolicy: error instanceof RefusedByPolicy })
      return reply
    } finally {
      const releasing = bodies.release()
      if (releasing !== undefined) await releasing
    }
  }

  #routeRefusal(transaction: Transaction, recipient: EnvelopeRecipient): Reply | null {
    const { routing } = this.#options
    const routes = this.#options.routes()
    if (routing.senderIdentity !== 'envelope') return mayRoute(routes, recipient.address)
    const decision = route(routes, {
      sender: transaction.sender.from || null,
      recipient: recipient.address,
      sizeBytes: transaction.declaredSizeBytes,
    })
    return decision.kind === 'refuse' ? decision.reply : null
  }

  async #take(received: Received, bodies: MessageBodies): Promise<Reply> {
    const { policy, deliver } = this.#options
    let messages: readonly NewMessage[]
    if (policy.concerns(received.transaction)) messages = await this.#takeJudged(received, bodies)
    else {
      messages = [this.#asItIs(received)]
      await handOver(messages, this.#options)
      this.#recordAccepted(received, messages)
    }
    for (const { items } of messages)
      for (const { suspended, connector } of items) {
        const pace = suspended === null ? deliver.pace(connector) : null
        if (pace !== null) await pace
      }
    return success('6.0', `Queued as ${received.messageId}`)
  }

  /** As most mail goes on: policy has nothing to say to it. */
  #asItIs(received: Received): NewMessage {
    const { sender, recipients } = received.transaction
    const group = { sender, recipients, hold: null, connector: null, requireTls: false }
    const form = { draft: received.draft, groups: [group] }
    return this.#message(form, { stored: received, routes: this.#options.routes() })
  }

  async #takeJudged(received: Received, bodies: MessageBodies): Promise<readonly NewMessage[]> {
    const ruling = await this.#judge(received, bodies)
    const told = await this.#options.policyMail.compose(received, ruling)
    const messages =
      ruling.kind === 'pass' ? await this.#store(received, { forms: ruling.forms, bodies }) : []
    await handOver([...messages, ...told.messages], this.#options)
    if (ruling.kind === 'pass') this.#recordAccepted(received, messages)
    this.#recordFindings(received)
    if (ruling.kind === 'pass') this.#recordDropped(received, ruling.dropped)
    for (const { items } of messages) for (const item of items) this.#recordHeld(item)
    for (const event of told.events) this.#options.record(event)
    if (ruling.kind === 'refuse') throw new RefusedByPolicy(ruling.reply)
    return messages
  }

  /** The content to its end, checked; our trace field stands before it. */
  async #read(
    { transaction, messageId, receivedAt, findings }: Arrival,
    source: { content: AsyncIterable<Buffer>; limits: MessageLimits; bodies: MessageBodies },
  ): Promise<Received> {
    const trace = this.#trace(transaction, { messageId, receivedAt })
    const writer = source.bodies.open(messageId)
    const begun = writer.write(trace)
    if (begun !== undefined) await begun
    const intake = new Intake(source.limits)
    // Who stops early leaves the rest where it is: the connection reads it to its end.
    const chunks = source.content[Symbol.asyncIterator]()
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      const writing = writer.write(intake.write(next.value))
      if (writing !== undefined) await writing
    }
    const facts = intake.end()
    const bodyAt = trace.length + facts.header.length
    return {
      transaction,
      messageId,
      receivedAt,
      findings,
      facts,
      writer,
      sizeBytes: writer.sizeBytes - trace.length,
      draft: { header: facts.header, body: { read: () => writer.read(bodyAt) } },
    }
  }

  #trace(transaction: Transaction, message: { messageId: string; receivedAt: number }): Buffer {
    const { messageId, receivedAt: now } = message
    return Buffer.from(receivedField({ transaction, messageId, hostname: this.#options.hostname, now }))
  }

  #judge(received: Received, bodies: MessageBodies): Promise<Ruling> {
    const { transaction, draft, messageId, receivedAt, sizeBytes, findings } = received
    return this.#options.policy.judge({
      messageId,
      receivedAt,
      transaction,
      draft,
      sizeBytes,
      record: (event) => findings.push(event),
      keep: (chunks) => bodies.keep(messageId, chunks),
    })
  }

  /** Each form as a message of the queue. One has the id that the client is told: the unchanged one, if there is one. */
  async #store(
    received: Received,
    { forms, bodies }: { forms: readonly Form[]; bodies: MessageBodies },
  ): Promise<NewMessage[]> {
    // By the same routes for all forms.
    const routes = this.#options.routes()
    const first = forms.find((form) => form.draft === received.draft) ?? forms[0]
    const messages: NewMessage[] = []
    for (const form of forms) {
      const { receivedAt, messageId } = received
      const id = form === first ? messageId : siblingMessageId(receivedAt, messageId)
      const unchanged = form.draft === received.draft
      const stored = unchanged ? received : await this.#write(form.draft, { received, bodies, id })
      messages.push(this.#message(form, { stored, routes }))
    }
    return messages.sort((a, b) => Number(b.id === received.messageId) - Number(a.id === received.messageId))
  }

  /** A form that policy made, behind a trace field of its own. */
  async #write(
    draft: Draft,
    { received, bodies, id }: { received: Received; bodies: MessageBodies; id: string },
  ): Promise<Received> {
    const { transaction, receivedAt } = received
    const trace = this.#trace(transaction, { messageId: id, receivedAt })
    const writer = bodies.open(id)
    await writer.write(trace)
    let eightBit = false
    for await (const chunk of readDraft(draft)) {
      eightBit ||= !isAscii(chunk)
      await writer.write(chunk)
    }
    return {
      transaction,
      messageId: id,
      receivedAt,
      findings: received.findings,
      facts: { ...received.facts, messageId: messageIdOf(draft.header), eightBit },
      writer,
      sizeBytes: writer.sizeBytes - trace.length,
      draft,
    }
  }

  /** Throws `MessageRefused` where a recipient has no way. */
  #message(form: Form, { stored, routes }: { stored: Received; routes: Routes }): NewMessage {
    const { transaction, messageId, receivedAt, facts, writer } = stored
    const items = queueItems(
      form.groups,
      {
        messageId,
        receivedAt,
        client: transaction.session.client,
        eightBit: facts.eightBit,
        internetMessageId: facts.messageId,
        sizeBytes: writer.sizeBytes,
        submittedBytes: stored.sizeBytes,
        submitted: transaction.recipients,
        marked: () => isMarked(stored.draft.header),
      },
      {
        routes,
        delivery: this.#options.delivery,
        identity: (sender) => this.#identity(sender, stored.draft),
      },
    )
    if ('refused' in items) throw new MessageRefused(items.refused)
    return { id: messageId, body: writer.finish(), items }
  }

  /** Whose binding counts (`routing.senderIdentity`); the header is read only where it is asked for. */
  #identity(sender: EnvelopeSender, draft: Draft): string | null {
    const setting = this.#options.routing.senderIdentity
    const from = sender.from || null
    if (setting === 'envelope') return from
    const author = fromAddresses(parseHeader(draft.header))
    return senderIdentity(setting, {
      envelopeFrom: from,
      headerFrom: 'address' in author ? author.address : null,
    })
  }

  #recordAccepted(received: Received, messages: readonly NewMessage[]): void {
    const { transaction, messageId, receivedAt, facts, writer } = received
    this.#options.record({
      event: 'accepted',
      messageId,
      internetMessageId: facts.messageId,
      networkMessageId: facts.networkMessageId,
      from: transaction.sender.from,
      recipients: placesOf(messages),
      forms: messages.length > 1 ? messages.map(({ id }) => id) : null,
      client: transaction.session.client,
      sizeBytes: writer.sizeBytes,
      tls: transaction.session.tls,
      durationMs: this.#options.clock.now() - receivedAt,
    })
  }

  /** What policy found, behind the reception that it is about, or before the refusal. */
  #recordFindings({ findings }: Arrival): void {
    for (const event of findings.splice(0)) this.#options.record(event)
  }

  /** Told of a message that was read to its end: what it is too. */
  #recordRejected(
    message: Arrival | Received,
    { reply, byPolicy }: { reply: Reply; byPolicy: boolean },
  ): void {
    const { transaction, messageId } = message
    const received = 'draft' in message ? message : null
    const refused: RefusedMessage = {
      messageId,
      internetMessageId: received?.facts.messageId ?? null,
      networkMessageId: received?.facts.networkMessageId ?? null,
      recipients: transaction.recipients.map(({ address }) => address),
      sizeBytes: received?.sizeBytes ?? null,
      by: byPolicy ? 'policy' : 'reception',
    }
    this.#recordFindings(message)
    this.#options.record({
      event: 'rejected',
      command: 'DATA',
      client: transaction.session.client,
      from: transaction.sender.from,
      to: transaction.recipients[0]?.address ?? null,
      reply,
      message: refused,
    })
  }

  #recordDropped({ messageId, transaction }: Received, dropped: readonly Dropped[]): void {
    const { from } = transaction.sender
    for (const { by, recipients } of dropped)
      this.#options.record({
        ...{ event: 'dropped', messageId, by, from },
        recipients: recipients.map(({ address }) => address),
      })
  }

  #recordHeld({ id: itemId, suspended: reason, ...item }: QueueItem): void {
    if (reason === null) return
    const { messageId, internetMessageId, connector } = item
    const { from } = item.sender
    const recipients = item.recipients.map(({ address }) => address)
    this.#options.record({
      ...{ event: 'suspended', itemId, messageId, internetMessageId, connector, reason },
      ...{ from, recipients },
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

function placesOf(messages: readonly NewMessage[]): { address: string; connector: string }[] {
  const places: { address: string; connector: string }[] = []
  for (const { items } of messages)
    for (const { recipients, connector } of items)
      for (const { address } of recipients) places.push({ address, connector })
  return places
}

/** A ruling about the message, not a fault of its form or its way. */
class RefusedByPolicy extends MessageRefused {
  override name = 'RefusedByPolicy'
}

interface Arrival {
  readonly transaction: Transaction
  readonly messageId: string
  readonly receivedAt: number
  /** What policy found, until it is known what becomes of the message. */
  readonly findings: MailEvent[]
}

interface Received extends Arrival {
  readonly facts: Pick<IntakeFacts, 'messageId' | 'networkMessageId' | 'eightBit'>
  readonly writer: BodyWriter
  /** Without our trace field. */
  readonly sizeBytes: number
  readonly draft: Draft
}

function messageIdOf(header: Buffer): string | null {
  const [field] = fieldsNamed(parseHeader(header), 'message-id')
  const value = field && fieldValue(field)
  return value ? printable(value) : null
}
