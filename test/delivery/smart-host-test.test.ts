/** A test of a connector comes to an end, whatever its hosts do; what it finds is tested with the command that prints it. */
import { afterEach, expect, it } from 'vitest'
import type { Connector } from '../../src/config/connector.ts'
import { connectorSchema } from '../../src/config/schema.ts'
import { testHosts } from '../../src/delivery/smart-host-test.ts'
import { RawServer, silence } from '../support/raw-server.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function silentHosts(...smartHosts: string[]): Promise<{ connector: Connector; host: RawServer }> {
  const host = await RawServer.start({ script: { connect: silence } })
  closing.push(() => host.close())
  const settings = connectorSchema.parse({ id: 5, name: 'Silent', smartHosts, port: host.port })
  return {
    host,
    connector: { ...settings, password: null, ca: null, clientCertificate: null, fqdn: 'a.example.com' },
  }
}

const told = ({ hosts }: Awaited<ReturnType<typeof testHosts>>) =>
  hosts.map(({ smartHost, steps }) => `${smartHost} ${steps.at(-1)!.step}: ${steps.at(-1)!.text}`)

it('begins with no further host once its time is over', async () => {
  const { connector, host } = await silentHosts('127.0.0.1', '192.0.2.1', '192.0.2.2')
  const tested = await testHosts(connector, { openMs: 50, beginMs: 40 })
  expect(tested.ok).toBe(false)
  expect(told(tested)).toEqual([
    expect.stringMatching(/^127\.0\.0\.1 greeting: .*timed out/),
    '192.0.2.1 resolve: not tried: the hosts before it took too long',
    '192.0.2.2 resolve: not tried: the hosts before it took too long',
  ])
  expect(host.sessions).toHaveLength(1)
})

it('ends with its signal', async () => {
  const { connector, host } = await silentHosts('127.0.0.1', '192.0.2.1')
  const left = new AbortController()
  const testing = testHosts(connector, { signal: left.signal })
  await expect.poll(() => host.sessions.length).toBe(1)
  left.abort()
  expect((await testing).hosts).toHaveLength(2)
  await host.session.closed
})
