/** An embedded state in a temporary directory, for the contract and the model test. */
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import { pino } from 'pino'
import { openEmbeddedState } from '../../src/state/embedded-state.ts'
import type { StateStore } from '../../src/state/state.ts'
import type { Harness } from './contract.ts'

export const silent = pino({ level: 'silent' })

export class EmbeddedHarness implements Harness {
  #dir = mkdtempSync(join(tmpdir(), 'state-'))
  readonly #dirs = [this.#dir]
  #store: StateStore | null = null

  get dir(): string {
    return this.#dir
  }

  async open(): Promise<StateStore> {
    this.#store = await openEmbeddedState({ dir: join(this.#dir, 'state'), log: silent })
    return this.#store
  }

  /** What a process leaves that dies is its file: a copy of it, taken while the store has it open. */
  async crash(store: StateStore): Promise<void> {
    const copy = mkdtempSync(join(tmpdir(), 'state-'))
    this.#dirs.push(copy)
    cpSync(join(this.#dir, 'state', 'data.mdb'), join(copy, 'state', 'data.mdb'))
    this.#dir = copy
    await store.close()
  }

  async damage(key: string, bytes: Buffer): Promise<void> {
    const root = open({ path: join(this.#dir, 'state'), maxDbs: 16, overlappingSync: false })
    root.openDB<Buffer, string>({ name: 'objects', encoding: 'binary' }).putSync(key, bytes)
    await root.close()
  }

  async moved(): Promise<number | null> {
    if (process.platform !== 'linux') return null
    const io = readFileSync('/proc/self/io', 'latin1')
    return Number(/^wchar: (\d+)$/m.exec(io)![1])
  }

  async destroy(): Promise<void> {
    await this.#store?.close()
    for (const dir of this.#dirs) rmSync(dir, { recursive: true })
  }
}
