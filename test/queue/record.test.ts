import { describe, expect, it } from 'vitest'
import type { QueueItem } from '../../src/queue/queue.ts'
import { decodeItem, encodeItem } from '../../src/queue/record.ts'
import { queueItem, recipient, sender } from '../support/queue-fixtures.ts'

const id = '01JABCDEFGHJKMNPQRST-1'
const reply = { code: 250, enhanced: '2.0.0', text: 'Ok' }
const whole = queueItem(id)

/** The item, with one thing in it that may be anything. */
const withField = (field: string, value: unknown) => ({ ...whole, [field]: value }) as QueueItem
const withRecipient = (fields: Record<string, unknown>) =>
  withField('recipients', [recipient('a@example.org'), { ...recipient('b@example.org'), ...fields }])
const withSender = (fields: Record<string, unknown>) =>
  withField('sender', { ...sender('a@example.com'), ...fields })

describe('a record', () => {
  it.each([
    ['as it begins', whole],
    ['without a Message-ID, held, of another mailing', withField('internetMessageId', null)],
    [
      'of a DSN',
      { ...withField('client', { address: null, listener: null, user: null }), delayNoticeAt: null },
    ],
    ['held', withField('suspended', 'asked by an operator')],
    [
      'after attempts',
      { ...withRecipient({ lastReply: reply, lastHost: 'mx' }), attempts: 3, lastError: 'x' },
    ],
    ['of recipients with each NOTIFY', withRecipient({ notify: ['success', 'failure', 'delay'] })],
    ['of recipients without', withRecipient({ notify: 'never', orcpt: 'rfc822;x', state: 'failed' })],
    ['with sender parameters', withSender({ bodyType: '8bitmime', ret: 'hdrs', envid: 'x', smtpUtf8: true })],
  ])('%s is read as it was written', (_, item) => {
    expect(decodeItem(encodeItem(item))).toEqual(item)
  })

  const notText = [undefined, 1, true, {}, []]
  const notCount = [undefined, '1', -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, {}]
  const faults: [field: string, values: unknown[]][] = [
    [
      'id',
      [...notText, null, '', '01JABCDEFGHJKMNPQRST', `${id}x`, '01JABCDEFGHJKMNPQRST-0', 'l'.repeat(20)],
    ],
    ['messageId', [...notText, null, '', id, '01JABCDEFGHJKMNPQRSX']],
    ['connector', [...notText, null, '', 'a b', 'a\u0000', 'x'.repeat(201)]],
    ['sender', [undefined, null, 'x', []]],
    ['recipients', [undefined, null, 'x', {}, [], [null], ['a@example.org']]],
    ['client', [undefined, null, 'x', [], {}, { address: 1, listener: null, user: null }]],
    [
      'client',
      [
        { address: null, listener: null },
        { address: null, listener: [], user: null },
      ],
    ],
    ['internetMessageId', notText],
    ['eightBit', [undefined, null, 0, 'true']],
    ...['sizeBytes', 'receivedAt', 'expiresAt', 'attempts', 'nextAttemptAt'].map(
      (field): [string, unknown[]] => [field, [...notCount, null]],
    ),
    // JSON has no other numbers than these: they would be null.
    ['delayNoticeAt', notCount.filter((value) => typeof value !== 'number' || Number.isFinite(value))],
    ['suspended', notText],
    ['requireTls', [null, 0, 'true']],
    ['boundMark', [null, 0, 'true']],
    ['lastError', notText],
  ]
  it.each(faults.flatMap(([field, values]) => values.map((value) => [field, value] as const)))(
    'with the %s %j is none',
    (field, value) => {
      const item = withField(field, value)
      expect(() => encodeItem(item)).toThrow(`bad ${field}`)
      expect(decodeItem(JSON.stringify(item))).toBeNull()
    },
  )

  const ofRecipient: [field: string, values: unknown[]][] = [
    ['address', [...notText, null]],
    ['notify', [undefined, 'always', [], ['never'], ['success', 1], {}]],
    ['orcpt', notText],
    ['state', [undefined, null, 'deferred', 1]],
    ['lastReply', [undefined, 'x', [], {}, { ...reply, code: '250' }, { ...reply, enhanced: 1 }]],
    [
      'lastReply',
      [
        { ...reply, text: null },
        { code: 250, text: '' },
      ],
    ],
    ['lastHost', notText],
  ]
  it.each(ofRecipient.flatMap(([field, values]) => values.map((value) => [field, value] as const)))(
    'of which a recipient has the %s %j is none',
    (field, value) => {
      expect(() => encodeItem(withRecipient({ [field]: value }))).toThrow('bad recipients')
    },
  )

  const ofSender: [field: string, values: unknown[]][] = [
    ['from', [...notText, null]],
    ['bodyType', [undefined, null, 'binarymime']],
    ['smtpUtf8', [undefined, null, 1]],
    ['ret', [undefined, 'FULL', 1]],
    ['envid', notText],
  ]
  it.each(ofSender.flatMap(([field, values]) => values.map((value) => [field, value] as const)))(
    'of which the sender has the %s %j is none',
    (field, value) => {
      expect(() => encodeItem(withSender({ [field]: value }))).toThrow('bad sender')
    },
  )

  it.each(['', 'null', '[]', '"x"', '{', '1'])('is not %s', (text) => {
    expect(decodeItem(text)).toBeNull()
  })

  it('from before TLS could be required and mail be marked reads as without', () => {
    const { requireTls, boundMark, ...older } = whole
    expect(decodeItem(JSON.stringify(older))).toEqual(whole)
  })
})
