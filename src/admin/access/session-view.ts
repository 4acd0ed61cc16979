/** What `/session` takes and answers. */
import { z } from 'zod'
import { scopes } from '../../setup/token.ts'

export const sessionInput = z.strictObject({
  token: z.string().min(1).max(1000).describe('that of dataDir/admin-token, or one of GET /tokens'),
})

export const sessionView = z.object({
  name: z.string().describe('whose token it is: `local`, or the name of the token'),
  scopes: z.array(z.enum(scopes)).describe('all of them, also those that others include'),
})
export type SessionView = z.infer<typeof sessionView>
