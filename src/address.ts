/**
 * Mail addresses (RFC 5321 §4.1.2, RFC 6531): one strict parser and one canonical form, which routing, policy,
 * storage, the log and RCPT at the smart host all use. What has two readings is refused, not guessed: a
 * relay that reads an address other than the next hop does can be made to deliver elsewhere.
 */
import { domainToASCII } from 'node:url'

export interface ParsedAddress {
  /** Local part as given, then `@`, then the domain in lower-case A-labels or as an address literal. */
  readonly address: string
  readonly localPart: string
  readonly domain: string
}

export type AddressError =
  | 'syntax' // not a Mailbox of RFC 5321 §4.1.2
  | 'too-long' // RFC 5321 §4.5.3.1: local part 64, domain 255, path 256 octets
  | 'domain' // a domain that does not map to A-labels, or maps to something else than it seems
  | 'source-route' // percent hack or bang path in the local part: asks us to relay behind the next hop's back

const atext =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\u{10ffff}]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\u{10ffff}]+)*$/u
const quoted = /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\u{10ffff}]|\\[\x20-\x7e])*"$/u
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const invisible =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffd]/u

/**
 * The form of nearly all addresses, already canonical: a look at it costs a tenth of what reading takes. Its labels
 * are short enough by the length of the whole, and none is an A-label, as no two hyphens stand together.
 */
const usual =
  /^[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*@[a-z0-9]+(?:[.-][a-z0-9]+)*$/
const longestUsual = 64

/** Reads one address without angle brackets. The null reverse-path is not an address: ask for it before. */
export function parseAddress(text: string): ParsedAddress | { error: AddressError } {
  if (text.length > longestUsual || !usual.test(text)) return readAddress(text)
  const at = text.indexOf('@')
  return { address: text, localPart: text.slice(0, at), domain: text.slice(at + 1) }
}

/** The same by all rules; exported for the test that compares the two. */
export function readAddress(text: string): ParsedAddress | { error: AddressError } {
  if (invisible.test(text)) return { error: 'syntax' }
  const at = text.lastIndexOf('@')
  if (at < 1) return { error: 'syntax' }
  const localPart = text.slice(0, at)
  if (!atext.test(localPart) && !quoted.test(localPart)) return { error: 'syntax' }
  if (Buffer.byteLength(localPart) > 64) return { error: 'too-long' }
  if (/[%!]/.test(localPart) || localPart.includes('@')) return { error: 'source-route' }
  const domain = canonicalDomain(text.slice(at + 1))
  if (domain === null) return { error: 'domain' }
  if (Buffer.byteLength(localPart) + 1 + domain.length > 254) return { error: 'too-long' }
  return { address: `${localPart}@${domain}`, localPart, domain }
}

/**
 * The canonical form of a domain: lower case, A-labels (RFC 5890), no trailing dot, or an address literal
 * (`[192.0.2.1]`, `[IPv6:2001:db8::1]`). Null where it is not a domain, or where mapping to A-labels changes
 * ASCII that was there (full-width forms, ideographic dots and the like read as two different domains).
 */
export function canonicalDomain(text: string): string | null {
  if (/^\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9a-f:.]+)\]$/i.test(text))
    return text.toLowerCase().replace('ipv6:', 'IPv6:')
  let name = text
  if (name.endsWith('.')) name = name.slice(0, -1)
  const lower = name.toLowerCase()
  const ascii = /^[\x00-\x7f]*$/.test(lower)
  // Compatibility forms (full-width letters, U+3002 and other dots) change under NFKC; real U-labels do not.
  if (!ascii && lower.normalize('NFKC') !== lower) return null
  if (/[\u3002\uff0e\uff61]/.test(lower)) return null
  const mapped = ascii && !/(^|\.)xn--/.test(lower) ? lower : domainToASCII(lower)
  if (mapped === '' || mapped.length > 255) return null
  if (ascii && mapped !== lower) return null
  if (!mapped.split('.').every((part) => label.test(part))) return null
  return mapped
}

/** The domain of an address in canonical form; the empty string for the null reverse-path. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1)
}

/** Whether the local part needs SMTPUTF8 (RFC 6531): the domain never does, it is in A-labels. */
export function needsSmtpUtf8(address: string): boolean {
  return !/^[\x00-\x7f]*$/.test(address)
}
