#!/usr/bin/env node
/**
 * The command `relay`. Exit codes: 0 done, 1 a refusal or failure, 2 wrong usage.
 */
import { Command, CommanderError } from 'commander'
import { registerCheck } from './cli/check.ts'
import { registerConnector } from './cli/connector.ts'
import { registerConnectorTest } from './cli/connector-test.ts'
import { registerDkim } from './cli/dkim.ts'
import { registerExplain } from './cli/explain.ts'
import { registerLimits } from './cli/limits.ts'
import { registerLoad } from './cli/load.ts'
import { registerPassword } from './cli/password.ts'
import { registerPolicy } from './cli/policy.ts'
import { registerQueue } from './cli/queue.ts'
import { registerRekey } from './cli/rekey.ts'
import { registerRule } from './cli/rule.ts'
import { registerSandbox } from './cli/sandbox.ts'
import { registerSender } from './cli/sender.ts'
import { registerStart } from './cli/start.ts'
import { registerToken } from './cli/token.ts'
import { registerTop } from './cli/top.ts'
import { registerTrace } from './cli/trace.ts'

const program = new Command('relay')
  .description('a durable smart-host relay for outbound mail')
  .option('--config <file>', 'the configuration (default: RELAY_CONFIG, else config/relay.yaml)')
  .exitOverride()
  .showHelpAfterError('(relay --help shows the commands and options)')

for (const register of [
  registerStart,
  registerCheck,
  registerExplain,
  (program: Command) => registerConnectorTest(registerConnector(program)),
  registerSender,
  registerRule,
  registerPolicy,
  registerQueue,
  registerLimits,
  registerTrace,
  registerTop,
  registerToken,
  registerRekey,
  registerSandbox,
  registerLoad,
  registerDkim,
  registerPassword,
]) {
  register(program)
}
// exitOverride is not inherited by commands that were there before it, nor by their own commands.
for (const command of program.commands) overrideExit(command)

function overrideExit(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) overrideExit(child)
}

// `relay queue list | head`: who has read enough has not found a fault, and there is nobody left to tell more.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) {
    // Help and version are no mistakes; everything else that commander refuses is wrong usage.
    process.exitCode = error.exitCode === 0 ? 0 : 2
    return
  }
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
