/**
 * What no single setting of a connector can say, by the rules of the configuration file: settings that contradict each
 * other, and what it must not have in common with the connectors that are there. An error refuses it, a warning is told.
 */
import { connectorFindings } from '../config/connector-checks.ts'
import type { ConfigDraft } from '../config/draft.ts'
import { inWordsOfJson } from '../config/schema-issues.ts'
import { type ConnectorSettings, connectorSettings } from './connector-object.ts'
import type { CurrentSetup } from './current.ts'
import { SetupRefused } from './plan.ts'

/** Settings as they are stored: those that somebody gave. */
export type GivenSettings = Readonly<Record<string, unknown>>

export interface Candidate {
  readonly id: string
  readonly given: GivenSettings
  readonly passwordSet: boolean
}

/** A doubt that stops nothing. */
export interface Warning {
  readonly field: string
  readonly message: string
}

/** The settings with their defaults. Throws `SetupRefused` at the first one that is none. */
export function settingsOf(given: GivenSettings): ConnectorSettings {
  const parsed = connectorSettings.safeParse(given, { error: inWordsOfJson })
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]!
  throw invalid(path.join('.'), message)
}

/** Throws `SetupRefused`, naming the field, where the connector cannot be. */
export function checkConnector(candidate: Candidate, current: CurrentSetup): Warning[] {
  const settings = settingsOf(candidate.given)
  demandOwnName(candidate.id, settings, current)
  demandOneDefault(candidate.id, settings, current)
  const { draft, root } = asInFile(candidate, settings, current)
  const findings = connectorFindings(draft, root).map(({ severity, at, message }) => ({
    severity,
    // The certificates of the file are in files of their own.
    field: at
      .slice(2)
      .join('.')
      .replace(/^caFile$/, 'ca'),
    message,
  }))
  const wrong = findings.find(({ severity }) => severity === 'error')
  if (wrong !== undefined) throw invalid(wrong.field, wrong.message)
  return [
    // That nothing leads to it is said below: rules may, which the file's check does not ask.
    ...findings.filter(({ field }) => field !== '').map(({ field, message }) => warningOf(field, message)),
    ...unreachable(candidate.id, settings, current),
  ]
}

export const warningOf = (field: string, message: string): Warning => ({
  field,
  message: `${field} ${message}`,
})

export const invalid = (field: string, message: string): SetupRefused =>
  new SetupRefused('invalid', `${field} ${message}`, field)

/** Names are compared as Exchange does, without case; they are the last tie-break of routing. */
function demandOwnName(id: string, { name }: ConnectorSettings, { connectors }: CurrentSetup): void {
  const same = connectors.find(
    (each) => each.id !== id && each.connector.name.toLowerCase() === name.toLowerCase(),
  )
  if (same !== undefined) throw invalid('name', `must be another: the connector ${same.id} has this name`)
}

function demandOneDefault(id: string, settings: ConnectorSettings, { connectors }: CurrentSetup): void {
  if (!settings.default) return
  const other = connectors.find((each) => each.id !== id && each.connector.default)
  if (other === undefined) return
  const { name } = other.connector
  throw invalid(
    'default',
    `must be false: the connector ${other.id} (${name}) is the default, and there is one`,
  )
}

/** The candidate alone, as the file would have it; `root` is what is asked for whether a setting was given. */
function asInFile(
  { id, given, passwordSet }: Candidate,
  { ca, clientCertificate: _, ...settings }: ConnectorSettings,
  { config }: CurrentSetup,
): { draft: ConfigDraft; root: unknown } {
  return {
    draft: { listeners: config.listeners, connectors: [{ ...settings, id, caFile: ca }] },
    root: { connectors: [{ ...given, id, caFile: given.ca, password: passwordSet || null }] },
  }
}

function unreachable(id: string, settings: ConnectorSettings, current: CurrentSetup): Warning[] {
  if (settings.default || settings.addressSpaces.length > 0 || isNamed(id, current)) return []
  return [
    warningOf(
      'addressSpaces',
      'are empty: no mail takes this connector before a sender is bound to it, or a rule routes through it',
    ),
  ]
}

function isNamed(id: string, { senders, rules }: CurrentSetup): boolean {
  if (rules.some(({ rule }) => rule.actions.routeThrough === id)) return true
  for (const { connector } of senders.values()) if (connector === id) return true
  return false
}
