/**
 * Who may submit, and as which senders: clients in an allowed network, and users after AUTH. Everyone else is
 * refused; there is no other way in, so the relay is never open.
 */
import { BlockList, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { readNetwork } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { maySendAs } from '../policy/sender-rights.ts'
import { permanent, type Reply } from '../reply.ts'
import type { SenderRights } from './transaction.ts'

export type User = Config['access']['users'][number]

type Network = Config['access']['networks'][number]

/** Networks of one prefix and with one answer. */
interface Group {
  readonly family: 'ipv4' | 'ipv6'
  readonly prefix: number
  readonly senders: SenderRights
  readonly members: BlockList
}

export class AllowedNetworks {
  /** The most specific first. */
  readonly #groups: readonly Group[]

  constructor(networks: readonly Network[]) {
    const unrestricted = new Map<string, Group>()
    const groups: Group[] = []
    for (const entry of networks) {
      const { address, prefix, family } = readNetwork(typeof entry === 'string' ? entry : entry.network)
      const senders = typeof entry === 'string' ? 'all' : rightsOver(entry.senders)
      // There may be many of these, so that those of a prefix are asked as one.
      const key = `${family}/${prefix}`
      let group = senders === 'all' ? unrestricted.get(key) : undefined
      if (group === undefined) {
        group = { family, prefix, senders, members: new BlockList() }
        groups.push(group)
        if (senders === 'all') unrestricted.set(key, group)
      }
      group.members.addSubnet(address, prefix, family)
    }
    this.#groups = groups.sort((a, b) => b.prefix - a.prefix)
  }

  /** As whom clients of this address may send without AUTH; null: they may not. */
  sendersOf(address: string): SenderRights | null {
    const bare = clientAddress(address)
    const family = isIPv6(bare) ? 'ipv6' : 'ipv4'
    const group = this.#groups.find((each) => each.family === family && each.members.check(bare, family))
    return group?.senders ?? null
  }
}

/**
 * The address of a peer as the system reports it, in the one form that limits, logs and the trace field use: an
 * IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is the IPv4 address it holds, and a link-local one
 * (`fe80::1%eth0`) is named without its interface.
 */
export function clientAddress(reported: string): string {
  return ipaddr.process(reported.replace(/%.*$/, '')).toString()
}

export interface SubmittingClient {
  readonly address: string
  /** Of its network; null: it is in none that may submit without AUTH. */
  readonly networkSenders: SenderRights | null
  readonly user: User | null
  readonly authOffered: boolean
}

/**
 * At MAIL: as whom this client may send, or why not as this one. Who has logged in has the rights of the user alone,
 * wherever it comes from. The null reverse-path is nobody's address and always allowed: an Exchange server hands
 * over its non-delivery reports with it.
 */
export function admit(
  client: SubmittingClient,
  from: string,
): { readonly senders: SenderRights } | { readonly refusal: Reply } {
  const senders = client.user === null ? client.networkSenders : rightsOver(client.user.senders)
  if (senders === null) {
    const remedy = client.authOffered ? ', please authenticate first' : ''
    return { refusal: permanent('7.1', `Relaying denied for ${client.address}${remedy}`) }
  }
  if (from === '' || maySendAs(senders, from)) return { senders }
  return { refusal: permanent('7.1', `You may not send as <${from}>`, 553) }
}

function rightsOver(senders: readonly string[]): SenderRights {
  return senders.includes('*') ? 'all' : senders
}
