/** The stores of a relay: its queue, and beside it, in a store of the same kind, what is configured while it runs. */
import { join } from 'node:path'
import type { LoadedConfig } from './config/load.ts'
import type { Log } from './observe/log.ts'
import type { Queue } from './queue/queue.ts'
import type { StateStore } from './state/state.ts'

interface StoreOptions {
  readonly loaded: LoadedConfig
  readonly log: Log
}

/** As a shared store knows this process. */
export const nodeNameOf = ({ config }: LoadedConfig): string => `${config.hostname}-${process.pid}`

/** Loads the one store that is used, as the library of the other would take 8 MB for nothing. */
export async function openQueue({ loaded, log }: StoreOptions): Promise<Queue> {
  const { queue, dataDir } = loaded.config
  const limits = { maxItems: queue.maxItems, maxBytes: queue.maxBytes, log }
  if (queue.store === 'embedded') {
    const { openEmbeddedQueue } = await import('./queue/embedded/embedded.ts')
    return openEmbeddedQueue({ ...limits, dir: join(dataDir, 'queue') })
  }
  const { openRedisQueue } = await import('./queue/redis/redis.ts')
  return openRedisQueue({ ...limits, redis: loaded.redis, nodeName: nodeNameOf(loaded) })
}

/** After the queue, which finds out whether the store keeps what it confirms. */
export async function openState({ loaded, log }: StoreOptions): Promise<StateStore> {
  const { queue, dataDir } = loaded.config
  if (queue.store === 'embedded') {
    const { openEmbeddedState } = await import('./state/embedded-state.ts')
    return openEmbeddedState({ dir: join(dataDir, 'state'), log })
  }
  const { openRedisState } = await import('./state/redis-state.ts')
  return openRedisState({ redis: loaded.redis, log, nodeName: nodeNameOf(loaded) })
}
