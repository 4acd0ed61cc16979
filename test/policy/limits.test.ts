/** Limits on what is submitted, counted in real stores. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Limit, limitSchema } from '../../src/config/policy-schema.ts'
import { type LimitReached, SubmissionLimits } from '../../src/policy/limits.ts'
import { openEmbeddedQueue } from '../../src/queue/embedded/embedded.ts'
import { type Queue, QueueUnavailable, type Spending } from '../../src/queue/queue.ts'
import { formatReply } from '../../src/reply.ts'
import { FaultyQueue } from '../support/faulty-queue.ts'
import { t0 } from '../support/queue-fixtures.ts'
import { type RedisServer, redisAvailable, startRedis } from '../support/redis.ts'
import { openQueue } from '../support/redis-queue.ts'
import { TestClock } from '../support/test-clock.ts'

type Message = Parameters<SubmissionLimits['check']>[0]

const message = (change: Partial<Message> = {}): Message => ({
  sender: 'a@example.com',
  address: '192.0.2.1',
  user: 'app',
  listener: 'exchange',
  recipients: 1,
  sizeBytes: 1000,
  ...change,
})

const parse = (limits: readonly object[]): Limit[] => limits.map((limit) => limitSchema.parse(limit))

/** `limit/whose/over`, or `pass`. */
const told = (answer: LimitReached | null): string =>
  answer === null ? 'pass' : `${answer.limit}/${answer.of}/${answer.over}`

describe('with a store', () => {
  let queue: FaultyQueue
  let clock: TestClock
  beforeEach(async () => {
    queue = await FaultyQueue.open()
    clock = new TestClock()
  })
  afterEach(() => queue.destroy())

  const limitsOf = (...limits: object[]) => new SubmissionLimits({ limits: parse(limits), queue, clock })
  const checks = async (limits: SubmissionLimits, messages: readonly Partial<Message>[]) => {
    const answers: string[] = []
    for (const change of messages) answers.push(told(await limits.check(message(change))))
    return answers
  }

  it('asks nothing of it where no limits are configured', async () => {
    const limits = limitsOf()
    expect(limits.empty).toBe(true)
    expect(await limits.check(message())).toBeNull()
    expect(limits.sizeRefusal(message())).toBeNull()
    expect(queue.calls('spend')).toBe(0)
  })

  it('counts each sender for itself, however its address is written', async () => {
    const limits = limitsOf({ name: 's', per: 'sender', messagesPerHour: 2 })
    const senders = ['a@example.com', 'A@example.com', 'b@example.com', '"a"@example.com', 'b@example.com']
    expect(
      await checks(
        limits,
        senders.map((sender) => ({ sender })),
      ),
    ).toEqual(['pass', 'pass', 'pass', 's/a@example.com/defer', 'pass'])
  })

  it('says when there is room again, and then there is', async () => {
    const limits = limitsOf({ name: 's', per: 'sender', messagesPerMinute: 1 })
    await limits.check(message())
    const answer = await limits.check(message())
    expect(answer).toMatchObject({
      limit: 's',
      of: 'a@example.com',
      over: 'defer',
      key: 'limit:s:a@example.com',
    })
    const at = /at (\S+)$/.exec(answer!.reply.text)![1]!
    expect(formatReply(answer!.reply)).toMatch(/^451 4\.7\.28 .* may submit 1 message per minute; /)
    clock.advance(Date.parse(at) - 2000 - clock.now())
    expect(await limits.check(message())).not.toBeNull()
    clock.advance(2000)
    expect(await limits.check(message())).toBeNull()
  })

  it('counts recipients and bytes as well as messages, in all windows or in none', async () => {
    const limits = limitsOf({
      ...{ name: 'c', per: 'client', over: 'reject' },
      ...{ messagesPerMinute: 3, recipientsPerHour: 10, bytesPerDay: 10_000 },
    })
    const answers = await checks(limits, [
      { recipients: 8 },
      { recipients: 3 },
      { sizeBytes: 9001 },
      { recipients: 2, sizeBytes: 8999 },
      { recipients: 1 },
    ])
    const full = 'c/192.0.2.1/reject'
    expect(answers).toEqual(['pass', full, full, 'pass', full])
    expect(await queue.counted('limit:', { now: clock.now(), limit: 9 })).toMatchObject([
      { limit: 'recipientsPerHour', amount: 10, most: 10 },
      { limit: 'bytesPerDay', amount: 9999 },
      { limit: 'messagesPerMinute', amount: 2 },
    ])
  })

  it('refuses for good what no wait makes room for, and counts nothing of it', async () => {
    const limits = limitsOf({ name: 'c', per: 'client', recipientsPerDay: 100 })
    const answer = await limits.check(message({ recipients: 101 }))
    expect(formatReply(answer!.reply)).toMatch(/^550 5\.7\.28 .* the message has 101 recipients$/)
    expect(answer!.over).toBe('reject')
    expect(queue.calls('spend')).toBe(0)
    expect(await limits.check(message({ recipients: 100 }))).toBeNull()
  })

  it('holds it where that is what the limit does', async () => {
    const limits = limitsOf({ name: 'c', per: 'client', recipientsPerDay: 100, over: 'hold' })
    expect(told(await limits.check(message({ recipients: 101 })))).toBe('c/192.0.2.1/hold')
  })

  it('refuses where any limit does, and holds only where none does', async () => {
    const limits = limitsOf(
      { name: 'held', per: 'sender', messagesPerHour: 1, over: 'hold' },
      { name: 'refused', per: 'client', messagesPerHour: 2, over: 'reject' },
    )
    expect(await checks(limits, [{}, {}, {}])).toEqual([
      'pass',
      'held/a@example.com/hold',
      'refused/192.0.2.1/reject',
    ])
  })

  it('lets a sender that goes on too fast use up nothing of its client', async () => {
    const limits = limitsOf(
      { name: 'all', per: 'client', messagesPerDay: 5 },
      { name: 'each', per: 'sender', messagesPerHour: 2 },
    )
    for (let n = 0; n < 20; n++) await limits.check(message({ sizeBytes: 1000 - n }))
    expect(await checks(limits, [{ sender: 'b@example.com' }, { sender: 'c@example.com' }])).toEqual([
      'pass',
      'pass',
    ])
    expect(queue.calls('spend')).toBe(2 + 2 + 1 + 2 + 2)
  })

  it('lets a full client use up nothing of its senders', async () => {
    const limits = limitsOf(
      { name: 'all', per: 'client', messagesPerMinute: 1 },
      { name: 'each', per: 'sender', messagesPerDay: 3 },
    )
    for (let n = 0; n < 20; n++) await limits.check(message())
    clock.advance(120_000)
    expect(await limits.check(message())).toBeNull()
    const [count] = await queue.counted('limit:each:', { now: clock.now(), limit: 1 })
    // The second one was counted before the client was known to be full.
    expect(count).toMatchObject({ amount: 3 })
  })

  it('lets smaller messages through where a larger one has no room', async () => {
    const limits = limitsOf({ name: 'c', per: 'client', recipientsPerHour: 10 })
    expect(
      await checks(limits, [{ recipients: 5 }, { recipients: 6 }, { recipients: 5 }, { recipients: 1 }]),
    ).toEqual(['pass', 'c/192.0.2.1/defer', 'pass', 'c/192.0.2.1/defer'])
  })

  it('lets the non-delivery reports of a server pass limits by sender, and counts them by client', async () => {
    const limits = limitsOf(
      { name: 's', per: 'sender', messagesPerDay: 1 },
      { name: 'd', per: 'senderDomain', messagesPerDay: 1 },
      { name: 'c', per: 'client', messagesPerDay: 3 },
    )
    const report = { sender: '' }
    expect(await checks(limits, [report, report, report, report])).toEqual([
      ...['pass', 'pass', 'pass'],
      'c/192.0.2.1/defer',
    ])
  })

  it('counts the null reverse-path where it is named', async () => {
    const limits = limitsOf({ name: 's', per: 'sender', only: ['<>'], messagesPerDay: 1 })
    expect(await checks(limits, [{ sender: '' }, { sender: '' }, {}])).toEqual(['pass', 's/<>/defer', 'pass'])
  })

  it('has size limits of its own, known before the message comes', async () => {
    const limits = limitsOf(
      { name: 'small', per: 'user', only: ['app'], maxMessageSize: 2048 },
      { name: 'large', per: 'listener', maxMessageSize: 4096 },
    )
    const size = (sizeBytes: number, user: string | null = 'app') => {
      const reply = limits.sizeRefusal({ ...message({ user }), sizeBytes })
      return reply && formatReply(reply)
    }
    expect(size(2048)).toBeNull()
    expect(size(2049)).toBe('552 5.3.4 Message too large, the limit small of user app is 2048 bytes')
    expect(size(4096, null)).toBeNull()
    expect(size(4097, null)).toMatch(/large of listener exchange is 4096 bytes$/)
    expect(told(await limits.check(message({ sizeBytes: 2049 })))).toBe('small/app/reject')
    expect(queue.calls('spend')).toBe(0)
  })

  it('names what is long by its digest, and others that begin alike by another', async () => {
    const limits = limitsOf({ name: 'u', per: 'user', messagesPerDay: 1, over: 'reject' })
    const [one, other] = ['x', 'y'].map((end) => 'u'.repeat(250) + end)
    expect(told(await limits.check(message({ user: one! })))).toBe('pass')
    expect(told(await limits.check(message({ user: other! })))).toBe('pass')
    const answer = await limits.check(message({ user: one! }))
    expect(answer!.of).toBe(one)
    expect(answer!.key).toMatch(/^limit:u:sha256-[\w-]{43}$/)
  })

  it('rejects as the queue does while that is away, and refuses what it need not ask for', async () => {
    const limits = limitsOf({ name: 'c', per: 'client', recipientsPerDay: 10, maxMessageSize: 1024 })
    queue.fail('spend', new QueueUnavailable('away'))
    await expect(limits.check(message())).rejects.toThrow(QueueUnavailable)
    expect(told(await limits.check(message({ recipients: 11 })))).toBe('c/192.0.2.1/reject')
    queue.heal()
    expect(await limits.check(message())).toBeNull()
  })

  it('never lets more through than a limit, however many come at once', async () => {
    const limits = limitsOf({ name: 'c', per: 'client', messagesPerMinute: 50 })
    const answers = await Promise.all(Array.from({ length: 300 }, () => limits.check(message())))
    expect(answers.filter((answer) => answer === null)).toHaveLength(50)
  })
})

it('asks the narrowest limits first, in their own order', async () => {
  const asked: string[] = []
  const queue = {
    spend: async ({ key }: Spending) => {
      asked.push(key.split(':')[1]!)
      return { granted: true } as const
    },
  }
  const limits = parse([
    { name: 'l', per: 'listener', messagesPerDay: 9 },
    { name: 'c', per: 'client', messagesPerDay: 9 },
    { name: 's2', per: 'sender', messagesPerDay: 9 },
    { name: 'd', per: 'senderDomain', messagesPerDay: 9 },
    { name: 'u', per: 'user', messagesPerDay: 9 },
    { name: 's1', per: 'sender', messagesPerDay: 9 },
  ])
  await new SubmissionLimits({ limits, queue, clock: new TestClock() }).check(message())
  expect(asked).toEqual(['s2', 's1', 'u', 'd', 'c', 'l'])
})

it('survives a restart of the embedded store', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'limits-'))
  const open = () => openEmbeddedQueue({ dir, maxItems: 10, maxBytes: 1e6, log: pino({ level: 'silent' }) })
  const limits = parse([{ name: 's', per: 'sender', recipientsPerDay: 10 }])
  const answers: string[] = []
  for (let round = 0; round < 3; round++) {
    const queue = await open()
    const submission = new SubmissionLimits({ limits, queue, clock: new TestClock() })
    answers.push(told(await submission.check(message({ recipients: 4 }))))
    await queue.close({ deadlineMs: 1000 })
  }
  rmSync(dir, { recursive: true })
  expect(answers).toEqual(['pass', 'pass', 's/a@example.com/defer'])
})

describe.skipIf(!redisAvailable)('with one Redis', () => {
  let redis: RedisServer
  const queues: Queue[] = []
  beforeAll(async () => {
    redis = await startRedis()
    for (let n = 0; n < 2; n++) queues.push(await openQueue({ url: redis.url }))
  })
  afterAll(async () => {
    await Promise.all(queues.map((queue) => queue.close({ deadlineMs: 1000 })))
    await redis.destroy()
  })

  it('two nodes count together', async () => {
    const limits = parse([{ name: 'u', per: 'user', messagesPerHour: 30, recipientsPerHour: 45 }])
    const nodes = queues.map((queue) => new SubmissionLimits({ limits, queue, clock: { now: () => t0 } }))
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => nodes[n % 2]!.check(message({ recipients: 1 + (n % 2) }))),
    )
    const passed = answers.flatMap((answer, n) => (answer === null ? [1 + (n % 2)] : []))
    expect(passed.length).toBeLessThanOrEqual(30)
    const recipients = passed.reduce((sum, amount) => sum + amount, 0)
    expect(recipients).toBeLessThanOrEqual(45)
    expect(Math.max(passed.length - 30, recipients - 44)).toBeGreaterThanOrEqual(0)
    const counted = await queues[0]!.counted('limit:u:', { now: t0, limit: 10 })
    expect(new Map(counted.map(({ limit, amount }) => [limit, amount]))).toEqual(
      new Map([
        ['messagesPerHour', passed.length],
        ['recipientsPerHour', recipients],
      ]),
    )
  })
})

it.each<[object, RegExp]>([
  [{ per: 'sender', only: ['10.0.0.0/8'] }, /must be a mail address, a domain/],
  [{ per: 'client', only: ['a@example.com'] }, /must be an IP address, or a network/],
  [{ per: 'senderDomain', only: ['example.com', 'a@example.com'] }, /must be a domain/],
])('a configuration with %j is refused', (fields, reason) => {
  const parsed = limitSchema.safeParse({ name: 'n', messagesPerDay: 1, ...fields })
  expect(parsed.error?.issues[0]).toMatchObject({ message: expect.stringMatching(reason) })
})
