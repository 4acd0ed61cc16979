/**
 * What operators do to the queue: acts on an item, on all items of a message, or on all that a filter means; and the
 * bytes of a message. All of it needs the token: reading the queue does not change it, and shows no content.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../clock.ts'
import type { Actor, QueueActs } from '../delivery/queue-acts.ts'
import type { ConnectorStatus } from '../delivery/status.ts'
import { isItemId, isMessageId } from '../message-id.ts'
import {
  BodyMissing,
  type ChangeResult,
  type ListedItem,
  type Queue,
  QueueFull,
  type QueueItem,
  QueueUnavailable,
} from '../queue/queue.ts'
import type { Authority } from './authority.ts'
import { Refused, storeAway } from './problem.ts'
import {
  type ActionsRequest,
  type ActRequest,
  actKinds,
  type BadBody,
  parseAct,
  parseActions,
} from './queue-act-body.ts'
import type { ActedItem, ActedMany } from './queue-act-view.ts'
import { maxLimit } from './queue-query.ts'
import { readPage } from './queue-reader.ts'
import type { Scope } from './token.ts'

export interface QueueActRoutesOptions {
  readonly queue: Pick<Queue, 'list' | 'body'>
  readonly acts: QueueActs
  readonly authority: Authority
  readonly connectors: () => readonly ConnectorStatus[]
  readonly clock: Clock
}

/** So many items of one request are changed at a time: the store commits them together. */
const atOnce = 20

type ById = { Params: { id: string } }

export function addQueueActs(server: FastifyInstance, options: QueueActRoutesOptions): void {
  const { authority } = options
  const holders = new WeakMap<FastifyRequest, string>()
  const needs = (scope: Scope) => async (request: FastifyRequest, reply: FastifyReply) => {
    holders.set(request, await holderOf(request, { reply, authority, scope }))
    if (request.method === 'POST') demandJson(request)
  }
  const actor = (request: FastifyRequest, { reason }: ActRequest): Actor => {
    return { by: holders.get(request)!, reason }
  }

  for (const kind of actKinds)
    server.post<ById>(`/queue/:id/${kind}`, { onRequest: needs('operate') }, async (request) => {
      const asked = valid(parseAct(kind, request.body))
      demandConnector(asked, options.connectors())
      return actById(request.params.id, asked, { ...options, actor: actor(request, asked) })
    })
  server.post('/queue/actions', { onRequest: needs('operate') }, async (request) => {
    const asked = valid(parseActions(request.body))
    demandConnector(asked, options.connectors())
    return actOnMany(asked, { ...options, actor: actor(request, asked) })
  })
  server.get<ById>(
    '/queue/:id/message',
    { onRequest: needs('operate'), exposeHeadRoute: false },
    (request, reply) => sendMessage(request.params.id, reply, options),
  )
}

async function holderOf(
  request: FastifyRequest,
  { reply, authority, scope }: { reply: FastifyReply; authority: Authority; scope: Scope },
): Promise<string> {
  const { authorization } = request.headers
  const answer = await authority.authorize({ authorization, address: request.ip }, scope)
  if (answer.granted) return answer.by
  if (answer.status === 401) reply.header('www-authenticate', 'Bearer')
  else reply.header('retry-after', Math.ceil(answer.retryAfterMs / 1000))
  throw new Refused(answer.status, answer.detail)
}

/** No form of a web page sends this type, so that none can act in the name of whoever looks at it. */
function demandJson({ headers }: FastifyRequest): void {
  if (!/^application\/json\s*(?:;|$)/i.test(headers['content-type'] ?? ''))
    throw new Refused(415, 'The body must be JSON: Content-Type: application/json')
}

function valid<Request extends ActRequest>(parsed: Request | BadBody): Request {
  if ('message' in parsed) throw new Refused(400, parsed.message, parsed.field)
  return parsed
}

function demandConnector({ act }: ActRequest, connectors: readonly ConnectorStatus[]): void {
  if (act.kind !== 'redirect' || connectors.some(({ connector }) => connector === act.connector)) return
  throw new Refused(400, `There is no connector ${act.connector}, or it is disabled`, 'connector')
}

interface ActOptions extends QueueActRoutesOptions {
  readonly actor: Actor
}

async function actById(
  id: string,
  { act }: ActRequest,
  options: ActOptions,
): Promise<{ items: ActedItem[] }> {
  const found = await itemsOf(id, options)
  const items = await actOnEach(found, { ...options, act })
  if (act.kind === 'retry') options.acts.retryConnectorsOf(found.map(({ item }) => item))
  if (isItemId(id) && items[0]!.result === 'missing') throw notQueued(id)
  if (isItemId(id) && items[0]!.result === 'busy')
    throw new Refused(409, `An attempt to deliver ${id} is under way: ask again when it is over`)
  return { items }
}

/** What came after the act began is not meant, above all reports that it causes: hence the instant in the cursor. */
async function actOnMany(
  { act, filter, limit, after }: ActionsRequest,
  options: ActOptions,
): Promise<ActedMany> {
  const now = options.clock.now()
  const cursor = after === null ? { before: now, after: null } : parseCursor(after)
  const page = await readPage(options.queue, filter, { now, limit, after: cursor.after })
  const meant = page.items.filter(
    ({ item }) => item.receivedAt < cursor.before && options.acts.changes(item, act),
  )
  const results = await actOnEach(meant, { ...options, act })
  if (act.kind === 'retry') options.acts.retryConnectorsOf(page.items.map(({ item }) => item))
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
  { acts, act, actor }: ActOptions & Pick<ActRequest, 'act'>,
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
  options: QueueActRoutesOptions,
): Promise<FastifyReply> {
  const [{ item }] = (await itemsOf(id, options)) as [ListedItem]
  const body = await readBody(options.queue, item)
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

/** At least one. */
async function itemsOf(
  id: string,
  { queue, clock }: Pick<QueueActRoutesOptions, 'queue' | 'clock'>,
): Promise<readonly ListedItem[]> {
  if (!isItemId(id) && !isMessageId(id))
    throw new Refused(400, 'id must be the id of an item or of a message', 'id')
  const page = await readPage(queue, { id }, { now: clock.now(), limit: maxLimit, after: null })
  if (page.items.length === 0) throw notQueued(id)
  return page.items
}

const notQueued = (id: string): Refused => new Refused(404, `No item or message ${id} is in the queue`)
