/**
 * A connector of the runtime state: its settings as they were given, under the same schema as in the configuration
 * file, except that certificates are PEM text instead of paths, and that the password and the client's key are
 * sealed beside them. Defaults stay defaults: what nobody set follows a later version of the relay.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { type Connector, withDemandedTls } from '../config/connector.ts'
import { connectorSchema } from '../config/schema.ts'
import { isSealed, type SealedSecret, type SecretBox, secretContext } from '../state/secrets.ts'
import type { StateObject } from '../state/state.ts'

export const connectorKind = 'connector'

const certificates = z
  .string()
  .max(256 * 1024)
  .refine((pem) => certificatesIn(pem) !== null, 'must be one or more certificates in PEM form')

const privateKeyPem = z
  .string()
  .max(64 * 1024)
  .refine(isPrivateKey, 'must be a private key in PEM form, without a passphrase')

/** A password as a person can type it, and a SASL message carry it. */
export const password = z.string().regex(/^[^\0\r\n]{1,1000}$/, 'must be one line of 1 to 1000 characters')

/** What is stored in the clear. */
export const connectorSettings = connectorSchema
  .omit({ id: true, password: true, caFile: true, clientCertificate: true })
  .extend({
    ca: certificates
      .nullable()
      .default(null)
      .describe("certificates in PEM form to trust instead of the system's store"),
    clientCertificate: z
      .strictObject({ cert: certificates.describe('with its chain, in PEM form') })
      .nullable()
      .default(null)
      .describe('to present to the smart host'),
  })
export type ConnectorSettings = z.infer<typeof connectorSettings>

/** What a connector is made of by the API: settings with their secrets. */
export const connectorInput = connectorSettings.omit({ clientCertificate: true }).extend({
  password: password.nullable().default(null).describe('write-only: it is never shown'),
  clientCertificate: z
    .strictObject({
      cert: certificates.describe('with its chain'),
      key: privateKeyPem.describe('write-only'),
    })
    .refine(isKeyPair, { path: ['key'], message: 'must be the key of the certificate' })
    .nullable()
    .default(null)
    .describe('to present to the smart host, in PEM form'),
})

/** What is sent to make a connector: settings that keep their defaults are left out. */
export type GivenConnector = z.input<typeof connectorInput>

const sealed = z.custom<SealedSecret>(isSealed, 'must be a sealed secret')

export const connectorValue = z.strictObject({
  /** As given. */
  settings: z.record(z.string(), z.unknown()),
  password: sealed.nullable(),
  clientKey: sealed.nullable(),
  createdAt: z.number(),
})
export type ConnectorValue = z.infer<typeof connectorValue>

export type SecretField = 'password' | 'clientKey'

/** What a secret of a connector is sealed for. */
export const connectorSecret = (id: string, field: SecretField): string =>
  secretContext({ kind: connectorKind, id }, [field])

export interface ReadConnector {
  readonly value: ConnectorValue
  readonly settings: ConnectorSettings
  readonly connector: Connector
}

/** Throws where it is none: by its schema, or because a secret cannot be opened. */
export function readConnector(
  { id, value }: StateObject,
  { box, hostname }: { box: SecretBox | null; hostname: string },
): ReadConnector {
  const stored = connectorValue.parse(value)
  const settings = connectorSettings.parse(stored.settings)
  const opened = (field: SecretField): string | null => {
    const secret = stored[field]
    if (secret === null) return null
    if (box === null) throw new Error('It has a secret, and no key is configured (state.key)')
    return box.open(secret, { context: connectorSecret(id, field) })
  }
  const key = opened('clientKey')
  const { clientCertificate, ...rest } = withDemandedTls(settings)
  const connector: Connector = {
    ...rest,
    id,
    fqdn: settings.fqdn ?? hostname,
    password: opened('password'),
    clientCertificate:
      clientCertificate === null || key === null ? null : { cert: clientCertificate.cert, key },
  }
  return { value: stored, settings, connector }
}

/** Null where the text holds none, or a broken one. */
export function certificatesIn(pem: string): readonly X509Certificate[] | null {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    const found = blocks.map((block) => new X509Certificate(block))
    return found.length === 0 ? null : found
  } catch {
    return null
  }
}

/** Of a certificate and a key that are none themselves something else is told. */
function isKeyPair({ cert, key }: { cert: string; key: string }): boolean {
  if (!isPrivateKey(key)) return true
  return certificatesIn(cert)?.[0]?.checkPrivateKey(createPrivateKey(key)) ?? true
}

function isPrivateKey(pem: string): boolean {
  try {
    createPrivateKey(pem)
    return true
  } catch {
    return false
  }
}
