/**
 * The deadline of a connection. One coarse timer lives as long as the connection does, so that setting a
 * deadline, which every step of every message does, costs an assignment. Time is monotonic: a wall clock that
 * jumps breaks no connection.
 */
export class Deadline {
  readonly #timer: NodeJS.Timeout
  #at = Number.POSITIVE_INFINITY

  constructor(onPassed: () => void, options: { resolutionMs: number }) {
    this.#timer = setInterval(() => {
      if (performance.now() < this.#at) return
      this.clear()
      onPassed()
    }, options.resolutionMs)
    // The socket keeps the process alive while it is open; the watch on it need not.
    this.#timer.unref()
  }

  set(inMs: number): void {
    this.#at = performance.now() + inMs
  }

  clear(): void {
    this.#at = Number.POSITIVE_INFINITY
  }

  end(): void {
    clearInterval(this.#timer)
  }
}
