/**
 * What no single field of a connector can say: authentication and TLS that contradict each other, ids and
 * names twice, connectors that lead nowhere or back to the relay. Where Exchange has a rule, it is Exchange's.
 */
import { parseAddressSpace } from '../route/address-space.ts'
import { isLoopback, overlap } from './addresses.ts'
import type { ConfigDraft, Draft } from './draft.ts'
import { isGiven, type Path } from './path.ts'
import { error, type Finding, warning } from './problem.ts'
import { repetitionsIn } from './repetition.ts'
import type { ConnectorConfig } from './schema.ts'

interface Checked {
  readonly connector: Draft<ConnectorConfig>
  readonly at: Path
  /** Whether the file itself has the key. */
  given(key: keyof ConnectorConfig): boolean
}

export function connectorFindings(draft: ConfigDraft, root: unknown): Finding[] {
  const boundIds = new Set((draft.senders ?? []).map((sender) => sender?.connector))
  return [
    ...noConnector(draft),
    ...repeatedConnectors(draft),
    ...(draft.connectors ?? []).flatMap((connector, index) => {
      if (connector === undefined) return []
      const at = ['connectors', index]
      const checked: Checked = { connector, at, given: (key) => isGiven(root, [...at, key]) }
      return [
        ...authentication(checked),
        ...contradictingTls(checked),
        ...doubtfulTls(checked),
        ...repeatedEntries(checked),
        ...circles(checked, draft),
        ...reachability(checked, boundIds),
      ]
    }),
  ]
}

function noConnector({ connectors }: ConfigDraft): Finding[] {
  if (connectors === undefined || connectors.length > 0) return []
  return [
    warning(['connectors'], 'there is none: until one is made (relay connector new), all mail is refused'),
  ]
}

/** Names are compared as Exchange does, without case; they are the last tie-break and must differ. */
function repeatedConnectors(draft: ConfigDraft): Finding[] {
  const connectors = draft.connectors ?? []
  const entries = (key: 'id' | 'name') =>
    connectors.map((connector, index) => ({
      key: connector?.[key]?.toLowerCase(),
      at: ['connectors', index, key],
      what: `the ${key} ${connector?.[key]}`,
    }))
  const defaults = connectors.map((connector, index) => ({
    key: connector?.default === true ? 'default' : undefined,
    at: ['connectors', index, 'default'],
    what: 'the default',
  }))
  return repetitionsIn(entries('id')).concat(repetitionsIn(entries('name')), repetitionsIn(defaults))
}

function authentication({ connector, at, given }: Checked): Finding[] {
  const mechanism = connector.smartHostAuthMechanism
  if (mechanism === undefined) return []
  const findings: Finding[] = []
  for (const key of ['user', 'password'] as const) {
    if (mechanism !== 'none' && !given(key))
      findings.push(error([...at, key], `is missing: ${mechanism} logs in with user and password`))
    if (mechanism === 'none' && given(key))
      findings.push(
        error(
          [...at, key],
          'must be left out while smartHostAuthMechanism is none; to log in, set it to basicAuthRequireTLS',
        ),
      )
  }
  return findings
}

/** TLS that is demanded by something else than `requireTLS`. */
function tlsByItself({ connector }: Checked): string | null {
  if (connector.smartHostAuthMechanism === 'basicAuthRequireTLS') return 'basicAuthRequireTLS'
  return connector.tls === 'implicit' ? 'implicit TLS' : null
}

/** Exchange takes no TlsAuthLevel where RequireTLS is false. */
function contradictingTls(checked: Checked): Finding[] {
  const { connector, at, given } = checked
  if (!given('requireTLS') || connector.requireTLS !== false) return []
  const demandedBy = tlsByItself(checked)
  if (demandedBy !== null)
    return [warning([...at, 'requireTLS'], `has no effect: ${demandedBy} never sends without TLS`)]
  if (!given('tlsAuthLevel')) return []
  return [
    error(
      [...at, 'tlsAuthLevel'],
      'must be left out where requireTLS is false: what may go in clear is not made safe by a certificate; set requireTLS: true',
    ),
  ]
}

function doubtfulTls(checked: Checked): Finding[] {
  const { connector, at, given } = checked
  const findings: Finding[] = []
  const tlsMayBeMissing = connector.requireTLS === false && tlsByItself(checked) === null
  if (tlsMayBeMissing && given('tlsAuthLevel') && !given('requireTLS'))
    findings.push(
      warning(
        [...at, 'tlsAuthLevel'],
        'is checked only where the smart host offers STARTTLS; to demand it, set requireTLS: true',
      ),
    )
  if (tlsMayBeMissing && connector.smartHostAuthMechanism === 'basicAuth' && !allLoopback(connector))
    findings.push(
      warning(
        [...at, 'smartHostAuthMechanism'],
        'may send user and password in clear; basicAuthRequireTLS never does',
      ),
    )
  if (
    given('tlsDomain') &&
    connector.tlsAuthLevel !== undefined &&
    connector.tlsAuthLevel !== 'domainValidation'
  )
    findings.push(
      warning(
        [...at, 'tlsDomain'],
        `is not compared with the certificate: ${connector.tlsAuthLevel} ignores names`,
      ),
    )
  if (given('caFile') && connector.tlsAuthLevel === 'encryptionOnly')
    findings.push(warning([...at, 'caFile'], 'is not used: encryptionOnly takes every certificate'))
  return findings
}

function repeatedEntries({ connector, at }: Checked): Finding[] {
  const hosts = (connector.smartHosts ?? []).map((host, index) => ({
    key: host,
    at: [...at, 'smartHosts', index],
    what: 'the host',
  }))
  const spaces = (connector.addressSpaces ?? []).map((text, index) => {
    const space = text === undefined ? null : parseAddressSpace(text)
    return {
      key: space === null || 'error' in space ? undefined : space.pattern,
      at: [...at, 'addressSpaces', index],
      what: 'the domain',
    }
  })
  return [...repetitionsIn(hosts), ...repetitionsIn(spaces)]
}

/** A smart host that is one of our own listeners: mail would go round until it has too many hops. */
function circles({ connector, at }: Checked, draft: ConfigDraft): Finding[] {
  return (connector.smartHosts ?? []).flatMap((name, index) => {
    const host = name === 'localhost' ? '127.0.0.1' : (name ?? '')
    const listener = (draft.listeners ?? []).find((candidate) => {
      if (candidate?.port !== connector.port || candidate?.address === undefined) return false
      // 0.0.0.0 listens on addresses that are not known here, but on loopback for sure.
      return candidate.address === host || (isLoopback(host) && overlap(candidate.address, host))
    })
    if (listener === undefined) return []
    return [
      error(
        [...at, 'smartHosts', index],
        `must be another host: with port ${connector.port} it is this relay's own listener ${listener.name ?? ''}`,
      ),
    ]
  })
}

function reachability({ connector, at }: Checked, boundIds: ReadonlySet<unknown>): Finding[] {
  const reachable =
    connector.addressSpaces === undefined ||
    connector.addressSpaces.length > 0 ||
    connector.default !== false ||
    connector.id === undefined ||
    boundIds.has(connector.id)
  if (reachable) return []
  return [
    warning(
      at,
      `no mail can reach the connector ${connector.id}: it has no address space and no sender binding, and is not the default`,
    ),
  ]
}

function allLoopback(connector: Draft<ConnectorConfig>): boolean {
  return (connector.smartHosts ?? []).every((host) => host === 'localhost' || (host && isLoopback(host)))
}
