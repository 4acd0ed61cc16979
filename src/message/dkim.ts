/**
 * DKIM signatures (RFC 6376, RFC 8463): who signs, what is signed, and the DKIM-Signature field. Pure: hashing and
 * signing are done by `policy/signing.ts`.
 *
 * Always relaxed/relaxed; all of the body (no `l=`, which lets others append to it), and no `x=`, as mail may wait for days.
 */
import type { KeyObject } from 'node:crypto'
import { relaxedField } from './dkim-canonical.ts'
import { fromAddresses, type Header, type HeaderField } from './header.ts'

export type DkimAlgorithm = 'rsa-sha256' | 'ed25519-sha256'

export function dkimAlgorithm(key: KeyObject): DkimAlgorithm {
  return key.asymmetricKeyType === 'ed25519' ? 'ed25519-sha256' : 'rsa-sha256'
}

export interface DkimKey {
  /** Canonical. */
  readonly domain: string
  readonly selector: string
  readonly algorithm: DkimAlgorithm
  readonly privateKey: KeyObject
}

/** What `h=` names, and the fields that these are, in canonical form. */
export interface SignedHeader {
  readonly names: readonly string[]
  readonly canonical: string
}

/**
 * Signed once more than they are there, so that a second one, put above by whoever sends the message again, breaks the
 * signature: readers show the upper one. Nobody on the way has reason to add these, other than lists, which mostly change
 * what is signed anyway.
 */
const sealed = ['from', 'to', 'cc', 'reply-to', 'subject']

/**
 * The same, but only where there is one: the next hop may add what is missing (RFC 6409 §8), and that must not
 * break the signature.
 */
const sealedWherePresent = [
  'date',
  'message-id',
  'sender',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
]

/** As many as there are (RFC 6376 §5.4.1): what answers, lists and forwarders may add is theirs. */
const covered = /^(in-reply-to|references|content-.+|list-.+|resent-.+)$/

/**
 * The domain whose keys sign: the one of the only mailbox in the only From field. Null where there is none, or none
 * that all read alike, and where the first line would become part of a field put before it.
 */
export function signingDomain(header: Header): string | null {
  const first = header.fields[0]?.raw[0]
  if (first === 0x20 || first === 0x09) return null
  const author = fromAddresses(header)
  return 'defect' in author ? null : author.domain
}

/** The keys of the most specific configured domain that is the author's or above it. */
export function keysFor(keys: ReadonlyMap<string, readonly DkimKey[]>, domain: string): readonly DkimKey[] {
  let name = domain
  for (;;) {
    const found = keys.get(name)
    if (found !== undefined) return found
    const dot = name.indexOf('.')
    if (dot === -1) return []
    name = name.slice(dot + 1)
  }
}

/** Of fields of one name the lowest is signed first (RFC 6376 §5.4.2). */
export function signedHeader(header: Header): SignedHeader {
  const byName = new Map<string, HeaderField[]>()
  for (const name of [...sealed, ...sealedWherePresent]) byName.set(name, [])
  for (const field of header.fields) {
    if (field.name === null) continue
    if (byName.has(field.name)) byName.get(field.name)!.push(field)
    else if (covered.test(field.name)) byName.set(field.name, [field])
  }
  const fields = [...byName.values()].flatMap((same) => same.reverse())
  const present = sealedWherePresent.filter((name) => byName.get(name)!.length > 0)
  return {
    // One name more than there are fields stands for nothing in what is signed, so that these may all come last.
    names: [...fields.map((field) => field.name!), ...sealed, ...present],
    canonical: fields.map((field) => relaxedField(field.raw)).join(''),
  }
}

/** The DKIM-Signature field up to and with `b=`, folded; the rest is made by `signedField`. */
export function unsignedField(
  key: DkimKey,
  options: { readonly names: readonly string[]; readonly bodyHash: string; readonly now: number },
): string {
  const { domain, selector, algorithm } = key
  const tags = ['v=1;', `a=${algorithm};`, 'c=relaxed/relaxed;', `d=${domain};`, `s=${selector};`]
  return folded('DKIM-Signature:', [
    ...tags.map((tag) => ` ${tag}`),
    ` t=${Math.floor(options.now / 1000)};`,
    ...options.names.map((name, index) => {
      const last = index === options.names.length - 1
      return `${index === 0 ? ' h=' : ''}${name}${last ? ';' : ':'}`
    }),
    ` bh=${options.bodyHash};`,
    ' b=',
  ])
}

/** What the key signs: the fields, and the signature's own without its value and line end (RFC 6376 §3.7). */
export function signingInput(header: SignedHeader, field: string): Buffer {
  return Buffer.from(header.canonical + relaxedField(Buffer.from(field)).slice(0, -2), 'latin1')
}

/** The whole field, to be put before the header. */
export function signedField(field: string, signature: Buffer): string {
  return `${folded(field, signature.toString('base64').match(/.{1,72}/g)!)}\r\n`
}

const lineLength = 78

/** Each word where it fits, else on the next line, without the blank before it. */
function folded(text: string, words: readonly string[]): string {
  let field = text
  let length = text.length - (text.lastIndexOf('\n') + 1)
  for (const word of words) {
    if (length + word.length <= lineLength) {
      field += word
      length += word.length
    } else {
      const next = word.trimStart()
      field += `\r\n\t${next}`
      length = 1 + next.length
    }
  }
  return field
}
