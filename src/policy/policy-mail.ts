/**
 * What policy has to tell by mail: the sender, that some recipients were refused after one reply had to answer for
 * all; and whom a rule names, that it matched. Both are queued in the same step as the message they are about.
 */
import type { Config } from '../config/schema.ts'
import { type DsnWriter, headerBytes, type WrittenDsn } from '../delivery/dsn-writer.ts'
import { ownMessage } from '../delivery/own-message.ts'
import { type Placement, unreachable } from '../delivery/reroute.ts'
import type { EnvelopeRecipient } from '../envelope.ts'
import { itemId, siblingMessageId } from '../message-id.ts'
import type { MailEvent } from '../observe/events.ts'
import type { NewMessage } from '../queue/queue.ts'
import { composeNotice } from './notice.ts'
import type { Notice } from './rules/verdict.ts'
import type { Refused, Ruling, Submission } from './station.ts'

export interface PolicyMailOptions {
  readonly hostname: string
  readonly delivery: Config['delivery']
  readonly dsnWriter: DsnWriter
  /** Where a message of ours, from the null reverse-path, goes. */
  readonly place: (recipient: string, sizeBytes: number) => Placement
}

export interface Told {
  readonly messages: readonly NewMessage[]
  readonly events: readonly MailEvent[]
}

type About = Omit<Submission, 'keep' | 'record'> & { readonly facts: { readonly messageId: string | null } }

export class PolicyMail {
  readonly #options: PolicyMailOptions

  constructor(options: PolicyMailOptions) {
    this.#options = options
  }

  async compose(about: About, ruling: Ruling): Promise<Told> {
    const refused = ruling.kind === 'pass' ? ruling.refused : []
    if (refused.length === 0 && ruling.notices.length === 0) return nothing
    const dsn = await this.#dsn(about, refused)
    const notices = ruling.notices.flatMap((notice) => this.#notice(about, notice))
    const dsnId = dsn?.message?.id ?? null
    return {
      messages: [...(dsn?.message ? [dsn.message] : []), ...notices.map(({ message }) => message)],
      events: [
        ...refused.map((each) => refusedEvent(about, { ...each, dsnId })),
        ...(dsn ? [dsn.event] : []),
        ...notices.map(({ event }) => event),
      ],
    }
  }

  /** One for all recipients refused who are to be told of failures (RFC 3461 §4.1); none to the null reverse-path. */
  async #dsn(about: About, refused: readonly Refused[]): Promise<WrittenDsn | null> {
    const { transaction, messageId, receivedAt, draft } = about
    const recipients = refused.flatMap(({ recipients, reply }) =>
      recipients.filter(wantsFailure).map(({ address, orcpt }) => ({
        ...{ address, orcpt, reply },
        fate: 'failed' as const,
        host: null,
        lastAttemptAt: null,
      })),
    )
    if (recipients.length === 0 || transaction.sender.from === '') return null
    // Of a body that policy may have changed nothing is returned: the sender has the message.
    const header = draft.header.subarray(0, headerBytes)
    const reported = { id: itemId(messageId, 1), messageId, sizeBytes: about.sizeBytes }
    return this.#options.dsnWriter.write(
      reported,
      {
        kind: 'failed',
        itemId: reported.id,
        sender: transaction.sender,
        internetMessageId: about.facts.messageId,
        receivedAt,
        expiresAt: receivedAt + this.#options.delivery.expireAfter,
        recipients,
      },
      header,
    )
  }

  /** One message for all whom a rule tells; what cannot be routed waits as unreachable, where an operator sees it. */
  #notice(about: About, notice: Notice): { message: NewMessage; event: MailEvent }[] {
    const { hostname, delivery, place } = this.#options
    const id = siblingMessageId(about.receivedAt, about.messageId)
    const composed = composeNotice(notice, {
      ...about,
      id,
      hostname,
      postmaster: delivery.postmaster ?? `postmaster@${hostname}`,
    })
    const byConnector = new Map<string, EnvelopeRecipient[]>()
    for (const recipient of composed.envelope.to) {
      const placement = place(recipient.address, composed.bytes.length)
      const connector = placement.kind === 'connector' ? placement.connector : unreachable
      byConnector.set(connector, [...(byConnector.get(connector) ?? []), recipient])
    }
    return [...byConnector].map(([connector, to]) => {
      const ownId = byConnector.size === 1 ? id : siblingMessageId(about.receivedAt, about.messageId)
      const { receivedAt: now } = about
      const envelope = { ...composed.envelope, to }
      return {
        message: ownMessage(
          { ...composed, envelope },
          { id: ownId, connector, now, expiresAt: now + delivery.expireAfter },
        ),
        event: {
          event: 'notice',
          messageId: ownId,
          about: about.messageId,
          rule: notice.rule,
          to: to.map(({ address }) => address),
        },
      }
    })
  }
}

const nothing: Told = { messages: [], events: [] }

function wantsFailure({ notify }: EnvelopeRecipient): boolean {
  return notify === null || (notify !== 'never' && notify.includes('failure'))
}

function refusedEvent(
  { messageId, transaction }: About,
  { by, recipients, reply, dsnId }: Refused & { dsnId: string | null },
): MailEvent {
  return {
    event: 'refused',
    messageId,
    by,
    from: transaction.sender.from,
    recipients: recipients.map(({ address }) => address),
    reply,
    dsnId,
  }
}
