/** What is used of each limit, by whom: the fullest first. Pure. */
import { z } from 'zod'
import type { Connector } from '../../config/connector.ts'
import type { Limit } from '../../config/policy-schema.ts'
import { rateWindows } from '../../delivery/rate.ts'
import type { Counted, RateWindow } from '../../queue/queue.ts'

const limitViewSchema = z
  .object({
    kind: z
      .enum(['policy', 'connector'])
      .describe(
        "policy: of policy.limits, for what is submitted; connector: a connector's own, for what leaves",
      ),
    limit: z.string().describe("the limit's name, or the connector's"),
    of: z
      .string()
      .describe(
        'whose count it is: a sender, domain, client, user or listener (a digest where that is very long), or the id of a connector',
      ),
    counts: z.string().describe('messagesPerHour …, as in the configuration'),
    windowMs: z.number().describe('in any interval of this length'),
    used: z.number(),
    most: z.number().nullable().describe('null where this is no longer configured'),
    left: z.number().nullable().describe('how much there is room for'),
  })
  .meta({ id: 'Limit' })
export type LimitView = z.infer<typeof limitViewSchema>

export const limitListSchema = z.object({ limits: z.array(limitViewSchema) })

export type RateLimited = Pick<Connector, 'id' | 'name' | 'limits'>

/**
 * Of policy's limits what is counted; of connectors too, and where what they count is known completely also limits of
 * which nothing is used.
 */
export function limitViews(
  counted: readonly Counted[],
  {
    limits,
    connectors,
    complete,
  }: {
    limits: readonly Limit[]
    connectors: readonly RateLimited[]
    complete: ReadonlySet<RateLimited>
  },
): LimitView[] {
  const byName = new Map(limits.map((limit) => [limit.name, limit]))
  const policy = counted.flatMap((each) => policyView(each, byName))
  const used = new Map(counted.map((each) => [countKey(each), each.amount]))
  const own = connectors.flatMap((connector) =>
    windowsOf(connector).flatMap((window) => {
      const amount = used.get(countKey({ ...window, key: connector.id }))
      return amount === undefined && !complete.has(connector)
        ? []
        : [connectorView(connector, window, amount ?? 0)]
    }),
  )
  return [...policy, ...own].sort((a, b) => fullness(b) - fullness(a))
}

function policyView(
  { key, limit: counts, windowMs, amount: used }: Counted,
  limits: Map<string, Limit>,
): LimitView[] {
  const parts = /^limit:([^:]+):(.*)$/s.exec(key)
  if (parts === null) return []
  const [limit, of] = [parts[1]!, parts[2]!]
  const most = mostOf(limits.get(limit), counts)
  return [{ kind: 'policy', limit, of, counts, windowMs, used, most, left: leftOf(most, used) }]
}

function connectorView({ id, name }: RateLimited, window: RateWindow, used: number): LimitView {
  const { limit: counts, windowMs, most } = window
  return { kind: 'connector', limit: name, of: id, counts, windowMs, used, most, left: leftOf(most, used) }
}

/** A limit by the second is kept as a pace of tenths too, which is nobody's setting. */
function windowsOf({ limits }: RateLimited): readonly RateWindow[] {
  return rateWindows(limits, { recipients: 1 }).filter(({ windowMs }) => windowMs >= 1000)
}

const countKey = ({ key, limit, windowMs }: Pick<Counted, 'key' | 'limit' | 'windowMs'>): string =>
  `${limit}:${windowMs}:${key}`

const fullness = ({ used, most }: LimitView): number => (most === null ? -1 : used / most)

const leftOf = (most: number | null, used: number): number | null =>
  most === null ? null : Math.max(0, most - used)

function mostOf(limit: Limit | undefined, counts: string): number | null {
  const most = (limit as Readonly<Record<string, unknown>> | undefined)?.[counts]
  return typeof most === 'number' ? most : null
}
