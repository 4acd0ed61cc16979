/** A sender, author or recipient as rules compare it: each form of its address made once, and only if a rule asks. */
import { domainOf } from '../../address.ts'
import { patternsFor } from '../../route/address-space.ts'
import { senderKey } from '../../route/sender.ts'
import { FoldedText } from './words.ts'

export class Mailbox {
  /** Canonical; the empty string is the null reverse-path, which no address and no domain is. */
  readonly address: string
  /** Its place in the envelope, for a recipient. */
  readonly index: number
  #key: string | null = null
  #patterns: readonly string[] | null = null
  #text: FoldedText | null = null

  constructor(address: string, index = 0) {
    this.address = address
    this.index = index
  }

  /** The form in which addresses are equal: as sender bindings, without the local part's letter case. */
  get key(): string {
    this.#key ??= senderKey(this.address)
    return this.#key
  }

  /** Every domain pattern that covers it, most specific first. */
  get patterns(): readonly string[] {
    this.#patterns ??= this.address === '' ? [] : patternsFor(domainOf(this.address))
    return this.#patterns
  }

  get text(): FoldedText {
    this.#text ??= new FoldedText(this.address)
    return this.#text
  }
}
