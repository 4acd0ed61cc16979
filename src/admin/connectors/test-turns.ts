/**
 * How many tests of connectors may run at a time: each opens connections to hosts of its own, and may take a minute.
 * A test ends with whoever asked for it.
 */
import type { FastifyReply } from 'fastify'
import { TooMany } from '../problem.ts'

const mostAtATime = 4

export class TestTurns {
  #running = 0

  /** The signal is aborted when the client leaves. Rejects with `TooMany` where too many are under way. */
  async run<Found>(reply: FastifyReply, test: (signal: AbortSignal) => Promise<Found>): Promise<Found> {
    if (this.#running >= mostAtATime)
      throw new TooMany(
        `${mostAtATime} connectors are being tested already: wait until one has ended`,
        10_000,
      )
    this.#running += 1
    const left = new AbortController()
    const leave = () => left.abort()
    reply.raw.once('close', leave)
    try {
      return await test(left.signal)
    } finally {
      this.#running -= 1
      reply.raw.off('close', leave)
    }
  }
}
