/** A runtime state under a prefix of its own on servers that run already, for the contract and the model. */
import { createLog } from '../../src/observe/log.ts'
import { openRedisState, type RedisStateOptions } from '../../src/state/redis-state.ts'
import type { StateStore } from '../../src/state/state.ts'
import type { RedisServer } from '../support/redis.ts'
import type { Harness } from './contract.ts'

export type RedisStateFields = Partial<RedisStateOptions['redis']> & {
  /** Gets the messages of the log. */
  readonly logged?: string[]
}

export function openState(fields: RedisStateFields): Promise<StateStore> {
  const { logged = [], ...redis } = fields
  const log = createLog({
    level: 'info',
    destination: { write: (line) => void logged.push((JSON.parse(line) as { msg: string }).msg) },
  })
  return openRedisState({
    redis: {
      url: 'redis://127.0.0.1:1',
      mode: 'single',
      nodes: [],
      sentinelName: 'mymaster',
      username: null,
      password: null,
      prefix: 'relay',
      durability: 'strict',
      ...redis,
    },
    log,
    nodeName: 'test',
  })
}

/** Arguments of redis-cli cannot be any bytes. */
const storeHex = `
local bytes = string.gsub(ARGV[2], '..', function(hex) return string.char(tonumber(hex, 16)) end)
return redis.call('HSET', KEYS[1], ARGV[1], bytes)`

let stores = 0

export class RedisHarness implements Harness {
  readonly #prefix = `store-${stores++}`
  readonly #servers: readonly RedisServer[]
  readonly #fields: RedisStateFields
  readonly #opened: StateStore[] = []

  constructor(servers: readonly RedisServer[], fields: RedisStateFields) {
    this.#servers = servers
    this.#fields = fields
  }

  async open(): Promise<StateStore> {
    const store = await openState({ ...this.#fields, prefix: this.#prefix })
    this.#opened.push(store)
    return store
  }

  async crash(): Promise<void> {
    for (const server of this.#servers) {
      await server.kill9()
      await server.restart()
    }
  }

  async damage(key: string, bytes: Buffer): Promise<void> {
    const objects = `{${this.#prefix}:state}:objects`
    // In a Cluster only the node that has the key takes it.
    for (const server of this.#servers)
      await server.cli('EVAL', storeHex, '1', objects, key, bytes.toString('hex'))
  }

  async moved(): Promise<number> {
    let bytes = 0
    for (const server of this.#servers)
      for (const [, count] of (await server.cli('INFO', 'stats')).matchAll(/total_net_\w+_bytes:(\d+)/g))
        bytes += Number(count)
    return bytes
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#opened.map((store) => store.close()))
  }
}
