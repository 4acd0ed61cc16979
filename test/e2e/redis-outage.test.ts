/**
 * Redis dies, hangs or is flushed under a running relay: clients are told to come back, the relay lives and says
 * what is wrong, and goes on by itself with nothing lost when Redis is there again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import type { LoadResult } from '../../src/lab/load.ts'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { closeAfterwards, quickRetries, startHost } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { type RedisServer, redisAvailable, startRedis } from '../support/redis.ts'
import { patient, rounds, untilEmpty, untilReadiness } from '../support/relay-load.ts'
import { connectorTo, RelayProcess } from '../support/relay-process.ts'
import { leaseMs, queueOn } from '../support/stores.ts'
import { load, offer, submit } from '../support/submit.ts'

const connections = 5

let redis: RedisServer
let host: Sandbox
let relay: RelayProcess

/** A round of load lasts some seconds, as the outage does. */
const rate = 150
const messages = 450 * rounds

/** Only 4yz to a client, and no connection that broke. */
function expectPatienceOnly(run: LoadResult): void {
  expect(run).toMatchObject({ accepted: messages, refused: 0, failed: 0, failures: [] })
  expect(run.refusals.filter(({ reason }) => !/^\w+: 4\d\d 4\.3\.0 /.test(reason))).toEqual([])
}

describe.skipIf(!redisAvailable)('a relay on Redis', { timeout: 30_000 + rounds * 15_000 }, () => {
  beforeEach(async () => {
    redis = await startRedis()
    closeAfterwards(() => redis.destroy())
    host = await startHost()
    relay = await RelayProcess.start({
      queue: queueOn(redis),
      connectors: [connectorTo(host.port, { limits: { connections } })],
      delivery: quickRetries,
    })
    closeAfterwards(() => relay.destroy())
  })

  it('loses nothing when Redis is killed under load, again and again', async () => {
    const { pid } = relay
    const running = load(relay, { run: 'killed', ...patient, messages, rate })
    for (let kills = 0; kills < rounds; kills++) {
      await host.received(host.counts.messages + 100)
      await redis.kill9()
      await untilReadiness(relay, { ready: false, queue: /cannot be reached/ })
      const { reply } = await offer(relay, { to: [`late-${kills}@example.org`] })
      expect(reply).toMatch(/^451 4\.3\.0 /)
      await redis.restart()
      await untilReadiness(relay, { ready: true })
    }
    const run = await running
    await untilEmpty(relay)
    expectPatienceOnly(run)
    expect([relay.running, relay.pid]).toEqual([true, pid])
    expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: messages }),
    )
  })

  // Longer than a lease; and so long that the relay gives the connection up, and learns nothing of what it sent.
  it.each([7000, 12_000])(
    'loses nothing and sends nothing twice when Redis hangs for %i ms',
    async (hangsMs) => {
      const running = load(relay, { run: 'hangs', ...patient, messages, rate })
      await host.received(100)
      redis.pause()
      await sleep(hangsMs)
      redis.resume()
      const run = await running
      await untilEmpty(relay)
      expectPatienceOnly(run)
      expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
        balanced({ delivered: messages }),
      )
    },
  )

  it('sends nothing under a lease that is about to run out', async () => {
    redis.pause()
    // The leases that come with a put count from its beginning. To send one of these takes longer than what is left.
    const running = load(relay, { run: 'late', ...patient, messages: 8, to: ['slow-300-{seq}@example.org'] })
    await sleep(leaseMs - 150)
    redis.resume()
    const run = await running
    await untilEmpty(relay)
    expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 8 }),
    )
  })

  it('accepts nothing after Redis was flushed, until somebody has seen to it', async () => {
    const accepted = [await submit(relay, { to: ['before@example.org'] })]
    await host.received(1)
    await redis.cli('FLUSHALL')
    const { reply } = await offer(relay, { to: ['after@example.org'] })
    expect(reply).toMatch(/^451 4\.3\.0 /)
    await untilReadiness(relay, { ready: false, queue: /flushed, swapped or restored.*until a restart/ })
    await relay.line(({ level }) => level === 'fatal')
    expect(host.counts.messages).toBe(1)

    await relay.stop()
    await relay.restart()
    await untilReadiness(relay, { ready: true })
    accepted.push(await submit(relay, { to: ['restarted@example.org'] }))
    await host.received(2)
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 2 }))
  })
})
