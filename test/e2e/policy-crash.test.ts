/**
 * A relay whose rules make two forms of every message is killed (SIGKILL) under load, again and again, on either store:
 * both forms are kept or neither is, and each recipient gets its own.
 */
import { describe, expect, it } from 'vitest'
import { runLoad } from '../../src/lab/load.ts'
import { loadMarkField, parseLoadMark } from '../../src/lab/message-digest.ts'
import type { KeptMessage } from '../../src/lab/sandbox.ts'
import { startHost } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { recipientsOf, startPolicyRelay } from '../support/policy-relay.ts'
import { duplicatesOf, patient, rounds, untilEmpty } from '../support/relay-load.ts'
import { connectorTo, type RelayProcess } from '../support/relay-process.ts'
import { stores } from '../support/stores.ts'
import { loadOptions } from '../support/submit.ts'

const connections = 5
/** Some are larger than what is kept in memory, and go through the store chunk by chunk, in two stages. */
const sizes = { kind: 'list', bytes: [...Array(30).fill(2000), ...Array(9).fill(10_000), 300_000] } as const

const secondForm = 'X-Form: second\r\n'
const policy = {
  rules: [
    {
      name: 'Second form',
      conditions: { recipientMatches: ['-2@example\\.org$'] },
      actions: { setHeaders: [{ name: 'X-Form', value: 'second' }] },
    },
  ],
}

async function killAndRestart(relay: RelayProcess): Promise<void> {
  const listeners = [{ name: 'exchange', port: relay.port }]
  await relay.kill9()
  await relay.restart({ listeners })
}

/** Messages that went to the wrong recipients for their form. */
function misdirected(messages: readonly KeptMessage[]): string[] {
  return messages.flatMap((message) => {
    const isSecond = message.raw.includes(secondForm)
    const wrong = recipientsOf(message).filter((address) => address.includes('-2@') !== isSecond)
    return wrong.map((address) => `${message.id} to ${address}`)
  })
}

/**
 * Messages of which more was kept in one form than in the other. What a client sent again is kept again, in both forms;
 * what the relay delivered again has the id that it had.
 */
function halves(messages: readonly KeptMessage[]): number[] {
  const kept = new Map<number, [Set<string>, Set<string>]>()
  for (const { raw } of messages) {
    const text = raw.toString('latin1')
    const { seq } = parseLoadMark(new RegExp(`^${loadMarkField}: (.*)\r$`, 'm').exec(text)![1]!)!
    const [, id] = /^Received: (?:.*\r\n[ \t])*?.*\bid ([0-9A-Z]{20})\b/.exec(text)!
    if (!kept.has(seq)) kept.set(seq, [new Set(), new Set()])
    kept.get(seq)![text.includes(secondForm) ? 1 : 0].add(id!)
  }
  return [...kept].filter(([, [first, second]]) => first.size !== second.size).map(([seq]) => seq)
}

describe.each(stores)('on the %s store', { timeout: 40_000 + rounds * 20_000 }, (store) => {
  it('a relay that is killed under load keeps both forms of a message or neither', async () => {
    const host = await startHost({ keepMessages: 100_000 })
    const limits = { connections, messagesPerConnection: 20 }
    const { relay } = await startPolicyRelay(policy, {
      ...{ store, host },
      config: { connectors: [connectorTo(host.port, { limits })] },
    })
    const stop = new AbortController()
    const options = loadOptions(relay, {
      ...{ run: 'forms', ...patient, sessions: 16, messages: null, sizes, recipientsPerMessage: 2 },
    })
    const running = runLoad(options, { signal: stop.signal })
    const enough = () => relay.until(() => relay.events('accepted').length > 200, 30_000)
    for (let kills = 0; kills < rounds; kills++) {
      await enough()
      await killAndRestart(relay)
    }
    await enough()
    stop.abort()
    const run = await running
    await untilEmpty(relay, 60_000)

    expect(run).toMatchObject({ refused: 0, refusals: [] })
    expect(run.retries).toBeGreaterThan(rounds)
    expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual({
      ...balanced({ delivered: 2 * run.accepted }),
      duplicates: expect.any(Number),
    })
    expect(duplicatesOf(run, host)).toBeLessThanOrEqual(rounds * connections)
    expect(misdirected(host.messages)).toEqual([])
    expect(halves(host.messages)).toEqual([])
  })
})
