/** IP addresses and networks, as far as the configuration's checks ask about them. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

export function isLoopback(address: string): boolean {
  return (isIPv4(address) && loopback.check(address)) || (isIPv6(address) && loopback.check(address, 'ipv6'))
}

/** Larger than any network of one's own: 10.0.0.0/8 and fc00::/7 are the largest private ones. */
export function isMostOfTheInternet(network: string): boolean {
  const [address, prefix] = network.split('/')
  return prefix !== undefined && Number(prefix) < (isIPv6(address!) ? 7 : 8)
}

/** Whether two sockets on the same port would meet. `::` takes IPv4 too. */
export function overlap(a: string, b: string): boolean {
  return a === b || covers(a, b) || covers(b, a)
}

function covers(wide: string, address: string): boolean {
  return wide === '::' || (wide === '0.0.0.0' && isIPv4(address))
}
