/**
 * `email.exchange.sendConnector`, and what it means here. A connector has one smart host there: the first of ours. Sizes
 * are whole megabytes. What is not changed is left as it is, so that who reads a connector and writes it back neither
 * rounds its size nor loses its other smart hosts.
 */
import { z } from 'zod'
import { MB } from '../../config/values.ts'
import type { GivenConnector } from '../../setup/connector-object.ts'
import type { ConnectorChanges } from '../../setup/connector-plans.ts'
import type { CurrentSetup, SetConnector } from '../../setup/current.ts'
import { instant } from './instant.ts'
import { OvhcloudError } from './ovhcloud-error.ts'
import { pendingTask } from './task-model.ts'

const mechanism = z.enum(['none', 'basicAuth', 'basicAuthRequireTLS'])
const text = z.string().nullish()
const flag = z.boolean().nullish()
const port = z.int().min(1).max(65535).nullish()
const mostMegabytes = 100
const megabytes = z.int().min(1).max(mostMegabytes).nullish()
/** Accepted as it was read, and ignored. */
const readOnly = z.unknown().optional()

export const newSendConnector = z.strictObject({
  displayName: z.string(),
  smartHost: z.string(),
  port,
  maxSendSize: megabytes,
  requireTLS: flag,
  smartHostAuthMechanism: mechanism.nullish(),
  user: text,
  password: text,
})

export const changedSendConnector = z.strictObject({
  displayName: text,
  smartHost: text,
  port,
  // Ours may be larger; what was read can be written back.
  maxSendSize: z.int().nullish(),
  requireTLS: flag,
  dnsRouting: flag,
  creationDate: readOnly,
  default: readOnly,
  id: readOnly,
  lastUpdateDate: readOnly,
  smartHostAuthMechanism: readOnly,
  state: readOnly,
  taskPendingId: readOnly,
})

export const changedAuthentication = z.strictObject({
  smartHostAuthMechanism: mechanism.nullish(),
  user: text,
  password: text,
})

/** What our planners call otherwise. */
export const connectorNames = {
  name: 'displayName',
  smartHosts: 'smartHost',
  'smartHosts.0': 'smartHost',
} as const

export const aboutConnector = (id: string): string => `connector ${id}`

/** Those that have a number: there is no other name for them here. */
export function numbered({ connectors }: CurrentSetup): Map<number, SetConnector> {
  const found = new Map<number, SetConnector>()
  for (const connector of connectors) {
    const number = numberOf(connector.id)
    if (number !== null) found.set(number, connector)
  }
  return found
}

/** Null where it has none. */
export function numberOf(id: string): number | null {
  return /^[1-9]\d{0,14}$/.test(id) ? Number(id) : null
}

/** `since`: when the file was read, as its connectors have no date. */
export function sendConnectorModel(
  current: CurrentSetup,
  { id, connector, stored }: SetConnector,
  { now, since }: { now: number; since: number },
): object {
  const task = pendingTask(current.snapshot, { about: aboutConnector(id), now })
  const { enabled, name, port, requireTLS, smartHosts, smartHostAuthMechanism, maxSendSize } = connector
  const isChanged = stored !== null && stored.version > 1
  return {
    id: numberOf(id),
    displayName: name,
    smartHost: smartHosts[0] ?? null,
    port,
    maxSendSize: megabytesOf(maxSendSize),
    requireTLS,
    smartHostAuthMechanism,
    default: connector.default,
    dnsRouting: false,
    state: task?.function === 'addSendConnector' ? 'creating' : enabled ? 'ok' : 'suspended',
    taskPendingId: task?.id ?? 0,
    creationDate: instant(stored?.createdAt ?? since),
    lastUpdateDate: isChanged ? instant(stored.changedAt) : null,
  }
}

export function connectorGiven(given: z.output<typeof newSendConnector>): GivenConnector {
  const { displayName, smartHost, maxSendSize, port, requireTLS, smartHostAuthMechanism, user, password } =
    given
  return {
    name: displayName,
    smartHosts: [smartHost],
    ...(port != null && { port }),
    ...(maxSendSize != null && { maxSendSize: maxSendSize * MB }),
    ...(requireTLS != null && { requireTLS }),
    ...(smartHostAuthMechanism != null && { smartHostAuthMechanism }),
    ...(user && { user }),
    ...(password && { password }),
  }
}

export function connectorChanges(
  { connector }: SetConnector,
  given: z.output<typeof changedSendConnector>,
): ConnectorChanges {
  const { displayName, smartHost, maxSendSize, port, requireTLS, dnsRouting } = given
  if (dnsRouting === true) throw wrong('dnsRouting', 'must be false: this relay sends through smart hosts')
  const isOtherHost = smartHost != null && smartHost !== connector.smartHosts[0]
  const isOtherSize = maxSendSize != null && maxSendSize !== megabytesOf(connector.maxSendSize)
  if (isOtherSize && (maxSendSize < 1 || maxSendSize > mostMegabytes))
    throw wrong('maxSendSize', `must be 1 to ${mostMegabytes} megabytes`)
  return {
    ...(displayName != null && { name: displayName }),
    ...(isOtherHost && { smartHosts: [smartHost] }),
    ...(port != null && port !== connector.port && { port }),
    ...(isOtherSize && { maxSendSize: maxSendSize * MB }),
    ...(requireTLS != null && requireTLS !== connector.requireTLS && { requireTLS }),
  }
}

/** What certainly fits. */
const megabytesOf = (bytes: number): number => Math.max(1, Math.floor(bytes / MB))

const wrong = (field: string, message: string): OvhcloudError =>
  new OvhcloudError(400, `${field} ${message}`, { field })
