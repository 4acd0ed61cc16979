/**
 * What TLS must prove at a smart host, by the connector's level (send-connectors §1):
 * `encryptionOnly` takes any certificate; `certificateValidation` wants a chain to a trusted root;
 * `domainValidation` wants the name too. The name is the connector's `tlsDomain`, else the smart host as it
 * is configured: never what an MX or address record made of it, for then DNS would decide whom we trust.
 */
import { isIP } from 'node:net'
import { type ConnectionOptions, checkServerIdentity } from 'node:tls'
import type { Connector } from '../config/connector.ts'

type TlsSettings = Pick<Connector, 'tlsAuthLevel' | 'tlsDomain' | 'ca' | 'clientCertificate'>

export function tlsOptions(connector: TlsSettings, host: { readonly name: string }): ConnectionOptions {
  const name = certificateName(connector, host)
  return {
    minVersion: 'TLSv1.2',
    // Always said: left out, NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would turn every check off.
    rejectUnauthorized: connector.tlsAuthLevel !== 'encryptionOnly',
    checkServerIdentity:
      connector.tlsAuthLevel === 'domainValidation'
        ? (_host, certificate) => checkServerIdentity(name, certificate)
        : () => undefined,
    // RFC 6066 §3: literal addresses are not permitted in SNI.
    ...(isIP(name) === 0 && { servername: name }),
    ...(connector.ca !== null && { ca: connector.ca }),
    ...(connector.clientCertificate !== null && {
      cert: connector.clientCertificate.cert,
      key: connector.clientCertificate.key,
    }),
  }
}

/** The name in SNI, and in the certificate where that is checked. */
export function certificateName(
  connector: Pick<Connector, 'tlsDomain'>,
  host: { readonly name: string },
): string {
  const name = connector.tlsDomain ?? host.name
  return name.replace(/^\[(?:IPv6:)?(.*)\]$/i, '$1').replace(/\.$/, '')
}

/** Whether a connection without TLS may carry neither AUTH nor mail. */
export function tlsIsRequired(
  connector: Pick<Connector, 'requireTLS' | 'smartHostAuthMechanism' | 'tls'>,
): boolean {
  return (
    connector.requireTLS ||
    connector.smartHostAuthMechanism === 'basicAuthRequireTLS' ||
    connector.tls === 'implicit'
  )
}
