/** What the commands ask a running relay of its sender bindings. */
import {
  type BoundSenderView,
  boundSenderView,
  type ImportedView,
  importedView,
  type SenderListView,
  type SenderView,
  senderListView,
} from '../admin/senders/sender-view.ts'
import type { AdminClient } from './admin-client.ts'

/** The parameters of `GET /senders`. */
export interface SenderFilter {
  readonly connector?: string
  readonly search?: string
  readonly origin?: string
}

const pageSize = 1000
/** All are stored in one step. */
const importTimeoutMs = 120_000

/** All that match, read page by page. */
export async function* sendersOf(relay: AdminClient, filter: SenderFilter): AsyncIterable<SenderView> {
  let after: string | null = null
  do {
    const query = new URLSearchParams({
      ...filter,
      limit: String(pageSize),
      ...(after !== null && { after }),
    })
    const page: SenderListView = await relay.ask(`/senders?${query}`, { answer: senderListView })
    yield* page.senders
    after = page.next
  } while (after !== null)
}

export async function senderCsv(relay: AdminClient, filter: SenderFilter): Promise<string> {
  const query = new URLSearchParams({ ...filter, format: 'csv' })
  return (await relay.askText(`/senders?${query}`)).text
}

export function bindSender(relay: AdminClient, sender: string, connector: string): Promise<BoundSenderView> {
  return relay.ask(pathOf(sender), { method: 'PUT', body: { connector }, answer: boundSenderView })
}

export async function unbindSender(relay: AdminClient, sender: string): Promise<void> {
  await relay.ask(pathOf(sender), { method: 'DELETE', answer: null })
}

export async function importSenders(
  relay: AdminClient,
  csv: Buffer,
  { replace }: { replace: boolean },
): Promise<ImportedView> {
  const { text } = await relay.askText(`/senders/import?replace=${replace}`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv' },
    body: csv,
    timeoutMs: importTimeoutMs,
  })
  return importedView.parse(JSON.parse(text))
}

const pathOf = (sender: string): string => `/senders/${encodeURIComponent(sender)}`
