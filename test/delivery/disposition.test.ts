import { describe, expect, it } from 'vitest'
import {
  type AnsweredAttempt,
  type Disposition,
  dispose,
  expire,
  removalReport,
} from '../../src/delivery/disposition.ts'
import type { Notify } from '../../src/envelope.ts'
import type { QueuedRecipient, QueueItem } from '../../src/queue/queue.ts'
import { permanent, type Reply, success, temporary } from '../../src/reply.ts'
import { queueItem, recipient, sender, t0 } from '../support/queue-fixtures.ts'

const host = 'smtp.example.net'
const schedule = [1000, 5000, 60_000]
const ok = success('0.0', 'Ok: queued as 4711')
const busy = temporary('2.1', 'Mailbox busy', 450)
const unknown = permanent('1.1', 'User unknown')
const tooMany = temporary('5.3', 'Too many recipients', 452)

const item = (fields: Partial<QueueItem> = {}): QueueItem =>
  queueItem('01JZZZZZZZAAAAAAAAAA-1', { delayNoticeAt: t0 + 4000, expiresAt: t0 + 100_000, ...fields })

const to = (...recipients: (string | Partial<QueuedRecipient>)[]): Partial<QueueItem> => ({
  recipients: recipients.map((one, index) =>
    typeof one === 'string' ? recipient(one) : recipient(`r${index}@example.org`, one),
  ),
})

const replies = (...all: Reply[]): AnsweredAttempt => ({ scope: 'recipients', host, replies: all })

function refusal(
  reply: Reply,
  fields: { refused?: [number, Reply][]; uncertain?: boolean } = {},
): AnsweredAttempt {
  return {
    scope: 'message',
    host,
    reply,
    refused: new Map(fields.refused),
    uncertain: fields.uncertain ?? false,
  }
}

function disposed(
  what: Partial<QueueItem>,
  attempt: AnsweredAttempt,
  options: { now?: number; jitter?: number; hostOffersDsn?: boolean } = {},
): Disposition {
  return dispose(item(what), attempt, { now: t0 + 1000, schedule, jitter: 0, ...options })
}

/** What became of the recipients that are still in the queue, and what the log says of all. */
const states = (disposition: Disposition) =>
  disposition.items.flatMap((one) => one.recipients.map((each) => each.state))
const eventNames = (disposition: Disposition) => disposition.events('DSN').map((event) => event.event)
const reported = (disposition: Disposition) =>
  disposition.report?.recipients.map((one) => `${one.fate} ${one.address}`) ?? []

describe('one recipient', () => {
  it.each<[string, AnsweredAttempt, string, string[]]>([
    ['accepted', replies(ok), 'delivered', []],
    ['accepted with another 2yz', replies(success('1.5', 'Will forward', 251)), 'delivered', []],
    ['told 4yz', replies(busy), 'deferred', []],
    ['told 421', replies(temporary('3.2', 'Going down', 421)), 'deferred', []],
    ['told 5yz', replies(unknown), 'failed', ['failed user@example.org']],
    [
      'told 3yz, which ends no transaction',
      replies({ code: 354, enhanced: null, text: 'Go on' }),
      'deferred',
      [],
    ],
    ['refused with the message, 4yz', refusal(busy), 'deferred', []],
    [
      'refused with the message, 5yz',
      refusal(permanent('3.4', 'Too big', 552)),
      'failed',
      ['failed user@example.org'],
    ],
    [
      'refused alone before the message was, 5yz',
      refusal(busy, { refused: [[0, unknown]] }),
      'failed',
      ['failed user@example.org'],
    ],
    ['in a message refused with 2yz, which is no refusal', refusal(ok), 'deferred', []],
    [
      'in doubt after the final dot',
      refusal(temporary('4.2', 'Connection lost'), { uncertain: true }),
      'deferred',
      [],
    ],
    ['in doubt, whatever the code', refusal(unknown, { uncertain: true }), 'deferred', []],
    [
      'told that its mailbox is full by 552',
      replies(permanent('2.2', 'Mailbox full', 552)),
      'failed',
      ['failed user@example.org'],
    ],
  ])('%s', (_name, attempt, event, report) => {
    const disposition = disposed({}, attempt)
    expect(eventNames(disposition)).toEqual([event])
    expect(reported(disposition)).toEqual(report)
    expect(disposition.items).toHaveLength(event === 'deferred' ? 1 : 0)
  })
})

describe('several recipients', () => {
  const mixed = disposed(to('a@example.org', 'b@example.org', 'c@example.org'), replies(ok, busy, unknown))

  it('each go their own way', () => {
    expect(mixed.items).toHaveLength(1)
    expect(mixed.items[0]!.recipients).toEqual([
      recipient('a@example.org', { state: 'delivered', lastReply: ok, lastHost: host }),
      recipient('b@example.org', { state: 'pending', lastReply: busy, lastHost: host }),
      recipient('c@example.org', { state: 'failed', lastReply: unknown, lastHost: host }),
    ])
  })

  it('are in one event for each fate, and in the report where the sender must know', () => {
    expect(mixed.events('DSN')).toEqual([
      {
        event: 'delivered',
        itemId: '01JZZZZZZZAAAAAAAAAA-1',
        messageId: '01JZZZZZZZAAAAAAAAAA',
        internetMessageId: '<01JZZZZZZZAAAAAAAAAA@example.com>',
        connector: 'alpha',
        from: 'newsletter@example.com',
        recipients: [{ address: 'a@example.org', reply: ok }],
        host,
        attempts: 1,
        sizeBytes: 0,
        delayMs: 1000,
      },
      expect.objectContaining({
        event: 'deferred',
        recipients: [{ address: 'b@example.org', reply: busy }],
        host,
        attempts: 1,
        nextAttemptAt: t0 + 2000,
        uncertain: false,
      }),
      expect.objectContaining({
        event: 'failed',
        recipients: [{ address: 'c@example.org', reply: unknown }],
        host,
        dsnId: 'DSN',
      }),
    ])
    expect(mixed.report).toEqual({
      kind: 'failed',
      itemId: '01JZZZZZZZAAAAAAAAAA-1',
      sender: sender('newsletter@example.com'),
      internetMessageId: '<01JZZZZZZZAAAAAAAAAA@example.com>',
      receivedAt: t0,
      expiresAt: t0 + 100_000,
      recipients: [
        {
          address: 'c@example.org',
          orcpt: null,
          fate: 'failed',
          reply: unknown,
          host,
          lastAttemptAt: t0 + 1000,
        },
      ],
    })
  })

  it('take their replies by their place among the pending ones', () => {
    const before = to({ state: 'delivered', lastReply: ok }, {}, { state: 'failed', lastReply: unknown }, {})
    const disposition = disposed(before, replies(busy, ok))
    expect(states(disposition)).toEqual(['delivered', 'pending', 'failed', 'delivered'])
    expect(disposition.items[0]!.recipients[0]!.lastReply).toEqual(ok)
    expect(eventNames(disposition)).toEqual(['delivered', 'deferred'])
  })

  it('refused alone stand on their own when the message is refused after them', () => {
    const attempt = refusal(busy, { refused: [[1, unknown]] })
    expect(states(disposed(to('a@example.org', 'b@example.org'), attempt))).toEqual(['pending', 'failed'])
  })

  it('deferred at RCPT stay so when the message is refused for the others', () => {
    const attempt = refusal(permanent('7.1', 'Spam', 554), { refused: [[0, busy]] })
    const disposition = disposed(to('a@example.org', 'b@example.org'), attempt)
    expect(states(disposition)).toEqual(['pending', 'failed'])
    expect(reported(disposition)).toEqual(['failed b@example.org'])
  })

  it('end the item when none of them is pending', () => {
    expect(disposed(to('a@example.org', 'b@example.org'), replies(ok, unknown)).items).toEqual([])
  })

  it('are never given the replies of another attempt', () => {
    expect(() => disposed(to('a@example.org', 'b@example.org'), replies(ok))).toThrow(
      /Cannot dispose of 01JZZZZZZZAAAAAAAAAA-1: 1 replies for 2 recipients/,
    )
  })
})

describe('a deferred item', () => {
  it('follows the schedule by its attempts, with jitter', () => {
    const waits = [0, 1, 2, 9].map(
      (attempts) => disposed({ attempts }, replies(busy)).items[0]!.nextAttemptAt - (t0 + 1000),
    )
    expect(waits).toEqual([1000, 5000, 60_000, 60_000])
    expect(disposed({ attempts: 1 }, replies(busy), { jitter: 1 }).items[0]!.nextAttemptAt).toBe(t0 + 6500)
  })

  it('is due again at its expiry at the latest', () => {
    const disposition = disposed({ attempts: 2 }, replies(busy), { now: t0 + 90_000 })
    expect(disposition.items[0]!.nextAttemptAt).toBe(t0 + 100_000)
  })

  it('counts the attempt and keeps the reason as one line', () => {
    expect(disposed({ attempts: 3 }, replies(busy)).items[0]).toMatchObject({
      attempts: 4,
      lastError: 'smtp.example.net: 450 4.2.1 Mailbox busy',
    })
  })

  it('says when the host may have taken the message', () => {
    const [event] = disposed({}, refusal(busy, { uncertain: true })).events(null)
    expect(event).toMatchObject({ event: 'deferred', uncertain: true })
  })
})

describe('a host that takes fewer recipients than it got (RFC 5321 §4.5.3.1.10)', () => {
  const both = to('a@example.org', 'b@example.org')

  it.each([
    ['452 4.5.3', tooMany],
    ['452 in words', { code: 452, enhanced: null, text: 'Too many recipients received this hour' }],
    ['552 5.5.3', permanent('5.3', 'Too many', 552)],
    ['552 in words', { code: 552, enhanced: null, text: 'too many rcpts' }],
  ])('gets the rest at once: %s', (_name, reply) => {
    const disposition = disposed(both, replies(ok, reply))
    expect(states(disposition)).toEqual(['delivered', 'pending'])
    expect(disposition.items[0]!.nextAttemptAt).toBe(t0 + 1000)
  })

  it.each<[string, AnsweredAttempt]>([
    ['nobody was delivered', replies(tooMany, tooMany)],
    ['somebody waits for another reason', replies(ok, busy)],
    ['the storage is short', replies(ok, temporary('3.1', 'Insufficient system storage', 452))],
    ['the message was refused for the accepted one', refusal(busy, { refused: [[1, tooMany]] })],
  ])('gets the rest on schedule where %s', (_name, attempt) => {
    expect(disposed(both, attempt).items[0]!.nextAttemptAt).toBe(t0 + 2000)
  })

  it('may mean what it says with 552 where it accepts nobody', () => {
    expect(eventNames(disposed({}, replies(permanent('5.3', 'Too many', 552))))).toEqual(['failed'])
    const allRefused = refusal(busy, { refused: [[0, permanent('5.3', 'Too many', 552)]] })
    expect(eventNames(disposed({}, allRefused))).toEqual(['failed'])
  })

  it('has not failed a recipient by 552 when it then defers the message', () => {
    const attempt = refusal(busy, { refused: [[1, permanent('5.3', 'Too many', 552)]] })
    expect(states(disposed(both, attempt))).toEqual(['pending', 'pending'])
  })
})

describe('what the sender is told', () => {
  const all: Notify[] = [null, 'never', ['success'], ['failure'], ['delay'], ['success', 'failure', 'delay']]
  const late = { now: t0 + 5000 }

  it.each<[string, Reply, Parameters<typeof disposed>[2], boolean[]]>([
    //                                                        null  never  success failure delay  all
    ['a failure', unknown, {}, /*                         */ [true, false, false, true, false, true]],
    ['a delay that is due', busy, late, /*                */ [true, false, false, false, true, true]],
    ['a delay that is not due', busy, {}, /*              */ [false, false, false, false, false, false]],
    ['an expiry', busy, { now: t0 + 100_000 }, /*         */ [true, false, false, true, false, true]],
    ['a success, to a host without DSN', ok, {}, /*       */ [false, false, true, false, false, true]],
    [
      'a success, to a host with DSN',
      ok,
      { hostOffersDsn: true },
      [false, false, false, false, false, false],
    ],
  ])('of %s, by NOTIFY', (_name, reply, options, expected) => {
    const told = all.map((notify) => disposed(to({ notify }), replies(reply), options).report !== null)
    expect(told).toEqual(expected)
  })

  it.each([
    ['a failure', unknown, {}],
    ['a delay', busy, late],
    ['an expiry', busy, { now: t0 + 100_000 }],
    ['a success', ok, {}],
  ])('is nothing of %s where the sender is the null reverse-path', (_name, reply, options) => {
    const what = { ...to({ notify: ['success', 'failure', 'delay'] }), sender: sender('') }
    const disposition = disposed(what, replies(reply), options)
    expect(disposition.report).toBeNull()
    expect(eventNames(disposition)).toHaveLength(1)
  })

  it('names only the recipients it concerns (RFC 3461 §5.2.8), by the gravest of them', () => {
    const what = to(
      { notify: ['success'] },
      { notify: null },
      { notify: ['failure'] },
      { notify: 'never' },
      { notify: null },
    )
    const disposition = disposed(what, replies(ok, busy, busy, unknown, unknown), late)
    expect(reported(disposition)).toEqual([
      'relayed r0@example.org',
      'delayed r1@example.org',
      'failed r4@example.org',
    ])
    expect(disposition.report!.kind).toBe('failed')
  })

  it.each([
    ['delayed', replies(ok, busy)],
    ['relayed', replies(ok, ok)],
    ['failed', replies(unknown, busy)],
  ])('is %s as a whole', (kind, attempt) => {
    const what = to({ notify: ['success', 'failure', 'delay'] }, { notify: ['delay'] })
    expect(disposed(what, attempt, late).report!.kind).toBe(kind)
  })

  it('of a delay comes once, also where nobody asked for it', () => {
    for (const notify of [null, 'never'] as const) {
      const [first] = disposed(to({ notify }), replies(busy), late).items
      expect(first!.delayNoticeAt).toBeNull()
      expect(dispose(first!, replies(busy), { now: t0 + 9000, schedule, jitter: 0 }).report).toBeNull()
    }
  })

  it('has the id of its DSN in the log of the failure, and in no other', () => {
    const [failed] = disposed({}, replies(unknown)).events('DSN')
    expect(failed).toMatchObject({ event: 'failed', dsnId: 'DSN' })
    const [unreported, delayed] = [to({ notify: 'never' }, {}), to({})].map((what, index) =>
      disposed(what, index === 0 ? replies(unknown, busy) : replies(busy), late),
    )
    expect(unreported!.report!.kind).toBe('delayed')
    expect(unreported!.events('DSN')[1]).toMatchObject({ event: 'failed', dsnId: null })
    expect(delayed!.events('DSN')[0]).not.toHaveProperty('dsnId')
  })
})

describe('a last attempt after the expiry', () => {
  const late = { now: t0 + 100_000 }

  it('expires what it would have deferred, with the host’s own reply', () => {
    const disposition = disposed({}, replies(busy), late)
    expect(disposition.items).toEqual([])
    expect(disposition.events('DSN')).toEqual([
      expect.objectContaining({
        event: 'expired',
        recipients: [{ address: 'user@example.org', reply: busy }],
        host,
        dsnId: 'DSN',
      }),
    ])
    expect(disposition.report!.recipients[0]).toMatchObject({ fate: 'expired', reply: busy, host })
  })

  it('still delivers, and still fails by 5yz', () => {
    expect(eventNames(disposed(to({}, {}), replies(ok, unknown), late))).toEqual(['delivered', 'failed'])
  })
})

describe('expire', () => {
  const connectorDown = 'smtp.example.net: 451 4.4.1 Connection refused'
  const at = (now: number, what: Partial<QueueItem> = {}, reason: string | null = connectorDown) =>
    expire(item(what), { now: t0 + now, reason })

  it('does nothing before its time', () => {
    const disposition = at(3999)
    expect(disposition.items).toEqual([item()])
    expect(disposition.report).toBeNull()
    expect(disposition.events(null)).toEqual([])
  })

  it('gives the delay notice once, and touches nothing else of the item', () => {
    const disposition = at(4000, { attempts: 2, nextAttemptAt: t0 + 77_000 })
    expect(disposition.items).toEqual([
      item({ attempts: 2, nextAttemptAt: t0 + 77_000, delayNoticeAt: null }),
    ])
    expect(disposition.events('DSN')).toEqual([])
    expect(disposition.report).toMatchObject({
      kind: 'delayed',
      recipients: [
        {
          fate: 'delayed',
          reply: {
            code: 400,
            enhanced: '4.4.7',
            text: 'Message delayed; smtp.example.net: 451 4.4.1 Connection refused',
          },
          host: null,
          lastAttemptAt: null,
        },
      ],
    })
  })

  it('fails at its time what no host was ever asked about, with the reason it waited for', () => {
    const disposition = at(100_000)
    const reply = {
      code: 550,
      enhanced: '4.4.7',
      text: 'Message expired; smtp.example.net: 451 4.4.1 Connection refused',
    }
    expect(disposition.items).toEqual([])
    expect(disposition.report).toMatchObject({
      kind: 'failed',
      recipients: [{ address: 'user@example.org', fate: 'expired', reply, host: null }],
    })
    expect(disposition.events('DSN')).toEqual([
      expect.objectContaining({
        event: 'expired',
        host: null,
        attempts: 0,
        dsnId: 'DSN',
        recipients: [{ address: 'user@example.org', reply }],
      }),
    ])
  })

  it('reports the last reply of the smart host where there is one', () => {
    const disposition = at(100_000, to({ lastReply: busy, lastHost: host }))
    expect(disposition.report!.recipients[0]).toMatchObject({ fate: 'expired', reply: busy, host })
  })

  it('leaves out of it whoever has been delivered or reported before', () => {
    const disposition = at(100_000, to({ state: 'delivered' }, {}, { state: 'failed' }))
    expect(reported(disposition)).toEqual(['expired r1@example.org'])
    expect(disposition.items).toEqual([])
  })

  it('does without a reason', () => {
    expect(at(100_000, {}, null).report!.recipients[0]!.reply.text).toBe('Message expired')
    expect(at(4000, {}, null).report!.recipients[0]!.reply.text).toBe('Message delayed')
  })

  it('tells nobody of an expired report of our own, but logs it', () => {
    const disposition = at(100_000, { sender: sender('') })
    expect(disposition.report).toBeNull()
    expect(disposition.events(null)).toEqual([expect.objectContaining({ event: 'expired', dsnId: null })])
  })
})

describe('removalReport', () => {
  it('tells of each recipient that still waits, in the words of Exchange', () => {
    const removed = item(to('a@example.org', { state: 'delivered' }, { state: 'failed' }, 'b@example.org'))
    expect(removalReport(removed)).toMatchObject({
      kind: 'failed',
      itemId: removed.id,
      recipients: ['a@example.org', 'b@example.org'].map((address) => ({
        address,
        fate: 'removed',
        reply: { code: 550, enhanced: '4.3.2', text: 'Message deleted by administrative action' },
        host: null,
        lastAttemptAt: null,
      })),
    })
  })

  it.each<[Notify, boolean]>([
    [null, true],
    [['failure'], true],
    [['success', 'delay'], false],
    ['never', false],
  ])('keeps to NOTIFY: %j', (notify, told) => {
    expect(removalReport(item(to({ notify }))) !== null).toBe(told)
  })

  it('is never about mail from the null reverse-path', () => {
    expect(removalReport(item({ sender: sender('') }))).toBeNull()
  })
})
