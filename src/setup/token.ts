/**
 * The tokens of the API: what one may do, and whether one that is presented is one of them. A token is shown once,
 * when it is made; kept is its SHA-256. It is 256 random bits, so that a plain hash is as good as a slow one.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { isSealed, type SealedSecret, secretContext } from '../state/secrets.ts'
import type { StateSnapshot } from '../state/state.ts'

/** Each includes those before it. */
export const scopes = ['read', 'operate', 'admin'] as const
export type Scope = (typeof scopes)[number]

export const tokenName = z
  .string()
  .regex(/^[^\p{C}]{1,100}$/u, 'must be 1 to 100 characters')
  .refine((name) => name.trim() === name, 'must not begin or end with a blank')

/** A token as it is stored, under the kind `token` and the first 12 digits of its hash. */
export const tokenValue = z.strictObject({
  name: tokenName,
  scopes: z.array(z.enum(scopes)).min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.number(),
  /** Epoch ms; null: it does not expire. */
  expiresAt: z.number().nullable(),
  lastUsedAt: z.number().optional(),
  /** For requests signed as OVHcloud's clients do; the token's id is their application key. */
  applicationSecret: z.custom<SealedSecret>(isSealed, 'must be a sealed secret').optional(),
})
export type TokenValue = z.infer<typeof tokenValue>

export interface Token extends TokenValue {
  readonly id: string
  /** Of its object, for a change. */
  readonly version: number
}

export type Authentication =
  | { readonly token: Token }
  /** Why is for the log; who is refused with 401 is told nothing of it. */
  | { readonly refused: 401 | 403; readonly why: string }

export const tokenKind = 'token'

/** A new token: what its owner is given, once, and what is stored. */
export function newToken(options: {
  name: string
  scopes: readonly Scope[]
  expiresAt: number | null
  now: number
  random: (bytes: number) => Buffer
}): { readonly presented: string; readonly id: string; readonly value: TokenValue } {
  const { name, expiresAt, now, random } = options
  const presented = `relay_${random(32).toString('base64url')}`
  const hash = hashOf(presented)
  const value = { name, scopes: [...options.scopes], hash, createdAt: now, expiresAt }
  return { presented, id: idOf(hash), value: tokenValue.parse(value) }
}

/** The tokens of a state; one that is not what it should be lets nobody in, and is named. */
export function tokensIn({ objects }: StateSnapshot): {
  readonly tokens: readonly Token[]
  readonly unusable: readonly string[]
} {
  const tokens: Token[] = []
  const unusable: string[] = []
  for (const { kind, id, version, value } of objects) {
    if (kind !== tokenKind) continue
    const parsed = tokenValue.safeParse(value)
    if (parsed.success && idOf(parsed.data.hash) === id) tokens.push({ ...parsed.data, id, version })
    else unusable.push(id)
  }
  return { tokens, unusable }
}

/** Whether what a request presents, null where it presents nothing, is a token that has the scope it needs. */
export function authenticate(
  presented: string | null,
  tokens: readonly Token[],
  { now, needs }: { now: number; needs: Scope },
): Authentication {
  if (presented === null) return { refused: 401, why: 'no token was presented' }
  if (!/^relay_[A-Za-z0-9_-]{43}$/.test(presented))
    return { refused: 401, why: 'what was presented is no token' }
  const token = tokenOf(presented, tokens)
  if (token === null) return { refused: 401, why: 'there is no such token' }
  if (token.expiresAt !== null && now >= token.expiresAt)
    return { refused: 401, why: `token ${token.id} expired at ${new Date(token.expiresAt).toISOString()}` }
  if (!allows(token.scopes, needs))
    return { refused: 403, why: `token ${token.id} has the scope ${token.scopes.join(', ')}, not ${needs}` }
  return { token }
}

export function allows(given: readonly Scope[], needs: Scope): boolean {
  return given.some((scope) => scopes.indexOf(scope) >= scopes.indexOf(needs))
}

/** The token as it is to be stored after a use; null where that is stored nearly enough. */
export function used({ id: _id, version: _version, ...value }: Token, now: number): TokenValue | null {
  return now - (value.lastUsedAt ?? 0) < useEveryMs ? null : { ...value, lastUsedAt: now }
}

/** A use is a change that every node hears of, so only one an hour is written. */
const useEveryMs = 60 * 60_000

/** Each is compared, whole and in constant time: how long it takes tells nothing of what is stored. */
function tokenOf(presented: string, tokens: readonly Token[]): Token | null {
  const hash = Buffer.from(hashOf(presented), 'hex')
  let found: Token | null = null
  for (const token of tokens) if (timingSafeEqual(Buffer.from(token.hash, 'hex'), hash)) found = token
  return found
}

/** What the application secret of a token is sealed for. */
export const applicationSecretContext = (id: string): string =>
  secretContext({ kind: tokenKind, id }, ['applicationSecret'])

/** The id of the token that is presented, whether there is one or not. */
export const tokenIdOf = (presented: string): string => idOf(hashOf(presented))

const hashOf = (presented: string): string => createHash('sha256').update(presented).digest('hex')

const idOf = (hash: string): string => hash.slice(0, 12)
