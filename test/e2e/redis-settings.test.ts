/** A Redis that would not keep mail, or is not there: what the relay says to that when it is started. */
import { describe, expect, it } from 'vitest'
import { closeAfterwards, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { type RedisServer, redisAvailable, startRedis } from '../support/redis.ts'
import { connectorTo, RelayProcess } from '../support/relay-process.ts'
import { queueOn } from '../support/stores.ts'
import { submit } from '../support/submit.ts'

async function redisWith(settings: readonly string[]): Promise<RedisServer> {
  const redis = await startRedis(settings)
  closeAfterwards(() => redis.destroy())
  return redis
}

const connectors = [connectorTo(25)]

const careless: readonly (readonly [setting: string, value: string, remedy: string])[] = [
  ['appendonly', 'no', 'CONFIG SET appendonly yes'],
  ['appendfsync', 'everysec', 'CONFIG SET appendfsync always'],
  ['no-appendfsync-on-rewrite', 'yes', 'CONFIG SET no-appendfsync-on-rewrite no'],
  ['maxmemory-policy', 'allkeys-lru', 'CONFIG SET maxmemory-policy noeviction'],
]

describe.skipIf(!redisAvailable)('with durability strict', () => {
  it('refuses a Redis that syncs every second, and says what to set', async () => {
    const redis = await redisWith(['--appendfsync', 'everysec'])
    const { code, text } = await RelayProcess.refused({ queue: queueOn(redis), connectors })
    expect(code).toBe(1)
    expect(text).toContain('appendfsync is everysec: CONFIG SET appendfsync always')
    expect(text).not.toContain('listening')
  })

  it('names everything there is to set at once', async () => {
    const redis = await redisWith(careless.flatMap(([setting, value]) => [`--${setting}`, value]))
    const { code, text } = await RelayProcess.refused({ queue: queueOn(redis), connectors })
    expect(code).toBe(1)
    for (const [setting, value, remedy] of careless)
      expect(text).toContain(`${setting} is ${value}: ${remedy}`)
  })
})

describe.skipIf(!redisAvailable)('with durability relaxed', () => {
  it('warns of each such setting, and relays', async () => {
    const redis = await redisWith(careless.flatMap(([setting, value]) => [`--${setting}`, value]))
    const host = await startHost()
    const relay = await startRelay({
      queue: queueOn(redis, { durability: 'relaxed' }),
      connectors: [connectorTo(host.port)],
    })
    const warnings = relay.lines.filter(({ level }) => level === 'warn').map(({ reason }) => `${reason}`)
    for (const [, , remedy] of careless)
      expect(warnings.filter((warning) => warning.includes(remedy))).toHaveLength(1)
    const accepted = [await submit(relay, { to: ['kept@example.org'] })]
    await host.received(1)
    expect(await balanceOf({ accepted, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 1 }))
  })
})

describe.skipIf(!redisAvailable)('without Redis', { timeout: 30_000 }, () => {
  it('gives up within seconds, and says where it looked and why', async () => {
    const redis = await redisWith([])
    await redis.stop()
    const startedAt = performance.now()
    const { code, text } = await RelayProcess.refused({ queue: queueOn(redis), connectors })
    expect(code).toBe(1)
    expect(text).toContain(`Redis at 127.0.0.1:${redis.port} cannot be reached: connect ECONNREFUSED`)
    expect(text).not.toContain('listening')
    expect(performance.now() - startedAt).toBeLessThan(20_000)
  })
})
