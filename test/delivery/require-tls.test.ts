/** Messages that require TLS, at connectors that take it only where a smart host offers it. */
import { expect, it } from 'vitest'
import type { Connector } from '../../src/config/connector.ts'
import { resolutionMs } from '../../src/delivery/hosts.ts'
import { t0 } from '../support/queue-fixtures.ts'
import { ehlo, type RawServer, reset } from '../support/raw-server.ts'
import { alpha, RunningDelivery, to } from '../support/running-delivery.ts'
import { certificates, inClear, start } from '../support/scripted-host.ts'

const minute = 60_000
const refused = '4.7.30'

const requiring = { items: [{ requireTls: true }] }

/** What was said in clear, but for the beginning of TLS. */
const inClearAt = (host: RawServer): string =>
  host.sessions.map(({ clear }) => clear.replace(/\x16\x03[\s\S]*$/, '')).join('')

/** One name, two hosts: the first in clear, the second with TLS. */
async function twoHosts(): Promise<{ clear: RawServer; secure: RawServer; connector: Connector }> {
  const clear = await inClear()
  const secure = await start({ address: '127.0.0.2', port: clear.port, tls: certificates.good })
  const connector = alpha(clear, {
    smartHosts: ['127.0.0.1', '127.0.0.2'],
    tlsAuthLevel: 'encryptionOnly',
    connections: 1,
  })
  return { clear, secure, connector }
}

it('wait where the host offers none, and other mail goes on over the same connection', async () => {
  const host = await inClear()
  const running = await RunningDelivery.prepare({ connectors: [alpha(host, { connections: 1 })] })
  const [one] = await running.store({ ...requiring, receivedAt: t0 - 4 })
  await running.store({ receivedAt: t0 - 3 })
  const [two] = await running.store({ ...requiring, receivedAt: t0 - 2 })
  await running.store({ receivedAt: t0 - 1 })
  running.delivery.start()
  await running.events.until('delivered', 2)
  const deferred = await running.events.until('deferred', 2)
  expect(deferred.map(({ itemId }) => itemId)).toEqual([one!.id, two!.id])
  for (const event of deferred) {
    expect(event).toMatchObject({ attempts: 1, uncertain: false, nextAttemptAt: t0 + 5 * minute })
    expect(event.recipients[0]!.reply).toMatchObject({ code: 451, enhanced: refused })
  }
  expect(running.state()).toBe('ready')
  expect(await running.items()).toMatchObject([
    { id: one!.id, requireTls: true, attempts: 1, lastError: expect.stringContaining(refused) },
    { id: two!.id, requireTls: true },
  ])
  expect(host.sessions).toHaveLength(1)
  expect(host.messages).toHaveLength(2)
  for (const { id } of [one!, two!]) expect(inClearAt(host)).not.toContain(id.slice(0, 20))
})

it('go over the one of several hosts that offers it, and stay there', async () => {
  const { clear, secure, connector } = await twoHosts()
  const running = await RunningDelivery.prepare({ connectors: [connector] })
  await running.store({ receivedAt: t0 - 9 })
  for (let n = 0; n < 3; n++) await running.store(requiring)
  running.delivery.start()
  const delivered = await running.events.until('delivered', 4)
  expect(delivered.map(({ host }) => host)).toEqual(
    ['127.0.0.1', ...Array.from({ length: 3 }, () => '127.0.0.2')].map((at) => `[${at}]:${clear.port}`),
  )
  expect(secure.sessions).toHaveLength(1)
  expect(inClearAt(secure)).not.toMatch(/MAIL|RCPT|DATA/)
  expect(running.events.of('deferred')).toEqual([])
})

it('are not in the way of others where the host with TLS is down, and go when it is back', async () => {
  const clear = await inClear()
  const connector = alpha(clear, {
    smartHosts: ['127.0.0.1', '127.0.0.2'],
    tlsAuthLevel: 'encryptionOnly',
    connections: 1,
  })
  const running = await RunningDelivery.prepare({ connectors: [connector] })
  const [item] = await running.store(requiring)
  await running.store()
  running.delivery.start()
  await running.events.until('delivered', 1)
  expect(await running.events.until('deferred')).toMatchObject([{ itemId: item!.id, attempts: 1 }])
  expect(running.state()).toBe('ready')
  expect(running.events.of('connector')).toEqual([])

  const secure = await start({ address: '127.0.0.2', port: clear.port, tls: certificates.good })
  running.clock.advance(5 * minute)
  expect((await running.events.until('delivered', 2))[1]).toMatchObject({ itemId: item!.id, attempts: 2 })
  expect(secure.messages).toHaveLength(1)
})

it('ask a host that had none again after a while', async () => {
  const offer = { tls: false }
  const host = await start({
    tls: certificates.good,
    script: { EHLO: () => ehlo('PIPELINING', ...(offer.tls ? ['STARTTLS'] : [])) },
  })
  const connector = alpha(host, { tlsAuthLevel: 'encryptionOnly', connections: 1 })
  const running = await RunningDelivery.start({ connectors: [connector] })
  await running.accept(requiring)
  await running.events.until('deferred')
  offer.tls = true
  running.clock.advance(resolutionMs)
  await running.events.until('delivered')
  expect(inClearAt(host)).not.toMatch(/MAIL/)
  expect(host.sessions.at(-1)!.tls).not.toBeNull()
})

it('never fall back to clear where TLS breaks off', async () => {
  const { clear, secure, connector } = await twoHosts()
  await secure.close()
  const broken = await start({
    ...{ address: '127.0.0.2', port: clear.port },
    script: { STARTTLS: ['220 Go\r\n', reset] },
  })
  const running = await RunningDelivery.start({ connectors: [connector] })
  await running.accept(requiring)
  await running.events.until('deferred')
  expect(inClearAt(clear) + inClearAt(broken)).not.toMatch(/MAIL/)
  expect(running.state()).toBe('ready')
})

it('count against no rate limit while they cannot be sent', async () => {
  const host = await inClear()
  const limits = { ...alpha(host).limits, messagesPerHour: 1 }
  const running = await RunningDelivery.start({ connectors: [alpha(host, { limits })] })
  await running.accept(requiring)
  await running.events.until('deferred')
  expect(running.queue.calls('spend')).toBe(0)
  await running.accept()
  await running.events.until('delivered')
})

it('expire at last, and the DSN says why, without anything of the message', async () => {
  const host = await inClear()
  const running = await RunningDelivery.start({
    connectors: [alpha(host, { connections: 1 })],
    place: () => to('alpha'),
  })
  const body = Buffer.from('Subject: Confidential\r\n\r\nHello\r\n')
  const { item } = await running.accept({ body, items: [{ requireTls: true, expiresAt: t0 + minute }] })
  await running.events.until('deferred')
  running.clock.advance(minute)
  const [expired] = await running.events.until('expired')
  expect(expired).toMatchObject({ itemId: item.id })
  expect(expired!.recipients[0]!.reply).toMatchObject({ enhanced: refused })
  await running.events.until('delivered')
  const report = host.messages[0]!.data.toString('latin1')
  expect(report).toContain('Status: 4.7.30\r\n')
  expect(report).toContain('451 4.7.30 The message requires TLS, which the smart host does not offer')
  expect(report).toContain(item.internetMessageId)
  expect(report).not.toContain('Confidential')
})
