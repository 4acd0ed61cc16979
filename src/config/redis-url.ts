/**
 * The URL of a Redis server. In the file it has no user and password, as no secret stands there; REDIS_URL in
 * the environment may have them, and they are taken out before the URL goes on to logs and operators.
 */

export interface RedisAddress {
  /** Without user and password. */
  readonly url: string
  readonly username: string | null
  readonly password: string | null
}

/** What is wrong with it, or null. The URL is not repeated: it may hold a password. */
export function redisUrlError(
  text: string,
  options: { credentials: 'allowed' | 'forbidden' },
): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:') || url.hostname === '')
    return 'must be a URL such as redis://127.0.0.1:6379, or rediss:// for TLS'
  if (!/^\/?\d{0,3}$/.test(url.pathname))
    return 'must have nothing but the number of a database after the host'
  if (url.search !== '' || url.hash !== '') return 'must not have a query or a fragment'
  if (options.credentials === 'forbidden' && (url.username !== '' || url.password !== ''))
    return 'must not hold user and password: they belong into username and password'
  return decoded(url.username) === null || decoded(url.password) === null
    ? 'must have user and password percent-encoded'
    : null
}

/** Splits a URL that `redisUrlError` has nothing against. */
export function parseRedisUrl(text: string): RedisAddress {
  const url = new URL(text)
  const username = decoded(url.username) || null
  const password = decoded(url.password) || null
  url.username = ''
  url.password = ''
  return { url: url.href, username, password }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
