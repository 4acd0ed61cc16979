/**
 * What operators do to the queue: acts on an item, on all items of a message, or on all that a filter means; and the
 * bytes of a message.
 */
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Clock } from '../../clock.ts'
import type { Act, Actor, QueueActs } from '../../delivery/queue-acts.ts'
import type { ConnectorStatus } from '../../delivery/status.ts'
import { isItemId } from '../../message-id.ts'
import {
  BodyMissing,
  type ChangeResult,
  type ListedItem,
  type Queue,
  QueueFull,
  type QueueItem,
  QueueUnavailable,
} from '../../queue/queue.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Refused, storeAway } from '../problem.ts'
import { byItemOrMessageId } from '../query-values.ts'
import { type ActionsBody, type ActKind, actBodies, actionsBody, actKinds, actOf } from './queue-act-body.ts'
import { type ActedItem, type ActedMany, actedItemsSchema, actedManySchema } from './queue-act-view.ts'
import { itemsOf, notQueued, readPage } from './queue-reader.ts'

export interface QueueActOptions {
  readonly queue: Pick<Queue, 'list' | 'body'>
  readonly acts: QueueActs
  readonly connectors: () => readonly ConnectorStatus[]
  readonly clock: Clock
}

/** So many items of one request are changed at a time: the store commits them together. */
const atOnce = 20

export function queueActEndpoints(options: QueueActOptions): Endpoint[] {
  return [
    ...actKinds.map((kind) => actEndpoint(kind, options)),
    endpoint({
      method: 'POST',
      path: '/queue/actions',
      scope: 'operate',
      part: 'Queue',
      summary: 'Acts on all items that a filter means, a bounded number of them at a time',
      body: actionsBody,
      answer: actedManySchema,
      problems: [507],
      async handle({ body, by }) {
        const act = actOf(body.action, body)
        demandConnector(act, options.connectors())
        return actOnMany(body, { ...options, act, actor: { by, reason: body.reason } })
      },
    }),
    endpoint({
      method: 'GET',
      path: '/queue/:id/message',
      scope: 'operate',
      part: 'Queue',
      summary: 'The message as it is stored, byte for byte',
      params: byItemOrMessageId,
      answer: z.string(),
      mediaType: 'message/rfc822',
      problems: [404],
      handle: ({ params, reply }) => sendMessage(params.id, reply, options),
    }),
  ]
}

const summaries: Record<ActKind, string> = {
  suspend: 'Holds an item until it is resumed',
  resume: 'Lets a suspended item go on',
  retry: 'Makes an item due now, and tries the hosts of its connector',
  remove: 'Removes an item, with or without a report to the sender',
  redirect: "Moves an item to another connector's queue",
}

function actEndpoint(kind: ActKind, options: QueueActOptions): Endpoint {
  return endpoint({
    method: 'POST',
    path: `/queue/:id/${kind}`,
    scope: 'operate',
    part: 'Queue',
    summary: summaries[kind],
    params: byItemOrMessageId,
    body: actBodies[kind] as z.ZodType<{ reason: string; dsn?: boolean; connector?: string }>,
    answer: actedItemsSchema,
    problems: [404, 409, 507],
    async handle({ params, body, by }) {
      const act = actOf(kind, body)
      demandConnector(act, options.connectors())
      return actById(params.id, { ...options, act, actor: { by, reason: body.reason } })
    },
  })
}

function demandConnector(act: Act, connectors: readonly ConnectorStatus[]): void {
  if (act.kind !== 'redirect' || connectors.some(({ connector }) => connector === act.connector)) return
  throw new Refused(400, `There is no connector ${act.connector}, or it is disabled`, 'connector')
}

interface ActOptions extends QueueActOptions {
  readonly act: Act
  readonly actor: Actor
}

async function actById(id: string, options: ActOptions): Promise<{ items: ActedItem[] }> {
  const { queue, acts, act, clock } = options
  const found = await itemsOf(queue, id, { now: clock.now() })
  const items = await actOnEach(found, options)
  if (act.kind === 'retry') acts.retryConnectorsOf(found.map(({ item }) => item))
  if (isItemId(id) && items[0]!.result === 'missing') throw notQueued(id)
  if (isItemId(id) && items[0]!.result === 'busy')
    throw new Refused(409, `An attempt to deliver ${id} is under way: ask again when it is over`)
  return { items }
}

/** What came after the act began is not meant, above all reports that it causes: hence the instant in the cursor. */
async function actOnMany({ filter, limit, after }: ActionsBody, options: ActOptions): Promise<ActedMany> {
  const { queue, acts, act } = options
  const now = options.clock.now()
  const cursor = after === null ? { before: now, after: null } : parseCursor(after)
  const page = await readPage(queue, filter, { now, limit, after: cursor.after })
  const meant = page.items.filter(({ item }) => item.receivedAt < cursor.before && acts.changes(item, act))
  const results = await actOnEach(meant, options)
  if (act.kind === 'retry') acts.retryConnectorsOf(page.items.map(({ item }) => item))
  const count = (wanted: ChangeResult) => results.filter(({ result }) => result === wanted).length
  return {
    done: count('done'),
    busy: count('busy'),
    missing: count('missing'),
    next: page.next === null ? null : `${cursor.before} ${page.next}`,
  }
}

function parseCursor(text: string): { before: number; after: string } {
  const match = /^(\d{1,15}) ([\x20-\x7e]{1,300})$/.exec(text)
  if (match === null) throw new Refused(400, 'after must be the `next` of the answer before', 'after')
  return { before: Number(match[1]), after: match[2]! }
}

async function actOnEach(
  listed: readonly ListedItem[],
  { acts, act, actor }: ActOptions,
): Promise<ActedItem[]> {
  const results: ActedItem[] = []
  for (let at = 0; at < listed.length; at += atOnce)
    results.push(
      ...(await Promise.all(
        listed.slice(at, at + atOnce).map(async ({ item, state }): Promise<ActedItem> => {
          if (state === 'leased') return { id: item.id, result: 'busy' }
          return { id: item.id, result: await acts.apply(item, act, actor).catch(notStored) }
        }),
      )),
    )
  return results
}

/** What was done before stays done: to ask once more does the rest. */
function notStored(error: unknown): never {
  if (error instanceof QueueUnavailable) throw storeAway('The queue cannot be changed', error)
  if (error instanceof QueueFull) throw new Refused(507, error.message)
  throw error
}

async function sendMessage(
  id: string,
  reply: FastifyReply,
  { queue, clock }: QueueActOptions,
): Promise<FastifyReply> {
  const [{ item }] = (await itemsOf(queue, id, { now: clock.now() })) as [ListedItem]
  const body = await readBody(queue, item)
  return reply
    .type('message/rfc822')
    .headers({
      'content-length': item.sizeBytes,
      'content-disposition': `attachment; filename="${item.messageId}.eml"`,
    })
    .send(Readable.from(body, { objectMode: false }))
}

/** The first chunk is read before the answer begins: what cannot be read is an answer of its own. */
async function readBody(
  queue: Pick<Queue, 'body'>,
  { messageId }: QueueItem,
): Promise<AsyncIterable<Buffer>> {
  const chunks = queue.body(messageId)[Symbol.asyncIterator]()
  try {
    const first = await chunks.next()
    return (async function* () {
      for (let next = first; !next.done; next = await chunks.next()) yield next.value
    })()
  } catch (error) {
    if (error instanceof BodyMissing) throw notQueued(messageId)
    throw storeAway('The message cannot be read', error)
  }
}
