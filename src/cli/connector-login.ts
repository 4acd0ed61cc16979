/** How a connector logs in at its smart hosts, as options. The password is read, never named. */
import { type Command, Option } from 'commander'
import type { ConnectorView } from '../admin/connectors/connector-view.ts'
import { choice } from './connector-settings.ts'
import { type Input, readSecret, readSecretFile } from './secret-input.ts'

export interface LoginOptions {
  readonly smartHostAuthMechanism?: string
  readonly user?: string
  readonly passwordFile?: string
  readonly passwordStdin?: boolean
  /** That somebody tried to name it. */
  readonly password?: true
}

const mechanisms = ['none', 'basicAuth', 'basicAuthRequireTLS'] as const

export function addLoginOptions(command: Command): Command {
  return command
    .addOption(choice('--smart-host-auth-mechanism <mechanism>', mechanisms, 'how it logs in'))
    .option('--user <name>', 'the user name; the password is asked for, unless one of these says where it is')
    .option('--password-file <file>', 'with the password')
    .option('--password-stdin', 'read the password from standard input')
    .addOption(new Option('--password [text]').hideHelp().argParser(() => true))
}

/** What the API takes; undefined where nothing of it was named. `before`: the connector that is changed. */
export async function loginFrom(
  options: LoginOptions,
  { before, command, input }: { before: ConnectorView | null; command: Command; input: Input },
): Promise<Record<string, unknown> | undefined> {
  refuseArgument(options, command)
  const { smartHostAuthMechanism, user } = options
  const password = await passwordFrom(options, { command, input, isNeeded: needsPassword(options, before) })
  const login = { smartHostAuthMechanism, user, password }
  const named = Object.entries(login).filter(([, value]) => value !== undefined)
  return named.length === 0 ? undefined : Object.fromEntries(named)
}

function refuseArgument({ password }: LoginOptions, command: Command): void {
  if (password === undefined) return
  const reason = 'every user of this machine can read the arguments of a command, and the shell keeps them'
  command.error(`error: a password is no argument: ${reason}. Use --password-file or --password-stdin`, {
    exitCode: 2,
  })
}

/** The stored one goes on for the same user only. */
function needsPassword(
  { smartHostAuthMechanism, user }: LoginOptions,
  before: ConnectorView | null,
): boolean {
  const { settings } = before ?? {}
  const mechanism = smartHostAuthMechanism ?? settings?.smartHostAuthMechanism ?? 'none'
  if (mechanism === 'none' || (smartHostAuthMechanism === undefined && user === undefined)) return false
  return !settings?.passwordSet || (user !== undefined && user !== settings.user)
}

async function passwordFrom(
  { passwordFile, passwordStdin }: LoginOptions,
  { command, input, isNeeded }: { command: Command; input: Input; isNeeded: boolean },
): Promise<string | undefined> {
  if (passwordFile !== undefined && passwordStdin)
    command.error('error: --password-file and --password-stdin exclude each other', { exitCode: 2 })
  if (passwordFile !== undefined) return readSecretFile(passwordFile)
  if (!passwordStdin && !isNeeded) return undefined
  if (!passwordStdin && !input.isTTY)
    command.error('error: a password is needed: --password-file <file> or --password-stdin', { exitCode: 2 })
  return readSecret(input, command.configureOutput().writeErr!)
}
