/** Asks what would become of a message: with what is configured now, in the file and at run time. */
import type { z } from 'zod'
import type { Clock } from '../../clock.ts'
import { formatSize } from '../../config/units.ts'
import { type Draft, splitDraft } from '../../message/draft.ts'
import type { CompiledRules } from '../../policy/rules/evaluate.ts'
import type { Routes } from '../../route/route.ts'
import type { Setup } from '../../setup/setup.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Refused } from '../problem.ts'
import { asSubmitted, type Deciders, explainMessage } from './explanation.ts'
import { explainInput, explanationView, mostHeaderBytes } from './explanation-view.ts'

export interface ExplainEndpointsOptions {
  readonly setup: Pick<Setup, 'current'>
  /** By which mail is decided now. */
  readonly inForce: { readonly routes: Routes; readonly rules: CompiledRules }
  /** One of its own, or the mail would wait behind what is only asked about. */
  readonly inspector: Deciders['inspector']
  readonly clock: Clock
}

/** Of the body, which is JSON. */
const bodyLimitBytes = 10 * 1024 * 1024

export function explainEndpoints({ setup, inForce, inspector, clock }: ExplainEndpointsOptions): Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: '/explain',
      scope: 'read',
      part: 'Explain',
      summary: 'What would become of a message, and why; nothing is sent',
      body: explainInput as z.ZodType<z.output<typeof explainInput>>,
      bodyLimitBytes,
      answer: explanationView,
      async handle({ body }) {
        const { config, rules } = setup.current
        const { draft, sizeBytes } = messageOf(body)
        return explainMessage(
          { from: body.from || null, to: body.to, ip: body.ip, draft, sizeBytes: body.size ?? sizeBytes },
          {
            routing: config.routing,
            access: config.access,
            routes: inForce.routes,
            rules: rules.length === 0 ? null : inForce.rules,
            inspector,
            now: clock.now(),
          },
        )
      },
    }),
  ]
}

function messageOf(given: z.output<typeof explainInput>): { draft: Draft; sizeBytes: number | null } {
  const { field, bytes } = bytesOf(given)
  if (bytes !== null && given.header.length > 0)
    throw new Refused(400, `header must be left out: ${field} has its own`, 'header')
  const draft = splitDraft(bytes ?? Buffer.from(given.header.map((line) => `${line}\r\n`).join('')))
  // The mail's is bounded too, and what reads it counts on that.
  if (draft.header.length > mostHeaderBytes)
    throw new Refused(400, `${field} has a header of more than ${formatSize(mostHeaderBytes)}`, field)
  return { draft, sizeBytes: bytes?.length ?? null }
}

function bytesOf({ message, messageBase64 }: z.output<typeof explainInput>): {
  field: string
  bytes: Buffer | null
} {
  if (message !== null && messageBase64 !== null)
    throw new Refused(400, 'messageBase64 must be left out where message is given', 'messageBase64')
  if (message !== null) return { field: 'message', bytes: asSubmitted(Buffer.from(message)) }
  if (messageBase64 === null) return { field: 'header', bytes: null }
  return { field: 'messageBase64', bytes: asSubmitted(Buffer.from(messageBase64, 'base64')) }
}
