/**
 * `relay trace`: the way of messages through the running relay, event by event. For people each message's whole
 * history, the oldest event first; `--json` and `--csv` print the events that match, the newest first.
 */
import { type Command, InvalidArgumentError } from 'commander'
import { mostIds } from '../admin/tracking/tracking-query.ts'
import { parseDuration } from '../config/units.ts'
import { isItemId, isMessageId, messageIdOf } from '../message-id.ts'
import { isRefusal, relatedMessageId, type TrackedEvent } from '../tracking/tracked-event.ts'
import type { AdminClient, EventFilter } from './admin-client.ts'
import { formatBytes, formatInstant } from './for-people.ts'
import { addAdminOption, withRelay } from './running-relay.ts'
import { type Column, formatFields, formatTable } from './table.ts'

/** What a person reads at once. */
const defaultMessages = 10

export function registerTrace(program: Command): void {
  addAdminOption(program.command('trace'))
    .description('the history of messages, from reception to the smart host’s answer')
    .argument('[id]', 'id of an item or of a message, as in the log and in our 250', parseId)
    .option('--sender <address>', 'user@example.com, @example.com, or <> for the null reverse-path')
    .option('--recipient <address>', 'user@example.com or @example.com')
    .option('--message-id <id>', 'the Message-ID field, with its angle brackets')
    .option('--network-message-id <guid>', 'by which Exchange knows the message')
    .option('--connector <id>', 'of a connector, or the name of a listener')
    .option('--event <event>', 'RECEIVE, AGENTINFO, DEFER, SEND, FAIL, DSN, …')
    .option('--since <time>', '2026-01-31T18:00:00, or how long ago: 2h', parseTime)
    .option('--until <time>', 'likewise', parseTime)
    .option(
      '--limit <number>',
      `at most so many messages (default: ${defaultMessages}), or events with --json and --csv (default: all)`,
      parseLimit,
    )
    .option('--json', 'one object per event, one per line')
    .option('--csv', "the events as lines of Exchange's message tracking log")
    .action((id: string | undefined, options: TraceOptions, command: Command) => {
      if (options.json && options.csv) command.error('error: --json and --csv exclude each other')
      return withRelay(command, (relay) =>
        trace(relay, { ...options, ...(id !== undefined && { id }) }, command),
      )
    })
}

interface TraceOptions {
  readonly id?: string
  readonly sender?: string
  readonly recipient?: string
  readonly messageId?: string
  readonly networkMessageId?: string
  readonly connector?: string
  readonly event?: string
  readonly since?: number
  readonly until?: number
  readonly limit?: number
  readonly json?: boolean
  readonly csv?: boolean
}

function trace(relay: AdminClient, options: TraceOptions, command: Command): Promise<void> {
  if (options.csv) return printLines(relay, options, command)
  return options.json ? printEvents(relay, options, command) : printHistories(relay, options, command)
}

async function printLines(relay: AdminClient, options: TraceOptions, command: Command): Promise<void> {
  const { writeOut } = command.configureOutput()
  let left = options.limit ?? Number.POSITIVE_INFINITY
  for await (const text of relay.trackingCsv(filterOf(options)))
    for (const line of text.split('\r\n').slice(0, -1)) {
      if (!line.startsWith('#') && left-- <= 0) return
      writeOut!(`${line}\r\n`)
    }
}

async function printEvents(relay: AdminClient, options: TraceOptions, command: Command): Promise<void> {
  const { writeOut } = command.configureOutput()
  let left = options.limit ?? Number.POSITIVE_INFINITY
  for await (const event of eventsOf(relay, filterOf(options), command)) {
    if (left-- <= 0) return
    writeOut!(`${JSON.stringify(event)}\n`)
  }
}

/** First which messages are meant, then all that happened to them, whatever event was asked for. */
async function printHistories(relay: AdminClient, options: TraceOptions, command: Command): Promise<void> {
  const { writeOut, writeErr, getOutHelpWidth } = command.configureOutput()
  const { id, limit = defaultMessages } = options
  const { ids, more } =
    id === undefined
      ? await messagesOf(eventsOf(relay, filterOf(options), command), limit)
      : { ids: [id], more: false }
  const histories = await readHistories(relay, { ids, whole: id === undefined }, command)
  const width = getOutHelpWidth?.()
  if (histories.length === 0) writeOut!('No message in the tracking history matches.\n')
  else writeOut!(histories.map((history) => historyText(history, width)).join('\n'))
  if (more) writeErr!(`There are more than these ${limit} messages: --limit <number> shows more\n`)
}

async function* eventsOf(
  relay: AdminClient,
  filter: EventFilter,
  command: Command,
): AsyncIterable<TrackedEvent> {
  let broken = 0
  for await (const page of relay.trackingPages(filter)) {
    yield* page.events
    broken += page.broken
  }
  if (broken > 0)
    command.configureOutput().writeErr!(`Lines of the history that could not be read: ${broken}\n`)
}

async function messagesOf(
  events: AsyncIterable<TrackedEvent>,
  limit: number,
): Promise<{ ids: string[]; more: boolean }> {
  const ids = new Set<string>()
  for await (const event of events) {
    const id = relatedMessageId(event) ?? event.messageId
    if (ids.has(id)) continue
    if (ids.size === limit) return { ids: [...ids], more: true }
    ids.add(id)
  }
  return { ids: [...ids], more: false }
}

/**
 * A form that policy made of a message has an id of its own, which is asked for when it is known; with `whole` what
 * was found of a form alone is told in the history of its message.
 */
async function readHistories(
  relay: AdminClient,
  { ids, whole }: { ids: readonly string[]; whole: boolean },
  command: Command,
): Promise<TrackedEvent[][]> {
  const found = await eventsOfIds(relay, ids, command)
  const meant = whole ? wholeOf(ids, formsIn(found)) : ids
  const events = isSame(meant, ids) ? found : await eventsOfIds(relay, meant, command)
  const forms = formsIn(events)
  for (const id of meant) forms.delete(id)
  const ofForms = await eventsOfIds(relay, [...forms.keys()], command)
  // Newest first: in one millisecond what was done to the forms comes behind what was done to the message.
  const all = [...ofForms.filter(({ event }) => event !== 'TRANSFER'), ...events]
  return meant.map((id) => historyOf(id, { events: all, forms })).filter((history) => history.length > 0)
}

/** The message of each form. */
function formsIn(events: readonly TrackedEvent[]): Map<string, string> {
  const forms = new Map<string, string>()
  for (const { event, messageId, reference } of events)
    if (event === 'TRANSFER' && reference !== null) forms.set(messageId, reference)
  return forms
}

const wholeOf = (ids: readonly string[], forms: ReadonlyMap<string, string>): string[] => [
  ...new Set(ids.map((id) => forms.get(id) ?? id)),
]

const isSame = (some: readonly string[], others: readonly string[]): boolean =>
  some.length === others.length && some.every((id) => others.includes(id))

async function eventsOfIds(
  relay: AdminClient,
  ids: readonly string[],
  command: Command,
): Promise<TrackedEvent[]> {
  const events: TrackedEvent[] = []
  for (let from = 0; from < ids.length; from += mostIds) {
    const id = ids.slice(from, from + mostIds).join(',')
    for await (const event of eventsOf(relay, { id }, command)) events.push(event)
  }
  return events
}

/** The oldest first. Events of one millisecond stay in the order in which they were written. */
function historyOf(
  id: string,
  { events, forms }: { events: readonly TrackedEvent[]; forms: ReadonlyMap<string, string> },
): TrackedEvent[] {
  const messageId = messageIdOf(id)
  return events
    .filter((event) => {
      const of = relatedMessageId(event) ?? event.messageId
      return of === messageId || event.messageId === messageId || forms.get(of) === messageId
    })
    .reverse()
    .sort((a, b) => a.at - b.at)
}

function historyText(events: readonly TrackedEvent[], width: number | undefined): string {
  const first = events.find(({ event }) => event === 'RECEIVE') ?? events[0]!
  const from = events.find((event) => event.from !== null)?.from ?? null
  const { sizeBytes = null } = events.find((event) => event.sizeBytes !== null) ?? {}
  const fields = formatFields(
    [
      ['Message', relatedMessageId(first) ?? first.messageId],
      ['Message-ID', events.find((event) => event.internetMessageId !== null)?.internetMessageId ?? null],
      ['Exchange', events.find((event) => event.networkMessageId !== null)?.networkMessageId ?? null],
      ['From', from === '' ? '<>' : from],
      ['Size', sizeBytes === null ? null : formatBytes(sizeBytes)],
    ],
    { width },
  )
  return `${fields}\n${formatTable(columns, events, { width })}`
}

const columns: readonly Column<TrackedEvent>[] = [
  { title: 'time', value: ({ at }) => formatInstant(at)! },
  { title: 'event', value: ({ event }) => event },
  { title: 'connector', value: ({ connector }) => connector ?? '-' },
  { title: 'peer', value: ({ client, host }) => client ?? host ?? '-' },
  { title: 'recipient', value: recipientsText },
  { title: 'what', value: whatHappened },
]

function recipientsText({ recipients, recipientCount }: TrackedEvent): string {
  const first = recipients[0]
  return `${first?.address ?? '-'}${recipientCount > 1 ? ` +${recipientCount - 1}` : ''}`
}

/** The answer, the verdict or the reason: what the event is about comes first. */
function whatHappened(event: TrackedEvent): string {
  const { details } = event
  const status = event.recipients.find((to) => to.status !== null)?.status ?? event.context
  const parts = [
    status,
    details.TRA && ruleText(details.TRA),
    details.Because,
    details.Check,
    details.Limit,
    isRefusal(event) && `refused at ${details.RefusedAt}, not received`,
    details.FromConnector && `from connector ${details.FromConnector}`,
    details.By && `by ${details.By}`,
    details.User && `as ${details.User}`,
    details.NextAttempt && `next attempt ${formatInstant(Date.parse(details.NextAttempt))}`,
    details.Uncertain && 'the smart host may have taken it',
    details.Kind && `${details.Kind}, queued as ${event.messageId}`,
    event.event === 'TRANSFER' && `a form of ${event.reference}`,
    event.event === 'FAIL' && event.reference !== null && `told the sender in ${event.reference}`,
  ]
  return parts.filter((part) => typeof part === 'string' && part !== '').join('; ') || '-'
}

/** `ETR|rule=Cards|mode=enforce|action=hold|sev=`, without the marks that only tools want. */
function ruleText(text: string): string {
  return text
    .split('|')
    .slice(1)
    .filter((part) => !part.endsWith('='))
    .join(', ')
}

function filterOf(options: TraceOptions): EventFilter {
  const { id, sender, recipient, messageId, networkMessageId, connector, event, since, until } = options
  return {
    ...(id !== undefined && { id }),
    ...(sender !== undefined && { sender }),
    ...(recipient !== undefined && { recipient }),
    ...(messageId !== undefined && { internetMessageId: messageId }),
    ...(networkMessageId !== undefined && { networkMessageId }),
    ...(connector !== undefined && { connector }),
    ...(event !== undefined && { event: event.toUpperCase() }),
    ...(since !== undefined && { from: String(since) }),
    ...(until !== undefined && { until: String(until) }),
  }
}

/** Local time, as it is printed. */
function parseTime(text: string): number {
  const ago = parseDuration(text)
  const at = ago === null ? Date.parse(text) : Date.now() - ago
  if (Number.isNaN(at))
    throw new InvalidArgumentError(
      'It must be a time such as 2026-01-31T18:00:00, or how long ago, such as 2h.',
    )
  return at
}

function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a number from 1.')
}

function parseId(text: string): string {
  if (isItemId(text) || isMessageId(text)) return text
  throw new InvalidArgumentError('It must be the id of an item or of a message, 20 capitals and digits.')
}
