/**
 * The sandbox's ledger: one JSON line per message it took, written before its 250 (`line-file.ts` says how
 * durable that is). Each message a smart host has taken stands in it exactly as often as it was taken, which is
 * what an audit of the relay compares with what the load generator was promised.
 */
import { type FileHandle, open } from 'node:fs/promises'

export interface LedgerEntry {
  /** Of the load run that sent the message; null for any other mail. */
  readonly run: string | null
  readonly seq: number | null
  /** Content as received, trace fields included. */
  readonly sizeBytes: number
  /** Of what follows the header block, in hex. */
  readonly sha256: string
  readonly from: string
  /** The recipients that this transaction delivered to. */
  readonly to: readonly string[]
  readonly receivedAt: number
  readonly messageId: string | null
}

export const formatLedgerEntry = (entry: LedgerEntry): string => JSON.stringify(entry)

/** Null where the line is not an entry: the half line a killed process may leave. */
export function parseLedgerEntry(line: string): LedgerEntry | null {
  let entry: Partial<Record<keyof LedgerEntry, unknown>>
  try {
    entry = JSON.parse(line)
  } catch {
    return null
  }
  const valid =
    typeof entry === 'object' &&
    entry !== null &&
    typeof entry.sha256 === 'string' &&
    typeof entry.from === 'string' &&
    typeof entry.receivedAt === 'number' &&
    Array.isArray(entry.to) &&
    (entry.run === null || (typeof entry.run === 'string' && typeof entry.seq === 'number'))
  return valid ? (entry as LedgerEntry) : null
}

/** Reads a ledger that is still being written: each call gives the entries that came since the last. */
export class LedgerReader {
  readonly #file: string
  readonly #block = Buffer.alloc(1024 ** 2)
  #handle: FileHandle | null = null
  #position = 0
  #partial: Buffer = Buffer.alloc(0)
  #unreadable = 0

  constructor(file: string) {
    this.#file = file
  }

  /** Whole lines that are not entries. */
  get unreadable(): number {
    return this.#unreadable
  }

  async read(): Promise<LedgerEntry[]> {
    this.#handle ??= await openIfThere(this.#file)
    const entries: LedgerEntry[] = []
    while (this.#handle !== null) {
      const { bytesRead } = await this.#handle.read(this.#block, 0, this.#block.length, this.#position)
      if (bytesRead === 0) break
      this.#position += bytesRead
      this.#take(this.#block.subarray(0, bytesRead), entries)
    }
    return entries
  }

  async close(): Promise<void> {
    await this.#handle?.close()
    this.#handle = null
  }

  #take(bytes: Buffer, entries: LedgerEntry[]): void {
    const text = Buffer.concat([this.#partial, bytes])
    const end = text.lastIndexOf(0x0a) + 1
    this.#partial = Buffer.from(text.subarray(end))
    for (const line of text.toString('utf8', 0, end).split('\n')) {
      if (line === '') continue
      const entry = parseLedgerEntry(line)
      if (entry) entries.push(entry)
      else this.#unreadable++
    }
  }
}

/** A ledger that no message has reached yet may not exist. */
async function openIfThere(file: string): Promise<FileHandle | null> {
  try {
    return await open(file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
