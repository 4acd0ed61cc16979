/** IP addresses and networks, as far as the configuration's checks ask about them. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

export function isLoopback(address: string): boolean {
  return (isIPv4(address) && loopback.check(address)) || (isIPv6(address) && loopback.check(address, 'ipv6'))
}

export interface Network {
  readonly family: 'ipv4' | 'ipv6'
  /** The first address of it. */
  readonly address: string
  readonly prefix: number
}

/**
 * Reads a network or a single address, in the one form that can be compared: without bits behind the prefix, and
 * one of IPv4-mapped addresses (`::ffff:192.0.2.0/120`) is the IPv4 network that it holds.
 */
export function readNetwork(text: string): Network {
  const [base, prefix] = ipaddr.parseCIDR(text.includes('/') ? text : `${text}/${isIPv6(text) ? 128 : 32}`)
  if (base instanceof ipaddr.IPv4) return ipv4Network(base, prefix)
  if (base.isIPv4MappedAddress() && prefix >= mappedPrefix)
    return ipv4Network(base.toIPv4Address(), prefix - mappedPrefix)
  const address = ipaddr.IPv6.networkAddressFromCIDR(`${base}/${prefix}`).toString()
  return { family: 'ipv6', address, prefix }
}

/** RFC 4291 §2.5.5.2 */
const mappedPrefix = 96

function ipv4Network(base: ipaddr.IPv4, prefix: number): Network {
  const address = ipaddr.IPv4.networkAddressFromCIDR(`${base}/${prefix}`).toString()
  return { family: 'ipv4', address, prefix }
}

/** Larger than any network of one's own: 10.0.0.0/8 and fc00::/7 are the largest private ones. */
export function isMostOfTheInternet(network: string): boolean {
  const { family, prefix } = readNetwork(network)
  return prefix < (family === 'ipv6' ? 7 : 8)
}

/** Whether two sockets on the same port would meet. `::` takes IPv4 too. */
export function overlap(a: string, b: string): boolean {
  return a === b || covers(a, b) || covers(b, a)
}

function covers(wide: string, address: string): boolean {
  return wide === '::' || (wide === '0.0.0.0' && isIPv4(address))
}
