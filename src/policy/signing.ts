/**
 * Signs messages with DKIM, last of all, so that nothing of ours breaks the signature. The body is read and hashed
 * once for all keys; signatures are computed on the thread pool, as one with RSA takes most of a millisecond.
 *
 * Our own over node:crypto: mailauth needs a newer Node than we do, and nodemailer's signer knows RSA only.
 */
import { createHash, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import {
  type DkimKey,
  keysFor,
  type SignedHeader,
  signedField,
  signedHeader,
  signingDomain,
  signingInput,
  unsignedField,
} from '../message/dkim.ts'
import { RelaxedBody, withLineEnds } from '../message/dkim-canonical.ts'
import type { BodySource, Draft } from '../message/draft.ts'
import { parseHeader } from '../message/header.ts'

export class DkimSigner {
  readonly #keys = new Map<string, DkimKey[]>()

  constructor(keys: readonly DkimKey[]) {
    for (const key of keys) {
      const others = this.#keys.get(key.domain)
      if (others === undefined) this.#keys.set(key.domain, [key])
      else others.push(key)
    }
  }

  get empty(): boolean {
    return this.#keys.size === 0
  }

  /** With a signature of each key of the author's domain before its header; the same draft where there is none. */
  async sign(draft: Draft, { now }: { now: number }): Promise<Draft> {
    if (this.empty) return draft
    const header = parseHeader(withLineEnds(draft.header))
    const domain = signingDomain(header)
    const keys = domain === null ? [] : keysFor(this.#keys, domain)
    if (keys.length === 0) return draft
    const signed = signedHeader(header)
    const bodyHash = await relaxedBodyHash(draft.body)
    const fields = await Promise.all(keys.map((key) => signature(key, { header: signed, bodyHash, now })))
    return { header: Buffer.concat([Buffer.from(fields.join('')), draft.header]), body: draft.body }
  }
}

/** RFC 8301 §3.1, RFC 8463 §3: every algorithm of today hashes with SHA-256. */
async function relaxedBodyHash(body: BodySource): Promise<string> {
  const hash = createHash('sha256')
  const canonical = new RelaxedBody((bytes) => hash.update(bytes))
  for await (const chunk of body.read()) canonical.write(chunk)
  canonical.end()
  return hash.digest('base64')
}

async function signature(
  key: DkimKey,
  { header, ...options }: { header: SignedHeader; bodyHash: string; now: number },
): Promise<string> {
  const field = unsignedField(key, { ...options, names: header.names })
  return signedField(field, await signatureOf(key, signingInput(header, field)))
}

function signatureOf(key: DkimKey, input: Buffer): Promise<Buffer> {
  return key.algorithm === 'rsa-sha256'
    ? onThreadPool('sha256', input, key.privateKey)
    : // RFC 8463 §3: what Ed25519 signs is the digest; it has no digest of its own.
      onThreadPool(null, createHash('sha256').update(input).digest(), key.privateKey)
}

const onThreadPool: (algorithm: string | null, data: Buffer, key: KeyObject) => Promise<Buffer> =
  promisify(sign)
