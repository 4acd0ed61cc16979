/**
 * Whether credentials that were given for one way would go another: to a host that did not have them, or with less
 * protection. Nobody can read a stored password; nobody should be able to have it sent to a host of his own either.
 */
import type { Connector } from '../config/connector.ts'

/** `requireTLS` is true wherever something else demands TLS (`withDemandedTls`). */
export type Way = Pick<
  Connector,
  'smartHosts' | 'port' | 'tls' | 'requireTLS' | 'tlsAuthLevel' | 'tlsDomain' | 'ca'
>

/** The first setting that makes the difference; null where what `from` has may go to `to` as well. */
export function exposedBy(from: Way, to: Way): keyof Way | null {
  return ways.find((setting) => !isAsSafe[setting](from, to)) ?? null
}

const levels: readonly Way['tlsAuthLevel'][] = ['encryptionOnly', 'certificateValidation', 'domainValidation']

const isAsSafe: Record<keyof Way, (from: Way, to: Way) => boolean> = {
  smartHosts: (from, to) => to.smartHosts.every((host) => from.smartHosts.includes(host)),
  port: (from, to) => to.port === from.port,
  tls: (from, to) => to.tls === from.tls || to.tls === 'implicit',
  requireTLS: (from, to) => to.requireTLS || !from.requireTLS,
  tlsAuthLevel: (from, to) => levels.indexOf(to.tlsAuthLevel) >= levels.indexOf(from.tlsAuthLevel),
  tlsDomain: (from, to) => to.tlsDomain === from.tlsDomain,
  ca: (from, to) => to.ca === from.ca,
}

const ways = Object.keys(isAsSafe) as (keyof Way)[]
