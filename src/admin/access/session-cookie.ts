/**
 * The cookie that holds a session. Scripts cannot read it, and a request that another site causes does not carry it;
 * with TLS it also goes nowhere in clear, and no other host or port of ours can set it (RFC 6265bis §4.1.3.2). Pure.
 */

const nameOf = ({ isTls }: { isTls: boolean }): string => (isTls ? '__Host-relay-session' : 'relay-session')

/** The session's secret in the field Cookie. */
export function sessionIn(cookie: string | undefined, options: { isTls: boolean }): string | null {
  const prefix = `${nameOf(options)}=`
  for (const pair of (cookie ?? '').split(';')) {
    const trimmed = pair.trim()
    if (trimmed.startsWith(prefix)) return trimmed.slice(prefix.length)
  }
  return null
}

export function sessionCookie(secret: string, { isTls }: { isTls: boolean }): string {
  const attributes = ['HttpOnly', 'SameSite=Strict', 'Path=/', ...(isTls ? ['Secure'] : [])]
  return [`${nameOf({ isTls })}=${secret}`, ...attributes].join('; ')
}

/** Makes the browser forget it. */
export const endedCookie = (options: { isTls: boolean }): string => `${sessionCookie('', options)}; Max-Age=0`
