/**
 * A connector on its way from what is stored to what will be: settings put together with what was given, and what
 * becomes of its secrets. Nothing here asks what else is configured.
 */
import type { SealedSecret } from '../state/secrets.ts'
import { type Candidate, type GivenSettings, invalid } from './connector-check.ts'
import {
  type ConnectorSettings,
  type ConnectorValue,
  connectorSecret,
  type GivenConnector,
  type SecretField,
} from './connector-object.ts'
import type { Planning } from './plan.ts'

/** What is left out stays as it is; `null` takes a setting back to its default, `limits` one by one. */
export type ConnectorChanges = {
  readonly [Setting in keyof Omit<GivenConnector, 'smartHostAuthMechanism' | 'user' | 'password'>]?:
    | GivenConnector[Setting]
    | null
}

/** What is left out stays as it is, unless it goes with what changes. */
export interface Authentication {
  readonly smartHostAuthMechanism?: ConnectorSettings['smartHostAuthMechanism'] | undefined
  readonly user?: string | null | undefined
  readonly password?: string | null | undefined
}

export type SecretChange = 'keep' | 'drop' | { readonly set: string }

export interface Draft {
  readonly given: GivenSettings
  readonly password: SecretChange
  readonly clientKey: SecretChange
}

export function withSettings(
  draft: Draft,
  { clientCertificate, limits, ...changes }: ConnectorChanges,
): Draft {
  const given = merged(draft.given, changes)
  const withLimits =
    limits === undefined ? given : merged(given, { limits: limits && mergedLimits(given.limits, limits) })
  if (clientCertificate === undefined) return { ...draft, given: withLimits }
  if (clientCertificate === null)
    return { ...draft, given: merged(withLimits, { clientCertificate }), clientKey: 'drop' }
  const { cert, key } = clientCertificate
  return { ...draft, given: { ...withLimits, clientCertificate: { cert } }, clientKey: { set: key } }
}

/** Null where nothing is left of them. */
function mergedLimits(before: unknown, limits: object): GivenSettings | null {
  const after = merged((before ?? {}) as GivenSettings, limits as GivenSettings)
  return Object.keys(after).length === 0 ? null : after
}

/** As in a JSON merge patch (RFC 7396): null takes away. */
function merged(before: GivenSettings, changes: GivenSettings): GivenSettings {
  const left = Object.entries({ ...before, ...defined(changes) }).filter(([, value]) => value !== null)
  return Object.fromEntries(left)
}

const defined = (changes: GivenSettings): GivenSettings =>
  Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))

export function withLogin(draft: Draft, login: Authentication): Draft {
  const mechanism = login.smartHostAuthMechanism ?? draft.given.smartHostAuthMechanism ?? 'none'
  const isLogin = mechanism !== 'none'
  const user = login.user ?? (isLogin ? draft.given.user : null) ?? null
  const given = merged(draft.given, { smartHostAuthMechanism: login.smartHostAuthMechanism, user })
  if (login.password != null) return { ...draft, given, password: { set: login.password } }
  if (!isLogin) return { ...draft, given, password: 'drop' }
  // To a connector that had no user the check says that both are missing.
  if (draft.password === 'keep' && draft.given.user !== undefined && user !== draft.given.user)
    throw invalid('password', 'is missing: the one that is stored belongs to another user')
  return { ...draft, given }
}

export function isSame(before: ConnectorValue, { given, password, clientKey }: Draft): boolean {
  const kept = (change: SecretChange, secret: SealedSecret | null) =>
    change === 'keep' || (change === 'drop' && secret === null)
  return (
    kept(password, before.password) &&
    kept(clientKey, before.clientKey) &&
    JSON.stringify(sorted(given)) === JSON.stringify(sorted(before.settings))
  )
}

const sorted = (given: GivenSettings): unknown[] => Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1))

export function candidateOf(
  id: string,
  { given, password }: Draft,
  before: ConnectorValue | null,
): Candidate {
  const passwordSet = password === 'keep' ? before?.password != null : password !== 'drop'
  return { id, given, passwordSet }
}

export function sealedValue(
  id: string,
  options: { draft: Draft; before: ConnectorValue | null; planning: Planning },
): Pick<ConnectorValue, 'settings' | 'password' | 'clientKey'> {
  const { draft, before, planning } = options
  const sealed = (field: SecretField): SealedSecret | null => {
    const change = draft[field]
    if (change === 'keep') return before?.[field] ?? null
    return change === 'drop' ? null : planning.seal(change.set, connectorSecret(id, field))
  }
  return { settings: { ...draft.given }, password: sealed('password'), clientKey: sealed('clientKey') }
}
