/** For machines that watch the relay: whether it lives, whether it takes mail, and its figures. */
import { z } from 'zod'
import type { Metrics } from '../observe/metrics.ts'
import { type Endpoint, endpoint } from './endpoint.ts'
import type { Readiness } from './readiness.ts'

export interface HealthEndpointsOptions {
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>
  readonly readiness: () => Readiness
}

const readinessView = z.object({
  ready: z.boolean(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string().nullable() })),
})

export function healthEndpoints({ metrics, readiness }: HealthEndpointsOptions): Endpoint[] {
  const common = { method: 'GET', scope: null, part: 'Health', isUnlimited: true } as const
  return [
    endpoint({
      ...common,
      path: '/healthz',
      summary: 'Whether the process answers',
      answer: z.object({ status: z.literal('alive') }),
      handle: async () => ({ status: 'alive' as const }),
    }),
    endpoint({
      ...common,
      path: '/readyz',
      summary: 'Whether mail is accepted, and if not (503), what is missing',
      answer: readinessView,
      async handle({ reply }) {
        const answer = readiness()
        return reply.code(answer.ready ? 200 : 503).send(answer)
      },
    }),
    endpoint({
      ...common,
      path: '/metrics',
      summary: 'The figures, as Prometheus reads them',
      answer: z.string(),
      mediaType: 'text/plain',
      handle: async ({ reply }) => reply.type(metrics.contentType).send(await metrics.text()),
    }),
  ]
}
