/** A store of the embedded queue in a temporary directory, for the contract and the model test. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import { pino } from 'pino'
import { openEmbeddedQueue } from '../../src/queue/embedded/embedded.ts'
import type { Queue } from '../../src/queue/queue.ts'
import type { Harness } from './contract.ts'

export const silent = pino({ level: 'silent' })

export class EmbeddedHarness implements Harness {
  #dir = mkdtempSync(join(tmpdir(), 'queue-'))
  readonly #dirs = [this.#dir]
  #queue: Queue | null = null

  get dir(): string {
    return this.#dir
  }

  async open(limits: { readonly maxItems?: number; readonly maxBytes?: number } = {}): Promise<Queue> {
    const { maxItems = 1000, maxBytes = 1e9 } = limits
    this.#queue = await openEmbeddedQueue({ dir: this.#dir, maxItems, maxBytes, log: silent })
    return this.#queue
  }

  /** What a process leaves that dies is its file: a copy of it, taken while the queue has it open. */
  async crash(queue: Queue): Promise<void> {
    const copy = mkdtempSync(join(tmpdir(), 'queue-'))
    this.#dirs.push(copy)
    cpSync(join(this.#dir, 'data.mdb'), join(copy, 'data.mdb'))
    this.#dir = copy
    await queue.close({ deadlineMs: 1000 })
  }

  corrupt(itemId: string): Promise<void> {
    return this.edit(itemId, () => '{"id":"\xff\0')
  }

  async edit(itemId: string, change: (record: string) => string): Promise<void> {
    const root = open({ path: this.#dir, maxDbs: 16, encoding: 'binary', overlappingSync: false })
    const items = root.openDB<Buffer, string>({ name: 'items', encoding: 'binary' })
    const record = items.get(itemId)!.toString('latin1')
    items.putSync(itemId, Buffer.from(change(record), 'latin1'))
    await root.close()
  }

  /** How many keys a database has. Closes the queue. */
  async countOf(database: string): Promise<number> {
    await this.#queue?.close({ deadlineMs: 1000 })
    const root = open({ path: this.#dir, maxDbs: 16, encoding: 'binary', overlappingSync: false })
    const count = root.openDB({ name: database, encoding: 'binary' }).getKeysCount()
    await root.close()
    return count
  }

  async residue(): Promise<readonly string[]> {
    await this.#queue?.close({ deadlineMs: 1000 })
    const root = open({ path: this.#dir, maxDbs: 16, encoding: 'binary', overlappingSync: false })
    const left: string[] = []
    const names = [
      'items',
      'bodies',
      'bodyNames',
      'staged',
      'shared',
      'due',
      'deadlines',
      'suspended',
      'counts',
    ]
    for (const name of names)
      for (const key of root.openDB({ name }).getKeys()) left.push(`${name} ${String(key)}`)
    const bytes = root.openDB({ name: 'meta', encoding: 'string' }).get('bytes')
    if (bytes !== undefined && bytes !== '0') left.push(`${bytes} bytes`)
    await root.close()
    return left
  }

  async destroy(): Promise<void> {
    await this.#queue?.close({ deadlineMs: 1000 })
    for (const dir of this.#dirs) rmSync(dir, { recursive: true })
  }
}
