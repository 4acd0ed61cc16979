/** What is used of each limit, by whom: the fullest first. */
import { z } from 'zod'
import type { Limit } from '../config/policy-schema.ts'
import type { Counted } from '../queue/queue.ts'

const limitViewSchema = z.object({
  limit: z.string(),
  /** Whose count it is: a sender, domain, client, user or listener; a digest where that is very long. */
  of: z.string(),
  /** `messagesPerHour`, as in the configuration. */
  counts: z.string(),
  used: z.number(),
  /** Null where the configuration no longer has this limit. */
  most: z.number().nullable(),
  /** How much there is room for. */
  left: z.number().nullable(),
})
export type LimitView = z.infer<typeof limitViewSchema>

export const limitListSchema = z.object({ limits: z.array(limitViewSchema) })

/** Of counters whose key is one of `policy.limits`'; others are left out. */
export function limitViews(counted: readonly Counted[], limits: readonly Limit[]): LimitView[] {
  const byName = new Map(limits.map((limit) => [limit.name, limit]))
  return counted.flatMap(({ key, limit: counts, amount: used }) => {
    const parts = /^limit:([^:]+):(.*)$/s.exec(key)
    if (parts === null) return []
    const [name, of] = [parts[1]!, parts[2]!]
    const most = mostOf(byName.get(name), counts)
    return [{ limit: name, of, counts, used, most, left: most === null ? null : Math.max(0, most - used) }]
  })
}

function mostOf(limit: Limit | undefined, counts: string): number | null {
  const most = (limit as Readonly<Record<string, unknown>> | undefined)?.[counts]
  return typeof most === 'number' ? most : null
}
