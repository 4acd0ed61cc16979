/**
 * The load generator: many sessions that submit marked messages to a relay, counting what it accepts, how fast, and
 * with which latency, and remembering each 250 so that an audit can hold the relay to it (`audit.ts`).
 */

import type { SubmittedMessage } from './audit.ts'
import type { LatencySummary } from './latency.ts'
import { LineFile } from './line-file.ts'
import type { LoadTarget } from './load-client.ts'
import { type LoadMessageOptions, LoadMessages } from './load-message.ts'
import { LoadSchedule, type LoadScheduleOptions } from './load-schedule.ts'
import { LoadSession } from './load-session.ts'
import { type LoadCounts, LoadTally, type ReasonCount } from './load-tally.ts'

export interface LoadOptions extends LoadMessageOptions, LoadScheduleOptions {
  readonly target: LoadTarget
  readonly sessions: number
  readonly messagesPerConnection: number
  /** How long a message is sent again after a broken connection or a 4yz; 0: never. */
  readonly retryForMs: number
  /** File with one line per message accepted or sent without an answer. */
  readonly acceptedLog: string | null
}

export interface LoadProgress extends LoadCounts {
  readonly elapsedMs: number
  readonly latency: LatencySummary
}

export interface LoadResult extends LoadCounts {
  readonly run: string
  readonly startedAt: number
  readonly elapsedMs: number
  readonly acceptedPerSecond: number
  /** Messages accepted in each second. */
  readonly perSecond: readonly number[]
  /** From a message's turn to its 250. */
  readonly latency: LatencySummary
  readonly refusals: readonly ReasonCount[]
  readonly failures: readonly ReasonCount[]
  /** CPU time of this process during the run. */
  readonly cpuMs: number
  /** What the audit compares with the ledger. */
  readonly submitted: readonly SubmittedMessage[]
}

export interface LoadControl {
  /** Takes no further turns; transactions under way are finished. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: LoadProgress) => void
}

const progressMs = 250

export async function runLoad(options: LoadOptions, control: LoadControl = {}): Promise<LoadResult> {
  const acceptedLog = options.acceptedLog === null ? null : new LineFile(options.acceptedLog)
  try {
    return await new LoadRun(options, acceptedLog).run(control)
  } finally {
    acceptedLog?.close()
  }
}

class LoadRun {
  readonly #options: LoadOptions
  readonly #startedAt = Date.now()
  readonly #started = performance.now()
  readonly #cpuBefore = process.cpuUsage()
  readonly #schedule: LoadSchedule
  readonly #tally: LoadTally
  /** Pauses under way, each with what ends it early. */
  readonly #pauses = new Set<() => void>()
  #stopped = false

  constructor(options: LoadOptions, acceptedLog: LineFile | null) {
    this.#options = options
    this.#schedule = new LoadSchedule(options, this.#started)
    this.#tally = new LoadTally({ run: options.run, startedAt: this.#startedAt, acceptedLog })
  }

  async run({ signal, onProgress }: LoadControl): Promise<LoadResult> {
    const stop = () => this.#stop()
    signal?.addEventListener('abort', stop)
    if (signal?.aborted) stop()
    const ticker = onProgress && setInterval(() => onProgress(this.#progress()), progressMs)
    try {
      await this.#runSessions()
    } finally {
      clearInterval(ticker)
      signal?.removeEventListener('abort', stop)
    }
    onProgress?.(this.#progress())
    return this.#result()
  }

  async #runSessions(): Promise<void> {
    const messages = new LoadMessages(this.#options)
    const sessions = Array.from({ length: this.#options.sessions }, () => {
      const pause = (durationMs: number) => this.#pause(durationMs)
      return new LoadSession({
        ...this.#options,
        ...{ messages, schedule: this.#schedule, tally: this.#tally, pause },
      })
    })
    await Promise.all(sessions.map((session) => session.run()))
  }

  #stop(): void {
    this.#stopped = true
    this.#schedule.stop()
    for (const end of this.#pauses) end()
  }

  #pause(durationMs: number): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false)
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        this.#pauses.delete(end)
        resolve(!this.#stopped)
      }
      const timer = setTimeout(end, durationMs)
      this.#pauses.add(end)
    })
  }

  #progress(): LoadProgress {
    const elapsedMs = Math.round(performance.now() - this.#started)
    return { ...this.#tally.counts, elapsedMs, latency: this.#tally.latency }
  }

  #result(): LoadResult {
    const cpu = process.cpuUsage(this.#cpuBefore)
    return {
      run: this.#options.run,
      startedAt: this.#startedAt,
      ...this.#progress(),
      acceptedPerSecond: this.#tally.acceptedPerSecond,
      perSecond: this.#tally.perSecond,
      refusals: this.#tally.reasons('refusals'),
      failures: this.#tally.reasons('failures'),
      cpuMs: Math.round((cpu.user + cpu.system) / 1000),
      submitted: [...this.#tally.submitted.values()],
    }
  }
}
