/** What rules may look at. Pure: everything in it was read before, or is read from bytes that are in memory. */
import type { MessageContent } from '../../message/content/content.ts'
import type { HeaderView } from '../../message/header-view.ts'
import type { Client } from '../../queue/queue.ts'

export interface MessageView {
  /** The envelope sender, canonical; the empty string is the null reverse-path. */
  readonly sender: string
  /** Canonical. */
  readonly recipients: readonly string[]
  readonly client: Client
  /** Epoch ms: whether rules are active. */
  readonly now: number
  /** As submitted. */
  readonly sizeBytes: number
  readonly header: HeaderView
  /**
   * `unread` until a rule needs it: most mail is judged without. `failed` where it could not be inspected; each
   * rule's `onError` says what then.
   */
  readonly content: MessageContent | 'unread' | 'failed'
}
