/**
 * A connector as operators see it: what it is set to, how it stands on this node, and what its queue holds. Queues
 * without a connector are listed too, or mail that waits for a route, or for a connector that was removed, could not
 * be seen.
 */
import { z } from 'zod'
import type { Connector } from '../../config/connector.ts'
import type { ConnectorStatus } from '../../delivery/status.ts'
import type { QueueRate } from '../../observe/queue-rates.ts'
import type { Depth, QueueTotals } from '../../queue/queue.ts'
import { connectorKind, connectorValue } from '../../setup/connector-object.ts'
import type { CurrentSetup, SetConnector, Unusable } from '../../setup/current.ts'
import { keyOf } from '../../state/record.ts'
import { objectAt } from '../../state/snapshot.ts'
import { warningView } from '../warning-view.ts'

const nullableCount = z.number().nullable()

export const connectorSettingsViewSchema = z
  .object({
    enabled: z.boolean(),
    default: z.boolean(),
    addressSpaces: z.array(z.string()),
    smartHosts: z.array(z.string()),
    port: z.number(),
    tls: z.enum(['starttls', 'implicit']),
    smartHostAuthMechanism: z.enum(['none', 'basicAuth', 'basicAuthRequireTLS']),
    user: z.string().nullable(),
    passwordSet: z.boolean().describe('the password itself is never shown'),
    requireTLS: z.boolean().describe('also where something else demands TLS'),
    tlsAuthLevel: z.enum(['encryptionOnly', 'certificateValidation', 'domainValidation']),
    tlsDomain: z.string().nullable(),
    ca: z.string().nullable().describe('PEM'),
    clientCertificate: z
      .object({ cert: z.string().describe('PEM'), keySet: z.boolean().describe('the key is never shown') })
      .nullable(),
    fqdn: z.string().nullable().describe("null: the relay's hostname"),
    maxSendSize: z.number().describe('bytes'),
    limits: z.object({
      connections: z.number(),
      messagesPerConnection: z.number(),
      messagesPerSecond: nullableCount,
      messagesPerMinute: nullableCount,
      messagesPerHour: nullableCount,
      messagesPerDay: nullableCount,
      recipientsPerDay: nullableCount,
    }),
    protocolLogging: z.enum(['none', 'verbose']),
  })
  .meta({ id: 'ConnectorSettings' })
export type ConnectorSettingsView = z.infer<typeof connectorSettingsViewSchema>

export const connectorViewSchema = z
  .object({
    connector: z.string().describe('its id'),
    name: z.string().nullable(),
    state: z
      .enum(['ready', 'retry', 'suspended', 'disabled', 'unusable', 'not-configured'])
      .describe('not-configured: mail waits under an id that no connector has'),
    fault: z.string().nullable(),
    lastError: z.string().nullable(),
    nextAttemptAt: z.number().nullable(),
    waitingUntil: z.number().nullable(),
    waitingFor: z.string().nullable(),
    connections: z.number(),
    attemptsInFlight: z.number(),
    queue: z
      .object({ ready: z.number(), deferred: z.number(), leased: z.number(), suspended: z.number() })
      .nullable()
      .describe('null where the store cannot be read now'),
    rates: z
      .object({ incoming: z.number(), outgoing: z.number() })
      .describe('messages a second into its queue and out of it, on this node, in about the last minute'),
    origin: z.enum(['file', 'api']).nullable().describe('only what the API made can be changed by it'),
    version: z.number().nullable().describe('to be named with a change'),
    createdAt: z.number().nullable(),
    changedAt: z.number().nullable(),
    senders: z.number().describe('how many bindings name it'),
    settings: connectorSettingsViewSchema.nullable(),
  })
  .meta({ id: 'Connector' })
export type ConnectorView = z.infer<typeof connectorViewSchema>

export const connectorListSchema = z.object({ connectors: z.array(connectorViewSchema) })

export const changedConnectorSchema = z.object({
  connector: connectorViewSchema,
  warnings: z.array(warningView).describe('what is doubtful, and was done all the same'),
})
export type ChangedConnector = z.infer<typeof changedConnectorSchema>

export interface Viewed {
  readonly current: CurrentSetup
  /** Of this node; those of disabled connectors are missing. */
  readonly statuses: readonly ConnectorStatus[]
  /** Null where the store cannot be read now. */
  readonly totals: QueueTotals | null
  readonly rates: (connector: string) => QueueRate
}

/** The configured ones first, in their order; then those that cannot be used, and queues that have no connector. */
export function connectorViews({ current, statuses, totals, rates }: Viewed): ConnectorView[] {
  const status = new Map(statuses.map((each) => [each.connector, each]))
  const fqdns = new Map(current.config.connectors.map(({ id, fqdn }) => [id, fqdn]))
  const senders = countSenders(current.senders)
  const counts = (id: string): Counts => ({
    queue: depthOf(id, totals),
    rates: rates(id),
    senders: senders.get(id) ?? 0,
  })
  const usable = current.connectors.map((set) => {
    const settings = settingsView(set.connector, set.stored?.settings.fqdn ?? fqdns.get(set.id) ?? null)
    return viewOf(set, { status: status.get(set.id) ?? atRest, settings, ...counts(set.id) })
  })
  const unusable = current.unusable
    .filter(({ kind, shadowed }) => kind === connectorKind && !shadowed)
    .map((each) => ({ ...unusableView(each, current), ...counts(each.id) }))
  const known = new Set([...usable, ...unusable].map(({ connector }) => connector))
  const orphans = [...(totals?.connectors.keys() ?? [])].filter((id) => !known.has(id)).sort()
  return [...usable, ...unusable, ...orphans.map((id) => ({ ...orphanView(id), ...counts(id) }))]
}

type Counts = Pick<ConnectorView, 'queue' | 'rates' | 'senders'>

/** There may be very many senders, so they are counted when they change, not whenever somebody looks. */
const counted = new WeakMap<CurrentSetup['senders'], ReadonlyMap<string, number>>()

function countSenders(senders: CurrentSetup['senders']): ReadonlyMap<string, number> {
  const known = counted.get(senders)
  if (known !== undefined) return known
  const counts = new Map<string, number>()
  for (const { connector } of senders.values())
    if (connector !== null) counts.set(connector, (counts.get(connector) ?? 0) + 1)
  counted.set(senders, counts)
  return counts
}

/** Of one that delivery does not carry. */
const atRest = {
  state: 'ready',
  fault: null,
  lastError: null,
  nextAttemptAt: null,
  waitingUntil: null,
  waitingFor: null,
  connections: 0,
  attemptsInFlight: 0,
} as const

type Activity = Omit<ConnectorStatus, 'connector' | 'name'>

function viewOf(
  { id, origin, connector, stored }: SetConnector,
  { status, settings, queue, rates, senders }: Counts & { status: Activity; settings: ConnectorSettingsView },
): ConnectorView {
  return {
    connector: id,
    name: connector.name,
    state: connector.enabled ? status.state : 'disabled',
    fault: status.fault,
    lastError: status.lastError,
    nextAttemptAt: status.nextAttemptAt,
    waitingUntil: status.waitingUntil,
    waitingFor: status.waitingFor,
    connections: status.connections,
    attemptsInFlight: status.attemptsInFlight,
    queue,
    rates,
    origin,
    version: stored?.version ?? null,
    createdAt: stored?.createdAt ?? null,
    changedAt: stored?.changedAt ?? null,
    senders,
    settings,
  }
}

/** `fqdn` as it is set, not what is said for it. */
function settingsView(connector: Connector, fqdn: string | null): ConnectorSettingsView {
  const { password, clientCertificate } = connector
  return {
    enabled: connector.enabled,
    default: connector.default,
    addressSpaces: connector.addressSpaces,
    smartHosts: connector.smartHosts,
    port: connector.port,
    tls: connector.tls,
    smartHostAuthMechanism: connector.smartHostAuthMechanism,
    user: connector.user,
    passwordSet: password !== null,
    requireTLS: connector.requireTLS,
    tlsAuthLevel: connector.tlsAuthLevel,
    tlsDomain: connector.tlsDomain,
    ca: connector.ca,
    clientCertificate: clientCertificate && { cert: clientCertificate.cert, keySet: true },
    fqdn,
    maxSendSize: connector.maxSendSize,
    limits: connector.limits,
    protocolLogging: connector.protocolLogging,
  }
}

type WithoutCounts = Omit<ConnectorView, keyof Counts>

function unusableView({ id, why }: Unusable, { snapshot }: CurrentSetup): WithoutCounts {
  const object = objectAt(snapshot, keyOf({ kind: connectorKind, id }))
  const value = connectorValue.safeParse(object?.value).data
  const name = value?.settings.name
  return {
    ...atRest,
    connector: id,
    name: typeof name === 'string' ? name : null,
    state: 'unusable',
    lastError: why,
    origin: 'api',
    version: object?.version ?? null,
    createdAt: value?.createdAt ?? null,
    changedAt: object?.changedAt ?? null,
    settings: null,
  }
}

function orphanView(id: string): WithoutCounts {
  const lastError =
    id === 'unreachable'
      ? 'No connector serves these recipients: the mail waits for a change of the configuration'
      : 'No connector of this id is configured'
  const unset = { origin: null, version: null, createdAt: null, changedAt: null, settings: null }
  return { ...atRest, ...unset, connector: id, name: null, state: 'not-configured', lastError }
}

function depthOf(id: string, totals: QueueTotals | null): Depth | null {
  if (totals === null) return null
  return totals.connectors.get(id) ?? { ready: 0, deferred: 0, leased: 0, suspended: 0 }
}
