/**
 * How commands find the running relay: by `--admin`, else by the admin port of its configuration. No secret
 * is read for that: whoever may ask the relay need not know its passwords.
 */
import { type Command, InvalidArgumentError } from 'commander'
import { configFile, readConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import { AdminClient, AdminError } from './admin-client.ts'

export function addAdminOption(command: Command): Command {
  return command.option(
    '--admin <url>',
    "the running relay's admin port, such as http://127.0.0.1:8080 (default: that of the configuration)",
    parseUrl,
  )
}

/** Runs `use` with the relay. What the relay calls a wrong parameter is wrong usage, as if commander had seen it. */
export async function withRelay(command: Command, use: (relay: AdminClient) => Promise<void>): Promise<void> {
  try {
    await use(new AdminClient(await urlOf(command.optsWithGlobals())))
  } catch (error) {
    if (error instanceof AdminError && error.isUsage)
      command.error(`error: ${error.message}`, { exitCode: 2 })
    throw error
  }
}

async function urlOf(options: { readonly admin?: string; readonly config?: string }): Promise<string> {
  if (options.admin !== undefined) return options.admin
  const file = configFile(options.config, process.env)
  const parsed = await readConfig(file)
  if ('errors' in parsed)
    throw new AdminError(
      `Cannot learn the admin port, name it with --admin <url>:\n${parsed.errors.map((problem) => formatProblem(problem, file)).join('\n')}`,
    )
  const { address, port } = parsed.config.admin
  if (port === 0)
    throw new AdminError(`${file} leaves the admin port to chance (port: 0): name it with --admin <url>`)
  return `http://${reachable(address)}:${port}`
}

/** One cannot connect to "any address", but what listens there also listens on loopback. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  if (address === '::') return '[::1]'
  return address.includes(':') ? `[${address}]` : address
}

function parseUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  throw new InvalidArgumentError('It must be a URL such as http://127.0.0.1:8080.')
}
