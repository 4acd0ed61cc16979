/**
 * The client's side of AUTH PLAIN (RFC 4616) and AUTH LOGIN, read strictly: base64 with its padding, UTF-8,
 * no control characters. Null is always a malformed response.
 */

/** RFC 4954 §4: an initial response of `=` is an empty one. */
export function decodeInitialResponse(text: string): string | null {
  return text === '=' ? '' : decodeResponse(text)
}

export function decodeResponse(text: string): string | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null
  try {
    return utf8.decode(Buffer.from(text, 'base64'))
  } catch {
    return null
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** authzid NUL authcid NUL passwd; nobody may act for somebody else, so the first is empty or the second. */
export function parsePlain(response: string): { user: string; password: string } | null {
  const parts = response.split('\u0000')
  const [authzid, user, password] = parts
  if (parts.length !== 3 || !user || password === undefined) return null
  if (authzid !== '' && authzid !== user) return null
  return isUserName(user) ? { user, password } : null
}

export const isUserName = (text: string): boolean => /^[^\u0000-\u001f\u007f-\u009f]{1,255}$/.test(text)
