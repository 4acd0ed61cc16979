/**
 * Whose count a limit keeps: one sender's, one domain's, one client's, one user's or one listener's, in one form
 * however it was written; null where the limit is none of theirs.
 *
 * The null reverse-path is nobody's address: the non-delivery reports of a whole organisation come with it and
 * would share one count. So a limit by sender or domain leaves them alone unless `only` names `<>`; limits by
 * client, user and listener count them as any other mail.
 *
 * IPv6 clients are counted by /64: that is what one customer gets, with more addresses than anybody could count.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { domainOf, parseAddress } from '../address.ts'
import { readNetwork } from '../config/addresses.ts'
import type { Client } from '../queue/queue.ts'
import { parseAddressSpace, patternsFor } from '../route/address-space.ts'
import { senderKey } from '../route/sender.ts'
import { NetworkList } from './network-list.ts'

export type LimitPer = 'sender' | 'senderDomain' | 'client' | 'user' | 'listener'

/** Who submits; the empty sender is the null reverse-path. */
export interface Submitter extends Client {
  readonly sender: string
}

export class LimitHolders {
  readonly #per: LimitPer
  /** In the form of `readHolder`; null: all. */
  readonly #only: ReadonlySet<string> | null
  readonly #networks: NetworkList | null

  constructor({ per, only }: { readonly per: LimitPer; readonly only: readonly string[] | null }) {
    const entries = only?.map((entry) => readHolder(per, entry)).filter((entry) => entry !== null) ?? null
    this.#per = per
    this.#only = entries && new Set(entries)
    this.#networks = per === 'client' && entries !== null ? new NetworkList(entries) : null
  }

  of(submitter: Submitter): string | null {
    switch (this.#per) {
      case 'sender':
      case 'senderDomain':
        return this.#sender(submitter.sender)
      case 'client':
        return submitter.address === null ? null : this.#client(submitter.address)
      case 'user':
        return submitter.user === null ? null : this.#named(submitter.user)
      case 'listener':
        return submitter.listener === null ? null : this.#named(submitter.listener)
    }
  }

  #sender(sender: string): string | null {
    if (sender === '') return this.#only?.has(nullSender) ? nullSender : null
    const key = senderKey(sender)
    const domain = domainOf(key)
    const applies =
      this.#only === null ||
      this.#only.has(key) ||
      patternsFor(domain).some((pattern) => this.#only!.has(pattern))
    if (!applies) return null
    return this.#per === 'sender' ? key : domain
  }

  #client(address: string): string | null {
    if (this.#networks !== null && !this.#networks.has(address)) return null
    return isIPv6(address) ? `${readNetwork(`${address}/64`).address}/64` : address
  }

  #named(name: string): string | null {
    const key = name.toLowerCase()
    return this.#only === null || this.#only.has(key) ? key : null
  }
}

/** An entry of `only` in the form that is compared; null where it is nothing of the kind that the limit counts. */
export function readHolder(per: LimitPer, text: string): string | null {
  switch (per) {
    case 'sender':
      return text === nullSender || !text.includes('@') ? readDomain(text) : readAddress(text)
    case 'senderDomain':
      return readDomain(text)
    case 'client':
      return isNetwork(text) ? text : null
    case 'user':
    case 'listener':
      return text.toLowerCase()
  }
}

/** What an entry of `only` must be, for messages. */
export const holderForms: Record<LimitPer, string> = {
  sender: 'a mail address, a domain, *.domain, or <> for the null reverse-path',
  senderDomain: 'a domain, *.domain, or <> for the null reverse-path',
  client: 'an IP address, or a network such as 10.0.0.0/8',
  user: 'the name of a user',
  listener: 'the name of a listener',
}

const nullSender = '<>'

function readAddress(text: string): string | null {
  const parsed = parseAddress(text)
  return 'error' in parsed ? null : senderKey(parsed.address)
}

function readDomain(text: string): string | null {
  if (text === nullSender) return text
  if (/[:;]/.test(text)) return null
  const space = parseAddressSpace(text)
  return 'error' in space ? null : space.pattern
}

function isNetwork(text: string): boolean {
  const [address = '', prefix = '0', ...rest] = text.split('/')
  const longest = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1
  return rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= longest
}
