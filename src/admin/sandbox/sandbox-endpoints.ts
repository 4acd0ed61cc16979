/** What the relay's own sandbox took: an inbox of the newest messages, to look at what really left. */
import { z } from 'zod'
import type { KeptMessage, Sandbox } from '../../lab/sandbox.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Refused } from '../problem.ts'
import { pageCursor, pageLimit } from '../query-values.ts'
import {
  type InboxPage,
  inboxMessage,
  inboxMessageView,
  inboxMessageWhole,
  inboxPageView,
} from './inbox-view.ts'

export interface SandboxEndpointsOptions {
  /** Null where the relay runs none. */
  readonly sandbox: Pick<Sandbox, 'messages' | 'forgetMessages'> | null
}

const params = z.strictObject({ id: z.string().max(100) })
const query = z.strictObject({ limit: pageLimit({ most: 1000, standard: 100 }), after: pageCursor })

export function sandboxEndpoints({ sandbox }: SandboxEndpointsOptions): Endpoint[] {
  const kept = (): Pick<Sandbox, 'messages' | 'forgetMessages'> => {
    if (sandbox === null) throw new Refused(404, 'This relay runs no sandbox')
    return sandbox
  }
  const common = { part: 'Sandbox', problems: [404] } as const
  return [
    endpoint({
      ...common,
      method: 'GET',
      path: '/sandbox/messages',
      scope: 'read',
      summary: 'The newest messages that the sandbox took, the newest first',
      query,
      answer: inboxPageView,
      handle: async (asked) => pageOf(kept().messages, asked.query),
    }),
    endpoint({
      ...common,
      method: 'GET',
      path: '/sandbox/messages/:id',
      scope: 'read',
      summary: 'One of them with its header, decoded, and its text',
      params,
      answer: inboxMessageView,
      handle: async (asked) => inboxMessageWhole(messageOf(kept().messages, asked.params.id)),
    }),
    endpoint({
      ...common,
      method: 'GET',
      path: '/sandbox/messages/:id/message',
      scope: 'read',
      summary: 'One of them, byte for byte',
      params,
      answer: z.string(),
      mediaType: 'message/rfc822',
      async handle(asked) {
        const { id, raw } = messageOf(kept().messages, asked.params.id)
        return asked.reply
          .type('message/rfc822')
          .header('content-disposition', `attachment; filename="${id}.eml"`)
          .send(raw)
      },
    }),
    endpoint({
      ...common,
      method: 'DELETE',
      path: '/sandbox/messages',
      scope: 'operate',
      summary: 'Empty the inbox of the sandbox',
      answer: null,
      handle: async () => kept().forgetMessages(),
    }),
  ]
}

/** The oldest leave first, so where `after` is gone all that follow it are gone too. */
function pageOf(
  messages: readonly KeptMessage[],
  { limit, after }: { limit: number; after: string | null },
): InboxPage {
  const end = after === null ? messages.length : messages.findIndex(({ id }) => id === after)
  const from = Math.max(0, end - limit)
  const shown = messages.slice(from, Math.max(0, end)).reverse()
  return {
    messages: shown.map(inboxMessage),
    next: from > 0 ? shown.at(-1)!.id : null,
    kept: messages.length,
  }
}

function messageOf(messages: readonly KeptMessage[], id: string): KeptMessage {
  const found = messages.find((message) => message.id === id)
  if (found === undefined) throw new Refused(404, 'The sandbox has no such message, or not any more')
  return found
}
