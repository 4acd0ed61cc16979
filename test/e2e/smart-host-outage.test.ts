/** A smart host that comes and goes: what was accepted meanwhile is kept, and leaves when it is back. */
import { expect, it } from 'vitest'
import type { Sandbox } from '../../src/lab/sandbox.ts'
import { quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo, type RelayProcess } from '../support/relay-process.ts'
import { load, submit } from '../support/submit.ts'

/** The connector's line that says so, after an instant where one is given. */
function stateOf(relay: RelayProcess, state: string, since = '') {
  return relay.line(
    (line) => line.event === 'connector' && line.state === state && String(line.time) >= since,
  )
}

it('keeps mail while the smart host is down, and relays it each time it comes back', async () => {
  const hosts: Sandbox[] = [await startHost()]
  const { port } = hosts[0]!
  const relay = await startRelay({ connectors: [connectorTo(port)], delivery: quickRetries })
  const runs = [await load(relay, { run: 'up' })]
  await hosts[0]!.received(40)

  for (const run of ['down', 'down-again']) {
    await hosts.at(-1)!.stop()
    const stopped = new Date().toISOString()
    runs.push(await load(relay, { run }))
    await stateOf(relay, 'retry', stopped)
    const back = await startHost({ port })
    hosts.push(back)
    await stateOf(relay, 'ready', stopped)
    await back.received(40)
  }
  expect(await balanceOf({ runs, hosts, relays: [relay] })).toEqual(balanced({ delivered: 120 }))
})

it('says why mail waits, and when it is tried again, and makes no attempt of it', async () => {
  const gone = await startHost()
  await gone.stop()
  const relay = await startRelay({
    connectors: [connectorTo(gone.port)],
    delivery: { connectionRetry: ['1h'] },
  })
  const accepted = [await submit(relay, { to: ['first@example.org'] })]
  const line = await stateOf(relay, 'retry')
  accepted.push(await submit(relay, { to: ['second@example.org'] }))
  expect(line).toMatchObject({ level: 'warn', fault: 'connect', host: `[127.0.0.1]:${gone.port}` })
  const reason = expect.stringMatching(
    /^\[127\.0\.0\.1\]:\d+: 451 4\.4\.1 Cannot connect: .*\(ECONNREFUSED\)$/,
  )
  const [connector] = await relay.connectors()
  expect(connector).toMatchObject({ state: 'retry', fault: 'connect', lastError: reason })
  expect(connector!.nextAttemptAt).toBe(line.nextAttemptAt)
  for (const item of await relay.queue())
    expect(item).toMatchObject({
      ...{ state: 'ready', attempts: 0, lastError: reason },
      nextAttemptAt: line.nextAttemptAt,
    })
  const { stdout } = await relay.queueCommand('list')
  expect(stdout.match(/ECONNREFUSED/g)).toHaveLength(2)
  expect(await relay.metrics()).toContain('relay_connector_state{connector="1",state="retry"} 1')
  expect(await balanceOf({ accepted, hosts: [gone], relays: [relay] })).toEqual(balanced({ queued: 2 }))
})

it('leaves other connectors alone while one is down', async () => {
  const gone = await startHost()
  await gone.stop()
  const host = await startHost()
  const relay = await startRelay({
    connectors: [
      connectorTo(gone.port, { id: 'down', name: 'Down', addressSpaces: ['example.net'] }),
      connectorTo(host.port),
    ],
    delivery: { connectionRetry: ['1h'] },
  })
  const accepted = [await submit(relay, { to: ['waits@example.net'] })]
  await stateOf(relay, 'retry')
  accepted.push(await submit(relay, { to: ['goes@example.org'] }))
  await host.received(1)
  expect(await balanceOf({ accepted, hosts: [host, gone], relays: [relay] })).toEqual(
    balanced({ delivered: 1, queued: 1 }),
  )
})
