/** What the acts of operators are answered with. Declared as schemas, by which the command checks what it is given. */
import { z } from 'zod'

export const actedItemsSchema = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      result: z
        .enum(['done', 'busy', 'missing'])
        .describe('busy: an attempt is under way; missing: it has left the queue meanwhile'),
    }),
  ),
})
export type ActedItem = z.infer<typeof actedItemsSchema>['items'][number]

export const actedManySchema = z.object({
  done: z.number().describe('items that were changed; those that were so already are not counted'),
  busy: z.number(),
  missing: z.number(),
  next: z.string().nullable().describe('pass it as `after` to go on; null where no more match'),
})
export type ActedMany = z.infer<typeof actedManySchema>
