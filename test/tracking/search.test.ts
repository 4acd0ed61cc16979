import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newMessageId } from '../../src/message-id.ts'
import type { MailEvent } from '../../src/observe/events.ts'
import { permanent, success } from '../../src/reply.ts'
import { fileHead } from '../../src/tracking/csv.ts'
import { fileName, hourOf } from '../../src/tracking/files.ts'
import type { TrackingFilter } from '../../src/tracking/filter.ts'
import { trackingLines } from '../../src/tracking/lines.ts'
import { type SearchOptions, searchTracking, type TrackingPage } from '../../src/tracking/search.ts'
import { SearchFailed, TrackingSearch } from '../../src/tracking/search-thread.ts'
import { builtProgram } from '../support/built-worker.ts'
import { t0 } from '../support/queue-fixtures.ts'

const hourMs = 3_600_000
const hostname = 'relay.example.com'
const client = { address: '192.0.2.1', listener: 'exchange', user: null }

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'relay-tracking-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

interface Told {
  readonly at: number
  readonly event: MailEvent
}

/** What happens to one message: it is received, and sent a second later. */
function history(at: number, fields: { from?: string; to?: string; connector?: string } = {}) {
  const { from = 'a@example.com', to = 'b@example.org', connector = '29' } = fields
  const messageId = newMessageId(at)
  const internetMessageId = `<${messageId}@example.com>`
  const received: MailEvent = {
    event: 'accepted',
    messageId,
    internetMessageId,
    networkMessageId: `13fad5b7-39c5-46e7-130e-${String(at).slice(-12).padStart(12, '0')}`,
    from,
    recipients: [{ address: to, connector }],
    forms: null,
    client,
    sizeBytes: 4096,
    tls: null,
    durationMs: 1,
  }
  const sent: MailEvent = {
    event: 'delivered',
    itemId: `${messageId}-1`,
    messageId,
    internetMessageId,
    connector,
    from,
    recipients: [{ address: to, reply: success('0.0', 'Ok') }],
    host: 'smtp.example.org',
    attempts: 1,
    sizeBytes: 4096,
    delayMs: 1000,
  }
  const told: Told[] = [
    { at, event: received },
    { at: at + 1000, event: sent },
  ]
  return { messageId, internetMessageId, told }
}

/** Writes files as the log does: one for each hour. */
async function write(told: readonly Told[]): Promise<void> {
  const byHour = new Map<number, string>()
  for (const { at, event } of told) {
    const hour = hourOf(at)
    const text = byHour.get(hour) ?? fileHead(at)
    byHour.set(hour, text + trackingLines(event, { at, hostname }).join(''))
  }
  for (const [hour, text] of byHour) await writeFile(join(dir, fileName(hour, 1)), text)
}

const search = (filter: TrackingFilter, options: Partial<SearchOptions> = {}): Promise<TrackingPage> =>
  searchTracking({ dir }, filter, { limit: 1000, after: null, ...options })

const found = async (filter: TrackingFilter) =>
  (await search(filter)).events.map(({ event, messageId }) => `${event} ${messageId}`)

describe('a search', () => {
  it('finds the newest first, over all files', async () => {
    const histories = [0, 1, 30, 31].map((hours) => history(t0 + hours * hourMs))
    await write(histories.flatMap(({ told }) => told))
    const { events, next, broken } = await search({})
    expect(events.map(({ at }) => at)).toEqual(
      histories.flatMap(({ told }) => told.map(({ at }) => at)).sort((a, b) => b - a),
    )
    expect({ next, broken }).toEqual({ next: null, broken: 0 })
  })

  it('of a history that does not exist yet finds nothing', async () => {
    expect(await searchTracking({ dir: join(dir, 'none') }, {}, { limit: 10, after: null })).toEqual({
      events: [],
      lines: [],
      next: null,
      broken: 0,
    })
  })

  const one = history(t0 + 123, { from: 'Anna@example.com', to: 'bert@example.net' })
  const null1 = history(t0 + 2000, { from: '', connector: 'other' })
  const late = history(t0 + 2 * hourMs)
  const failed: Told = {
    at: t0 + 5000,
    event: {
      event: 'refused',
      messageId: one.messageId,
      by: 'Cards',
      from: 'Anna@example.com',
      recipients: ['carl@example.net'],
      reply: permanent('1.1', 'No'),
      dsnId: '01JABCDEFGHJKMNPQRSX',
    },
  }
  const dsn: Told = {
    at: t0 + 6000,
    event: {
      event: 'dsn',
      messageId: '01JABCDEFGHJKMNPQRSX',
      about: `${one.messageId}-1`,
      aboutInternetMessageId: one.internetMessageId,
      kind: 'failed',
      to: 'Anna@example.com',
      connector: '29',
    },
  }
  const all = [...one.told, ...null1.told, failed, dsn, ...late.told]
  const ofOne = [`FAIL ${one.messageId}`, `SEND ${one.messageId}`, `RECEIVE ${one.messageId}`]
  const ofDsn = 'DSN 01JABCDEFGHJKMNPQRSX'
  const both = (id: string) => [`SEND ${id}`, `RECEIVE ${id}`]

  it.each<[string, TrackingFilter, string[]]>([
    ['a message id, with what is about it', { ids: [one.messageId] }, [ofDsn, ...ofOne]],
    ['an item id, with what concerns its message', { ids: [`${one.messageId}-1`] }, [ofDsn, ...ofOne]],
    ['another item of the message', { ids: [`${one.messageId}-12`] }, [ofDsn, ofOne[0]!, ofOne[2]!]],
    [
      'several ids',
      { ids: [late.messageId, null1.messageId] },
      [...both(late.messageId), ...both(null1.messageId)],
    ],
    [
      'more ids than can be looked for at once',
      { ids: [...Array.from({ length: 20 }, () => newMessageId(t0)), null1.messageId] },
      both(null1.messageId),
    ],
    [
      'a Message-ID, with what does not say it',
      { internetMessageId: one.internetMessageId },
      [ofDsn, ...ofOne],
    ],
    [
      'a Message-ID, where the message was received before the time',
      { internetMessageId: one.internetMessageId, from: t0 + 4000, event: 'FAIL' },
      [ofOne[0]!],
    ],
    [
      'a Message-ID and an id, both of which must hold',
      { internetMessageId: one.internetMessageId, ids: [late.messageId] },
      [],
    ],
    ['a Message-ID that nothing has', { internetMessageId: '<none@example.com>' }, []],
    [
      'a DSN’s Message-ID',
      { internetMessageId: '<01JABCDEFGHJKMNPQRSX@relay.example.com>' },
      [ofDsn, ...ofOne],
    ],
    [
      "Exchange's id",
      {
        networkMessageId: '13fad5b7-39c5-46e7-130e-'.concat(
          String(t0 + 2000)
            .slice(-12)
            .padStart(12, '0'),
        ),
      },
      both(null1.messageId),
    ],
    ['a sender, whatever the case', { sender: 'anna@example.com' }, ofOne],
    ['a domain of senders', { sender: '@example.com' }, [...both(late.messageId), ...ofOne]],
    ['the null reverse-path', { sender: '' }, [ofDsn, ...both(null1.messageId)]],
    ['a recipient', { recipient: 'bert@example.net' }, both(one.messageId)],
    ['a domain of recipients', { recipient: '@example.net' }, ofOne],
    ['a part of a domain', { recipient: '@ample.net' }, []],
    ['a connector', { connector: 'other' }, [`SEND ${null1.messageId}`]],
    ['a listener', { connector: 'exchange', until: t0 + 1000 }, [`RECEIVE ${one.messageId}`]],
    ['an event', { event: 'FAIL' }, [ofOne[0]!]],
    ['times', { from: t0 + 2000, until: t0 + 3000 }, [`RECEIVE ${null1.messageId}`]],
    [
      'several of these',
      { sender: '@example.com', event: 'SEND', from: t0 + hourMs },
      [`SEND ${late.messageId}`],
    ],
    ['an id of another time', { ids: [newMessageId(t0 + 100 * hourMs)] }, []],
  ])('finds by %s', async (_name, filter, expected) => {
    await write(all)
    expect(await found(filter)).toEqual(expected)
  })
})

describe('pages', () => {
  const many = Array.from({ length: 60 }, (_, i) => history(t0 + i * (hourMs / 10)))
  const expected = many.flatMap(({ told }) => told.map(({ at }) => at)).sort((a, b) => b - a)

  async function pages(filter: TrackingFilter, options: Partial<SearchOptions>) {
    const read: number[][] = []
    let after: string | null = null
    do {
      const page: TrackingPage = await search(filter, { ...options, after })
      read.push(page.events.map(({ at }) => at))
      after = page.next
    } while (after !== null && read.length < 1000)
    return read
  }

  it.each([1, 7, 13, 1000])('of %d events together are everything, once', async (limit) => {
    await write(many.flatMap(({ told }) => told))
    const read = await pages({}, { limit })
    expect(read.flat()).toEqual(expected)
    for (const page of read.slice(0, -1)) expect(page).toHaveLength(Math.min(limit, expected.length))
  })

  it('end early where much was read and little found', async () => {
    await write(many.flatMap(({ told }) => told))
    const read = await pages({ ids: [many[0]!.messageId] }, { limit: 10, mostBytes: 1 })
    expect(read.flat()).toEqual([t0 + 1000, t0])
    // One file at least for each page.
    expect(read.length).toBeLessThanOrEqual(7)
  })

  it('of what is found by a name that few lines say are everything, once', async () => {
    const one = many[7]!
    const network = `13fad5b7-39c5-46e7-130e-${String(t0 + 7 * (hourMs / 10))
      .slice(-12)
      .padStart(12, '0')}`
    await write(many.flatMap(({ told }) => told))
    for (const mostBytes of [1, 64 * 1024 ** 2])
      for (const limit of [1, 1000]) {
        const read = await pages({ networkMessageId: network }, { limit, mostBytes })
        expect(read.flat()).toEqual(one.told.map(({ at }) => at).reverse())
      }
  })

  it('of a name that too many messages have hold the lines that say it', async () => {
    const internetMessageId = '<always@example.com>'
    const told = Array.from({ length: 150 }, (_, i) => history(t0 + i * 10_000).told).flat()
    const alike = told.map(({ at, event }) => ({ at, event: { ...event, internetMessageId } as MailEvent }))
    const others: Told[] = told
      .filter(({ event }) => event.event === 'accepted')
      .map(({ at, event }) => ({
        at: at + 1,
        event: {
          ...{ event: 'limited', messageId: (event as { messageId: string }).messageId },
          ...{ limit: 'per-user', of: 'mailer', over: 'hold' },
        } as MailEvent,
      }))
    await write([...alike, ...others].sort((a, b) => a.at - b.at))
    const read = await pages({ internetMessageId }, { limit: 40 })
    expect(read.flat()).toEqual(alike.map(({ at }) => at).sort((a, b) => b - a))
  })

  it('go on where their file has been removed meanwhile', async () => {
    await write(many.flatMap(({ told }) => told))
    const first = await search({}, { limit: 30 })
    await rm(join(dir, first.next!.replace(/:.*/, '')))
    const second = await search({}, { after: first.next })
    expect(second.events.map(({ at }) => at)).toEqual(
      expected.slice(30).filter((at) => hourOf(at) < hourOf(expected[30]!)),
    )
  })

  it('refuse a cursor that they never gave', async () => {
    const ids = Array.from({ length: 101 }, () => newMessageId(t0)).join('.')
    for (const after of ['../../etc/passwd:1', `${fileName(t0, 1)}:1:no id`, `~${fileName(t0, 1)}:1:${ids}`])
      await expect(search({}, { after })).rejects.toThrow('Not a cursor')
  })
})

describe('files as they may be found', () => {
  it('broken lines are passed over and counted, an unfinished one is waited for', async () => {
    const { told } = history(t0)
    const [received, sent] = told.map(({ at, event }) => trackingLines(event, { at, hostname }).join(''))
    const name = join(dir, fileName(hourOf(t0), 1))
    await writeFile(
      name,
      `${fileHead(t0)}half a line\r\n${received}"\u0000\r\n${sent}${received!.slice(0, -40)}`,
    )
    const page = await search({})
    expect(page.events.map(({ event }) => event)).toEqual(['SEND', 'RECEIVE'])
    expect(page.broken).toBe(2)
  })

  it('a file without a line end costs no more than itself', async () => {
    await writeFile(join(dir, fileName(hourOf(t0), 1)), Buffer.alloc(3 * 1024 ** 2, 'x'))
    expect(await search({})).toEqual({ events: [], lines: [], next: null, broken: 0 })
    expect(await search({}, { mostBytes: 1 })).toEqual({ events: [], lines: [], next: null, broken: 0 })
  })

  it('lines that lie across blocks are whole', async () => {
    const histories = Array.from({ length: 3000 }, (_, i) => history(t0 + i))
    await write(histories.flatMap(({ told }) => told))
    const { length } = await readFile(join(dir, fileName(hourOf(t0), 1)))
    expect(length).toBeGreaterThan(4 * 256 * 1024)
    let count = 0
    let after: string | null = null
    do {
      const page: TrackingPage = await search({}, { after })
      count += page.events.length
      expect(page.broken).toBe(0)
      after = page.next
    } while (after !== null)
    expect(count).toBe(6000)
    for (const { messageId } of histories.filter((_, i) => i % 500 === 7))
      expect(await found({ ids: [messageId] })).toEqual([`SEND ${messageId}`, `RECEIVE ${messageId}`])
  })
})

describe('the thread of a search', () => {
  const thread = () =>
    new TrackingSearch({ dir, program: new URL('./tracking/search-worker.js', builtProgram) })

  it('finds what the search finds', async () => {
    const { told, messageId } = history(t0)
    await write(told)
    expect(await thread().search({ ids: [messageId] }, { limit: 10, after: null })).toEqual(
      await search({ ids: [messageId] }),
    )
  })

  it('says what went wrong', async () => {
    await rm(dir, { recursive: true })
    await writeFile(dir, '')
    const asked = thread().search({}, { limit: 10, after: null })
    await expect(asked).rejects.toThrow(SearchFailed)
    await expect(asked).rejects.toThrow('ENOTDIR')
  })

  it('runs two searches at a time, and no more', async () => {
    await mkdir(dir, { recursive: true })
    const search = thread()
    const asked = [1, 2, 3].map(() => search.search({}, { limit: 10, after: null }))
    const answers = await Promise.allSettled(asked)
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect((await search.search({}, { limit: 10, after: null })).events).toEqual([])
  })
})
