/** Where the relay listens, and whom it lets in: ports twice, and doors that are open wider than they look. */
import { isLoopback, isMostOfTheInternet, overlap, readNetwork } from './addresses.ts'
import type { ConfigDraft } from './draft.ts'
import type { Path } from './path.ts'
import { error, type Finding, warning } from './problem.ts'
import { repetitionsIn } from './repetition.ts'

export function listenerFindings(draft: ConfigDraft): Finding[] {
  return [
    ...repeatedNames(draft),
    ...sharedPorts(draft),
    ...openDoors(draft),
    ...closedDoors(draft),
    ...repeatedUsers(draft),
    ...repeatedNetworks(draft),
  ]
}

function repeatedNames(draft: ConfigDraft): Finding[] {
  return repetitionsIn(
    (draft.listeners ?? []).map((listener, index) => ({
      key: listener?.name,
      at: ['listeners', index, 'name'],
      what: `the name ${listener?.name}`,
    })),
  )
}

interface Socket {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly at: Path
}

function sharedPorts(draft: ConfigDraft): Finding[] {
  const sockets = socketsOf(draft)
  return sockets.flatMap((socket, index) => {
    const earlier = sockets
      .slice(0, index)
      .find((other) => other.port === socket.port && overlap(other.address, socket.address))
    if (earlier === undefined || socket.port === 0) return []
    return [
      error(
        [...socket.at, 'port'],
        `must be another port: ${earlier.name} listens on ${earlier.port} of ${earlier.address} already`,
      ),
    ]
  })
}

function socketsOf(draft: ConfigDraft): Socket[] {
  const all = [
    ...(draft.listeners ?? []).map((listener, index) => ({
      ...listener,
      name: `the listener ${listener?.name ?? index}`,
      at: ['listeners', index],
    })),
    { ...draft.admin, name: 'admin', at: ['admin'] },
    { ...draft.sandbox, name: 'the sandbox', at: ['sandbox'] },
  ]
  return all.flatMap(({ name, address, port, at }) =>
    address === undefined || port === undefined ? [] : [{ name, address, port, at }],
  )
}

function openDoors(draft: ConfigDraft): Finding[] {
  const findings: Finding[] = []
  const exposed = (address: string | undefined) => address !== undefined && !isLoopback(address)
  const listeners = draft.listeners ?? []
  if (listeners.some((listener) => exposed(listener?.address))) {
    for (const { network, at } of submittingNetworks(draft))
      if (network !== undefined && isMostOfTheInternet(network))
        findings.push(
          warning(at, `makes an open relay: anyone in ${network} may send anything to anyone without AUTH`),
        )
  }
  for (const [index, listener] of listeners.entries())
    if (exposed(listener?.address) && listener?.authWithoutTls === true)
      findings.push(
        warning(['listeners', index, 'authWithoutTls'], 'lets passwords cross the network in clear'),
      )
  if (exposed(draft.admin?.address))
    findings.push(
      warning(
        ['admin', 'address'],
        'is not loopback: anyone who can reach it sees the queue without a login, and tokens cross the network in clear',
      ),
    )
  if (exposed(draft.sandbox?.address))
    findings.push(
      warning(['sandbox', 'address'], 'is not loopback: the sandbox is for tests on this machine'),
    )
  return findings
}

function closedDoors(draft: ConfigDraft): Finding[] {
  const { networks, users } = draft.access ?? {}
  if (networks?.length === 0 && users?.length === 0)
    return [warning(['access'], 'nobody may submit: there is neither a network nor a user')]
  const offersAuth = (draft.listeners ?? []).some(
    (listener) => listener?.tls !== 'off' || listener?.authWithoutTls !== false,
  )
  if (users === undefined || users.length === 0 || offersAuth) return []
  return [
    warning(['access', 'users'], 'cannot log in: no listener offers TLS, and none allows AUTH without it'),
  ]
}

function repeatedUsers(draft: ConfigDraft): Finding[] {
  return repetitionsIn(
    (draft.access?.users ?? []).map((user, index) => ({
      key: user?.name,
      at: ['access', 'users', index, 'name'],
      what: `the name ${user?.name}`,
    })),
  )
}

/** Two entries of one network would leave it to chance as whom its clients may send. */
function repeatedNetworks(draft: ConfigDraft): Finding[] {
  return repetitionsIn(
    submittingNetworks(draft).map(({ network, at }) => {
      if (network === undefined) return { key: undefined, at, what: '' }
      const { address, prefix } = readNetwork(network)
      return { key: `${address}/${prefix}`, at, what: `the network ${network}` }
    }),
  )
}

function submittingNetworks(draft: ConfigDraft): { network: string | undefined; at: Path }[] {
  return (draft.access?.networks ?? []).map((entry, index) => {
    const at = ['access', 'networks', index]
    return typeof entry === 'string'
      ? { network: entry, at }
      : { network: entry?.network, at: [...at, 'network'] }
  })
}
