/**
 * Connectors and bindings made, changed and removed over the API while a relay runs: mail that is queued already
 * follows, nothing is lost, and two relays on one Redis do as one of them was told.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { LoadResult } from '../../src/lab/load.ts'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { closedPort } from '../support/closed-port.ts'
import { closeAfterwards, quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { redisAvailable, startRedis } from '../support/redis.ts'
import { patient, untilEmpty } from '../support/relay-load.ts'
import { RelayProcess } from '../support/relay-process.ts'
import { queueOn } from '../support/stores.ts'
import { load, submit } from '../support/submit.ts'

let made = 0

/** As the wizard would send it; the password too. */
function connectorInput(port: number, change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: `Provider ${++made}`,
    addressSpaces: ['*'],
    smartHosts: ['127.0.0.1'],
    port,
    smartHostAuthMechanism: 'basicAuthRequireTLS',
    user: 'sandbox',
    password: 'sandbox',
    tlsAuthLevel: 'encryptionOnly',
    ...change,
  }
}

/** The answer to a call that must succeed. */
async function done(relay: RelayProcess, method: string, path: string, body?: unknown) {
  const { code, json } = await relay.ask(method, path, body)
  if (code >= 300) throw new Error(`${method} ${path}: ${code} ${JSON.stringify(json)}`)
  return json
}

const make = async (relay: RelayProcess, input: Record<string, unknown>): Promise<string> =>
  (await done(relay, 'POST', '/connectors', input)).connector.connector
const versionOf = async (relay: RelayProcess, id: string): Promise<number> =>
  (await done(relay, 'GET', `/connectors/${id}`)).version

async function change(relay: RelayProcess, id: string, settings: Record<string, unknown>): Promise<void> {
  await done(relay, 'PATCH', `/connectors/${id}`, { version: await versionOf(relay, id), ...settings })
}

async function remove(relay: RelayProcess, id: string): Promise<void> {
  await done(relay, 'DELETE', `/connectors/${id}?version=${await versionOf(relay, id)}`)
}

/** Mail of this run, accepted and queued: no smart host takes it. */
async function backlog(relay: RelayProcess, run: string, messages = 20): Promise<LoadResult> {
  const result = await load(relay, { run, messages })
  expect(result.accepted).toBe(messages)
  await relay.until(() => relay.events('connector').length > 0)
  return result
}

const untilUnreachable = (relay: RelayProcess, messages: number): Promise<void> =>
  expect
    .poll(async () => (await relay.queue()).map(({ connector, state }) => `${connector} ${state}`), {
      timeout: 10_000,
    })
    .toEqual(Array(messages).fill('unreachable deferred'))

const config = { connectors: [], routing: { unroutable: 'hold' }, delivery: quickRetries }

describe('mail that is queued', { timeout: 60_000 }, () => {
  it('leaves by the smart hosts that its connector has by then', async () => {
    const relay = await startRelay(config)
    const id = await make(relay, connectorInput(await closedPort()))
    const run = await backlog(relay, 'moved')
    const host = await startHost()
    await change(relay, id, { port: host.port })
    await untilEmpty(relay)
    expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 20 }),
    )
  })

  it('leaves as soon as its connector has the right password', async () => {
    const host = await startHost()
    const relay = await startRelay({ ...config, delivery: { connectionRetry: ['1h'] } })
    const id = await make(relay, connectorInput(host.port, { password: 'wrong' }))
    const run = await backlog(relay, 'password')
    expect(await relay.connectors()).toMatchObject([{ connector: id, state: 'suspended' }])
    await done(relay, 'PUT', `/connectors/${id}/authentication`, {
      version: await versionOf(relay, id),
      smartHostAuthMechanism: 'basicAuthRequireTLS',
      user: 'sandbox',
      password: 'sandbox',
    })
    await untilEmpty(relay)
    expect(await relay.connectors()).toMatchObject([{ connector: id, state: 'ready' }])
    expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 20 }),
    )
  })

  it.each(['disabled', 'removed'])('leaves by another where its connector is %s', async (how) => {
    const relay = await startRelay(config)
    const host = await startHost()
    const first = await make(relay, connectorInput(await closedPort(), { addressSpaces: ['SMTP:*;1'] }))
    const second = await make(relay, connectorInput(host.port, { addressSpaces: ['SMTP:*;5'] }))
    const run = await backlog(relay, 'rerouted')
    expect(new Set((await relay.queue()).map(({ connector }) => connector))).toEqual(new Set([first]))
    if (how === 'disabled') await done(relay, 'POST', `/connectors/${first}/disable`, {})
    else await remove(relay, first)
    await untilEmpty(relay)
    await relay.until(() => relay.events('delivered').length === 20)
    expect(new Set(relay.events('delivered').map(({ connector }) => connector))).toEqual(new Set([second]))
    expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 20 }),
    )
  })

  it('waits as unreachable where nothing takes it, and leaves once a binding or a connector does', async () => {
    const relay = await startRelay(config)
    const id = await make(relay, connectorInput(await closedPort()))
    const run = await backlog(relay, 'unreachable', 5)
    await remove(relay, id)
    await untilUnreachable(relay, 5)
    const host = await startHost()
    const bound = await make(relay, connectorInput(host.port, { addressSpaces: [] }))
    expect(bound).not.toBe(id)
    await done(relay, 'PUT', '/senders/sender@example.com', { connector: bound })
    await untilEmpty(relay)
    expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
      balanced({ delivered: 5 }),
    )
  })
})

it('kill -9 takes nothing of what was configured, nor of what waits for it', {
  timeout: 60_000,
}, async () => {
  const relay = await startRelay(config)
  const host = await startHost()
  const id = await make(relay, connectorInput(await closedPort(), { addressSpaces: [] }))
  await done(relay, 'PUT', '/senders/sender@example.com', { connector: id })
  const run = await backlog(relay, 'killed')
  await change(relay, id, { port: host.port, enabled: false })
  const before = await done(relay, 'GET', `/connectors/${id}`)
  await relay.kill9()
  await relay.restart()
  expect(await done(relay, 'GET', `/connectors/${id}`)).toMatchObject({
    version: before.version,
    settings: before.settings,
    senders: 1,
  })
  await done(relay, 'POST', `/connectors/${id}/enable`, {})
  await untilEmpty(relay)
  expect(await balanceOf({ runs: [run], hosts: [host], relays: [relay] })).toEqual(
    balanced({ delivered: 20 }),
  )
})

it('keeps the mail of a connector whose password it cannot open, until it can', {
  timeout: 60_000,
}, async () => {
  const key = (byte: number) => Buffer.alloc(32, byte).toString('base64')
  const state = (name: string) => ({ state: { key: { env: name } } })
  // It says as an error what it cannot open.
  const relay = await RelayProcess.start({ ...config, ...state('KEY') }, { KEY: key(1), OTHER: key(2) })
  closeAfterwards(() => relay.destroy())
  const [host, other] = [await startHost(), await startHost()]
  const id = await make(relay, connectorInput(await closedPort(), { addressSpaces: ['SMTP:*;1'] }))
  const run = await backlog(relay, 'sealed')
  await relay.stop()
  await relay.restart(state('OTHER'))
  await make(relay, connectorInput(other.port, { addressSpaces: ['SMTP:*;5'], name: 'Other' }))
  await pause(1000)
  expect((await relay.queue()).map(({ connector, attempts }) => [connector, attempts])).toEqual(
    Array(20).fill([id, 0]),
  )
  await relay.stop()
  await relay.restart({ state: { key: { env: 'OTHER' }, formerKeys: [{ env: 'KEY' }] } })
  await change(relay, id, { port: host.port })
  await untilEmpty(relay)
  expect(other.ledger).toEqual([])
  expect(await balanceOf({ runs: [run], hosts: [host, other], relays: [relay] })).toEqual(
    balanced({ delivered: 20 }),
  )
})

describe.skipIf(!redisAvailable)('two relays on one Redis', { timeout: 120_000 }, () => {
  async function twoRelays(): Promise<readonly [RelayProcess, RelayProcess]> {
    const redis = await startRedis()
    closeAfterwards(() => redis.destroy())
    const shared = { ...config, queue: queueOn(redis), state: { key: { env: 'STATE_KEY' } } }
    const env = { STATE_KEY: Buffer.alloc(32, 7).toString('base64') }
    return [await startRelay(shared, env), await startRelay(shared, env)]
  }

  it('one follows within a second what the other was told', async () => {
    const [told, other] = await twoRelays()
    const hosts = [await startHost(), await startHost()] as const
    const id = await make(told, connectorInput(hosts[0].port))
    await untilKnown(other, id, 1000)
    const first = await submit(other, { to: ['first@example.org'] })
    await hosts[0].received(1)
    await change(told, id, { port: hosts[1].port })
    const port = async () => (await done(other, 'GET', `/connectors/${id}`)).settings.port
    await expect.poll(port, { timeout: 1000, interval: 20 }).toBe(hosts[1].port)
    const second = await submit(other, { to: ['second@example.org'] })
    await hosts[1].received(1)
    expect(await balanceOf({ accepted: [first, second], hosts, relays: [told, other] })).toEqual(
      balanced({ delivered: 2 }),
    )
  })

  it('nothing is lost or sent astray while connectors are made, changed and removed under load', async () => {
    const relays = await twoRelays()
    const [a, b] = relays
    const hosts = [await startHost(), await startHost(), await startHost()] as const
    const own = await startHost()
    await untilKnown(b, await make(a, connectorInput(hosts[0].port, { addressSpaces: ['SMTP:*;50'] })))
    let ended = false
    // Of a sender that is bound, while the load runs, to a connector that is made then.
    const bound = (async () => {
      await pause(1000)
      const id = await make(b, connectorInput(own.port, { addressSpaces: [], limits: { connections: 2 } }))
      await done(b, 'PUT', '/senders/bound@example.com', { connector: id })
      return load(b, { ...patient, run: 'bound', from: ['bound@example.com'], messages: 200, sessions: 2 })
    })()
    const runs = relays.map((relay, n) =>
      load(relay, { ...patient, run: `node-${n}`, sessions: 3, messages: 800 }),
    )
    const changes = (async () => {
      for (let turn = 0; !ended; turn++) await churn(relays, { turn, hosts })
    })()
    const loads = Promise.all([...runs, bound]).finally(() => {
      ended = true
    })
    const [results] = await Promise.all([loads, changes])
    await untilEmpty(a, 30_000)
    const messages = results.reduce((sum, { accepted }) => sum + accepted, 0)
    expect(messages).toBe(1800)
    expect(await balanceOf({ runs: results, hosts: [...hosts, own], relays })).toEqual(
      balanced({ delivered: messages }),
    )
    for (const host of hosts) expect(host.ledger.length).toBeGreaterThan(0)
    expect(own.ledger.map(({ from }) => from)).toEqual(Array(200).fill('bound@example.com'))
  })
})

/** A node that does not know a connector yet may know that there is mail for it: then it shows no version. */
async function untilKnown(relay: RelayProcess, id: string, timeout = 10_000): Promise<void> {
  const version = async () => (await relay.ask('GET', `/connectors/${id}`)).json.version
  await expect.poll(version, { timeout, interval: 20 }).toEqual(expect.any(Number))
}

/** Makes a connector that is preferred for a while, on one node; changes and removes it on the other. */
async function churn(
  relays: readonly [RelayProcess, RelayProcess],
  { turn, hosts }: { turn: number; hosts: readonly [Sandbox, Sandbox, Sandbox] },
): Promise<void> {
  const [one, other] = turn % 2 === 0 ? relays : [relays[1], relays[0]]
  const input = { addressSpaces: ['SMTP:*;5'], limits: { connections: 2 } }
  const id = await make(one, connectorInput(hosts[1].port, input))
  await untilKnown(other, id)
  await pause(150)
  await change(other, id, { port: hosts[2].port })
  await pause(150)
  if (turn % 3 === 0) {
    await done(other, 'POST', `/connectors/${id}/disable`, {})
    await done(other, 'POST', `/connectors/${id}/enable`, {})
  }
  await remove(other, id)
}
