/** Networks of a rule, IPv4-mapped ones as the IPv4 networks that they are. */
import { BlockList, isIPv6 } from 'node:net'
import { readNetwork } from '../config/addresses.ts'

export class NetworkList {
  /** By family: one list of both would find every IPv4 address in `::/0`, as an IPv4-mapped one. */
  readonly #networks = { ipv4: new BlockList(), ipv6: new BlockList() }
  /** Clients send message after message, and a look-up costs 2 µs. */
  #last: { readonly address: string; readonly within: boolean } | null = null

  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const { address, prefix, family } = readNetwork(network)
      this.#networks[family].addSubnet(address, prefix, family)
    }
  }

  /** The address as `clientAddress` writes it. */
  has(address: string): boolean {
    if (this.#last?.address !== address) {
      const family = isIPv6(address) ? 'ipv6' : 'ipv4'
      this.#last = { address, within: this.#networks[family].check(address, family) }
    }
    return this.#last.within
  }
}
