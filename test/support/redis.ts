/**
 * Real Redis servers for tests: children of the test, on free loopback ports, each in a directory of its own that
 * is removed with it. Durable by default, as the relay wants them.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Whether redis-server is installed. Where CI is set it must be: tests are not skipped there, they fail. */
export const redisAvailable = spawnSync('redis-server', ['--version']).status === 0 || Boolean(process.env.CI)

const durable: readonly string[] = [
  ...['--appendonly', 'yes'],
  ...['--appendfsync', 'always'],
  ...['--maxmemory-policy', 'noeviction'],
]

export interface RedisServer {
  readonly port: number
  readonly url: string
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>
  /** SIGKILL, and waits for the end. */
  kill9(): Promise<void>
  /** Starts it again on the same directory and port; resolves when it answers. */
  restart(): Promise<void>
  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause(): void
  resume(): void
  /** One command, as redis-cli prints its answer. */
  cli(...command: string[]): Promise<string>
  /** Stops it, and removes its directory. */
  destroy(): Promise<void>
}

/** `settings` are arguments of redis-server, such as `--maxmemory 10mb`; they win over the durable ones. */
export async function startRedis(settings: readonly string[] = []): Promise<RedisServer> {
  const server = new Server(await freePort(), await mkdtemp(join(tmpdir(), 'redis-test-')), settings)
  try {
    await server.restart()
  } catch (error) {
    await server.destroy()
    throw error
  }
  return server
}

class Server implements RedisServer {
  readonly port: number
  readonly url: string
  readonly #directory: string
  readonly #arguments: readonly string[]
  #child: ChildProcess | null = null

  constructor(port: number, directory: string, settings: readonly string[]) {
    this.port = port
    this.url = `redis://127.0.0.1:${port}`
    this.#directory = directory
    const place = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', '']
    this.#arguments = [...place, '--loglevel', 'warning', ...durable, ...settings]
  }

  async restart(): Promise<void> {
    await this.kill9()
    this.#child = spawnServer(this.#arguments)
    await untilReady(this)
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  kill9(): Promise<void> {
    return this.#end('SIGKILL')
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  cli(...command: string[]): Promise<string> {
    return redisCli(this.port, command)
  }

  async destroy(): Promise<void> {
    await this.kill9()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
      return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
}

/** A Cluster of three masters without replicas; resolves when all slots are served. */
export async function startRedisCluster(): Promise<{
  nodes: readonly RedisServer[]
  destroy(): Promise<void>
}> {
  const nodes = await Promise.all(
    [1, 2, 3].map(() => startRedis(['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'])),
  )
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  await redisCli(null, ['--cluster', 'create', ...addresses, '--cluster-replicas', '0', '--cluster-yes'])
  for (const node of nodes)
    await until(async () => /cluster_state:ok/.test(await node.cli('CLUSTER', 'INFO')))
  return { nodes, destroy: async () => void (await Promise.all(nodes.map((node) => node.destroy()))) }
}

/** A master, its replica and three sentinels that watch the master as `mymaster`. */
export async function startRedisSentinels(): Promise<{
  master: RedisServer
  replica: RedisServer
  sentinels: readonly string[]
  destroy(): Promise<void>
}> {
  const master = await startRedis()
  const replica = await startRedis(['--replicaof', '127.0.0.1', `${master.port}`])
  await until(async () => /master_link_status:up/.test(await replica.cli('INFO', 'replication')))
  const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(master.port)))
  for (const { port } of sentinels)
    await until(async () => {
      const known = await redisCli(port, ['SENTINEL', 'MASTER', 'mymaster'])
      return /num-slaves\n1\n/.test(known) && /num-other-sentinels\n2\n/.test(known)
    })
  return {
    master,
    replica,
    sentinels: sentinels.map(({ port }) => `127.0.0.1:${port}`),
    destroy: async () =>
      void (await Promise.all([...sentinels, master, replica].map((server) => server.destroy()))),
  }
}

async function startSentinel(masterPort: number): Promise<{ port: number; destroy(): Promise<void> }> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'sentinel-test-'))
  const file = join(directory, 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${directory}`,
    `sentinel monitor mymaster 127.0.0.1 ${masterPort} 2`,
    'sentinel down-after-milliseconds mymaster 1000',
    'sentinel failover-timeout mymaster 4000',
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  const child = spawnServer([file, '--sentinel'])
  await untilReady({ port })
  return {
    port,
    async destroy() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A server that ends with this process at the latest; one that cannot be started never answers. */
function spawnServer(args: readonly string[]): ChildProcess {
  const child = spawn('redis-server', [...args], { stdio: 'ignore' })
  running.add(child)
  child.on('error', () => running.delete(child))
  child.on('exit', () => running.delete(child))
  return child
}

const untilReady = ({ port }: { port: number }): Promise<void> =>
  until(async () => (await redisCli(port, ['PING'])) === 'PONG\n')

async function redisCli(port: number | null, command: readonly string[]): Promise<string> {
  const args = port === null ? command : ['-p', `${port}`, ...command]
  const { stdout } = await promisify(execFile)('redis-cli', [...args])
  return stdout
}

/** Asks until the answer is yes; an error is a no. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await condition().catch(() => false)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('A Redis server did not become ready')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port')
  // A Cluster node also listens on its port plus 10,000.
  return address.port < 55_000 ? address.port : freePort()
}
