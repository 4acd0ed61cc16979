/** Sender bindings and the defaults of domains: one by one, and many at once as JSON or CSV. */
import { Readable } from 'node:stream'
import type { CurrentSetup, SetSender } from '../../setup/current.ts'
import { type ImportedBinding, planImport } from '../../setup/sender-import-plan.ts'
import { formatSender } from '../../setup/sender-object.ts'
import { planBind, planUnbind } from '../../setup/sender-plans.ts'
import type { Setup } from '../../setup/setup.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Refused } from '../problem.ts'
import { versionQuery } from '../query-values.ts'
import { readCsv, readJson } from './import-reader.ts'
import { csvHead, formatCsvLine } from './sender-csv.ts'
import { matchingSenders, pageOfSenders } from './sender-list.ts'
import {
  bindInput,
  boundSenderView,
  importedView,
  importInput,
  importQuery,
  senderListView,
  senderParams,
  senderQuery,
  senderView,
  senderViewOf,
} from './sender-view.ts'

export interface SenderEndpointsOptions {
  readonly setup: Pick<Setup, 'current' | 'apply'>
}

const part = 'Senders'
const csvType = 'text/csv'
const importLimitBytes = 10 * 1024 * 1024

export function senderEndpoints({ setup }: SenderEndpointsOptions): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/senders',
      scope: 'read',
      part,
      summary: 'Bindings that match, in the order of their senders, a page at a time; or all of them as CSV',
      query: senderQuery,
      answer: senderListView,
      mediaType: csvType,
      async handle({ query, request, reply }) {
        const { current } = setup
        const format = query.format ?? (wantsCsv(request.headers.accept) ? 'csv' : 'json')
        if (format === 'csv') {
          const matching = matchingSenders(current.senders, query)
          return reply.type(`${csvType}; charset=utf-8`).send(Readable.from(csvParts(matching)))
        }
        const { senders, ...page } = pageOfSenders(current.senders, query)
        return { senders: senders.map((sender) => senderViewOf(sender, current)), ...page }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/senders/:sender',
      scope: 'read',
      part,
      summary: 'The binding of a sender',
      params: senderParams,
      answer: senderView,
      problems: [404],
      handle: async ({ params }) => senderViewOf(senderIn(setup.current, params.sender), setup.current),
    }),
    endpoint({
      method: 'PUT',
      path: '/senders/:sender',
      scope: 'admin',
      part,
      summary: 'Bind a sender to a connector, or to none',
      params: senderParams,
      body: bindInput,
      answer: boundSenderView,
      problems: [404, 409],
      async handle({ params: { sender }, body, by }) {
        const { warnings } = await setup.apply(
          (current, planning) => planBind(current, planning, { sender, ...body }),
          { by },
        )
        return { ...senderViewOf(senderIn(setup.current, sender), setup.current), warnings: [...warnings] }
      },
    }),
    endpoint({
      method: 'DELETE',
      path: '/senders/:sender',
      scope: 'admin',
      part,
      summary: 'Remove the binding of a sender',
      params: senderParams,
      query: versionQuery,
      answer: null,
      problems: [404, 409],
      async handle({ params, query, by }) {
        await setup.apply((current) => planUnbind(current, { ...params, ...query }), { by })
      },
    }),
    endpoint({
      method: 'POST',
      path: '/senders/import',
      scope: 'admin',
      part,
      summary: 'Bind many senders in one step, all or none',
      query: importQuery,
      body: importInput,
      bodyTypes: ['application/json', csvType],
      bodyLimitBytes: importLimitBytes,
      answer: importedView,
      problems: [409, 413],
      async handle({ body, query, by }) {
        const asked = await readImport(body, query.replace)
        const { created, changed, unchanged, removed, warnings } = await setup.apply(
          (current, planning) => planImport(current, planning, asked),
          { by },
        )
        return { created, changed, unchanged, removed, warnings: [...warnings] }
      },
    }),
  ]
}

async function readImport(
  body: string | { senders: readonly unknown[]; replace: boolean },
  replace: 'true' | 'false' | undefined,
): Promise<{ bindings: readonly ImportedBinding[]; replace: boolean }> {
  if (typeof body === 'string') return { bindings: await readCsv(body), replace: replace === 'true' }
  if (replace !== undefined)
    throw new Refused(400, 'replace belongs into the body where that is JSON', 'replace')
  return { bindings: await readJson(body.senders), replace: body.replace }
}

function senderIn({ senders }: CurrentSetup, id: string): SetSender {
  const sender = senders.get(id)
  if (sender === undefined) throw new Refused(404, `There is no binding of ${formatSender(id)}`)
  return sender
}

const wantsCsv = (accept: string | undefined): boolean =>
  (accept ?? '').split(',', 1)[0]!.split(';', 1)[0]!.trim().toLowerCase() === csvType

const linesAPart = 500

/** In parts, so that 100,000 lines do not wait in memory for whoever reads slowly. */
function* csvParts(senders: readonly SetSender[]): Iterable<string> {
  yield csvHead
  for (let at = 0; at < senders.length; at += linesAPart)
    yield senders
      .slice(at, at + linesAPart)
      .map(({ id, connector }) => formatCsvLine({ sender: formatSender(id), connector }))
      .join('')
}
