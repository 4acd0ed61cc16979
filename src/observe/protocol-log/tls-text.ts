/** TLS and certificates in Exchange's words, by which its reports of TLS versions search the logs. */
import type { X509Certificate } from 'node:crypto'
import { printable } from '../../reply.ts'
import { type Direction, isoTime } from './record.ts'

export interface Negotiated {
  /** As Node names it: `TLSv1.3`. */
  readonly protocol: string
  /** The name of the RFCs: `TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384`. */
  readonly cipher: string
  /** Of the key exchange; 0 where it is not known. */
  readonly keyBits: number
}

export function negotiatedText(direction: Direction, { protocol, cipher, keyBits }: Negotiated): string {
  const version = protocol.replace(/^TLSv/, '').replace('.', '_')
  const role = direction === 'send' ? 'CLIENT' : 'SERVER'
  const [bulk, bulkBits] = bulkOf(cipher)
  const [hash, hashBits] = hashOf(cipher)
  return printable(
    `TLS protocol SP_PROT_TLS${version}_${role} negotiation succeeded ` +
      `using bulk encryption algorithm ${bulk} with strength ${bulkBits} bits, ` +
      `MAC hash algorithm ${hash} with strength ${hashBits} bits ` +
      `and key exchange algorithm ${keyExchangeOf(cipher)} with strength ${keyBits} bits`,
  )
}

/** The context of a certificate's record; its data are the values in this order. */
export const certificateContext = {
  receive:
    'Sending certificate Subject Issuer name Serial number Thumbprint Not before Not after Subject alternate names',
  send: 'Received certificate Subject Issuer name Serial number Thumbprint Not before Not after Subject alternate names',
} as const

export type CertificateFields = Pick<
  X509Certificate,
  'subject' | 'issuer' | 'serialNumber' | 'fingerprint' | 'validFrom' | 'validTo' | 'subjectAltName'
>

export function certificateText(certificate: CertificateFields): string {
  const { subject, issuer, serialNumber, fingerprint, validFrom, validTo } = certificate
  return printable(
    [
      oneLine(subject),
      oneLine(issuer),
      serialNumber,
      fingerprint.replaceAll(':', ''),
      dateOf(validFrom),
      dateOf(validTo),
      alternateNames(certificate.subjectAltName ?? ''),
    ]
      .filter((value) => value !== '')
      .join(' '),
  )
}

function bulkOf(cipher: string): [string, number] {
  if (cipher.includes('AES_256')) return ['CALG_AES_256', 256]
  if (cipher.includes('AES_128')) return ['CALG_AES_128', 128]
  return cipher.includes('CHACHA20') ? ['CHACHA20_POLY1305', 256] : [cipher, 0]
}

function hashOf(cipher: string): [string, number] {
  const bits = Number(/_SHA(256|384)$/.exec(cipher)?.[1] ?? 0)
  if (bits > 0) return [`CALG_SHA_${bits}`, bits]
  return cipher.endsWith('_SHA') ? ['CALG_SHA1', 160] : [cipher, 0]
}

/** TLS 1.3 has only ephemeral key exchange, and no word for it in the cipher's name. */
function keyExchangeOf(cipher: string): string {
  if (cipher.startsWith('TLS_RSA_')) return 'CALG_RSA_KEYX'
  return cipher.startsWith('TLS_DHE_') ? 'CALG_DH_EPHEM' : 'CALG_ECDH_EPHEM'
}

/** A distinguished name, which comes with a line for each part. */
const oneLine = (name: string): string => name.trim().split('\n').join(', ')

function dateOf(text: string): string {
  const at = Date.parse(text)
  return Number.isNaN(at) ? text : isoTime(at)
}

const alternateNames = (names: string): string =>
  names
    .split(', ')
    .map((name) => name.replace(/^(?:DNS|IP Address):/, ''))
    .join(';')
