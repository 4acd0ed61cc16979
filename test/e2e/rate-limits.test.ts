/** A connector's rate limits as its provider sees them: on real time, over restarts, and over several relays. */
import { describe, expect, it } from 'vitest'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { closeAfterwards, quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { redisAvailable, startRedis } from '../support/redis.ts'
import { connectorTo, type RelayProcess } from '../support/relay-process.ts'
import { queueOn, startStore, stores } from '../support/stores.ts'
import { load } from '../support/submit.ts'

/** On a busy machine a message may come late, and the next window's on time. */
const jitterMs = 300

/** The most messages that the host has got in any interval of this length. */
function mostWithin(host: Sandbox, intervalMs: number): number {
  const times = host.ledger.map(({ receivedAt }) => receivedAt).sort((a, b) => a - b)
  return Math.max(
    ...times.map((at) => times.filter((other) => other >= at && other < at + intervalMs).length),
  )
}

const untilWaiting = (relay: RelayProcess, limit: string): Promise<void> =>
  expect
    .poll(async () => (await relay.connectors())[0], { timeout: 10_000 })
    .toMatchObject({ state: 'ready', waitingFor: limit, waitingUntil: expect.any(Number) })

describe.each(stores)('on the %s store', (name) => {
  async function startLimited(host: Sandbox, limits: Record<string, number>): Promise<RelayProcess> {
    const store = await startStore(name)
    closeAfterwards(() => store.destroy())
    return startRelay({
      queue: store.queue,
      connectors: [connectorTo(host.port, { limits: { connections: 10, ...limits } })],
      delivery: quickRetries,
    })
  }

  it('never more leave in a second than the limit, all arrive, and none of them was deferred', async () => {
    const host = await startHost()
    const relay = await startLimited(host, { messagesPerSecond: 20 })
    const run = await load(relay, { run: 'second', messages: 60 })
    await untilWaiting(relay, 'messagesPerSecond')
    await host.received(60)
    await relay.until(() => relay.events('delivered').length === 60)
    expect(mostWithin(host, 1000 - jitterMs)).toBeLessThanOrEqual(20)
    expect(relay.events('delivered').map(({ attempts }) => attempts)).toEqual(Array(60).fill(1))
    expect(relay.events('deferred')).toEqual([])
    expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 60 }),
    )
  })

  it.each(['SIGTERM', 'SIGKILL'])("a day's count outlasts %s", async (signal) => {
    const host = await startHost()
    const relay = await startLimited(host, { messagesPerDay: 5 })
    const run = await load(relay, { run: 'day', messages: 8 })
    await host.received(5)
    await untilWaiting(relay, 'messagesPerDay')
    expect(await relay.metrics()).toContain('relay_connector_rate_waiting{connector="1"} 1')
    await relay.until(() => relay.events('delivered').length === 5)
    await (signal === 'SIGTERM' ? relay.stop() : relay.kill9())
    await relay.restart()
    await untilWaiting(relay, 'messagesPerDay')
    await expect
      .poll(async () => (await relay.queue()).map(({ state }) => state))
      .toEqual(Array(3).fill('ready'))
    for (const { attempts, lastError } of await relay.queue())
      expect([attempts, lastError]).toEqual([0, "The connector's limit messagesPerDay is reached"])
    expect(host.counts.messages).toBe(5)
    expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 5, queued: 3 }),
    )
  })
})

describe.skipIf(!redisAvailable)('two relays on one Redis', () => {
  it('stay within the limit together', async () => {
    const redis = await startRedis()
    closeAfterwards(() => redis.destroy())
    const host = await startHost()
    const config = {
      queue: queueOn(redis),
      connectors: [connectorTo(host.port, { limits: { connections: 10, messagesPerSecond: 20 } })],
      delivery: quickRetries,
    }
    const relays = [await startRelay(config), await startRelay(config)] as const
    const runs = await Promise.all(
      relays.map((relay, n) => load(relay, { run: `node-${n}`, messages: 50, seed: n + 1 })),
    )
    await host.received(100)
    await expect
      .poll(() => relays.flatMap((relay) => relay.events('delivered')).length, { timeout: 5000 })
      .toBe(100)
    expect(mostWithin(host, 1000 - jitterMs)).toBeLessThanOrEqual(20)
    expect(await balanceOf({ runs, hosts: [host], relays })).toEqual(balanced({ delivered: 100 }))
  })
})
