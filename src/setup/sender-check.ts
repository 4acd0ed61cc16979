/** What a sender may be bound to, how many may be, and what of it may not be meant. */
import { nearest } from '../config/schema-walk.ts'
import type { CurrentSetup } from './current.ts'
import { SetupRefused } from './plan.ts'
import { formatSender, senderKind } from './sender-object.ts'

export interface Binding {
  /** `user@example.com` as senders are compared, or `@example.com`. */
  readonly sender: string
  /** Null: bound to none. */
  readonly connector: string | null
}

export interface SenderWarning {
  readonly field: string
  readonly message: string
}

/** Of file and API together. All of them stay in memory, on every node. */
export const mostBindings = 200_000

/** Throws `SetupRefused` where so many more would be too many. */
export function demandRoom(more: number, { senders }: CurrentSetup): void {
  if (senders.size + more <= mostBindings) return
  const message = `There would be ${senders.size + more} bindings, and there may be ${mostBindings}`
  throw new SetupRefused('invalid', message, 'sender')
}

/** Why nobody can be bound to it; null where one can. */
export function lackOf(connector: string | null, { connectors }: CurrentSetup): string | null {
  if (connector === null || connectors.some(({ id }) => id === connector)) return null
  const near = nearest(
    connector,
    connectors.map(({ id }) => id),
  )
  const hint = near === null ? '' : `; did you mean ${near}?`
  return `must be the id of a connector, or 0 for none: there is no ${connector}${hint}`
}

export function warningsOf(bound: readonly (string | null)[], { connectors }: CurrentSetup): SenderWarning[] {
  const disabled = connectors.filter(({ connector }) => !connector.enabled)
  if (disabled.length === 0) return []
  const named = new Set(bound)
  return disabled
    .filter(({ id }) => named.has(id))
    .map(({ id }) => ({
      field: 'connector',
      message: `connector ${id} is disabled: such mail is refused with 451 4.3.2 until it is enabled`,
    }))
}

export const inFile = (sender: string): string =>
  `${formatSender(sender)} is bound in the configuration file, which alone can change it`

/** Of bindings that are stored and cannot be used, by sender; null where not even the version can be read. */
export function unusableVersions({ unusable, snapshot }: CurrentSetup): ReadonlyMap<string, number | null> {
  const versions = new Map<string, number | null>()
  for (const { kind, id } of unusable) if (kind === senderKind) versions.set(id, null)
  if (versions.size === 0) return versions
  for (const { kind, id, version } of snapshot.objects)
    if (kind === senderKind && versions.has(id)) versions.set(id, version)
  return versions
}
