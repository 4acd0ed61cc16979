/**
 * The embedded queue's way to its store: what callers want written, committed in groups; the limits of the
 * queue; and what is wrong where a commit fails. Between two commits it also gives back the memory that reading
 * the file has taken.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Log } from '../../observe/log.ts'
import { type NewMessage, QueueFull, type QueueUnavailable } from '../queue.ts'
import { GroupCommit } from './group-commit.ts'
import { countsWrite } from './layout.ts'
import type { PlaceIndex } from './place-index.ts'
import { Plan } from './plan.ts'
import type { EmbeddedStore } from './store.ts'

export interface WriterOptions {
  readonly maxItems: number
  readonly maxBytes: number
  readonly log: Log
}

export interface SubmitOptions {
  /** The plan is durable and readable; nothing else has run since. */
  readonly applied?: () => void
  /**
   * Tried again where the commit fails, until it is stored: `awaited` by the caller to its end, or in the
   * `background` from the first failure on.
   */
  readonly keep?: 'awaited' | 'background' | undefined
}

/** A commit that takes longer means a disk that hangs. */
const slowCommitMs = 30_000
/**
 * New mail leaves so much free. LMDB needs new pages also to remove something: with none left nothing could leave, and
 * the queue would stay full for ever.
 */
const leastFreeBytes = 8 * 1024 ** 2
const diskFull = 'The disk of the queue is full'
/** How often the memory that the file's mapping takes is looked at while little is written. */
const mappingCheckMs = 250

export class EmbeddedWriter {
  readonly #store: EmbeddedStore
  readonly #index: PlaceIndex
  readonly #options: WriterOptions
  readonly #commits: GroupCommit<Plan>
  readonly #mappingCheck: NodeJS.Timeout
  #bytes: number
  #stagedBytes = 0
  #fault: string | null = null
  #commitBeganAt: number | null = null
  #unmapping = false

  constructor(store: EmbeddedStore, index: PlaceIndex, options: WriterOptions) {
    this.#store = store
    this.#index = index
    this.#options = options
    this.#bytes = Number(store.get(store.meta, 'bytes') ?? 0)
    this.#commits = new GroupCommit<Plan>({
      ready: () => this.#unmapIfAsked(),
      begin: () => new Plan(store),
      commit: (plan) => this.#commit(plan),
      publish: (plan) => this.#publish(plan),
      failed: (error) => this.#commitFailed(error),
    })
    this.#mappingCheck = setInterval(() => this.#checkMapping(), mappingCheckMs).unref()
  }

  /** Resolves when what `plan` writes is durable; a plan that throws must have written nothing. */
  submit(plan: (plan: Plan) => void, options: SubmitOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#commits.submit({
        plan,
        keep: options.keep !== undefined,
        kept: options.keep === 'background' ? resolve : () => undefined,
        refused: reject,
        applied: () => {
          options.applied?.()
          resolve()
        },
      })
    })
  }

  /** Throws `QueueFull` where the plan has no room for all the messages. */
  refuseFull(plan: Plan, messages: readonly NewMessage[]): void {
    const { maxItems } = this.#options
    let items = this.#index.items + plan.entered.length - plan.left.length
    let moreBytes = plan.bytes
    for (const message of messages) {
      items += message.items.length
      if (message.body.kind === 'inline') moreBytes += message.body.bytes.length
    }
    if (items > maxItems) throw new QueueFull(`The queue holds its limit of ${maxItems} items`)
    this.#refuseBytes(moreBytes)
  }

  /** Room for the bytes of a body on its way in; throws `QueueFull` where there is none. */
  reserve(sizeBytes: number): void {
    this.#refuseBytes(sizeBytes)
    this.#stagedBytes += sizeBytes
  }

  release(sizeBytes: number): void {
    this.#stagedBytes -= sizeBytes
  }

  fault(): string | null {
    if (this.#commitBeganAt !== null && performance.now() - this.#commitBeganAt > slowCommitMs)
      return `The disk of the queue has not answered for ${slowCommitMs / 1000} seconds`
    if (this.#store.lost !== null || this.#fault !== null) return this.#store.lost ?? this.#fault
    return this.#store.hasRoom(leastFreeBytes) ? null : diskFull
  }

  /** Stores what is waiting, until the deadline, and closes the store. */
  async close(deadlineMs: number, refusal: QueueUnavailable): Promise<void> {
    clearInterval(this.#mappingCheck)
    const { running } = await this.#commits.drain({ deadlineMs, refusal })
    if (running) this.#options.log.error('The queue was left with a commit under way')
    else await this.#store.close()
  }

  /** Of all bodies that are kept. */
  get bytes(): number {
    return this.#bytes
  }

  #refuseBytes(moreBytes: number): void {
    const { maxBytes } = this.#options
    if (this.#bytes + this.#stagedBytes + moreBytes > maxBytes)
      throw new QueueFull(`The queue holds its limit of ${maxBytes} bytes`)
    if (!this.#store.hasRoom(leastFreeBytes + moreBytes)) throw new QueueFull(diskFull)
  }

  async #commit(plan: Plan): Promise<void> {
    this.#commitBeganAt = performance.now()
    try {
      for (const [connector, counts] of this.#index.countsAfter(plan.left, plan.entered))
        plan.writes.push(countsWrite(connector, counts))
      plan.writes.push(['meta', 'bytes', String(this.#bytes + plan.bytes)])
      await this.#store.commit(plan.writes)
    } finally {
      this.#commitBeganAt = null
    }
  }

  #publish(plan: Plan): void {
    this.#store.refresh()
    this.#bytes += plan.bytes
    for (const place of plan.left) this.#index.remove(place)
    for (const place of plan.entered) this.#index.insert(place)
    if (this.#store.hasMovedMuch) this.#checkMapping()
  }

  #checkMapping(): void {
    if (this.#unmapping || this.#store.lost !== null || !this.#store.isMappedLarge) return
    this.#unmapping = true
    // Whoever only reads makes no commits, between which alone the file can be opened anew.
    this.submit(() => undefined).catch(() => undefined)
  }

  async #unmapIfAsked(): Promise<void> {
    if (!this.#unmapping || this.#store.lost !== null) return
    await nextTurn()
    await this.#store.unmap()
    this.#unmapping = false
  }

  #commitFailed(error: unknown): void {
    const { log } = this.#options
    if (error === null) log.info('The queue can be written again')
    else if (this.#fault === null) log.error({ err: error }, 'The queue cannot be written')
    this.#fault = error === null ? null : error instanceof Error ? error.message : String(error)
  }
}
