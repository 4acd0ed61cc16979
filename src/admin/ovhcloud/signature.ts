/**
 * The signature of OVHcloud's API: `$1$` and the SHA-1 of secret, consumer key, method, URL, body and timestamp, joined
 * with `+`. The client signs the URL that it means to call, which is not quite what arrives: npm `ovh` always writes
 * https and leaves out the port, and behind a proxy that ends TLS scheme and host are others. So each spelling of the
 * hosts that a request names is tried; the path with its query must be the same to the byte.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

export interface SignedRequest {
  readonly method: string
  /** Path and query, as they came. */
  readonly target: string
  /** The Host field, and what a proxy says that it was before. */
  readonly hosts: readonly string[]
  /** As it came. */
  readonly body: Buffer
  readonly consumerKey: string
  /** As it came. */
  readonly timestamp: string
}

/** A client's clock may differ by as much; the clients ask `/auth/time` once and keep the difference. */
export const timestampToleranceMs = 5 * 60_000

/** Epoch ms; null where it is none, or too far from now. */
export function timestampOf(text: string | undefined, { now }: { now: number }): number | null {
  if (text === undefined || !/^\d{1,11}$/.test(text)) return null
  const at = Number(text) * 1000
  return Math.abs(now - at) <= timestampToleranceMs ? at : null
}

export function isSigned(signature: string, request: SignedRequest, applicationSecret: string): boolean {
  const presented = Buffer.from(signature)
  let signed = false
  for (const url of urlsOf(request)) {
    const expected = Buffer.from(signatureOf({ ...request, url }, applicationSecret))
    if (presented.length === expected.length && timingSafeEqual(presented, expected)) signed = true
  }
  return signed
}

function signatureOf(
  { consumerKey, method, url, body, timestamp }: Omit<SignedRequest, 'hosts' | 'target'> & { url: string },
  applicationSecret: string,
): string {
  const digest = createHash('sha1')
    .update(`${applicationSecret}+${consumerKey}+${method}+${url}+`)
    .update(body)
    .update(`+${timestamp}`)
    .digest('hex')
  return `$1$${digest}`
}

function urlsOf({ hosts, target }: SignedRequest): string[] {
  return [...new Set(hosts.flatMap(spellingsOf))].flatMap((host) => [
    `https://${host}${target}`,
    `http://${host}${target}`,
  ])
}

function spellingsOf(host: string): string[] {
  const name = host.replace(/:\d{1,5}$/, '')
  return [name, host, name.replace(/^\[(.*)\]$/, '$1')]
}
