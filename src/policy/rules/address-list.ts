/**
 * Addresses and domain patterns of a rule or a named list, indexed: a list of 100,000 entries costs as many hash
 * lookups as the address's domain has labels.
 */
import { senderKey } from '../../route/sender.ts'
import type { Mailbox } from './mailbox.ts'

export class AddressList {
  readonly #addresses: ReadonlySet<string>
  readonly #patterns: ReadonlySet<string>

  /** `user@example.com`, `example.com`, `*.example.com`: canonical, as the configuration's schema makes them. */
  constructor(entries: readonly string[]) {
    this.#addresses = new Set(entries.filter((entry) => entry.includes('@')).map(senderKey))
    this.#patterns = new Set(entries.filter((entry) => !entry.includes('@')))
  }

  /** The entry that covers it; null where none does. */
  find(mailbox: Mailbox): string | null {
    if (this.#addresses.size > 0 && this.#addresses.has(mailbox.key)) return mailbox.key
    if (this.#patterns.size === 0) return null
    return mailbox.patterns.find((pattern) => this.#patterns.has(pattern)) ?? null
  }
}

/** `policy.lists`, each indexed once however many rules name it. */
export class NamedLists {
  readonly #entries: Readonly<Record<string, readonly string[]>>
  readonly #indexed = new Map<string, AddressList>()

  constructor(entries: Readonly<Record<string, readonly string[]>>) {
    this.#entries = entries
  }

  get(name: string): AddressList {
    const known = this.#indexed.get(name)
    if (known !== undefined) return known
    // The configuration's checks refuse a name without a list.
    const list = new AddressList(Object.hasOwn(this.#entries, name) ? this.#entries[name]! : [])
    this.#indexed.set(name, list)
    return list
  }
}
