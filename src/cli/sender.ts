/** `relay sender list | bind | unbind | import`: which connector the mail of a sender, or of a whole domain, takes. */
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import type { Command } from 'commander'
import type { SenderView } from '../admin/senders/sender-view.ts'
import { reasonOf } from '../config/secret-reader.ts'
import { type AdminClient, AdminError } from './admin-client.ts'
import { formatInstant } from './for-people.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import {
  bindSender,
  importSenders,
  type SenderFilter,
  senderCsv,
  sendersOf,
  unbindSender,
} from './sender-client.ts'
import { type Column, formatTable } from './table.ts'
import { tellWarnings } from './warnings.ts'

export function registerSender(program: Command): void {
  const sender = program.command('sender').description('which connector the mail of a sender takes')
  registerList(sender)
  addAdminOption(sender.command('bind'))
    .description('bind a sender to a connector, whatever it was bound to')
    .argument('<sender>', 'user@example.com, or @example.com for the default of a domain')
    .argument('<connector>', 'id of the connector; 0: none, also where the domain has a default')
    .option('--json', 'the binding as one object')
    .action((from: string, connector: string, options: JsonOption, command: Command) =>
      withRelay(command, (relay) => bind(relay, { from, connector, ...options }, command)),
    )
  addAdminOption(sender.command('unbind'))
    .description('remove the binding of a sender')
    .argument('<sender>', 'user@example.com, or @example.com')
    .option('--json', 'as one object')
    .action((from: string, { json }: JsonOption, command: Command) =>
      withRelay(command, async (relay) => {
        await unbindSender(relay, from)
        command.configureOutput().writeOut!(
          json ? `${JSON.stringify({ removed: 1 })}\n` : `Unbound ${from}\n`,
        )
      }),
    )
  addAdminOption(sender.command('import'))
    .description('bind the senders of a CSV file, all or none: lines of sender,connector')
    .argument('<file>', 'the file; -: standard input')
    .option('--replace', 'and remove the bindings made here that it does not name')
    .option('--json', 'the counts as one object')
    .action((file: string, options: ImportOptions, command: Command) =>
      withRelay(command, (relay) => importFile(relay, { file, ...options }, command)),
    )
}

interface JsonOption {
  readonly json?: boolean
}

interface ImportOptions extends JsonOption {
  readonly replace?: boolean
}

interface ListOptions extends SenderFilter, JsonOption {
  readonly csv?: boolean
}

function registerList(sender: Command): void {
  addAdminOption(sender.command('list'))
    .description('list the bindings of the running relay, in the order of their senders')
    .option('--connector <id>', 'to this connector only; 0: to none')
    .option('--search <text>', 'with this text in the sender')
    .option('--origin <origin>', 'file or api')
    .option('--json', 'one object per binding, one per line')
    .option('--csv', 'as lines of sender,connector, which import reads again')
    .action((options: ListOptions, command: Command) =>
      withRelay(command, (relay) => list(relay, options, command)),
    )
}

async function list(relay: AdminClient, options: ListOptions, command: Command): Promise<void> {
  const { writeOut, getOutHelpWidth } = command.configureOutput()
  if (options.json && options.csv)
    command.error('error: --json and --csv exclude each other', { exitCode: 2 })
  const filter = filterOf(options)
  if (options.csv) return writeOut!(await senderCsv(relay, filter))
  const views: SenderView[] = []
  for await (const view of sendersOf(relay, filter))
    if (options.json) writeOut!(`${JSON.stringify(view)}\n`)
    else views.push(view)
  if (!options.json) writeOut!(formatTable(columns, views, { width: getOutHelpWidth?.() }))
}

async function bind(
  relay: AdminClient,
  { from, connector, json }: JsonOption & { readonly from: string; readonly connector: string },
  command: Command,
): Promise<void> {
  const { warnings, ...view } = await bindSender(relay, from, connector)
  const to = view.connector === null ? 'no connector' : connectorText(view)
  command.configureOutput().writeOut!(json ? `${JSON.stringify(view)}\n` : `Bound ${view.sender} to ${to}\n`)
  tellWarnings(warnings, command)
}

async function importFile(
  relay: AdminClient,
  { file, replace = false, json }: ImportOptions & { readonly file: string },
  command: Command,
): Promise<void> {
  const { warnings, ...counts } = await importSenders(relay, await read(file), { replace })
  const { created, changed, unchanged, removed } = counts
  const text = `Created: ${created}, changed: ${changed}, unchanged: ${unchanged}, removed: ${removed}`
  command.configureOutput().writeOut!(json ? `${JSON.stringify(counts)}\n` : `${text}\n`)
  tellWarnings(warnings, command)
}

async function read(file: string): Promise<Buffer> {
  if (file === '-') return buffer(process.stdin)
  return readFile(file).catch((cause: unknown) => {
    throw new AdminError(`${file} cannot be read: ${reasonOf(cause)}`, { cause })
  })
}

const filterOf = ({ connector, search, origin }: ListOptions): SenderFilter => ({
  ...(connector !== undefined && { connector }),
  ...(search !== undefined && { search }),
  ...(origin !== undefined && { origin }),
})

const columns: readonly Column<SenderView>[] = [
  { title: 'sender', value: ({ sender }) => sender },
  { title: 'connector', value: connectorText },
  { title: 'origin', value: ({ origin }) => origin },
  { title: 'changed', value: ({ changedAt }) => formatInstant(changedAt) ?? '-' },
]

function connectorText({ connector, connectorName }: SenderView): string {
  if (connector === null) return '-'
  return connectorName === null ? `${connector} (missing)` : `${connector} (${connectorName})`
}
