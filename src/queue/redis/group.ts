/**
 * Steps of one kind and one partition that are taken together: all that come while a call is under way go in the
 * next one, as in the embedded store's group commit. A call of its own for each message costs this process and
 * Redis more than what is written. Each step keeps its own answer and its own fate: the script takes each for itself.
 *
 * While Redis does not answer, nobody waits behind a call that may wait long: the next one goes on its own patience.
 */
import { QueueUnavailable } from '../queue.ts'
import type { Argument } from './arguments.ts'
import type { Patience } from './connection.ts'

/** A step as it stands in the arguments of its script. */
export interface Step {
  readonly args: readonly Argument[]
  /** Bodies that go beside the script, each behind the field it is to have there. */
  readonly bodies: readonly (string | Buffer)[]
  readonly items: number
  readonly bytes: number
  /** Called when an attempt failed, before it is repeated: whether its outcome is unknown. */
  readonly onTrouble: (unknown: boolean) => void
}

interface Waiting {
  readonly step: Step
  readonly resolve: (answer: readonly string[]) => void
  readonly reject: (error: unknown) => void
}

/** Takes the steps in one call; resolves with the answer of each. */
export type TakeSteps = (
  steps: readonly Step[],
  patience: Patience,
) => Promise<readonly (readonly string[])[]>

/** Bounds how long one call holds up others in Redis. A step that is larger goes alone. */
const mostSteps = 100
const mostArguments = 4000
const mostBytes = 1024 * 1024

export class RedisGroup {
  readonly #take: TakeSteps
  readonly #patience: Patience
  #waiting: Waiting[] = []
  #isUnderWay = false
  #isScheduled = false

  constructor(take: TakeSteps, patience: Patience) {
    this.#take = take
    this.#patience = patience
  }

  /** Resolves with the step's answer; rejects as the call does that it is taken with, or where the step failed. */
  take(step: Step): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ step, resolve, reject })
      this.#schedule()
    })
  }

  /** The steps of one turn of the event loop begin together. */
  #schedule(): void {
    if (this.#isUnderWay || this.#isScheduled || this.#waiting.length === 0) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      void this.#call(this.#next())
    })
  }

  #next(): readonly Waiting[] {
    let args = 0
    let bytes = 0
    let count = 0
    for (const { step } of this.#waiting) {
      args += step.args.length
      bytes += step.bytes
      if (count > 0 && (count === mostSteps || args > mostArguments || bytes > mostBytes)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #call(group: readonly Waiting[]): Promise<void> {
    this.#isUnderWay = true
    let isInTheWay = true
    const letOthersGo = () => {
      if (isInTheWay) this.#isUnderWay = false
      isInTheWay = false
      this.#schedule()
    }
    const patience: Patience = {
      downMs: this.#patience.downMs,
      unknownMs: this.#patience.unknownMs,
      onTrouble: (unknown) => {
        for (const { step } of group) step.onTrouble(unknown)
        letOthersGo()
      },
    }
    try {
      const answers = await this.#take(
        group.map(({ step }) => step),
        patience,
      )
      for (const [n, waiting] of group.entries()) settle(waiting, answers[n])
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
    letOthersGo()
  }
}

function settle({ resolve, reject }: Waiting, answer: readonly string[] | undefined): void {
  if (answer === undefined) reject(new QueueUnavailable('Redis answered fewer steps than it was asked for'))
  else if (answer[0] === 'failed') reject(new Error(`Redis refused a step: ${answer[1]}`))
  else resolve(answer)
}
