/**
 * A real embedded queue in a temporary directory of which chosen calls fail, or wait, until it is healed: the
 * store as it is while Redis is away or the disk hangs. It counts calls and remembers nothing else.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { openEmbeddedQueue } from '../../src/queue/embedded/embedded.ts'
import type {
  Change,
  ChangeResult,
  Claim,
  ClaimOptions,
  Counted,
  Lease,
  LeasedItem,
  ListedItem,
  ListFilter,
  ListOptions,
  NewMessage,
  Outcome,
  Page,
  PutOptions,
  Queue,
  QueueTotals,
  Spending,
  Spent,
  Stage,
} from '../../src/queue/queue.ts'
import { Gate } from './gate.ts'

/** Those that can be made to fail or wait; `append` and `read` are a stage's. */
export type Call =
  | 'stage'
  | 'append'
  | 'read'
  | 'put'
  | 'claim'
  | 'overdue'
  | 'renew'
  | 'settle'
  | 'spend'
  | 'counted'
  | 'body'
  | 'list'
  | 'change'
  | 'totals'

export interface Limits {
  readonly maxItems?: number
  readonly maxBytes?: number
}

export class FaultyQueue implements Queue {
  readonly store = 'embedded'
  readonly #queue: Queue
  readonly #dir: string
  readonly #errors = new Map<Call, Error>()
  readonly #gates = new Map<Call, Gate>()
  readonly #counts = new Map<Call, number>()
  #watchers: (() => void)[] = []

  static async open({ maxItems = 10_000, maxBytes = 1e9 }: Limits = {}): Promise<FaultyQueue> {
    const dir = mkdtempSync(join(tmpdir(), 'relay-queue-'))
    const log = pino({ level: 'silent' })
    return new FaultyQueue(await openEmbeddedQueue({ dir, maxItems, maxBytes, log }), dir)
  }

  private constructor(queue: Queue, dir: string) {
    this.#queue = queue
    this.#dir = dir
  }

  /** The call rejects with this error from now on. */
  fail(call: Call, error: Error): void {
    this.#errors.set(call, error)
  }

  /** The call waits from now on, and goes on when healed. */
  stall(call: Call): void {
    this.#gates.set(call, new Gate())
  }

  heal(): void {
    this.#errors.clear()
    for (const gate of this.#gates.values()) gate.open()
    this.#gates.clear()
  }

  /** The store itself, without faults: as another node would see it. */
  get elsewhere(): Queue {
    return this.#queue
  }

  calls(call: Call): number {
    return this.#counts.get(call) ?? 0
  }

  /** Resolves when the call has been made so often, whatever became of it. */
  async called(call: Call, times: number): Promise<void> {
    while (this.calls(call) < times) await new Promise<void>((resolve) => this.#watchers.push(resolve))
  }

  async destroy(): Promise<void> {
    this.heal()
    await this.close({ deadlineMs: 1000 })
    rmSync(this.#dir, { recursive: true })
  }

  async stage(messageId: string): Promise<Stage> {
    await this.#pass('stage')
    const stage = await this.#queue.stage(messageId)
    const append = stage.append.bind(stage)
    const read = stage.read.bind(stage)
    const pass = (call: Call) => this.#pass(call)
    // The embedded queue takes back only a stage of its own, so this one is not wrapped but changed.
    return Object.assign(stage, {
      append: async (chunk: Buffer) => {
        await pass('append')
        await append(chunk)
      },
      read: async function* () {
        await pass('read')
        yield* read()
      },
    })
  }

  async put(message: NewMessage, options: PutOptions): Promise<readonly Lease[]> {
    await this.#pass('put')
    return this.#queue.put(message, options)
  }

  async claim(options: ClaimOptions): Promise<Claim> {
    await this.#pass('claim')
    return this.#queue.claim(options)
  }

  async overdue(options: { now: number; leaseMs: number; limit: number }): Promise<readonly LeasedItem[]> {
    await this.#pass('overdue')
    return this.#queue.overdue(options)
  }

  async renew(
    leases: readonly Lease[],
    options: { now: number; leaseMs: number },
  ): Promise<readonly Lease[]> {
    await this.#pass('renew')
    return this.#queue.renew(leases, options)
  }

  async settle(lease: Lease, outcome: Outcome, options: { now: number }): Promise<void> {
    await this.#pass('settle')
    return this.#queue.settle(lease, outcome, options)
  }

  async spend(spending: Spending): Promise<Spent> {
    await this.#pass('spend')
    return this.#queue.spend(spending)
  }

  async counted(prefix: string, options: { now: number; limit: number }): Promise<readonly Counted[]> {
    await this.#pass('counted')
    return this.#queue.counted(prefix, options)
  }

  async *body(messageId: string): AsyncIterable<Buffer> {
    await this.#pass('body')
    yield* this.#queue.body(messageId)
  }

  async list(filter: ListFilter, options: ListOptions): Promise<Page> {
    await this.#pass('list')
    return this.#queue.list(filter, options)
  }

  get(itemId: string, options: { now: number }): Promise<ListedItem | null> {
    return this.#queue.get(itemId, options)
  }

  async change(itemId: string, change: Change, options: { now: number }): Promise<ChangeResult> {
    await this.#pass('change')
    return this.#queue.change(itemId, change, options)
  }

  async totals(options: { now: number }): Promise<QueueTotals> {
    await this.#pass('totals')
    return this.#queue.totals(options)
  }

  fault(): string | null {
    return this.#queue.fault()
  }

  close(options: { deadlineMs: number }): Promise<void> {
    return this.#queue.close(options)
  }

  async #pass(call: Call): Promise<void> {
    this.#counts.set(call, this.calls(call) + 1)
    for (const wake of this.#watchers.splice(0)) wake()
    await this.#gates.get(call)?.opened
    const error = this.#errors.get(call)
    if (error !== undefined) throw error
  }
}
