/** Turns for so many at a time; others wait in the order they came, as long as their signal lets them. */
export class Turns {
  readonly #most: number
  #taken = 0
  /** A set, so that who gives up costs no search; it keeps the order. */
  readonly #waiting = new Set<() => void>()

  constructor(most: number) {
    this.#most = most
  }

  get taken(): number {
    return this.#taken
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Resolves with a turn, to be given back; rejects with the signal's reason once it aborts. */
  take(signal: AbortSignal): Promise<void> {
    if (this.#taken < this.#most) {
      this.#taken++
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const onTurn = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = (): void => {
        this.#waiting.delete(onTurn)
        reject(signal.reason)
      }
      this.#waiting.add(onTurn)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  give(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#taken--
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
