/** A server that this project did not write: a child of the test in a directory of its own, which is removed with it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Daemons are not in everybody's path. */
const places = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']

/** Where the program is; null where it is not installed, but never where CI is set: there it must be. */
export function findProgram(name: string): string | null {
  const found = places.map((place) => join(place, name)).find(isExecutable)
  return found ?? (process.env.CI ? name : null)
}

export interface DaemonPlan {
  /** Given the directory: writes what the daemon reads, and says how it is called. */
  readonly command: (directory: string) => Promise<readonly [program: string, ...args: string[]]>
  /** Asked until it is true; an error is a no. */
  readonly isReady: (directory: string) => Promise<boolean>
}

export class Daemon {
  readonly directory: string
  readonly #child: ChildProcess
  #output = ''

  static async start({ command, isReady }: DaemonPlan): Promise<Daemon> {
    const directory = await mkdtemp(join(tmpdir(), 'daemon-test-'))
    const daemon = new Daemon(directory, await command(directory))
    try {
      await daemon.#untilReady(isReady)
    } catch (error) {
      await daemon.destroy()
      throw error
    }
    return daemon
  }

  private constructor(directory: string, [program, ...args]: readonly [string, ...string[]]) {
    this.directory = directory
    this.#child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(this.#child)
    this.#child.on('error', (error) => {
      this.#output += error.message
    })
    this.#child.on('exit', () => running.delete(this.#child))
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk) => {
        this.#output = `${this.#output}${chunk}`.slice(-20_000)
      })
  }

  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** SIGTERM ends its children too; whoever is paused cannot hear it. */
  async destroy(): Promise<void> {
    if (this.#isRunning) {
      const exited = once(this.#child, 'exit')
      this.#child.kill('SIGTERM')
      this.#child.kill('SIGCONT')
      const impatience = setTimeout(() => this.#child.kill('SIGKILL'), 5000)
      await exited
      clearTimeout(impatience)
    }
    await rm(this.directory, { recursive: true, force: true })
  }

  get #isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  async #untilReady(isReady: DaemonPlan['isReady']): Promise<void> {
    for (let tries = 0; tries < 600 && this.#isRunning; tries++) {
      if (await isReady(this.directory).catch(() => false)) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`The daemon did not become ready: ${this.#output}`)
  }
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
