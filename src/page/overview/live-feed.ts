/**
 * The samples of the last fifteen minutes, kept up to date: each second what came since the last one is asked for, so
 * that an answer is one sample and not nine hundred. Nothing is asked for while nobody looks; what was missed comes
 * with the first answer afterwards.
 */
import { useEffect, useState } from 'preact/hooks'
import { isAbort, Problem, pathOf, read } from '../client.ts'
import { useSession } from '../session.ts'
import { type LiveSample, withSamples } from './live-series.ts'

export interface Live {
  readonly samples: readonly LiveSample[]
  /** Why there is no news; null where there is. */
  readonly problem: Problem | null
  /** Whether a first answer came. */
  readonly known: boolean
}

export function useLive(): Live {
  const [live, setLive] = useState<Live>({ samples: [], problem: null, known: false })
  const isOpen = useSession().state === 'open'
  useEffect(() => {
    if (!isOpen) return
    const feed = new LiveFeed(setLive)
    return () => feed.stop()
  }, [isOpen])
  return live
}

const everyMs = 1000
const slowestMs = 30_000

class LiveFeed {
  readonly #show: (live: Live) => void
  readonly #ended = new AbortController()
  readonly #look = (): void => {
    if (!document.hidden && this.#due) void this.#ask()
  }
  #samples: readonly LiveSample[] = []
  #failures = 0
  /** Its time came while nobody looked. */
  #due = false
  #timer: number | undefined

  constructor(show: (live: Live) => void) {
    this.#show = show
    document.addEventListener('visibilitychange', this.#look)
    void this.#ask()
  }

  stop(): void {
    document.removeEventListener('visibilitychange', this.#look)
    window.clearTimeout(this.#timer)
    this.#ended.abort()
  }

  async #ask(): Promise<void> {
    this.#due = false
    const since = this.#samples.at(-1)?.at
    try {
      const path = pathOf(['live'], { since })
      const came = await read<{ samples: LiveSample[] }>(path, { signal: this.#ended.signal })
      this.#failures = 0
      this.#samples = withSamples(this.#samples, came.samples)
      this.#show({ samples: this.#samples, problem: null, known: true })
    } catch (error) {
      if (this.#ended.signal.aborted) return
      this.#failures++
      this.#show({ samples: this.#samples, problem: problemOf(error), known: this.#samples.length > 0 })
    }
    if (!this.#ended.signal.aborted) this.#plan()
  }

  #plan(): void {
    const pauseMs = Math.min(everyMs * 2 ** this.#failures, slowestMs)
    this.#timer = window.setTimeout(() => {
      this.#due = true
      this.#look()
    }, pauseMs)
  }
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (isAbort(error)) return new Problem('', { status: 0 })
  throw error
}
