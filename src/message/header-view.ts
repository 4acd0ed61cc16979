/**
 * A header as a person reads it: values unfolded and decoded (RFC 2047). Each value is made when it is asked for,
 * and once.
 */
import { type ParsedAddress, parseAddress } from '../address.ts'
import { decodeWords, oneLine } from './encoded-words.ts'
import {
  type FromDefect,
  fieldsNamed,
  fieldValue,
  fromAddresses,
  type Header,
  parseHeader,
  parseMailboxes,
} from './header.ts'

/** Of values with encoded words, in all fields together: to decode is what costs most, and nobody reads more. */
const mostEncoded = 64 * 1024
/** Of a field without a clear reading. */
const longestGuess = 64 * 1024

export class HeaderView {
  readonly #bytes: Buffer
  #header: Header | null = null
  #from: ParsedAddress | { readonly defect: FromDefect } | null = null
  readonly #values = new Map<string, readonly string[]>()
  #subject: string | null = null
  #encodedLeft = mostEncoded

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Decoded, in their order; the name in any case. Empty where there is no such field. */
  values(name: string): readonly string[] {
    const key = name.toLowerCase()
    const known = this.#values.get(key)
    if (known !== undefined) return known
    const values = fieldsNamed(this.#parsed(), key).map((field) => this.#decoded(fieldValue(field)))
    this.#values.set(key, values)
    return values
  }

  has(name: string): boolean {
    return fieldsNamed(this.#parsed(), name.toLowerCase()).length > 0
  }

  /** All Subject fields: a second one must not hide what the first says, nor the other way round. */
  get subject(): string {
    this.#subject ??= this.values('subject').join('\n')
    return this.#subject
  }

  /** The author, where there is exactly one. */
  get from(): ParsedAddress | { readonly defect: FromDefect } {
    this.#from ??= fromAddresses(this.#parsed())
    return this.#from
  }

  /**
   * The mailboxes of each field of that name, in their order; null for a field that cannot be read without a guess,
   * and one null more where the header has more fields than are read: one of that name may be among them.
   */
  mailboxes(name: string): readonly (readonly ParsedAddress[] | null)[] {
    const header = this.#parsed()
    const fields = fieldsNamed(header, name.toLowerCase()).map((field) => parseMailboxes(fieldValue(field)))
    return header.complete ? fields : [...fields, null]
  }

  /**
   * The addresses in all fields of that name; of a field without a clear reading everything in it that looks like one,
   * because some reader may take it for that.
   */
  mentioned(name: string): readonly string[] {
    const values = fieldsNamed(this.#parsed(), name.toLowerCase()).map(fieldValue)
    const addresses = values.flatMap((value) => parseMailboxes(value) ?? guessedAddresses(value))
    return addresses.map(({ address }) => address)
  }

  #decoded(value: string): string {
    if (!value.includes('=?')) return decodeWords(value)
    this.#encodedLeft -= value.length
    return this.#encodedLeft < 0 ? oneLine(value) : decodeWords(value)
  }

  #parsed(): Header {
    this.#header ??= parseHeader(this.#bytes)
    return this.#header
  }
}

function guessedAddresses(value: string): ParsedAddress[] {
  return value
    .slice(0, longestGuess)
    .split(/[\s<>()[\]:;,"]+/)
    .filter((word) => word.includes('@'))
    .flatMap((word) => {
      const parsed = parseAddress(word)
      return 'error' in parsed ? [] : [parsed]
    })
}
