/**
 * The setup of a running relay: what is configured now, who is told when it changes, and the one way to change it.
 * A change is planned on what is configured (plan.ts), stored in one step, effective on this node when its promise
 * resolves and on the others within a second, and recorded with who made it.
 */
import type { Clock } from '../clock.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { RecordEvent } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import { QueueUnavailable } from '../queue/queue.ts'
import { reseal, type SealedSecret, type SecretBox } from '../state/secrets.ts'
import { type StateChange, StateConflict, type StateSnapshot, type StateStore } from '../state/state.ts'
import { type CurrentSetup, SetupReader } from './current.ts'
import { type Plan, type Planning, SetupRefused } from './plan.ts'

export interface SetupOptions {
  readonly loaded: LoadedConfig
  readonly state: StateStore
  /** Null where no key is configured that all nodes have. */
  readonly box: SecretBox | null
  readonly clock: Clock
  readonly log: Log
  readonly record: RecordEvent
}

/** Another node's change may come first again and again; never so often that it is chance. */
const mostAttempts = 20
/** So many objects of a rotation are stored at a time. */
const resealBatch = 200

export class Setup {
  readonly #options: SetupOptions
  readonly #reader: SetupReader
  readonly #listeners = new Set<(current: CurrentSetup) => void>()
  readonly #unwatch: () => void
  #current: CurrentSetup
  /** The end of the last change that was asked for here. */
  #turn: Promise<unknown> = Promise.resolve()

  static async open(options: SetupOptions): Promise<Setup> {
    return new Setup(options, await options.state.read())
  }

  private constructor(options: SetupOptions, snapshot: StateSnapshot) {
    this.#options = options
    this.#reader = new SetupReader({ file: options.loaded, box: options.box })
    this.#current = this.#reader.currentOf(snapshot)
    this.#nameUnusable(new Set())
    this.#unwatch = options.state.watch((newer) => this.#take(newer))
  }

  get current(): CurrentSetup {
    return this.#current
  }

  /** Called with each change, before whoever made it is answered. */
  watch(listener: (current: CurrentSetup) => void): void {
    this.#listeners.add(listener)
  }

  /**
   * Stores what is planned, one change after the other. Planned again where another node's came first, whatever that
   * changed: a plan may depend on anything it has seen, as that no sender is bound to a connector. So it must be pure; it
   * refuses by throwing `SetupRefused`. Rejects with `QueueUnavailable` where the store is away.
   */
  async apply<Planned extends Plan>(
    plan: (current: CurrentSetup, planning: Planning) => Planned,
    { by }: { by: string },
  ): Promise<Planned> {
    const applied = this.#turn.then(() => this.#apply(plan, { by }))
    this.#turn = applied.catch(() => undefined)
    return applied
  }

  async #apply<Planned extends Plan>(
    plan: (current: CurrentSetup, planning: Planning) => Planned,
    { by }: { by: string },
  ): Promise<Planned> {
    const { state, clock, record } = this.#options
    for (let attempt = 1; ; attempt++) {
      const now = clock.now()
      const planned = plan(this.#current, { now, seal: (text, context) => this.#seal(text, context) })
      if (planned.changes.length === 0) return planned
      try {
        await state.change(planned.changes, { now, revision: this.#current.revision })
      } catch (error) {
        if (!(error instanceof StateConflict) || attempt === mostAttempts) throw error
        this.#take(await state.read())
        continue
      }
      for (const configured of planned.audit) record({ ...configured, event: 'configured', by })
      await this.#takeMade()
      return planned
    }
  }

  async #takeMade(): Promise<void> {
    try {
      await this.catchUp()
    } catch (error) {
      if (!(error instanceof QueueUnavailable)) throw error
      throw new QueueUnavailable(`${error.message} (the change is made, and not yet effective here)`)
    }
  }

  /** Resolves when this node knows what the store had when asked, or more, and all who watch have been told. */
  async catchUp(): Promise<void> {
    this.#take(await this.#options.state.read())
  }

  /** Seals every secret anew that is not under the current key; resolves with how many objects that were. */
  async rekey({ by }: { by: string }): Promise<number> {
    const { record, box } = this.#options
    if (box === null) throw noKey()
    let done = 0
    try {
      for (let batch = this.#outdated(box); batch.length > 0; batch = this.#outdated(box)) {
        if (await this.#stored(batch)) done += batch.length
        this.#take(await this.#options.state.read())
      }
    } finally {
      const change = { act: 'changed', what: 'state key', id: 'state.key', before: null } as const
      if (done > 0) record({ event: 'configured', by, ...change, after: { objects: done } })
    }
    return done
  }

  #outdated(box: SecretBox): StateChange[] {
    const changes: StateChange[] = []
    for (const { kind, id, version, value } of this.#current.snapshot.objects) {
      const resealed = reseal(value, { box, object: { kind, id } })
      if (resealed !== value) changes.push({ kind, id, expected: version, value: resealed })
      if (changes.length === resealBatch) break
    }
    return changes
  }

  /** False where somebody else's change came first. */
  async #stored(changes: readonly StateChange[]): Promise<boolean> {
    const { state, clock } = this.#options
    try {
      await state.change(changes, { now: clock.now() })
      return true
    } catch (error) {
      if (error instanceof StateConflict) return false
      throw error
    }
  }

  stop(): void {
    this.#unwatch()
    this.#listeners.clear()
  }

  #take(snapshot: StateSnapshot): void {
    if (snapshot.revision <= this.#current.revision) return
    const known = new Set(this.#current.unusable.map(({ kind, id }) => `${kind}/${id}`))
    this.#current = this.#reader.currentOf(snapshot)
    this.#nameUnusable(known)
    for (const listener of this.#listeners) this.#tell(listener)
  }

  /** What is stored is done, whatever a listener makes of it. */
  #tell(listener: (current: CurrentSetup) => void): void {
    try {
      listener(this.#current)
    } catch (error) {
      this.#options.log.error({ err: error }, 'a change of the setup was not taken over')
    }
  }

  #nameUnusable(known: ReadonlySet<string>): void {
    for (const { kind, id, why } of this.#current.unusable)
      if (!known.has(`${kind}/${id}`))
        this.#options.log.error({ object: `${kind}/${id}`, why }, 'an object of the state cannot be used')
  }

  /** Throws `SecretUnreadable`, or `SetupRefused` where there is no key. */
  unseal(secret: SealedSecret, context: string): string {
    const { box } = this.#options
    if (box === null) throw noKey()
    return box.open(secret, { context })
  }

  #seal(text: string, context: string): SealedSecret {
    const { box } = this.#options
    if (box === null) throw noKey()
    return box.seal(text, { context })
  }
}

const noKey = (): SetupRefused =>
  new SetupRefused(
    'noKey',
    'No secret can be kept: with the Redis store, state.key must name the key that all nodes have',
  )
