/** A store of the Redis queue, under a prefix of its own on servers that run already, for the contract and the model. */
import type { Queue } from '../../src/queue/queue.ts'
import type { RedisServer } from '../support/redis.ts'
import { openQueue, type RedisQueueFields } from '../support/redis-queue.ts'
import type { Harness } from './contract.ts'

let stores = 0

export class RedisHarness implements Harness {
  readonly #prefix = `store-${stores++}`
  readonly #servers: readonly RedisServer[]
  readonly #fields: RedisQueueFields
  readonly #opened: Queue[] = []

  constructor(servers: readonly RedisServer[], fields: RedisQueueFields) {
    this.#servers = servers
    this.#fields = fields
  }

  async open(limits: { readonly maxItems?: number; readonly maxBytes?: number } = {}): Promise<Queue> {
    const queue = await openQueue({ ...this.#fields, prefix: this.#prefix, ...limits })
    this.#opened.push(queue)
    return queue
  }

  /** Nobody uses the queue any more, and it is not closed: to Redis that is what a dead process is. */
  async crash(): Promise<void> {}

  corrupt(itemId: string): Promise<void> {
    return this.edit(itemId, () => '{"id":')
  }

  async edit(itemId: string, change: (record: string) => string): Promise<void> {
    for (const { server, key } of await this.#keys())
      if (key.endsWith(`:item:${itemId}`)) {
        const record = await server.cli('HGET', key, 'j')
        await server.cli('HSET', key, 'j', change(record.trimEnd()))
      }
  }

  async residue(): Promise<readonly string[]> {
    const left: string[] = []
    for (const { server, key } of await this.#keys()) {
      if (!key.endsWith(':store')) left.push(key)
      else if (!/^0?\n$/.test(await server.cli('HGET', key, 'bytes'))) left.push(`bytes of ${key}`)
    }
    return left
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#opened.map((queue) => queue.close({ deadlineMs: 1000 })))
  }

  /** All keys of the store, but for the traces of removed items, which expire. */
  async #keys(): Promise<readonly { server: RedisServer; key: string }[]> {
    const found = await Promise.all(
      this.#servers.map(async (server) => {
        const keys = await server.cli('KEYS', `{${this.#prefix}:*`)
        return keys.split('\n').map((key) => ({ server, key }))
      }),
    )
    return found.flat().filter(({ key }) => key !== '' && !key.includes(':gone:'))
  }
}
