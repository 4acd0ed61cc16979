/** The two stores as a relay's configuration names them, with what they need to run. */
import { type RedisServer, redisAvailable, startRedis } from './redis.ts'

export type StoreName = 'embedded' | 'redis'

export const stores: readonly StoreName[] = redisAvailable ? ['embedded', 'redis'] : ['embedded']

/** The shortest lease there is: so long the mail of a relay that died waits in Redis. */
export const leaseMs = 5000

export function queueOn(redis: Pick<RedisServer, 'url'>, change: Record<string, unknown> = {}) {
  return { store: 'redis', lease: `${leaseMs}ms`, redis: { url: redis.url, ...change } }
}

export interface Store {
  /** For `queue` in the configuration. */
  readonly queue: Record<string, unknown>
  destroy(): Promise<void>
}

export async function startStore(name: StoreName): Promise<Store> {
  if (name === 'embedded')
    // A lease there dies with the process; one that did not would be waited for in vain.
    return { queue: { store: 'embedded', lease: '1h' }, destroy: async () => undefined }
  const redis = await startRedis()
  return { queue: queueOn(redis), destroy: () => redis.destroy() }
}
