/** What a filter asks for at the end of a message, gathered: nothing is done before it has decided. */
import { parseAddress } from '../../address.ts'
import type { MilterHeader } from './milter-header.ts'
import { type Change, MilterError } from './milter-protocol.ts'
import { oneLine } from './outside-reply.ts'

/** All requests together, without bodies: more than any filter has to say of one message. */
const mostBytes = 4 * 1024 * 1024

export class MilterChanges {
  readonly #header: MilterHeader
  /** Those whom the filter did not refuse. */
  readonly #recipients: ReadonlySet<string>
  readonly #added = new Set<string>()
  readonly #removed = new Set<string>()
  /** In words, for the log. */
  readonly #what = new Set<'header' | 'body' | 'sender' | 'recipients'>()
  #sender: string | null = null
  #hold: string | null = null
  #sizeBytes = 0

  constructor(header: MilterHeader, recipients: Iterable<string>) {
    this.#header = header
    this.#recipients = new Set(recipients)
  }

  /** Throws `MilterError` where it cannot be done: half of what a filter wants is not what it wants. */
  apply(change: Change): void {
    this.#account(change)
    switch (change.kind) {
      case 'addHeader':
      case 'insertHeader':
      case 'changeHeader':
        this.#what.add('header')
        this.#header.apply(change)
        return
      case 'replaceBody':
        this.#what.add('body')
        return
      case 'changeSender':
        this.#what.add('sender')
        this.#sender = /^(?:<>)?$/.test(change.address) ? '' : canonical(change.address)
        return
      case 'addRecipient':
        this.#addRecipient(canonical(change.address))
        return
      case 'deleteRecipient':
        this.#deleteRecipient(canonical(change.address))
        return
      case 'quarantine':
        this.#hold = oneLine(change.reason) || 'quarantined by a filter'
    }
  }

  get headerChanged(): boolean {
    return this.#what.has('header')
  }

  get envelope(): { sender: string | null; added: readonly string[]; removed: readonly string[] } {
    return { sender: this.#sender, added: [...this.#added], removed: [...this.#removed] }
  }

  /** False where the filter took away the last one. */
  get reachesAnybody(): boolean {
    return this.#added.size > 0 || this.#removed.size < this.#recipients.size
  }

  get hold(): string | null {
    return this.#hold
  }

  get note(): string | null {
    return this.#what.size === 0 ? null : `changed ${[...this.#what].join(', ')}`
  }

  /** Asking for one that was taken away brings it back, with what its RCPT said. */
  #addRecipient(address: string): void {
    this.#what.add('recipients')
    this.#removed.delete(address)
    if (!this.#recipients.has(address)) this.#added.add(address)
  }

  #deleteRecipient(address: string): void {
    this.#what.add('recipients')
    this.#added.delete(address)
    if (this.#recipients.has(address)) this.#removed.add(address)
  }

  #account(change: Change): void {
    if ('value' in change) this.#sizeBytes += change.name.length + change.value.length
    else if ('address' in change) this.#sizeBytes += change.address.length
    if (this.#sizeBytes > mostBytes) throw new MilterError('asked for more than a message can hold')
  }
}

function canonical(address: string): string {
  const parsed = parseAddress(address.replace(/^<(.*)>$/s, '$1'))
  if ('error' in parsed) throw new MilterError(`named an impossible address: ${JSON.stringify(address)}`)
  return parsed.address
}
