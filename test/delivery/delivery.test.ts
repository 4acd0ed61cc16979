/** Delivery as a whole: a real store, real connections, a clock that the test moves. */
import { setTimeout as pause } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { itemId, newMessageId } from '../../src/message-id.ts'
import { QueueUnavailable } from '../../src/queue/queue.ts'
import { closedPort } from '../support/closed-port.ts'
import { Gate } from '../support/gate.ts'
import { queueItem, recipient, sender, t0 } from '../support/queue-fixtures.ts'
import { hangUp, type RawServer, silence } from '../support/raw-server.ts'
import { alpha, nowhere, RunningDelivery, to } from '../support/running-delivery.ts'
import { inClear } from '../support/scripted-host.ts'

const minute = 60_000
const day = 24 * 60 * minute
const MB = 1024 ** 2
const ok = '250 2.0.0 Queued as 4711\r\n'

/** A host that answers the final dot when the gate opens. */
const holding = (gate: Gate): Promise<RawServer> =>
  inClear({
    '.': async () => {
      await gate.opened
      return ok
    },
  })

const subjects = (host: RawServer): (string | undefined)[] =>
  host.messages.map(({ data }) => /^Subject: (.*)\r$/m.exec(data.toString())?.[1])
const body = (subject: string | number, size = 100): Buffer =>
  Buffer.from(`Subject: ${subject}\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(size, 'Some more text.\r\n'))
const empty = { ready: 0, deferred: 0, leased: 0, suspended: 0 }

describe('mail just accepted', () => {
  it('leaves at once, from memory, and nothing of it stays', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [alpha(host)] })
    const { item, direct } = await running.accept()
    expect(direct).toBe(true)
    expect(await running.events.until('delivered')).toMatchObject([{ itemId: item.id, attempts: 1 }])
    expect(running.queue.calls('body')).toBe(0)
    expect(await running.depth()).toEqual(empty)
    expect(running.delivery.heldBytes).toBe(0)
  })

  it('queues up behind older mail of its connector', async () => {
    const host = await inClear()
    const running = await RunningDelivery.prepare({ connectors: [alpha(host, { connections: 1 })] })
    for (let i = 0; i < 50; i++) await running.store({ receivedAt: t0 + i, body: body(i) })
    running.clock.advance(100)
    running.delivery.start()
    await running.events.until('delivered', 1)
    expect((await running.accept({ body: body(50) })).direct).toBe(false)
    await running.events.until('delivered', 51)
    expect(subjects(host)).toEqual(Array.from({ length: 51 }, (_, i) => String(i)))
  })

  it('does not keep older mail waiting that falls due', async () => {
    const gate = new Gate()
    const host = await holding(gate)
    const running = await RunningDelivery.start({ connectors: [alpha(host, { connections: 1 })] })
    await running.store({ body: body('deferred once'), items: [{ attempts: 1, nextAttemptAt: t0 + 1000 }] })
    for (let i = 0; i < 20; i++) expect((await running.accept()).direct).toBe(true)
    running.clock.advance(1000)
    await expect.poll(async () => (await running.depth()).leased).toBe(21)
    gate.open()
    await running.events.until('delivered', 21)
  })

  it('is not taken while its hosts are down, and leaves when they are back', async () => {
    let up = false
    const host = await inClear({ connect: () => (up ? '220 mx.example.net ESMTP\r\n' : hangUp) })
    const running = await RunningDelivery.start({ connectors: [alpha(host)] })
    await running.accept()
    await running.events.until('connector')
    expect((await running.accept()).direct).toBe(false)
    up = true
    running.clock.advance(minute)
    expect((await running.events.until('delivered', 2)).map(({ attempts }) => attempts)).toEqual([1, 1])
  })
})

describe('a backlog', () => {
  it('leaves oldest first', async () => {
    const host = await inClear()
    const running = await RunningDelivery.prepare({ connectors: [alpha(host, { connections: 1 })] })
    const order = [5, 3, 1, 4, 2]
    for (const n of order) await running.store({ receivedAt: t0 + n, body: body(n) })
    running.clock.advance(10)
    running.delivery.start()
    await running.events.until('delivered', 5)
    expect(subjects(host)).toEqual(['1', '2', '3', '4', '5'])
  })

  it('of a connector that is down is not touched: no attempt, no change, nothing in hand', async () => {
    const connector = alpha({ port: await closedPort() })
    const running = await RunningDelivery.prepare({ connectors: [connector] })
    for (let i = 0; i < 30; i++) await running.store()
    const before = await running.items()
    running.delivery.start()
    await running.events.until('connector')
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    expect(await running.items()).toEqual(before)
    expect(running.delivery.status()).toMatchObject([{ state: 'retry', attemptsInFlight: 0 }])
    const claims = running.queue.calls('claim')
    await pause(1200)
    expect(running.queue.calls('claim')).toBe(claims)
  })

  it('leaves by all connections once a probe has found the hosts up again', async () => {
    let up = false
    const gate = new Gate()
    const host = await inClear({
      connect: () => (up ? '220 mx.example.net ESMTP\r\n' : hangUp),
      '.': async () => {
        await gate.opened
        return ok
      },
    })
    const running = await RunningDelivery.prepare({ connectors: [alpha(host, { connections: 5 })] })
    for (let i = 0; i < 30; i++) await running.store()
    running.delivery.start()
    await running.events.until('connector')
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    up = true
    running.clock.advance(minute)
    await expect.poll(() => running.delivery.status()[0]!.attemptsInFlight).toBe(5)
    gate.open()
    const delivered = await running.events.until('delivered', 30)
    expect(new Set(delivered.map(({ attempts }) => attempts))).toEqual(new Set([1]))
  })

  it('of a connector that is down leaves at once when an operator wants its hosts tried', async () => {
    let up = false
    const host = await inClear({ connect: () => (up ? '220 mx.example.net ESMTP\r\n' : hangUp) })
    const running = await RunningDelivery.prepare({ connectors: [alpha(host)] })
    for (let i = 0; i < 3; i++) await running.store()
    running.delivery.start()
    await running.events.until('connector')
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    running.delivery.retry('alpha')
    // In vain the first time: the schedule goes on from there.
    await running.events.until('connector', 2)
    expect(running.state()).toBe('retry')
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    up = true
    running.delivery.retry('alpha')
    running.delivery.retry('gone')
    await running.events.until('delivered', 3)
    expect(running.state()).toBe('ready')
  })

  it('of a connector that is down costs the others no claims', async () => {
    const host = await inClear()
    const down = alpha({ port: await closedPort() }, { id: 'beta' })
    const running = await RunningDelivery.prepare({ connectors: [alpha(host, { connections: 2 }), down] })
    for (let i = 0; i < 10; i++) await running.store({ items: [{ connector: 'beta' }] })
    running.delivery.start()
    await running.events.until('connector')
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    const claims = running.queue.calls('claim')
    for (let i = 1; i <= 40; i++) {
      await running.accept()
      await running.events.until('delivered', i)
    }
    expect(running.queue.calls('claim') - claims).toBeLessThan(25)
  })

  it('of connectors that are not ours costs no claims either', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [alpha(host, { connections: 2 })] })
    running.delivery.wake('unreachable')
    const claims = running.queue.calls('claim')
    for (let i = 1; i <= 40; i++) {
      await running.accept()
      await running.events.until('delivered', i)
    }
    expect(running.queue.calls('claim') - claims).toBeLessThan(25)
  })
})

describe('memory', () => {
  const large = 60_000

  it('is left for others by a connector whose hosts hang, whatever its backlog', async () => {
    const [hanging, host] = [await inClear({ '.': silence }), await inClear()]
    const running = await RunningDelivery.prepare({
      connectors: [alpha(hanging, { id: 'hanging' }), alpha(host)],
      delivery: { memory: MB },
    })
    for (let i = 0; i < 40; i++)
      await running.store({ body: body(i, large), items: [{ connector: 'hanging' }] })
    running.delivery.start()
    await expect.poll(() => running.delivery.heldBytes).toBeGreaterThan(4 * large)
    for (let i = 0; i < 20; i++) await running.store({ body: body(i, large) })
    running.delivery.wake('alpha')
    await running.events.until('delivered', 20)
    expect(running.delivery.heldBytes).toBeLessThan(MB)
  })

  it('is left for others also by mail just accepted', async () => {
    const [hanging, host] = [await inClear({ '.': silence }), await inClear()]
    const running = await RunningDelivery.start({
      connectors: [alpha(hanging, { id: 'hanging' }), alpha(host)],
      delivery: { memory: MB },
    })
    for (let i = 0; i < 40; i++)
      await running.accept({ body: body(i, large), items: [{ connector: 'hanging' }] })
    expect((await running.accept({ body: body('mine', large) })).direct).toBe(true)
    await running.events.until('delivered')
  })

  it('is not exceeded by many connectors with backlogs, but for one item of each', async () => {
    const hanging = await inClear({ '.': silence })
    const ids = Array.from({ length: 10 }, (_, n) => `c${n}`)
    const running = await RunningDelivery.prepare({
      connectors: ids.map((id) => alpha(hanging, { id })),
      delivery: { memory: MB },
    })
    for (const connector of ids)
      for (let i = 0; i < 15; i++) await running.store({ body: body(i, large), items: [{ connector }] })
    running.delivery.start()
    const inFlight = () => running.delivery.status().map(({ attemptsInFlight }) => attemptsInFlight)
    await expect.poll(() => Math.min(...inFlight())).toBeGreaterThan(0)
    await pause(700)
    expect(running.delivery.heldBytes).toBeLessThan(MB + ids.length * (large + 4096))
  })

  it('that is full keeps nobody busy', async () => {
    const hanging = await inClear({ '.': silence })
    const running = await RunningDelivery.prepare({ connectors: [alpha(hanging)], delivery: { memory: MB } })
    for (let i = 0; i < 40; i++) await running.store({ body: body(i, large) })
    running.delivery.start()
    await expect.poll(() => running.delivery.heldBytes).toBeGreaterThan(4 * large)
    await pause(300)
    const claims = running.queue.calls('claim')
    await pause(1200)
    expect(running.queue.calls('claim') - claims).toBeLessThan(5)
  })

  it('that was reserved comes back', async () => {
    const running = await RunningDelivery.start({
      connectors: [alpha(await inClear())],
      delivery: { memory: MB },
    })
    const reserve = (): boolean => running.delivery.reserve('alpha', 400_000)
    expect([reserve(), reserve(), reserve()]).toEqual([true, true, false])
    running.delivery.unreserve(400_000)
    expect(reserve()).toBe(true)
    expect(running.delivery.reserve('nobody', 1)).toBe(false)
  })

  it('may be smaller than one message', async () => {
    const host = await inClear()
    const running = await RunningDelivery.prepare({ connectors: [alpha(host)], delivery: { memory: 1024 } })
    for (let i = 0; i < 5; i++) await running.store({ body: body(i, large) })
    running.delivery.start()
    await running.events.until('delivered', 5)
  })
})

describe('a lease', () => {
  it('is renewed while an attempt lasts, also while delivery stops', async () => {
    const gate = new Gate()
    const host = await holding(gate)
    const running = await RunningDelivery.start({ connectors: [alpha(host)], leaseMs: 3000 })
    await running.accept()
    await expect.poll(() => host.messages.length).toBe(1)
    const pass = async (): Promise<void> => {
      running.clock.advance(2000)
      await running.queue.called('renew', running.queue.calls('renew') + 1)
    }
    await pass()
    await pass()
    const stopped = running.delivery.stop(60_000)
    await pass()
    await pass()
    expect((await running.depth()).leased).toBe(1)
    gate.open()
    await stopped
    expect(running.events.of('delivered')).toHaveLength(1)
    expect(running.events.of('lease-lost')).toEqual([])
  })

  it('that another node has by now keeps what waits from being sent', async () => {
    const gate = new Gate()
    const host = await holding(gate)
    const running = await RunningDelivery.start({
      connectors: [alpha(host, { connections: 1 })],
      leaseMs: 3000,
    })
    const first = await running.accept()
    await running.accept()
    await expect.poll(() => host.messages.length).toBe(1)
    running.clock.advance(3000)
    const claim = await running.queue.elsewhere.claim({
      now: running.clock.now(),
      leaseMs: 60_000,
      connectors: [{ connector: 'alpha', limit: 10 }],
    })
    expect(claim.leased).toHaveLength(2)
    await running.queue.called('renew', running.queue.calls('renew') + 1)
    gate.open()
    expect(await running.events.until('lease-lost')).toMatchObject([{ itemId: first.item.id }])
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    expect(host.messages).toHaveLength(1)
    expect(running.events.of('delivered')).toEqual([])
  })

  it('that ran out while the machine stood still is taken up again, and nothing is sent twice', async () => {
    const gate = new Gate()
    const host = await holding(gate)
    const running = await RunningDelivery.start({ connectors: [alpha(host, { connections: 1 })] })
    for (let i = 0; i < 3; i++) await running.accept()
    await expect.poll(() => host.messages.length).toBe(1)
    running.clock.advance(10 * minute)
    await running.queue.called('claim', running.queue.calls('claim') + 4)
    gate.open()
    await running.events.until('delivered', 3)
    expect(host.messages).toHaveLength(3)
    expect(running.events.of('lease-lost')).toEqual([])
    expect(running.delivery.heldBytes).toBe(0)
    expect(await running.depth()).toEqual(empty)
  })
})

describe('an outcome', () => {
  it('of each recipient is stored: delivered, deferred, failed with a DSN', async () => {
    const host = await inClear({
      'RCPT TO:<later@example.org>': '451 4.2.1 Later\r\n',
      'RCPT TO:<never@example.org>': '550 5.1.1 No such user\r\n',
    })
    const running = await RunningDelivery.start({ connectors: [alpha(host)], place: () => to('alpha') })
    const addresses = ['now', 'later', 'never'].map((name) => recipient(`${name}@example.org`))
    await running.accept({ items: [{ recipients: addresses }] })
    await running.events.until('delivered', 2)
    expect(running.events.all.map(({ event }) => event)).toEqual([
      'delivered',
      'deferred',
      'failed',
      'dsn',
      'delivered',
    ])
    const [item] = await running.items()
    expect(item).toMatchObject({ attempts: 1, nextAttemptAt: t0 + 5 * minute })
    expect(item!.recipients.map(({ state }) => state)).toEqual(['delivered', 'pending', 'failed'])
    expect(host.messages[1]!.envelope).toEqual([
      expect.stringMatching(/^MAIL FROM:<> /),
      'RCPT TO:<newsletter@example.com> NOTIFY=NEVER',
    ])
  })

  it('is kept while the store is away, and the message is not sent again', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [alpha(host)] })
    running.queue.stall('settle')
    await running.accept()
    await running.queue.called('settle', 1)
    await pause(1000)
    expect(running.events.all).toEqual([])
    running.queue.heal()
    await running.events.until('delivered')
    expect(host.messages).toHaveLength(1)
    expect(await running.depth()).toEqual(empty)
  })

  it('that the store refuses is logged, and leaves nothing in hand', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [alpha(host)] })
    running.queue.fail('settle', new QueueUnavailable('closed'))
    await running.accept()
    await running.queue.called('settle', 1)
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    expect(running.logged.join('')).toContain('cannot conclude an attempt')
    running.queue.heal()
    await running.accept()
    await running.events.until('delivered')
  })

  it('is stored even where the message cannot be read any more for its DSN', async () => {
    const gate = new Gate()
    const host = await inClear({
      '.': async () => {
        await gate.opened
        return '554 5.6.0 No\r\n'
      },
    })
    const running = await RunningDelivery.prepare({ connectors: [alpha(host)], place: () => to('beta') })
    await running.store({ body: body('large', 200_000) })
    running.delivery.start()
    await expect.poll(() => host.messages.length).toBe(1)
    running.queue.fail('body', new QueueUnavailable('away'))
    gate.open()
    const [failed] = await running.events.until('failed')
    const [dsn] = await running.items()
    expect(dsn).toMatchObject({ messageId: failed!.dsnId, connector: 'beta', sender: { from: '' } })
    expect(host.messages).toHaveLength(1)
  })

  it('whose DSN has no way is stored all the same', async () => {
    const host = await inClear({ '.': '554 5.6.0 No\r\n' })
    const running = await RunningDelivery.start({ connectors: [alpha(host)], place: () => nowhere })
    const { item } = await running.accept()
    expect(await running.events.until('dsn-unroutable')).toMatchObject([
      {
        about: item.id,
        to: 'newsletter@example.com',
        reply: nowhere.kind === 'unreachable' && nowhere.reply,
      },
    ])
    expect(running.events.of('failed')).toMatchObject([{ dsnId: null }])
    expect(await running.items()).toEqual([])
  })
})

describe('time that passes', () => {
  let running: RunningDelivery
  beforeEach(async () => {
    const host = await inClear()
    running = await RunningDelivery.prepare({
      connectors: [alpha({ port: await closedPort() }), alpha(host, { id: 'beta' })],
      place: () => to('beta'),
    })
  })

  it('expires mail of a connector that is down, with its reason, and tells the sender once', async () => {
    running.delivery.start()
    await running.accept()
    await running.events.until('connector')
    const [item] = await running.store({ items: [{ expiresAt: t0 + 1 }] })
    running.clock.advance(1)
    const [expired] = await running.events.until('expired')
    expect(expired).toMatchObject({ itemId: item!.id, attempts: 0, host: null })
    expect(expired!.recipients[0]!.reply.text).toMatch(
      /^Message expired; .* Cannot connect: connection refused/,
    )
    expect(await running.events.until('delivered')).toMatchObject([{ messageId: expired!.dsnId }])
    expect(running.events.of('expired')).toHaveLength(1)
  })

  it('tells the sender of a delay, once, and the message goes on waiting', async () => {
    const [item] = await running.store({ items: [{ delayNoticeAt: t0, nextAttemptAt: t0 + minute }] })
    running.delivery.start()
    expect(await running.events.until('dsn')).toMatchObject([{ kind: 'delayed', about: item!.id }])
    await running.events.until('delivered')
    expect(await running.items()).toEqual([{ ...item, delayNoticeAt: null }])
  })

  it('does not conclude what is being attempted', async () => {
    const gate = new Gate()
    const host = await holding(gate)
    const other = await RunningDelivery.start({ connectors: [alpha(host)] })
    await other.accept({ items: [{ expiresAt: t0 + minute, delayNoticeAt: t0 + 10 }] })
    await expect.poll(() => host.messages.length).toBe(1)
    other.clock.advance(minute - 1)
    await other.queue.called('overdue', other.queue.calls('overdue') + 1)
    gate.open()
    await other.events.until('delivered')
    expect(other.events.all).toHaveLength(1)
  })

  it('concludes any number of them', async () => {
    for (let i = 0; i < 250; i++)
      await running.store({ items: [{ expiresAt: t0, sender: sender(''), delayNoticeAt: null }] })
    running.delivery.start()
    await running.events.until('expired', 250)
    expect(await running.items()).toEqual([])
  })
})

describe('mail whose connector is gone', () => {
  it('is routed again at the start, deferred mail too', async () => {
    const host = await inClear()
    const running = await RunningDelivery.prepare({ connectors: [alpha(host)], place: () => to('alpha') })
    await running.store({ items: [{ connector: 'gone' }] })
    await running.store({ items: [{ connector: 'unreachable', attempts: 3, nextAttemptAt: t0 + day }] })
    running.delivery.start()
    await running.events.until('delivered', 2)
    expect(running.events.of('rerouted').map(({ connector }) => connector)).toEqual(['alpha', 'alpha'])
    expect(await running.items()).toEqual([])
  })

  it('waits as unreachable where nothing takes it, and is not looked at again and again', async () => {
    const running = await RunningDelivery.prepare({ connectors: [alpha(await inClear())] })
    const [item] = await running.store({ items: [{ connector: 'gone' }] })
    running.delivery.start()
    await running.events.until('rerouted')
    expect(await running.items()).toMatchObject([
      { id: item!.id, connector: 'unreachable', nextAttemptAt: item!.expiresAt, attempts: 0 },
    ])
    await pause(300)
    expect(running.events.of('rerouted')).toHaveLength(1)
    expect(running.delivery.heldBytes).toBe(0)
  })

  it('expires there, however much of it', async () => {
    const running = await RunningDelivery.prepare({ connectors: [alpha(await inClear())] })
    const gone = { connector: 'unreachable', expiresAt: t0, nextAttemptAt: t0, delayNoticeAt: null }
    for (let i = 0; i < 250; i++) await running.store({ items: [gone] })
    running.delivery.start()
    await running.events.until('expired', 250)
    expect(await running.items()).toEqual([])
    expect(running.events.of('rerouted')).toEqual([])
  })
})

describe('the store', () => {
  it('may be away at the start: one line says so, and then mail leaves', async () => {
    const host = await inClear()
    const running = await RunningDelivery.prepare({ connectors: [alpha(host)] })
    await running.store()
    for (const call of ['claim', 'overdue', 'totals'] as const)
      running.queue.fail(call, new QueueUnavailable('Redis is away'))
    running.delivery.start()
    await running.queue.called('claim', 4)
    expect(running.logged.filter((line) => line.includes('"duty":"claim"'))).toHaveLength(1)
    running.queue.heal()
    await running.events.until('delivered')
    expect(running.logged.filter((line) => line.includes('"duty":"claim"'))).toHaveLength(2)
  })

  it.each(['claim', 'settle'] as const)(
    'that never answers a %s does not keep delivery from stopping',
    async (call) => {
      const host = await inClear()
      const running = await RunningDelivery.prepare({ connectors: [alpha(host)] })
      await running.store()
      running.queue.stall(call)
      running.delivery.start()
      await running.queue.called(call, 1)
      const before = performance.now()
      await running.delivery.stop(100)
      expect(performance.now() - before).toBeLessThan(4000)
    },
  )
})

describe('stop', () => {
  it('gives back what waits, at once claimable by another node', async () => {
    const gate = new Gate()
    const host = await holding(gate)
    const running = await RunningDelivery.start({ connectors: [alpha(host, { connections: 1 })] })
    for (let i = 0; i < 5; i++) await running.accept()
    await expect.poll(() => host.messages.length).toBe(1)
    const stopped = running.delivery.stop(10_000)
    await expect.poll(() => running.depth()).toEqual({ ...empty, ready: 4, leased: 1 })
    gate.open()
    await stopped
    expect(await running.depth()).toEqual({ ...empty, ready: 4 })
    expect(running.delivery.heldBytes).toBe(0)
    expect(host.messages).toHaveLength(1)
  })

  it('takes no more mail, and gives back what was on its way to it', async () => {
    const running = await RunningDelivery.start({ connectors: [alpha(await inClear())] })
    expect(running.delivery.reserve('alpha', 100)).toBe(true)
    await running.delivery.stop(1000)
    const id = itemId(newMessageId(t0), 1)
    const item = queueItem(id)
    const message = { id: item.messageId, body: { kind: 'inline', bytes: body(1) }, items: [item] } as const
    const [lease] = await running.queue.put(message, { now: t0, lease: { itemIds: [id], leaseMs: minute } })
    running.delivery.deliver({ item, lease: lease!, body: body(1) }, 100)
    await expect.poll(() => running.depth()).toEqual({ ...empty, ready: 1 })
    expect(running.delivery.reserve('alpha', 100)).toBe(false)
  })

  it('gives back what a claim brings that was under way', async () => {
    const host = await inClear()
    const running = await RunningDelivery.prepare({ connectors: [alpha(host)] })
    await running.store()
    running.queue.stall('claim')
    running.delivery.start()
    await running.queue.called('claim', 1)
    const stopped = running.delivery.stop(10_000)
    running.queue.heal()
    await stopped
    expect(await running.depth()).toEqual({ ...empty, ready: 1 })
    expect(host.sessions).toEqual([])
  })
})
