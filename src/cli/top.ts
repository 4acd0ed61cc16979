/**
 * `relay top`: the running relay, looked at each second. In a terminal it takes the whole screen until q or Ctrl-C, and
 * leaves it as it was; without one, or with `--once`, it prints one screen.
 */
import type { Command } from 'commander'
import { type LiveView, liveView, statusView } from '../admin/live/status-view.ts'
import { type AdminClient, AdminError } from './admin-client.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import { Screen } from './screen.ts'
import { type ScreenLine, screenOf, shownSeconds, type TopView } from './top-screen.ts'

interface Options {
  readonly once?: boolean
  readonly json?: boolean
}

export function registerTop(program: Command): void {
  addAdminOption(program.command('top'))
    .description('watch the running relay: rates, connectors, the fullest limits; q ends it')
    .option('--once', 'print one screen, and end')
    .option('--json', 'print an object each second, one per line')
    .action((options: Options, command: Command) =>
      withRelay(command, (relay) => {
        const watch = new Watch(relay)
        const { writeOut, getOutHelpWidth } = command.configureOutput()
        if (options.json) return printObjects(watch, { ...options, write: writeOut! })
        if (options.once || !process.stdout.isTTY)
          return printOnce(watch, { width: getOutHelpWidth?.(), write: writeOut! })
        return showUntilQuit(watch)
      }),
    )
}

const everyMs = 1000

async function printOnce(
  watch: Watch,
  { width, write }: { width: number | undefined; write: (text: string) => void },
): Promise<void> {
  const lines = screenOf(await watch.look(), { width, height: undefined })
  write(lines.map(({ text }) => `${text}\n`).join(''))
}

async function printObjects(
  watch: Watch,
  { once, write }: Options & { write: (text: string) => void },
): Promise<void> {
  for (;;) {
    const began = Date.now()
    write(`${JSON.stringify(await watch.look())}\n`)
    if (once) return
    await new Promise((resolve) => setTimeout(resolve, began + everyMs - Date.now()))
  }
}

async function showUntilQuit(watch: Watch): Promise<void> {
  // What cannot be asked at all is told as by any other command.
  let view = await watch.look()
  let fault: string | null = null
  const screen = new Screen(process.stdin, process.stdout)
  const show = () => screen.show((size) => [...faultLines(fault), ...screenOf(view, below(size, fault))])
  screen.open(show)
  try {
    while (!screen.isQuit) {
      const began = Date.now()
      show()
      await screen.wait(Math.max(0, began + everyMs - Date.now()))
      if (screen.isQuit) return
      try {
        view = await watch.look()
        fault = null
      } catch (error) {
        if (!(error instanceof AdminError)) throw error
        fault = error.message
      }
    }
  } finally {
    screen.close()
  }
}

const faultLines = (fault: string | null): ScreenLine[] =>
  fault === null ? [] : [{ text: `! ${fault} This is how it was before.`, style: 'alert' }]

const below = ({ width, height }: { width: number; height: number }, fault: string | null) => ({
  width,
  height: height - faultLines(fault).length,
})

/** Asks what is new since it looked last. */
class Watch {
  readonly #relay: AdminClient
  #samples: LiveView['samples'] = []

  constructor(relay: AdminClient) {
    this.#relay = relay
  }

  async look(): Promise<TopView> {
    const status = await this.#relay.ask('/status', { answer: statusView })
    const since = Math.max(this.#samples.at(-1)?.at ?? 0, status.now - (shownSeconds + 1) * 1000)
    const [{ samples }, connectors, limits] = await Promise.all([
      this.#relay.ask(`/live?since=${since}`, { answer: liveView }),
      this.#relay.connectors(),
      this.#relay.limits(),
    ])
    this.#samples = [...this.#samples, ...samples].slice(-shownSeconds)
    return { status, samples: this.#samples, connectors, limits }
  }
}
