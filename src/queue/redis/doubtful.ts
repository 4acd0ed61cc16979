/**
 * Messages that were refused although Redis may have stored them, because the answer never came. Their senders
 * will send them again, so they are taken back before anyone delivers them, if that can be: until Redis returns
 * they are remembered here.
 */
import type { Log } from '../../observe/log.ts'
import { type NewMessage, QueueUnavailable } from '../queue.ts'
import type { RedisStore } from './store.ts'

export class DoubtfulPuts {
  readonly #store: RedisStore
  readonly #log: Log
  /** Message id → ids of its items, and of those that were put with it. */
  readonly #messages = new Map<string, readonly string[]>()
  #cancelling: Promise<void> | null = null

  constructor(store: RedisStore, options: { log: Log }) {
    this.#store = store
    this.#log = options.log
  }

  get messageIds(): readonly string[] {
    return [...this.#messages.keys()]
  }

  /** The messages of one put. */
  add(messages: readonly NewMessage[]): void {
    const messageId = messages[0]!.id
    const itemIds = messages.flatMap(({ items }) => items.map(({ id }) => id))
    this.#messages.set(messageId, itemIds)
    this.#log.warn(
      { messageId, doubtful: this.#messages.size },
      'A message was refused that Redis may have stored: it is taken back when Redis returns',
    )
  }

  /** Takes back what it can; where Redis is away, the rest stays remembered. */
  cancel(): Promise<void> {
    this.#cancelling ??= this.#cancelAll().finally(() => {
      this.#cancelling = null
    })
    return this.#cancelling
  }

  async #cancelAll(): Promise<void> {
    for (const [messageId, itemIds] of this.#messages) {
      const partition = this.#store.connection.partitionOf(messageId)
      try {
        const args = [this.#store.newCall(), ...itemIds]
        const [, removed] = await this.#store.step('cancelItems', partition, args)
        this.#messages.delete(messageId)
        this.#log.info(
          { messageId, removed: removed !== '0' },
          'A refused message is not in the queue any more',
        )
      } catch (error) {
        if (error instanceof QueueUnavailable) return
        this.#log.error({ messageId, reason: String(error) }, 'A refused message cannot be taken back')
        this.#messages.delete(messageId)
      }
    }
  }
}
