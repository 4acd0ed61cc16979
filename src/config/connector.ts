/** A connector as the program uses it: secrets and files read, nothing left to look up. */
import type { ConnectorConfig } from './schema.ts'

export interface Connector
  extends Omit<ConnectorConfig, 'password' | 'caFile' | 'clientCertificate' | 'fqdn'> {
  readonly password: string | null
  /** PEM. */
  readonly ca: string | null
  readonly clientCertificate: { readonly cert: string; readonly key: string } | null
  /** The name in EHLO. */
  readonly fqdn: string
}

/** `requireTLS` is true wherever something else demands TLS, so that whoever sends has to ask only that. */
export function withDemandedTls<
  Settings extends Pick<ConnectorConfig, 'tls' | 'smartHostAuthMechanism' | 'requireTLS'>,
>(settings: Settings): Settings {
  const demanded = settings.tls === 'implicit' || settings.smartHostAuthMechanism === 'basicAuthRequireTLS'
  return demanded ? { ...settings, requireTLS: true } : settings
}
