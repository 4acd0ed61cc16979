/** The tokens of the API, and the key that seals what the state keeps secret. */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '../../clock.ts'
import type { Planning } from '../../setup/plan.ts'
import type { Setup } from '../../setup/setup.ts'
import { applicationSecretContext, newToken, type Scope, scopes, type TokenValue } from '../../setup/token.ts'
import { planTokenNew, planTokenRemove } from '../../setup/token-plans.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { newTokenView, rekeyView, tokenInput, tokenListView, tokenParams, tokenViewOf } from './token-view.ts'

export interface TokenEndpointsOptions {
  readonly setup: Pick<Setup, 'current' | 'apply' | 'rekey'>
  readonly clock: Clock
}

export function tokenEndpoints({ setup, clock }: TokenEndpointsOptions): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/tokens',
      scope: 'admin',
      part: 'Access',
      summary: 'The tokens, without what they are',
      answer: tokenListView,
      handle: async () => ({ tokens: setup.current.tokens.map(tokenViewOf) }),
    }),
    endpoint({
      method: 'POST',
      path: '/tokens',
      scope: 'admin',
      part: 'Access',
      summary: 'Make a token; the answer alone shows it',
      body: tokenInput,
      answer: newTokenView,
      status: 201,
      problems: [409],
      async handle({ body, by }) {
        const made = newToken({
          ...body,
          scopes: inOrder(body.scopes),
          now: clock.now(),
          random: randomBytes,
        })
        const applicationSecret = body.ovhcloud ? randomBytes(32).toString('base64url') : null
        await setup.apply(
          (current, { now, seal }) =>
            planTokenNew(current, {
              ...made,
              value: withApplication(made, { applicationSecret, seal }),
              now,
            }),
          { by },
        )
        const { presented: token, id, value } = made
        const shown = { token, ...tokenViewOf({ ...value, id, version: 1 }) }
        if (applicationSecret === null) return shown
        return { ...shown, ovhcloud: { applicationKey: id, applicationSecret, consumerKey: token } }
      },
    }),
    endpoint({
      method: 'DELETE',
      path: '/tokens/:id',
      scope: 'admin',
      part: 'Access',
      summary: 'Remove a token; sessions that it opened end with it',
      params: tokenParams,
      answer: null,
      problems: [404],
      async handle({ params, by }) {
        await setup.apply((current) => planTokenRemove(current, params), { by })
      },
    }),
    endpoint({
      method: 'POST',
      path: '/state/rekey',
      scope: 'admin',
      part: 'Access',
      summary: 'Seal every secret of the state anew with the current key',
      body: z.strictObject({}),
      answer: rekeyView,
      problems: [409],
      handle: async ({ by }) => ({ resealed: await setup.rekey({ by }) }),
    }),
  ]
}

function withApplication(
  { id, value }: { readonly id: string; readonly value: TokenValue },
  options: { readonly applicationSecret: string | null; readonly seal: Planning['seal'] },
): TokenValue {
  const { applicationSecret, seal } = options
  if (applicationSecret === null) return value
  return { ...value, applicationSecret: seal(applicationSecret, applicationSecretContext(id)) }
}

/** Each once. */
const inOrder = (given: readonly Scope[]): Scope[] => scopes.filter((scope) => given.includes(scope))
