/** What `GET /status` and `GET /live` answer. Declared as schemas, by which commands check what they are given. */
import { z } from 'zod'

const depthFields = { ready: z.number(), deferred: z.number(), leased: z.number(), suspended: z.number() }

export const statusView = z.object({
  version: z.string(),
  hostname: z.string(),
  now: z.number().describe('epoch ms, as all instants are'),
  startedAt: z.number(),
  store: z.enum(['embedded', 'redis']),
  node: z.string().describe('this relay among those that share a queue'),
  revision: z.number().describe('of what is configured at run time; it grows with each change'),
  ready: z.object({ ok: z.boolean(), faults: z.array(z.string()) }).describe('whether mail is accepted now'),
  listeners: z.array(
    z.object({
      name: z.string(),
      address: z.string(),
      port: z.number(),
      tls: z.enum(['off', 'starttls', 'required', 'implicit']),
      sessions: z.number().nullable().describe('open now; null where it is not listening'),
    }),
  ),
  queue: z
    .object({ items: z.number(), bytes: z.number().describe('of all bodies'), ...depthFields })
    .nullable()
    .describe('of all nodes; null where the store cannot be read now'),
  limits: z.object({ maxItems: z.number(), maxBytes: z.number() }).describe('of the queue'),
  memoryBytes: z.number().describe('that this process has'),
  sandbox: z.boolean().describe('whether this relay runs a sandbox'),
  tracking: z.boolean().describe('whether a history is written'),
  unusable: z
    .array(z.object({ kind: z.string(), id: z.string(), why: z.string() }))
    .describe('what is configured at run time and cannot be used'),
  connectors: z.number(),
  senders: z.number().describe('that are bound'),
})
export type StatusView = z.infer<typeof statusView>

export const liveView = z.object({
  samples: z
    .array(
      z.object({
        at: z.number().describe('when the second began'),
        accepted: z.number().describe('messages'),
        relayed: z.number().describe('recipients, as all that follow'),
        deferred: z.number(),
        failed: z.number(),
        refused: z.number().describe('commands of clients; recipients, where policy refused them later'),
        latencyMs: z
          .object({ p50: z.number(), p95: z.number(), p99: z.number() })
          .nullable()
          .describe("from our 250 to the smart host's; null where nothing was relayed"),
        queue: z.object(depthFields).nullable().describe('null where nobody looked in this second'),
      }),
    )
    .describe('one a second, the oldest first'),
  intervalMs: z.number(),
})
export type LiveView = z.infer<typeof liveView>
