/**
 * What a view shows, read again and again: less often while it fails, not at all while nobody looks, at once when
 * somebody looks again. What was read last stays on the screen while the next answer is on its way, or does not come.
 */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { isAbort, Problem, read } from './client.ts'

export interface Polled<Answer> {
  /** Null until the first one came. */
  readonly answer: Answer | null
  /** Why the last reading failed; null where it did not. */
  readonly problem: Problem | null
  /** Epoch ms of the answer, by this browser's clock. */
  readonly at: number | null
  /** Reads at once; resolves when that has an end. */
  again(): Promise<void>
}

type Reading<Answer> = Omit<Polled<Answer>, 'again'>

const nothing = { answer: null, problem: null, at: null }
const slowestMs = 30_000

/** Reads `path` now and every `everyMs` (null: once); a path of null reads nothing. A new path begins anew. */
export function usePolled<Answer>(
  path: string | null,
  { everyMs = null }: { everyMs?: number | null } = {},
): Polled<Answer> {
  const [shown, show] = useState<{ of: string | null; reading: Reading<Answer> }>({
    of: path,
    reading: nothing,
  })
  const poller = useRef<Poller<Answer> | null>(null)
  useEffect(() => {
    if (path === null) return
    const own = new Poller<Answer>({ path, everyMs, show: (reading) => show({ of: path, reading }) })
    poller.current = own
    return () => own.stop()
  }, [path, everyMs])
  const again = useCallback(async () => poller.current?.now(), [])
  return { ...(shown.of === path ? shown.reading : nothing), again }
}

/** For whoever has logged in again: what could not be read meanwhile. */
export function readAllAgain(): void {
  for (const poller of running) void poller.now()
}

interface PollerOptions<Answer> {
  readonly path: string
  readonly everyMs: number | null
  readonly show: (reading: Reading<Answer>) => void
}

const running = new Set<{ now(): Promise<void> }>()

class Poller<Answer> {
  readonly #options: PollerOptions<Answer>
  readonly #ended = new AbortController()
  readonly #look = (): void => {
    if (!document.hidden && this.#due) void this.now()
  }
  #reading: Reading<Answer> = nothing
  #timer: number | undefined
  #failures = 0
  /** Its time came while nobody looked. */
  #due = false
  #latest = 0

  constructor(options: PollerOptions<Answer>) {
    this.#options = options
    running.add(this)
    document.addEventListener('visibilitychange', this.#look)
    void this.now()
  }

  async now(): Promise<void> {
    window.clearTimeout(this.#timer)
    this.#due = false
    const turn = ++this.#latest
    const { path, show } = this.#options
    const reading = await read<Answer>(path, { signal: this.#ended.signal }).then(
      (answer): Reading<Answer> => ({ answer, problem: null, at: Date.now() }),
      (error: unknown): Reading<Answer> | null =>
        this.#ended.signal.aborted ? null : { ...this.#reading, problem: asProblem(error) },
    )
    // An answer that was overtaken by a later question would show what was before.
    if (reading === null || turn !== this.#latest) return
    this.#failures = reading.problem === null ? 0 : this.#failures + 1
    this.#reading = reading
    show(reading)
    this.#plan()
  }

  stop(): void {
    running.delete(this)
    document.removeEventListener('visibilitychange', this.#look)
    window.clearTimeout(this.#timer)
    this.#ended.abort()
  }

  #plan(): void {
    const { everyMs } = this.#options
    const failing = this.#reading.problem
    // Nobody answers to what does not exist, or may not be asked, by being asked again.
    if (failing !== null && failing.status >= 400 && failing.status < 500 && failing.status !== 429) return
    if (everyMs === null && failing === null) return
    const pauseMs = Math.min(
      (everyMs ?? 2000) * 2 ** Math.min(this.#failures, 6),
      Math.max(slowestMs, everyMs ?? 0),
    )
    this.#timer = window.setTimeout(() => {
      this.#due = true
      this.#look()
    }, pauseMs)
  }
}

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (isAbort(error)) return new Problem('', { status: 0 })
  return new Problem(error instanceof Error ? error.message : String(error), { status: 0 })
}
