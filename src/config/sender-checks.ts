/** Sender bindings among themselves, and to the connectors they name. */
import { senderKey } from '../route/sender.ts'
import type { ConfigDraft } from './draft.ts'
import { error, type Finding, warning } from './problem.ts'
import { repetitionsIn } from './repetition.ts'
import { nearest } from './schema-walk.ts'

export function senderFindings(draft: ConfigDraft): Finding[] {
  return [...repeatedBindings(draft), ...lostBindings(draft), ...bindingsToDisabled(draft)]
}

/** Two bindings of one sender would leave it to chance which connector its mail takes. */
function repeatedBindings(draft: ConfigDraft): Finding[] {
  return repetitionsIn(
    (draft.senders ?? []).map((sender, index) => {
      if (sender === undefined) return { key: undefined, at: [], what: '' }
      const key = 'address' in sender ? 'address' : 'domain'
      const value =
        'address' in sender ? senderKey(sender.address ?? '') : (sender as { domain: string }).domain
      return { key: value, at: ['senders', index, key], what: `the binding of ${value}` }
    }),
  )
}

function lostBindings(draft: ConfigDraft): Finding[] {
  const ids = (draft.connectors ?? []).flatMap((connector) => connector?.id ?? [])
  const known = new Set(ids)
  // A connector whose own id is wrong may be the one that is meant: its error says enough.
  if (ids.length < (draft.connectors ?? []).length) return []
  return (draft.senders ?? []).flatMap((sender, index) => {
    const id = sender?.connector
    if (id === undefined || id === null || known.has(id)) return []
    const near = nearest(id, ids)
    const hint = near === null ? '' : `; did you mean ${near}?`
    return [error(['senders', index, 'connector'], `must be the id of a connector: there is no ${id}${hint}`)]
  })
}

/** Once per connector: there may be very many bindings. */
function bindingsToDisabled(draft: ConfigDraft): Finding[] {
  const counts = new Map<string, number>()
  for (const sender of draft.senders ?? [])
    if (sender?.connector) counts.set(sender.connector, (counts.get(sender.connector) ?? 0) + 1)
  return (draft.connectors ?? []).flatMap((connector, index) => {
    const count = counts.get(connector?.id ?? '') ?? 0
    if (connector?.enabled !== false || count === 0) return []
    const bindings = count === 1 ? 'a sender binding names' : `${count} sender bindings name`
    return [
      warning(
        ['connectors', index, 'enabled'],
        `${bindings} this disabled connector: such mail is refused with 451 4.3.2 until it is enabled`,
      ),
    ]
  })
}
