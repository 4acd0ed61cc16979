/**
 * After a load run: follows the sandbox's ledger until every recipient that the relay has accepted has arrived, or time
 * is up, and says how fast the relay delivered.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SubmittedMessage } from './audit.ts'
import { Latencies, type LatencySummary } from './latency.ts'
import { type LedgerEntry, LedgerReader } from './ledger.ts'
import type { LoadResult } from './load.ts'

export interface Drained {
  /** The run's entries. */
  readonly entries: readonly LedgerEntry[]
  /** False where time was up before everything had arrived. */
  readonly complete: boolean
  /** Ledger lines that are none: a killed sandbox leaves at most one each time. */
  readonly unreadable: number
}

export interface DrainOptions {
  readonly ledgerFile: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  readonly onProgress?: (outstanding: number) => void
}

const pollMs = 100

export async function drain(
  result: Pick<LoadResult, 'run' | 'submitted'>,
  options: DrainOptions,
): Promise<Drained> {
  const reader = new LedgerReader(options.ledgerFile)
  const outstanding = new Set(result.submitted.flatMap((message) => acceptedKeys(message)))
  const entries: LedgerEntry[] = []
  const giveUpAt = performance.now() + options.timeoutMs
  try {
    for (;;) {
      for (const entry of await reader.read()) {
        if (entry.run !== result.run) continue
        entries.push(entry)
        for (const recipient of entry.to) outstanding.delete(key(entry.seq!, recipient))
      }
      options.onProgress?.(outstanding.size)
      const over = options.signal?.aborted || performance.now() >= giveUpAt
      if (outstanding.size === 0 || over)
        return { entries, complete: outstanding.size === 0, unreadable: reader.unreadable }
      await sleep(pollMs)
    }
  } finally {
    await reader.close()
  }
}

export interface Relayed {
  /** Deliveries to the smart host: one message split by recipient is several. */
  readonly deliveries: number
  /** From the start of the run to the last delivery. */
  readonly perSecond: number
  /** From the relay's 250 to the smart host's. */
  readonly delay: LatencySummary
}

export function relayed(result: LoadResult, entries: readonly LedgerEntry[]): Relayed {
  const acceptedAt = new Map(result.submitted.map((message) => [message.seq, message.acceptedAt]))
  const delays = new Latencies()
  let lastAt = result.startedAt
  for (const entry of entries) {
    lastAt = Math.max(lastAt, entry.receivedAt)
    const at = acceptedAt.get(entry.seq!)
    if (at !== null && at !== undefined) delays.record(entry.receivedAt - at)
  }
  const elapsedMs = lastAt - result.startedAt
  const perSecond = elapsedMs === 0 ? 0 : Math.round((entries.length / elapsedMs) * 100_000) / 100
  return { deliveries: entries.length, perSecond, delay: delays.summary() }
}

const acceptedKeys = (message: SubmittedMessage): string[] =>
  message.accepted.map((recipient) => key(message.seq, recipient))

const key = (seq: number, recipient: string): string => `${seq} ${recipient.toLowerCase()}`
