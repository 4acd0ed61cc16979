import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MailEvent } from '../../src/observe/events.ts'
import { permanent, success, temporary } from '../../src/reply.ts'
import { parseLine, splitList, type TrackingField } from '../../src/tracking/csv.ts'
import { maxRecipientsInLine, trackingLines } from '../../src/tracking/lines.ts'
import { readTrackedEvent } from '../../src/tracking/tracked-event.ts'

const messageId = '01JABCDEFGHJKMNPQRST'
const otherId = '01JABCDEFGHJKMNPQRSX'
const at = Date.UTC(2026, 0, 5, 8, 0, 0, 7)
const context = { at, hostname: 'relay.example.com' }
const client = { address: '192.0.2.1', listener: 'exchange', user: 'mailer' }
const ofItem = {
  itemId: `${messageId}-1`,
  messageId,
  internetMessageId: '<1@example.com>',
  connector: '29',
} as const
const attempt = {
  ...ofItem,
  from: 'a@example.com',
  host: 'smtp.example.org[192.0.2.25]:587',
  attempts: 2,
} as const
const accepted = {
  event: 'accepted',
  messageId,
  internetMessageId: '<1@example.com>',
  networkMessageId: '13FAD5B7-39C5-46E7-130E-08D4A138AC67',
  from: 'a@example.com',
  recipients: [
    { address: 'b@example.org', connector: '29' },
    { address: 'c@example.net', connector: 'other' },
  ],
  forms: null,
  client,
  sizeBytes: 4096,
  tls: 'TLSv1.3',
  durationMs: 3,
} as const satisfies MailEvent
const ok = success('0.0', 'Ok: queued as 4711')
const later = temporary('2.2', 'Mailbox full; try later', 452)
const never = permanent('1.1', 'No such user')
const refusedMessage = {
  messageId,
  internetMessageId: '<1@example.com>',
  networkMessageId: '13FAD5B7-39C5-46E7-130E-08D4A138AC67',
  recipients: ['b@example.org', 'c@example.net'],
  sizeBytes: 4096,
  by: 'policy',
} as const
const rejected = {
  ...{ event: 'rejected', command: 'DATA', client, from: 'a@example.com', to: 'b@example.org' },
  reply: never,
} as const satisfies MailEvent
const byRule = { messageId, by: 'Cards', from: '', recipients: ['b@example.org'] } as const

/** Each event, and what its lines say beside what all of them say. */
const table: [MailEvent, Partial<Record<TrackingField, string>>[]][] = [
  [
    accepted,
    [
      {
        'client-ip': '192.0.2.1',
        'server-hostname': 'relay.example.com',
        'connector-id': 'exchange',
        source: 'SMTP',
        'event-id': 'RECEIVE',
        'internal-message-id': messageId,
        'message-id': '<1@example.com>',
        'network-message-id': '13fad5b7-39c5-46e7-130e-08d4a138ac67',
        'recipient-address': 'b@example.org;c@example.net',
        'recipient-count': '2',
        'total-bytes': '4096',
        'sender-address': 'a@example.com',
        'return-path': 'a@example.com',
        'original-client-ip': '192.0.2.1',
        'custom-data': 'S:User=mailer;S:TLS=TLSv1.3;S:Connectors=29|other',
      },
    ],
  ],
  [
    { ...accepted, from: '', networkMessageId: null, forms: [messageId, otherId], tls: null },
    [
      {
        'event-id': 'RECEIVE',
        'sender-address': '<>',
        'return-path': '<>',
        'network-message-id': '',
        'custom-data': 'S:User=mailer;S:Connectors=29|other',
      },
      {
        'event-id': 'TRANSFER',
        source: 'AGENT',
        'internal-message-id': otherId,
        'message-id': '<1@example.com>',
        reference: messageId,
        'recipient-address': '',
      },
    ],
  ],
  [{ event: 'rejected', command: 'RCPT', client, from: 'a@example.com', to: null, reply: never }, []],
  [
    {
      event: 'rule',
      messageId,
      rule: 'Cards | numbers',
      mode: 'enforce',
      because: [{ condition: 'sensitiveData', value: '**1111; **2222' }],
      actions: ['hold', 'notify'],
      severity: null,
      from: 'a@example.com',
      recipients: ['b@example.org'],
    },
    [
      {
        source: 'AGENT',
        'event-id': 'AGENTINFO',
        'internal-message-id': messageId,
        'recipient-address': 'b@example.org',
        'sender-address': 'a@example.com',
        'custom-data':
          "S:TRA=ETR|rule=Cards / numbers|mode=enforce|action=hold+notify|sev=;'S:Because=sensitiveData=**1111; **2222'",
      },
    ],
  ],
  [
    {
      event: 'rule',
      messageId: null,
      rule: 'No strangers',
      mode: 'enforce',
      because: [],
      actions: ['reject'],
      severity: null,
      from: 'a@example.com',
      recipients: ['b@example.org'],
    },
    [],
  ],
  ...(['policy', 'reception'] as const).map((by): (typeof table)[number] => [
    { ...rejected, message: { ...refusedMessage, by } },
    [
      {
        'client-ip': '192.0.2.1',
        'server-hostname': '',
        'connector-id': 'exchange',
        source: by === 'policy' ? 'AGENT' : 'SMTP',
        'event-id': 'FAIL',
        'internal-message-id': messageId,
        'message-id': '<1@example.com>',
        'network-message-id': '13fad5b7-39c5-46e7-130e-08d4a138ac67',
        'recipient-address': 'b@example.org;c@example.net',
        'recipient-status': '550 5.1.1 No such user;550 5.1.1 No such user',
        'total-bytes': '4096',
        'sender-address': 'a@example.com',
        'custom-data': 'S:User=mailer;S:RefusedAt=DATA',
      },
    ],
  ]),
  [
    {
      ...rejected,
      message: {
        ...{ ...refusedMessage, internetMessageId: null, networkMessageId: null, sizeBytes: null },
      },
    },
    [{ 'event-id': 'FAIL', 'message-id': '', 'network-message-id': '', 'total-bytes': '' }],
  ],
  [{ ...rejected, command: 'RCPT' }, []],
  [
    {
      event: 'checked',
      messageId,
      checker: 'virus',
      verdict: 'reject',
      away: null,
      note: 'Eicar',
      durationMs: 4,
    },
    [
      {
        source: 'AGENT',
        'event-id': 'AGENTINFO',
        'custom-data': 'S:Check=virus|action=reject|away=|note=Eicar|ms=4',
      },
    ],
  ],
  [
    { event: 'limited', messageId, limit: 'per-user', of: 'mailer', over: 'defer' },
    [
      {
        source: 'AGENT',
        'event-id': 'AGENTINFO',
        'custom-data': 'S:Limit=per-user|of=mailer|action=defer',
      },
    ],
  ],
  [
    { ...byRule, event: 'dropped' },
    [{ source: 'AGENT', 'event-id': 'DROP', 'sender-address': '<>', 'custom-data': 'S:By=Cards' }],
  ],
  [
    { ...byRule, event: 'refused', reply: never, dsnId: otherId },
    [
      {
        source: 'AGENT',
        'event-id': 'FAIL',
        'recipient-address': 'b@example.org',
        'recipient-status': '550 5.1.1 No such user',
        reference: `<${otherId}@relay.example.com>`,
      },
    ],
  ],
  [
    { event: 'notice', messageId: otherId, about: messageId, rule: 'Cards', to: ['desk@example.com'] },
    [
      {
        source: 'AGENT',
        'event-id': 'RECEIVE',
        'internal-message-id': otherId,
        'message-id': `<${otherId}@relay.example.com>`,
        reference: messageId,
        'recipient-address': 'desk@example.com',
        'custom-data': `S:About=${messageId};S:By=Cards`,
      },
    ],
  ],
  [
    {
      ...attempt,
      event: 'delivered',
      recipients: [
        { address: 'b@example.org', reply: ok },
        { address: 'c@example.org', reply: ok },
      ],
      sizeBytes: 4096,
      delayMs: 1007,
    },
    [
      {
        'client-hostname': 'relay.example.com',
        'server-hostname': 'smtp.example.org',
        'server-ip': '192.0.2.25',
        'source-context': '250 2.0.0 Ok: queued as 4711',
        'connector-id': '29',
        source: 'SMTP',
        'event-id': 'SEND',
        'internal-message-id': messageId,
        'message-id': '<1@example.com>',
        'recipient-address': 'b@example.org;c@example.org',
        'recipient-status': '250 2.0.0 Ok: queued as 4711;250 2.0.0 Ok: queued as 4711',
        'total-bytes': '4096',
        'message-info': '2026-01-05T07:59:59.000Z;LSRV=relay.example.com:TOTAL=1.007',
        'custom-data': `S:Item=${messageId}-1;S:Attempts=2`,
      },
    ],
  ],
  [
    {
      ...attempt,
      host: '[2001:db8::1]:587',
      event: 'deferred',
      recipients: [{ address: 'b@example.org', reply: later }],
      nextAttemptAt: at + 1000,
      uncertain: true,
    },
    [
      {
        'server-ip': '2001:db8::1',
        'server-hostname': '',
        source: 'SMTP',
        'event-id': 'DEFER',
        'recipient-status': "'452 4.2.2 Mailbox full; try later'",
        'custom-data': `S:Item=${messageId}-1;S:Attempts=2;S:NextAttempt=2026-01-05T08:00:01.007Z;S:Uncertain=true`,
      },
    ],
  ],
  [
    { ...attempt, event: 'failed', recipients: [{ address: 'b@example.org', reply: never }], dsnId: otherId },
    [
      {
        source: 'SMTP',
        'event-id': 'FAIL',
        'recipient-status': '550 5.1.1 No such user',
        reference: `<${otherId}@relay.example.com>`,
      },
    ],
  ],
  [
    {
      ...attempt,
      host: null,
      event: 'expired',
      recipients: [{ address: 'b@example.org', reply: later }],
      dsnId: null,
    },
    [
      {
        source: 'QUEUE',
        'event-id': 'FAIL',
        'server-hostname': '',
        reference: '',
        'custom-data': `S:Item=${messageId}-1;S:Attempts=2;S:Expired=true`,
      },
    ],
  ],
  [
    {
      event: 'dsn',
      messageId: otherId,
      about: `${messageId}-1`,
      aboutInternetMessageId: '<1@example.com>',
      kind: 'failed',
      to: 'a@example.com',
      connector: '30',
    },
    [
      {
        'connector-id': '30',
        source: 'DSN',
        'event-id': 'DSN',
        'internal-message-id': otherId,
        'message-id': `<${otherId}@relay.example.com>`,
        'recipient-address': 'a@example.com',
        'sender-address': '<>',
        reference: '<1@example.com>',
        'custom-data': `S:About=${messageId}-1;S:Kind=failed`,
      },
    ],
  ],
  [
    { event: 'dsn-unroutable', about: `${messageId}-1`, to: 'a@example.com', reply: never },
    [
      {
        source: 'DSN',
        'event-id': 'BADMAIL',
        'internal-message-id': messageId,
        'recipient-address': 'a@example.com',
        'recipient-status': '550 5.1.1 No such user',
      },
    ],
  ],
  [{ ...ofItem, event: 'lease-lost' }, []],
  [
    {
      event: 'configured',
      by: 'local',
      act: 'created',
      what: 'connector',
      id: '29',
      before: null,
      after: {},
    },
    [],
  ],
  [
    {
      event: 'connector',
      connector: '29',
      state: 'ready',
      fault: null,
      host: null,
      reply: null,
      nextAttemptAt: null,
    },
    [],
  ],
  ...(['suspended', 'resumed', 'retried', 'removed', 'rerouted'] as const).map(
    (event): [MailEvent, Partial<Record<TrackingField, string>>[]] => [
      { ...ofItem, event, reason: 'asked by an operator' },
      [
        {
          source: event === 'rerouted' ? 'ROUTING' : 'QUEUE',
          'event-id': {
            suspended: 'SUSPEND',
            resumed: 'RESUME',
            retried: 'RETRY',
            removed: 'REMOVE',
            rerouted: 'RESUBMIT',
          }[event],
          'source-context': 'asked by an operator',
          'connector-id': '29',
          'message-id': '<1@example.com>',
          'custom-data': `S:Item=${messageId}-1`,
        },
      ],
    ],
  ),
  [
    {
      ...{ ...ofItem, event: 'removed', by: 'local', reason: 'a spam run' },
      ...{ from: '', recipients: ['b@example.org', 'c@example.org'] },
    },
    [
      {
        source: 'ADMIN',
        'event-id': 'REMOVE',
        'source-context': 'a spam run',
        'sender-address': '<>',
        'recipient-address': 'b@example.org;c@example.org',
        'recipient-count': '2',
        'custom-data': `S:Item=${messageId}-1;S:By=local`,
      },
    ],
  ],
]

it.each(table)('%j is written in the words of Exchange', (event, expected) => {
  const lines = trackingLines(event, context).map((line) => parseLine(line.slice(0, -2))!)
  expect(lines).toHaveLength(expected.length)
  for (const [i, line] of lines.entries())
    expect(line).toMatchObject({
      'date-time': '2026-01-05T08:00:00.007Z',
      directionality: 'Originating',
      'message-subject': '',
      ...expected[i],
    })
})

it('has a row for every event', () => {
  // Fails to compile where one is missing.
  const words: Record<MailEvent['event'], boolean> = {
    ...{ accepted: true, rejected: true, rule: true, checked: true, limited: true, dropped: true },
    ...{ refused: true, notice: true, delivered: true, deferred: true, failed: true, expired: true },
    ...{ dsn: true, 'dsn-unroutable': true, 'lease-lost': true, connector: true, suspended: true },
    ...{ resumed: true, retried: true, removed: true, rerouted: true, configured: true },
  }
  expect(new Set(table.map(([event]) => event.event))).toEqual(new Set(Object.keys(words)))
})

describe('a mailing to many', () => {
  const recipients = Array.from({ length: 2 * maxRecipientsInLine + 1 }, (_, i) => ({
    address: `user${i}@example.org`,
    reply: ok,
  }))
  const lines = trackingLines(
    { ...attempt, event: 'delivered', recipients, sizeBytes: 1, delayMs: 1 },
    context,
  ).map((line) => parseLine(line.slice(0, -2))!)
  it('is several lines, which name each recipient once and tell how many there are', () => {
    expect(lines).toHaveLength(3)
    expect(lines.flatMap((line) => splitList(line['recipient-address']))).toEqual(
      recipients.map(({ address }) => address),
    )
    expect(lines.map((line) => splitList(line['recipient-status']).length)).toEqual([100, 100, 1])
    expect(lines.map((line) => line['recipient-count'])).toEqual(['201', '201', '201'])
  })
})

it('reads back what an attempt came to, whatever the peer said', () => {
  const word = fc.string({ unit: fc.constantFrom(...'ab ;,"\'=+-@|é'), minLength: 1, maxLength: 10 })
  const recipient = fc.record({
    address: word.map((local) => `${local}@example.org`),
    reply: word.map((text) => permanent('1.1', text)),
  })
  fc.assert(
    fc.property(
      fc.array(recipient, { minLength: 1, maxLength: 4 }),
      word,
      fc.nat(),
      (recipients, internetMessageId, attempts) => {
        const event = {
          ...attempt,
          event: 'failed',
          recipients,
          internetMessageId,
          attempts,
          dsnId: null,
        } as const
        const [line] = trackingLines(event, context)
        expect(readTrackedEvent(line!.slice(0, -2))).toEqual({
          at,
          event: 'FAIL',
          source: 'SMTP',
          messageId,
          itemId: `${messageId}-1`,
          internetMessageId,
          networkMessageId: null,
          from: 'a@example.com',
          recipients: recipients.map(({ address, reply }) => ({
            address,
            status: `550 5.1.1 ${reply.text}`,
          })),
          recipientCount: recipients.length,
          connector: '29',
          client: null,
          host: 'smtp.example.org',
          sizeBytes: null,
          context: `550 5.1.1 ${recipients[0]!.reply.text}`,
          reference: null,
          about: null,
          details: { Attempts: String(attempts) },
        })
      },
    ),
  )
})
