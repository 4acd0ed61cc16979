/** A process of the benchmark: started with what it prints first, measured from outside by the system's own account. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

export class MeasuredProcess {
  readonly #child: ChildProcess
  readonly #lines: string[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Starts a script of this program and resolves with the first line that `ready` takes. */
  static async start<T>(
    script: string,
    options: { args: string[]; env?: Record<string, string>; ready: (line: string) => T | null },
  ): Promise<{ process: MeasuredProcess; first: T }> {
    const child = spawn(process.execPath, [script, ...options.args], {
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const started = new MeasuredProcess(child)
    const first = await new Promise<T>((resolve, reject) => {
      createInterface({ input: child.stdout! }).on('line', (line) => {
        const answer = options.ready(line)
        if (answer !== null) resolve(answer)
        if (started.#lines.length < 100) started.#lines.push(line)
      })
      child.once('exit', (code) =>
        reject(new Error(`${script} exited with ${code}\n${started.#lines.join('\n')}`)),
      )
    })
    return { process: started, first }
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
