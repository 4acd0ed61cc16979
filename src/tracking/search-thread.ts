/**
 * Searches the tracking history in a thread of its own, so that reading a gigabyte takes no time from mail. A search that
 * takes too long is ended, and there are never more than two.
 */
import { Worker } from 'node:worker_threads'
import type { TrackingFilter } from './filter.ts'
import type { SearchOptions, TrackingPage } from './search.ts'

export interface SearchQuestion {
  readonly dir: string
  readonly filter: TrackingFilter
  readonly options: SearchOptions
}
export type SearchAnswer = { readonly page: TrackingPage } | { readonly failed: string }

/** The history cannot be searched now: too much is asked at once, or the files cannot be read. */
export class SearchFailed extends Error {
  override name = 'SearchFailed'
}

const mostSearches = 2
/** The admin port's callers wait ten seconds; a page's share of reading (search.ts) takes one or two. */
const deadlineMs = 9_000
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 }

export class TrackingSearch {
  readonly #dir: string
  readonly #program: URL
  #running = 0

  /** `program` is the worker as it was compiled; the tests' sources are not. */
  constructor(options: { readonly dir: string; readonly program?: URL }) {
    this.#dir = options.dir
    this.#program = options.program ?? new URL('./search-worker.js', import.meta.url)
  }

  /** Rejects with `SearchFailed`. */
  async search(filter: TrackingFilter, options: SearchOptions): Promise<TrackingPage> {
    if (this.#running >= mostSearches)
      throw new SearchFailed('Other searches of the tracking history are under way; try again')
    this.#running++
    try {
      return await this.#ask({ dir: this.#dir, filter, options })
    } finally {
      this.#running--
    }
  }

  async #ask(question: SearchQuestion): Promise<TrackingPage> {
    const worker = new Worker(this.#program, { workerData: question, resourceLimits, execArgv: [] })
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise((resolve, reject) => {
        worker.once('message', (answer: SearchAnswer) =>
          'page' in answer ? resolve(answer.page) : reject(new SearchFailed(answer.failed)),
        )
        worker.once('error', (error) => reject(new SearchFailed(error.message)))
        worker.once('exit', () => reject(new SearchFailed('The search ended without an answer')))
        timer = setTimeout(() => reject(new SearchFailed('The search took too long')), deadlineMs)
      })
    } finally {
      clearTimeout(timer)
      await worker.terminate()
    }
  }
}
