/**
 * A connector while it is being typed: texts as they stand in the fields, until they are sent. What the relay would
 * refuse in any case is said at once; the relay itself has the last word. Pure.
 */
import type { ConnectorSettingsView } from '../../admin/connectors/connector-view.ts'

export type ConnectorType = 'custom' | 'internal' | 'internet' | 'partner'
export type LimitName = keyof ConnectorSettingsView['limits']

export const limitNames = [
  'connections',
  'messagesPerConnection',
  'messagesPerSecond',
  'messagesPerMinute',
  'messagesPerHour',
  'messagesPerDay',
  'recipientsPerDay',
] as const satisfies readonly LimitName[]

export interface AddressSpaceDraft {
  readonly domain: string
  readonly cost: string
}

export interface ConnectorDraft {
  readonly id: string
  readonly name: string
  readonly default: boolean
  readonly protocolLogging: 'none' | 'verbose'
  /** MB. */
  readonly maxSendSize: string
  readonly smartHosts: readonly string[]
  readonly authentication: 'none' | 'basicAuth'
  readonly onlyAfterTls: boolean
  readonly user: string
  readonly password: string
  readonly addressSpaces: readonly AddressSpaceDraft[]
  readonly port: string
  readonly tls: 'starttls' | 'implicit'
  readonly requireTLS: boolean
  readonly tlsAuthLevel: ConnectorSettingsView['tlsAuthLevel']
  readonly tlsDomain: string
  readonly ca: string
  readonly clientCertificate: string
  readonly clientKey: string
  readonly fqdn: string
  readonly limits: Readonly<Record<LimitName, string>>
}

const MB = 1024 ** 2
const largestMB = 2048

/** Exchange's sizes; `*` where mail is for everybody. */
export function newDraft(): ConnectorDraft {
  return {
    id: '',
    name: '',
    default: false,
    protocolLogging: 'none',
    maxSendSize: '35',
    smartHosts: [],
    authentication: 'none',
    onlyAfterTls: true,
    user: '',
    password: '',
    addressSpaces: [],
    port: '25',
    tls: 'starttls',
    requireTLS: false,
    tlsAuthLevel: 'domainValidation',
    tlsDomain: '',
    ca: '',
    clientCertificate: '',
    clientKey: '',
    fqdn: '',
    limits: { ...noLimits, connections: '20', messagesPerConnection: '20' },
  }
}

const noLimits: Record<LimitName, string> = {
  connections: '',
  messagesPerConnection: '',
  messagesPerSecond: '',
  messagesPerMinute: '',
  messagesPerHour: '',
  messagesPerDay: '',
  recipientsPerDay: '',
}

/** What a type proposes, in place of what the type before it proposed; what somebody typed is left alone. */
export function withType(draft: ConnectorDraft, from: ConnectorType, to: ConnectorType): ConnectorDraft {
  const before = proposals[from]
  const untouched = Object.entries({ ...newDraft(), ...before }).filter(
    ([field, value]) => JSON.stringify(draft[field as keyof ConnectorDraft]) === JSON.stringify(value),
  )
  const proposed: Partial<ConnectorDraft> = { ...newDraft(), ...proposals[to] }
  const taken = untouched.map(([field]) => [field, proposed[field as keyof ConnectorDraft]])
  return { ...draft, ...(Object.fromEntries(taken) as Partial<ConnectorDraft>) }
}

const proposals: Readonly<Record<ConnectorType, Partial<ConnectorDraft>>> = {
  custom: {},
  internal: { maxSendSize: String(largestMB) },
  internet: { addressSpaces: [{ domain: '*', cost: '1' }] },
  partner: { requireTLS: true, tlsAuthLevel: 'domainValidation' },
}

/** The port that such a connection usually goes to. */
export function usualPort({ tls, authentication }: Pick<ConnectorDraft, 'tls' | 'authentication'>): string {
  if (tls === 'implicit') return '465'
  return authentication === 'none' ? '25' : '587'
}

/** A change, with the port that goes with it where the port was the usual one. */
export function changed(draft: ConnectorDraft, change: Partial<ConnectorDraft>): ConnectorDraft {
  const next = { ...draft, ...change }
  const followed = change.port === undefined && draft.port === usualPort(draft)
  return followed ? { ...next, port: usualPort(next) } : next
}

export function draftOf(
  settings: ConnectorSettingsView,
  { id, name }: { id: string; name: string },
): ConnectorDraft {
  const { limits, smartHostAuthMechanism: mechanism } = settings
  return {
    id,
    name,
    default: settings.default,
    protocolLogging: settings.protocolLogging,
    maxSendSize: String(Math.round((settings.maxSendSize / MB) * 1000) / 1000),
    smartHosts: settings.smartHosts,
    authentication: mechanism === 'none' ? 'none' : 'basicAuth',
    onlyAfterTls: mechanism !== 'basicAuth',
    user: settings.user ?? '',
    password: '',
    addressSpaces: settings.addressSpaces.map(spaceDraftOf),
    port: String(settings.port),
    tls: settings.tls,
    requireTLS: settings.requireTLS,
    tlsAuthLevel: settings.tlsAuthLevel,
    tlsDomain: settings.tlsDomain ?? '',
    ca: settings.ca ?? '',
    clientCertificate: settings.clientCertificate?.cert ?? '',
    clientKey: '',
    fqdn: settings.fqdn ?? '',
    limits: Object.fromEntries(
      limitNames.map((name) => [name, limits[name] === null ? '' : String(limits[name])]),
    ) as Record<LimitName, string>,
  }
}

export function mechanismOf({ authentication, onlyAfterTls }: ConnectorDraft) {
  if (authentication === 'none') return 'none'
  return onlyAfterTls ? 'basicAuthRequireTLS' : 'basicAuth'
}

export function tlsIsDemanded({ authentication, onlyAfterTls, tls }: ConnectorDraft): boolean {
  return tls === 'implicit' || (authentication === 'basicAuth' && onlyAfterTls)
}

export const tlsIsRequired = (draft: ConnectorDraft): boolean => draft.requireTLS || tlsIsDemanded(draft)

export const namesAreCompared = (draft: ConnectorDraft): boolean =>
  tlsIsRequired(draft) && draft.tlsAuthLevel === 'domainValidation'

/** What is sent of the settings, without the login. */
export function settingsOf(draft: ConnectorDraft): Readonly<Record<string, unknown>> {
  return {
    name: draft.name.trim(),
    default: draft.default,
    protocolLogging: draft.protocolLogging,
    maxSendSize: Math.round(Number(draft.maxSendSize) * MB),
    smartHosts: draft.smartHosts,
    addressSpaces: draft.addressSpaces.map(({ domain, cost }) => `SMTP:${domain};${cost}`),
    port: Number(draft.port),
    tls: draft.tls,
    requireTLS: tlsIsRequired(draft),
    // Exchange takes no level where TLS is not required: what may go in clear is made safe by none.
    tlsAuthLevel: tlsIsRequired(draft) ? draft.tlsAuthLevel : null,
    tlsDomain: namesAreCompared(draft) ? orNull(draft.tlsDomain) : null,
    ca: orNull(draft.ca),
    clientCertificate: clientCertificateOf(draft),
    fqdn: orNull(draft.fqdn),
    limits: Object.fromEntries(
      limitNames.map((name) => [name, draft.limits[name].trim() === '' ? null : Number(draft.limits[name])]),
    ),
  }
}

/** The body that makes a connector. What has the relay's own default is left out, and follows it. */
export function inputOf(draft: ConnectorDraft): Readonly<Record<string, unknown>> {
  const { limits, ...settings } = settingsOf(draft)
  const login = { user: draft.user, password: orNull(draft.password) }
  return {
    ...withoutNulls(settings),
    limits: withoutNulls(limits as Record<string, number | null>),
    ...(draft.id.trim() !== '' && { id: draft.id.trim() }),
    smartHostAuthMechanism: mechanismOf(draft),
    ...(draft.authentication === 'basicAuth' && login),
  }
}

const withoutNulls = (settings: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null))

/** The settings that differ from those that are stored. */
export function changesOf(draft: ConnectorDraft, stored: ConnectorDraft): Readonly<Record<string, unknown>> {
  const before = settingsOf(stored)
  const after = Object.entries(settingsOf(draft))
  return Object.fromEntries(
    after.filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])),
  )
}

function clientCertificateOf({
  clientCertificate,
  clientKey,
}: ConnectorDraft): { cert: string; key: string } | null {
  if (clientCertificate.trim() === '' && clientKey.trim() === '') return null
  return { cert: clientCertificate, key: clientKey }
}

const orNull = (text: string): string | null => (text.trim() === '' ? null : text.trim())

/** `SMTP:*.example.org;10`, and its shorter forms. */
export function spaceDraftOf(space: string): AddressSpaceDraft {
  const [, domain = space, cost = '1'] = /^(?:[^:;]*:)?([^;]*)(?:;(.*))?$/.exec(space) ?? []
  return { domain, cost }
}

export type SpaceFault = 'star' | 'domain' | 'cost'

/** Null where it may be one. */
export function spaceFault({ domain, cost }: AddressSpaceDraft): SpaceFault | null {
  if (/^\*[^.]/.test(domain)) return 'star'
  const name = domain.startsWith('*.') ? domain.slice(2) : domain
  if (domain !== '*' && !isDomain(name)) return 'domain'
  return /^\d{1,3}$/.test(cost) && Number(cost) >= 1 && Number(cost) <= 100 ? null : 'cost'
}

export function isSmartHost(host: string): boolean {
  const bare = host.replace(/^\[(?:IPv6:)?(.*)\]$/i, '$1')
  if (/^\d+(\.\d+)*$/.test(bare)) return /^((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}$/.test(bare)
  if (bare.includes(':')) return /^[0-9a-f:.]+$/i.test(bare) && bare.split(':').length > 2
  return isDomain(bare)
}

/** No label is empty, and the last one is not a number: that is a slip of an IP address. */
function isDomain(name: string): boolean {
  const labels = name.replace(/\.$/, '').split('.')
  return (
    labels.every((label) => /^[\p{L}\p{N}]([\p{L}\p{N}-]*[\p{L}\p{N}])?$/u.test(label)) &&
    !/^\d+$/.test(labels.at(-1)!)
  )
}

export const isPort = (text: string): boolean => isCount(text) && Number(text) <= 65_535

export const isCount = (text: string): boolean => /^\d{1,10}$/.test(text.trim()) && Number(text) >= 1

export const isSizeMB = (text: string): boolean => Number(text) > 0 && Number(text) <= largestMB
