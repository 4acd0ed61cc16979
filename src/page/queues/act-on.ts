/** Does an act on the chosen messages, tells what came of it, and has the view read again. */
import type { ItemView } from '../../admin/queue/item-view.ts'
import { write } from '../client.ts'
import { useFormats } from '../language.ts'
import { tell } from '../parts/told.tsx'
import { type ActTally, actOnAll, actOnItems, type Post, type QueueAct } from './queue-act.ts'
import type { QueueFilter } from './queue-filter.ts'
import { useQueueWords } from './words.ts'

export type Chosen =
  | { readonly kind: 'items'; readonly items: readonly ItemView[] }
  /** Also those that are not shown. */
  | { readonly kind: 'matching'; readonly filter: QueueFilter }

export interface ActingOptions {
  readonly onProgress?: (tally: ActTally) => void
  readonly signal?: AbortSignal
}

export type ActOn = (chosen: Chosen, act: QueueAct, options?: ActingOptions) => Promise<void>

export function useActOn(onDone: () => Promise<void>): ActOn {
  const words = useQueueWords()
  const formats = useFormats()
  return async (
    chosen,
    act,
    { onProgress = () => undefined, signal = new AbortController().signal } = {},
  ) => {
    const acting = { post, onProgress, signal }
    const tally =
      chosen.kind === 'items'
        ? await actOnItems(
            chosen.items.map(({ id }) => id),
            act,
            acting,
          )
        : await actOnAll(chosen.filter, act, acting)
    const outcome = words.outcome(tally, (count) => formats.number(count))
    tell(outcome, tally.busy + tally.missing > 0 ? 'warning' : 'good')
    await onDone()
  }
}

const post: Post = (path, body) => write('POST', path, body)
