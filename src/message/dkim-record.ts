/**
 * The DNS record of a DKIM key (RFC 6376 §3.6, RFC 8463 §4): where it stands, what it says, and how it is written in
 * a zone file, where no string may be longer than 255 octets.
 */
import type { KeyObject } from 'node:crypto'

export interface DkimRecord {
  /** Without a final dot, as most providers' forms want it. */
  readonly name: string
  readonly value: string
  /** The value in pieces of at most 255 octets; joined they are the value. */
  readonly strings: readonly string[]
  /** One line for a zone file. */
  readonly zoneLine: string
}

export function dkimRecord(key: {
  readonly domain: string
  readonly selector: string
  readonly publicKey: KeyObject
}): DkimRecord {
  const name = `${key.selector}._domainkey.${key.domain}`
  const value = `v=DKIM1; ${publicKeyTags(key.publicKey)}`
  const strings = value.match(/.{1,255}/g)!
  const quoted = strings.map((part) => `"${part}"`).join(' ')
  return { name, value, strings, zoneLine: `${name}. IN TXT ${quoted}` }
}

function publicKeyTags(key: KeyObject): string {
  const info = key.export({ type: 'spki', format: 'der' })
  // RFC 8463 §4.2 wants an Ed25519 key bare: the last 32 octets of its SubjectPublicKeyInfo (RFC 8410 §4).
  return key.asymmetricKeyType === 'ed25519'
    ? `k=ed25519; p=${info.subarray(-32).toString('base64')}`
    : `k=rsa; p=${info.toString('base64')}`
}
