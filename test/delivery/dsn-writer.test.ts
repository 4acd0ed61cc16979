/** Reports made into queued messages, with the original in a real store. What a DSN says is dsn.test.ts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import type { Report } from '../../src/delivery/disposition.ts'
import { DsnWriter, type WrittenDsn } from '../../src/delivery/dsn-writer.ts'
import type { Placement } from '../../src/delivery/reroute.ts'
import { itemId, messageIdPartitionDigit, newMessageId } from '../../src/message-id.ts'
import { type NewMessage, type QueueItem, QueueUnavailable } from '../../src/queue/queue.ts'
import { permanent } from '../../src/reply.ts'
import { FaultyQueue } from '../support/faulty-queue.ts'
import { newItem, sender, t0 } from '../support/queue-fixtures.ts'
import { nowhere, to } from '../support/running-delivery.ts'
import { log } from '../support/scripted-host.ts'
import { TestClock } from '../support/test-clock.ts'

const settings = configSchema.shape.delivery.parse({})
const header = 'Received: from a\r\nSubject: Original\r\nX-Last: field\r\n'
const original = Buffer.from(`${header}\r\nThe text of the original.\r\n`)

let queue: FaultyQueue
let placed: { recipient: string; sizeBytes: number }[]
beforeEach(async () => {
  queue = await FaultyQueue.open()
  placed = []
})
afterEach(() => queue.destroy())

function writer(fields: { place?: Placement; postmaster?: string } = {}): DsnWriter {
  return new DsnWriter({
    queue,
    hostname: 'relay.example.com',
    delivery: { ...settings, postmaster: fields.postmaster ?? null },
    clock: new TestClock(t0 + 1000),
    log,
    place: (recipient, sizeBytes) => {
      placed.push({ recipient, sizeBytes })
      return fields.place ?? to('beta')
    },
  })
}

/** The item of a stored message, and the report of its failure. */
async function failed(
  body: Buffer,
  fields: Partial<Report> & { ret?: 'full' | 'hdrs' } = {},
): Promise<{ item: QueueItem; report: Report }> {
  const message = newItem({ sender: sender('author@example.com', { ret: fields.ret ?? null }) }, { body })
  await queue.put(message, { now: t0 })
  const item = message.items[0]!
  const { id, internetMessageId, receivedAt, expiresAt } = item
  const reply = permanent('1.1', 'No such user')
  const report: Report = {
    kind: 'failed',
    itemId: id,
    sender: item.sender,
    internetMessageId,
    receivedAt,
    expiresAt,
    recipients: [
      { address: 'user@example.org', orcpt: null, fate: 'failed', reply, host: 'mx', lastAttemptAt: t0 },
    ],
    ...fields,
  }
  return { item, report }
}

function messageOf(written: WrittenDsn): NewMessage {
  if (written.message === null) throw new Error('There is no message')
  return written.message
}

function textOf(written: WrittenDsn): string {
  const { body } = messageOf(written)
  if (body.kind !== 'inline') throw new Error('The body is not inline')
  return body.bytes.toString('latin1')
}

describe('the message', () => {
  it('is an item of its own, from nobody to the sender, by the connector that takes it', async () => {
    const { item, report } = await failed(original)
    const written = await writer().write(item, report, original)
    const message = messageOf(written)
    expect(message.items).toMatchObject([
      {
        id: itemId(message.id, 1),
        messageId: message.id,
        connector: 'beta',
        sender: { from: '' },
        recipients: [{ address: 'author@example.com', notify: 'never', state: 'pending' }],
        client: { address: null, listener: null, user: null },
        receivedAt: t0 + 1000,
        expiresAt: t0 + 1000 + settings.expireAfter,
        delayNoticeAt: null,
        nextAttemptAt: t0 + 1000,
        sizeBytes: Buffer.byteLength(textOf(written), 'latin1'),
      },
    ])
    expect(written.event).toEqual({
      event: 'dsn',
      messageId: message.id,
      about: item.id,
      aboutInternetMessageId: item.internetMessageId,
      kind: 'failed',
      to: 'author@example.com',
      connector: 'beta',
    })
  })

  it('is stored in the step that concludes the item it is about', async () => {
    const { item, report } = await failed(original)
    const message = messageOf(await writer().write(item, report, original))
    expect(messageIdPartitionDigit(message.id)).toBe(messageIdPartitionDigit(item.id))
    const connectors = [{ connector: 'alpha', limit: 1 }]
    const { leased } = await queue.claim({ now: t0, leaseMs: 1000, connectors })
    await queue.settle(leased[0]!.lease, { items: [], dsn: message }, { now: t0 })
    const page = await queue.list({}, { now: t0, limit: 10, after: null })
    expect(page.items.map((listed) => listed.item)).toEqual(message.items)
  })

  it('is placed by its own size', async () => {
    const { item, report } = await failed(original)
    const message = messageOf(await writer().write(item, report, original))
    expect(placed).toEqual([{ recipient: 'author@example.com', sizeBytes: message.items[0]!.sizeBytes }])
  })

  it.each([
    [undefined, 'postmaster@relay.example.com'],
    ['help@example.com', 'help@example.com'],
  ])('comes from the postmaster (%s)', async (postmaster, from) => {
    const { item, report } = await failed(original)
    const written = await writer(postmaster === undefined ? {} : { postmaster }).write(item, report, original)
    expect(textOf(written)).toMatch(new RegExp(`^From: .*<${from}>\\r$`, 'm'))
  })

  it('is none where nothing takes it, and the event says why', async () => {
    const { item, report } = await failed(original)
    expect(await writer({ place: nowhere }).write(item, report, original)).toEqual({
      message: null,
      event: {
        event: 'dsn-unroutable',
        about: item.id,
        to: 'author@example.com',
        reply: permanent('4.4', 'No connector takes it'),
      },
    })
  })
})

describe('the original', () => {
  it('comes back as its header, from memory where it is there', async () => {
    const { item, report } = await failed(original)
    const text = textOf(await writer().write(item, report, original))
    expect(text).toContain(header)
    expect(text).not.toContain('The text of the original.')
    expect(queue.calls('body')).toBe(0)
  })

  it('does not come back of a message that required TLS: the report may have to go without', async () => {
    const { item, report } = await failed(original, { ret: 'full' })
    const message = { ...item, requireTls: true }
    for (const body of [original, null]) {
      const written = await writer().write(message, report, body)
      expect(textOf(written)).not.toMatch(/Original|X-Last|text of the original|rfc822-headers/)
      expect(textOf(written)).toContain('Subject: Undeliverable: your message\r\n')
      expect(textOf(written)).toContain(`In-Reply-To: ${item.internetMessageId}\r\n`)
      expect(messageOf(written).items[0]).toMatchObject({ requireTls: false })
    }
    expect(queue.calls('body')).toBe(0)
  })

  it('is read from the store where it is not', async () => {
    const { item, report } = await failed(original)
    expect(textOf(await writer().write(item, report, null))).toContain(header)
  })

  it('comes back whole where the sender asked for it', async () => {
    const long = Buffer.concat([
      original,
      Buffer.from('More of it.\r\n'.repeat(20_000)),
      Buffer.from('The end.\r\n'),
    ])
    const { item, report } = await failed(long, { ret: 'full' })
    const text = textOf(await writer().write(item, report, null))
    expect(text).toContain('The text of the original.')
    expect(text).toContain('The end.')
  })

  it('is read no further than its header needs', async () => {
    const large = Buffer.concat([original, Buffer.alloc(3 * 1024 ** 2, 'Filler text.\r\n')])
    const { item, report } = await failed(large)
    let read = 0
    const body = queue.body.bind(queue)
    queue.body = async function* (messageId) {
      for await (const chunk of body(messageId)) {
        read += chunk.length
        yield chunk
      }
    }
    expect(textOf(await writer().write(item, report, null))).toContain(header)
    expect(read).toBeLessThan(512 * 1024)
  })

  it('that has no body comes back as far as it goes', async () => {
    const { item, report } = await failed(Buffer.from(header))
    expect(textOf(await writer().write(item, report, null))).toContain(header)
  })

  it('that is gone is left out', async () => {
    const { item, report } = await failed(original)
    const other = { ...item, messageId: newMessageId(t0) }
    expect(textOf(await writer().write(other, report, null))).not.toContain('X-Last')
  })

  it('that cannot be read now is left out: the outcome it reports on must be stored', async () => {
    const { item, report } = await failed(original)
    queue.fail('body', new QueueUnavailable('Redis is away'))
    const text = textOf(await writer().write(item, report, null))
    expect(text).toContain('No such user')
    expect(text).not.toContain('X-Last')
  })
})
