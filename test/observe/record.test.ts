import { beforeEach, describe, expect, it } from 'vitest'
import type { MailEvent } from '../../src/observe/events.ts'
import { createLog } from '../../src/observe/log.ts'
import { createMetrics, type Metrics } from '../../src/observe/metrics.ts'
import { createRecorder } from '../../src/observe/record.ts'
import { permanent, success, temporary } from '../../src/reply.ts'

const client = { address: '192.0.2.1', listener: 'exchange', user: null }
const item = {
  itemId: '01JABCDEFGHJKMNPQRST-1',
  messageId: '01JABCDEFGHJKMNPQRST',
  connector: '29',
} as const
const attempt = { ...item, from: 'a@example.com', host: 'smtp.example.org', attempts: 1 } as const
const delivered = {
  ...attempt,
  event: 'delivered',
  recipients: [
    { address: 'b@example.org', reply: success('0.0', 'Ok: queued as 4711') },
    { address: 'c@example.org', reply: success('0.0', 'Ok: queued as 4711') },
  ],
  sizeBytes: 4096,
  delayMs: 12,
} as const satisfies MailEvent
const accepted = {
  event: 'accepted',
  messageId: item.messageId,
  internetMessageId: '<1@example.com>',
  from: 'a@example.com',
  recipients: [
    { address: 'b@example.org', connector: '29' },
    { address: 'c@example.net', connector: 'other' },
  ],
  forms: null,
  client,
  sizeBytes: 4096,
  tls: null,
  durationMs: 3,
} as const satisfies MailEvent

let metrics: Metrics
let lines: Record<string, unknown>[]
let record: (event: MailEvent) => void

beforeEach(() => {
  metrics = createMetrics()
  lines = []
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
  record = createRecorder({ log: createLog({ level: 'info', destination }), metrics })
})

const later = temporary('2.2', 'Mailbox full', 452)
const never = permanent('1.1', 'No such user')
const oneLater = [{ address: 'b@example.org', reply: later }]
const oneNever = [{ address: 'b@example.org', reply: never }]

const check = { event: 'checked', messageId: item.messageId, checker: 'virus', durationMs: 4 } as const
const byRule = {
  messageId: item.messageId,
  by: 'Cards',
  from: 'a@example.com',
  recipients: ['b@example.org'],
} as const

/** Each event, the level and fields of its line, and the counter that moves with it. */
const table: [MailEvent, string, object, string | null][] = [
  [
    accepted,
    'info',
    { messageId: item.messageId, recipients: accepted.recipients, client, sizeBytes: 4096, durationMs: 3 },
    'relay_messages_accepted_total 1',
  ],
  [accepted, 'info', {}, 'relay_recipients_accepted_total{connector="other"} 1'],
  [accepted, 'info', {}, 'relay_accept_duration_seconds_bucket{le="0.005"} 1'],
  [
    {
      event: 'rejected',
      command: 'RCPT',
      client,
      from: 'a@example.com',
      to: 'x@example.net',
      reply: permanent('4.4', 'No route'),
    },
    'info',
    { command: 'RCPT', from: 'a@example.com', to: 'x@example.net', reply: '550 5.4.4 No route', client },
    'relay_rejected_total{command="RCPT",status="5.4.4"} 1',
  ],
  [
    { event: 'rejected', command: 'DATA', client, from: '', to: null, reply: temporary('3.1', 'Full', 452) },
    'warn',
    { from: '', to: null, reply: '452 4.3.1 Full' },
    'relay_rejected_total{command="DATA",status="4.3.1"} 1',
  ],
  [
    {
      ...{ event: 'rejected', command: 'DATA', client, from: '', to: 'x@example.net' },
      reply: permanent('7.1', 'No'),
      message: {
        ...{ messageId: item.messageId, internetMessageId: '<1@example.com>', networkMessageId: null },
        ...{ recipients: ['x@example.net'], sizeBytes: 1, by: 'policy' },
      },
    },
    'info',
    { messageId: item.messageId, internetMessageId: '<1@example.com>', reply: '550 5.7.1 No' },
    'relay_rejected_total{command="DATA",status="5.7.1"} 1',
  ],
  [
    delivered,
    'info',
    {
      ...item,
      host: 'smtp.example.org',
      attempts: 1,
      delayMs: 12,
      recipients: [
        { address: 'b@example.org', reply: '250 2.0.0 Ok: queued as 4711' },
        { address: 'c@example.org', reply: '250 2.0.0 Ok: queued as 4711' },
      ],
    },
    'relay_recipients_delivered_total{connector="29"} 2',
  ],
  [delivered, 'info', {}, 'relay_delivery_delay_seconds_bucket{le="0.025",connector="29"} 1'],
  [
    { ...attempt, event: 'deferred', recipients: oneLater, nextAttemptAt: 5000, uncertain: false },
    'warn',
    { recipients: [{ address: 'b@example.org', reply: '452 4.2.2 Mailbox full' }], nextAttemptAt: 5000 },
    'relay_recipients_deferred_total{connector="29"} 1',
  ],
  [
    { ...attempt, event: 'deferred', recipients: oneLater, nextAttemptAt: 5000, uncertain: true },
    'warn',
    { uncertain: true },
    'relay_deliveries_uncertain_total{connector="29"} 1',
  ],
  [
    { ...attempt, event: 'failed', recipients: oneNever, dsnId: '01JABCDEFGHJKMNPQRSX' },
    'warn',
    { ...item, dsnId: '01JABCDEFGHJKMNPQRSX', host: 'smtp.example.org' },
    'relay_recipients_failed_total{connector="29"} 1',
  ],
  [
    { ...attempt, event: 'expired', recipients: oneLater, host: null, dsnId: null },
    'warn',
    { dsnId: null, host: null },
    'relay_recipients_expired_total{connector="29"} 1',
  ],
  [
    {
      event: 'dsn',
      messageId: item.messageId,
      about: item.itemId,
      kind: 'failed',
      to: 'a@example.com',
      connector: '29',
    },
    'info',
    { messageId: item.messageId, about: item.itemId, kind: 'failed', to: 'a@example.com', connector: '29' },
    'relay_dsns_total{kind="failed"} 1',
  ],
  [
    { event: 'dsn-unroutable', about: item.itemId, to: 'a@example.com', reply: permanent('4.4', 'No route') },
    'warn',
    { about: item.itemId, to: 'a@example.com', reply: '550 5.4.4 No route' },
    'relay_dsns_total{kind="unroutable"} 1',
  ],
  [
    {
      event: 'configured',
      by: 'local',
      act: 'changed',
      what: 'sender',
      id: 'a@example.com',
      before: { connector: '29' },
      after: { connector: null },
    },
    'info',
    {
      by: 'local',
      act: 'changed',
      what: 'sender',
      id: 'a@example.com',
      before: { connector: '29' },
      after: { connector: null },
    },
    null,
  ],
  [{ ...item, event: 'lease-lost' }, 'warn', item, 'relay_leases_lost_total{connector="29"} 1'],
  [
    {
      event: 'connector',
      connector: '29',
      state: 'suspended',
      fault: 'auth-refused',
      host: 'smtp.example.org',
      reply: permanent('7.8', 'Bad credentials', 535),
      nextAttemptAt: 9000,
    },
    'warn',
    {
      connector: '29',
      state: 'suspended',
      fault: 'auth-refused',
      host: 'smtp.example.org',
      reply: '535 5.7.8 Bad credentials',
      nextAttemptAt: 9000,
    },
    'relay_connector_faults_total{connector="29",fault="auth-refused"} 1',
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
    'info',
    { state: 'ready', fault: null },
    null,
  ],
  [
    { ...accepted, forms: [item.messageId, '01JABCDEFGHJKMNPQRSX'] },
    'info',
    { forms: [item.messageId, '01JABCDEFGHJKMNPQRSX'] },
    'relay_messages_accepted_total 1',
  ],
  [
    {
      event: 'rule',
      messageId: item.messageId,
      rule: 'Cards',
      mode: 'enforce',
      because: [{ condition: 'sensitiveData', value: '************1111' }],
      actions: ['hold'],
      severity: 'high',
      from: 'a@example.com',
      recipients: ['b@example.org'],
    },
    'info',
    {
      rule: 'Cards',
      because: [{ condition: 'sensitiveData', value: '************1111' }],
      severity: 'high',
      recipients: ['b@example.org'],
    },
    'relay_policy_rule_matches_total{rule="Cards",mode="enforce"} 1',
  ],
  [
    { ...check, verdict: 'reject', away: null, note: 'Eicar found' },
    'info',
    { checker: 'virus', verdict: 'reject', note: 'Eicar found', durationMs: 4 },
    'relay_policy_checks_total{checker="virus",verdict="reject",away="no"} 1',
  ],
  [
    { ...check, verdict: 'defer', away: 'connect ECONNREFUSED', note: null },
    'warn',
    { away: 'connect ECONNREFUSED' },
    'relay_policy_checks_total{checker="virus",verdict="defer",away="yes"} 1',
  ],
  [
    { event: 'limited', messageId: item.messageId, limit: 'per-user', of: 'exchange', over: 'defer' },
    'warn',
    { limit: 'per-user', of: 'exchange', over: 'defer' },
    'relay_policy_limited_total{limit="per-user",over="defer"} 1',
  ],
  [
    { ...byRule, event: 'dropped' },
    'info',
    { by: 'Cards', recipients: ['b@example.org'] },
    'relay_recipients_dropped_total 1',
  ],
  [
    { ...byRule, event: 'refused', reply: never, dsnId: null },
    'warn',
    { by: 'Cards', recipients: ['b@example.org'], reply: '550 5.1.1 No such user', dsnId: null },
    'relay_recipients_refused_total 1',
  ],
  [
    {
      event: 'notice',
      messageId: item.messageId,
      about: item.messageId,
      rule: 'Cards',
      to: ['c@example.org'],
    },
    'info',
    { about: item.messageId, rule: 'Cards', to: ['c@example.org'] },
    'relay_policy_notices_total{rule="Cards"} 1',
  ],
  [
    {
      ...{ ...item, event: 'removed', from: 'a@example.com', recipients: ['b@example.org'] },
      ...{ by: 'local', reason: 'asked by an operator' },
    },
    'info',
    {
      ...{ ...item, from: 'a@example.com', recipients: ['b@example.org'] },
      ...{ by: 'local', reason: 'asked by an operator' },
    },
    'relay_items_changed_total{change="removed"} 1',
  ],
]

it.each(table)('writes one line and moves the counters: %j', async (event, level, fields, counter) => {
  record(event)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ level, event: event.event, ...fields })
  if (counter !== null) expect((await metrics.text()).split('\n')).toContain(counter)
})

describe('the line of a message to many', () => {
  const many = Array.from({ length: 250 }, (_, i) => ({
    address: `user${i}@example.org`,
    reply: success('0.0', 'Ok'),
  }))

  it('holds the first hundred recipients and their number', () => {
    record({ ...delivered, recipients: many })
    expect(lines[0]!.recipients).toHaveLength(100)
    expect(lines[0]!.recipientCount).toBe(250)
  })

  it('counts them all', async () => {
    record({ ...delivered, recipients: many })
    expect(await metrics.text()).toContain('relay_recipients_delivered_total{connector="29"} 250')
  })

  it('holds all of a hundred without a number', () => {
    record({ ...delivered, recipients: many.slice(0, 100) })
    expect(lines[0]!.recipients).toHaveLength(100)
    expect(lines[0]).not.toHaveProperty('recipientCount')
  })
})

it('keeps hostile text of a peer in one harmless line', () => {
  const hostile = '\u001b]0;pwn\u0007 \u2028\u202e x'
  record({ ...accepted, internetMessageId: `<${hostile}>`, client: { ...client, user: hostile } })
  record({
    ...delivered,
    recipients: [{ address: 'b@example.org', reply: { code: 250, enhanced: null, text: hostile } }],
  })
  record({ event: 'rejected', command: 'MAIL', client, from: hostile, to: hostile, reply: never })
  record({ ...item, event: 'suspended', reason: hostile })
  expect(lines).toHaveLength(4)
  expect(JSON.stringify(lines)).not.toMatch(/\\u001b|\\u0007|\u2028|\u202e/)
  expect(lines[1]).toMatchObject({ recipients: [{ reply: '250 ?]0;pwn? ?? x' }] })
})

it('does not let the status of a reply open a metric label', async () => {
  for (const enhanced of ['5.7.999', 'x"} 1\nevil 1', null])
    record({
      event: 'rejected',
      command: 'RCPT',
      client,
      from: null,
      to: null,
      reply: { code: 550, enhanced, text: 'No' },
    })
  expect(await metrics.text()).toContain('relay_rejected_total{command="RCPT",status="other"} 3')
})
