/** A record that a disk or another program has damaged: it is set aside and reported, and stops nothing else. */
import { join } from 'node:path'
import { open } from 'lmdb'
import { describe, expect, it } from 'vitest'
import { closeAfterwards, quickRetries, startHost } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { redisAvailable, startRedis } from '../support/redis.ts'
import { patient } from '../support/relay-load.ts'
import { connectorTo, type ListedItem, RelayProcess } from '../support/relay-process.ts'
import { queueOn } from '../support/stores.ts'
import { load } from '../support/submit.ts'

const garbage = '{"id":"01M7'

interface Damaging {
  readonly queue: Record<string, unknown>
  /** Damages the record of one item, and takes the body of another, while no relay runs. */
  damage(relay: RelayProcess, items: { record: ListedItem; body: ListedItem }): Promise<void>
}

async function embedded(): Promise<Damaging> {
  return {
    queue: { store: 'embedded' },
    async damage(relay, { record, body }) {
      const path = join(relay.directory, 'data', 'queue')
      const root = open({ path, noSubdir: false, maxDbs: 16, encoding: 'binary', overlappingSync: false })
      root.openDB({ name: 'items', encoding: 'string' }).putSync(record.id, garbage)
      root.openDB({ name: 'bodies', encoding: 'binary' }).removeSync([body.messageId, 0])
      await root.close()
    },
  }
}

async function redis(): Promise<Damaging> {
  const server = await startRedis()
  closeAfterwards(() => server.destroy())
  return {
    queue: queueOn(server),
    async damage(_, { record, body }) {
      await server.cli('HSET', `{relay:0}:item:${record.id}`, 'j', garbage)
      await server.cli('HDEL', `{relay:0}:message:${body.messageId}`, 'name')
    },
  }
}

const damaging = { embedded, ...(redisAvailable ? { redis } : {}) }

describe.each(Object.entries(damaging))('the %s store', (_, prepare) => {
  it('sets a damaged record aside and reports it, keeps what has lost its body, and delivers the rest', async () => {
    const { queue, damage } = await prepare()
    const gone = await startHost()
    await gone.stop()
    const connectors = [connectorTo(gone.port)]
    const relay = await RelayProcess.start({
      queue,
      connectors,
      delivery: { ...quickRetries, messageRetry: ['1h'] },
    })
    closeAfterwards(() => relay.destroy())
    const run = await load(relay, { run: 'damaged', ...patient, messages: 20 })
    const items = await relay.queue()
    const [record, body] = [items[3]!, items[7]!]
    expect(await relay.stop()).toBe(0)
    await damage(relay, { record, body })

    const host = await startHost({ port: gone.port })
    await relay.restart()
    await host.received(18)
    await relay.line(({ level, itemId }) => level === 'error' && itemId === record.id)
    await relay.line(({ event, itemId }) => event === 'deferred' && itemId === body.id)
    expect(await relay.metrics()).toMatch(/^relay_queue_corrupt 1$/m)
    const { address } = record.recipients[0]!
    const rest = run.submitted.filter(({ accepted }) => !accepted.includes(address))
    const runs = [{ ...run, submitted: rest }]
    expect(await balanceOf({ runs, hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 18, queued: 1 }),
    )
    // It may come back from a backup before it expires, and until then an operator sees what is the matter.
    const [waiting] = await relay.queue()
    expect(waiting).toMatchObject({
      id: body.id,
      lastError: expect.stringMatching(/Cannot read the stored message/),
    })
  })
})
