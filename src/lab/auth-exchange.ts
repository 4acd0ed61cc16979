/**
 * The server side of AUTH PLAIN (RFC 4616) and LOGIN, with and without an initial response (RFC 4954 §4): what to
 * ask next, until there are credentials. Whether they are right is not decided here.
 */

export type AuthStep =
  | { readonly kind: 'challenge'; readonly text: string }
  | { readonly kind: 'credentials'; readonly user: string; readonly password: string }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'malformed' }

export type AuthMechanism = 'PLAIN' | 'LOGIN'

const usernamePrompt = Buffer.from('Username:').toString('base64')
const passwordPrompt = Buffer.from('Password:').toString('base64')

export class AuthExchange {
  readonly #mechanism: AuthMechanism
  #user: string | null = null

  constructor(mechanism: AuthMechanism) {
    this.#mechanism = mechanism
  }

  /** The first step: null where the client sent no initial response, `=` where it sent an empty one. */
  begin(initialResponse: string | null): AuthStep {
    if (initialResponse !== null) return this.next(initialResponse === '=' ? '' : initialResponse)
    return { kind: 'challenge', text: this.#mechanism === 'PLAIN' ? '' : usernamePrompt }
  }

  /** The client's line after a challenge. */
  next(line: string): AuthStep {
    if (line === '*') return { kind: 'cancelled' }
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(line))
      return { kind: 'malformed' }
    const response = Buffer.from(line, 'base64').toString()
    return this.#mechanism === 'PLAIN' ? plainCredentials(response) : this.#loginStep(response)
  }

  #loginStep(response: string): AuthStep {
    if (this.#user !== null) return { kind: 'credentials', user: this.#user, password: response }
    this.#user = response
    return { kind: 'challenge', text: passwordPrompt }
  }
}

function plainCredentials(response: string): AuthStep {
  const [, user, password, ...more] = response.split('\0')
  if (user === undefined || password === undefined || more.length > 0) return { kind: 'malformed' }
  return { kind: 'credentials', user, password }
}
