/** A connector's queue on hosts that follow a script. What it hands over is noted; the store is not part of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Connector } from '../../src/config/connector.ts'
import type { Attempt } from '../../src/delivery/attempt.ts'
import { ConnectorQueue, type ConnectorQueueHost } from '../../src/delivery/connector-queue.ts'
import type { AnsweredAttempt } from '../../src/delivery/disposition.ts'
import { SmartHosts } from '../../src/delivery/hosts.ts'
import type { Passage } from '../../src/delivery/rate-gate.ts'
import { systemResolver } from '../../src/delivery/resolve.ts'
import { itemId, newMessageId } from '../../src/message-id.ts'
import type { LeasedItem, QueueItem } from '../../src/queue/queue.ts'
import { closedPort } from '../support/closed-port.ts'
import { Gate } from '../support/gate.ts'
import { queueItem, recipient, t0 } from '../support/queue-fixtures.ts'
import { ehlo, hangUp, type RawServer, type Script, silence } from '../support/raw-server.ts'
import { RecordedEvents } from '../support/recorded-events.ts'
import { alpha } from '../support/running-delivery.ts'
import { inClear, log, text, told } from '../support/scripted-host.ts'
import { TestClock } from '../support/test-clock.ts'

const minute = 60_000

/** What the queue's host must do, done as plainly as it can be. */
class Desk implements ConnectorQueueHost {
  readonly clock = new TestClock()
  readonly log = log
  readonly schedule = [minute, 5 * minute]
  readonly events = new RecordedEvents()
  readonly record = this.events.record
  readonly random = () => 0
  readonly concluded: { item: LeasedItem; attempt: AnsweredAttempt }[] = []
  readonly givenBack: LeasedItem[] = []
  readonly abandoned: LeasedItem[] = []
  readonly lost = new Set<LeasedItem>()
  conclusion: () => Promise<void> = async () => undefined

  async conclude(item: LeasedItem, attempt: AnsweredAttempt): Promise<void> {
    this.concluded.push({ item, attempt })
    await this.conclusion()
  }

  async giveBack(items: readonly LeasedItem[]): Promise<void> {
    this.givenBack.push(...items)
  }

  abandon(item: LeasedItem): void {
    this.abandoned.push(item)
  }

  body(): Buffer {
    return text
  }

  holds(item: LeasedItem): boolean {
    return !this.lost.has(item)
  }

  async spend(): Promise<Passage> {
    return { granted: true }
  }

  wanting(): void {}

  retiredLanes(): number {
    return 0
  }

  laneEnded(): void {}
}

let desk: Desk
let queue: ConnectorQueue
beforeEach(() => {
  desk = new Desk()
})
afterEach(() => queue.stop(0))

function queueTo(
  host: { port: number },
  change: Partial<Connector> & { connections?: number; messagesPerConnection?: number } = {},
): void {
  const connector = alpha(host, change)
  queue = new ConnectorQueue(
    connector,
    new SmartHosts(connector, { resolver: systemResolver, clock: desk.clock }),
    desk,
  )
}

function leased(to = 'user@example.org', fields: Partial<QueueItem> = {}): LeasedItem {
  const id = itemId(newMessageId(t0), 1)
  const item = queueItem(id, { recipients: [recipient(to)], sizeBytes: text.length, ...fields })
  return { item, lease: { itemId: id, token: '1', expiresAt: t0 }, body: text }
}

const several = (count: number): LeasedItem[] => Array.from({ length: count }, () => leased())
const concluded = (count: number): Promise<void> =>
  expect.poll(() => desk.concluded.length, { timeout: 5000 }).toBe(count)
const givenBack = (count: number): Promise<void> =>
  expect.poll(() => desk.givenBack.length, { timeout: 5000 }).toBe(count)
const state = (kind: string): Promise<void> => expect.poll(() => queue.status.state).toBe(kind)
const sessions = (host: RawServer, count: number): Promise<void> =>
  expect.poll(() => host.sessions.length).toBe(count)
const delivered = (attempt: Attempt): boolean =>
  attempt.scope === 'recipients' && attempt.replies.every((reply) => reply.code === 250)

/** A host that waits at one step until the gate opens. */
function gated(step: string, gate: Gate, answer: string): Script {
  return {
    [step]: async () => {
      await gate.opened
      return answer
    },
  }
}

const ok = '250 2.0.0 Queued as 4711\r\n'

describe('a client waits for its 250', () => {
  it('until a lane takes its next item, where more wait than there are connections', async () => {
    const gates = [new Gate(), new Gate(), new Gate()]
    let dots = 0
    const host = await inClear({
      '.': async () => {
        await gates[dots++]!.opened
        return ok
      },
    })
    queueTo(host, { connections: 1 })
    expect(queue.pace()).toBeNull()
    queue.push(several(3))
    await expect.poll(() => queue.status.attemptsInFlight).toBe(1)
    const proceeded: string[] = []
    const first = queue.pace()?.then(() => proceeded.push('first'))
    gates[0]!.open()
    await concluded(1)
    await first
    expect(proceeded).toEqual(['first'])
    expect(queue.pace()).toBeNull()
    for (const gate of gates) gate.open()
    await concluded(3)
  })

  it('a moment only, where the host is slow', async () => {
    const host = await inClear({ '.': silence })
    queueTo(host, { connections: 1 })
    queue.push(several(5))
    await expect.poll(() => queue.status.attemptsInFlight).toBe(1)
    const pace = queue.pace()
    expect(pace).not.toBeNull()
    await pace
    expect(desk.concluded).toEqual([])
  })

  it('not at all, where the hosts are down and the mail goes to the store', async () => {
    queueTo({ port: await closedPort() }, { connections: 1 })
    queue.push(several(5))
    await state('retry')
    expect(queue.pace()).toBeNull()
  })
})

describe('connections', () => {
  it('carry messages side by side, up to the limit', async () => {
    const gate = new Gate()
    const host = await inClear(gated('.', gate, ok))
    queueTo(host, { connections: 3 })
    queue.push(several(10))
    await expect.poll(() => queue.status).toMatchObject({ connections: 3, attemptsInFlight: 3 })
    gate.open()
    await concluded(10)
    expect(host.sessions).toHaveLength(3)
    expect(desk.concluded.every(({ attempt }) => delivered(attempt))).toBe(true)
  })

  it('carry no more messages than they may, and then a new one is opened', async () => {
    const host = await inClear()
    queueTo(host, { connections: 1, messagesPerConnection: 2 })
    queue.push(several(5))
    await concluded(5)
    expect(host.sessions.map((session) => session.messages.length)).toEqual([2, 2, 1])
  })

  it('are kept for the next message', async () => {
    const host = await inClear()
    queueTo(host)
    queue.push(several(1))
    await concluded(1)
    queue.push(several(1))
    await concluded(2)
    expect(host.sessions).toHaveLength(1)
  })

  it('that the host closed while they were idle are replaced before the next message', async () => {
    const host = await inClear()
    queueTo(host)
    queue.push(several(1))
    await concluded(1)
    host.session.end()
    await host.session.closed
    queue.push(several(1))
    await concluded(2)
    expect(host.sessions.map((session) => session.messages.length)).toEqual([1, 1])
  })

  it('go to the next host where one is down', async () => {
    const host = await inClear()
    queueTo(host, { smartHosts: ['127.0.0.2', '127.0.0.1'] })
    queue.push(several(5))
    await concluded(5)
    expect(desk.concluded.every(({ attempt }) => delivered(attempt))).toBe(true)
    expect(queue.status.state).toBe('ready')
    expect(desk.events.all).toEqual([])
  })

  it('leave in the order of arrival', async () => {
    const host = await inClear()
    queueTo(host, { connections: 1 })
    const items = several(6)
    queue.push(items.slice(0, 2))
    queue.push(items.slice(2))
    await concluded(6)
    expect(desk.concluded.map(({ item }) => item)).toEqual(items)
  })
})

describe('hosts that cannot be reached', () => {
  it('stop the queue: what waits is given back, no attempt is made of it', async () => {
    queueTo({ port: await closedPort() })
    const items = several(30)
    queue.push(items)
    await givenBack(30)
    expect(new Set(desk.givenBack)).toEqual(new Set(items))
    expect(desk.concluded).toEqual([])
    expect(queue.status).toMatchObject({ state: 'retry', fault: 'connect', connections: 0 })
    expect(queue.status.nextAttemptAt).toBe(t0 + minute)
    expect(desk.events.of('connector')).toHaveLength(1)
    expect([queue.wants, queue.takesDirect]).toEqual([0, false])
  })

  it('give back at once what comes after they failed', async () => {
    queueTo({ port: await closedPort() })
    queue.push(several(1))
    await givenBack(1)
    // Such an item was reserved, or claimed, before the failure.
    const late = leased()
    queue.push([late])
    expect(desk.givenBack.at(-1)).toBe(late)
  })

  it('are tried again with one connection, when it is time and not before', async () => {
    const gate = new Gate()
    let up = false
    const host = await inClear({
      connect: async () => {
        if (!up) return hangUp
        await gate.opened
        return '220 mx.example.net ESMTP\r\n'
      },
    })
    queueTo(host)
    queue.push(several(3))
    await state('retry')
    await givenBack(3)
    const before = host.sessions.length
    desk.clock.advance(minute - 1)
    expect(queue.wants).toBe(0)
    desk.clock.advance(1)
    expect(queue.wants).toBe(1)

    up = true
    queue.push(several(5))
    await sessions(host, before + 1)
    expect(queue.wants).toBe(0)
    queue.push(several(5))
    expect(queue.status.connections).toBe(0)
    gate.open()
    await concluded(10)
    expect(queue.status.state).toBe('ready')
    expect(desk.events.of('connector').map((event) => event.state)).toEqual(['retry', 'ready'])
  })

  it('once they are back, are used with all connections for what waits', async () => {
    const end = new Gate()
    let up = false
    const host = await inClear({
      connect: () => (up ? '220 mx.example.net ESMTP\r\n' : hangUp),
      ...gated('.', end, ok),
    })
    queueTo(host)
    queue.push(several(1))
    await state('retry')
    up = true
    desk.clock.advance(minute)
    queue.push(several(6))
    await expect.poll(() => queue.status.attemptsInFlight).toBe(6)
    end.open()
    await concluded(6)
  })

  it('that fail again are left alone for longer, and still nothing is touched', async () => {
    queueTo({ port: await closedPort() })
    queue.push(several(1))
    await givenBack(1)
    desk.clock.advance(minute)
    queue.push(several(2))
    await givenBack(3)
    expect(queue.status.nextAttemptAt).toBe(desk.clock.now() + 5 * minute)
    expect(desk.concluded).toEqual([])
  })

  it('are not taken to be up because of connections that they have closed', async () => {
    let up = true
    const end = new Gate()
    const host = await inClear({
      connect: () => (up ? '220 mx.example.net ESMTP\r\n' : ['421 4.3.2 Going down\r\n', hangUp]),
      ...gated('.', end, ok),
    })
    queueTo(host, { connections: 3 })
    queue.push(several(3))
    await expect.poll(() => queue.status.attemptsInFlight).toBe(3)
    end.open()
    await concluded(3)
    up = false
    for (const session of host.sessions) session.end()
    await Promise.all(host.sessions.map((session) => session.closed))
    queue.push(several(1))
    await state('retry')
    await givenBack(1)
    expect(host.sessions).toHaveLength(4)
  })
})

describe('a host that refuses a further connection while others are up', () => {
  const most = 3
  let end: Gate
  let host: RawServer
  beforeEach(async () => {
    end = new Gate()
    host = await inClear({
      connect: () =>
        host.sessions.length > most
          ? ['421 4.7.0 Too many connections\r\n', hangUp]
          : '220 mx.example.net ESMTP\r\n',
      ...gated('.', end, ok),
    })
    queueTo(host, { connections: 10 })
    queue.push(several(20))
    await expect.poll(() => queue.status).toMatchObject({ attemptsInFlight: most, connections: most })
  })

  it('gets all mail by those that it took', async () => {
    end.open()
    await concluded(20)
    expect(desk.events.all).toEqual([])
    expect(desk.givenBack).toEqual([])
    expect(host.sessions.length).toBeLessThanOrEqual(10)
  })

  it('is asked for no more than it took for a minute, and then again', async () => {
    await sessions(host, 10)
    await expect.poll(() => queue.wants).toBe(0)
    end.open()
    await concluded(20)
    expect(queue.wants).toBe(most * 4)
    desk.clock.advance(minute)
    expect(queue.wants).toBe(10 * 4)
  })
})

it('counts connections that are just being opened among those that a host takes', async () => {
  const end = new Gate()
  const greet = new Gate()
  const host = await inClear({
    connect: async () => {
      if (host.sessions.length === 2) await greet.opened
      return host.sessions.length === 3
        ? ['421 4.7.0 Too many connections\r\n', hangUp]
        : '220 mx.example.net ESMTP\r\n'
    },
    ...gated('.', end, ok),
  })
  queueTo(host, { connections: 3 })
  queue.push(several(1))
  await expect.poll(() => queue.status.attemptsInFlight).toBe(1)
  queue.push(several(1))
  await sessions(host, 2)
  queue.push(several(1))
  await sessions(host, 3)
  await expect.poll(() => queue.wants).toBe(2 * 4 - 1)
  greet.open()
  end.open()
  await concluded(3)
})

describe('a connection that breaks', () => {
  it('costs its message one more connection', async () => {
    let first = true
    const host = await inClear({
      DATA: () => {
        if (!first) return '354 Go on\r\n'
        first = false
        return hangUp
      },
    })
    queueTo(host)
    queue.push(several(1))
    await concluded(1)
    expect(delivered(desk.concluded[0]!.attempt)).toBe(true)
    expect(host.sessions).toHaveLength(2)
  })

  it('twice with the same message defers the message, and the ones behind it go on', async () => {
    const host = await inClear({ 'RCPT TO:<poison@example.org>': hangUp })
    queueTo(host, { connections: 1 })
    const poison = leased('poison@example.org')
    queue.push([poison, ...several(4)])
    await concluded(5)
    const { attempt } = desk.concluded.find(({ item }) => item === poison)!
    expect(told(attempt)).toMatch(/^message: 451 4\.4\.2 Connection lost: /)
    expect(host.sessions.filter(({ commands }) => commands.at(-2)?.includes('poison'))).toHaveLength(2)
    expect(desk.concluded.filter((one) => delivered(one.attempt))).toHaveLength(4)
    expect(queue.status.state).toBe('ready')
  })

  it('with hosts that are gone then touches no message', async () => {
    let up = true
    const host = await inClear({
      connect: () => (up ? '220 mx.example.net ESMTP\r\n' : hangUp),
      DATA: () => {
        up = false
        return hangUp
      },
    })
    queueTo(host)
    queue.push(several(1))
    await givenBack(1)
    expect(desk.concluded).toEqual([])
    expect(queue.status.state).toBe('retry')
  })
})

describe('a login', () => {
  const login: Partial<Connector> = {
    smartHostAuthMechanism: 'basicAuth',
    user: 'newsletter',
    password: 'wrong-horse',
  }
  const withAuth = ehlo('PIPELINING', 'AUTH PLAIN')

  it('that is refused suspends the connector after one try, whatever other hosts there are', async () => {
    const host = await inClear({ EHLO: withAuth, 'AUTH PLAIN': '535 5.7.8 No\r\n' })
    queueTo(host, { ...login, connections: 1, smartHosts: ['127.0.0.1', '127.0.0.1'] })
    queue.push(several(3))
    await givenBack(3)
    expect(queue.status).toMatchObject({ state: 'suspended', fault: 'auth-refused' })
    expect(queue.status.nextAttemptAt).toBe(t0 + 5 * minute)
    expect(host.sessions).toHaveLength(1)
  })

  it('that is refused is not tried by those that were let in before', async () => {
    const end = new Gate()
    const host = await inClear({
      EHLO: withAuth,
      'AUTH PLAIN': () => (host.sessions.length === 1 ? '235 2.7.0 Welcome\r\n' : '535 5.7.8 No\r\n'),
      ...gated('.', end, ok),
    })
    queueTo(host, { ...login, connections: 2, messagesPerConnection: 1 })
    queue.push(several(1))
    await expect.poll(() => queue.status.attemptsInFlight).toBe(1)
    queue.push(several(2))
    await state('suspended')
    end.open()
    await concluded(1)
    await givenBack(2)
    expect(host.sessions).toHaveLength(2)
  })

  it('that is missed only at MAIL suspends the connector and touches no message', async () => {
    const host = await inClear({ MAIL: '530 5.7.0 Authentication required\r\n' })
    queueTo(host, { connections: 1 })
    queue.push(several(2))
    await givenBack(2)
    expect(desk.concluded).toEqual([])
    expect(queue.status).toMatchObject({ state: 'suspended', fault: 'auth-refused' })
  })
})

describe('what waits', () => {
  it('is not sent where its lease was lost meanwhile', async () => {
    const end = new Gate()
    const host = await inClear(gated('.', end, ok))
    queueTo(host, { connections: 1 })
    const [first, second, third] = several(3)
    queue.push([first!, second!, third!])
    await expect.poll(() => queue.status.attemptsInFlight).toBe(1)
    desk.lost.add(second!)
    end.open()
    await concluded(2)
    expect(desk.concluded.map(({ item }) => item)).toEqual([first, third])
    expect(desk.abandoned).toEqual([second])
    expect(host.messages).toHaveLength(2)
  })

  it('is given back when its deadline has passed, and nothing else is', async () => {
    const end = new Gate()
    const host = await inClear(gated('.', end, ok))
    queueTo(host, { connections: 1 })
    const [first, second, third] = [leased(), leased('b@example.org', { delayNoticeAt: t0 + 1 }), leased()]
    queue.push([first, second, third])
    await expect.poll(() => queue.status.attemptsInFlight).toBe(1)
    queue.giveBackOverdue(t0)
    expect(desk.givenBack).toEqual([])
    queue.giveBackOverdue(t0 + 1)
    expect(desk.givenBack).toEqual([second])
    end.open()
    await concluded(2)
    expect(desk.concluded.map(({ item }) => item)).toEqual([first, third])
  })

  it('goes on after an outcome that failed in a way nobody foresaw', async () => {
    const host = await inClear()
    queueTo(host, { connections: 1 })
    const items = several(3)
    desk.conclusion = async () => {
      desk.conclusion = async () => undefined
      throw new Error('unforeseen')
    }
    queue.push(items)
    await concluded(3)
    expect(desk.abandoned).toEqual([items[0]])
  })
})

describe('stop', () => {
  it('finishes what is in flight and gives back what waits', async () => {
    const end = new Gate()
    const host = await inClear(gated('.', end, ok))
    queueTo(host, { connections: 2 })
    queue.push(several(5))
    await expect.poll(() => queue.status.attemptsInFlight).toBe(2)
    const stopped = queue.stop(10_000)
    await givenBack(3)
    expect(desk.concluded).toEqual([])
    end.open()
    await stopped
    expect(desk.concluded.map(({ attempt }) => delivered(attempt))).toEqual([true, true])
    expect(host.sessions.map((session) => session.commands.at(-1))).toEqual(['QUIT', 'QUIT'])
    expect(queue.status).toMatchObject({ connections: 0, attemptsInFlight: 0 })
  })

  it('takes leave on idle connections', async () => {
    const host = await inClear()
    queueTo(host)
    queue.push(several(1))
    await concluded(1)
    await queue.stop(10_000)
    expect(host.session.commands.at(-1)).toBe('QUIT')
  })

  it('cuts off a host that does not answer, and gives its message back', async () => {
    const host = await inClear({ RCPT: silence })
    queueTo(host)
    queue.push(several(2))
    await expect.poll(() => queue.status.attemptsInFlight).toBe(2)
    await queue.stop(50)
    expect(desk.givenBack).toHaveLength(2)
    expect(desk.concluded).toEqual([])
  })

  it('defers as uncertain what was cut off between the final dot and its reply', async () => {
    const host = await inClear({ '.': silence })
    queueTo(host)
    queue.push(several(1))
    await expect.poll(() => host.messages.length).toBe(1)
    await queue.stop(50)
    expect(desk.concluded.map(({ attempt }) => attempt)).toMatchObject([
      { scope: 'message', uncertain: true },
    ])
    expect(desk.givenBack).toEqual([])
  })

  it('does not wait for a connection that is still being opened', async () => {
    const host = await inClear({ connect: silence })
    queueTo(host)
    queue.push(several(1))
    await sessions(host, 1)
    await queue.stop(60_000)
    expect(desk.givenBack).toHaveLength(1)
    expect(queue.status.state).toBe('ready')
  })

  it('gives back what comes after it', async () => {
    queueTo(await inClear())
    await queue.stop(1000)
    queue.push(several(1))
    expect(desk.givenBack).toHaveLength(1)
    expect([queue.wants, queue.takesDirect]).toEqual([0, false])
  })
})
