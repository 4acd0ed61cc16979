import { describe, expect, it } from 'vitest'
import { itemView, itemViewSchema } from '../../../src/admin/queue/item-view.ts'
import { connectorStatus, listedItem } from './queue-items.ts'

it('shows an item with the fields that are documented, and no others', () => {
  const view = itemView(listedItem(), connectorStatus())
  expect(view).toEqual({
    id: '01JABCDEFGHJKMNPQRST-1',
    messageId: '01JABCDEFGHJKMNPQRST',
    connector: '29',
    state: 'ready',
    from: 'a@example.com',
    recipients: [
      { address: 'b@example.org', state: 'pending', lastReply: '452 4.2.2 Mailbox full' },
      { address: 'c@example.org', state: 'delivered', lastReply: null },
    ],
    attempts: 1,
    nextAttemptAt: 1_300_000,
    lastError: null,
    holdReason: null,
    receivedAt: 1_000_000,
    expiresAt: 173_800_000,
    sizeBytes: 4096,
    client: { address: '192.0.2.1', listener: 'exchange', user: null },
  })
  expect(itemViewSchema.parse(view)).toEqual(view)
})

describe('what an item waits for', () => {
  const stopped = connectorStatus({
    state: 'retry',
    fault: 'tls',
    lastError: 'certificate has expired',
    nextAttemptAt: 2_000_000,
  })
  const atLimit = connectorStatus({ waitingUntil: 2_000_000, waitingFor: 'messagesPerDay' })
  it.each([
    [
      'its own schedule, at a connector that works',
      listedItem({ lastError: 'full' }),
      connectorStatus(),
      1_300_000,
      'full',
    ],
    ['nothing, at a connector that works', listedItem(), connectorStatus(), 1_300_000, null],
    ['the connector that stopped', listedItem(), stopped, 2_000_000, 'certificate has expired'],
    [
      'the connector, also after a refusal of its own that is due before',
      listedItem({ lastError: 'full' }),
      stopped,
      2_000_000,
      'certificate has expired',
    ],
    [
      'its own schedule, where that is later than the connector',
      listedItem({ nextAttemptAt: 3_000_000, lastError: 'full' }, 'deferred'),
      stopped,
      3_000_000,
      'full',
    ],
    [
      'its own schedule, with the connector as the only known reason',
      listedItem({ nextAttemptAt: 3_000_000 }, 'deferred'),
      stopped,
      3_000_000,
      'certificate has expired',
    ],
    [
      'a rate limit of the connector',
      listedItem(),
      atLimit,
      2_000_000,
      "The connector's limit messagesPerDay is reached",
    ],
    [
      'whichever is later of the connector being down and its rate limit',
      listedItem(),
      { ...stopped, waitingUntil: 2_500_000, waitingFor: 'messagesPerDay' },
      2_500_000,
      'certificate has expired',
    ],
    ['an operator', listedItem({ suspended: 'asked by an operator' }, 'suspended'), stopped, null, null],
    ['the attempt under way', listedItem({}, 'leased'), stopped, 1_300_000, null],
    [
      'a connector that is not configured any more',
      listedItem({ lastError: 'full' }),
      undefined,
      1_300_000,
      'full',
    ],
  ])('%s', (_case, listed, connector, nextAttemptAt, lastError) => {
    expect(itemView(listed, connector)).toMatchObject({ nextAttemptAt, lastError })
  })
})

it('shows why an item is held beside what the smart host said before', () => {
  const held = listedItem({ suspended: 'asked by an operator', lastError: 'full' }, 'suspended')
  expect(itemView(held, connectorStatus())).toMatchObject({
    ...{ state: 'suspended', holdReason: 'asked by an operator', lastError: 'full', nextAttemptAt: null },
  })
})
