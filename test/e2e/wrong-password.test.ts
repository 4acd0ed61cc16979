/** A password that is wrong stops the connector, not the mail: few attempts, since many lock an account. */
import { expect, it } from 'vitest'
import { permanent } from '../../src/reply.ts'
import { quickRetries, startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { load } from '../support/submit.ts'

it('suspends the connector, keeps its mail, and delivers it once the password is right again', async () => {
  const host = await startHost()
  host.switches.refuseAuth = permanent('7.8', 'Authentication credentials invalid', 535)
  const relay = await startRelay({
    connectors: [connectorTo(host.port)],
    delivery: { ...quickRetries, connectionRetry: ['1s', '2s'] },
  })
  const runs = [await load(relay, { run: 'locked', sessions: 20, messages: 200 })]
  const line = await relay.line((one) => one.event === 'connector' && one.state === 'suspended')
  expect(line).toMatchObject({ fault: 'auth-refused', reply: '535 5.7.8 Authentication credentials invalid' })
  const [connector] = await relay.connectors()
  expect(connector).toMatchObject({ state: 'suspended', fault: 'auth-refused' })
  const { stdout } = await relay.queueCommand('list', '--limit', '1')
  expect(stdout).toContain('535 5.7.8 Authentication credentials invalid')
  expect(await relay.metrics()).toContain('relay_connector_state{connector="1",state="suspended"} 1')
  expect(await balanceOf({ runs, hosts: [host], relays: [relay] })).toEqual(balanced({ queued: 200 }))

  // Each probe is one login, and waits for the schedule's last step; the first one went ahead alone.
  await relay.until(() => relay.events('connector').length >= 2)
  expect(host.counts.authenticationsRefused).toBe(relay.events('connector').length)
  host.switches.refuseAuth = null
  await host.received(200)
  expect(await balanceOf({ runs, hosts: [host], relays: [relay] })).toEqual(balanced({ delivered: 200 }))
})
