/**
 * How commands find the running relay: by `--admin`, else by the admin port of its configuration. No secret is read
 * for that: whoever may ask the relay need not know its passwords. Whoever acts on it needs its token: that of
 * `--token-file` or RELAY_TOKEN, else the one that the relay keeps in its data directory.
 */
import { type Command, InvalidArgumentError } from 'commander'
import { readTokenFile, tokenFileIn } from '../admin/token-file.ts'
import { configFile, readConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { reasonOf } from '../config/secret-reader.ts'
import { AdminClient, AdminError } from './admin-client.ts'

export function addAdminOption(command: Command): Command {
  return command.option(
    '--admin <url>',
    "the running relay's admin port, such as http://127.0.0.1:8080 (default: that of the configuration)",
    parseUrl,
  )
}

/** For commands that act, or read mail. */
export function addTokenOption(command: Command): Command {
  return addAdminOption(command).option(
    '--token-file <file>',
    'with the token of the relay (default: RELAY_TOKEN, else admin-token in the data directory of the configuration)',
  )
}

/** Runs `use` with the relay. What the relay calls a wrong parameter is wrong usage, as if commander had seen it. */
export async function withRelay(command: Command, use: (relay: AdminClient) => Promise<void>): Promise<void> {
  try {
    const options: RelayOptions = command.optsWithGlobals()
    await use(new AdminClient(await urlOf(options), { token: () => tokenFor(options) }))
  } catch (error) {
    if (error instanceof AdminError && error.isUsage)
      command.error(`error: ${error.message}`, { exitCode: 2 })
    throw error
  }
}

interface RelayOptions {
  readonly admin?: string
  readonly config?: string
  readonly tokenFile?: string
}

async function urlOf(options: RelayOptions): Promise<string> {
  if (options.admin !== undefined) return options.admin
  const { file, config } = await configOf(options, 'the admin port, name it with --admin <url>')
  const { address, port } = config.admin
  if (port === 0)
    throw new AdminError(`${file} leaves the admin port to chance (port: 0): name it with --admin <url>`)
  return `http://${reachable(address)}:${port}`
}

async function tokenFor(options: RelayOptions): Promise<string> {
  if (options.tokenFile === undefined && process.env.RELAY_TOKEN) return process.env.RELAY_TOKEN
  const file = options.tokenFile ?? (await localTokenFile(options))
  let token: string | null
  try {
    token = await readTokenFile(file)
  } catch (error) {
    throw new AdminError(`The token of the relay cannot be read from ${file}: ${reasonOf(error)}`, {
      cause: error,
    })
  }
  if (token === null) throw new AdminError(`${file} holds no token`)
  return token
}

async function localTokenFile(options: RelayOptions): Promise<string> {
  const { config } = await configOf(
    options,
    'where the token is, name its file with --token-file <file> or set RELAY_TOKEN',
  )
  return tokenFileIn(config.dataDir)
}

async function configOf(options: RelayOptions, wanted: string): Promise<{ file: string; config: Config }> {
  const file = configFile(options.config, process.env)
  const parsed = await readConfig(file)
  if ('errors' in parsed)
    throw new AdminError(
      `Cannot learn ${wanted}:\n${parsed.errors.map((problem) => formatProblem(problem, file)).join('\n')}`,
    )
  return { file, config: parsed.config }
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
