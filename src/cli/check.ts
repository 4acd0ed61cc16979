/**
 * `relay check`: is the configuration good, secrets and certificates included, and what would the relay do with
 * it? Nothing is opened, connected or written. It also prints the reference that the file is made from.
 */
import { isIPv6 } from 'node:net'
import type { Command } from 'commander'
import { configFile, type LoadedConfig, loadConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import { jsonSchema, renderReference } from '../config/reference.ts'
import type { SubmittingNetwork } from '../config/schema.ts'
import { type Column, formatTable } from './table.ts'

interface Options {
  readonly json?: boolean
  readonly reference?: boolean
  readonly jsonSchema?: boolean
}

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description('check the configuration, and say what would listen where and relay where')
    .option('--json', 'print JSON')
    .option('--reference', 'print the annotated reference of all settings instead')
    .option('--json-schema', 'print the JSON Schema of the configuration instead')
    .action(async (options: Options, command: Command) => {
      const { writeOut } = command.configureOutput()
      if (options.reference) writeOut!(renderReference())
      else if (options.jsonSchema) writeOut!(`${JSON.stringify(jsonSchema(), null, 2)}\n`)
      else await check(options, command)
    })
}

async function check(options: Options, command: Command): Promise<void> {
  const { writeOut, writeErr, getOutHelpWidth } = command.configureOutput()
  const file = configFile(command.optsWithGlobals<{ config?: string }>().config, process.env)
  const loaded = await loadConfig(file, { env: process.env })
  const { warnings } = loaded
  if (options.json) {
    const result =
      'errors' in loaded ? { ok: false, errors: loaded.errors } : { ok: true, ...summaryOf(loaded) }
    writeOut!(`${JSON.stringify({ file, ...result, warnings }, null, 2)}\n`)
    if (!result.ok) process.exitCode = 1
    return
  }
  for (const warning of warnings) writeErr!(`warning: ${formatProblem(warning, file)}\n`)
  if ('errors' in loaded) throw new Error(loaded.errors.map((error) => formatProblem(error, file)).join('\n'))
  writeOut!(render(summaryOf(loaded), { file, width: getOutHelpWidth?.() }))
}

/** What a configuration comes to. No secret is in it. */
function summaryOf({ config, connectors, dkimKeys }: LoadedConfig) {
  const bindings = new Map<string | null, number>()
  for (const { connector } of config.senders) bindings.set(connector, (bindings.get(connector) ?? 0) + 1)
  return {
    listeners: config.listeners.map(({ name, address, port, tls }) => ({ name, address, port, tls })),
    admin: config.admin,
    sandbox: config.sandbox && { address: config.sandbox.address, port: config.sandbox.port },
    access: { networks: config.access.networks, users: config.access.users.map(({ name }) => name) },
    connectors: connectors.map((connector) => ({
      id: connector.id,
      name: connector.name,
      enabled: connector.enabled,
      default: connector.default,
      addressSpaces: connector.addressSpaces,
      senderBindings: bindings.get(connector.id) ?? 0,
      smartHosts: connector.smartHosts,
      port: connector.port,
      tls: connector.tls,
      requireTLS: connector.requireTLS,
      tlsAuthLevel: connector.tlsAuthLevel,
      smartHostAuthMechanism: connector.smartHostAuthMechanism,
      user: connector.user,
    })),
    queue: {
      store: config.queue.store,
      place: config.queue.store === 'redis' ? config.queue.redis.url : config.dataDir,
    },
    unroutable: config.routing.unroutable,
    dkim: dkimKeys.map(({ domain, selector, algorithm }) => ({ domain, selector, algorithm })),
  }
}

type Summary = ReturnType<typeof summaryOf>
type ConnectorSummary = Summary['connectors'][number]

type SocketRow = readonly [name: string, place: string, what: string]

const socketColumns: readonly Column<SocketRow>[] = [
  { title: 'listens', value: ([name]) => name },
  { title: 'on', value: ([, where]) => where },
  { title: 'for', value: ([, , what]) => what },
]

const connectorColumns: readonly Column<ConnectorSummary>[] = [
  { title: 'connector', value: ({ id }) => id },
  { title: 'name', value: ({ name }) => name },
  { title: 'takes', value: takes },
  { title: 'to', value: ({ smartHosts, port }) => smartHosts.map((host) => place(host, port)).join(', ') },
  { title: 'tls', value: tlsOf },
  { title: 'login', value: ({ user }) => user ?? 'none' },
]

function render(summary: Summary, options: { file: string; width: number | undefined }): string {
  const { admin, sandbox, access, queue } = summary
  const sockets: SocketRow[] = [
    ...summary.listeners.map(
      ({ name, address, port, tls }): SocketRow => [name, place(address, port), listenerTls[tls]],
    ),
    ['admin', place(admin.address, admin.port), 'HTTP: health, metrics, queue'],
  ]
  if (sandbox) sockets.push(['sandbox', place(sandbox.address, sandbox.port), 'SMTP: the sandbox smart host'])
  const networks = access.networks.length === 0 ? 'no network' : access.networks.map(networkText).join(', ')
  const users = access.users.length === 0 ? 'no user' : access.users.join(', ')
  return `${options.file} is valid

${formatTable(socketColumns, sockets, options)}
Submission without AUTH from ${networks}; after AUTH by ${users}
Mail waits in ${queue.store === 'redis' ? 'Redis at' : 'the embedded store in'} ${queue.place}
${signatures(summary)}
${formatTable(connectorColumns, summary.connectors, options)}
What no connector takes is ${summary.unroutable === 'hold' ? 'kept as unreachable' : 'refused'}
`
}

function networkText(network: SubmittingNetwork): string {
  return typeof network === 'string' ? network : `${network.network} (only as ${network.senders.join(', ')})`
}

function signatures({ dkim }: Summary): string {
  const keys = dkim.map(({ domain, selector, algorithm }) => `${domain} (${selector}, ${algorithm})`)
  return keys.length === 0 ? '' : `DKIM signs ${keys.join(', ')}\n`
}

function takes({ enabled, addressSpaces, senderBindings, ...connector }: ConnectorSummary): string {
  if (!enabled) return 'nothing: disabled'
  const parts = [
    ...addressSpaces,
    ...(senderBindings > 0
      ? [`${senderBindings} sender ${senderBindings === 1 ? 'binding' : 'bindings'}`]
      : []),
    ...(connector.default ? ['default'] : []),
  ]
  return parts.length === 0 ? 'nothing' : parts.join(', ')
}

function tlsOf({ tls, requireTLS, tlsAuthLevel }: ConnectorSummary): string {
  if (!requireTLS) return `if offered, ${tlsAuthLevel}`
  return `${tls === 'implicit' ? 'implicit' : 'required'}, ${tlsAuthLevel}`
}

const listenerTls = {
  off: 'SMTP without TLS',
  starttls: 'SMTP, STARTTLS offered',
  required: 'SMTP, STARTTLS required',
  implicit: 'SMTP in TLS',
} as const

function place(host: string, port: number): string {
  const where = isIPv6(host) ? `[${host}]` : host
  return port === 0 ? `${where}, any free port` : `${where}:${port}`
}
