/**
 * How commands find the running relay and show that they may ask it: by `--admin`, else by the admin port of its
 * configuration; with the token of `--token-file` or RELAY_TOKEN, else the one that the relay keeps in its data
 * directory. Of the configuration no secret is read: whoever may ask the relay need not know its passwords.
 */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { type Command, InvalidArgumentError } from 'commander'
import { tokenFileIn } from '../admin/access/token-file.ts'
import { configFile, readConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { reasonOf } from '../config/secret-reader.ts'
import { AdminClient, AdminError, type FoundToken } from './admin-client.ts'
import type { Trust } from './admin-connection.ts'

/** For every command that asks the running relay. */
export function addAdminOption(command: Command): Command {
  return command
    .option(
      '--admin <url>',
      "the running relay's admin port, such as http://127.0.0.1:8080 (default: that of the configuration)",
      parseUrl,
    )
    .option(
      '--token-file <file>',
      'with a token of the relay (default: RELAY_TOKEN, else admin-token in the data directory of the configuration)',
    )
    .option('--ca-file <file>', "PEM to trust instead of the system's store, where --admin is an https URL")
}

/** Runs `use` with the relay. What the relay calls a wrong parameter is wrong usage, as if commander had seen it. */
export async function withRelay(command: Command, use: (relay: AdminClient) => Promise<void>): Promise<void> {
  const options: RelayOptions = command.optsWithGlobals()
  let relay: AdminClient | null = null
  try {
    const { url, trust } = await placeOf(options)
    relay = new AdminClient(url, { trust, token: () => tokenFor(url, options) })
    await use(relay)
  } catch (error) {
    if (error instanceof AdminError && error.isUsage)
      command.error(`error: ${error.message}`, { exitCode: 2 })
    throw error
  } finally {
    relay?.close()
  }
}

interface RelayOptions {
  readonly admin?: string
  readonly config?: string
  readonly tokenFile?: string
  readonly caFile?: string
}

interface Place {
  readonly url: string
  readonly trust: Trust
}

async function placeOf(options: RelayOptions): Promise<Place> {
  const { admin, caFile } = options
  if (admin !== undefined) {
    if (caFile === undefined) return { url: admin, trust: { kind: 'system' } }
    return { url: admin, trust: { kind: 'authorities', ca: await readPem(caFile) } }
  }
  const { file, config } = await configOf(options, 'the admin port, name it with --admin <url>')
  if (config.admin.port === 0)
    throw new AdminError(`${file} leaves the admin port to chance (port: 0): name it with --admin <url>`)
  const { certificate } = config.admin
  const url = urlOf(config.admin)
  if (certificate === null) return { url, trust: { kind: 'system' } }
  return { url, trust: { kind: 'pinned', cert: await readPem(certificate.cert) } }
}

async function readPem(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new AdminError(`The certificate cannot be read from ${file}: ${reasonOf(cause)}`, { cause })
  })
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem
  throw new AdminError(`${file} holds no certificate in PEM form`)
}

async function tokenFor(url: string, options: RelayOptions): Promise<FoundToken> {
  const { RELAY_TOKEN: ofEnvironment } = process.env
  if (options.tokenFile === undefined && ofEnvironment) return tokenOf(ofEnvironment, 'RELAY_TOKEN')
  const file = options.tokenFile ?? (await localTokenFile(url, options))
  return tokenOf(await readToken(file), file)
}

const otherwise = 'name its file with --token-file <file>, or set RELAY_TOKEN (relay token new makes one)'

async function readToken(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1')
  } catch (cause) {
    const message = `The token of the relay cannot be read from ${file}: ${reasonOf(cause)}`
    throw new AdminError(`${message}. Ask as a user who may read it, ${otherwise}`, { cause })
  }
}

/** That of the machine, or one that `relay token new` made. */
function tokenOf(text: string, from: string): FoundToken {
  const token = text.trim()
  if (/^(?:relay_)?[A-Za-z0-9_-]{43}$/.test(token)) return { token, from }
  throw new AdminError(`${from} holds no token: ${otherwise}`)
}

/** That of this machine goes to this machine alone: elsewhere it opens nothing, and would only be known there. */
async function localTokenFile(url: string, options: RelayOptions): Promise<string> {
  const { config } = await configOf(options, `where the token is, ${otherwise}`)
  if (!isLoopback(new URL(url).hostname) && new URL(url).host !== new URL(urlOf(config.admin)).host)
    throw new AdminError(
      `The relay at ${url} is not that of the configuration, so its token is needed: ${otherwise}`,
    )
  return tokenFileIn(config.dataDir)
}

function isLoopback(hostname: string): boolean {
  const name = hostname.replace(/^\[|\]$/g, '')
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))
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

function urlOf({ address, port, certificate }: Config['admin']): string {
  return `${certificate === null ? 'http' : 'https'}://${reachable(address)}:${port}`
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
