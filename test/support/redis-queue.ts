/** Redis queues for tests: open with what matters to the test, and read what was logged. */
import { createLog } from '../../src/observe/log.ts'
import type { Queue } from '../../src/queue/queue.ts'
import type { RedisSettings } from '../../src/queue/redis/connection.ts'
import { openRedisQueue } from '../../src/queue/redis/redis.ts'

export type RedisQueueFields = Partial<RedisSettings> & {
  readonly maxItems?: number
  readonly maxBytes?: number
  /** Gets the messages of the log. */
  readonly logged?: string[]
}

export function openQueue(fields: RedisQueueFields): Promise<Queue> {
  const { maxItems = 1_000_000, maxBytes = 2 ** 40, logged = [], ...redis } = fields
  const log = createLog({
    level: 'info',
    destination: { write: (line) => void logged.push((JSON.parse(line) as { msg: string }).msg) },
  })
  return openRedisQueue({ redis: redisSettings(redis), maxItems, maxBytes, log, nodeName: 'test' })
}

export function redisSettings(fields: Partial<RedisSettings>): RedisSettings {
  return {
    url: 'redis://127.0.0.1:1',
    mode: 'single',
    nodes: [],
    sentinelName: 'mymaster',
    username: null,
    password: null,
    prefix: 'relay',
    durability: 'strict',
    ...fields,
  }
}
