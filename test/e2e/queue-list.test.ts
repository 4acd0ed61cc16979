/** `relay queue list --json` is an interface: other programs read these fields. */
import { expect, it } from 'vitest'
import { startHost, startRelay } from '../support/end-to-end.ts'
import { balanced, balanceOf } from '../support/mail-ledger.ts'
import { connectorTo } from '../support/relay-process.ts'
import { submit } from '../support/submit.ts'

it('prints one object per item, with exactly the fields that are promised', async () => {
  const gone = await startHost()
  await gone.stop()
  const relay = await startRelay({
    connectors: [connectorTo(gone.port)],
    delivery: { connectionRetry: ['1h'] },
  })
  const accepted = [
    await submit(relay, { to: ['anna@example.org', 'bert@example.org'] }),
    await submit(relay, { from: '', to: ['carl@example.org'] }),
  ]
  await relay.line((line) => line.event === 'connector')
  const { code, stdout } = await relay.queueCommand('list', '--json')
  expect(code).toBe(0)
  const items = stdout.trimEnd().split('\n')
  expect(items).toHaveLength(2)
  const item = JSON.parse(items[0]!) as Record<string, unknown>
  expect(Object.keys(item)).toEqual([
    ...['id', 'messageId', 'connector', 'state', 'from', 'recipients', 'attempts', 'nextAttemptAt'],
    ...['lastError', 'holdReason', 'receivedAt', 'expiresAt', 'sizeBytes', 'client'],
  ])
  expect(item).toEqual({
    id: `${item.messageId}-1`,
    messageId: relay.events('accepted')[0]!.messageId,
    connector: '1',
    state: 'ready',
    from: 'sender@example.com',
    recipients: [
      { address: 'anna@example.org', state: 'pending', lastReply: null },
      { address: 'bert@example.org', state: 'pending', lastReply: null },
    ],
    attempts: 0,
    nextAttemptAt: (await relay.connectors())[0]!.nextAttemptAt,
    lastError: expect.stringContaining('ECONNREFUSED'),
    holdReason: null,
    receivedAt: expect.any(Number),
    expiresAt: Number(item.receivedAt) + 2 * 86_400_000,
    sizeBytes: relay.events('accepted')[0]!.sizeBytes,
    client: { address: '127.0.0.1', listener: 'exchange', user: null },
  })
  expect(JSON.parse(items[1]!)).toMatchObject({ from: '', recipients: [{ address: 'carl@example.org' }] })
  expect((await relay.queueCommand('list', '--json', '--recipient', 'carl@example.org')).stdout).toBe(
    `${items[1]}\n`,
  )
  expect(await balanceOf({ accepted, hosts: [gone], relays: [relay] })).toEqual(balanced({ queued: 3 }))
})
