/** Connectors that come, change and go while delivery runs: on a real store, to real connections. */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Connector } from '../../src/config/connector.ts'
import type { Placement } from '../../src/delivery/reroute.ts'
import type { QueueItem } from '../../src/queue/queue.ts'
import { closedPort } from '../support/closed-port.ts'
import { Gate } from '../support/gate.ts'
import { t0 } from '../support/queue-fixtures.ts'
import { ehlo, hangUp, type RawServer, silence } from '../support/raw-server.ts'
import { alpha, nowhere, RunningDelivery, to } from '../support/running-delivery.ts'
import { inClear } from '../support/scripted-host.ts'

const minute = 60_000
const ok = '250 2.0.0 Queued as 4711\r\n'
const empty = { ready: 0, deferred: 0, leased: 0, suspended: 0 }

const beta = (host: { port: number }, change: Parameters<typeof alpha>[1] = {}): Connector =>
  alpha(host, { id: 'beta', ...change })
const body = (subject: string | number): Buffer => Buffer.from(`Subject: ${subject}\r\n\r\nHello\r\n`)
const subjects = (...hosts: RawServer[]): (string | undefined)[] =>
  hosts.flatMap(({ messages }) => messages).map(({ data }) => /^Subject: (.*)\r$/m.exec(data.toString())?.[1])

/** A host that answers each final dot when the gate opens. */
const holding = (gate: Gate): Promise<RawServer> =>
  inClear({
    '.': async () => {
      await gate.opened
      return ok
    },
  })

/** With mail that waits for a connector whose hosts are down. */
async function waitingFor(connector: Connector, set: { place?: () => Placement } = {}) {
  const running = await RunningDelivery.prepare({ connectors: [connector], ...set })
  const items: QueueItem[] = []
  for (let n = 0; n < 3; n++) items.push(...(await running.store({ body: body(n) })))
  running.delivery.start()
  await running.events.until('connector')
  await expect.poll(() => running.delivery.heldBytes).toBe(0)
  return { running, items }
}

describe('a connector that is changed', () => {
  it('sends what waits to its new smart hosts at once, as a first attempt', async () => {
    const { running } = await waitingFor(alpha({ port: await closedPort() }))
    expect(running.state()).toBe('retry')
    const host = await inClear()
    running.reconfigure([alpha(host)])
    expect(running.state()).toBe('ready')
    expect(await running.events.until('delivered', 3)).toMatchObject(
      [1, 1, 1].map((attempts) => ({ attempts })),
    )
    expect(running.delivery.status()).toHaveLength(1)
  })

  it('is not suspended any more when its password is the right one', async () => {
    const host = await inClear({
      EHLO: ehlo('PIPELINING', 'AUTH PLAIN'),
      'AUTH PLAIN': (line) =>
        Buffer.from(line.split(' ')[2]!, 'base64').toString().endsWith('\0right')
          ? '235 2.7.0 Welcome\r\n'
          : '535 5.7.8 No\r\n',
    })
    const login = { smartHostAuthMechanism: 'basicAuth', user: 'newsletter' } as const
    const { running } = await waitingFor(alpha(host, { ...login, password: 'wrong' }))
    expect(running.state()).toBe('suspended')
    running.reconfigure([alpha(host, { ...login, password: 'right' })])
    await running.events.until('delivered', 3)
    expect(running.state()).toBe('ready')
  })

  it('finishes on the old connection what is in flight there, and sends the rest by the new settings', async () => {
    const gate = new Gate()
    const before = await holding(gate)
    const after = await inClear()
    const running = await RunningDelivery.start({ connectors: [alpha(before, { connections: 1 })] })
    for (let n = 0; n < 6; n++) await running.accept({ body: body(n) })
    await expect.poll(() => before.messages.length).toBe(1)
    const settles = running.queue.calls('settle')
    running.reconfigure([alpha(after, { connections: 1 })])
    expect(running.delivery.status()).toMatchObject([{ connections: 1, attemptsInFlight: 1 }])
    await running.events.until('delivered', 5)
    expect(subjects(after)).toEqual(['1', '2', '3', '4', '5'])
    // What waited was handed over, and never went back to the store.
    expect(running.queue.calls('settle')).toBe(settles + 5)
    gate.open()
    await running.events.until('delivered', 6)
    expect(subjects(before)).toEqual(['0'])
    await before.session.closed
    expect(before.session.commands.at(-1)).toBe('QUIT')
    expect(await running.depth()).toEqual(empty)
    expect(running.delivery.heldBytes).toBe(0)
  })

  it('opens no more connections to the same hosts than it may, those under the old settings counted', async () => {
    const gate = new Gate()
    const host = await holding(gate)
    const running = await RunningDelivery.start({ connectors: [alpha(host, { connections: 2 })] })
    await running.accept()
    await expect.poll(() => host.messages.length).toBe(1)
    for (let n = 0; n < 3; n++) await running.accept()
    await expect.poll(() => host.messages.length).toBe(2)
    running.reconfigure([alpha(host, { connections: 2, messagesPerConnection: 5 })])
    expect((await running.accept()).direct).toBe(false)
    await pause(700)
    expect(host.sessions).toHaveLength(2)
    running.reconfigure([alpha(host, { connections: 3, messagesPerConnection: 5 })])
    await expect.poll(() => host.messages.length).toBe(3)
    gate.open()
    await running.events.until('delivered', 5)
    expect(host.messages).toHaveLength(5)
  })

  it('gives up a connection that was being opened, and sends nothing on it', async () => {
    const gate = new Gate()
    const before = await inClear({
      connect: async () => {
        await gate.opened
        return '220 mx.example.net ESMTP\r\n'
      },
    })
    const after = await inClear()
    const running = await RunningDelivery.start({ connectors: [alpha(before)] })
    await running.accept()
    await expect.poll(() => before.sessions.length).toBe(1)
    running.reconfigure([alpha(after)])
    await running.events.until('delivered')
    gate.open()
    await before.session.closed
    expect(before.session.commands).toEqual([])
  })

  it('takes again what the store gives it before it hears that it was given back', async () => {
    const before = await inClear({ connect: silence })
    const after = await inClear()
    const running = await RunningDelivery.start({ connectors: [alpha(before)] })
    const { item, lease } = await running.accept()
    await expect.poll(() => before.sessions.length).toBe(1)
    running.queue.stall('settle')
    running.reconfigure([alpha(after)])
    await running.queue.called('settle', 1)
    await running.queue.elsewhere.settle(lease!, { items: [item], dsn: null }, { now: t0 })
    await expect.poll(() => after.messages.length, { timeout: 5000 }).toBe(1)
    running.queue.heal()
    await running.events.until('delivered')
    expect(running.delivery.heldBytes).toBe(0)
    expect(await running.items()).toEqual([])
  })

  it('goes on with its rate limits where it was', async () => {
    const host = await inClear()
    const limited = (messagesPerHour: number) => {
      const connector = alpha(host)
      return { ...connector, limits: { ...connector.limits, messagesPerHour } }
    }
    const running = await RunningDelivery.start({ connectors: [limited(2)] })
    for (let n = 0; n < 5; n++) await running.accept()
    await running.events.until('delivered', 2)
    await expect.poll(() => running.delivery.heldBytes).toBe(0)
    running.reconfigure([limited(3)])
    await running.events.until('delivered', 3)
    await expect.poll(() => running.delivery.status()[0]!.waitingFor).toBe('messagesPerHour')
    expect(host.messages).toHaveLength(3)
  })

  it('can be told by an operator to try its hosts', async () => {
    const { running } = await waitingFor(alpha({ port: await closedPort() }))
    let up = false
    const host = await inClear({ connect: () => (up ? '220 mx.example.net ESMTP\r\n' : hangUp) })
    running.reconfigure([alpha(host)])
    await running.events.until('connector', 2)
    up = true
    running.delivery.retry('alpha')
    await running.events.until('delivered', 3)
  })

  it('may be changed again and again, also before the start', async () => {
    const hosts = [await inClear(), await inClear(), await inClear()]
    const running = await RunningDelivery.prepare({ connectors: [alpha(hosts[0]!)] })
    await running.store()
    for (const host of hosts) running.reconfigure([alpha(host)])
    running.delivery.start()
    await running.events.until('delivered')
    expect(hosts.map(({ messages }) => messages.length)).toEqual([0, 0, 1])
  })
})

describe('a connector of which only the name, or what routing uses, is changed', () => {
  it('keeps its connections, and has its new name', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [alpha(host)] })
    await running.accept()
    await running.events.until('delivered')
    running.reconfigure([
      alpha(host, { name: 'Other', addressSpaces: ['*'], maxSendSize: 4096, default: true }),
    ])
    await running.accept()
    await running.events.until('delivered', 2)
    expect(host.sessions).toHaveLength(1)
    expect(running.delivery.status()).toMatchObject([{ name: 'Other', connections: 1 }])
  })

  it('keeps its state', async () => {
    const connector = alpha({ port: await closedPort() })
    const { running } = await waitingFor(connector)
    running.reconfigure([{ ...connector, name: 'Other' }])
    expect(running.delivery.status()).toMatchObject([{ name: 'Other', state: 'retry' }])
  })
})

describe('a connector that is disabled or removed', () => {
  it.each([
    ['disabled', (connector: Connector) => [{ ...connector, enabled: false }]],
    ['removed', () => []],
  ])('%s: its mail leaves by another, deferred mail too', async (_how, left) => {
    const gone = alpha({ port: await closedPort() })
    const { running } = await waitingFor(gone, { place: () => to('beta') })
    await running.store({ items: [{ attempts: 2, nextAttemptAt: t0 + minute }] })
    const host = await inClear()
    running.reconfigure([...left(gone), beta(host)])
    const delivered = await running.events.until('delivered', 4)
    expect(delivered.map(({ attempts }) => attempts).sort()).toEqual([1, 1, 1, 3])
    expect(running.events.of('rerouted')[0]).toMatchObject({
      connector: 'beta',
      fromConnector: 'alpha',
      reason: 'connector alpha does not carry it any more',
      from: expect.stringContaining('@'),
      recipients: [expect.stringContaining('@')],
    })
    expect(running.delivery.status().map(({ connector }) => connector)).toEqual(['beta'])
    expect(await running.items()).toEqual([])
  })

  it('its mail is unreachable where nothing else takes it, and leaves when there is a way again', async () => {
    let placement = nowhere
    const connector = alpha({ port: await closedPort() })
    const { running, items } = await waitingFor(connector, { place: () => placement })
    running.reconfigure([])
    await running.events.until('rerouted', 3)
    expect(await running.items()).toMatchObject(
      items.map(({ expiresAt }) => ({ connector: 'unreachable', nextAttemptAt: expiresAt, attempts: 0 })),
    )
    const host = await inClear()
    placement = to('alpha')
    running.reconfigure([alpha(host)])
    await running.events.until('delivered', 3)
    expect(running.events.of('rerouted').at(-1)).toMatchObject({ reason: 'there is a way now' })
  })

  it('concludes what is in flight: delivered once', async () => {
    const gate = new Gate()
    const host = await holding(gate)
    const running = await RunningDelivery.start({ connectors: [alpha(host)], place: () => to('beta') })
    await running.accept()
    await expect.poll(() => host.messages.length).toBe(1)
    const other = await inClear()
    running.reconfigure([beta(other)])
    gate.open()
    await running.events.until('delivered')
    await pause(700)
    expect([host.messages.length, other.messages.length]).toEqual([1, 0])
    expect(await running.items()).toEqual([])
  })

  it('concludes what is in flight: deferred, and routed again at once', async () => {
    const gate = new Gate()
    const host = await inClear({
      '.': async () => {
        await gate.opened
        return '451 4.3.0 Later\r\n'
      },
    })
    const running = await RunningDelivery.start({ connectors: [alpha(host)], place: () => to('beta') })
    await running.accept()
    await expect.poll(() => host.messages.length).toBe(1)
    const other = await inClear()
    running.reconfigure([beta(other)])
    gate.open()
    expect(await running.events.until('delivered')).toMatchObject([{ connector: 'beta', attempts: 2 }])
  })

  it('gives back what a claim brings that was under way', async () => {
    const running = await RunningDelivery.prepare({
      connectors: [alpha(await inClear())],
      place: () => to('beta'),
    })
    await running.store()
    running.queue.stall('claim')
    running.delivery.start()
    await running.queue.called('claim', 1)
    const other = await inClear()
    running.reconfigure([beta(other)])
    running.queue.heal()
    expect(await running.events.until('delivered')).toMatchObject([{ connector: 'beta' }])
  })

  it('gives back what was on its way to it, and takes nothing more', async () => {
    const running = await RunningDelivery.start({
      connectors: [alpha(await inClear())],
      place: () => to('beta'),
    })
    running.queue.stall('put')
    const accepted = running.accept()
    await running.queue.called('put', 1)
    const other = await inClear()
    running.reconfigure([beta(other)])
    running.queue.heal()
    expect((await accepted).direct).toBe(true)
    expect((await running.accept()).direct).toBe(false)
    await expect.poll(() => other.messages.length, { timeout: 10_000 }).toBe(2)
    expect(running.delivery.heldBytes).toBe(0)
  })

  it('and made again under its id: its mail leaves by the new one', async () => {
    const { running } = await waitingFor(alpha({ port: await closedPort() }), { place: () => to('beta') })
    const host = await inClear()
    const other = beta({ port: await closedPort() })
    running.reconfigure([])
    running.reconfigure([alpha(host), other])
    await running.events.until('delivered', 3)
    expect(running.events.of('rerouted')).toEqual([])
  })

  it('leaves alone what an operator holds', async () => {
    const running = await RunningDelivery.prepare({ connectors: [], place: () => to('beta') })
    await running.store({ items: [{ suspended: 'held' }] })
    await running.store()
    running.delivery.start()
    const host = await inClear()
    running.reconfigure([beta(host)])
    await running.events.until('delivered')
    expect(await running.items()).toMatchObject([{ connector: 'alpha', suspended: 'held' }])
  })
})

describe('a connector that cannot be used', () => {
  it('keeps its mail until it can', async () => {
    const running = await RunningDelivery.prepare({
      connectors: [],
      unusable: new Set(['alpha']),
      place: () => to('beta'),
    })
    const [item] = await running.store()
    running.delivery.start()
    const other = await inClear()
    running.reconfigure([beta(other)], ['alpha'])
    await running.queue.called('totals', 2)
    await pause(100)
    expect(await running.items()).toEqual([item])
    expect((await running.accept()).direct).toBe(false)
    const host = await inClear()
    running.reconfigure([beta(other), alpha(host)])
    await running.events.until('delivered', 2)
    expect(other.messages).toEqual([])
  })

  it('gives back what it had, once it cannot be used any more', async () => {
    const gate = new Gate()
    const host = await holding(gate)
    const running = await RunningDelivery.start({ connectors: [alpha(host, { connections: 1 })] })
    for (let n = 0; n < 3; n++) await running.accept()
    await expect.poll(() => host.messages.length).toBe(1)
    running.reconfigure([], ['alpha'])
    await expect.poll(() => running.depth()).toEqual({ ...empty, ready: 2, leased: 1 })
    gate.open()
    await running.events.until('delivered')
    expect(await running.depth()).toEqual({ ...empty, ready: 2 })
  })

  it('says so to a sender whose message expires there', async () => {
    const running = await RunningDelivery.prepare({ connectors: [], unusable: new Set(['alpha']) })
    await running.store({ items: [{ expiresAt: t0, nextAttemptAt: t0, delayNoticeAt: null }] })
    running.delivery.start()
    const [expired] = await running.events.until('expired')
    expect(expired!.recipients[0]!.reply.text).toContain('Its connector cannot be used')
  })
})

describe('what is unreachable', () => {
  const unreachable = { connector: 'unreachable', nextAttemptAt: t0 + 10 * minute }

  it('leaves when another connector, or a binding, gives it a way; the rest is not touched', async () => {
    const ways = new Set<string>()
    const host = await inClear()
    const running = await RunningDelivery.prepare({
      connectors: [alpha(host)],
      place: (recipient) => (ways.has(recipient) ? to('alpha') : nowhere),
    })
    const recipientOf = (n: number) =>
      [
        {
          address: `user-${n}@example.org`,
          notify: null,
          orcpt: null,
          state: 'pending',
          lastReply: null,
          lastHost: null,
        },
      ] as const
    for (let n = 0; n < 5; n++)
      await running.store({ items: [{ ...unreachable, recipients: recipientOf(n) }] })
    running.delivery.start()
    await running.queue.called('list', 1)
    ways.add('user-3@example.org')
    // The connectors are the same.
    running.reconfigure([alpha(host)])
    await running.events.until('delivered')
    expect(host.messages[0]!.envelope[1]).toContain('user-3@example.org')
    expect(running.queue.calls('change')).toBe(1)
    expect(await running.depth('unreachable')).toEqual({ ...empty, deferred: 4 })
  })

  it('is not listed again and again where that takes long, and changes are many', async () => {
    const running = await RunningDelivery.start({ connectors: [] })
    await running.store({ items: [unreachable] })
    running.queue.stall('list')
    running.reconfigure([])
    await running.queue.called('list', 1)
    await pause(1100)
    running.queue.heal()
    for (let n = 0; n < 10; n++) {
      await pause(50)
      running.reconfigure([])
    }
    expect(running.queue.calls('list')).toBe(1)
    expect(running.queue.calls('totals')).toBeGreaterThan(5)
  })

  it('is found also where it was on its way into the store when the routes changed', async () => {
    const host = await inClear()
    const running = await RunningDelivery.start({ connectors: [], place: () => to('alpha') })
    running.reconfigure([alpha(host)])
    await running.queue.called('totals', 2)
    await running.store({ items: [unreachable] })
    await expect.poll(() => host.messages.length, { timeout: 10_000 }).toBe(1)
  })
})

describe('two nodes on one store', () => {
  it('one takes no mail of a connector that it learns of later', async () => {
    const host = await inClear({ connect: () => hangUp })
    const first = await RunningDelivery.start({ connectors: [alpha(host)] })
    await first.store()
    await first.events.until('connector')
    await expect.poll(() => first.delivery.heldBytes).toBe(0)
    let learnt = 0
    const second: RunningDelivery = await RunningDelivery.prepare({
      connectors: [beta(host)],
      beside: first,
      place: () => to('beta'),
      catchUp: async () => {
        learnt++
        second.reconfigure([alpha(host), beta(host)])
      },
    })
    second.delivery.start()
    await expect.poll(() => learnt).toBeGreaterThan(0)
    await second.events.until('connector')
    expect(second.events.of('rerouted')).toEqual([])
    expect(await first.items()).toMatchObject([{ connector: 'alpha' }])
  })

  it('gives back what a node put there, of a new connector, between its question and its claim', async () => {
    const first = await RunningDelivery.prepare({ connectors: [] })
    await first.store({ items: [{ connector: 'gamma' }] })
    const host = await inClear()
    let asked = 0
    const second: RunningDelivery = await RunningDelivery.prepare({
      connectors: [beta(host)],
      beside: first,
      place: () => to('beta'),
      catchUp: async () => {
        if (++asked === 2) second.reconfigure([beta(host), alpha(host, { id: 'gamma' })])
      },
    })
    second.delivery.start()
    expect(await second.events.until('delivered')).toMatchObject([{ connector: 'gamma', attempts: 1 }])
    expect(second.events.of('rerouted')).toEqual([])
    expect(second.delivery.heldBytes).toBe(0)
  })

  it('takes none while it cannot learn what is configured', async () => {
    const host = await inClear()
    let away = true
    const running = await RunningDelivery.prepare({
      connectors: [beta(host)],
      place: () => to('beta'),
      catchUp: async () => {
        if (away) throw new Error('The state is away')
      },
    })
    const [item] = await running.store()
    running.delivery.start()
    await expect.poll(() => running.logged.join('')).toContain('The state is away')
    expect(await running.items()).toEqual([item])
    away = false
    running.reconfigure([beta(host)])
    await running.events.until('delivered')
  })
})

describe('under load', () => {
  it('nothing is lost and nothing sent twice, whatever changes meanwhile', async () => {
    const hosts = [await inClear(), await inClear()]
    let placement = to('alpha')
    const running = await RunningDelivery.start({ connectors: [alpha(hosts[0]!)], place: () => placement })
    const messages = 600
    const submitted = (async () => {
      for (let n = 0; n < messages; n++) {
        if (n % 3 === 0)
          await running.store({ body: body(n), items: [{ connector: n % 2 ? 'alpha' : 'beta' }] })
        else await running.accept({ body: body(n), items: [{ connector: n % 2 ? 'alpha' : 'beta' }] })
      }
    })()
    for (let turn = 0; turn < 40; turn++) {
      const host = hosts[turn % 2]!
      const settings = { connections: 1 + (turn % 5), messagesPerConnection: 3 }
      const [one, other] = [alpha(host, settings), beta(host, settings)]
      const sets = [[one, other], [one], [other], [one, { ...other, enabled: false }], []]
      placement = turn % 5 === 2 ? to('beta') : turn % 5 === 4 ? nowhere : to('alpha')
      running.reconfigure(sets[turn % 5]!)
      await pause(25)
    }
    await submitted
    placement = to('alpha')
    running.reconfigure([alpha(hosts[0]!)])
    await expect.poll(() => subjects(...hosts).length, { timeout: 20_000 }).toBe(messages)
    await running.events.until('delivered', messages)
    expect(new Set(subjects(...hosts)).size).toBe(messages)
    expect(await running.items()).toEqual([])
    expect(running.delivery.heldBytes).toBe(0)
  }, 40_000)

  it('a change of one connector among a thousand is cheap, and leaves the others alone', async () => {
    const host = await inClear()
    const all = Array.from({ length: 1000 }, (_, n) => alpha(host, { id: `c${n}` }))
    const running = await RunningDelivery.start({ connectors: all })
    await running.accept({ items: [{ connector: 'c7' }] })
    await running.events.until('delivered')
    const changed = all.map((connector, n) =>
      n === 500 ? { ...connector, user: 'other' } : { ...connector },
    )
    const before = performance.now()
    running.reconfigure(changed)
    expect(performance.now() - before).toBeLessThan(250)
    await running.accept({ items: [{ connector: 'c7' }] })
    await running.events.until('delivered', 2)
    expect(host.sessions).toHaveLength(1)
  })
})

describe('stop', () => {
  it('waits for what a retired queue has in flight', async () => {
    const gate = new Gate()
    const host = await holding(gate)
    const running = await RunningDelivery.start({ connectors: [alpha(host)] })
    await running.accept()
    await expect.poll(() => host.messages.length).toBe(1)
    running.reconfigure([])
    const stopped = running.delivery.stop(10_000)
    gate.open()
    await stopped
    expect(running.events.of('delivered')).toHaveLength(1)
  })

  it('cuts it off at the deadline', async () => {
    const host = await holding(new Gate())
    const running = await RunningDelivery.start({ connectors: [alpha(host)] })
    await running.accept()
    await expect.poll(() => host.messages.length).toBe(1)
    running.reconfigure([])
    const before = performance.now()
    await running.delivery.stop(200)
    expect(performance.now() - before).toBeLessThan(3000)
    await host.session.closed
  })

  it('makes no queues any more', async () => {
    const running = await RunningDelivery.start({ connectors: [] })
    await running.delivery.stop(100)
    running.reconfigure([alpha(await inClear())])
    expect(running.delivery.status()).toEqual([])
  })
})
