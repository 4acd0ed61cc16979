/** How many bindings are made and changed in one step: all of them, or none and every reason why not. */
import type { StateChange } from '../state/state.ts'
import type { CurrentSetup, SetSender } from './current.ts'
import { type Planning, SetupRefused } from './plan.ts'
import { audited } from './sender-audit.ts'
import { type Binding, demandRoom, inFile, lackOf, unusableVersions, warningsOf } from './sender-check.ts'
import { senderKind } from './sender-object.ts'
import type { SenderPlan } from './sender-plans.ts'

/** Each of another sender, and where it stands in what is imported: `line 17`. */
export interface ImportedBinding extends Binding {
  readonly at: string
}

export interface ImportPlan extends SenderPlan {
  readonly created: number
  readonly changed: number
  readonly unchanged: number
  readonly removed: number
}

/** With `replace`, bindings that the API made and that are not named go. */
export function planImport(
  current: CurrentSetup,
  { now }: Pick<Planning, 'now'>,
  { bindings, replace }: { readonly bindings: readonly ImportedBinding[]; readonly replace: boolean },
): ImportPlan {
  demandImportable(bindings, { current, replace })
  const { senders } = current
  const versions = unusableVersions(current)
  const bound = bindings.filter(({ sender, connector }) => senders.get(sender)?.connector !== connector)
  const removed = replace ? unnamed(bindings, current) : []
  const changed = bound.filter(({ sender }) => senders.has(sender)).length
  const created = bound.length - changed
  demandRoom(created - removed.length, current)
  const changes = bound.map(({ sender, connector }): StateChange => {
    const stored = senders.get(sender)?.stored
    const expected = stored?.version ?? versions.get(sender) ?? null
    return {
      kind: senderKind,
      id: sender,
      expected,
      value: { connector, createdAt: stored?.createdAt ?? now },
    }
  })
  return {
    changes: [...changes, ...removed.map(removalOf)],
    audit: audited([
      ...bound.map(({ sender, connector }) => ({
        sender,
        before: boundNow(sender, current),
        after: { connector },
      })),
      ...removed.map(({ id }) => ({ sender: id, before: boundNow(id, current), after: null })),
    ]),
    warnings: warningsOf(
      bindings.map(({ connector }) => connector),
      current,
    ),
    created,
    changed,
    unchanged: bindings.length - bound.length,
    removed: removed.length,
  }
}

/** So many problems are told of. */
const mostTold = 20

interface Problem {
  readonly at: string
  readonly message: string
}

/** The problems in the order of what is imported, at least the first; `of` all there are. */
export function importRefused(
  problems: readonly Problem[],
  { of = problems.length, refusal = 'invalid' }: { of?: number; refusal?: 'invalid' | 'readOnly' } = {},
): SetupRefused {
  const told = problems.slice(0, mostTold)
  const lines = told.map(({ at, message }) => `${at}: ${message}`)
  const rest = of > told.length ? [`… and ${of - told.length} more`] : []
  return new SetupRefused(refusal, [...lines, ...rest].join('\n'), told[0]!.at)
}

function demandImportable(
  bindings: readonly ImportedBinding[],
  { current, replace }: { current: CurrentSetup; replace: boolean },
): void {
  // An empty file is a mistake made elsewhere, as a rule.
  if (replace && bindings.length === 0)
    throw new SetupRefused(
      'invalid',
      'There is nothing to replace the bindings with: it would remove them all',
      'replace',
    )
  const { connectors, senders } = current
  const known = new Set<string | null>([null, ...connectors.map(({ id }) => id)])
  refuse(
    bindings.filter(({ connector }) => !known.has(connector)),
    { refusal: 'invalid', messageOf: ({ connector }) => `the connector ${lackOf(connector, current)}` },
  )
  refuse(
    bindings.filter(({ sender, connector }) => {
      const before = senders.get(sender)
      return before?.origin === 'file' && before.connector !== connector
    }),
    { refusal: 'readOnly', messageOf: ({ sender }) => inFile(sender) },
  )
}

/** To find what may be meant takes its time, so it is sought for those alone that are told. */
function refuse(
  wrong: readonly ImportedBinding[],
  options: { refusal: 'invalid' | 'readOnly'; messageOf: (binding: ImportedBinding) => string },
): void {
  if (wrong.length === 0) return
  const { refusal, messageOf } = options
  const problems = wrong.slice(0, mostTold).map((each) => ({ at: each.at, message: messageOf(each) }))
  throw importRefused(problems, { of: wrong.length, refusal })
}

function unnamed(bindings: readonly Binding[], { senders }: CurrentSetup): SetSender[] {
  const named = new Set(bindings.map(({ sender }) => sender))
  return [...senders.values()].filter(({ id, origin }) => origin === 'api' && !named.has(id))
}

const removalOf = ({ id, stored }: SetSender): StateChange => ({
  kind: senderKind,
  id,
  expected: stored!.version,
  value: null,
})

function boundNow(sender: string, { senders }: CurrentSetup): { connector: string | null } | null {
  const known = senders.get(sender)
  return known === undefined ? null : { connector: known.connector }
}
