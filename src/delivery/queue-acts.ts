/**
 * What operators do to queued mail: the change itself, in one step of the store; what follows from it, a wake-up
 * or a report to the sender; and the event that says who did it and why.
 *
 * An item is removed with a report in two steps: it is suspended, so that no attempt can change what the report
 * says of each recipient, and removed together with the report being queued. A crash between them leaves it
 * suspended, where an operator sees it.
 */
import type { Clock } from '../clock.ts'
import type { RecordEvent } from '../observe/events.ts'
import { changed } from '../queue/operator.ts'
import type { Change, ChangeResult, Queue, QueueItem } from '../queue/queue.ts'
import type { Delivery } from './delivery.ts'
import { removalReport } from './disposition.ts'
import type { DsnWriter, WrittenDsn } from './dsn-writer.ts'

export type Act =
  | { readonly kind: 'suspend' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'retry' }
  /** With a report to the sender, where one is due. */
  | { readonly kind: 'remove'; readonly dsn: boolean }
  | { readonly kind: 'redirect'; readonly connector: string }

/** Who acts, and why: both stand in the log. */
export interface Actor {
  readonly by: string
  readonly reason: string
}

export interface QueueActsOptions {
  readonly queue: Pick<Queue, 'get' | 'change'>
  readonly dsnWriter: DsnWriter
  readonly record: RecordEvent
  readonly clock: Clock
  /** Delivery is to look at a connector's queue now (`wake`), also where its hosts were to be left alone yet (`retry`). */
  readonly delivery: Pick<Delivery, 'wake' | 'retry'>
}

export class QueueActs {
  readonly #options: QueueActsOptions

  constructor(options: QueueActsOptions) {
    this.#options = options
  }

  /** False where the item is so already: then nothing happens, and no event says that something did. */
  changes(item: QueueItem, act: Act): boolean {
    if (act.kind === 'remove') return true
    // Who holds an item already has said why.
    if (act.kind === 'suspend') return item.suspended === null
    return changed(item, act, { now: this.#options.clock.now() }) !== item
  }

  /** Connectors that wait after a failure touch no item: to retry their mail is to try their hosts. */
  retryConnectorsOf(items: readonly QueueItem[]): void {
    for (const connector of new Set(items.map((item) => item.connector)))
      this.#options.delivery.retry(connector)
  }

  async apply(item: QueueItem, act: Act, actor: Actor): Promise<ChangeResult> {
    if (!this.changes(item, act)) return 'done'
    if (act.kind === 'remove') return act.dsn ? this.#removeAndTell(item, actor) : this.#remove(item, actor)
    const change: Change = act.kind === 'suspend' ? { kind: 'suspend', reason: actor.reason } : act
    const result = await this.#change(item, change)
    if (result !== 'done') return result
    const { connector } = act.kind === 'redirect' ? act : item
    const event = { ...eventOf(item, actor), event: eventNames[act.kind], connector }
    this.#options.record(act.kind === 'redirect' ? { ...event, fromConnector: item.connector } : event)
    if (act.kind !== 'suspend') this.#options.delivery.wake(connector)
    return 'done'
  }

  async #remove(item: QueueItem, actor: Actor, dsn: WrittenDsn | null = null): Promise<ChangeResult> {
    const result = await this.#change(item, { kind: 'remove', dsn: dsn?.message ?? null })
    if (result !== 'done') return result
    const { record, delivery } = this.#options
    record({ ...eventOf(item, actor), event: 'removed' })
    if (dsn !== null) record(dsn.event)
    if (dsn?.message) delivery.wake(dsn.message.items[0]!.connector)
    return 'done'
  }

  async #removeAndTell(item: QueueItem, actor: Actor): Promise<ChangeResult> {
    if (removalReport(item) === null) return this.#remove(item, actor)
    const held = await this.#change(item, { kind: 'suspend', reason: actor.reason })
    if (held !== 'done') return held
    try {
      const found = await this.#options.queue.get(item.id, { now: this.#options.clock.now() })
      if (found === null) return 'missing'
      const report = removalReport(found.item)
      const dsn = report === null ? null : await this.#options.dsnWriter.write(found.item, report, null)
      return await this.#remove(found.item, actor, dsn)
    } catch (error) {
      await this.#asBefore(item)
      throw error
    }
  }

  /** The item goes on as if nobody had touched it. Where that fails too it stays suspended, and says why. */
  async #asBefore({ id, suspended }: QueueItem): Promise<void> {
    const change: Change = suspended === null ? { kind: 'resume' } : { kind: 'suspend', reason: suspended }
    await this.#options.queue.change(id, change, { now: this.#options.clock.now() }).catch(() => undefined)
  }

  #change({ id }: QueueItem, change: Change): Promise<ChangeResult> {
    return this.#options.queue.change(id, change, { now: this.#options.clock.now() })
  }
}

const eventNames = {
  suspend: 'suspended',
  resume: 'resumed',
  retry: 'retried',
  redirect: 'rerouted',
} as const

/** What the event of each act says of the item. */
function eventOf(item: QueueItem, { by, reason }: Actor) {
  const { id: itemId, messageId, internetMessageId, connector } = item
  const { from } = item.sender
  const waiting = item.recipients.filter(({ state }) => state === 'pending')
  const recipients = waiting.map(({ address }) => address)
  return { itemId, messageId, internetMessageId, connector, from, recipients, by, reason }
}
