/** What the audit says of bindings that change: of a few one by one, of many together. */
import type { Configured } from '../observe/events.ts'

/** Null where there was, or is, no binding. */
export interface BindingChange {
  readonly sender: string
  readonly before: Bound | null
  readonly after: Bound | null
}

interface Bound {
  readonly connector: string | null
}

/** More are told of together: a line each of 100,000 would drown the log. */
const mostAlone = 100
const together = 500

export function audited(changes: readonly BindingChange[]): Configured[] {
  if (changes.length <= mostAlone)
    return changes.map((change) => {
      const { sender, before, after } = change
      return { act: actOf(change), what: 'sender', id: sender, before, after }
    })
  return (['created', 'changed', 'removed'] as const).flatMap((act) => {
    const acted = changes.filter((change) => actOf(change) === act)
    const entries: Configured[] = []
    for (let at = 0; at < acted.length; at += together)
      entries.push(entryOf(act, acted.slice(at, at + together)))
    return entries
  })
}

/** Before and after: the connectors, by sender. */
function entryOf(act: Configured['act'], changes: readonly BindingChange[]): Configured {
  const bySender = (boundIn: (change: BindingChange) => Bound | null) =>
    Object.fromEntries(changes.map((change) => [change.sender, boundIn(change)?.connector]))
  return {
    act,
    what: 'sender',
    id: `${changes[0]!.sender} and ${changes.length - 1} more`,
    before: act === 'created' ? null : bySender(({ before }) => before),
    after: act === 'removed' ? null : bySender(({ after }) => after),
  }
}

function actOf({ before, after }: BindingChange): Configured['act'] {
  if (after === null) return 'removed'
  return before === null ? 'created' : 'changed'
}
