/**
 * A relay as its users run it: the built program in a process of its own, with a configuration file, read
 * through its log lines and its admin port. Ports are 0 in the configuration and learnt from the log.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { stringify } from 'yaml'

export interface LogLine {
  readonly level: string
  readonly msg?: string
  readonly event?: string
  readonly [key: string]: unknown
}

export interface ListedItem {
  readonly id: string
  readonly messageId: string
  readonly connector: string
  readonly state: string
  readonly from: string
  readonly recipients: readonly { address: string; state: string; lastReply: string | null }[]
  readonly attempts: number
  readonly nextAttemptAt: number | null
  readonly lastError: string | null
}

/** The built program. Whoever builds to another place says so, and disturbs nobody who tests `dist`. */
export const program = process.env.RELAY_PROGRAM ?? 'dist/main.js'

export interface ListedConnector {
  readonly connector: string
  readonly state: string
  readonly fault: string | null
  readonly lastError: string | null
  readonly nextAttemptAt: number | null
  readonly waitingUntil: number | null
  readonly waitingFor: string | null
  readonly connections: number
  readonly attemptsInFlight: number
}

export interface Answer {
  readonly code: number
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
  readonly json: any
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the program to its end. */
export async function runRelay(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  await closed
  return { code: child.exitCode, stdout, stderr }
}

/** A connector to a smart host on loopback as most tests want it; the password comes from the environment. */
export function connectorTo(port: number, change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 1,
    name: 'Sandbox',
    addressSpaces: ['*'],
    smartHosts: ['127.0.0.1'],
    port,
    smartHostAuthMechanism: 'basicAuthRequireTLS',
    user: 'sandbox',
    password: { env: 'SANDBOX_PASSWORD' },
    requireTLS: true,
    tlsAuthLevel: 'encryptionOnly',
    ...change,
  }
}

export class RelayProcess {
  readonly directory: string
  /** Of the program that runs now, or ran last. */
  readonly lines: LogLine[] = []
  /** Of the programs before it, which ran on the same data. */
  readonly #earlier: LogLine[] = []
  readonly stderr: string[] = []
  readonly #config: Record<string, unknown>
  readonly #env: Record<string, string>
  readonly #watchers = new Set<() => void>()
  #child: ChildProcess | null = null
  #dataDir = ''

  private constructor(directory: string, config: Record<string, unknown>, env: Record<string, string>) {
    this.directory = directory
    this.#config = config
    this.#env = env
  }

  /** Starts a relay; `config` is completed by what every test needs. Call `destroy` at the end. */
  static async start(
    config: Record<string, unknown>,
    env: Record<string, string> = {},
  ): Promise<RelayProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'relay-'))
    const relay = new RelayProcess(directory, config, env)
    try {
      await relay.restart()
    } catch (error) {
      await relay.destroy()
      throw error
    }
    return relay
  }

  /** Starts a relay that is to refuse: its exit code, and what it said, for people and in the log. */
  static async refused(
    config: Record<string, unknown>,
    env: Record<string, string> = {},
  ): Promise<{ code: number | null; text: string }> {
    const directory = await mkdtemp(join(tmpdir(), 'relay-'))
    const relay = new RelayProcess(directory, config, env)
    try {
      const child = await relay.#spawn({})
      await once(child, 'close')
      const text = [...relay.stderr, ...relay.lines.map((line) => JSON.stringify(line))].join('\n')
      return { code: child.exitCode, text }
    } finally {
      await relay.destroy()
    }
  }

  /** Starts the program again on the same data and, unless changed, the same configuration. */
  async restart(change: Record<string, unknown> = {}): Promise<void> {
    await this.#spawn(change)
    await this.line((line) => line.msg === 'ready')
  }

  async #spawn(change: Record<string, unknown>): Promise<ChildProcess> {
    const file = join(this.directory, 'relay.yaml')
    const config = {
      hostname: 'relay.example.com',
      dataDir: join(this.directory, 'data'),
      listeners: [{ name: 'exchange', port: 0 }],
      admin: { port: 0 },
      ...this.#config,
      ...change,
    }
    await writeFile(file, stringify(config))
    this.#dataDir = config.dataDir
    this.#earlier.push(...this.lines.splice(0))
    const child = spawn(process.execPath, [program, 'start', '--config', file], {
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    createInterface({ input: child.stdout! }).on('line', (line) => {
      // A killed process may leave half a line.
      if (child.killed && !line.endsWith('}')) return
      this.lines.push(JSON.parse(line) as LogLine)
      for (const watcher of this.#watchers) watcher()
    })
    createInterface({ input: child.stderr! }).on('line', (line) => this.stderr.push(line))
    child.once('exit', () => {
      for (const watcher of this.#watchers) watcher()
    })
    return child
  }

  get pid(): number {
    return this.#child!.pid!
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get port(): number {
    return this.lines.find((line) => line.msg === 'listening')!.port as number
  }

  get adminUrl(): string {
    const { port } = this.lines.find((line) => line.msg === 'admin port open')!
    return `http://127.0.0.1:${port}`
  }

  /** The log of this data, over all restarts. */
  get history(): readonly LogLine[] {
    return [...this.#earlier, ...this.lines]
  }

  get #environment(): Record<string, string> {
    return { PATH: process.env.PATH ?? '', SANDBOX_PASSWORD: 'sandbox', ...this.#env }
  }

  events(name: string): LogLine[] {
    return this.lines.filter((line) => line.event === name)
  }

  /** The first line that fits, now or later. Rejects with the log's end when the relay exits before, or in `timeoutMs`. */
  async line(fits: (line: LogLine) => boolean, timeoutMs = 15_000): Promise<LogLine> {
    let found: LogLine | undefined
    await this.until(() => {
      found = this.lines.find(fits)
      return found !== undefined
    }, timeoutMs)
    return found!
  }

  /** Waits for a condition over the log lines. */
  until(condition: () => boolean, timeoutMs = 15_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (condition()) finish(resolve)
        else if (!this.running) finish(() => reject(new Error(`the relay exited\n${this.#tail()}`)))
      }
      const finish = (then: () => void) => {
        clearTimeout(timer)
        this.#watchers.delete(check)
        then()
      }
      const timer = setTimeout(
        () =>
          finish(() =>
            reject(new Error(`the condition did not come true in ${timeoutMs} ms\n${this.#tail()}`)),
          ),
        timeoutMs,
      )
      this.#watchers.add(check)
      check()
    })
  }

  #tail(): string {
    return [...this.lines.slice(-15).map((line) => JSON.stringify(line)), ...this.stderr.slice(-15)].join(
      '\n',
    )
  }

  /** Asks the admin port with the token of this machine. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const token = await readFile(join(this.#dataDir, 'admin-token'), 'latin1')
    const headers = { ...init.headers, authorization: `Bearer ${token.trim()}` }
    return fetch(this.adminUrl + path, { ...init, headers })
  }

  /** The same for what is answered as JSON; the body goes as JSON. */
  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers = { 'content-type': 'application/json' }
    const answer = await this.fetch(path, {
      method,
      ...(body !== undefined && { headers, body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { code: answer.status, json: text === '' ? null : JSON.parse(text) }
  }

  /** Every item in the queue, over the admin port as `relay queue list --json` reads it. */
  async queue(): Promise<ListedItem[]> {
    const items: ListedItem[] = []
    let after: string | null = null
    do {
      const query: string = after === null ? '' : `&after=${encodeURIComponent(after)}`
      const answer = await this.ask('GET', `/queue?limit=1000${query}`)
      const page = answer.json as { items: ListedItem[]; next: string | null }
      items.push(...page.items)
      after = page.next
    } while (after !== null)
    return items
  }

  /** Closes the reading end of its standard output: what it logs from now on goes nowhere. */
  stopReading(): void {
    this.#child!.stdout!.destroy()
  }

  /** `GET /connectors`. */
  async connectors(): Promise<ListedConnector[]> {
    return (await this.ask('GET', '/connectors')).json.connectors
  }

  /** `GET /metrics`. */
  async metrics(): Promise<string> {
    return (await fetch(`${this.adminUrl}/metrics`)).text()
  }

  /** A command that asks this relay; the token is found as on any machine with its configuration. */
  command(...args: string[]): Promise<Ended> {
    const env = { ...this.#environment, RELAY_CONFIG: join(this.directory, 'relay.yaml') }
    return runRelay([...args, '--admin', this.adminUrl], env)
  }

  /** `relay queue …`. */
  queueCommand(...args: string[]): Promise<Ended> {
    return this.command('queue', ...args)
  }

  async kill9(): Promise<void> {
    if (!this.running) return
    // `close` comes when the log has been read to its end, which `exit` does not wait for.
    const exited = once(this.#child!, 'close')
    this.#child!.kill('SIGKILL')
    await exited
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    if (!this.running) return this.#child?.exitCode ?? null
    const exited = once(this.#child!, 'close')
    this.#child!.kill('SIGTERM')
    const [code] = (await exited) as [number | null]
    return code
  }

  async destroy(): Promise<void> {
    await this.kill9()
    await rm(this.directory, { recursive: true, force: true })
  }
}
