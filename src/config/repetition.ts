/** Entries that may stand only once, and stand twice. */
import type { Path } from './path.ts'
import { error, type Finding } from './problem.ts'

/** `key` is what must be unique, undefined where an entry has none; `what` names it in the message. */
export interface Entry {
  readonly key: string | undefined
  readonly at: Path
  readonly what: string
}

/** One error per entry whose key an earlier entry has, naming that one's place in the list. */
export function repetitionsIn(entries: readonly Entry[]): Finding[] {
  const first = new Map<string, number>()
  return entries.flatMap(({ key, at, what }, index) => {
    if (key === undefined) return []
    const earlier = first.get(key)
    if (earlier !== undefined) return [error(at, `repeats ${what} of entry ${earlier}: it must be unique`)]
    first.set(key, index)
    return []
  })
}
