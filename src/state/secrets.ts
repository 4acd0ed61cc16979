/**
 * Secrets inside the values of the runtime state, sealed with AES-256-GCM. What a sealed secret belongs to (kind,
 * id and field) is authenticated with it, so that who can write the store, but has no key, can neither change a secret
 * nor make another connector use it. What is sealed names its key: the current key seals, former ones still open.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { keyOf } from './record.ts'

/** As it stands in a value: `{ sealed: 'v1:keyid:nonce:ciphertext' }`. */
export interface SealedSecret {
  readonly sealed: string
}

export interface SecretKey {
  /** The first 8 hexadecimal digits of the key's SHA-256. */
  readonly id: string
  /** Shows nothing of itself in logs and JSON, as its bytes would. */
  readonly key: KeyObject
}

/** The message has nothing of the secret in it. */
export class SecretUnreadable extends Error {
  override name = 'SecretUnreadable'
}

/** The key of a text in base64, as a file or the environment holds it. */
export function parseSecretKey(text: string): SecretKey | { readonly error: string } {
  const base64 = text.trim().replace(/-/g, '+').replace(/_/g, '/')
  const bytes = Buffer.from(base64, 'base64')
  const isBase64 = bytes.toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '')
  if (!isBase64 || bytes.length !== keyBytes)
    return { error: `must be ${keyBytes} bytes in base64, as openssl rand -base64 ${keyBytes} makes them` }
  return { id: keyIdOf(bytes), key: createSecretKey(bytes) }
}

/** What a secret is sealed for: the field of an object. No two fields have the same. */
export function secretContext(
  object: { readonly kind: string; readonly id: string },
  path: readonly string[],
): string {
  return JSON.stringify([keyOf(object), ...path])
}

export function isSealed(value: unknown): value is SealedSecret {
  return isPlainObject(value) && Object.keys(value).length === 1 && typeof value.sealed === 'string'
}

export class SecretBox {
  readonly #current: SecretKey
  readonly #keys: ReadonlyMap<string, SecretKey>

  constructor(keys: { readonly current: SecretKey; readonly former: readonly SecretKey[] }) {
    this.#current = keys.current
    this.#keys = new Map([...keys.former, keys.current].map((key) => [key.id, key]))
  }

  seal(text: string, { context }: { context: string }): SealedSecret {
    const { id, key } = this.#current
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv(algorithm, key, nonce)
    cipher.setAAD(Buffer.from(context))
    const bytes = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return { sealed: [version, id, nonce.toString('base64url'), bytes.toString('base64url')].join(':') }
  }

  /** Throws `SecretUnreadable`. */
  open(secret: SealedSecret, { context }: { context: string }): string {
    const { keyId, nonce, ciphertext, tag } = partsOf(secret)
    const key = this.#keys.get(keyId)
    if (key === undefined)
      throw new SecretUnreadable(`It is sealed with the key ${keyId}; ${this.#whichKeys()}`)
    const decipher = createDecipheriv(algorithm, key.key, nonce, { authTagLength: tagBytes })
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(tag)
    try {
      return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString()
    } catch {
      throw new SecretUnreadable(`It was changed, or sealed for something else than ${context}`)
    }
  }

  /** Whether it is sealed with another key than the current one, or cannot tell. */
  isOutdated(secret: SealedSecret): boolean {
    return partsOf(secret).keyId !== this.#current.id
  }

  #whichKeys(): string {
    const ids = [...this.#keys.keys()]
    return ids.length === 1 ? `the configured one is ${ids[0]}` : `the configured ones are ${ids.join(', ')}`
  }
}

/**
 * The value with every secret that is not under the current key sealed anew; the same value where there is none.
 * Throws `SecretUnreadable`, naming the field, where one cannot be opened.
 */
export function reseal(
  value: unknown,
  options: { box: SecretBox; object: { readonly kind: string; readonly id: string } },
): unknown {
  return resealed(value, { ...options, path: [] })
}

interface Place {
  readonly box: SecretBox
  readonly object: { readonly kind: string; readonly id: string }
  readonly path: readonly string[]
}

function resealed(value: unknown, place: Place): unknown {
  if (isSealed(value)) return resealedSecret(value, place)
  const inside = (inner: unknown, name: string | number) =>
    resealed(inner, { ...place, path: [...place.path, String(name)] })
  if (Array.isArray(value)) {
    const items = value.map(inside)
    return items.some((item, n) => item !== value[n]) ? items : value
  }
  if (!isPlainObject(value)) return value
  const fields = Object.entries(value).map(([name, inner]) => [name, inside(inner, name)] as const)
  return fields.some(([name, inner]) => inner !== value[name]) ? Object.fromEntries(fields) : value
}

function resealedSecret(secret: SealedSecret, { box, object, path }: Place): SealedSecret {
  const context = secretContext(object, path)
  try {
    return box.isOutdated(secret) ? box.seal(box.open(secret, { context }), { context }) : secret
  } catch (error) {
    if (!(error instanceof SecretUnreadable)) throw error
    throw new SecretUnreadable(`${keyOf(object)}, ${path.join('.')}: ${error.message}`)
  }
}

const version = 'v1'
const algorithm = 'aes-256-gcm'
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16

interface Parts {
  readonly keyId: string
  readonly nonce: Buffer
  readonly ciphertext: Buffer
  readonly tag: Buffer
}

function partsOf({ sealed }: SealedSecret): Parts {
  const found = /^v1:([0-9a-f]{8}):([A-Za-z0-9_-]{16}):([A-Za-z0-9_-]{22,})$/.exec(sealed)
  if (found === null) throw new SecretUnreadable(`It is no secret sealed by this version (${version})`)
  const bytes = Buffer.from(found[3]!, 'base64url')
  // Base64 has several spellings of the same bytes; only the one we write is taken.
  if (bytes.toString('base64url') !== found[3])
    throw new SecretUnreadable(`It is no secret sealed by this version (${version})`)
  return {
    keyId: found[1]!,
    nonce: Buffer.from(found[2]!, 'base64url'),
    ciphertext: bytes.subarray(0, -tagBytes),
    tag: bytes.subarray(-tagBytes),
  }
}

const keyIdOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex').slice(0, 8)

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
