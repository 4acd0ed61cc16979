import { expect, it } from 'vitest'
import { reroute } from '../../src/delivery/reroute.ts'
import { itemId, newMessageId } from '../../src/message-id.ts'
import type { QueuedRecipient, QueueItem } from '../../src/queue/queue.ts'
import { permanent, success } from '../../src/reply.ts'

const messageId = newMessageId(1_000)

function recipient(address: string, state: QueuedRecipient['state'] = 'pending'): QueuedRecipient {
  return {
    address,
    notify: null,
    orcpt: null,
    state,
    lastReply: state === 'pending' ? null : success('1.5', 'Ok'),
    lastHost: null,
  }
}

function item(recipients: readonly QueuedRecipient[], change: Partial<QueueItem> = {}): QueueItem {
  return {
    id: itemId(messageId, 1),
    messageId,
    connector: 'removed',
    sender: { from: 'a@example.com', bodyType: '7bit', smtpUtf8: false, ret: null, envid: null },
    recipients,
    client: { address: '127.0.0.1', listener: 'exchange', user: null },
    internetMessageId: null,
    eightBit: false,
    sizeBytes: 100,
    receivedAt: 1_000,
    expiresAt: 90_000,
    delayNoticeAt: 50_000,
    attempts: 3,
    nextAttemptAt: 70_000,
    suspended: null,
    requireTls: false,
    boundMark: false,
    lastError: null,
    ...change,
  }
}

const to = (connector: string) => ({ kind: 'connector', connector }) as const
const nowhere = { kind: 'unreachable', reply: permanent('4.4', 'No connector takes example.net') } as const

it('moves an item whose recipients all have one way, due now, attempts kept', () => {
  const moved = reroute(item([recipient('x@example.org'), recipient('y@example.org')]), {
    place: () => to('29'),
    now: 5_000,
  })
  expect(moved).toHaveLength(1)
  expect(moved[0]).toMatchObject({
    id: itemId(messageId, 1),
    connector: '29',
    nextAttemptAt: 5_000,
    attempts: 3,
  })
})

it('splits an item whose recipients go different ways; ids differ, no recipient is lost or doubled', () => {
  const original = item([recipient('x@example.org'), recipient('y@example.net'), recipient('z@example.com')])
  const moved = reroute(original, { place: (address) => to(address.slice(2)), now: 5_000 })
  expect(moved.map((one) => one.connector)).toEqual(['example.org', 'example.net', 'example.com'])
  expect(new Set(moved.map((one) => one.id)).size).toBe(3)
  expect(moved.flatMap((one) => one.recipients).map((one) => one.address)).toEqual([
    'x@example.org',
    'y@example.net',
    'z@example.com',
  ])
})

it('gives splits of two items of one message ids that cannot meet', () => {
  const recipients = [recipient('x@example.org'), recipient('y@example.net')]
  const place = (address: string) => to(address)
  const first = reroute(item(recipients), { place, now: 1 })
  const second = reroute(item(recipients, { id: itemId(messageId, 2) }), { place, now: 1 })
  expect(new Set([...first, ...second].map((one) => one.id)).size).toBe(4)
})

it('keeps recipients that are done with the first item', () => {
  const moved = reroute(
    item([
      recipient('done@example.org', 'delivered'),
      recipient('x@example.net'),
      recipient('y@example.org'),
    ]),
    {
      place: (address) => to(address.slice(2)),
      now: 1,
    },
  )
  expect(moved.map((one) => one.recipients.map((r) => r.address))).toEqual([
    ['done@example.org', 'x@example.net'],
    ['y@example.org'],
  ])
})

it('keeps what has no way as unreachable until it expires, with the reason', () => {
  const [moved] = reroute(item([recipient('x@example.net')]), { place: () => nowhere, now: 5_000 })
  expect(moved).toMatchObject({
    connector: 'unreachable',
    nextAttemptAt: 90_000,
    lastError: '550 5.4.4 No connector takes example.net',
  })
})

it.each([
  ['its binding', 'senderDomain', true],
  ['an address space', 'addressSpace', false],
  ['the default', 'default', false],
] as const)('a marked item that now leaves by %s keeps its mark only there', (_what, rule, boundMark) => {
  const place = (connector: string) => ({ ...to(connector), why: { rule } })
  const marked = item([recipient('x@example.org')], { boundMark: true })
  expect(reroute(marked, { place, now: 1 })).toMatchObject([{ boundMark }])
  const unmarked = item([recipient('x@example.org')])
  expect(reroute(unmarked, { place, now: 1 })).toMatchObject([{ boundMark: false }])
})

it('splits who leaves by the binding from who leaves by the same connector otherwise', () => {
  const place = (address: string) =>
    ({ ...to('29'), why: { rule: address.endsWith('org') ? 'senderAddress' : 'default' } }) as const
  const original = item([recipient('x@example.org'), recipient('y@example.net')], { boundMark: true })
  expect(reroute(original, { place, now: 1 })).toMatchObject([
    { connector: '29', boundMark: true, recipients: [{ address: 'x@example.org' }] },
    { connector: '29', boundMark: false, recipients: [{ address: 'y@example.net' }] },
  ])
})
