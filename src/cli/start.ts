/** `relay start`: the relay on a configuration, until SIGTERM or SIGINT. */
import { setFlagsFromString } from 'node:v8'
import type { Command } from 'commander'
import { configFile, loadConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import { createLog } from '../observe/log.ts'
import { Relay } from '../relay.ts'

export function registerStart(program: Command): void {
  program
    .command('start')
    .description('run the relay on a configuration until SIGTERM')
    .action(async (_options: unknown, command: Command) => {
      await start(configFile(command.optsWithGlobals<{ config?: string }>().config, process.env))
    })
}

async function start(file: string): Promise<void> {
  // V8 lets the heap grow to four times what lives in it before it collects. A relay shares its machine: three quarters
  // more are nearly as fast.
  setFlagsFromString('--heap-growing-percent=75')
  const loaded = await loadConfig(file, { env: process.env })
  if ('errors' in loaded) throw new Error(loaded.errors.map((error) => formatProblem(error, file)).join('\n'))
  const log = createLog({ level: loaded.config.log.level })
  for (const warning of loaded.warnings) log.warn(warning, 'configuration')
  // A promise nobody waited for is a fault of ours: complete in the log, and no reason to drop mail in flight.
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled rejection'))

  const relay = await Relay.start(loaded, { log })
  for (const { name, address, port, tls } of relay.listeners)
    log.info({ listener: name, address, port, tls }, 'listening')
  if (relay.sandbox)
    log.info({ address: relay.sandbox.address, port: relay.sandbox.port }, 'sandbox smart host open')
  log.info({ address: loaded.config.admin.address, port: relay.admin.port }, 'admin port open')
  log.info({ pid: process.pid, store: loaded.config.queue.store }, 'ready')

  let stopping = false
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    relay.stop().then(
      () => {
        log.info('stopped')
        process.exit(0)
      },
      (error: unknown) => {
        log.fatal({ err: error }, 'could not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}
