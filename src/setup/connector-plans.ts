/**
 * How connectors are made, changed and removed while the relay runs. Only those that the API made can be: those of the
 * configuration file are read-only. Passwords and keys are sealed before they are stored, and stand in no audit.
 *
 * A changed connector keeps its credentials, as Exchange's and OVHcloud's do, also where its smart hosts change; that
 * they go elsewhere from then on is told as a warning, and the audit has the settings before and after.
 */
import { withDemandedTls } from '../config/connector.ts'
import { keyOf, namesOf } from '../state/record.ts'
import { objectAt, objectsOf } from '../state/snapshot.ts'
import type { StateObject } from '../state/state.ts'
import { checkConnector, type GivenSettings, settingsOf, type Warning, warningOf } from './connector-check.ts'
import {
  type Authentication,
  type ConnectorChanges,
  candidateOf,
  type Draft,
  isSame,
  sealedValue,
  withLogin,
  withSettings,
} from './connector-draft.ts'
import { connectorCount, nextConnectorId } from './connector-number.ts'
import {
  type ConnectorSettings,
  type ConnectorValue,
  certificatesIn,
  connectorKind,
  connectorValue,
  type GivenConnector,
} from './connector-object.ts'
import { exposedBy } from './credential-exposure.ts'
import type { CurrentSetup } from './current.ts'
import { demandVersion, type Plan, type Planning, SetupRefused } from './plan.ts'

export type { Authentication, ConnectorChanges } from './connector-draft.ts'

export interface ConnectorPlan extends Plan {
  readonly id: string
  readonly warnings: readonly Warning[]
}

export type ConnectorPlanner = (current: CurrentSetup, planning: Planning) => ConnectorPlan

/** The version that is changed; left out where whoever changes it knows of none. */
interface AtVersion {
  readonly version?: number | undefined
}

/** Without an id it gets the next number. */
export function createConnector(
  input: GivenConnector,
  { id: wanted }: { id?: string | undefined } = {},
): ConnectorPlanner {
  return (current, planning) => {
    const id = wanted ?? nextConnectorId(current)
    demandFreeId(id, current)
    const { password, clientCertificate, ...settings } = input
    const none: Draft = { given: {}, password: 'drop', clientKey: 'drop' }
    const draft = withLogin(withSettings(none, { ...settings, clientCertificate }), { ...settings, password })
    const warnings = checkConnector(candidateOf(id, draft, null), current)
    const value = { ...sealedValue(id, { draft, before: null, planning }), createdAt: planning.now }
    return {
      id,
      warnings,
      changes: [{ kind: connectorKind, id, expected: null, value }, connectorCount(current, id)],
      audit: [{ act: 'created', what: 'connector', id, before: null, after: audited(value) }],
    }
  }
}

/** `authentication` in the same step, so that new hosts and their credentials come together. */
export function editConnector(
  id: string,
  options: AtVersion & { changes: ConnectorChanges; authentication?: Authentication | undefined },
): ConnectorPlanner {
  return changing(id, options, (before) => {
    const draft = withSettings(before, options.changes)
    return options.authentication === undefined ? draft : withLogin(draft, options.authentication)
  })
}

/** With `none`, user and password are forgotten. */
export function changeAuthentication(
  id: string,
  { version, ...authentication }: Authentication & AtVersion,
): ConnectorPlanner {
  return changing(id, { version }, (before) => withLogin(before, authentication))
}

/** A connector can always be disabled, whatever is wrong with it. */
export function enableConnector(
  id: string,
  { version, enabled }: AtVersion & { enabled: boolean },
): ConnectorPlanner {
  return changing(id, { version, unchecked: !enabled }, (before) =>
    (before.given.enabled ?? true) === enabled ? before : withSettings(before, { enabled }),
  )
}

/** Mail that waits for it is routed again; a sender or a rule that names it would have nowhere to go. */
export function removeConnector(id: string, { version }: AtVersion): ConnectorPlanner {
  return (current) => {
    const object = storedObject(id, { current, version })
    demandUnused(id, current)
    const value = connectorValue.safeParse(object?.value)
    return {
      id,
      warnings: [],
      changes: [{ kind: connectorKind, id, expected: object?.version ?? null, value: null }],
      audit: [
        {
          act: 'removed',
          what: 'connector',
          id,
          before: value.success ? audited(value.data) : null,
          after: null,
        },
      ],
    }
  }
}

function changing(
  id: string,
  { version, unchecked = false }: AtVersion & { unchecked?: boolean },
  change: (before: Draft) => Draft,
): ConnectorPlanner {
  return (current, planning) => {
    const object = storedObject(id, { current, version })
    const before = storedValue(id, object)
    const draft = change({ given: before.settings, password: 'keep', clientKey: 'keep' })
    const warnings = unchecked
      ? []
      : [...checkConnector(candidateOf(id, draft, before), current), ...exposures(before, draft)]
    if (isSame(before, draft)) return { id, warnings, changes: [], audit: [] }
    const value = { ...sealedValue(id, { draft, before, planning }), createdAt: before.createdAt }
    const passwordChanged = typeof draft.password === 'object' && before.password !== null
    const after = { ...audited(value), ...(passwordChanged && { passwordChanged }) }
    return {
      id,
      warnings,
      changes: [{ kind: connectorKind, id, expected: object!.version, value }],
      audit: [{ act: 'changed', what: 'connector', id, before: audited(before), after }],
    }
  }
}

/** Where a password that nobody gave anew would go from now on. */
function exposures(before: ConnectorValue, { given, password }: Draft): Warning[] {
  if (before.password === null || password !== 'keep') return []
  const [from, to] = [wayOf(before.settings), wayOf(given)]
  const setting = from === null || to === null ? null : exposedBy(from, to)
  if (setting === null) return []
  const what = setting === 'smartHosts' || setting === 'port' ? 'to another place' : 'with other protection'
  return [warningOf(setting, `changed: the stored password is sent ${what} from now on`)]
}

function wayOf(given: GivenSettings): ConnectorSettings | null {
  try {
    return withDemandedTls(settingsOf(given))
  } catch {
    // What is stored may be what this change mends.
    return null
  }
}

function demandFreeId(id: string, current: CurrentSetup): void {
  const isSame = (other: string) => other.toLowerCase() === id.toLowerCase()
  const taken = (by: string) => new SetupRefused('conflict', `id ${id} is taken by ${by}`, 'id')
  if (current.config.connectors.some((connector) => isSame(connector.id)))
    throw taken('a connector of the configuration file')
  if (objectsOf(current.snapshot, connectorKind).some((object) => isSame(object.id)))
    throw taken('another connector')
  const unreadable = current.snapshot.unreadable.map(namesOf)
  if (unreadable.some((object) => object.kind === connectorKind && isSame(object.id)))
    throw taken('a connector that cannot be read; remove it first')
}

/** Null where it cannot be read: such a one has no version. */
function storedObject(
  id: string,
  { current, version }: AtVersion & { current: CurrentSetup },
): StateObject | null {
  const place = current.config.connectors.findIndex((connector) => connector.id === id)
  if (place >= 0)
    throw new SetupRefused(
      'readOnly',
      `The connector ${id} stands in the configuration file, as connectors[${place}]: it is changed there`,
    )
  const key = keyOf({ kind: connectorKind, id })
  const object = objectAt(current.snapshot, key)
  if (object !== null) {
    demandVersion(`The connector ${id}`, object, version)
    return object
  }
  if (current.snapshot.unreadable.includes(key)) return null
  throw new SetupRefused('missing', `There is no connector ${id}`)
}

function storedValue(id: string, object: StateObject | null): ConnectorValue {
  const value = connectorValue.safeParse(object?.value)
  if (value.success) return value.data
  throw new SetupRefused('conflict', `The connector ${id} cannot be read: it can only be removed`)
}

const mostNamed = 5

function demandUnused(id: string, { senders, rules }: CurrentSetup): void {
  const bound = [...senders.values()].filter(({ connector }) => connector === id).map((sender) => sender.id)
  const through = rules.filter(({ rule }) => rule.actions.routeThrough === id).map(({ name }) => name)
  const users = [
    ...(bound.length > 0 ? [`${counted(bound.length, 'sender')} bound to it: ${listed(bound)}`] : []),
    ...(through.length > 0
      ? [`${counted(through.length, 'rule')} routing through it: ${listed(through)}`]
      : []),
  ]
  if (users.length === 0) return
  throw new SetupRefused('inUse', `The connector ${id} is in use, with ${users.join('; and ')}`)
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

function listed(names: readonly string[]): string {
  const first = names.slice(0, mostNamed).join(', ')
  return names.length > mostNamed ? `${first} and ${names.length - mostNamed} more` : first
}

/** Without secrets, and certificates by what people compare of them. */
function audited({ settings, password, clientKey }: Omit<ConnectorValue, 'createdAt'>): object {
  const { ca, clientCertificate, ...rest } = settings as {
    ca?: string
    clientCertificate?: { cert: string }
  }
  return {
    ...rest,
    ...(ca !== undefined && { ca: fingerprints(ca) }),
    ...(clientCertificate !== undefined && { clientCertificate: fingerprints(clientCertificate.cert) }),
    passwordSet: password !== null,
    clientKeySet: clientKey !== null,
  }
}

const fingerprints = (pem: string): string[] =>
  (certificatesIn(pem) ?? []).map(({ fingerprint256 }) => `SHA-256 ${fingerprint256}`)
