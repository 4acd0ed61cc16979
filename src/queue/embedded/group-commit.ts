/**
 * Group commit for the embedded store: one commit at a time, and everything that arrives while it syncs goes
 * into the next one together. A commit that fails fails whole. What may be refused (a new message) is then
 * rejected; what must not be lost (the outcome of an attempt) is kept and tried again, by itself, until it is
 * stored: when the disk is full, removals can succeed where new mail cannot. While nothing is kept, an empty
 * commit is tried in its place, so that a store that recovers is noticed without new mail.
 */

/** One atomic change among those of a group. */
export interface Job<Group> {
  /** Adds what it writes to the group, or throws, having added nothing, and is refused alone. */
  plan(group: Group): void
  /** The commit is durable and readable. Nothing else runs before all jobs of the group are told. */
  applied(): void
  /** `plan` threw, or the queue is closed, or the commit failed and the job is not to be kept. */
  refused(error: unknown): void
  /** Whether it is tried again after a failed commit; `kept` is told each time. */
  readonly keep: boolean
  kept?(): void
}

export interface GroupCommitHost<Group> {
  /** Resolves when the next commit may begin; none is under way meanwhile. */
  ready(): Promise<void>
  begin(): Group
  /** Makes the group durable. */
  commit(group: Group): Promise<void>
  /** Makes the group readable; at once after it each job is told that it is `applied`. */
  publish(group: Group): void
  /** After a failed commit, and with null after the next one that succeeded. */
  failed(error: unknown | null): void
}

/** Bounds what one commit writes, and with it how long the first job of the next one waits. */
const largestGroup = 256
const retryMs = 1000

export class GroupCommit<Group> {
  readonly #host: GroupCommitHost<Group>
  /** In order of arrival. While commits fail, only jobs that are not kept. */
  #waiting: Job<Group>[] = []
  #kept: Job<Group>[] = []
  #failing = false
  #running = false
  #scheduled = false
  #retryTimer: NodeJS.Timeout | null = null
  #idle: (() => void)[] = []
  #closed: Error | null = null

  constructor(host: GroupCommitHost<Group>) {
    this.#host = host
  }

  submit(job: Job<Group>): void {
    if (this.#closed) job.refused(this.#closed)
    else if (this.#failing && job.keep) this.#kept.push(job)
    else this.#waiting.push(job)
    this.#schedule()
  }

  /** Waits until all is stored, at most `deadlineMs`; then refuses the rest. Says whether a commit still runs. */
  async drain(options: { deadlineMs: number; refusal: Error }): Promise<{ running: boolean }> {
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, options.deadlineMs)
    })
    await Promise.race([this.#whenIdle(), deadline])
    clearTimeout(timer)
    this.#closed = options.refusal
    this.#stopRetrying()
    for (const job of [...this.#waiting.splice(0), ...this.#kept.splice(0)]) job.refused(this.#closed)
    return { running: this.#running }
  }

  #whenIdle(): Promise<void> {
    if (!this.#running && this.#waiting.length === 0 && this.#kept.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** The jobs of one turn of the event loop begin together. */
  #schedule(): void {
    if (this.#running || this.#scheduled || this.#waiting.length === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      void this.#run()
    })
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    while (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0, largestGroup))
    this.#running = false
    if (this.#kept.length === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #commit(jobs: readonly Job<Group>[]): Promise<void> {
    await this.#host.ready()
    const group = this.#host.begin()
    const planned = jobs.filter((job) => plan(job, group))
    if (planned.length === 0 && !this.#failing) return
    try {
      await this.#host.commit(group)
    } catch (error) {
      this.#fail(planned, error)
      return
    }
    this.#host.publish(group)
    for (const job of planned) job.applied()
    if (this.#failing) this.#recover()
  }

  #fail(jobs: readonly Job<Group>[], error: unknown): void {
    this.#host.failed(error)
    if (this.#closed) {
      for (const job of jobs) job.refused(this.#closed)
      return
    }
    this.#failing = true
    const kept = [...jobs, ...this.#waiting].filter((job) => job.keep)
    this.#waiting = this.#waiting.filter((job) => !job.keep)
    this.#kept.push(...kept)
    for (const job of kept) job.kept?.()
    for (const job of jobs) if (!job.keep) job.refused(error)
    this.#retryTimer ??= setTimeout(() => void this.#retry(), retryMs)
  }

  async #retry(): Promise<void> {
    this.#retryTimer = null
    if (this.#running) {
      this.#retryTimer = setTimeout(() => void this.#retry(), retryMs)
      return
    }
    this.#running = true
    await this.#commit(this.#kept.splice(0, largestGroup))
    this.#running = false
    await this.#run()
  }

  #recover(): void {
    this.#failing = false
    this.#stopRetrying()
    this.#host.failed(null)
    this.#waiting.unshift(...this.#kept.splice(0))
  }

  #stopRetrying(): void {
    if (this.#retryTimer) clearTimeout(this.#retryTimer)
    this.#retryTimer = null
  }
}

function plan<Group>(job: Job<Group>, group: Group): boolean {
  try {
    job.plan(group)
    return true
  } catch (error) {
    job.refused(error)
    return false
  }
}
