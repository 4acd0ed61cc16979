/**
 * Acts on many items, step by step, so that whoever asked sees how far it is: on those that were ticked, each by its id;
 * or on all that a filter means, page by page as the API gives them. What was done stays done when a step fails.
 */
import type { ActedItem, ActedMany } from '../../admin/queue/queue-act-view.ts'
import { type Meant, meantBy, type QueueFilter } from './queue-filter.ts'

export type QueueAct = (
  | { readonly action: 'suspend' | 'resume' | 'retry' }
  | { readonly action: 'remove'; readonly dsn: boolean }
  | { readonly action: 'redirect'; readonly connector: string }
) & {
  /** For the log and the history. */
  readonly reason?: string
}

export type ActKind = QueueAct['action']

/** How many items were changed; being attempted meanwhile; gone meanwhile. */
export interface ActTally {
  readonly done: number
  readonly busy: number
  readonly missing: number
}

export const nothingDone: ActTally = { done: 0, busy: 0, missing: 0 }

/** Posts JSON and resolves with the answer's; rejects with what has the answer's `status`. */
export type Post = <Answer>(path: string, body: unknown) => Promise<Answer>

export interface Acting {
  readonly post: Post
  /** After each step. */
  readonly onProgress: (tally: ActTally) => void
  readonly signal: AbortSignal
}

export async function actOnItems(
  ids: readonly string[],
  act: QueueAct,
  { post, onProgress, signal }: Acting,
): Promise<ActTally> {
  let tally = nothingDone
  for (const id of ids) {
    if (signal.aborted) break
    tally = sum(tally, await actOnItem(id, act, post))
    onProgress(tally)
  }
  return tally
}

export async function actOnAll(filter: QueueFilter, act: QueueAct, acting: Acting): Promise<ActTally> {
  const meant = meantBy(filter)
  if (meant.kind === 'byId') return actOnItems([meant.id], act, acting)
  return actOnPages(meant, act, acting)
}

async function actOnPages(
  { filter }: Extract<Meant, { kind: 'byFilter' }>,
  act: QueueAct,
  { post, onProgress, signal }: Acting,
): Promise<ActTally> {
  let tally = nothingDone
  let after: string | null = null
  do {
    const page: ActedMany = await post('/queue/actions', { ...act, filter, after, limit: itemsInStep })
    tally = sum(tally, page)
    onProgress(tally)
    after = page.next
  } while (after !== null && !signal.aborted)
  return tally
}

/** Small enough for the bar to move, large enough for a backlog to come to an end. */
const itemsInStep = 200

/** The API answers for one item with a status, for a message with a list of results. */
async function actOnItem(id: string, { action, ...rest }: QueueAct, post: Post): Promise<ActTally> {
  try {
    const { items } = await post<{ items: ActedItem[] }>(`/queue/${encodeURIComponent(id)}/${action}`, rest)
    const count = (wanted: ActedItem['result']) => items.filter(({ result }) => result === wanted).length
    return { done: count('done'), busy: count('busy'), missing: count('missing') }
  } catch (error) {
    const status = (error as { readonly status?: unknown }).status
    if (status === 404) return { ...nothingDone, missing: 1 }
    if (status === 409) return { ...nothingDone, busy: 1 }
    throw error
  }
}

function sum(one: ActTally, other: ActTally): ActTally {
  return {
    done: one.done + other.done,
    busy: one.busy + other.busy,
    missing: one.missing + other.missing,
  }
}
