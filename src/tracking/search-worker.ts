/** The thread of one search (search-thread.ts): it gets the question when it is made, answers it and ends. */
import { parentPort, workerData } from 'node:worker_threads'
import { searchTracking } from './search.ts'
import type { SearchAnswer, SearchQuestion } from './search-thread.ts'

const { dir, filter, options } = workerData as SearchQuestion
parentPort!.postMessage(await answer())

async function answer(): Promise<SearchAnswer> {
  try {
    return { page: await searchTracking({ dir }, filter, options) }
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) }
  }
}
