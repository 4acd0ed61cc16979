/**
 * `relay queue suspend | resume | retry | remove | redirect | export`: what operators do to queued mail, by id or for
 * all that a filter means. The names are those of Exchange's cmdlets: Suspend-Message, Resume-Message, Retry-Queue,
 * Remove-Message (with an NDR, unless told otherwise), Redirect-Message, Export-Message.
 */
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import type { ActKind } from '../admin/queue/queue-act-body.ts'
import type { ActedItem } from '../admin/queue/queue-act-view.ts'
import { type ActFields, type AdminClient, AdminError, type ItemFilter } from './admin-client.ts'
import { addFilterOptions, filterOf, parseId } from './queue-filter.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import { formatTable } from './table.ts'

export function registerQueueActs(queue: Command): void {
  const add = (kind: ActKind, description: string): Command =>
    addFilterOptions(addAdminOption(queue.command(kind)))
      .description(description)
      .argument('[id...]', 'ids of items or of messages', (id, ids: string[] = []) => [...ids, parseId(id)])
      .option('--all', 'every item of the queue')
      .option('--reason <text>', 'why, for the log')
      .option('--yes', 'without asking')
      .option('--json', 'one object per item; with a filter one with the sums')
      .action((ids: readonly string[] | undefined, options: ActOptions, command: Command) =>
        run(kind, { ...options, ids: ids ?? [] }, command),
      )
  add('suspend', 'hold items until they are resumed')
  add('resume', 'let go items that are held, by an operator or by a rule')
  add('retry', 'attempt deferred items now')
  add('remove', 'remove items, and tell their senders')
    .option('--dsn', 'tell the sender, as for any failure (default)')
    .option('--no-dsn', 'tell nobody')
  add('redirect', "move items to another connector's queue").requiredOption(
    '--target <connector>',
    'id of that connector',
  )
  addAdminOption(queue.command('export'))
    .description('write the message of an item as it is stored')
    .argument('<id>', 'id of an item or of a message', parseId)
    .option('--out <file>', 'to this file (default: standard output)')
    .action((id: string, { out }: { out?: string }, command: Command) =>
      withRelay(command, (relay) => exportMessage(relay, { id, out })),
    )
}

interface ActOptions extends ItemFilter {
  readonly all?: boolean
  readonly reason?: string
  readonly yes?: boolean
  readonly json?: boolean
  readonly dsn?: boolean
  readonly target?: string
}

type Asked = ActOptions & { readonly ids: readonly string[] }

async function run(kind: ActKind, asked: Asked, command: Command): Promise<void> {
  const filter = filterOf(asked)
  const filters = Object.keys(filter).length + (asked.all ? 1 : 0)
  if (asked.ids.length === 0 && filters === 0)
    command.error('error: say which items: ids, a filter such as --connector, or --all', { exitCode: 2 })
  if (asked.ids.length > 0 && filters > 0)
    command.error('error: ids and filters exclude each other', { exitCode: 2 })
  if (asked.all && filters > 1) command.error('error: --all and filters exclude each other', { exitCode: 2 })
  await withRelay(command, async (relay) => {
    if (!(await isMeant(relay, { kind, filter, asked }, command))) return
    if (asked.ids.length > 0) await actOnEach(relay, { kind, asked }, command)
    else await actOnMany(relay, { kind, filter, asked }, command)
  })
}

async function actOnEach(
  relay: AdminClient,
  { kind, asked }: { kind: ActKind; asked: Asked },
  command: Command,
): Promise<void> {
  const { writeOut, writeErr, getOutHelpWidth } = command.configureOutput()
  const results: ActedItem[] = []
  const refusals: string[] = []
  for (const id of asked.ids) {
    try {
      results.push(...(await relay.act(id, kind, fieldsOf(kind, asked))))
    } catch (error) {
      // One that has just left the queue, or is being delivered, must not keep the others from their turn.
      if (!(error instanceof AdminError) || !error.isOfItem) throw error
      refusals.push(error.message)
    }
  }
  if (asked.json) for (const result of results) writeOut!(`${JSON.stringify(result)}\n`)
  else if (results.length > 0)
    writeOut!(formatTable([idColumn, resultColumn], results, { width: getOutHelpWidth?.() }))
  for (const refusal of refusals) writeErr!(`${refusal}\n`)
  if (refusals.length > 0 || results.some(({ result }) => result !== 'done')) process.exitCode = 1
}

const idColumn = { title: 'id', value: ({ id }: ActedItem) => id }
const resultColumn = { title: 'result', value: ({ result }: ActedItem) => result }

async function actOnMany(
  relay: AdminClient,
  { kind, filter, asked }: { kind: ActKind; filter: ItemFilter; asked: Asked },
  command: Command,
): Promise<void> {
  const { writeOut, writeErr } = command.configureOutput()
  const sums = { done: 0, busy: 0, missing: 0 }
  for await (const { done, busy, missing } of relay.actOnMany(filter, kind, fieldsOf(kind, asked))) {
    sums.done += done
    sums.busy += busy
    sums.missing += missing
  }
  if (asked.json) writeOut!(`${JSON.stringify(sums)}\n`)
  else writeOut!(`${doneText[kind]}: ${sums.done}\n`)
  if (sums.busy === 0) return
  if (!asked.json) writeErr!(`Left alone, as an attempt is under way: ${sums.busy}\n`)
  process.exitCode = 1
}

const doneText: Record<ActKind, string> = {
  suspend: 'Suspended',
  resume: 'Resumed',
  retry: 'Due now',
  remove: 'Removed',
  redirect: 'Redirected',
}

function fieldsOf(kind: ActKind, { reason, dsn, target }: ActOptions): ActFields {
  return {
    ...(reason !== undefined && { reason }),
    ...(kind === 'remove' && { dsn: dsn ?? true }),
    ...(kind === 'redirect' && { connector: target! }),
  }
}

/**
 * Asks who sits at a terminal, before anything that is not undone as easily, or that concerns many. Where nobody can
 * be asked, only what cannot be undone needs to be confirmed beforehand.
 */
async function isMeant(
  relay: AdminClient,
  { kind, filter, asked }: { kind: ActKind; filter: ItemFilter; asked: Asked },
  command: Command,
): Promise<boolean> {
  const many = asked.ids.length === 0
  if (asked.yes || (!many && kind !== 'remove')) return true
  if (!process.stdin.isTTY) {
    if (many && kind === 'remove')
      command.error('error: remove by a filter needs --yes here', { exitCode: 2 })
    return true
  }
  const what = many ? await countText(relay, filter) : `${asked.ids.length}`
  const told =
    kind === 'remove' ? (asked.dsn === false ? ', and tell nobody' : ', and tell their senders') : ''
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`${kind} items: ${what}${told}. Continue? [y/N] `)
  terminal.close()
  if (/^y(?:es)?$/i.test(answer.trim())) return true
  process.exitCode = 1
  return false
}

const mostCounted = 10_000

async function countText(relay: AdminClient, filter: ItemFilter): Promise<string> {
  let count = 0
  for await (const _ of relay.items(filter)) if (++count > mostCounted) return `more than ${mostCounted}`
  return `${count}`
}

/** It is people's mail: a file that is made here is for its owner alone, and one that is there is not overwritten. */
async function exportMessage(
  relay: AdminClient,
  { id, out }: { id: string; out: string | undefined },
): Promise<void> {
  const bytes = await relay.message(id)
  if (out === undefined) return pipeline(bytes, process.stdout, { end: false })
  const file = await open(out, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new AdminError(`${out} cannot be written: ${error.code === 'EEXIST' ? 'it is there' : error.code}`)
  })
  await pipeline(bytes, file.createWriteStream())
}
