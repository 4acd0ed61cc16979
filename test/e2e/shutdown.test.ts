/** SIGTERM: what is under way comes to its end, what waits stays in the queue, and nothing is sent twice. */
import { expect, it } from 'vitest'
import { quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { load, submit } from '../support/submit.ts'

it('drains under load, exits 0 within its deadline, and goes on where it stopped', async () => {
  const host = await startHost()
  const relay = await startRelay({
    connectors: [connectorTo(host.port, { limits: { connections: 4 } })],
    delivery: { ...quickRetries, shutdownTimeout: '10s' },
  })
  // A smart host that takes its time: each message is under way for a while, and a backlog grows.
  const underLoad = new AbortController()
  const loading = load(
    relay,
    { run: 'drain', sessions: 8, messages: 5000, to: ['slow-20-{seq}@example.org'] },
    { signal: underLoad.signal },
  )
  await host.received(10)
  const stopping = relay.stop()
  await relay.line((line) => line.msg === 'stopping')
  underLoad.abort()
  const run = await loading
  const startedAt = Date.now()
  expect(await stopping).toBe(0)
  expect(Date.now() - startedAt).toBeLessThan(10_000)

  // Every client was told what became of its message: 250, or not taken.
  expect(run.unconfirmed).toBe(0)
  for (const { reason } of run.refusals) expect(reason).toMatch(/421 4\.3\.2/)
  const delivered = host.counts.messages
  expect(relay.events('delivered')).toHaveLength(delivered)
  expect(run.accepted).toBeGreaterThan(delivered)

  await relay.restart()
  await host.received(run.accepted)
  expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: run.accepted }),
  )
})

it('cuts off at its deadline what does not come to an end, and loses nothing of it', async () => {
  const host = await startHost()
  const relay = await startRelay({
    connectors: [connectorTo(host.port)],
    delivery: { ...quickRetries, shutdownTimeout: '1s' },
  })
  const accepted = [
    await submit(relay, { to: ['hang-dot-first-1-anna@example.org'] }),
    await submit(relay, { to: ['hang-rcpt-first-1-bert@example.org'] }),
  ]
  await expect.poll(async () => (await relay.connectors())[0]!.attemptsInFlight).toBe(2)
  const startedAt = Date.now()
  expect(await relay.stop()).toBe(0)
  expect(Date.now() - startedAt).toBeLessThan(5_000)
  await relay.restart()
  await host.received(2)
  expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 2 }))
})
