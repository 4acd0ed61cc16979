/** What policy tells by mail: reports of recipients refused, and notices, as the queue takes them. */
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { DsnWriter } from '../../src/delivery/dsn-writer.ts'
import type { Placement } from '../../src/delivery/reroute.ts'
import type { EnvelopeRecipient, EnvelopeSender } from '../../src/envelope.ts'
import { messageIdPartitionDigit, newMessageId } from '../../src/message-id.ts'
import { PolicyMail, type Told } from '../../src/policy/policy-mail.ts'
import type { Notice } from '../../src/policy/rules/verdict.ts'
import type { Refused, Ruling } from '../../src/policy/station.ts'
import type { NewMessage } from '../../src/queue/queue.ts'
import { permanent } from '../../src/reply.ts'
import { checkedMessage } from '../support/checked-message.ts'
import { FaultyQueue } from '../support/faulty-queue.ts'
import { sender, t0 } from '../support/queue-fixtures.ts'
import { TestClock } from '../support/test-clock.ts'

let queue: FaultyQueue
beforeEach(async () => {
  queue = await FaultyQueue.open()
})
afterEach(() => queue.destroy())

const delivery = configSchema.shape.delivery.parse({})
const hostname = 'relay.example.com'
const nowhere: Placement = { kind: 'unreachable', reply: permanent('4.4', 'No connector takes it') }

/** Addresses of example.net leave by `other`, example.edu by none. */
function place(recipient: string): Placement {
  if (recipient.endsWith('@example.edu')) return nowhere
  return { kind: 'connector', connector: recipient.endsWith('@example.net') ? 'other' : 'main' }
}

interface About {
  readonly sender?: EnvelopeSender
  readonly header?: string
  readonly id?: string
}

async function compose(ruling: Ruling, about: About = {}): Promise<Told> {
  const clock = new TestClock()
  const dsnWriter = new DsnWriter({ queue, clock, hostname, delivery, place, log: pino({ level: 'silent' }) })
  const mail = new PolicyMail({ hostname, delivery, dsnWriter, place })
  const { transaction, draft, sizeBytes } = checkedMessage({
    header: about.header ?? 'Subject: A letter\r\n\r\n',
  })
  return mail.compose(
    {
      messageId: about.id ?? newMessageId(t0),
      receivedAt: t0,
      transaction: { ...transaction, sender: about.sender ?? transaction.sender },
      draft,
      sizeBytes,
      facts: { messageId: '<1@example.com>' },
    },
    ruling,
  )
}

const no = permanent('7.1', 'Not here')
const never = permanent('7.901', 'Never', 554)
const to = (address: string, fields: Partial<EnvelopeRecipient> = {}): EnvelopeRecipient => ({
  address,
  notify: null,
  orcpt: null,
  ...fields,
})
const refusal = (by: string, reply: typeof no, ...recipients: EnvelopeRecipient[]): Refused => ({
  recipients,
  reply,
  by,
})

function ruling(fields: Partial<Extract<Ruling, { kind: 'pass' }>>): Ruling {
  return { kind: 'pass', forms: [], refused: [], dropped: [], notices: [], ...fields }
}

const textOf = ({ body }: NewMessage): string => (body.kind === 'inline' ? body.bytes.toString() : '')
/** `Final-Recipient` and the fields after it, of each recipient. */
const reportedIn = (dsn: NewMessage): string[] =>
  [...textOf(dsn).matchAll(/^Final-Recipient: rfc822; ?(\S+)\r\nAction: (\S+)\r\nStatus: (\S+)/gm)].map(
    ([, address, action, status]) => `${address} ${action} ${status}`,
  )

it('says nothing where there is nothing to say', async () => {
  expect(await compose(ruling({}))).toEqual({ messages: [], events: [] })
  expect(await compose({ kind: 'refuse', reply: no, notices: [] })).toEqual({ messages: [], events: [] })
})

describe('recipients refused while others go on', () => {
  const bert = to('bert@example.net', { orcpt: 'rfc822;Bert@example.net' })
  const refused = [
    refusal('Secrets', no, to('anna@example.org'), bert),
    refusal('virus', never, to('carl@example.org')),
  ]

  it('are told in one report, each with its own reply', async () => {
    const id = newMessageId(t0)
    const { messages, events } = await compose(ruling({ refused }), {
      id,
      sender: sender('sender@example.com', { envid: 'QQ' }),
    })
    const [dsn] = messages
    expect(messages).toHaveLength(1)
    expect(reportedIn(dsn!)).toEqual([
      'anna@example.org failed 5.7.1',
      'bert@example.net failed 5.7.1',
      'carl@example.org failed 5.7.901',
    ])
    const text = textOf(dsn!)
    for (const each of [
      'Not here',
      'Never',
      'Original-Recipient: rfc822; Bert@example.net',
      'Original-Envelope-Id: QQ',
      'Subject: A letter',
    ])
      expect(text).toContain(each)
    // The sender has the message.
    expect(text).not.toContain('Hello')
    const item = dsn!.items[0]!
    expect(item).toMatchObject({
      connector: 'main',
      sender: { from: '' },
      recipients: [{ address: 'sender@example.com' }],
    })
    // So that all can be put in one step.
    expect(messageIdPartitionDigit(dsn!.id)).toBe(messageIdPartitionDigit(id))
    expect(dsn!.id).not.toBe(id)
    expect(events).toMatchObject([
      {
        event: 'refused',
        messageId: id,
        by: 'Secrets',
        recipients: ['anna@example.org', 'bert@example.net'],
        reply: no,
        dsnId: dsn!.id,
      },
      { event: 'refused', by: 'virus', recipients: ['carl@example.org'], reply: never, dsnId: dsn!.id },
      {
        event: 'dsn',
        messageId: dsn!.id,
        about: `${id}-1`,
        kind: 'failed',
        to: 'sender@example.com',
        connector: 'main',
      },
    ])
  })

  it.each<[string, EnvelopeRecipient['notify'], string[]]>([
    ['nothing said', null, ['anna@example.org failed 5.7.1']],
    ['never', 'never', []],
    ['failure', ['failure'], ['anna@example.org failed 5.7.1']],
    ['success and delay', ['success', 'delay'], []],
  ])('are told where NOTIFY wants failures: %s', async (_, notify, expected) => {
    const { messages, events } = await compose(
      ruling({ refused: [refusal('x', no, to('anna@example.org', { notify }))] }),
    )
    expect(messages.flatMap(reportedIn)).toEqual(expected)
    // In the log they are refused whoever is told.
    expect(events[0]).toMatchObject({
      event: 'refused',
      recipients: ['anna@example.org'],
      dsnId: messages[0]?.id ?? null,
    })
  })

  it('are told without those that NOTIFY=NEVER spares', async () => {
    const { messages, events } = await compose(
      ruling({
        refused: [refusal('x', no, to('anna@example.org', { notify: 'never' }), to('bert@example.org'))],
      }),
    )
    expect(messages.flatMap(reportedIn)).toEqual(['bert@example.org failed 5.7.1'])
    expect(events[0]).toMatchObject({ recipients: ['anna@example.org', 'bert@example.org'] })
  })

  it('are told to nobody where the sender is the null reverse-path', async () => {
    const { messages, events } = await compose(ruling({ refused }), { sender: sender('') })
    expect(messages).toEqual([])
    expect(events).toMatchObject([
      { event: 'refused', dsnId: null },
      { event: 'refused', dsnId: null },
    ])
  })

  it('are told to nobody where the sender cannot be reached, and the log says so', async () => {
    const { messages, events } = await compose(ruling({ refused }), { sender: sender('sender@example.edu') })
    expect(messages).toEqual([])
    expect(events.map(({ event }) => event)).toEqual(['refused', 'refused', 'dsn-unroutable'])
  })

  it('are told of a message without a body, and of one without a header', async () => {
    for (const header of ['Subject: A letter\r\n\r\n', ''])
      expect((await compose(ruling({ refused }), { header })).messages.flatMap(reportedIn)).toHaveLength(3)
  })
})

describe('notices', () => {
  const notice = (rule: string, ...addresses: string[]): Notice => ({
    rule,
    to: addresses,
    subject: `About ${rule}`,
    text: null,
    because: [],
  })
  const sentTo = ({ items }: NewMessage) =>
    items.map(
      ({ connector, recipients }) => `${connector}: ${recipients.map(({ address }) => address).join(' ')}`,
    )

  it('are one message each, from the null reverse-path, in the same partition as what they are about', async () => {
    const id = newMessageId(t0)
    const notices = [notice('a', 'x@example.org', 'y@example.org'), notice('b', 'x@example.org')]
    const { messages, events } = await compose(ruling({ notices }), { id })
    expect(messages.map(sentTo)).toEqual([['main: x@example.org y@example.org'], ['main: x@example.org']])
    expect(new Set(messages.map((message) => messageIdPartitionDigit(message.id)))).toEqual(
      new Set([messageIdPartitionDigit(id)]),
    )
    expect(new Set([id, ...messages.map((message) => message.id)]).size).toBe(3)
    for (const { items } of messages)
      expect(items[0]).toMatchObject({
        sender: { from: '' },
        delayNoticeAt: null,
        expiresAt: t0 + delivery.expireAfter,
      })
    expect(events).toEqual([
      {
        event: 'notice',
        messageId: messages[0]!.id,
        about: id,
        rule: 'a',
        to: ['x@example.org', 'y@example.org'],
      },
      { event: 'notice', messageId: messages[1]!.id, about: id, rule: 'b', to: ['x@example.org'] },
    ])
  })

  it('leave by the connectors of whom they tell; who has none waits as unreachable, where an operator sees it', async () => {
    const { messages, events } = await compose(
      ruling({ notices: [notice('a', 'x@example.org', 'y@example.net', 'z@example.edu', 'w@example.org')] }),
    )
    expect(messages.map(sentTo)).toEqual([
      ['main: x@example.org w@example.org'],
      ['other: y@example.net'],
      ['unreachable: z@example.edu'],
    ])
    expect(new Set(messages.map(({ id }) => id)).size).toBe(3)
    // For whoever reads them they are one message.
    expect(new Set(messages.map(textOf)).size).toBe(1)
    expect(events).toHaveLength(3)
  })

  it('are sent of a message that is refused, and beside a report', async () => {
    const notices = [notice('a', 'x@example.org')]
    expect((await compose({ kind: 'refuse', reply: no, notices })).messages.map(sentTo)).toEqual([
      ['main: x@example.org'],
    ])
    const refused = [refusal('a', no, to('anna@example.org'))]
    const { messages, events } = await compose(ruling({ refused, notices }))
    expect(messages.map(sentTo)).toEqual([['main: sender@example.com'], ['main: x@example.org']])
    expect(events.map(({ event }) => event)).toEqual(['refused', 'dsn', 'notice'])
  })
})
