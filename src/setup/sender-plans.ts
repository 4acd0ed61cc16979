/**
 * How a sender binding is made, changed and removed while the relay runs; many at once are in sender-import-plan.ts. A
 * sender of the configuration file is read-only. A binding names a connector that exists; where that is disabled it is
 * said, and the mail of its senders waits until it is enabled.
 */
import type { CurrentSetup } from './current.ts'
import { demandVersion, type Plan, type Planning, SetupRefused } from './plan.ts'
import { audited } from './sender-audit.ts'
import {
  type Binding,
  demandRoom,
  inFile,
  lackOf,
  type SenderWarning,
  unusableVersions,
  warningsOf,
} from './sender-check.ts'
import { formatSender, senderKind } from './sender-object.ts'

export interface SenderPlan extends Plan {
  readonly warnings: readonly SenderWarning[]
}

/** Without `version`, whatever is there is replaced. Nothing changes where it is bound so already. */
export function planBind(
  current: CurrentSetup,
  { now }: Pick<Planning, 'now'>,
  { sender, connector, version }: Binding & { readonly version?: number | undefined },
): SenderPlan {
  const object = storedBinding(sender, { current, version })
  if (object === null && version !== undefined) throw missing(sender)
  const lack = lackOf(connector, current)
  if (lack !== null) throw new SetupRefused('invalid', `connector ${lack}`, 'connector')
  const warnings = warningsOf([connector], current)
  const before = current.senders.get(sender) ?? null
  if (before?.connector === connector) return { changes: [], audit: [], warnings }
  if (before === null) demandRoom(1, current)
  const value = { connector, createdAt: before?.stored?.createdAt ?? now }
  return {
    changes: [{ kind: senderKind, id: sender, expected: object?.version ?? null, value }],
    audit: audited([{ sender, before: before && { connector: before.connector }, after: { connector } }]),
    warnings,
  }
}

export function planUnbind(
  current: CurrentSetup,
  { sender, version }: { readonly sender: string; readonly version?: number | undefined },
): Plan {
  const object = storedBinding(sender, { current, version })
  if (object === null) throw missing(sender)
  const connector = current.senders.get(sender)?.connector ?? null
  return {
    changes: [{ kind: senderKind, id: sender, expected: object.version, value: null }],
    audit: audited([{ sender, before: { connector }, after: null }]),
  }
}

const missing = (sender: string): SetupRefused =>
  new SetupRefused('missing', `There is no binding of ${formatSender(sender)}`)

/** What is stored of a sender, also where it cannot be used: its version is null where not even that can be read. */
function storedBinding(
  sender: string,
  { current, version }: { current: CurrentSetup; version: number | undefined },
): { readonly version: number | null } | null {
  const known = current.senders.get(sender)
  if (known?.origin === 'file') throw new SetupRefused('readOnly', inFile(sender), 'sender')
  const found = known?.stored?.version ?? unusableVersions(current).get(sender)
  if (found === undefined) return null
  if (found !== null) demandVersion(`The binding of ${formatSender(sender)}`, { version: found }, version)
  return { version: found }
}
