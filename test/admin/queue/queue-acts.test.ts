/** The acts of operators over HTTP, on a real queue: who may, what it does, what is refused. */
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type QueueItem, QueueUnavailable } from '../../../src/queue/queue.ts'
import { recipient, sender } from '../../support/queue-fixtures.ts'
import { type OperatedRelay, startOperatedRelay, token } from './operated-relay.ts'

let relay: OperatedRelay

beforeEach(async () => {
  relay = await startOperatedRelay()
})
afterEach(() => relay.stop())

interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
  readonly json: any
}

async function post(path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(relay.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, json: await response.json() }
}

const later = { nextAttemptAt: Date.UTC(2026, 0, 5, 9) }

async function one(fields: Partial<QueueItem> = {}): Promise<string> {
  return (await relay.store({ items: [fields] }))[0]!.id
}

const dsnText = async (): Promise<string> => {
  const dsn = (await relay.items()).find(({ item }) => item.connector === 'dsn')!
  return text(relay.queue.body(dsn.item.messageId))
}

describe('an act', () => {
  it('suspends, and says who and why', async () => {
    const id = await one()
    const answer = await post(`/queue/${id}/suspend`, { reason: 'a spam run?' })
    expect(answer).toMatchObject({ status: 200, json: { items: [{ id, result: 'done' }] } })
    expect(await relay.get(id)).toMatchObject({ state: 'suspended', item: { suspended: 'a spam run?' } })
    expect(relay.events.all).toEqual([
      {
        event: 'suspended',
        itemId: id,
        messageId: id.slice(0, 20),
        internetMessageId: `<${id.slice(0, 20)}@example.com>`,
        connector: 'alpha',
        from: 'newsletter@example.com',
        recipients: ['user@example.org'],
        by: 'local',
        reason: 'a spam run?',
      },
    ])
    expect(relay.woken).toEqual([])
  })

  it('resumes what is suspended, and wakes delivery', async () => {
    const id = await one({ suspended: 'held by rule Cards' })
    await post(`/queue/${id}/resume`)
    expect(await relay.get(id)).toMatchObject({ state: 'ready', item: { suspended: null } })
    expect(relay.events.of('resumed')).toMatchObject([{ by: 'local', reason: 'asked by an operator' }])
    expect(relay.woken).toEqual(['alpha'])
  })

  it('retries what is deferred, and wakes delivery', async () => {
    const id = await one(later)
    await post(`/queue/${id}/retry`)
    expect(await relay.get(id)).toMatchObject({ state: 'ready' })
    expect(relay.events.of('retried')).toHaveLength(1)
    expect(relay.woken).toEqual(['alpha', 'alpha at once'])
  })

  it('retries the connector of mail that only waits for that', async () => {
    const id = await one()
    await one({ connector: 'beta' })
    await post(`/queue/${id}/retry`)
    await post('/queue/actions', { action: 'retry', filter: {} })
    expect(relay.woken).toEqual(['alpha at once', 'alpha at once', 'beta at once'])
    expect(relay.events.all).toEqual([])
  })

  it("redirects to another connector's queue, and wakes that", async () => {
    const id = await one(later)
    await post(`/queue/${id}/redirect`, { connector: 'beta' })
    expect(await relay.get(id)).toMatchObject({ state: 'ready', item: { connector: 'beta' } })
    expect(relay.events.of('rerouted')).toMatchObject([
      { connector: 'beta', fromConnector: 'alpha', by: 'local' },
    ])
    expect(relay.woken).toEqual(['beta'])
  })

  it('that finds everything done already does nothing, and reports nothing', async () => {
    const [ready, held] = [await one(), await one({ suspended: 'held by rule Cards' })]
    for (const path of [`${ready}/resume`, `${ready}/retry`, `${held}/suspend`])
      expect(await post(`/queue/${path}`)).toMatchObject({
        status: 200,
        json: { items: [{ result: 'done' }] },
      })
    expect(relay.events.all).toEqual([])
    expect(await relay.get(held)).toMatchObject({ item: { suspended: 'held by rule Cards' } })
  })

  it('on a message is one on each of its items, and answers for each', async () => {
    const items = await relay.store({ items: [{}, { connector: 'beta' }] })
    await relay.lease('beta')
    const { status, json } = await post(`/queue/${items[0]!.messageId}/suspend`)
    expect(status).toBe(200)
    expect(json.items).toEqual([
      { id: items[0]!.id, result: 'done' },
      { id: items[1]!.id, result: 'busy' },
    ])
  })

  it('on an item that is being delivered is refused with 409, and changes nothing', async () => {
    const id = await one()
    await relay.lease('alpha')
    for (const act of ['suspend', 'resume', 'retry', 'remove'])
      expect(await post(`/queue/${id}/${act}`)).toMatchObject({
        status: 409,
        json: { title: 'Conflict', detail: expect.stringContaining('under way') },
      })
    expect(await relay.get(id)).toMatchObject({ state: 'leased', item: { suspended: null } })
    expect(relay.events.all).toEqual([])
  })
})

describe('remove', () => {
  it('tells the sender, with the code and the words of Exchange, unless told not to', async () => {
    const [told, untold] = [await one({ recipients: [recipient('a@example.org')] }), await one()]
    await post(`/queue/${told}/remove`)
    await post(`/queue/${untold}/remove`, { dsn: false })
    expect((await relay.items()).map(({ item }) => item.connector)).toEqual(['dsn'])
    expect(await dsnText()).toContain('550 4.3.2 Message deleted by administrative action')
    expect(await dsnText()).toMatch(
      /^Final-Recipient: rfc822; a@example.org\r\nAction: failed\r\nStatus: 4.3.2\r$/m,
    )
    expect(relay.events.all.map(({ event }) => event)).toEqual(['removed', 'dsn', 'removed'])
    expect(relay.woken).toEqual(['dsn'])
  })

  it('tells only of recipients that still wait, and want to hear of it', async () => {
    const id = await one({
      recipients: [
        recipient('delivered@example.org', { state: 'delivered' }),
        recipient('silent@example.org', { notify: 'never' }),
        recipient('waiting@example.org', { notify: ['failure'] }),
      ],
    })
    await post(`/queue/${id}/remove`)
    expect((await dsnText()).match(/^Final-Recipient: .*$/gm)).toEqual([
      'Final-Recipient: rfc822; waiting@example.org',
    ])
    expect(relay.events.of('removed')).toMatchObject([
      { recipients: ['silent@example.org', 'waiting@example.org'] },
    ])
  })

  it.each<[string, Partial<QueueItem>]>([
    ['from the null reverse-path', { sender: sender('') }],
    ['of which nobody wants to hear', { recipients: [recipient('a@example.org', { notify: 'never' })] }],
  ])('tells nobody of mail %s', async (_, fields) => {
    const id = await one(fields)
    expect(await post(`/queue/${id}/remove`)).toMatchObject({ status: 200 })
    expect(await relay.items()).toEqual([])
  })

  it('keeps attempts away while the report is written, so that it is true of each recipient', async () => {
    const id = await one()
    relay.queue.stall('body')
    const answer = post(`/queue/${id}/remove`, { reason: 'a spam run' })
    await relay.queue.called('body', 1)
    expect(await relay.get(id)).toMatchObject({ state: 'suspended', item: { suspended: 'a spam run' } })
    expect(await relay.lease('alpha')).toEqual([])
    relay.queue.heal()
    expect(await answer).toMatchObject({ status: 200 })
    expect(await relay.get(id)).toBeNull()
  })

  it('leaves the item suspended, and says so, where the store goes away in the middle', async () => {
    const id = await one()
    relay.queue.stall('body')
    const answer = post(`/queue/${id}/remove`, { reason: 'a spam run' })
    await relay.queue.called('body', 1)
    relay.queue.heal()
    relay.queue.fail('change', new QueueUnavailable('Redis is away'))
    expect(await answer).toMatchObject({ status: 503 })
    expect(await relay.get(id)).toMatchObject({ state: 'suspended', item: { suspended: 'a spam run' } })
    expect(relay.events.all).toEqual([])
  })

  it.each([null, 'held by rule Cards'])(
    'leaves the item as it was (%j) where no report can be made',
    async (suspended) => {
      const broken = await startOperatedRelay(() => {
        throw new Error('canary')
      })
      const [item] = await broken.store({ items: [{ suspended }] })
      const answer = await fetch(`${broken.url}/queue/${item!.id}/remove`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: '{}',
      })
      expect(answer.status).toBe(500)
      expect(await answer.text()).not.toContain('canary')
      expect(await broken.get(item!.id)).toMatchObject({ item: { suspended } })
      expect(broken.logged()).toContain('canary')
      expect(broken.logged()).not.toContain(token)
      await broken.stop()
    },
  )
})

describe('acts on many', () => {
  it('concern what the filter means, and count what they changed', async () => {
    await relay.store({ items: [{ suspended: 'x' }, { connector: 'beta', suspended: 'x' }, {}] })
    const answer = await post('/queue/actions', { action: 'resume', filter: { connector: 'alpha' } })
    expect(answer).toMatchObject({ status: 200, json: { done: 1, busy: 0, missing: 0, next: null } })
    const states = (await relay.items()).map(({ item, state }) => [item.connector, state])
    expect(states).toEqual([
      ['alpha', 'ready'],
      ['beta', 'suspended'],
      ['alpha', 'ready'],
    ])
  })

  it('go on page by page until no more match', async () => {
    for (let n = 0; n < 5; n++) await one(later)
    let after: string | null = null
    const done: number[] = []
    do {
      const { json } = await post('/queue/actions', { action: 'retry', filter: {}, limit: 2, after })
      done.push(json.done)
      after = json.next
    } while (after !== null)
    expect(done).toEqual([2, 2, 1])
    expect(relay.events.of('retried')).toHaveLength(5)
  })

  it('do not remove the reports that they cause', async () => {
    for (let n = 0; n < 3; n++) await one()
    const first = await post('/queue/actions', { action: 'remove', filter: {}, limit: 2 })
    await one()
    const second = await post('/queue/actions', { action: 'remove', filter: {}, after: first.json.next })
    expect([first.json.done, second.json.done]).toEqual([2, 1])
    expect((await relay.items()).map(({ item }) => item.connector).sort()).toEqual([
      ...['alpha', 'dsn', 'dsn', 'dsn'],
    ])
  })

  it('count what is being delivered as busy', async () => {
    await one()
    await relay.lease('alpha')
    await one(later)
    const { json } = await post('/queue/actions', { action: 'suspend', filter: { connector: 'alpha' } })
    expect(json).toEqual({ done: 1, busy: 1, missing: 0, next: null })
  })
})

describe('GET /queue/:id/message', () => {
  const get = (id: string, authorization = `Bearer ${token}`) =>
    fetch(`${relay.url}/queue/${id}/message`, { headers: { authorization } })

  it.each([
    ['small', 100],
    ['of several chunks', 3_000_000],
  ])('gives the stored bytes of a message that is %s', async (_, sizeBytes) => {
    const body = Buffer.concat([Buffer.from('Subject: x\r\n\r\n\0\n'), Buffer.alloc(sizeBytes, 'é')])
    const [item] = await relay.store({ body })
    for (const id of [item!.id, item!.messageId]) {
      const answer = await get(id)
      expect(answer.headers.get('content-type')).toBe('message/rfc822')
      expect(answer.headers.get('content-length')).toBe(String(body.length))
      expect(answer.headers.get('content-disposition')).toContain(`${item!.messageId}.eml`)
      expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true)
    }
  })

  it('shows nobody else’s mail to who has no token', async () => {
    const answer = await get(await one(), 'Bearer wrong')
    expect(answer.status).toBe(401)
    expect(await answer.text()).not.toContain('Hello')
  })

  it('says why it cannot', async () => {
    const id = await one()
    expect((await get(`${id}9`)).status).toBe(404)
    expect((await get('4711')).status).toBe(400)
    relay.queue.fail('body', new Error('the disk is gone'))
    expect(await (await get(id)).json()).toMatchObject({
      status: 503,
      detail: 'The message cannot be read: the disk is gone',
    })
  })
})

describe('who has no token', () => {
  it('is asked for one, and has changed nothing', async () => {
    const id = await one()
    for (const authorization of [
      '',
      'Basic eDp5',
      'Bearer',
      `Bearer ${token}x`,
      `bearer ${'B'.repeat(43)}`,
    ]) {
      const answer = await fetch(`${relay.url}/queue/${id}/suspend`, {
        method: 'POST',
        headers: { ...(authorization && { authorization }), 'content-type': 'application/json' },
        body: '{}',
      })
      expect(answer.status).toBe(401)
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
      expect(answer.headers.get('content-type')).toContain('application/problem+json')
      expect(await answer.json()).toMatchObject({ title: 'Unauthorized', status: 401 })
    }
    expect(await relay.get(id)).toMatchObject({ state: 'ready' })
  }, 20_000)

  it('is not told what is wrong with the body', async () => {
    const answer = await post('/queue/actions', 'not json', { authorization: 'Bearer wrong' })
    expect(answer.status).toBe(401)
  })

  it('reads nothing either', async () => {
    await one()
    for (const path of ['/queue', '/limits']) expect((await fetch(relay.url + path)).status).toBe(401)
  })

  it('may look, but not act, with one that is for looking', async () => {
    const id = await one()
    const authorization = `Bearer ${await relay.port.tokenFor('read')}`
    expect((await fetch(`${relay.url}/queue`, { headers: { authorization } })).status).toBe(200)
    expect(await post(`/queue/${id}/suspend`, {}, { authorization })).toMatchObject({ status: 403 })
    const read = await fetch(`${relay.url}/queue/${id}/message`, { headers: { authorization } })
    expect(read.status).toBe(403)
  })
})

describe('a body', () => {
  it.each<[string, string, unknown, string | undefined, RegExp]>([
    ['an unknown field', 'ID/suspend', { reasons: 'x' }, 'reasons', /no field reasons/],
    ['a reason of two lines', 'ID/suspend', { reason: 'a\nb' }, 'reason', /one line/],
    ['an empty reason', 'ID/resume', { reason: '' }, 'reason', /1 to 200/],
    ['a wrong type', 'ID/remove', { dsn: 'yes' }, 'dsn', /must be true or false/],
    ['no connector', 'ID/redirect', {}, 'connector', /must be the id of a connector/],
    ['an unknown connector', 'ID/redirect', { connector: 'gamma' }, 'connector', /no connector gamma/],
    ['no object', 'ID/retry', [], undefined, /must be an object/],
    ['no action', 'actions', { filter: {} }, 'action', /suspend, resume, retry, remove or redirect/],
    ['another action', 'actions', { action: 'burn', filter: {} }, 'action', /or redirect/],
    ['no filter', 'actions', { action: 'resume' }, 'filter', /\{\} means all/],
    [
      'an unknown filter',
      'actions',
      { action: 'resume', filter: { subject: 'x' } },
      'filter.subject',
      /no field filter.subject/,
    ],
    [
      'a filter that is wrong',
      'actions',
      { action: 'resume', filter: { state: 'held' } },
      'filter.state',
      /filter.state must be ready, deferred, leased or suspended$/,
    ],
    ['too many', 'actions', { action: 'resume', filter: {}, limit: 1001 }, 'limit', /1 to 1000/],
    ['a cursor of somebody else', 'actions', { action: 'resume', filter: {}, after: 'x' }, 'after', /`next`/],
    [
      'a field of another action',
      'actions',
      { action: 'resume', filter: {}, dsn: true },
      'dsn',
      /no field dsn/,
    ],
  ])('with %s is refused by name', async (_, path, body, field, detail) => {
    const id = await one()
    const answer = await post(`/queue/${path.replace('ID', id)}`, body)
    expect(answer).toMatchObject({
      status: 400,
      json: { status: 400, detail: expect.stringMatching(detail) },
    })
    expect(answer.json.field).toBe(field)
    expect(relay.events.all).toEqual([])
  })

  it('must be JSON, and say so: no form of a web page can', async () => {
    const id = await one()
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx'])
      expect(await post(`/queue/${id}/suspend`, '{}', { 'content-type': type })).toMatchObject({
        status: 415,
      })
    expect(await post(`/queue/${id}/suspend`, '{')).toMatchObject({ status: 400 })
    expect(await post(`/queue/${id}/suspend`, `{"reason":"${'x'.repeat(20_000)}"}`)).toMatchObject({
      status: 413,
    })
    expect(relay.events.all).toEqual([])
  })
})

it('names ids that are wrong, and those that are gone', async () => {
  expect(await post('/queue/4711/suspend')).toMatchObject({ status: 400, json: { field: 'id' } })
  const id = await one()
  expect(await post(`/queue/${id}9/suspend`)).toMatchObject({
    status: 404,
    json: { detail: `No item or message ${id}9 is in the queue` },
  })
})

it('says so where the store is away', async () => {
  const id = await one()
  relay.queue.fail('change', new QueueUnavailable('Redis is away'))
  expect(await post(`/queue/${id}/suspend`)).toMatchObject({
    status: 503,
    json: { detail: 'The queue cannot be changed: Redis is away' },
  })
  expect(relay.events.all).toEqual([])
})
