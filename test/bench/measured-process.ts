/**
 * A process of the benchmark, measured from outside by the system's own account. What it prints goes to a file,
 * as a service's log does, so that nobody who measures is busy reading it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const startMs = 20_000

export class MeasuredProcess {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Starts a script and resolves with what `ready` makes of a line that it prints. */
  static async start<T>(
    script: string,
    options: {
      args: string[]
      output: string
      env?: Record<string, string>
      ready: (line: string) => T | null
    },
  ): Promise<{ process: MeasuredProcess; first: T }> {
    const output = openSync(options.output, 'w')
    const child = spawn(process.execPath, [script, ...options.args], {
      env: { ...process.env, ...options.env },
      stdio: ['ignore', output, 'inherit'],
    })
    closeSync(output)
    const giveUpAt = performance.now() + startMs
    while (performance.now() < giveUpAt && child.exitCode === null) {
      for (const line of readFileSync(options.output, 'utf8').split('\n').slice(0, -1)) {
        const first = options.ready(line)
        if (first !== null) return { process: new MeasuredProcess(child), first }
      }
      await sleep(20)
    }
    child.kill('SIGKILL')
    throw new Error(`${script} did not start\n${readFileSync(options.output, 'utf8')}`)
  }

  /** User and system time so far, in milliseconds. */
  get cpuMs(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
  }

  /** The most resident memory so far, in bytes. */
  get peakResidentBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await exited
  }
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
