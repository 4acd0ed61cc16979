/** Backpressure: whoever reads a message for a checker reads on when the checker has taken what it was given. */
import type { Writable } from 'node:stream'

/** Resolves when the stream takes more, or nothing any more: one that is destroyed never drains. */
export function untilWritable(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done)
      resolve()
    }
    if (stream.destroyed) resolve()
    else stream.on('drain', done).on('close', done)
  })
}
