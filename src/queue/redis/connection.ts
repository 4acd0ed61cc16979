/**
 * The connection to Redis (one server, behind Sentinels, or a Cluster) and what becomes of a step when it
 * breaks. The only module that knows ioredis. What it must work around:
 *
 * - Left to itself ioredis sends commands again after a reconnect: with `maxRetriesPerRequest: 0` it rejects
 *   them instead, at once, and the same idempotent step is repeated here, for as long as its caller can wait.
 *   (`autoResendUnfulfilledCommands: false` is no way to that: its promises never settle in 6.0.0.)
 * - `commandTimeout` does not cancel, the command may still run. `socketTimeout` breaks the connection, which
 *   makes the outcome honestly unknown.
 * - No pipelines of its own: in a Cluster, when one node answers such a batch with MOVED and another part of it
 *   succeeded, ioredis neither follows nor learns.
 */
import { createHash } from 'node:crypto'
import type { Writable } from 'node:stream'
import { type Cluster, Command, Redis } from 'ioredis'
import type { Config } from '../../config/schema.ts'
import { messageIdPartitionDigit } from '../../message-id.ts'
import type { Log } from '../../observe/log.ts'
import { QueueFull, QueueUnavailable } from '../queue.ts'
import type { Argument, BodiesBeside } from './arguments.ts'
import { durabilitySettings, isLoopback, parseConfig, parseInfo, type RedisFacts } from './durability.ts'
import { mostPartitions } from './lua.ts'
import { type RedisScript, redisScripts } from './scripts.ts'

/** The configuration's `queue.redis` with its password resolved. */
export type RedisSettings = Omit<Config['queue']['redis'], 'password'> & { readonly password: string | null }

/** How long a caller waits for Redis to come back. */
export interface Patience {
  /** While it is certain that nothing was changed, counted from when Redis went away. */
  readonly downMs: number
  /** Once a step was sent and its answer lost. */
  readonly unknownMs: number
  /** Called when an attempt failed, before it is repeated: whether its outcome is unknown. */
  readonly onTrouble?: (unknown: boolean) => void
}

/** What has a key `store`, and a hash tag, of its own: a partition of the queue, or the runtime state. */
export type Part = number | 'state'

/** A script as Redis knows it, once it has been told the text. */
interface Known {
  readonly sha: string
  readonly text: string
}

/** Takes the queue's scripts, unless it is given others. */
export class RedisConnection<Script extends string = RedisScript> {
  readonly partitions: number
  /** The address without its secrets, for messages. */
  readonly label: string
  readonly #prefix: string
  readonly #authenticated: boolean
  readonly #client: Redis | Cluster
  readonly #scripts: ReadonlyMap<Script, Known>
  readonly #waiting = new Set<() => void>()
  #downSince: number | null = performance.now()
  #lastError: string | null = null
  #closed = false

  /** Begins to connect and never stops trying; `onReady` is called each time it succeeds. */
  constructor(
    settings: RedisSettings,
    options: {
      nodeName: string
      log: Log
      onReady: () => void
      scripts?: Readonly<Record<Script, string>>
    },
  ) {
    const url = parseUrl(settings)
    this.partitions = settings.mode === 'cluster' ? mostPartitions : 1
    this.label = settings.mode === 'single' ? `${url.host}:${url.port}` : settings.nodes.join(', ')
    this.#prefix = settings.prefix
    this.#authenticated = url.password !== null
    const { nodeName, scripts = redisScripts as Readonly<Record<Script, string>> } = options
    this.#scripts = new Map(
      (Object.entries(scripts) as [Script, string][]).map(([name, text]) => [
        name,
        { text, sha: sha1(text) },
      ]),
    )
    this.#client = createClient(settings, { url, nodeName })
    this.#client.on('ready', () => {
      this.#teach()
      this.#downSince = null
      this.#lastError = null
      this.#wake()
      options.onReady()
    })
    this.#client.on('close', () => {
      if (this.#downSince === null) options.log.warn({ redis: this.label }, 'Connection to Redis lost')
      this.#downSince ??= performance.now()
    })
    const onError = (error: Error) => {
      this.#lastError = error.message
    }
    this.#client.on('error', onError)
    this.#client.on('node error', onError)
  }

  get ready(): boolean {
    return !this.#closed && this.#client.status === 'ready'
  }

  /** For how long there has been no connection; 0 where there is one. */
  get downMs(): number {
    if (this.ready) return 0
    return this.#downSince === null ? 0 : performance.now() - this.#downSince
  }

  /** Why it is not connected, for messages. */
  get trouble(): string {
    return `Redis at ${this.label} cannot be reached${this.#lastError === null ? '' : `: ${this.#lastError}`}`
  }

  partitionOf(id: string): number {
    return '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(messageIdPartitionDigit(id)) % this.partitions
  }

  /** Resolves with whether it is connected, at once or within `timeoutMs`. */
  whenReady(timeoutMs: number): Promise<boolean> {
    if (this.ready || this.#closed || timeoutMs <= 0) return Promise.resolve(this.ready)
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve(this.ready)
      }
      const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(wake, timeoutMs)
      this.#waiting.add(wake)
    })
  }

  /**
   * Takes a step, and repeats it until Redis has confirmed it. Rejects with `QueueFull` where Redis has no memory
   * left, with `QueueUnavailable` where it was not confirmed in time. Answers come as text.
   */
  run(script: Script, part: Part, args: readonly Argument[], patience: Patience): Promise<readonly string[]> {
    return this.#persist(
      () => this.#call(script, [this.#store(part), ...args]) as Promise<string[]>,
      patience,
    )
  }

  /**
   * As `run`, with bodies that are set in the same transaction before the script sees them: through a script each
   * would be copied three times more. Where the script is refused they are there all the same. Not for a Cluster,
   * where ioredis cannot follow a transaction that moves.
   */
  runBeside(
    script: Script,
    part: Part,
    { bodies, args }: { bodies: BodiesBeside; args: readonly Argument[] },
    patience: Patience,
  ): Promise<unknown> {
    const key = `${this.#tag(part)}:body:${bodies.name}`
    const step = { script, args: [this.#store(part), ...args] }
    return this.#persist(() => this.#transaction(key, bodies.fields, step), patience)
  }

  /** As `run`; `args` is asked for each attempt, and answers come as bytes. */
  runForBytes(
    script: Script,
    part: Part,
    args: (again: boolean) => readonly Argument[],
    patience: Patience,
  ): Promise<unknown> {
    return this.#persist(
      (again) => this.#call(script, [this.#store(part), ...args(again)], { asBytes: true }),
      patience,
    )
  }

  /** One look at the store's mark, without any patience: null where it is gone. */
  async epoch(partition: number): Promise<string | null> {
    return this.#client.hget(this.#store(partition), 'epoch')
  }

  /** What each master says about itself. */
  facts(): Promise<readonly RedisFacts[]> {
    return Promise.all(this.#nodes.map((node) => this.#factsOf(node)))
  }

  close(): void {
    this.#closed = true
    this.#client.disconnect()
    this.#wake()
  }

  async #persist<T>(attempt: (again: boolean) => Promise<T>, patience: Patience): Promise<T> {
    const startedAt = performance.now()
    const downUntil = startedAt + patience.downMs - this.downMs
    let doubtful = false
    for (let failures = 0; ; failures++) {
      try {
        return await attempt(failures > 0)
      } catch (error) {
        const fate = fateOf(error)
        const message = error instanceof Error ? error.message : String(error)
        // The library hangs the arguments on its errors, and with them whole messages: only the text goes on.
        if (fate === 'failed') throw new Error(`Redis refused a step: ${message}`)
        if (fate === 'full') throw new QueueFull(`Redis is full: ${message}`)
        doubtful ||= fate === 'unknown'
        patience.onTrouble?.(fate === 'unknown')
        if (!(this.#client instanceof Redis)) this.#client.refreshSlotsCache()
        if (
          !(await this.#nextTry({ failures, until: doubtful ? startedAt + patience.unknownMs : downUntil }))
        ) {
          throw new QueueUnavailable(this.ready ? message : this.trouble)
        }
      }
    }
  }

  /** Waits for the connection, or a little where it stands but Redis refuses; false when time is up. */
  async #nextTry(options: { failures: number; until: number }): Promise<boolean> {
    if (this.ready) {
      const pauseMs = Math.min(25 * 2 ** Math.min(options.failures, 6), 1000)
      if (performance.now() + pauseMs > options.until) return false
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    return this.whenReady(options.until - performance.now())
  }

  async #transaction(
    key: string,
    fields: BodiesBeside['fields'],
    { script, args }: { script: Script; args: readonly Argument[] },
  ): Promise<unknown> {
    const { sha, text } = this.#scripts.get(script)!
    const { stream } = this.#client as Redis
    const send = (name: string, args: readonly Argument[]) =>
      this.#client.sendCommand(new FlatCommand(name, args))
    // They leave in one write.
    stream?.cork()
    let replies: readonly [unknown, unknown, unknown, unknown]
    try {
      replies = [
        send('multi', []),
        send('hset', [key, ...fields]),
        send('evalsha', [sha, 1, ...args]),
        send('exec', []),
      ]
    } finally {
      stream?.uncork()
    }
    const answer = answerOf(await Promise.allSettled(replies))
    if (!(answer instanceof Error)) return answer
    // It is repeated, and the bodies are set once more.
    if (isUnknownScript(answer)) await this.#client.script('LOAD', text)
    throw answer
  }

  #tag(part: Part): string {
    return `{${this.#prefix}:${part}}`
  }

  #store(part: Part): string {
    return `${this.#tag(part)}:store`
  }

  get #nodes(): readonly Redis[] {
    return this.#client instanceof Redis ? [this.#client] : this.#client.nodes('master')
  }

  /** Before anything else, so that no step has to be taken twice. What fails here is done by the step that misses it. */
  #teach(): void {
    for (const node of this.#nodes)
      for (const { text } of this.#scripts.values()) node.script('LOAD', text).catch(() => undefined)
  }

  /** By its digest; a server that has not heard of the script gets the text. */
  async #call(
    script: Script,
    args: readonly Argument[],
    { asBytes = false }: { asBytes?: boolean } = {},
  ): Promise<unknown> {
    const { sha, text } = this.#scripts.get(script)!
    try {
      return await this.#client.sendCommand(new FlatCommand('evalsha', [sha, 1, ...args], { asBytes }))
    } catch (error) {
      if (!isUnknownScript(error)) throw error
      return this.#client.sendCommand(new FlatCommand('eval', [text, 1, ...args], { asBytes }))
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }

  async #factsOf(node: Redis): Promise<RedisFacts> {
    const info = await node.info().then(parseInfo, forbidden)
    const config = await node.config('GET', ...(durabilitySettings as [string])).then(parseConfig, forbidden)
    const before = Date.now()
    const [seconds, micros] = await node.time()
    const halfway = (before + Date.now()) / 2
    const address = node.stream?.remoteAddress
    return {
      server: `${node.options.host ?? address}:${node.options.port}`,
      info,
      config,
      clockDifferenceMs: Math.round(Number(seconds) * 1000 + Number(micros) / 1000 - halfway),
      loopback: address === undefined || isLoopback(address),
      authenticated: this.#authenticated,
    }
  }
}

/** Null where Redis refuses to say; every other error is the caller's. */
function forbidden(error: unknown): null {
  if (error instanceof Error && /^(NOPERM|ERR unknown command)/i.test(error.message)) return null
  throw error
}

/**
 * A command whose arguments are flat already. ioredis's own flattens them with `Array.prototype.flat`, for which V8
 * calls its slow runtime twice an argument, and copies bodies once more.
 */
class FlatCommand extends Command {
  constructor(name: string, args: readonly Argument[], { asBytes = false }: { asBytes?: boolean } = {}) {
    super(name, [], { replyEncoding: asBytes ? null : 'utf8' })
    this.args = args.map((arg) => (typeof arg === 'number' ? String(arg) : arg))
  }

  /** As the protocol has it (RESP): the number of parts, then each behind its length in octets. Large ones go ahead. */
  override toWritable(socket: object): string | Buffer {
    let pieces: Buffer[] = []
    let text = `*${this.args.length + 1}\r\n$${this.name.length}\r\n${this.name}\r\n`
    for (const arg of this.args as readonly (string | Buffer)[]) {
      if (typeof arg === 'string') {
        text += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`
        continue
      }
      pieces.push(Buffer.from(`${text}$${arg.length}\r\n`), arg)
      text = '\r\n'
      if (arg.length < tooLargeToCopy) continue
      for (const piece of pieces) (socket as Writable).write(piece)
      pieces = []
    }
    return pieces.length === 0 ? text : Buffer.concat([...pieces, Buffer.from(text)])
  }
}

const tooLargeToCopy = 16 * 1024

type Reply = PromiseSettledResult<unknown>

/** What the script of a transaction answered, or the error it was refused with. */
function answerOf([multi, set, script, exec]: readonly [Reply, Reply, Reply, Reply]): unknown {
  // Then each was taken for itself, in this order: no worse, but for bodies that a broken connection leaves behind.
  if (multi.status === 'rejected') return script.status === 'rejected' ? script.reason : script.value
  // The first refusal is the cause of those behind it.
  for (const reply of [set, script, exec]) if (reply.status === 'rejected') return reply.reason
  return (exec as PromiseFulfilledResult<readonly unknown[]>).value[1]
}

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex')

const isUnknownScript = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('NOSCRIPT')

/** Refusals that pass: the step was not taken, and may be later. */
const passing =
  /^(LOADING|READONLY|MISCONF|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|NOREPLICAS|NOAUTH|NOPERM|NOSCRIPT)\b/

type Fate = 'unsent' | 'refused' | 'full' | 'failed' | 'unknown'

/** What became of a step whose promise was rejected. Where nothing speaks for another answer, it is unknown. */
function fateOf(error: unknown): Fate {
  if (!(error instanceof Error)) return 'unknown'
  if (error instanceof TypeError || error instanceof RangeError) return 'failed'
  if (error.name === 'ReplyError') {
    if (error.message.startsWith('OOM')) return 'full'
    return passing.test(error.message) ? 'refused' : 'failed'
  }
  return /^(Stream isn't writeable|Cluster isn't ready)/.test(error.message) ? 'unsent' : 'unknown'
}

interface RedisUrl {
  readonly host: string
  readonly port: number
  readonly db: number
  readonly tls: boolean
  readonly username: string | null
  readonly password: string | null
}

/** Settings of their own win over what stands in the URL. */
function parseUrl(settings: RedisSettings): RedisUrl {
  if (!URL.canParse(settings.url))
    throw new Error('queue.redis.url is not a URL such as redis://127.0.0.1:6379')
  const url = new URL(settings.url)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    throw new Error(`The URL of Redis must begin with redis:// or rediss://, not ${url.protocol}//`)
  const given = (text: string) => (text === '' ? null : decodeURIComponent(text))
  return {
    host: url.hostname === '' ? '127.0.0.1' : url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    db: Number(url.pathname.slice(1) || 0),
    tls: url.protocol === 'rediss:',
    username: settings.username ?? given(url.username),
    password: settings.password ?? given(url.password),
  }
}

/** Time between attempts to connect: quick at first, and never an end to it. */
const retryMs = (attempts: number): number => Math.min(attempts * 50, 1000)

function createClient(
  settings: RedisSettings,
  options: { url: RedisUrl; nodeName: string },
): Redis | Cluster {
  const { url } = options
  const common = {
    ...(url.username === null ? {} : { username: url.username }),
    ...(url.password === null ? {} : { password: url.password }),
    ...(url.tls ? { tls: {} } : {}),
    connectionName: `relay-${options.nodeName.replace(/[^A-Za-z0-9.-]/g, '-')}`,
    connectTimeout: 5000,
    socketTimeout: 10_000,
    keepAlive: 10_000,
    maxRetriesPerRequest: 0,
    maxLoadingRetryTime: 1000,
    // After a failover an old connection may lead to a replica: 1 reconnects and leaves the repetition to us.
    reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? (1 as const) : false),
  }
  const nodes = settings.nodes.map(parseNode)
  if (settings.mode === 'cluster') {
    return new Redis.Cluster(nodes.length > 0 ? nodes : [{ host: url.host, port: url.port }], {
      redisOptions: common,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryMs,
      slotsRefreshInterval: 10_000,
      // No repetitions of its own, which would hide that a step was not sent at all.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
    })
  }
  const single = {
    ...common,
    enableOfflineQueue: false,
    retryStrategy: retryMs,
  }
  if (settings.mode === 'single') return new Redis({ ...single, host: url.host, port: url.port, db: url.db })
  return new Redis({
    ...single,
    sentinels: nodes,
    name: settings.sentinelName,
    db: url.db,
    enableTLSForSentinelMode: url.tls,
  })
}

function parseNode(node: string): { host: string; port: number } {
  const colon = node.lastIndexOf(':')
  return { host: node.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(node.slice(colon + 1)) }
}
