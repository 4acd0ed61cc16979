/**
 * Load on a relay that is hurt meanwhile, and what the books (mail-ledger.ts) leave out: whose doing a second
 * delivery was, and whether the bytes are the same.
 */
import { expect, vi } from 'vitest'
import { auditRun } from '../../src/lab/audit.ts'
import type { LoadOptions, LoadResult } from '../../src/lab/load.ts'
import { LoadMessages } from '../../src/lab/load-message.ts'
import { loadMarkField, parseLoadMark } from '../../src/lab/message-digest.ts'
import type { KeptMessage, Sandbox } from '../../src/lab/sandbox.ts'
import type { RelayProcess } from './relay-process.ts'

/** How often a fault is repeated: more finds more, and takes longer. */
export const rounds = Number(process.env.FAULT_ROUNDS ?? 3)

/** A load as a real client makes it: what is refused for now, or breaks, is sent again for so long. */
export const patient = { sessions: 8, messagesPerConnection: 50, retryForMs: 60_000 } as const

/** Deliveries beyond those that the client asked for: it sends again what broke before the answer. */
export function duplicatesOf(result: LoadResult, sandbox: Sandbox): number {
  const { duplicated } = auditRun(result.submitted, sandbox.ledger, { run: result.run })
  return duplicated.reduce((sum, { times }) => sum + times, 0)
}

/** Resolves when the relay's queue is empty. */
export async function untilEmpty(relay: RelayProcess, timeoutMs = 20_000): Promise<void> {
  await vi.waitFor(
    async () => {
      const { items } = (await relay.ask('GET', '/queue?limit=1')).json
      if (items.length > 0) throw new Error(`The queue is not empty: ${JSON.stringify(items[0])}`)
    },
    { timeout: timeoutMs, interval: 100 },
  )
}

/** Resolves when `/readyz` says so; `queue` is the reason it must give for the queue. */
export async function untilReadiness(
  relay: RelayProcess,
  expected: { readonly ready: boolean; readonly queue?: RegExp },
): Promise<void> {
  const { ready, queue } = expected
  const detail = queue === undefined ? null : expect.stringMatching(queue)
  await vi.waitFor(
    async () => {
      const answer = await fetch(`${relay.adminUrl}/readyz`)
      const { checks } = (await answer.json()) as { checks: unknown[] }
      expect(answer.status).toBe(ready ? 200 : 503)
      expect(checks).toContainEqual({ name: 'queue', ok: queue === undefined, detail })
    },
    { timeout: 15_000, interval: 100 },
  )
}

/** Of the messages that arrived, those that are not what was sent with one trace field before it, byte for byte. */
export function changedOnTheWay(arrived: readonly KeptMessage[], options: LoadOptions): readonly string[] {
  const messages = new LoadMessages(options)
  return arrived.flatMap(({ id, raw }) => {
    const content = raw.toString('latin1')
    const mark = parseLoadMark(new RegExp(`^${loadMarkField}: (.*)\r$`, 'm').exec(content)?.[1] ?? '')
    if (mark === null) return [`${id}: unmarked`]
    const [received = ''] = /^Received: .*\r\n(?:[ \t].*\r\n)*/.exec(content) ?? []
    const sent = contentOf(messages.message(mark.seq).wire)
    const same = received !== '' && withoutDate(content.slice(received.length)) === withoutDate(sent)
    return same ? [] : [`${id}: message ${mark.seq}`]
  })
}

/** What a message on the wire says: without its final dot, and the dots that were stuffed. */
const contentOf = (wire: readonly Buffer[]): string =>
  Buffer.concat(wire).toString('latin1').slice(0, -'.\r\n'.length).replaceAll('\r\n.', '\r\n')

/** The load generator dates a message when it makes it. */
const withoutDate = (content: string): string => content.replace(/^Date: .*\r$/m, 'Date:\r')
