/** Changes of the tokens: one more, one less, and that one was used. */
import type { CurrentSetup } from './current.ts'
import { type Plan, SetupRefused } from './plan.ts'
import { type Token, type TokenValue, tokenKind, used } from './token.ts'

/** Of the token of this machine, which is not among these: whoever acts under this name must be that. */
const localName = 'local'

export function planTokenNew(
  { tokens }: CurrentSetup,
  { id, value, now }: { readonly id: string; readonly value: TokenValue; readonly now: number },
): Plan {
  const { name, expiresAt } = value
  if (name === localName)
    throw new SetupRefused(
      'invalid',
      'name must not be local: so the token of this machine is called',
      'name',
    )
  if (tokens.some((token) => token.name === name))
    throw new SetupRefused('conflict', `There is a token of the name ${name} already`, 'name')
  if (expiresAt !== null && expiresAt <= now)
    throw new SetupRefused('invalid', 'expiresAt must lie in the future', 'expiresAt')
  return {
    changes: [{ kind: tokenKind, id, expected: null, value }],
    audit: [{ act: 'created', what: 'token', id, before: null, after: told(value) }],
  }
}

export function planTokenRemove({ tokens, snapshot }: CurrentSetup, { id }: { readonly id: string }): Plan {
  const token = tokens.find((each) => each.id === id)
  // One that cannot be read lets nobody in, but stands in the way of whoever tidies up.
  const object = snapshot.objects.find((each) => each.kind === tokenKind && each.id === id)
  if (object === undefined) throw new SetupRefused('missing', `There is no token ${id}`)
  return {
    changes: [{ kind: tokenKind, id, expected: object.version, value: null }],
    audit: [{ act: 'removed', what: 'token', id, before: token ? told(token) : {}, after: null }],
  }
}

/** No event: it is nobody's act. */
export function planTokenUse(
  { tokens }: CurrentSetup,
  { id, now }: { readonly id: string; readonly now: number },
): Plan {
  const token = tokens.find((each) => each.id === id)
  const value = token === undefined ? null : used(token, now)
  if (token === undefined || value === null) return { changes: [], audit: [] }
  return { changes: [{ kind: tokenKind, id, expected: token.version, value }], audit: [] }
}

const told = ({ name, scopes, expiresAt }: TokenValue | Token): object => ({ name, scopes, expiresAt })
