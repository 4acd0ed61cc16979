/** Two relays on one Redis: they share the work without doing any of it twice, and one stands in for the other. */
import { describe, expect, it } from 'vitest'
import type { LoadResult } from '../../src/lab/load.ts'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { closeAfterwards, quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { redisAvailable, startRedis } from '../support/redis.ts'
import { duplicatesOf, untilEmpty } from '../support/relay-load.ts'
import { connectorTo, type RelayProcess } from '../support/relay-process.ts'
import { queueOn } from '../support/stores.ts'
import { load } from '../support/submit.ts'

const connections = 5

interface Nodes {
  readonly relays: readonly [RelayProcess, RelayProcess]
  readonly run: LoadResult
  readonly host: Sandbox
}

/** Two relays with a backlog, whose smart host is back. */
async function withBacklog({ messages, to }: { messages: number; to: string }): Promise<Nodes> {
  const redis = await startRedis()
  closeAfterwards(() => redis.destroy())
  const gone = await startHost()
  await gone.stop()
  const config = {
    queue: queueOn(redis),
    connectors: [connectorTo(gone.port, { limits: { connections } })],
    delivery: quickRetries,
  }
  const relays = [await startRelay(config), await startRelay(config)] as const
  const run = await load(relays[0], { run: 'backlog', messages, sessions: 8, to: [to] })
  expect(run.accepted).toBe(messages)
  return { relays, run, host: await startHost({ port: gone.port }) }
}

const deliveredBy = (relay: RelayProcess): number => relay.events('delivered').length

describe.skipIf(!redisAvailable)('two relays on one Redis', { timeout: 60_000 }, () => {
  it('share a backlog, and send nothing twice', async () => {
    const messages = 2000
    const { relays, run, host } = await withBacklog({ messages, to: 'slow-2-{seq}@example.org' })
    await host.received(messages)
    await untilEmpty(relays[0])
    expect(await balanceOf({ runs: [run], hosts: [host], relays })).toEqual(balanced({ delivered: messages }))
    const shares = () => relays.map(deliveredBy)
    await expect.poll(() => shares()[0]! + shares()[1]!).toBe(messages)
    // One may begin a second before the other.
    expect(Math.min(...shares())).toBeGreaterThan(messages / 20)
  })

  it('do each the work of the other when that is killed', async () => {
    const messages = 600
    const { relays, run, host } = await withBacklog({ messages, to: 'slow-5-{seq}@example.org' })
    const [killed, other] = relays
    await killed.until(() => deliveredBy(killed) > 50)
    await killed.kill9()
    // The other takes the rest at once, and what the dead one had leased when the leases end.
    await host.received(messages)
    await untilEmpty(other)
    expect(await balanceOf({ runs: [run], hosts: [host], relays })).toEqual({
      ...balanced({ delivered: messages }),
      duplicates: expect.any(Number),
    })
    expect(duplicatesOf(run, host)).toBeLessThanOrEqual(connections)
  })
})
