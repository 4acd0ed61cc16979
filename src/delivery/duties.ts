/** What delivery does now and then, beside carrying mail: each duty by its name, never twice at a time. */
import type { Log } from '../observe/log.ts'
import { QueueUnavailable } from '../queue/queue.ts'

export class Duties {
  readonly #log: Log
  readonly #isStopping: () => boolean
  readonly #timers: NodeJS.Timeout[] = []
  readonly #underWay = new Map<string, Promise<void>>()
  /** Begins a duty now, by its name; those that are to run once more when they are done. */
  readonly #turns = new Map<string, () => void>()
  readonly #again = new Set<string>()
  /** Those that did not succeed last time. */
  readonly #failing = new Set<string>()

  constructor(options: { log: Log; isStopping: () => boolean }) {
    this.#log = options.log
    this.#isStopping = options.isStopping
  }

  /** Runs a duty now and from now on; one that fails is tried again at its next turn. */
  begin(duty: string, everyMs: number, run: () => Promise<void>): void {
    const turn = () => {
      if (this.#underWay.has(duty)) return
      this.#again.delete(duty)
      const running = run().then(
        () => this.succeeded(duty),
        (error: unknown) => this.failed(duty, error),
      )
      this.#underWay.set(
        duty,
        running.then(() => {
          this.#underWay.delete(duty)
          if (this.#again.has(duty) && !this.#isStopping()) turn()
        }),
      )
    }
    this.#turns.set(duty, turn)
    turn()
    this.#timers.push(setInterval(turn, everyMs))
  }

  /** Now, or once more when it is done: what it has looked at may be different now. */
  soon(duty: string): void {
    if (this.#isStopping()) return
    this.#again.add(duty)
    this.#turns.get(duty)?.()
  }

  /** Resolves when what is under way is done. */
  async end(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all(this.#underWay.values())
  }

  /** One line when it begins to fail and one when it is over: an outage of the store must not fill the log. */
  failed(duty: string, error: unknown): void {
    if (this.#failing.has(duty)) return
    this.#failing.add(duty)
    if (error instanceof QueueUnavailable)
      this.#log.warn({ duty, reason: error.message }, 'the store is away')
    else this.#log.error({ err: error, duty }, 'a duty of delivery failed')
  }

  succeeded(duty: string): void {
    if (this.#failing.delete(duty)) this.#log.info({ duty }, 'a duty of delivery is done again')
  }
}
