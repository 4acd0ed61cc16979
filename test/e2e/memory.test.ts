/**
 * Bodies stream through: many sessions that send large messages at once cost the relay memory for what is on its way
 * in or out, not for messages. RELAY_LONG_TESTS in the environment makes the messages as large as they may be.
 */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { closeAfterwards, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { load } from '../support/submit.ts'

const MB = 1024 ** 2
const messageBytes = (process.env.RELAY_LONG_TESTS ? 100 : 16) * MB
const sessions = 50
/** Memory of its own: pages of the store's file, which the system may take back at any time, are not counted. */
const mostMemoryBytes = 400 * MB

it('takes large messages from fifty sessions at once within bounded memory', async () => {
  const host = await startHost({ keepMessages: 0 })
  const relay = await startRelay({
    listeners: [{ name: 'exchange', port: 0, maxMessageSize: '101MB' }],
    connectors: [connectorTo(host.port, { limits: { connections: 10 } })],
  })
  let peakBytes = 0
  const sampling = setInterval(() => {
    peakBytes = Math.max(peakBytes, memoryOf(relay.pid))
  }, 50)
  closeAfterwards(() => clearInterval(sampling))

  const run = await load(relay, {
    ...{ run: 'large', sessions, messages: sessions, sizes: { kind: 'list', bytes: [messageBytes] } },
  })
  expect(run.accepted).toBe(sessions)
  await host.received(sessions)
  expect(peakBytes).toBeLessThan(mostMemoryBytes)
  expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: sessions }),
  )
}, 300_000)

function memoryOf(pid: number): number {
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kilobytes) * 1024
}
