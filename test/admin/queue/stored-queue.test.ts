/** The queue over the admin port and the embedded store, as it runs: what one page tells, the next must understand. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { itemPageSchema } from '../../../src/admin/queue/item-view.ts'
import { sender, t0 } from '../../support/queue-fixtures.ts'
import { type OperatedRelay, startOperatedRelay } from './operated-relay.ts'

let relay: OperatedRelay

beforeAll(async () => {
  relay = await startOperatedRelay()
  for (let i = 0; i < 150; i++) {
    const from = i < 10 ? '' : 'newsletter@example.com'
    await relay.store({
      receivedAt: t0 + i,
      items: [{ connector: i % 2 ? '29' : 'other', sender: sender(from), nextAttemptAt: t0 - i }],
    })
  }
})

afterAll(() => relay.stop())

const ask = (path: string) => relay.port.ask(path)

async function itemsOf(filter: Record<string, string>) {
  const items = []
  let after: string | null = null
  do {
    const query = new URLSearchParams({ ...filter, limit: '40', ...(after !== null && { after }) })
    const page = itemPageSchema.parse((await ask(`/queue?${query}`)).json)
    items.push(...page.items)
    after = page.next
  } while (after !== null)
  return items
}

const idsOf = async (filter: Record<string, string>) => (await itemsOf(filter)).map(({ id }) => id)

it('lists every item once, over several pages', async () => {
  const ids = await idsOf({})
  expect(ids).toHaveLength(150)
  expect(new Set(ids).size).toBe(150)
})

it('lists those of a connector, of a state, of a sender', async () => {
  expect(await idsOf({ connector: '29' })).toHaveLength(75)
  expect(await idsOf({ state: 'ready' })).toHaveLength(150)
  expect(await idsOf({ state: 'suspended' })).toEqual([])
  expect(await idsOf({ sender: '<>' })).toHaveLength(10)
  expect(await idsOf({ sender: '@example.com', connector: 'other' })).toHaveLength(70)
  expect(await idsOf({ recipient: 'nobody@example.org' })).toEqual([])
})

it.each<Record<string, string>>([{}, { connector: '29' }])(
  'lists %j by reception where asked to',
  async (filter) => {
    const received = async (order: string) =>
      (await itemsOf({ ...filter, order })).map(({ receivedAt }) => receivedAt)
    const oldest = await received('oldest')
    expect(oldest).toEqual(oldest.toSorted((a, b) => a - b))
    expect(await received('newest')).toEqual(oldest.toReversed())
  },
)

it('finds an item by its id and by that of its message', async () => {
  const [item] = await itemsOf({})
  expect(item).toMatchObject({ state: 'ready', client: { listener: 'exchange' } })
  for (const id of [item!.id, item!.messageId])
    expect((await ask(`/queue/${id}`)).json).toEqual({ items: [item], next: null })
})

it('tells ids that are wrong from ids that are gone', async () => {
  const [id] = await idsOf({})
  expect(await ask('/queue/4711')).toMatchObject({ code: 400, json: { field: 'id' } })
  expect(await ask(`/queue/${id}9`)).toMatchObject({
    code: 404,
    json: { detail: `No item or message ${id}9 is in the queue` },
  })
})

it('refuses a page that was never announced', async () => {
  const answer = await ask('/queue?after=x')
  expect(answer.headers['content-type']).toContain('application/problem+json')
  expect(answer.json).toEqual({
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'after must be the `next` of the page before',
    field: 'after',
  })
})

it('gives no more than was asked for', async () => {
  const { items, next } = (await ask('/queue?limit=7')).json
  expect(items).toHaveLength(7)
  expect(next).not.toBeNull()
})

it('gives the reason where the store is away', async () => {
  const [id] = await idsOf({})
  relay.queue.fail('list', new Error('Redis is away'))
  const answers = [await ask('/queue'), await ask(`/queue/${id}`)]
  relay.queue.heal()
  for (const answer of answers)
    expect(answer).toMatchObject({ code: 503, json: { detail: 'The queue cannot be read: Redis is away' } })
})
