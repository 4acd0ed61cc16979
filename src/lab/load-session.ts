/**
 * One session of a load run: takes one turn after the other, keeps its connection for as many messages as it
 * may, and, where asked to, sends a message again as a real client does until it is accepted or time is up.
 */
import { LoadConnection, LoadConnectionError, type LoadTarget, type Submission } from './load-client.ts'
import type { LoadMessage, LoadMessages } from './load-message.ts'
import type { LoadSchedule, Turn } from './load-schedule.ts'
import type { LoadTally } from './load-tally.ts'

export interface LoadSessionOptions {
  readonly target: LoadTarget
  readonly messagesPerConnection: number
  /** How long a message is sent again after a broken connection or a 4yz; 0: never. */
  readonly retryForMs: number
  readonly messages: LoadMessages
  readonly schedule: LoadSchedule
  readonly tally: LoadTally
  /** Waits; false where the run is being stopped. */
  readonly pause: (durationMs: number) => Promise<boolean>
}

/** Between attempts, and after a failure: a server that is down is not hammered. */
const pauseAfterFailureMs = 200

export class LoadSession {
  readonly #options: LoadSessionOptions
  #connection: LoadConnection | null = null
  #messagesLeft = 0

  constructor(options: LoadSessionOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { schedule, messages } = this.#options
    for (let turn = this.#next(schedule); turn; turn = this.#next(schedule)) {
      const waitMs = turn.startAt - performance.now()
      if (waitMs > 0 && !(await this.#options.pause(waitMs))) break
      await this.#deliver(messages.message(turn.seq), turn)
      if (this.#messagesLeft === 0) await this.#leave()
    }
    await this.#leave()
  }

  #next(schedule: LoadSchedule): Turn | null {
    return schedule.next(performance.now())
  }

  async #deliver(message: LoadMessage, turn: Turn): Promise<void> {
    const { tally, retryForMs, pause } = this.#options
    const giveUpAt = performance.now() + retryForMs
    for (;;) {
      const submission = await this.#attempt(message, turn)
      if (submission?.kind === 'accepted') return
      const refused = submission?.kind === 'refused'
      const goesOn =
        (!refused || submission.reply.startsWith('4')) &&
        performance.now() < giveUpAt &&
        (await pause(pauseAfterFailureMs))
      if (!goesOn) {
        tally.gaveUp(refused ? 'refused' : 'failed')
        if (!refused) await pause(pauseAfterFailureMs)
        return
      }
      tally.retried()
    }
  }

  /** Null where there was no connection. */
  async #attempt(message: LoadMessage, turn: Turn): Promise<Submission | null> {
    const connection = await this.#connect()
    if (!connection) return null
    const submission = await connection.submit(message)
    this.#options.tally.submission(message, submission, performance.now() - turn.startAt)
    this.#messagesLeft--
    if (!connection.usable) await this.#leave()
    return submission
  }

  async #connect(): Promise<LoadConnection | null> {
    const { target, tally, messagesPerConnection } = this.#options
    if (this.#connection?.usable === false) await this.#leave()
    if (this.#connection) return this.#connection
    try {
      this.#connection = await LoadConnection.open(target)
    } catch (error) {
      if (!(error instanceof LoadConnectionError)) throw error
      tally.unreachable(error.message)
      return null
    }
    this.#messagesLeft = messagesPerConnection
    tally.connected()
    return this.#connection
  }

  async #leave(): Promise<void> {
    const connection = this.#connection
    this.#connection = null
    await connection?.quit()
    connection?.destroy()
  }
}
