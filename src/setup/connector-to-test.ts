/**
 * A connector that is to be tested before it is saved, as the program would use it. What is stored of the connector
 * that it would change is used where it is not given, so that nobody has to type a password again, but only for the
 * same hosts under the same protection: a test must not be a way to have it sent to oneself.
 */
import { type Connector, withDemandedTls } from '../config/connector.ts'
import { checkConnector, invalid, settingsOf } from './connector-check.ts'
import { nextConnectorId } from './connector-number.ts'
import { connectorKind, type GivenConnector } from './connector-object.ts'
import { exposedBy } from './credential-exposure.ts'
import type { CurrentSetup } from './current.ts'
import { SetupRefused } from './plan.ts'

/** Throws `SetupRefused` where there is none, or it cannot be used. */
export function usableConnector({ connectors, unusable }: CurrentSetup, id: string): Connector {
  const found = connectors.find((each) => each.id === id)
  if (found !== undefined) return found.connector
  const why = unusable.find((each) => each.kind === connectorKind && each.id === id)?.why
  if (why === undefined) throw new SetupRefused('missing', `There is no connector ${id}`, 'id')
  throw new SetupRefused('conflict', `The connector ${id} cannot be used: ${why}`, 'id')
}

/** Throws `SetupRefused` where it could not be saved, or needs credentials that are not given. */
export function connectorToTest(
  current: CurrentSetup,
  { id: changed, ...input }: GivenConnector & { readonly id?: string | undefined },
): Connector {
  const saved = changed === undefined ? null : usableConnector(current, changed)
  const id = saved?.id ?? nextConnectorId(current)
  const { password, clientCertificate, ...rest } = input
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null))
  const settings = withDemandedTls(settingsOf(given))
  const draft: Connector = {
    ...settings,
    id,
    fqdn: settings.fqdn ?? current.config.hostname,
    password: password ?? null,
    clientCertificate: clientCertificate ?? null,
  }
  const connector =
    saved === null ? draft : withSaved(draft, { saved, keeps: clientCertificate === undefined })
  checkConnector({ id, given, passwordSet: connector.password !== null }, current)
  return connector
}

/** `keeps`: its client certificate is left as it is; with null there would be none. */
function withSaved(draft: Connector, { saved, keeps }: { saved: Connector; keeps: boolean }): Connector {
  const wantsPassword = draft.smartHostAuthMechanism !== 'none' && draft.password === null
  const password = wantsPassword ? saved.password : draft.password
  const clientCertificate = keeps ? saved.clientCertificate : draft.clientCertificate
  const setting = exposedBy(saved, draft)
  const isOthers = draft.user !== saved.user
  if (wantsPassword && password !== null && (setting !== null || isOthers))
    throw invalid('password', `is missing: the stored one is not sent where ${setting ?? 'user'} differs`)
  if (keeps && clientCertificate !== null && setting !== null)
    throw invalid('clientCertificate', `is missing: the stored one is not used where ${setting} differs`)
  return { ...draft, password, clientCertificate }
}
