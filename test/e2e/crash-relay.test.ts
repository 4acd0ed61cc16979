/**
 * The relay is killed (SIGKILL, as by the kernel for want of memory), again and again, on either store: what it
 * said 250 to is kept, and at most what was in flight at a kill goes out twice.
 */
import { describe, expect, it } from 'vitest'
import { runLoad } from '../../src/lab/load.ts'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { closeAfterwards, quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { changedOnTheWay, duplicatesOf, patient, rounds, untilEmpty } from '../support/relay-load.ts'
import { connectorTo, type RelayProcess } from '../support/relay-process.ts'
import { type StoreName, startStore, stores } from '../support/stores.ts'
import { load, loadOptions } from '../support/submit.ts'

/** Some are larger than what is kept in memory, and go through the store chunk by chunk. */
const sizes = { kind: 'list', bytes: [...Array(30).fill(2000), ...Array(9).fill(10_000), 300_000] } as const

async function relayOn(
  store: StoreName,
  { host, connections }: { host: Sandbox; connections: number },
): Promise<RelayProcess> {
  const { queue, destroy } = await startStore(store)
  closeAfterwards(destroy)
  const limits = { connections, messagesPerConnection: 20 }
  return startRelay({ queue, connectors: [connectorTo(host.port, { limits })], delivery: quickRetries })
}

/** Kills it and starts it again where its clients know it. */
async function killAndRestart(relay: RelayProcess): Promise<void> {
  const listeners = [{ name: 'exchange', port: relay.port }]
  await relay.kill9()
  await relay.restart({ listeners })
}

describe.each(stores)(
  'a relay on the %s store that is killed',
  { timeout: 30_000 + rounds * 15_000 },
  (store) => {
    it('under load, again and again, loses nothing, and sends twice at most what was in flight', async () => {
      const connections = 5
      const host = await startHost({ keepMessages: 100_000 })
      const relay = await relayOn(store, { host, connections })
      const stop = new AbortController()
      const options = loadOptions(relay, { run: 'killed', ...patient, sessions: 16, messages: null, sizes })
      const running = runLoad(options, { signal: stop.signal })
      for (let kills = 0; kills < rounds; kills++) {
        await relay.until(() => relay.events('accepted').length > 300)
        await killAndRestart(relay)
      }
      await relay.until(() => relay.events('accepted').length > 300)
      stop.abort()
      const run = await running
      await untilEmpty(relay)

      expect(run).toMatchObject({ refused: 0, refusals: [] })
      // Its clients did notice.
      expect(run.retries).toBeGreaterThan(rounds)
      expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual({
        ...balanced({ delivered: run.accepted }),
        duplicates: expect.any(Number),
      })
      expect(duplicatesOf(run, host)).toBeLessThanOrEqual(rounds * connections)
      expect(changedOnTheWay(host.messages, options)).toEqual([])
    })

    it.each(['down', 'hanging'])('while the smart host is %s has all its mail afterwards', async (fault) => {
      const first = await startHost()
      if (fault === 'down') await first.stop()
      else first.pause()
      const relay = await relayOn(store, { host: first, connections: 1 })
      const run = await load(relay, { run: fault, ...patient, messages: 60 })
      expect(run.accepted).toBe(60)
      const books = { runs: [run], hosts: [first], relays: [relay] }
      await killAndRestart(relay)
      expect(await relay.queue()).toHaveLength(60)

      const host = fault === 'down' ? await startHost({ port: first.port }) : first
      host.resume()
      // What the dead process had leased comes back when its lease ends; from the embedded store at once, as
      // nobody would live to see the end of the lease that is set there.
      await host.received(60)
      await untilEmpty(relay)
      expect(await balanceOf({ ...books, hosts: [host] })).toEqual(balanced({ delivered: 60 }))
    })
  },
)
