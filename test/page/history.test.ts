import { describe, expect, it } from 'vitest'
import {
  agentInfoOf,
  formIdsOf,
  historyOf,
  messageIdsOf,
  remoteQueueId,
  wholeIdsOf,
} from '../../src/page/trace/history.ts'
import type { TrackedEvent } from '../../src/tracking/tracked-event.ts'

const id = '01JABCDEFGHJKMNPQRST'
const dsnId = '01JABCDEFGHJKMNPQRSX'
const formId = '01JABCDEFGHJKMNPQRSZ'

function event(name: string, fields: Partial<TrackedEvent> = {}): TrackedEvent {
  return {
    ...{
      at: 1000,
      event: name,
      source: 'SMTP',
      messageId: id,
      itemId: null,
      internetMessageId: '<1@example.com>',
    },
    ...{ networkMessageId: null, from: 'a@example.com', recipients: [], recipientCount: 0, connector: '29' },
    ...{
      client: null,
      host: null,
      sizeBytes: null,
      context: null,
      reference: null,
      about: null,
      details: {},
    },
    ...fields,
  }
}

const to = (...addresses: readonly (readonly [address: string, status?: string])[]) => ({
  recipients: addresses.map(([address, status = null]) => ({ address, status })),
  recipientCount: addresses.length,
})

const received = event('RECEIVE', {
  ...to(['b@example.org'], ['c@example.org']),
  ...{ sizeBytes: 4096, client: '192.0.2.1', connector: 'exchange' },
})
const sent = (at: number, address: string) =>
  event('SEND', { at, ...to([address, '250 2.0.0 Ok: queued as 4711']), itemId: `${id}-1` })
const failed = (at: number, address: string) =>
  event('FAIL', { at, ...to([address, '550 5.1.1 No such user']), itemId: `${id}-1` })
const deferred = (at: number, address: string) =>
  event('DEFER', { at, ...to([address, '451 4.2.2 Later']), itemId: `${id}-1` })
const dsn = event('DSN', {
  ...{
    at: 3000,
    source: 'DSN',
    messageId: dsnId,
    about: `${id}-1`,
    from: '',
    internetMessageId: '<dsn@relay>',
  },
  ...to(['a@example.com']),
})
const dsnSent = event('SEND', { at: 4000, messageId: dsnId, from: '', ...to(['a@example.com', '250 Ok']) })

/** The API gives the newest first. */
const newestFirst = (...events: readonly TrackedEvent[]) => [...events].reverse()

describe('a history', () => {
  it('tells the steps from the oldest on, with the time between them', () => {
    const { steps } = historyOf(
      id,
      newestFirst({ ...received, at: 1000 }, deferred(1500, 'b@example.org'), sent(4000, 'b@example.org')),
    )
    expect(
      steps.map(({ event: { event: name }, sincePreviousMs, sinceStartMs }) => [
        name,
        sincePreviousMs,
        sinceStartMs,
      ]),
    ).toEqual([
      ['RECEIVE', null, 0],
      ['DEFER', 500, 500],
      ['SEND', 2500, 3000],
    ])
  })

  it('keeps events of one instant in the order in which they were written', () => {
    const { steps } = historyOf(
      id,
      newestFirst(received, deferred(1000, 'b@example.org'), sent(1000, 'b@example.org')),
    )
    expect(steps.map((step) => step.event.event)).toEqual(['RECEIVE', 'DEFER', 'SEND'])
  })

  it('knows the message by its reception, not by the DSN about it', () => {
    const history = historyOf(id, newestFirst(received, failed(2000, 'b@example.org'), dsn))
    expect(history).toMatchObject({
      ...{ messageId: id, internetMessageId: '<1@example.com>', from: 'a@example.com', receivedAt: 1000 },
      ...{ sizeBytes: 4096, client: '192.0.2.1', listener: 'exchange', recipientCount: 2 },
    })
    expect(history.steps.map((step) => step.event.event)).toEqual(['RECEIVE', 'FAIL', 'DSN'])
    expect(history.fates.map(({ address }) => address)).not.toContain('a@example.com')
  })

  it('tells of a form that policy made in the history of its message', () => {
    const transfer = event('TRANSFER', { at: 1001, messageId: formId, reference: id })
    const formSent = event('SEND', { at: 2000, messageId: formId, ...to(['c@example.org', '250 Ok']) })
    const { steps, fates } = historyOf(
      id,
      newestFirst(received, transfer, sent(1500, 'b@example.org'), formSent),
    )
    expect(steps.map((step) => step.event.event)).toEqual(['RECEIVE', 'TRANSFER', 'SEND', 'SEND'])
    expect(fates.map(({ fate }) => fate)).toEqual(['sent', 'sent'])
  })

  it('of a message that was refused says by whom it came, and that we do not have it', () => {
    const checked = event('AGENTINFO', { at: 1000, internetMessageId: null, from: null, connector: null })
    const refused = event('FAIL', {
      ...{ at: 1001, client: '192.0.2.1', connector: 'exchange', sizeBytes: 4096 },
      ...{ ...to(['b@example.org', '550 5.7.1 No']), details: { RefusedAt: 'DATA' } },
    })
    expect(historyOf(id, newestFirst(checked, refused))).toMatchObject({
      ...{ standing: 'refused', client: '192.0.2.1', listener: 'exchange', sizeBytes: 4096 },
      fates: [{ address: 'b@example.org', fate: 'refused', status: '550 5.7.1 No' }],
    })
  })

  it('is empty where nothing is known', () => {
    expect(historyOf(id, [])).toMatchObject({ steps: [], standing: 'unknown', receivedAt: null })
  })

  it('of a DSN asked for by its own id tells how it left', () => {
    const { standing, steps } = historyOf(dsnId, newestFirst(received, dsn, dsnSent))
    expect(steps.map((step) => step.event.event)).toEqual(['DSN', 'SEND'])
    expect(standing).toBe('sent')
  })
})

describe('how a message stands', () => {
  const removed = event('REMOVE', { at: 2500, ...to(['b@example.org'], ['c@example.org']) })
  const dropped = event('DROP', { at: 1100, ...to(['b@example.org'], ['c@example.org']) })
  const table: [string, TrackedEvent[], string][] = [
    ['nothing has happened yet', [], 'waiting'],
    [
      'one waits for another attempt',
      [sent(2000, 'b@example.org'), deferred(2000, 'c@example.org')],
      'deferred',
    ],
    ['one has not been tried', [sent(2000, 'b@example.org')], 'waiting'],
    ['all were reached', [sent(2000, 'b@example.org'), sent(2000, 'c@example.org')], 'sent'],
    [
      'one was refused, the other reached',
      [sent(2000, 'b@example.org'), failed(2000, 'c@example.org')],
      'partly',
    ],
    ['all were refused', [failed(2000, 'b@example.org'), failed(2000, 'c@example.org')], 'failed'],
    ['an operator removed it', [removed], 'removed'],
    ['what was delivered before the removal stays so', [sent(2000, 'b@example.org'), removed], 'partly'],
    ['a rule dropped it', [dropped], 'dropped'],
    [
      'a retry reached them after all',
      [deferred(2000, 'b@example.org'), sent(2500, 'b@example.org'), sent(2500, 'c@example.org')],
      'sent',
    ],
  ]
  it.each(table)('%s', (_, events, standing) => {
    expect(historyOf(id, newestFirst(received, ...events)).standing).toBe(standing)
  })
})

it('finds the messages that events are about, each once, a DSN under what it is about', () => {
  expect(messageIdsOf([dsn, failed(2000, 'b@example.org'), received])).toEqual([id])
  expect(messageIdsOf([dsnSent, received])).toEqual([dsnId, id])
})

it('asks for forms whose events are not there yet', () => {
  const transfer = event('TRANSFER', { messageId: formId, reference: id })
  expect(formIdsOf([transfer, received])).toEqual([formId])
  expect(formIdsOf([event('SEND', { messageId: formId }), transfer])).toEqual([])
})

it('tells of a form in the history of its message', () => {
  const transfer = event('TRANSFER', { messageId: formId, reference: id })
  expect(wholeIdsOf([formId, dsnId], [transfer])).toEqual([id, dsnId])
  expect(wholeIdsOf([formId, id], [transfer])).toEqual([id])
})

describe('the smart host’s queue id', () => {
  it.each([
    ['250 2.0.0 Ok: queued as 3F2A81', '3F2A81'],
    ['250 2.0.0 Ok: queued as 3F2A81.', '3F2A81'],
    ['250 OK id=1tAbcD-000001-2x', '1tAbcD-000001-2x'],
    ['250 2.6.0 Message accepted, queue id: 77-ab', '77-ab'],
    ['250 2.0.0 Thanks', null],
    ['550 5.7.1 No', null],
    [null, null],
  ])('of %j is %j', (reply, wanted) => {
    expect(remoteQueueId(reply)).toBe(wanted)
  })
})

describe('AGENTINFO', () => {
  it('of a rule: its name, what it did and why', () => {
    const details = {
      TRA: 'ETR|rule=Cards|mode=enforce|action=hold|sev=',
      Because: 'sensitiveData=4111…|senderIs=a',
    }
    expect(agentInfoOf({ details })).toEqual({
      ...{ kind: 'rule', name: 'Cards' },
      values: [
        ['mode', 'enforce'],
        ['action', 'hold'],
        ['sensitiveData', '4111…'],
        ['senderIs', 'a'],
      ],
    })
  })

  it('of a checker and of a limit', () => {
    expect(agentInfoOf({ details: { Check: 'virus|action=pass|away=|note=|ms=12' } })).toEqual({
      ...{
        kind: 'checker',
        name: 'virus',
        values: [
          ['action', 'pass'],
          ['ms', '12'],
        ],
      },
    })
    expect(agentInfoOf({ details: { Limit: 'per-user|of=a@example.com|action=defer' } })).toEqual({
      ...{
        kind: 'limit',
        name: 'per-user',
        values: [
          ['of', 'a@example.com'],
          ['action', 'defer'],
        ],
      },
    })
  })

  it('of anything else is nothing', () => {
    expect(agentInfoOf({ details: { Attempts: '2' } })).toBeNull()
  })
})
