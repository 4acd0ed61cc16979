/**
 * Samples of what this node does, as long as it runs. How long the queue is must be asked of the store: each second
 * while somebody looks, else now and then, so that whoever comes sees where it came from.
 */
import type { Clock } from '../clock.ts'
import type { Queue } from '../queue/queue.ts'
import type { MailEvent } from './events.ts'
import { depthOf, type LiveSample, LiveSamples, sampleMs } from './live-samples.ts'
import { type QueueRate, QueueRates } from './queue-rates.ts'

/** Who asked within this time looks. */
const lookMs = 60_000
const restMs = 10_000

export class Live {
  readonly #samples = new LiveSamples()
  readonly #rates = new QueueRates()
  readonly #clock: Clock
  #timer: NodeJS.Timeout | null = null
  #lookedAt = Number.NEGATIVE_INFINITY
  #askedAt = Number.NEGATIVE_INFINITY
  #isAsking = false

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock
  }

  /** Of everything that happens to mail. */
  note(event: MailEvent): void {
    const now = this.#clock.now()
    this.#samples.note(event, now)
    this.#rates.note(event, now)
  }

  start(queue: Pick<Queue, 'totals'>): void {
    this.#timer = setInterval(() => void this.ask(queue), sampleMs).unref()
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  /** Of whole seconds that began after `since`. Who asks is taken to ask again. */
  samples(since: number): LiveSample[] {
    const now = this.#clock.now()
    this.#lookedAt = now
    return this.#samples.samples({ since, now })
  }

  ratesOf(connector: string): QueueRate {
    return this.#rates.of(connector, this.#clock.now())
  }

  /** How long the queue is now, where it is time to ask. A store that is away, or slow, leaves a gap. */
  async ask(queue: Pick<Queue, 'totals'>): Promise<void> {
    const now = this.#clock.now()
    const isDue = now - this.#lookedAt < lookMs || Math.abs(now - this.#askedAt) >= restMs
    if (this.#isAsking || !isDue) return
    this.#isAsking = true
    this.#askedAt = now
    try {
      this.#samples.noteQueue(depthOf(await queue.totals({ now })), this.#clock.now())
    } catch {
      // Readiness, the log and the connectors' view say so.
    } finally {
      this.#isAsking = false
    }
  }
}
