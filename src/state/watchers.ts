/** Who waits for new snapshots, and which each has had: nobody is told of one twice, or of an older one. */
import type { Log } from '../observe/log.ts'
import type { StateSnapshot } from './state.ts'

interface Watcher {
  readonly listener: (snapshot: StateSnapshot) => void
  /** The revision it knows. */
  known: number
}

export class Watchers {
  readonly #log: Log
  readonly #watchers = new Set<Watcher>()
  /** The revision that was read last. */
  #read = 0

  constructor(log: Log) {
    this.#log = log
  }

  get any(): boolean {
    return this.#watchers.size > 0
  }

  wasRead(snapshot: StateSnapshot): void {
    this.#read = Math.max(this.#read, snapshot.revision)
  }

  /** `latest` is told at once where it is newer than what was read. */
  add(listener: Watcher['listener'], latest: StateSnapshot): () => void {
    const watcher = { listener, known: this.#read }
    this.#watchers.add(watcher)
    queueMicrotask(() => this.#tell(watcher, latest))
    return () => {
      this.#watchers.delete(watcher)
    }
  }

  tell(snapshot: StateSnapshot): void {
    for (const watcher of [...this.#watchers]) this.#tell(watcher, snapshot)
  }

  clear(): void {
    this.#watchers.clear()
  }

  #tell(watcher: Watcher, snapshot: StateSnapshot): void {
    if (!this.#watchers.has(watcher) || snapshot.revision <= watcher.known) return
    watcher.known = snapshot.revision
    try {
      watcher.listener(snapshot)
    } catch (error) {
      // A change that is stored is done, whatever a listener makes of it.
      this.#log.error({ err: error, revision: snapshot.revision }, 'A change of the state was not taken over')
    }
  }
}
