/** `relay queue`: what waits in the running relay, and why; the acts of operators are added to it. */
import { type Command, InvalidArgumentError } from 'commander'
import type { ItemView } from '../admin/queue/item-view.ts'
import type { AdminClient, ItemFilter } from './admin-client.ts'
import { formatAge, formatBytes, formatInstant, formatInstantFrom } from './for-people.ts'
import { registerQueueActs } from './queue-acts.ts'
import { addFilterOptions, filterOf, parseId } from './queue-filter.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import { type Column, formatFields, formatTable } from './table.ts'

/** What a person reads at once; `--json` is for programs, and lists everything. */
const defaultTableLimit = 100

export function registerQueue(program: Command): void {
  const queue = program.command('queue').description('the queue of the running relay')
  addFilterOptions(addAdminOption(queue.command('list')))
    .description('list queue items')
    .option(
      '--limit <number>',
      `at most so many (default: ${defaultTableLimit}; all with --json)`,
      parseLimit,
    )
    .option('--json', 'one object per item, one per line')
    .action((options: ListOptions, command: Command) =>
      withRelay(command, (relay) => list(relay, options, command)),
    )
  addAdminOption(queue.command('show'))
    .description('show one item, or all items of a message')
    .argument('<id>', 'id of an item or of a message, as in the log and in our 250', parseId)
    .option('--json', 'one object per item, one per line')
    .action((id: string, options: { json?: boolean }, command: Command) =>
      withRelay(command, (relay) => show(relay, { id, ...options }, command)),
    )
  registerQueueActs(queue)
}

interface ListOptions extends ItemFilter {
  readonly limit?: number
  readonly json?: boolean
}

async function list(relay: AdminClient, options: ListOptions, command: Command): Promise<void> {
  const { writeOut, writeErr, getOutHelpWidth } = command.configureOutput()
  const limit = options.limit ?? (options.json ? Number.POSITIVE_INFINITY : defaultTableLimit)
  const shown: ItemView[] = []
  let count = 0
  for await (const item of relay.items(filterOf(options))) {
    if (count === limit) {
      writeErr!(`There are more than these ${limit} items: --limit <number> shows more\n`)
      break
    }
    count++
    if (options.json) writeOut!(`${JSON.stringify(item)}\n`)
    else shown.push(item)
  }
  if (options.json) return
  if (count === 0) writeOut!('No item in the queue matches.\n')
  else writeOut!(formatTable(listColumns(Date.now()), shown, { width: getOutHelpWidth?.() }))
}

async function show(
  relay: AdminClient,
  options: { readonly id: string; readonly json?: boolean },
  command: Command,
): Promise<void> {
  const { writeOut, getOutHelpWidth } = command.configureOutput()
  const items = await relay.itemsOf(options.id)
  const context = { now: Date.now(), width: getOutHelpWidth?.() }
  if (options.json) for (const item of items) writeOut!(`${JSON.stringify(item)}\n`)
  else writeOut!(items.map((item) => itemText(item, context)).join('\n'))
}

function listColumns(now: number): Column<ItemView>[] {
  return [
    { title: 'id', value: (item) => item.id },
    { title: 'connector', value: (item) => item.connector },
    { title: 'state', value: (item) => item.state },
    { title: 'age', value: (item) => formatAge(now - item.receivedAt) },
    { title: 'size', value: (item) => formatBytes(item.sizeBytes) },
    { title: 'from', value: (item) => pathText(item.from) },
    { title: 'to', value: recipientsText },
    { title: 'attempts', value: (item) => item.attempts },
    { title: 'next attempt', value: (item) => formatInstant(item.nextAttemptAt) ?? '-' },
    { title: 'why', value: whyText },
  ]
}

function itemText(item: ItemView, options: { now: number; width: number | undefined }): string {
  const { now } = options
  const fields = formatFields(
    [
      ['Item', item.id],
      ['Message', item.messageId],
      ['Connector', item.connector],
      ['State', item.state],
      ['From', pathText(item.from)],
      ['Client', clientText(item.client)],
      ['Size', formatBytes(item.sizeBytes)],
      ['Received', formatInstantFrom(item.receivedAt, now)],
      ['Expires', formatInstantFrom(item.expiresAt, now)],
      ['Attempts', item.attempts],
      ['Next attempt', formatInstantFrom(item.nextAttemptAt, now)],
      ['Held', item.holdReason],
      ['Last error', item.lastError],
    ],
    options,
  )
  const columns: Column<ItemView['recipients'][number]>[] = [
    { title: 'recipient', value: (to) => to.address },
    { title: 'state', value: (to) => to.state },
    { title: 'last reply', value: (to) => to.lastReply ?? '-' },
  ]
  return `${fields}\n${formatTable(columns, item.recipients, options)}`
}

/** What is still waited for comes first: the others are done with. */
function recipientsText({ recipients }: ItemView): string {
  const first = recipients.find((to) => to.state === 'pending') ?? recipients[0]
  return `${first?.address ?? '-'}${recipients.length > 1 ? ` +${recipients.length - 1}` : ''}`
}

/** Why it is still here: who holds it comes first. */
function whyText({ holdReason, lastError }: ItemView): string {
  const parts = [holdReason && `held: ${holdReason}`, lastError]
  return parts.filter((part) => part !== null).join('; ') || '-'
}

function clientText({ address, listener, user }: ItemView['client']): string {
  if (address === null) return 'the relay itself'
  return `${address}${listener === null ? '' : ` at ${listener}`}${user === null ? '' : ` as ${user}`}`
}

const pathText = (address: string): string => (address === '' ? '<>' : address)

function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a number from 1.')
}
