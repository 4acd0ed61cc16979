/**
 * A message as conditions ask about it: what they share (folded texts, mailboxes) is made once, and only if some
 * condition asks. `EnvelopeFacts` is all there is at RCPT.
 */
import type { MessageContent } from '../../message/content/content.ts'
import type { HeaderView } from '../../message/header-view.ts'
import type { Client } from '../../queue/queue.ts'
import { Mailbox } from './mailbox.ts'
import type { MessageView } from './view.ts'
import { FoldedText } from './words.ts'

export type EnvelopeView = Pick<MessageView, 'sender' | 'recipients' | 'client' | 'now'>

export class EnvelopeFacts {
  readonly sender: Mailbox
  /** As submitted, also those that a rule has taken out already. */
  readonly recipients: readonly Mailbox[]
  readonly client: Client
  readonly now: number

  constructor(view: EnvelopeView) {
    this.sender = new Mailbox(view.sender)
    this.recipients = view.recipients.map((address, index) => new Mailbox(address, index))
    this.client = view.client
    this.now = view.now
  }
}

export class MessageFacts extends EnvelopeFacts {
  readonly sizeBytes: number
  readonly header: HeaderView
  readonly content: MessageContent | 'unread' | 'failed'
  #authors: readonly Mailbox[] | null = null
  #subject: FoldedText | null = null
  readonly #values = new Map<string, readonly FoldedText[]>()
  #everything: FoldedText | null = null

  constructor(view: MessageView) {
    super(view)
    this.sizeBytes = view.sizeBytes
    this.header = view.header
    this.content = view.content
  }

  /** All mailboxes that somebody could read in the From fields. */
  get authors(): readonly Mailbox[] {
    if (this.#authors === null) {
      const { from } = this.header
      const addresses = 'address' in from ? [from.address] : this.header.mentioned('from')
      this.#authors = addresses.map((address) => new Mailbox(address))
    }
    return this.#authors
  }

  get subject(): FoldedText {
    this.#subject ??= new FoldedText(this.header.subject)
    return this.#subject
  }

  values(name: string): readonly FoldedText[] {
    const known = this.#values.get(name)
    if (known !== undefined) return known
    const values = this.header.values(name).map((value) => new FoldedText(value))
    this.#values.set(name, values)
    return values
  }

  /** Subject and text; NUL between them, so that no phrase begins in one and ends in the other. */
  everything(content: MessageContent): FoldedText {
    this.#everything ??= new FoldedText(`${this.header.subject}\0${content.text}`)
    return this.#everything
  }
}
