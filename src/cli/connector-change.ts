/**
 * `relay connector new | set | remove | enable | disable`: the connectors of the running relay, as New-SendConnector,
 * Set-SendConnector and Remove-SendConnector change them in Exchange. Those of the configuration file are changed there.
 */
import type { Command } from 'commander'
import type { ChangedConnector } from '../admin/connectors/connector-view.ts'
import { ConnectorClient } from './connector-client.ts'
import { addLoginOptions, type LoginOptions, loginFrom } from './connector-login.ts'
import { addSettingOptions, type SettingOptions, settingsFrom } from './connector-settings.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import type { Input } from './secret-input.ts'

interface ChangeOptions extends SettingOptions, LoginOptions {
  readonly json?: boolean
}

interface NewOptions extends ChangeOptions {
  readonly id?: string
  readonly disabled?: boolean
}

export function registerConnectorChange(connector: Command, input: Input): void {
  addLoginOptions(addSettingOptions(addAdminOption(connector.command('new'))))
    .description('make a connector in the running relay')
    .option('--id <id>', 'number or word (default: the next number)')
    .option('--disabled', 'let no mail leave by it yet')
    .option('--json', 'as one object, with what is doubtful')
    .action((options: NewOptions, command: Command) => create(options, { command, input }))
  addLoginOptions(addSettingOptions(addAdminOption(connector.command('set'))))
    .description('change a connector of the running relay: what is not named stays as it is')
    .argument('<id>', 'id of the connector')
    .option('--json', 'as one object, with what is doubtful')
    .action((id: string, options: ChangeOptions, command: Command) => set(id, options, { command, input }))
  addAdminOption(connector.command('remove'))
    .description('remove a connector of the running relay that no sender and no rule names')
    .argument('<id>', 'id of the connector')
    .option('--json', 'as one object')
    .action((id: string, options: ChangeOptions, command: Command) => remove(id, options, command))
  for (const enabled of [true, false])
    addAdminOption(connector.command(enabled ? 'enable' : 'disable'))
      .description(
        enabled
          ? 'let mail leave by a connector again'
          : 'let no mail leave by a connector; it is routed again',
      )
      .argument('<id>', 'id of the connector')
      .option('--json', 'as one object, with what is doubtful')
      .action((id: string, options: ChangeOptions, command: Command) =>
        withRelay(command, async (relay) => {
          const changed = await new ConnectorClient(relay).enable(id, { enabled })
          tell(changed, { what: `is ${enabled ? 'enabled' : 'disabled'}`, command, ...options })
        }),
      )
}

interface Surroundings {
  readonly command: Command
  readonly input: Input
}

async function create(options: NewOptions, { command, input }: Surroundings): Promise<void> {
  const { id, disabled, json } = options
  const login = await loginFrom(options, { before: null, command, input })
  const settings = await settingsFrom(options)
  // No option says null to a connector that is not there: the default is what it gets.
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null))
  const body = { ...given, ...login, ...(id !== undefined && { id }), ...(disabled && { enabled: false }) }
  await withRelay(command, async (relay) => {
    const changed = await new ConnectorClient(relay).create(body)
    tell(changed, { what: 'is made', command, json })
  })
}

async function set(id: string, options: ChangeOptions, { command, input }: Surroundings): Promise<void> {
  const changes = await settingsFrom(options)
  await withRelay(command, async (relay) => {
    const connectors = new ConnectorClient(relay)
    const before = await connectors.show(id)
    const login = await loginFrom(options, { before, command, input })
    const isSettings = Object.keys(changes).length > 0
    if (!isSettings && login === undefined)
      command.error('error: nothing to change: name at least one setting', { exitCode: 2 })
    const version = before.version ?? 1
    const changed = isSettings
      ? await connectors.edit(id, { ...changes, version, ...(login && { authentication: login }) })
      : await connectors.changeAuthentication(id, { ...login, version })
    tell(changed, { what: 'is changed', command, ...options })
  })
}

async function remove(id: string, { json }: ChangeOptions, command: Command): Promise<void> {
  await withRelay(command, async (relay) => {
    const connectors = new ConnectorClient(relay)
    const before = await connectors.show(id)
    await connectors.remove(before)
    const { writeOut } = command.configureOutput()
    const name = before.name === null ? '' : ` (${before.name})`
    writeOut!(
      json ? `${JSON.stringify({ connector: id, removed: true })}\n` : `Connector ${id}${name} is removed\n`,
    )
  })
}

function tell(
  { connector, warnings }: ChangedConnector,
  { what, command, json }: { what: string; command: Command; json?: boolean | undefined },
): void {
  const { writeOut, writeErr } = command.configureOutput()
  if (json) {
    writeOut!(`${JSON.stringify({ connector, warnings })}\n`)
    return
  }
  writeOut!(`Connector ${connector.connector} (${connector.name}) ${what}\n`)
  for (const { message } of warnings) writeErr!(`warning: ${message}\n`)
}
