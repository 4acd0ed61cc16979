/** What was done and may not have been meant: the field, and what to think of. */
import { z } from 'zod'

export const warningView = z.object({ field: z.string(), message: z.string() })
