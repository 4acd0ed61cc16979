/** A clock that stands still until the test moves it. */
import type { Clock } from '../../src/clock.ts'
import { t0 } from './queue-fixtures.ts'

export class TestClock implements Clock {
  #at: number

  constructor(at = t0) {
    this.#at = at
  }

  now(): number {
    return this.#at
  }

  advance(ms: number): void {
    this.#at += ms
  }
}
