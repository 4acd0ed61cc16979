/** What a rule chose and what routing says, as queue items; where a recipient has no way, the reply for all. */
import { describe, expect, it } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { itemId, newMessageId } from '../../src/message-id.ts'
import type { Group } from '../../src/policy/groups.ts'
import { formatReply } from '../../src/reply.ts'
import { buildRoutes } from '../../src/route/route.ts'
import { type ItemFacts, queueItems } from '../../src/smtp/queue-items.ts'
import { sender, t0 } from '../support/queue-fixtures.ts'

const KB = 1024
const connector = { name: 'x', enabled: true, default: false, addressSpaces: [], maxSendSize: 100 * KB }
const connectors = [
  { ...connector, id: 'alpha', addressSpaces: ['example.org'] },
  { ...connector, id: 'beta', addressSpaces: ['example.net'] },
  { ...connector, id: 'bound' },
  { ...connector, id: 'small', maxSendSize: 10 * KB },
  { ...connector, id: 'off', enabled: false },
]

/** It has senders, and takes what nobody else does. */
const partly = { ...connector, id: 'partly', addressSpaces: ['example.com'], default: true }

interface Change {
  readonly others?: readonly (typeof partly)[]
  readonly facts?: Partial<ItemFacts>
  readonly unroutable?: 'reject' | 'hold'
}

const messageId = newMessageId(t0)

function items(groups: readonly Group[], { facts, others = [], unroutable = 'reject' }: Change = {}) {
  const submitted = groups.flatMap(({ recipients }) => recipients)
  return queueItems(
    groups,
    {
      messageId,
      receivedAt: t0,
      client: { address: '192.0.2.7', listener: 'exchange', user: null },
      internetMessageId: null,
      eightBit: false,
      sizeBytes: 20 * KB + 300,
      submittedBytes: 20 * KB,
      submitted,
      marked: () => false,
      ...facts,
    },
    {
      routes: buildRoutes({
        connectors: [...connectors, ...others],
        senders: [
          { address: 'bound@example.com', connector: 'bound' },
          { address: 'partly@example.com', connector: 'partly' },
          { address: 'off@example.com', connector: 'off' },
        ],
        routing: { unroutable },
      }),
      delivery: configSchema.shape.delivery.parse({}),
      identity: ({ from }) => from || null,
    },
  )
}

function group(to: string, fields: Partial<Group> = {}): Group {
  return {
    sender: sender('sender@example.com'),
    recipients: to.split(' ').map((address) => ({ address, notify: null, orcpt: null })),
    hold: null,
    connector: null,
    requireTls: false,
    ...fields,
  }
}

/** `connector: recipients` of each item, or the reply. */
function outcome(...args: Parameters<typeof items>): string | string[] {
  const made = items(...args)
  if ('refused' in made) return formatReply(made.refused)
  return made.map((item) => `${item.connector}: ${item.recipients.map(({ address }) => address).join(' ')}`)
}

describe('groups', () => {
  it('are one item for each connector, numbered through', () => {
    const groups = [
      group('a@example.org b@example.net c@example.org'),
      group('d@example.org', { hold: 'Look at it' }),
      group('e@example.org', { requireTls: true, sender: sender('other@example.com') }),
    ]
    expect(outcome(groups)).toEqual([
      'alpha: a@example.org c@example.org',
      'beta: b@example.net',
      'alpha: d@example.org',
      'alpha: e@example.org',
    ])
    expect(items(groups)).toMatchObject([
      { id: itemId(messageId, 1), suspended: null, requireTls: false },
      { id: itemId(messageId, 2), suspended: null },
      { id: itemId(messageId, 3), suspended: 'Look at it' },
      { id: itemId(messageId, 4), suspended: null, requireTls: true, sender: { from: 'other@example.com' } },
    ])
  })

  it.each<[string, string, Change, boolean[]]>([
    ['its sender is bound', 'bound@example.com', {}, [true]],
    ['another hop has marked it', 'bound@example.com', { facts: { marked: () => true } }, [false]],
    ['its sender is not bound', 'sender@example.com', {}, [false]],
  ])('are marked only where %s', (_what, from, change, marks) => {
    const made = items([group('a@example.org', { sender: sender(from) })], change)
    expect('refused' in made ? made : made.map(({ boundMark }) => boundMark)).toEqual(marks)
  })

  it('are apart where one connector takes some by the binding and others as the default', () => {
    const from = sender('partly@example.com')
    const made = items([group('a@example.edu b@example.com c@example.edu', { sender: from })], {
      others: [partly],
    })
    expect(made).toMatchObject([
      { connector: 'partly', boundMark: false, recipients: [{}, { address: 'c@example.edu' }] },
      { connector: 'partly', boundMark: true, recipients: [{ address: 'b@example.com' }] },
    ])
  })

  it('are not marked where a rule chose the connector', () => {
    const chosen = group('a@example.org', { sender: sender('bound@example.com'), connector: 'bound' })
    expect(items([chosen])).toMatchObject([{ connector: 'bound', boundMark: false }])
  })

  it('are bound by the sender that a rule wrote', () => {
    expect(outcome([group('a@example.org', { sender: sender('bound@example.com') })])).toEqual([
      'bound: a@example.org',
    ])
  })
})

describe('a connector that a rule chose', () => {
  const through = (id: string) => [group('a@example.org b@example.net c@example.edu', { connector: id })]
  it.each([
    ['takes all, whatever its address spaces', 'alpha', ['alpha: a@example.org b@example.net c@example.edu']],
    [
      'refuses for now where it does not exist',
      'gone',
      '451 4.3.5 The connector chosen by policy does not exist',
    ],
    ['refuses for now where it is disabled', 'off', '451 4.3.2 The connector chosen by policy is disabled'],
    [
      'refuses what is too large',
      'small',
      '552 5.3.4 The message is larger than 10KB, the limit of the connector chosen by policy',
    ],
  ])('%s', (_, id, expected) => {
    expect(outcome(through(id))).toEqual(expected)
  })

  it('takes what fitted before our trace field', () => {
    const facts = { sizeBytes: 10 * KB + 300, submittedBytes: 10 * KB }
    expect(outcome(through('small'), { facts })).toHaveLength(1)
    expect(outcome(through('small'), { facts: { ...facts, submittedBytes: 10 * KB + 1 } })).toMatch(/^552 /)
  })

  it('refuses all groups, also those that have a way', () => {
    expect(outcome([group('a@example.org'), ...through('gone')])).toMatch(/^451 /)
  })
})

describe('a recipient without a way', () => {
  const added = { submitted: [{ address: 'a@example.org', notify: null, orcpt: null }] } as const
  const groups = [group('a@example.org x@example.edu')]
  it.each<[string, Change, string | string[]]>([
    ['whom the client named', {}, '550 5.4.4 No connector takes mail for example.edu'],
    [
      'whom policy added: a mistake of ours bounces nothing, and names nobody',
      { facts: added },
      '451 4.3.5 No connector takes a recipient that policy added',
    ],
    [
      'whom policy added, where the unroutable is kept',
      { facts: added, unroutable: 'hold' },
      ['alpha: a@example.org', 'unreachable: x@example.edu'],
    ],
    [
      'for its size',
      { facts: { ...added, submittedBytes: 200 * KB } },
      expect.stringMatching(/^552 5\.3\.4 /) as never,
    ],
  ])('%s', (_, change, expected) => {
    expect(outcome(groups, change)).toEqual(expected)
  })

  it('because a rule bound the sender elsewhere is refused as routing says', () => {
    expect(outcome([group('a@example.org', { sender: sender('off@example.com') })])).toMatch(/^451 4\.3\.2 /)
  })
})

it('held mail waits from its arrival on, and a report needs no notice of delay', () => {
  const [item] = items([group('a@example.org', { sender: sender(''), hold: 'wait' })]) as never as Record<
    string,
    unknown
  >[]
  expect(item).toMatchObject({ suspended: 'wait', nextAttemptAt: t0, delayNoticeAt: null, attempts: 0 })
})
