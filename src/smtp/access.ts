/**
 * Who may submit: clients in an allowed network, and users after AUTH, who may use their own senders only.
 * Everyone else is refused; there is no other way in, so the relay is never open.
 */
import { BlockList, isIPv6 } from 'node:net'
import { canonicalDomain, parseAddress } from '../address.ts'
import type { Config } from '../config/schema.ts'
import { permanent, type Reply } from '../reply.ts'

export type User = Config['access']['users'][number]

export class AllowedNetworks {
  readonly #list = new BlockList()

  constructor(networks: readonly string[]) {
    for (const network of networks) this.#add(withoutIPv4Mapping(network))
  }

  has(address: string): boolean {
    const bare = clientAddress(address)
    return this.#list.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4')
  }

  #add(network: string): void {
    const [address, prefix] = network.split('/') as [string, string?]
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) this.#list.addAddress(address, family)
    else this.#list.addSubnet(address, Number(prefix), family)
  }
}

/**
 * The address of a peer as the system reports it, in the one form that limits, logs and the trace field use: an
 * IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is the IPv4 address it holds, and a link-local one
 * (`fe80::1%eth0`) is named without its interface.
 */
export function clientAddress(reported: string): string {
  return withoutIPv4Mapping(reported.replace(/%.*$/, ''))
}

/** At MAIL: may this session submit at all? */
export function submissionRefusal(client: {
  address: string
  trusted: boolean
  user: User | null
  authOffered: boolean
}): Reply | null {
  if (client.trusted || client.user !== null) return null
  const remedy = client.authOffered ? ', please authenticate first' : ''
  return permanent('7.1', `Relaying denied for ${client.address}${remedy}`)
}

/**
 * At MAIL: may this user send as this address? The null reverse-path is nobody's address and always allowed:
 * an Exchange server that authenticates hands over its non-delivery reports with it.
 */
export function senderRefusal(user: User, from: string): Reply | null {
  if (from === '' || user.senders.some((sender) => matchesSender(sender, from))) return null
  return permanent('7.1', `You may not send as <${from}>`, 553)
}

/** `*`, `*@example.com` or `user@example.com`; letter case does not count, as with Exchange. */
function matchesSender(pattern: string, from: string): boolean {
  if (pattern === '*') return true
  if (pattern.startsWith('*@')) {
    const domain = canonicalDomain(pattern.slice(2))
    return domain !== null && from.endsWith(`@${domain}`)
  }
  const parsed = parseAddress(pattern)
  return !('error' in parsed) && parsed.address.toLowerCase() === from.toLowerCase()
}

function withoutIPv4Mapping(network: string): string {
  const match = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})(?:\/(\d+))?$/i.exec(network)
  if (!match) return network
  const prefix = match[2] === undefined ? null : Number(match[2]) - 96
  if (prefix !== null && prefix < 0) return network
  return prefix === null ? match[1]! : `${match[1]}/${prefix}`
}
