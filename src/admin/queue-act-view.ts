/** What the acts of operators are answered with. Declared as schemas, by which the command checks what it is given. */
import { z } from 'zod'

export const actedItemsSchema = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      /** `busy`: an attempt is under way. `missing`: it has left the queue meanwhile. */
      result: z.enum(['done', 'busy', 'missing']),
    }),
  ),
})
export type ActedItem = z.infer<typeof actedItemsSchema>['items'][number]

export const actedManySchema = z.object({
  /** Items that were changed; those that were so already are not counted. */
  done: z.number(),
  busy: z.number(),
  missing: z.number(),
  /** Pass as `after` to go on; null where no more match. */
  next: z.string().nullable(),
})
export type ActedMany = z.infer<typeof actedManySchema>
