/**
 * Whether a page of ours sent a request that changes something. A browser adds the cookie by itself, so the cookie alone
 * does not say that whoever looks at the page meant it. What browsers say of the sender no page can forge. Pure.
 */

export interface Sender {
  /** The field Sec-Fetch-Site. */
  readonly fetchSite: string | undefined
  /** The field Origin. */
  readonly origin: string | undefined
  readonly host: string | undefined
  readonly isTls: boolean
}

/** Null where it was our own page, else why that is not known. */
export function foreignness({ fetchSite, origin, host, isTls }: Sender): string | null {
  // Behind a proxy that speaks TLS only this one holds: the page's origin is the proxy's.
  if (fetchSite === 'same-origin') return null
  if (fetchSite !== undefined) return `it came from another site (Sec-Fetch-Site: ${fetchSite})`
  if (origin === undefined) return 'neither Sec-Fetch-Site nor Origin says that it came from our own page'
  const own = `${isTls ? 'https' : 'http'}://${host ?? ''}`
  return origin.toLowerCase() === own.toLowerCase() ? null : `it came from ${origin}, not from ${own}`
}
