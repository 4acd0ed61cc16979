/** A store that is full: clients are told to come back, what is queued leaves, and then mail is taken again. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LoadResult } from '../../src/lab/load.ts'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { closeAfterwards, quickRetries, startHost } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { patient, untilEmpty, untilReadiness } from '../support/relay-load.ts'
import { connectorTo, RelayProcess } from '../support/relay-process.ts'
import { startStore, stores } from '../support/stores.ts'
import { load } from '../support/submit.ts'

/** A relay, and the port of a smart host that is down. */
async function relayWithout(
  config: Record<string, unknown>,
): Promise<{ relay: RelayProcess; gone: Sandbox }> {
  const gone = await startHost()
  await gone.stop()
  const connectors = [connectorTo(gone.port)]
  const relay = await RelayProcess.start({ ...config, connectors, delivery: quickRetries })
  closeAfterwards(() => relay.destroy())
  return { relay, gone }
}

/** All it was told was that there is no room now. */
function expectFull(run: LoadResult): void {
  expect(run.failures).toEqual([])
  expect(run.refusals.map(({ reason }) => reason)).toEqual([
    'dot: 452 4.3.1 Insufficient system storage, please try again later',
  ])
}

describe.each(stores)('the %s store with its limit of items', { timeout: 60_000 }, (store) => {
  it('takes no more, and takes it again when items have left', async () => {
    const { queue, destroy } = await startStore(store)
    closeAfterwards(destroy)
    const { relay, gone } = await relayWithout({ queue: { ...queue, maxItems: 10 } })
    const full = await load(relay, { run: 'full', messages: 30 })
    expectFull(full)
    expect(full).toMatchObject({ accepted: 10, refused: 20 })
    expect(await balanceOf({ runs: [full], hosts: [], relays: [relay] })).toEqual(balanced({ queued: 10 }))

    const waiting = load(relay, { run: 'waiting', ...patient, messages: 30 })
    const host = await startHost({ port: gone.port })
    const runs = [full, await waiting]
    expect(runs[1]).toMatchObject({ accepted: 30, failures: [] })
    await untilEmpty(relay)
    expect(await balanceOf({ runs, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 40 }))
  })
})

/** A file system of its own, small; null where this user may not mount one. */
function smallDisk(megabytes: number): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'small-disk-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory])
  closeAfterwards(() => {
    if (mounted.status === 0) spawnSync('umount', ['--lazy', directory])
    rmSync(directory, { recursive: true })
  })
  return mounted.status === 0 ? directory : null
}

describe('the embedded store on a disk that is full', () => {
  it('takes no more, delivers what it has, and then takes mail again', async (context) => {
    const directory = smallDisk(24)
    if (directory === null) return context.skip('only root may mount a small disk')
    const { relay, gone } = await relayWithout({ dataDir: join(directory, 'data') })
    const sizes = { kind: 'list', bytes: [2000, 60_000, 400_000] } as const
    const full = await load(relay, { run: 'full', ...patient, messages: 200, sizes, retryForMs: 0 })
    expectFull(full)
    expect(full.accepted).toBeGreaterThan(10)
    expect(await balanceOf({ runs: [full], hosts: [], relays: [relay] })).toEqual(
      balanced({ queued: full.accepted }),
    )

    const { pid } = relay
    const waiting = load(relay, { run: 'waiting', ...patient, messages: 60, sizes })
    const host = await startHost({ port: gone.port })
    const runs = [full, await waiting]
    expect(runs[1]).toMatchObject({ accepted: 60, failures: [] })
    await untilEmpty(relay)
    await untilReadiness(relay, { ready: true })
    expect(relay.pid).toBe(pid)
    expect(await balanceOf({ runs, hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: full.accepted + 60 }),
    )
  }, 60_000)
})
