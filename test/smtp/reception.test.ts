/** Reception on a real store and a real delivery: what the client is told, what is kept, and what leaves. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { policySchema } from '../../src/config/policy-schema.ts'
import { type Config, configSchema, listenerSchema } from '../../src/config/schema.ts'
import { DsnWriter } from '../../src/delivery/dsn-writer.ts'
import type { EnvelopeSender } from '../../src/envelope.ts'
import { inspect } from '../../src/message/content/mime.ts'
import { SubmissionLimits } from '../../src/policy/limits.ts'
import { PolicyMail } from '../../src/policy/policy-mail.ts'
import { compileRules } from '../../src/policy/rules/evaluate.ts'
import { DkimSigner } from '../../src/policy/signing.ts'
import { PolicyStation } from '../../src/policy/station.ts'
import { QueueFull, type QueueItem, QueueUnavailable } from '../../src/queue/queue.ts'
import { formatReply } from '../../src/reply.ts'
import { buildRoutes, type Routes } from '../../src/route/route.ts'
import { MemoryBudget } from '../../src/smtp/body-writer.ts'
import { ContentCutOff } from '../../src/smtp/content.ts'
import { MessageReception } from '../../src/smtp/reception.ts'
import type { Session, Transaction } from '../../src/smtp/transaction.ts'
import { closedPort } from '../support/closed-port.ts'
import type { Limits } from '../support/faulty-queue.ts'
import { t0 } from '../support/queue-fixtures.ts'
import { alpha, nowhere, to as placedAt, RunningDelivery } from '../support/running-delivery.ts'
import { inClear, recipient, sender } from '../support/scripted-host.ts'

const KB = 1024
const limits = listenerSchema.parse({ name: 'test', port: 0, maxMessageSize: '2MB' })
const settings = configSchema.shape.delivery.parse({})
const queued = /^250 2\.6\.0 Queued as ([0-9A-Z]{20})$/
const later = '451 4.3.0 Temporary local problem, please try again later'

let port: number
let running: RunningDelivery
let budget: MemoryBudget
let reception: MessageReception
let routes: Routes

/** Connector `alpha` takes *.example.org, `beta` example.net; a.sender@example.com is bound to gamma. */
async function receive(
  routing: Partial<Config['routing']> = {},
  rules: readonly Record<string, unknown>[] = [],
  storeLimits: Limits = {},
): Promise<void> {
  const connectors = [
    alpha({ port }, { addressSpaces: ['*.example.org'], maxSendSize: 1024 * KB }),
    alpha({ port }, { id: 'beta', addressSpaces: ['example.net'], maxSendSize: 300 * KB }),
  ]
  running = await RunningDelivery.prepare({ connectors, limits: storeLimits })
  budget = new MemoryBudget(1024 * KB)
  const settled: Config['routing'] = { senderIdentity: 'envelope', unroutable: 'reject', ...routing }
  routes = buildRoutes({
    connectors: [...connectors, { ...connectors[1]!, id: 'gamma', addressSpaces: [] }],
    senders: [{ address: 'a.sender@example.com', connector: 'gamma' }],
    routing: settled,
  })
  reception = new MessageReception({
    hostname: 'relay.example.com',
    routing: settled,
    delivery: settings,
    leaseMs: 60_000,
    routes: () => routes,
    deliver: running.delivery,
    memory: budget,
    ...policyOf(rules),
    ...surroundings(),
  })
}

const surroundings = () => ({
  queue: running.queue,
  clock: running.clock,
  log: running.log,
  record: running.events.record,
})

/** Whoever writes from example.com is told by connector `alpha`, nobody else is. */
const place = (recipient: string) => (recipient.endsWith('@example.com') ? placedAt('alpha') : nowhere)

function policyOf(rules: readonly Record<string, unknown>[]): {
  policy: PolicyStation
  policyMail: PolicyMail
} {
  const policy = policySchema.parse({
    rules: rules.map((rule, index) => ({ name: `rule ${index}`, ...rule })),
  })
  const compiled = compileRules(policy)
  const mail = { hostname: 'relay.example.com', delivery: settings, place }
  return {
    policy: new PolicyStation({
      ...surroundings(),
      rules: () => compiled,
      limits: new SubmissionLimits({ limits: [], ...surroundings() }),
      checkers: [],
      signer: new DkimSigner([]),
      inspector: { inspect, close: async () => undefined },
    }),
    policyMail: new PolicyMail({ ...mail, dsnWriter: new DsnWriter({ ...mail, ...surroundings() }) }),
  }
}

const session: Session = {
  id: 's1',
  client: { address: '192.0.2.7', listener: 'exchange', user: 'exchange' },
  helo: 'mail.example.com',
  senders: 'all',
  protocol: 'ESMTPSA',
  tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
}

function transaction(
  to: readonly string[],
  fields: { from?: string; sender?: Partial<EnvelopeSender>; declaredSizeBytes?: number } = {},
): Transaction {
  return {
    session,
    sender: sender(fields.from ?? 'newsletter@example.com', fields.sender),
    declaredSizeBytes: fields.declaredSizeBytes ?? null,
    recipients: to.map((address) => recipient(address)),
  }
}

const header = 'From: Newsletter <newsletter@example.com>\r\nMessage-ID: <1@example.com>\r\n'
const small = `${header}Subject: Hello\r\n\r\nHello\r\n`
const large = (size: number): string => `${header}\r\n${`${'x'.repeat(98)}\r\n`.repeat(size / 100)}`

/** The content in pieces, and whether the reader asked for all of them. */
class Source implements AsyncIterable<Buffer> {
  taken = 0
  readonly #pieces: readonly Buffer[]
  readonly #error: Error | null

  constructor(text: string, options: { pieceBytes?: number; error?: Error } = {}) {
    const { pieceBytes = 16 * KB, error = null } = options
    const bytes = Buffer.from(text, 'latin1')
    const count = Math.ceil(bytes.length / pieceBytes)
    this.#pieces = Array.from({ length: count }, (_, n) =>
      bytes.subarray(n * pieceBytes, (n + 1) * pieceBytes),
    )
    this.#error = error
  }

  get length(): number {
    return this.#pieces.length
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    for (const piece of this.#pieces) {
      this.taken++
      yield piece
    }
    if (this.#error !== null) throw this.#error
  }
}

async function submit(
  to: readonly string[],
  options: Parameters<typeof transaction>[1] & { content?: string | Source } = {},
): Promise<string> {
  const { content = small, ...fields } = options
  const source = typeof content === 'string' ? new Source(content) : content
  return formatReply(await reception.message(transaction(to, fields), source, limits))
}

async function stored(item: QueueItem): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of running.queue.body(item.messageId)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

beforeEach(async () => {
  port = await closedPort()
  await receive()
})
/** Whatever became of a message, its memory is given back. */
afterEach(() => expect(budget.usedBytes).toBe(0))

describe('a transaction during which the routes change', () => {
  it('is decided at DATA by the new ones', async () => {
    const under = transaction(['x@example.org'])
    expect(await reception.recipient(under, recipient('x@example.org'))).toBeNull()
    const beta = { ...alpha({ port }), id: 'beta', addressSpaces: ['*.example.org'] }
    routes = buildRoutes({ connectors: [beta], senders: [], routing: { unroutable: 'reject' } })
    expect(formatReply(await reception.message(under, new Source(small), limits))).toMatch(queued)
    expect(await running.items()).toMatchObject([{ connector: 'beta' }])
  })

  it('is refused where nothing takes its recipients any more', async () => {
    routes = buildRoutes({ connectors: [], senders: [], routing: { unroutable: 'reject' } })
    expect(await submit(['x@example.org'])).toMatch(/^550 5\.4\.4 /)
    expect(await running.items()).toEqual([])
  })
})

describe('a message that is accepted', () => {
  it('is kept as one item, its bytes behind our trace field', async () => {
    const reply = await submit(['x@example.org', 'y@example.org'])
    const [item, ...others] = await running.items()
    expect(others).toEqual([])
    expect(item).toMatchObject({
      messageId: queued.exec(reply)![1],
      connector: 'alpha',
      client: session.client,
      internetMessageId: '<1@example.com>',
      eightBit: false,
      receivedAt: t0,
      expiresAt: t0 + settings.expireAfter,
      delayNoticeAt: t0 + settings.delayNoticeAfter,
      attempts: 0,
      nextAttemptAt: t0,
      suspended: null,
      lastError: null,
    })
    expect(item!.recipients.map(({ address, state }) => [address, state])).toEqual([
      ['x@example.org', 'pending'],
      ['y@example.org', 'pending'],
    ])
    const bytes = await stored(item!)
    expect(bytes).toMatch(/^Received: from mail\.example\.com .*192\.0\.2\.7/)
    expect(bytes.endsWith(small)).toBe(true)
    expect(item!.sizeBytes).toBe(bytes.length)
  })

  it('is recorded with the connector of each recipient', async () => {
    await submit(['x@example.org', 'y@example.net'])
    expect(running.events.all).toMatchObject([
      {
        event: 'accepted',
        from: 'newsletter@example.com',
        recipients: [
          { address: 'x@example.org', connector: 'alpha' },
          { address: 'y@example.net', connector: 'beta' },
        ],
        tls: session.tls,
      },
    ])
  })

  it('for two connectors is two items over one body', async () => {
    await submit(['x@example.org', 'y@example.net', 'z@example.org'])
    const items = await running.items()
    expect(
      items.map(({ connector, recipients }) => [connector, recipients.map(({ address }) => address)]),
    ).toEqual([
      ['alpha', ['x@example.org', 'z@example.org']],
      ['beta', ['y@example.net']],
    ])
    expect(new Set(items.map(({ messageId }) => messageId)).size).toBe(1)
    expect(await stored(items[0]!)).toBe(await stored(items[1]!))
  })

  it('is large and streams to the store, byte for byte', async () => {
    const content = large(900 * KB)
    expect(await submit(['x@example.org'], { content })).toMatch(queued)
    const [item] = await running.items()
    const bytes = await stored(item!)
    expect(bytes.slice(bytes.indexOf('\r\nFrom: ') + 2)).toBe(content)
  })

  it('goes to the store where no memory is left, and is the same', async () => {
    expect(budget.take(1024 * KB - 100)).toBe(true)
    expect(await submit(['x@example.org'])).toMatch(queued)
    budget.give(1024 * KB - 100)
    const [item] = await running.items()
    expect((await stored(item!)).endsWith(small)).toBe(true)
  })

  it('from the null reverse-path gets no delay notice', async () => {
    await submit(['x@example.org'], { from: '' })
    expect(await running.items()).toMatchObject([{ delayNoticeAt: null, sender: { from: '' } }])
  })

  it('leaves at once, from memory', async () => {
    const host = await inClear()
    port = host.port
    await receive()
    running.delivery.start()
    const reply = await submit(['x@example.org', 'y@example.net'])
    const delivered = await running.events.until('delivered', 2)
    expect(delivered.map(({ connector }) => connector).sort()).toEqual(['alpha', 'beta'])
    expect(host.messages[0]!.data.toString('latin1')).toContain(`id ${queued.exec(reply)![1]}`)
    expect(running.queue.calls('body')).toBe(0)
    expect(running.delivery.heldBytes).toBe(0)
  })

  it('and is large leaves at once, from the store', async () => {
    const host = await inClear()
    port = host.port
    await receive()
    running.delivery.start()
    const content = large(900 * KB)
    await submit(['x@example.org'], { content })
    await running.events.until('delivered')
    expect(host.messages[0]!.data.toString('latin1').endsWith(content)).toBe(true)
    expect(await running.items()).toEqual([])
  })

  it('gives back what delivery reserved for it where the store gives it no lease', async () => {
    await receive()
    const { queue, delivery } = running
    const put = queue.put.bind(queue)
    // A put that was asked again after its answer was lost: another node has its item by then.
    queue.put = async (message, options) => {
      await put(message, { now: options.now })
      return []
    }
    for (let i = 0; i < 40; i++)
      expect(await submit(['x@example.org'], { content: large(200 * KB) })).toMatch(queued)
    expect(delivery.reserve('beta', settings.memory - 4096)).toBe(true)
    expect(await running.items()).toHaveLength(40)
  })
})

describe('a recipient', () => {
  const asked = (to: string, options: Parameters<typeof transaction>[1] = {}): string | null => {
    const reply = reception.recipient(transaction([], options), recipient(to))
    if (reply instanceof Promise) throw new Error('Nobody outside has to be asked')
    return reply && formatReply(reply)
  }

  it('is refused where it is named, if no connector takes it', () => {
    expect(asked('x@example.org')).toBeNull()
    expect(asked('x@example.edu')).toBe('550 5.4.4 No connector takes mail for example.edu')
  })

  it('is refused where the size announced is too large for its connector', () => {
    expect(asked('x@example.net', { declaredSizeBytes: 300 * KB })).toBeNull()
    expect(asked('x@example.net', { declaredSizeBytes: 300 * KB + 1 })).toMatch(/^552 5\.3\.4 /)
  })

  it('is accepted by what its sender is bound to', () => {
    expect(asked('x@example.edu', { from: 'a.sender@example.com' })).toBeNull()
  })

  it('is not judged by an envelope that does not count', async () => {
    await receive({ senderIdentity: 'header' })
    expect(asked('x@example.edu', { from: 'nobody@example.com' })).toBeNull()
  })

  it('without a way is kept as unreachable where the configuration says so, and waits there', async () => {
    await receive({ unroutable: 'hold' })
    expect(asked('x@example.edu')).toBeNull()
    expect(await submit(['x@example.edu', 'y@example.org'])).toMatch(queued)
    const [unreachable, other] = await running.items()
    expect(unreachable).toMatchObject({
      connector: 'unreachable',
      nextAttemptAt: t0 + settings.expireAfter,
      lastError: 'no connector takes the recipient',
    })
    expect(other).toMatchObject({ connector: 'alpha', nextAttemptAt: t0, lastError: null })
  })
})

describe('whose binding counts', () => {
  const bound = `From: A <a.sender@example.com>\r\n\r\nHello\r\n`
  const rows: [Config['routing']['senderIdentity'], string, string, string][] = [
    ['envelope', 'a.sender@example.com', small, 'gamma'],
    ['envelope', 'newsletter@example.com', bound, 'alpha'],
    ['header', 'newsletter@example.com', bound, 'gamma'],
    ['header', 'a.sender@example.com', small, 'alpha'],
    ['headerOrEnvelope', 'newsletter@example.com', bound, 'gamma'],
    ['headerOrEnvelope', 'a.sender@example.com', small, 'alpha'],
    ['headerOrEnvelope', 'a.sender@example.com', 'Subject: Hello\r\n\r\nHello\r\n', 'gamma'],
    ['headerOrEnvelope', '', bound, 'gamma'],
    ['envelope', '', bound, 'alpha'],
  ]
  it.each(rows)('%s: from %j, %#', async (senderIdentity, from, content, connector) => {
    await receive({ senderIdentity })
    expect(await submit(['x@example.org'], { from, content })).toMatch(queued)
    expect((await running.items()).map((item) => item.connector)).toEqual([connector])
  })

  it('is asked again at DATA: who has no way then is refused with the reply that names it', async () => {
    await receive({ senderIdentity: 'header' })
    expect(await submit(['x@example.org', 'y@example.edu'])).toBe(
      '550 5.4.4 No connector takes mail for example.edu',
    )
    expect(await running.items()).toEqual([])
  })
})

describe('a message that is refused', () => {
  /** Nothing is in the store, and there is room for all that fits into it. */
  async function nothingIsLeft(): Promise<void> {
    const { items } = await running.queue.totals({ now: t0 })
    expect(items).toBe(0)
    expect(running.delivery.heldBytes).toBe(0)
    expect(running.delivery.reserve('beta', settings.memory - 4096)).toBe(true)
  }

  it('because it turned out too large for its connector gets 552, though it announced no size', async () => {
    const content = large(400 * KB)
    expect(await submit(['y@example.net'], { content })).toMatch(/^552 5\.3\.4 /)
    expect(await submit(['x@example.org', 'y@example.net'], { content })).toMatch(/^552 5\.3\.4 /)
    expect(running.events.of('rejected')).toHaveLength(2)
    await nothingIsLeft()
    expect(await submit(['x@example.org'], { content })).toMatch(queued)
  })

  it('while it streams is read no further, and recorded', async () => {
    const source = new Source(`${small}\n${large(500 * KB)}`)
    expect(await submit(['x@example.org'], { content: source })).toMatch(/^550 5\.6\.11 /)
    expect(source.taken).toBe(1)
    expect(source.length).toBeGreaterThan(10)
    expect(running.events.all).toMatchObject([
      {
        ...{ event: 'rejected', command: 'DATA', from: 'newsletter@example.com', to: 'x@example.org' },
        message: {
          ...{ recipients: ['x@example.org'], sizeBytes: null, internetMessageId: null, by: 'reception' },
          messageId: expect.stringMatching(/^[0-9A-Z]{20}$/),
        },
      },
    ])
    await nothingIsLeft()
  })

  it('after it went to the store in part leaves nothing there', async () => {
    expect(await submit(['x@example.org'], { content: `${large(900 * KB)}\n` })).toMatch(/^550 5\.6\.11 /)
    await nothingIsLeft()
  })

  const failures = [
    ['put', new QueueFull('full'), '452 4.3.1 Insufficient system storage, please try again later'],
    ['put', new QueueUnavailable('Redis is away'), later],
    ['put', new Error('secret detail'), later],
    ['append', new QueueFull('full'), '452 4.3.1 Insufficient system storage, please try again later'],
    ['append', new QueueUnavailable('Redis is away'), later],
    ['stage', new QueueUnavailable('Redis is away'), later],
  ] as const
  it.each(failures)('because %s fails with %s gets %s', async (call, error, reply) => {
    running.queue.fail(call, error)
    expect(await submit(['x@example.org'], { content: large((call === 'put' ? 10 : 900) * KB) })).toBe(reply)
    expect(running.logged.join('')).toContain(error.message)
    expect(running.events.of('rejected')).toHaveLength(1)
    running.queue.heal()
    await nothingIsLeft()
  })
})

describe('what policy makes of a message', () => {
  const external = { recipientDomainIs: ['example.net'] }
  const mark = { setHeaders: [{ name: 'X-Mark', value: 'external' }] }
  const marking = { conditions: external, actions: mark }
  const sentTo = (item: QueueItem): string => item.recipients.map(({ address }) => address).join(' ')
  const both = ['x@example.org', 'y@example.net']
  const marked = (content: string): string => content.replace('\r\n\r\n', '\r\nX-Mark: external\r\n\r\n')

  /** By connector: ids of one millisecond are in no order. */
  const sorted = async (): Promise<QueueItem[]> =>
    (await running.items()).sort((a, b) => a.connector.localeCompare(b.connector))

  it.each([
    ['in memory', small, 0],
    ['in memory, just so', large(250 * KB), 0],
    ['in two stages', large(290 * KB), 2],
  ])('is kept as messages of their own, each behind its own trace field: %s', async (_, content, stages) => {
    await receive({}, [marking])
    const id = queued.exec(await submit(both, { content }))![1]!
    const items = await sorted()
    expect(items.map((item) => [item.connector, sentTo(item)])).toEqual([
      ['alpha', 'x@example.org'],
      ['beta', 'y@example.net'],
    ])
    expect(running.queue.calls('stage')).toBe(stages)
    const texts = await Promise.all(items.map(stored))
    // The client is told the id of the form that is its own.
    expect(items[0]!.messageId).toBe(id)
    for (const [index, text] of texts.entries()) {
      const { messageId, sizeBytes } = items[index]!
      expect(text).toMatch(new RegExp(`^Received: from (?:.*\r\n[ \t])*.*id ${messageId}`))
      expect(text.length).toBe(sizeBytes)
    }
    expect(texts[0]!.endsWith(`\r\n${content}`)).toBe(true)
    expect(texts[1]!.endsWith(`\r\n${marked(content)}`)).toBe(true)
    expect(running.events.of('accepted')).toMatchObject([
      { messageId: id, forms: items.map((item) => item.messageId) },
    ])
  })

  it('of all of it alike is one message under the id that the client is told, staged anew', async () => {
    await receive({}, [{ actions: mark }])
    const content = large(900 * KB)
    const id = queued.exec(await submit(['x@example.org'], { content }))![1]!
    const [item, ...others] = await running.items()
    expect(others).toEqual([])
    expect(item!.messageId).toBe(id)
    // As it was received, and as it is kept, both under one id.
    expect(running.queue.calls('stage')).toBe(2)
    expect((await stored(item!)).endsWith(`\r\n${marked(content)}`)).toBe(true)
    expect(running.events.of('accepted')).toMatchObject([{ forms: null }])
  })

  it('leaves at once, each form from memory', async () => {
    const host = await inClear()
    port = host.port
    await receive({}, [marking])
    running.delivery.start()
    await submit(both)
    await running.events.until('delivered', 2)
    const texts = host.messages.map(({ data }) => data.toString('latin1'))
    expect(texts.filter((text) => text.includes('X-Mark: external'))).toHaveLength(1)
    expect(texts).toHaveLength(2)
    expect(running.queue.calls('body')).toBe(0)
    expect(running.delivery.heldBytes).toBe(0)
  })

  it('is kept whole or not at all: forms, report and notices', async () => {
    const rules = [
      marking,
      {
        conditions: { recipientIs: ['z@example.org'] },
        actions: { reject: {}, notify: { to: ['watch@example.com'] } },
      },
    ]
    await receive({}, rules)
    for (const content of [small, large(290 * KB)]) {
      running.queue.fail('put', new QueueFull('full'))
      expect(await submit([...both, 'z@example.org'], { content })).toMatch(/^452 4\.3\.1 /)
      running.queue.heal()
      expect(await running.items()).toEqual([])
      expect(running.delivery.heldBytes).toBe(0)
      expect(running.delivery.reserve('beta', settings.memory - 4096)).toBe(true)
      running.delivery.unreserve(settings.memory - 4096)
    }
    expect(running.events.all.map(({ event }) => event).filter((event) => event !== 'rule')).toEqual([
      'rejected',
      'rejected',
    ])
    expect(await submit([...both, 'z@example.org'])).toMatch(queued)
    const items = await running.items()
    expect(items.map(sentTo).sort()).toEqual(['newsletter@example.com', 'watch@example.com', ...both].sort())
    expect(running.events.all.map(({ event }) => event).slice(-6)).toEqual([
      'accepted',
      'rule',
      'rule',
      'refused',
      'dsn',
      'notice',
    ])
  })

  it('is not kept where the store has room for a part of it only, as the client is told', async () => {
    const rules = [marking, { actions: { notify: { to: ['watch@example.com'] } } }]
    await receive({}, rules, { maxItems: 2 })
    for (let i = 0; i < 3; i++) {
      expect(await submit(both, { content: i === 0 ? small : large(290 * KB) })).toMatch(/^452 4\.3\.1 /)
      expect(await running.items()).toEqual([])
    }
    expect(running.delivery.heldBytes).toBe(0)
    // One form and the notice.
    expect(await submit(['x@example.org'])).toMatch(queued)
    expect(await running.items()).toHaveLength(2)
  })

  it('leaves nothing in the store but what is kept: not as it was received, not where it is refused', async () => {
    const rules = [
      { actions: mark },
      { conditions: { subjectContainsWords: ['lost'] }, actions: { routeThrough: 'gone' } },
    ]
    const room = { maxBytes: 2700 * KB }
    await receive({}, rules, room)
    const content = large(900 * KB - 1000)
    for (let i = 0; i < 5; i++)
      expect(await submit(['x@example.org'], { content: `Subject: lost\r\n${content}` })).toMatch(
        /^451 4\.3\.5 /,
      )
    // As it was received, and as it is kept: the second finds room for both beside the first, the third does not.
    for (let i = 0; i < 2; i++) expect(await submit(['x@example.org'], { content })).toMatch(queued)
    for (let i = 0; i < 2; i++) expect(await submit(['x@example.org'], { content })).toMatch(/^452 4\.3\.1 /)
    expect(await submit(['x@example.org'])).toMatch(queued)
    expect(await running.items()).toHaveLength(3)
  })

  it.each(['append', 'read', 'stage'] as const)(
    'is refused for now where %s fails, and leaves nothing behind',
    async (call) => {
      await receive({}, [{ actions: mark }])
      running.queue.fail(call, new QueueUnavailable('Redis is away'))
      expect(await submit(['x@example.org'], { content: large(900 * KB) })).toBe(later)
      running.queue.heal()
      expect(await running.items()).toEqual([])
      expect(await submit(['x@example.org'], { content: large(900 * KB) })).toMatch(queued)
    },
  )

  it('is nothing where all are dropped: accepted, kept nowhere, and recorded', async () => {
    await receive({}, [{ actions: { drop: true } }])
    expect(await submit(both)).toMatch(queued)
    expect(await running.items()).toEqual([])
    expect(running.events.all).toMatchObject([
      { event: 'accepted', recipients: [], forms: null },
      { event: 'rule' },
      { event: 'dropped', by: 'rule 0', recipients: both, from: 'newsletter@example.com' },
    ])
    expect(running.queue.calls('put')).toBe(0)
  })

  it('is not recorded as dropped where the message is not accepted', async () => {
    await receive({}, [{ conditions: external, actions: { drop: true } }])
    running.queue.fail('put', new QueueFull('full'))
    await submit(both)
    expect(running.events.of('dropped')).toEqual([])
  })

  it('and refuses is told to whom a rule names, and to the client', async () => {
    await receive({}, [{ actions: { reject: {}, notify: { to: ['watch@example.com'] } } }])
    expect(await submit(both)).toBe('550 5.7.1 Delivery not authorized, message refused')
    expect((await running.items()).map(sentTo)).toEqual(['watch@example.com'])
    expect(running.events.all.map(({ event }) => event)).toEqual(['rule', 'notice', 'rejected'])
    const [rule] = running.events.of('rule')
    const [rejected] = running.events.of('rejected')
    expect(rejected!.message).toEqual({
      messageId: rule!.messageId,
      internetMessageId: expect.stringMatching(/^<.*>$/),
      networkMessageId: null,
      recipients: both,
      sizeBytes: expect.any(Number),
      by: 'policy',
    })
  })

  it('and holds waits for an operator, and is recorded so', async () => {
    await receive({}, [{ conditions: external, actions: { hold: 'Look at it' } }])
    await submit(both)
    const [free, held] = await sorted()
    expect([free!.suspended, held!.suspended]).toEqual([null, 'Look at it'])
    expect(running.events.of('suspended')).toMatchObject([
      { itemId: held!.id, connector: 'beta', reason: 'Look at it', recipients: ['y@example.net'] },
    ])
    expect(running.events.all.map(({ event }) => event).slice(0, 3)).toEqual([
      'accepted',
      'rule',
      'suspended',
    ])
  })

  it('needs 8BITMIME where it does, whatever the form beside it needs', async () => {
    await receive({}, [
      { conditions: external, actions: { setHeaders: [{ name: 'Subject', value: 'none' }] } },
    ])
    await submit(both, { content: `${header}Subject: Gr\u00fc\u00dfe\r\n\r\nHello\r\n` })
    expect((await sorted()).map(({ eightBit }) => eightBit)).toEqual([true, false])
  })

  it('with a recipient that has no way is tried again, as the mistake is ours; nothing is kept of the rest', async () => {
    await receive({}, [{ actions: { addBcc: ['archive@example.edu'] } }])
    expect(await submit(both)).toBe('451 4.3.5 No connector takes a recipient that policy added')
    expect(await running.items()).toEqual([])
  })
})

describe('a client that goes away during DATA', () => {
  it.each([
    ['early', 10],
    ['late', 900 * KB],
  ])('leaves nothing behind: %s', async (_when, size) => {
    const content = new Source(large(size), { error: new ContentCutOff('closed') })
    await submit(['x@example.org'], { content })
    expect(await running.items()).toEqual([])
    expect(running.delivery.reserve('alpha', settings.memory - 4096)).toBe(true)
  })

  it('is no fault of ours, and was told nothing', async () => {
    await submit(['x@example.org'], { content: new Source(small, { error: new ContentCutOff('closed') }) })
    expect(running.events.all).toEqual([])
    const lines = running.logged.map((line) => JSON.parse(line) as { level: number; msg: string })
    expect(lines).toMatchObject([{ level: 30, msg: 'the client went away during DATA' }])
  })
})
