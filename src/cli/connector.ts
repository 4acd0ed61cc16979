/** `relay connector list | show`: how the connectors of the running relay stand, and what they are set to. */
import type { Command } from 'commander'
import type { ConnectorSettingsView, ConnectorView } from '../admin/connectors/connector-view.ts'
import { formatSize } from '../config/units.ts'
import type { AdminClient } from './admin-client.ts'
import { registerConnectorChange } from './connector-change.ts'
import { ConnectorClient } from './connector-client.ts'
import { formatInstant, formatInstantFrom } from './for-people.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import type { Input } from './secret-input.ts'
import { type Column, formatFields, formatTable } from './table.ts'

interface Options {
  readonly json?: boolean
}

/** Returns the command, so that those which do not need the running relay can be added to it. */
export function registerConnector(program: Command, input: Input = process.stdin): Command {
  const connector = program.command('connector').description('the connectors by which mail leaves')
  addAdminOption(connector.command('list'))
    .description('list the connectors of the running relay, how they stand and what waits for them')
    .option('--json', 'one object per connector, one per line')
    .action((options: Options, command: Command) =>
      withRelay(command, (relay) => list(relay, options, command)),
    )
  addAdminOption(connector.command('show'))
    .description('show one connector of the running relay, with its settings')
    .argument('<id>', 'id of the connector; unreachable: mail that waits for a route')
    .option('--json', 'as one object')
    .action((id: string, options: Options, command: Command) =>
      withRelay(command, (relay) => show(relay, { id, ...options }, command)),
    )
  registerConnectorChange(connector, input)
  return connector
}

async function list(relay: AdminClient, options: Options, command: Command): Promise<void> {
  const { writeOut, getOutHelpWidth } = command.configureOutput()
  const connectors = await relay.connectors()
  if (options.json) for (const view of connectors) writeOut!(`${JSON.stringify(view)}\n`)
  else writeOut!(formatTable(columns, connectors, { width: getOutHelpWidth?.() }))
}

async function show(
  relay: AdminClient,
  options: Options & { readonly id: string },
  command: Command,
): Promise<void> {
  const { writeOut, getOutHelpWidth } = command.configureOutput()
  const view = await new ConnectorClient(relay).show(options.id)
  if (options.json) writeOut!(`${JSON.stringify(view)}\n`)
  else writeOut!(connectorText(view, { now: Date.now(), width: getOutHelpWidth?.() }))
}

const columns: Column<ConnectorView>[] = [
  { title: 'id', value: (view) => view.connector },
  { title: 'name', value: (view) => view.name ?? '-' },
  { title: 'state', value: (view) => view.state },
  { title: 'made by', value: (view) => view.origin ?? '-' },
  { title: 'senders', value: (view) => view.senders },
  { title: 'connections', value: (view) => view.connections },
  { title: 'ready', value: (view) => view.queue?.ready ?? '?' },
  { title: 'deferred', value: (view) => view.queue?.deferred ?? '?' },
  { title: 'leased', value: (view) => view.queue?.leased ?? '?' },
  { title: 'suspended', value: (view) => view.queue?.suspended ?? '?' },
  {
    title: 'next attempt',
    value: (view) => formatInstant(view.nextAttemptAt) ?? '-',
  },
  { title: 'rate limit', value: (view) => rateText(view, formatInstant) ?? '-' },
  { title: 'last error', value: (view) => view.lastError ?? '-' },
]

function connectorText(view: ConnectorView, options: { now: number; width: number | undefined }): string {
  return formatFields(
    [
      ['Connector', view.connector],
      ['Name', view.name],
      ['State', view.state],
      ['Fault', view.fault],
      ['Last error', view.lastError],
      ['Next attempt', formatInstantFrom(view.nextAttemptAt, options.now)],
      ['Rate limit', rateText(view, (at) => formatInstantFrom(at, options.now))],
      ['Connections', view.connections],
      ['Attempts', `${view.attemptsInFlight} in flight`],
      ['Queue', queueText(view.queue)],
      ['Rates', `${perSecond(view.rates.incoming)} in, ${perSecond(view.rates.outgoing)} out`],
      ['Senders', `${view.senders} bound to it`],
      ['Made by', originText(view)],
      ['Changed', formatInstantFrom(view.changedAt, options.now)],
      ...(view.settings === null ? [] : settingsFields(view.settings)),
    ],
    options,
  )
}

function originText({ origin, version }: ConnectorView): string | null {
  if (origin === null) return null
  return origin === 'file' ? 'the configuration file: changed there' : `the API, version ${version}`
}

type Field = readonly [name: string, value: string | number | null]

function settingsFields(settings: ConnectorSettingsView): Field[] {
  const { limits, ca, clientCertificate } = settings
  return [
    ['Smart hosts', `${settings.smartHosts.join(', ')}, port ${settings.port}`],
    ['Address spaces', settings.addressSpaces.join(', ') || 'none'],
    ['Default', settings.default ? 'yes' : 'no'],
    ['Authentication', loginText(settings)],
    ['TLS', tlsText(settings)],
    ['CA', ca === null ? null : "its own instead of the system's"],
    ['Client certificate', clientCertificate === null ? null : 'set'],
    ['FQDN', settings.fqdn],
    ['Max message size', formatSize(settings.maxSendSize)],
    ...Object.entries(limits).map(([name, limit]): Field => [limitNames[name] ?? name, limit]),
    ['Protocol logging', settings.protocolLogging],
  ]
}

const limitNames: Readonly<Record<string, string>> = {
  connections: 'Max connections',
  messagesPerConnection: 'Messages/connection',
  messagesPerSecond: 'Messages/second',
  messagesPerMinute: 'Messages/minute',
  messagesPerHour: 'Messages/hour',
  messagesPerDay: 'Messages/day',
  recipientsPerDay: 'Recipients/day',
}

function loginText({ smartHostAuthMechanism, user, passwordSet }: ConnectorSettingsView): string {
  if (smartHostAuthMechanism === 'none') return 'none'
  return `${smartHostAuthMechanism} as ${user}, ${passwordSet ? 'password set' : 'no password'}`
}

function tlsText({ tls, requireTLS, tlsAuthLevel, tlsDomain }: ConnectorSettingsView): string {
  const name = tlsDomain === null ? '' : ` for ${tlsDomain}`
  return `${tls}, ${requireTLS ? 'required' : 'where it is offered'}, ${tlsAuthLevel}${name}`
}

/** What is waited for, and until when; null where nothing is. */
function rateText(view: ConnectorView, format: (at: number) => string | null): string | null {
  if (view.waitingUntil === null) return null
  return `${view.waitingFor ?? 'unknown'} until ${format(view.waitingUntil)}`
}

/** With as many digits as tell something. */
const perSecond = (rate: number): string => `${Number(rate.toPrecision(2))}/s`

function queueText(queue: ConnectorView['queue']): string {
  if (queue === null) return 'unknown: the store cannot be read now'
  const { ready, deferred, leased, suspended } = queue
  return `${ready} ready, ${deferred} deferred, ${leased} leased, ${suspended} suspended`
}
