/**
 * Password hashes: `scrypt$N$r$p$salt$hash`, salt and hash in base64. The cost stands in each hash, so it can
 * be raised without invalidating the old ones.
 */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'

/** 16 MiB and about 50 ms: dear for who guesses, cheap for one login per connection. */
const cost = { N: 16_384, r: 8, p: 1 }

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const hash = await derive(password, { salt, length: 32, ...cost })
  return `scrypt$${cost.N}$${cost.r}$${cost.p}$${salt.toString('base64')}$${hash.toString('base64')}`
}

/** Compares in constant time. Throws where `passwordHash` is not a hash. */
export async function verifyPassword(password: string, passwordHash: string): Promise<boolean> {
  const parsed = parsePasswordHash(passwordHash)
  if (parsed === null)
    throw new Error('Cannot verify a password: the stored hash is not one of relay password')
  const { hash, ...parameters } = parsed
  return timingSafeEqual(await derive(password, { ...parameters, length: hash.length }), hash)
}

export const isPasswordHash = (text: string): boolean => parsePasswordHash(text) !== null

interface ScryptParameters {
  readonly N: number
  readonly r: number
  readonly p: number
  readonly salt: Buffer
}

/** No hash may ask for more than this: a typing error in a cost must not stop the relay. */
const mostMemoryBytes = 256 * 1024 ** 2

function parsePasswordHash(text: string): (ScryptParameters & { hash: Buffer }) | null {
  const match =
    /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]+={0,2})$/.exec(text)
  if (!match) return null
  const [N, r, p] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const salt = Buffer.from(match[4]!, 'base64')
  const hash = Buffer.from(match[5]!, 'base64')
  const powerOfTwo = N > 1 && (N & (N - 1)) === 0
  if (!powerOfTwo || r < 1 || p < 1 || p > 16 || 128 * N * r > mostMemoryBytes) return null
  return salt.length < 8 || hash.length < 16 ? null : { N, r, p, salt, hash }
}

/** One spelling per password: a client may send `é` as one character or as two (RFC 8265). */
function derive(password: string, options: ScryptParameters & { length: number }): Promise<Buffer> {
  const { salt, length, N, r, p } = options
  const settings: ScryptOptions = { N, r, p, maxmem: mostMemoryBytes * 2 }
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, length, settings, (error, key) =>
      error ? reject(error) : resolve(key),
    )
  })
}
