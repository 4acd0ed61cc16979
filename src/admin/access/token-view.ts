/** What `/tokens` takes and answers. A token itself is shown once, when it is made. */
import { z } from 'zod'
import { scopes, type Token, tokenName } from '../../setup/token.ts'

const instant = z.int().min(0).max(8.64e15)

export const tokenInput = z.strictObject({
  name: tokenName.describe('as the audit names who acted'),
  scopes: z
    .array(z.enum(scopes))
    .min(1)
    .max(scopes.length)
    .describe('read: look; operate: act on the queue too; admin: change what is configured too'),
  expiresAt: instant.nullable().default(null).describe('epoch ms; null: it does not expire'),
  ovhcloud: z.boolean().default(false).describe("true: with an application secret, for OVHcloud's clients"),
})

export const tokenView = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(scopes)),
  createdAt: z.number(),
  expiresAt: z.number().nullable(),
  lastUsedAt: z.number().nullable().describe('to the hour'),
})
export type TokenView = z.infer<typeof tokenView>

export const tokenListView = z.object({ tokens: z.array(tokenView) })

export const newTokenView = tokenView.extend({
  token: z.string().describe('shown here, and never again'),
  ovhcloud: z
    .object({
      applicationKey: z.string(),
      applicationSecret: z.string().describe('shown here, and never again'),
      consumerKey: z.string().describe('the token'),
    })
    .optional()
    .describe("what OVHcloud's clients are configured with"),
})
export type NewTokenView = z.infer<typeof newTokenView>

export const tokenParams = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/, 'must be the id of a token, as GET /tokens shows it'),
})

export const rekeyView = z.object({ resealed: z.number().describe('objects whose secrets were sealed anew') })

export function tokenViewOf({ id, name, scopes, createdAt, expiresAt, lastUsedAt }: Token): TokenView {
  return { id, name, scopes, createdAt, expiresAt, lastUsedAt: lastUsedAt ?? null }
}
