import { describe, expect, it } from 'vitest'
import { envelopeVerdict } from '../../../src/policy/rules/evaluate.ts'
import { formatReply } from '../../../src/reply.ts'
import { judged, rulesOf, viewOf } from '../messages.ts'

const reject = { conditions: { recipientDomainIs: ['example.net'] }, actions: { reject: {} } }

function questionOf(recipient: string) {
  const { sender, client, now } = viewOf({})
  return { sender, client, now, recipient }
}

describe('at RCPT', () => {
  it.each<[string, Record<string, unknown>[], string | null]>([
    ['a rule about the recipient refuses it', [reject], '550 5.7.1'],
    [
      'a rule about the sender refuses every recipient',
      [{ conditions: { senderIs: ['sender@example.com'] }, actions: { reject: {} } }],
      '550 5.7.1',
    ],
    ['a rule for all does', [{ actions: { reject: { enhanced: '5.7.950' } } }], '550 5.7.950'],
    ['to defer concerns this recipient alone', [{ ...reject, actions: { defer: {} } }], '451 4.7.1'],
    [
      'rules that only change come before',
      [{ actions: { hold: 'x', requireTLS: true } }, reject],
      '550 5.7.1',
    ],
    [
      'rules of mode audit and test are passed',
      [{ ...reject, mode: 'audit', stop: true }, { mode: 'test', actions: { drop: true } }, reject],
      '550 5.7.1',
    ],
    [
      'rules that do not match are passed',
      [{ conditions: { userIs: ['x'] }, actions: { drop: true } }, reject],
      '550 5.7.1',
    ],
    [
      'rules that are not active are passed',
      [
        { enabled: false, conditions: { messageSizeOver: 1 }, actions: { drop: true } },
        { activeFrom: '2030-01-01', conditions: { messageSizeOver: 1 }, actions: { drop: true } },
        reject,
      ],
      '550 5.7.1',
    ],

    [
      'another recipient is not refused',
      [{ ...reject, conditions: { recipientDomainIs: ['example.org'] } }],
      null,
    ],
    ['an exception exempts', [{ ...reject, exceptions: { recipientIs: ['x@example.net'] } }], null],
    ['mode audit refuses nobody', [{ ...reject, mode: 'audit' }], null],
    ['a rule before drops', [{ actions: { drop: true } }, reject], null],
    ['a rule before stops', [{ actions: { audit: 'low' }, stop: true }, reject], null],
    [
      'a rule before needs the header',
      [{ conditions: { subjectContainsWords: ['a'] }, actions: { audit: 'low' } }, reject],
      null,
    ],
    [
      'a rule before needs the content for its exception',
      [{ exceptions: { contentAmbiguous: true }, actions: { audit: 'low' } }, reject],
      null,
    ],
    [
      'a rule before needs the size',
      [{ conditions: { messageSizeOver: 1 }, actions: { audit: 'low' } }, reject],
      null,
    ],
    [
      'a rule before needs all recipients',
      [{ conditions: { recipientCountOver: 1 }, actions: { audit: 'low' } }, reject],
      null,
    ],
    [
      'it asks about any recipient itself',
      [{ conditions: { anyRecipientIs: ['x@example.net'] }, actions: { reject: {} } }],
      null,
    ],
    [
      'a rule before, active now, needs the header',
      [{ activeFrom: '2020-01-01', conditions: { headerPresent: ['a'] }, actions: { audit: 'low' } }, reject],
      null,
    ],
    [
      'a notice has to be sent, which needs a message',
      [{ ...reject, actions: { reject: {}, notify: { to: ['a@example.com'] } } }],
      null,
    ],
    [
      'a notice has to be sent before',
      [{ mode: 'audit', actions: { notify: { to: ['a@example.com'] } } }, reject],
      null,
    ],
  ])('%s', (_claim, rules, reply) => {
    const refusal = envelopeVerdict(rulesOf(rules), questionOf('x@example.net'))?.reply ?? null
    expect(refusal === null ? null : formatReply(refusal).slice(0, reply?.length)).toBe(reply)
    // Whoever is refused at RCPT would be refused at the end of DATA, too.
    if (reply === null) return
    const verdict = judged(rulesOf(rules), { recipients: ['x@example.net'] })
    expect(verdict).toMatchObject({ kind: 'refuse', reply: refusal })
  })

  it('tells which rules matched, the one that refuses last', () => {
    const rules = rulesOf([{ mode: 'test', actions: { drop: true } }, reject])
    expect(envelopeVerdict(rules, questionOf('x@example.net'))?.matches).toMatchObject([
      { rule: 'rule 0', mode: 'test' },
      {
        rule: 'rule 1',
        recipients: ['x@example.net'],
        because: [{ condition: 'recipientDomainIs', value: 'example.net' }],
      },
    ])
  })

  it('nothing is asked where no rule could refuse', () => {
    expect(rulesOf([{ actions: { audit: 'low' } }]).atRcpt).toEqual([])
    expect(
      rulesOf([{ conditions: { headerPresent: ['a'] }, actions: { drop: true } }, reject]).atRcpt,
    ).toEqual([])
  })
})
