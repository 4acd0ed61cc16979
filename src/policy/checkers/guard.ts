/**
 * Stands between the station and an outside checker, so that mail goes on whatever the checker does: one time-out for
 * waiting and checking, so many messages at a time, a pause for a scanner that keeps failing, and the answer its
 * configuration states while it is away. The client learns nothing of why; that is in the log, once for each change
 * of state, and in what `check` returns, for every message.
 *
 * Only faults of our own queue pass through as they are thrown: for them no checker's stated answer is right.
 */
import { type Clock, systemClock } from '../../clock.ts'
import type { CheckerConfig } from '../../config/policy-schema.ts'
import { formatDuration } from '../../config/units.ts'
import type { Log } from '../../observe/log.ts'
import { BodyMissing, QueueFull, QueueUnavailable } from '../../queue/queue.ts'
import { permanent, printable, type Reply, temporary } from '../../reply.ts'
import type { Transaction } from '../../smtp/transaction.ts'
import { afterQuestion, asking, type Breaker, closed, mayAsk, type Outcome } from './breaker.ts'
import {
  type CheckedMessage,
  type Checker,
  type CheckerVerdict,
  NotChecked,
  type RecipientQuestion,
  unchanged,
} from './checker.ts'
import { Turns } from './turns.ts'

export interface GuardOptions {
  readonly timeoutMs: number
  readonly concurrency: number
  /** What is answered while the checker is away. */
  readonly away: CheckerConfig['away']
  readonly log: Log
  readonly clock?: Clock
}

export interface Checked {
  readonly verdict: CheckerVerdict
  /** Why the verdict is not the checker's own; null where it is. */
  readonly away: string | null
  readonly durationMs: number
}

export interface GuardStatus {
  /** `failing`: its last answers failed; `paused`: it is not asked for a while, or by a probe only. */
  readonly state: 'up' | 'failing' | 'paused'
  readonly asking: number
  readonly waiting: number
}

export interface GuardedChecker {
  readonly name: string
  readonly status: GuardStatus
  /** Whether `recipient` asks anybody. */
  readonly asksRecipients: boolean
  /** At RCPT: null accepts. */
  recipient(question: RecipientQuestion): Promise<Reply | null>
  /** At the end of DATA. */
  check(message: CheckedMessage): Promise<Checked>
  close(): Promise<void>
}

export function guarded(checker: Checker, options: GuardOptions): GuardedChecker {
  return new CheckerUnderGuard(checker, options)
}

class CheckerUnderGuard implements GuardedChecker {
  readonly name: string
  readonly asksRecipients: boolean
  readonly #checker: Checker
  readonly #away: GuardOptions['away']
  readonly #guard: Guard
  /** Transactions to be held because the checker was away at RCPT. */
  readonly #held = new WeakMap<Transaction, string>()

  constructor(checker: Checker, options: GuardOptions) {
    this.name = checker.name
    this.asksRecipients = checker.recipient !== undefined
    this.#checker = checker
    this.#away = options.away
    this.#guard = new Guard(checker.name, options)
  }

  get status(): GuardStatus {
    return this.#guard.status
  }

  async recipient(question: RecipientQuestion): Promise<Reply | null> {
    const asked = await this.#guard.ask(async (signal) => this.#checker.recipient?.(question, signal) ?? null)
    if ('answer' in asked) return asked.answer
    if (this.#away === 'defer' || this.#away === 'reject') return awayReplies[this.#away]
    if (this.#away === 'hold') this.#held.set(question.transaction, this.#holdReason(asked.away))
    return null
  }

  async check(message: CheckedMessage): Promise<Checked> {
    const asked = await this.#guard.ask((signal) => this.#checker.check(message, signal))
    const { durationMs } = asked
    if ('away' in asked)
      return { verdict: this.#awayVerdict(message, asked.away), away: asked.away, durationMs }
    const { answer } = asked
    const hold = this.#held.get(message.submitted)
    if (hold === undefined || answer.kind !== 'pass') return { verdict: answer, away: null, durationMs }
    return { verdict: { ...answer, hold: answer.hold ?? hold }, away: null, durationMs }
  }

  close(): Promise<void> {
    return this.#checker.close()
  }

  #awayVerdict(message: CheckedMessage, reason: string): CheckerVerdict {
    if (this.#away === 'defer' || this.#away === 'reject')
      return { kind: 'refuse', reply: awayReplies[this.#away], note: null }
    const pass = unchanged(message)
    return this.#away === 'hold' ? { ...pass, hold: this.#holdReason(reason) } : pass
  }

  #holdReason(reason: string): string {
    return `${this.name} did not answer: ${reason}`
  }
}

/** RFC 3463 §3.8: X.7.0, as the message itself is not what security found fault with. */
const awayReplies: Readonly<Record<'defer' | 'reject', Reply>> = {
  defer: temporary('7.0', 'A content check is not available, please try again later'),
  reject: permanent('7.0', 'A content check is not available, message refused', 554),
}

type Asked<Answer> =
  | { readonly answer: Answer; readonly durationMs: number }
  | { readonly away: string; readonly durationMs: number }

type Question<Answer> = (signal: AbortSignal) => Promise<Answer>

/** Asks in time, in turn, and not while the breaker is open. */
class Guard {
  readonly #name: string
  readonly #timeoutMs: number
  readonly #log: Log
  readonly #clock: Clock
  readonly #turns: Turns
  #breaker: Breaker = closed
  #lastFailure = ''

  constructor(name: string, { timeoutMs, concurrency, log, clock = systemClock }: GuardOptions) {
    this.#name = name
    this.#timeoutMs = timeoutMs
    this.#log = log
    this.#clock = clock
    this.#turns = new Turns(concurrency)
  }

  get status(): GuardStatus {
    return {
      state: stateName(this.#breaker),
      asking: this.#turns.taken,
      waiting: this.#turns.waiting,
    }
  }

  async ask<Answer>(question: Question<Answer>): Promise<Asked<Answer>> {
    const startedAt = this.#clock.now()
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(new TimeUp(this.#timeoutMs)), this.#timeoutMs)
    try {
      const answer = await this.#inTurn(question, controller.signal)
      return { answer, durationMs: this.#clock.now() - startedAt }
    } catch (error) {
      if (isOurs(error)) throw error
      return { away: reasonOf(error), durationMs: this.#clock.now() - startedAt }
    } finally {
      clearTimeout(timer)
    }
  }

  async #inTurn<Answer>(question: Question<Answer>, signal: AbortSignal): Promise<Answer> {
    this.#refuseInPause()
    await this.#turns.take(signal)
    try {
      // Others may have found out in the meantime that it is down.
      this.#refuseInPause()
      return await this.#observed(question, signal)
    } finally {
      this.#turns.give()
    }
  }

  #refuseInPause(): void {
    if (!mayAsk(this.#breaker, this.#clock.now()))
      throw new NotChecked(`it is not asked for a while, as it failed: ${this.#lastFailure}`)
  }

  async #observed<Answer>(question: Question<Answer>, signal: AbortSignal): Promise<Answer> {
    const { breaker, probe } = asking(this.#breaker)
    this.#breaker = breaker
    try {
      const answer = await orAborted(question(signal), signal)
      this.#learn({ outcome: 'answered', probe })
      return answer
    } catch (error) {
      this.#learn({ outcome: outcomeOf(error), probe, error })
      throw error
    }
  }

  #learn({ outcome, probe, error }: { outcome: Outcome; probe: boolean; error?: unknown }): void {
    const before = stateName(this.#breaker)
    if (outcome === 'failed') this.#lastFailure = reasonOf(error)
    this.#breaker = afterQuestion(this.#breaker, { outcome, probe, now: this.#clock.now() })
    const state = stateName(this.#breaker)
    if (state === before) return
    const checker = this.#name
    if (state === 'up') this.#log.info({ checker }, 'an outside checker answers again')
    else if (state === 'failing') this.#log.warn({ checker, err: error }, 'an outside checker did not answer')
    else
      this.#log.error(
        { checker, err: error },
        'an outside checker keeps failing and is not asked for a while',
      )
  }
}

function stateName(breaker: Breaker): GuardStatus['state'] {
  if (breaker.state !== 'closed') return 'paused'
  return breaker.failures === 0 ? 'up' : 'failing'
}

class TimeUp extends Error {
  override name = 'TimeUp'

  constructor(timeoutMs: number) {
    super(`no answer within ${formatDuration(timeoutMs)}`)
  }
}

/** A checker that does not heed its signal must not keep the message waiting. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    work.then(resolve, reject)
  })
}

function outcomeOf(error: unknown): Outcome {
  if (isOurs(error)) return 'abandoned'
  return error instanceof NotChecked ? 'answered' : 'failed'
}

/** The body could not be read, or its new form not kept. */
function isOurs(error: unknown): boolean {
  return error instanceof QueueFull || error instanceof QueueUnavailable || error instanceof BodyMissing
}

/** One line. A host name with several addresses fails with an error that has no message but those of its attempts. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return [...new Set(error.errors.map(reasonOf))].join('; ')
  if (!(error instanceof Error)) return printable(String(error))
  return printable(error.message || error.name)
}
