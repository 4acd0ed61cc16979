/** Everything a load run counts, and what it must remember for the audit. */
import type { SubmittedMessage } from './audit.ts'
import { Latencies, type LatencySummary } from './latency.ts'
import type { LineFile } from './line-file.ts'
import { printableReply, type Submission } from './load-client.ts'
import type { LoadMessage } from './load-message.ts'

export interface ReasonCount {
  readonly reason: string
  readonly count: number
}

export interface LoadCounts {
  readonly accepted: number
  readonly acceptedRecipients: number
  readonly acceptedBytes: number
  /** Refused for good, or no longer tried. */
  readonly refused: number
  /** Given up because no connection could be made or kept. */
  readonly failed: number
  /** Recipients refused in messages that were accepted for others. */
  readonly refusedRecipients: number
  readonly retries: number
  /** Times a connection broke between final dot and reply. */
  readonly unconfirmed: number
  readonly connections: number
  readonly failedConnections: number
}

/** Distinct reasons that are kept apart; a server that puts an id into each reply must not fill our memory. */
const mostReasons = 100

export class LoadTally {
  readonly latencies = new Latencies()
  readonly submitted = new Map<number, SubmittedMessage>()
  /** Messages accepted in each second since the start. */
  readonly perSecond: number[] = []
  readonly #run: string
  readonly #startedAt: number
  readonly #acceptedLog: LineFile | null
  readonly #reasons = { refusals: new Map<string, number>(), failures: new Map<string, number>() }
  #lastAcceptedAt: number
  #counts = {
    accepted: 0,
    acceptedRecipients: 0,
    acceptedBytes: 0,
    refused: 0,
    failed: 0,
    refusedRecipients: 0,
    retries: 0,
    unconfirmed: 0,
    connections: 0,
    failedConnections: 0,
  }

  constructor(options: { run: string; startedAt: number; acceptedLog: LineFile | null }) {
    this.#run = options.run
    this.#startedAt = options.startedAt
    this.#lastAcceptedAt = options.startedAt
    this.#acceptedLog = options.acceptedLog
  }

  get counts(): LoadCounts {
    return this.#counts
  }

  /** Messages per second, up to the last one accepted. */
  get acceptedPerSecond(): number {
    const elapsedMs = this.#lastAcceptedAt - this.#startedAt
    return elapsedMs === 0 ? 0 : Math.round((this.#counts.accepted / elapsedMs) * 100_000) / 100
  }

  get latency(): LatencySummary {
    return this.latencies.summary()
  }

  reasons(kind: 'refusals' | 'failures'): ReasonCount[] {
    return [...this.#reasons[kind]]
      .map(([reason, count]) => ({ reason, count }))
      .sort((a, b) => b.count - a.count)
  }

  connected(): void {
    this.#counts.connections++
  }

  unreachable(reason: string): void {
    this.#counts.failedConnections++
    this.#note('failures', reason)
  }

  retried(): void {
    this.#counts.retries++
  }

  /** One transaction and how long after its turn it ended. */
  submission(message: LoadMessage, submission: Submission, latencyMs: number): void {
    if (submission.kind === 'accepted') this.#accepted(message, submission.recipients, latencyMs)
    else if (submission.kind === 'refused')
      this.#note('refusals', `${submission.command}: ${printableReply(submission.reply)}`)
    else {
      this.#note(
        'failures',
        submission.afterDot ? `after the final dot: ${submission.reason}` : submission.reason,
      )
      if (submission.afterDot) this.#unconfirmed(message)
    }
  }

  gaveUp(why: 'refused' | 'failed'): void {
    this.#counts[why]++
  }

  #accepted(message: LoadMessage, recipients: readonly string[], latencyMs: number): void {
    const now = Date.now()
    this.latencies.record(latencyMs)
    this.#lastAcceptedAt = now
    const second = Math.floor((now - this.#startedAt) / 1000)
    while (this.perSecond.length <= second) this.perSecond.push(0)
    this.perSecond[second]!++
    this.#counts.accepted++
    this.#counts.acceptedRecipients += recipients.length
    this.#counts.refusedRecipients += message.to.length - recipients.length
    this.#counts.acceptedBytes += message.sizeBytes
    const { unconfirmed } = this.submitted.get(message.seq) ?? { unconfirmed: 0 }
    this.#remember(message, { accepted: recipients, acceptedAt: now, unconfirmed })
  }

  #unconfirmed(message: LoadMessage): void {
    this.#counts.unconfirmed++
    const unconfirmed = (this.submitted.get(message.seq)?.unconfirmed ?? 0) + 1
    this.#remember(message, { accepted: [], acceptedAt: null, unconfirmed })
  }

  #remember(
    { seq, sha256, sizeBytes, from, to: offered }: LoadMessage,
    { accepted, acceptedAt, unconfirmed }: Pick<SubmittedMessage, 'accepted' | 'acceptedAt' | 'unconfirmed'>,
  ): void {
    const submitted = { seq, sha256, sizeBytes, from, offered, accepted, acceptedAt, unconfirmed }
    this.submitted.set(seq, submitted)
    this.#acceptedLog?.append(JSON.stringify({ run: this.#run, ...submitted }))
  }

  #note(kind: 'refusals' | 'failures', reason: string): void {
    const counts = this.#reasons[kind]
    const key = counts.has(reason) || counts.size < mostReasons ? reason : 'other'
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
}
