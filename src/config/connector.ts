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
