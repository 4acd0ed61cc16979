import { describe, expect, it } from 'vitest'
import { evaluate, explainRules } from '../../../src/policy/rules/evaluate.ts'
import type { Variant } from '../../../src/policy/rules/verdict.ts'
import { formatReply } from '../../../src/reply.ts'
import { attachment, judged, passed, rulesOf, type TestMessage, viewOf } from '../messages.ts'

const a = 'a@example.org'
const b = 'b@example.org'
const c = 'c@example.net'
const abc: TestMessage = { recipients: [a, b, c] }

const untouched: Omit<Variant, 'recipients'> = {
  redirectTo: null,
  added: [],
  edits: [],
  sender: null,
  hold: null,
  connector: null,
  requireTls: false,
}

/** The reply as one line; null where somebody gets the message. */
function refusal(rules: readonly Record<string, unknown>[], message: TestMessage = abc): string | null {
  const verdict = judged(rulesOf(rules), message)
  return verdict.kind === 'refuse' ? formatReply(verdict.reply) : null
}

const only = (recipient: string) => ({ recipientIs: [recipient] })
const outcomes = (rules: readonly Record<string, unknown>[], message: TestMessage = abc) => {
  const explained = explainRules(rulesOf(rules), viewOf(message))
  if (explained === 'needsContent') throw new Error('The rules ask for content')
  return explained.outcomes.map(({ outcome }) => outcome.kind)
}

describe('without a rule that matches', () => {
  it.each<[string, Record<string, unknown>[]]>([
    ['no rules', []],
    ['no rule matches', [{ conditions: { senderIs: ['x@example.com'] }, actions: { drop: true } }]],
    ['the rule is excepted', [{ exceptions: { listenerIs: ['exchange'] }, actions: { drop: true } }]],
    ['the rule is disabled', [{ enabled: false, actions: { drop: true } }]],
  ])('one variant goes on as it came: %s', (_claim, rules) => {
    expect(judged(rulesOf(rules), abc)).toEqual({
      kind: 'pass',
      matches: [],
      notices: [],
      variants: [{ recipients: [a, b, c], ...untouched }],
      bounced: [],
      dropped: [],
    })
  })

  it('rules that are all disabled count as none', () => {
    expect(rulesOf([{ enabled: false, actions: { drop: true } }]).empty).toBe(true)
    expect(rulesOf([{ actions: { drop: true } }]).empty).toBe(false)
  })
})

describe('an action makes the variant', () => {
  it.each<[string, Record<string, unknown>, Partial<Variant>]>([
    ['hold', { hold: 'to be read' }, { hold: 'to be read' }],
    [
      'redirectTo',
      { redirectTo: ['x@example.com', 'y@example.com'] },
      { redirectTo: ['x@example.com', 'y@example.com'] },
    ],
    [
      'addTo',
      { addTo: ['x@example.com'] },
      {
        added: ['x@example.com'],
        edits: [{ kind: 'addMailboxes', field: 'To', addresses: ['x@example.com'] }],
      },
    ],
    [
      'addCc',
      { addCc: ['x@example.com'] },
      {
        added: ['x@example.com'],
        edits: [{ kind: 'addMailboxes', field: 'Cc', addresses: ['x@example.com'] }],
      },
    ],
    ['addBcc', { addBcc: ['x@example.com'] }, { added: ['x@example.com'] }],
    ['routeThrough', { routeThrough: 29 }, { connector: '29' }],
    ['requireTLS', { requireTLS: true }, { requireTls: true }],
    [
      'setHeaders',
      {
        setHeaders: [
          { name: 'X-A', value: '1' },
          { name: 'X-B', value: '2' },
        ],
      },
      {
        edits: [
          { kind: 'setHeader', name: 'X-A', value: '1' },
          { kind: 'setHeader', name: 'X-B', value: '2' },
        ],
      },
    ],
    [
      'addHeaders',
      { addHeaders: [{ name: 'X-A', value: '1' }] },
      { edits: [{ kind: 'addHeader', name: 'X-A', value: '1' }] },
    ],
    ['removeHeaders', { removeHeaders: ['X-A'] }, { edits: [{ kind: 'removeHeader', name: 'X-A' }] }],
    [
      'prefixSubject',
      { prefixSubject: '[external] ' },
      { edits: [{ kind: 'prefixSubject', text: '[external] ' }] },
    ],
    [
      'disclaimer',
      { disclaimer: { text: 'Confidential.' } },
      {
        edits: [
          { kind: 'disclaimer', text: 'Confidential.', html: null, position: 'append', fallback: 'wrap' },
        ],
      },
    ],
    ['rewriteSender', { rewriteSender: 'x@example.com' }, { sender: 'x@example.com' }],
    [
      'rewriteFrom',
      { rewriteFrom: 'x@example.com' },
      { edits: [{ kind: 'rewriteFrom', address: 'x@example.com' }] },
    ],
    ['stripReceived', { stripReceived: true }, { edits: [{ kind: 'stripReceived' }] }],
    ['audit', { audit: 'high' }, {}],
    ['notify', { notify: { to: ['x@example.com'] } }, {}],
  ])('%s', (_action, actions, expected) => {
    const { variants, bounced, dropped } = passed(rulesOf([{ actions }]), abc)
    expect(variants).toEqual([{ recipients: [a, b, c], ...untouched, ...expected }])
    expect([bounced, dropped]).toEqual([[], []])
  })

  it('fields are removed before they are set, and the disclaimer comes last', () => {
    const actions = {
      disclaimer: { text: 'Confidential.' },
      addTo: ['x@example.com'],
      rewriteFrom: 'x@example.com',
      prefixSubject: '[x] ',
      addHeaders: [{ name: 'X-A', value: '2' }],
      setHeaders: [{ name: 'X-A', value: '1' }],
      removeHeaders: ['X-A'],
      stripReceived: true,
    }
    expect(passed(rulesOf([{ actions }]), abc).variants[0]!.edits.map(({ kind }) => kind)).toEqual([
      'stripReceived',
      'removeHeader',
      'setHeader',
      'addHeader',
      'prefixSubject',
      'rewriteFrom',
      'addMailboxes',
      'disclaimer',
    ])
  })
})

describe('reject', () => {
  it('refuses with the default reply of Exchange', () => {
    expect(refusal([{ actions: { reject: {} } }])).toBe('550 5.7.1 Delivery not authorized, message refused')
  })
  it('refuses with the reply of the rule', () => {
    const reject = { code: 554, enhanced: '5.7.923', text: 'Not here' }
    expect(refusal([{ actions: { reject } }])).toBe('554 5.7.923 Not here')
  })
  it('of some recipients lets the others go on', () => {
    const { variants, bounced } = passed(
      rulesOf([{ name: 'no', conditions: only(b), actions: { reject: {} } }]),
      abc,
    )
    expect(variants).toEqual([{ recipients: [a, c], ...untouched }])
    expect(bounced).toEqual([{ recipients: [b], rule: 'no', reply: expect.objectContaining({ code: 550 }) }])
  })
  it('of all recipients, rule by rule, refuses with the first reply', () => {
    const rules = [
      { name: 'first', conditions: only(c), actions: { reject: { text: 'First' } } },
      { actions: { reject: { text: 'Second' } } },
    ]
    expect(judged(rulesOf(rules), abc)).toMatchObject({
      kind: 'refuse',
      rule: 'first',
      reply: { text: 'First' },
    })
  })
  it('of those that were not dropped tells the client nothing of the dropped', () => {
    const rules = [{ conditions: only(b), actions: { drop: true } }, { actions: { reject: {} } }]
    expect(passed(rulesOf(rules), abc)).toMatchObject({
      variants: [],
      bounced: [{ recipients: [a, c] }],
      dropped: [{ recipients: [b], rule: 'rule 0' }],
    })
  })
})

describe('drop', () => {
  it('of all leaves nobody', () => {
    expect(passed(rulesOf([{ name: 'd', actions: { drop: true } }]), abc)).toMatchObject({
      variants: [],
      bounced: [],
      dropped: [{ recipients: [a, b, c], rule: 'd' }],
    })
  })
})

describe('defer', () => {
  it('is 451 4.7.1', () => {
    expect(refusal([{ actions: { defer: {} } }])).toBe('451 4.7.1 Delivery deferred by policy')
    expect(refusal([{ actions: { defer: { text: 'Later' } } }])).toBe('451 4.7.1 Later')
  })
  it('of one recipient defers the message for all, because one reply answers DATA', () => {
    const rules = [
      { conditions: only(a), actions: { reject: {} } },
      { name: 'later', conditions: only(b), actions: { defer: {} } },
      { actions: { drop: true } },
    ]
    expect(judged(rulesOf(rules), abc)).toMatchObject({ kind: 'refuse', rule: 'later', reply: { code: 451 } })
    expect(outcomes(rules)).toEqual(['matched', 'matched', 'stoppedBefore'])
  })
  it('does not touch those whom a rule before has settled', () => {
    const rules = [
      { conditions: only(b), actions: { drop: true } },
      { conditions: only(b), actions: { defer: {} } },
    ]
    expect(refusal(rules)).toBeNull()
  })
  it('sends no notices but its own: the message comes again', () => {
    const notify = { to: ['x@example.com'] }
    const rules = [
      { name: 'before', actions: { notify } },
      { name: 'later', actions: { defer: {}, notify } },
    ]
    expect(judged(rulesOf(rules), abc).notices.map(({ rule }) => rule)).toEqual(['later'])
  })
})

describe('actions of several rules', () => {
  it('accumulate: edits in order, the last redirect, sender and connector, the first reason to hold', () => {
    const rules = rulesOf([
      {
        actions: {
          prefixSubject: '1',
          redirectTo: ['x1@example.com'],
          hold: 'one',
          routeThrough: 1,
          rewriteSender: 's1@example.com',
          addBcc: ['b1@example.com'],
        },
      },
      { actions: { requireTLS: true } },
      {
        actions: {
          prefixSubject: '2',
          redirectTo: ['x2@example.com'],
          hold: 'two',
          routeThrough: 2,
          rewriteSender: 's2@example.com',
          addBcc: ['b2@example.com', 'b1@example.com'],
        },
      },
    ])
    expect(passed(rules, abc).variants).toEqual([
      {
        recipients: [a, b, c],
        redirectTo: ['x2@example.com'],
        added: ['b1@example.com', 'b2@example.com', 'b1@example.com'],
        edits: [
          { kind: 'prefixSubject', text: '1' },
          { kind: 'prefixSubject', text: '2' },
        ],
        sender: 's2@example.com',
        hold: 'one',
        connector: '2',
        requireTls: true,
      },
    ])
  })
})

describe('recipient conditions', () => {
  const tag = (text: string) => ({ prefixSubject: text })
  const tagsOf = (rules: readonly Record<string, unknown>[]) =>
    passed(rulesOf(rules), abc).variants.map(({ recipients, edits }) => [
      recipients,
      edits.map((edit) => (edit.kind === 'prefixSubject' ? edit.text : edit.kind)).join(''),
    ])

  it('select those that the rule acts on', () => {
    expect(tagsOf([{ conditions: only(b), actions: tag('1') }])).toEqual([
      [[a, c], ''],
      [[b], '1'],
    ])
  })
  it('must all hold for the same recipient', () => {
    const conditions = { recipientDomainIs: ['example.org'], recipientContainsWords: ['b', 'c'] }
    expect(tagsOf([{ conditions, actions: tag('1') }])).toEqual([
      [[a, c], ''],
      [[b], '1'],
    ])
  })
  it('must all hold for some recipient, else the rule does not match', () => {
    const conditions = { recipientIs: [a, b], recipientDomainIs: ['example.net'] }
    expect(outcomes([{ conditions, actions: tag('1') }])).toEqual(['notMatched'])
  })
  it('are told with the value of the first of them', () => {
    const conditions = { recipientContainsWords: ['b', 'c'] }
    expect(passed(rulesOf([{ conditions, actions: tag('1') }]), abc).matches).toMatchObject([
      { recipients: [b, c], because: [{ condition: 'recipientContainsWords', value: 'b' }] },
    ])
  })
  it('of any recipient concern the whole message', () => {
    expect(tagsOf([{ conditions: { anyRecipientIs: [b] }, actions: tag('1') }])).toEqual([[[a, b, c], '1']])
  })
  it('as an exception exempt that recipient alone', () => {
    expect(tagsOf([{ exceptions: only(b), actions: tag('1') }])).toEqual([
      [[a, c], '1'],
      [[b], ''],
    ])
  })
  it('as exceptions exempt whoever satisfies one of them', () => {
    const exceptions = { recipientIs: [b], recipientDomainIs: ['example.net'] }
    expect(tagsOf([{ exceptions, actions: tag('1') }])).toEqual([
      [[a], '1'],
      [[b, c], ''],
    ])
  })
  it('as an exception of any recipient exempt the whole message', () => {
    expect(tagsOf([{ exceptions: { anyRecipientIs: [b] }, actions: tag('1') }])).toEqual([[[a, b, c], '']])
  })
  it('split again what is split, and come together where plans are the same', () => {
    const rules = [
      { conditions: only(c), actions: tag('x') },
      { conditions: { recipientIs: [a, c] }, actions: tag('y') },
      { conditions: only(a), actions: tag('z') },
      { conditions: only(b), actions: tag('y') },
      { conditions: only(b), actions: tag('z') },
    ]
    expect(tagsOf(rules)).toEqual([
      [[a, b], 'yz'],
      [[c], 'xy'],
    ])
  })
  it('keep the order of the envelope', () => {
    const rules = [
      { conditions: only(b), actions: { ...tag('1'), requireTLS: true } },
      { conditions: { recipientIs: [c, a] }, actions: { ...tag('1'), requireTLS: true } },
    ]
    expect(tagsOf(rules)).toEqual([[[a, b, c], '1']])
  })
})

describe('stop', () => {
  const stopping = { conditions: only(a), actions: { prefixSubject: '1' }, stop: true }
  it('ends the rules for the recipients it acted on', () => {
    const { variants } = passed(rulesOf([stopping, { actions: { requireTLS: true } }]), abc)
    expect(variants).toMatchObject([
      { recipients: [a], requireTls: false },
      { recipients: [b, c], requireTls: true },
    ])
  })
  it('leaves rules that have nobody left', () => {
    expect(outcomes([{ ...stopping, conditions: {} }, { actions: { drop: true } }])).toEqual([
      'matched',
      'stoppedBefore',
    ])
  })
  it('counts only where the rule matches', () => {
    expect(
      outcomes([{ ...stopping, conditions: only('x@example.org') }, { actions: { drop: true } }]),
    ).toEqual(['notMatched', 'matched'])
  })
  it.each(['audit', 'test'])('does nothing in mode %s', (mode) => {
    expect(outcomes([{ ...stopping, conditions: {}, mode }, { actions: { drop: true } }])).toEqual([
      'matched',
      'matched',
    ])
  })
})

describe('later rules', () => {
  const dropped = { conditions: only(a), actions: { drop: true } }
  it('see the recipients that are left', () => {
    expect(passed(rulesOf([dropped, { actions: { audit: 'low' } }]), abc).matches[1]?.recipients).toEqual([
      b,
      c,
    ])
    expect(outcomes([dropped, { conditions: only(a), actions: { audit: 'low' } }])).toEqual([
      'matched',
      'notMatched',
    ])
  })
  it.each([{ anyRecipientIs: [a] }, { recipientCountOver: 2 }])(
    'look at the envelope as submitted for %j',
    (conditions) => {
      expect(outcomes([dropped, { conditions, actions: { audit: 'low' } }])).toEqual(['matched', 'matched'])
    },
  )
})

describe('conditions and exceptions', () => {
  const big = { messageSizeOver: 1000 }
  it('all of them must hold, and each is told', () => {
    const conditions = {
      subjectContainsWords: ['beta'],
      messageSizeOver: 1000,
      senderIs: ['sender@example.com'],
    }
    const { matches } = passed(rulesOf([{ conditions, actions: { audit: 'high' } }]), {
      header: 'Subject: beta',
      sizeBytes: 2048,
    })
    expect(matches).toEqual([
      {
        rule: 'rule 0',
        mode: 'enforce',
        because: [
          { condition: 'senderIs', value: 'sender@example.com' },
          { condition: 'messageSizeOver', value: '2KB' },
          { condition: 'subjectContainsWords', value: 'beta' },
        ],
        recipients: ['recipient@example.org'],
        actions: ['audit'],
        severity: 'high',
      },
    ])
  })
  it('one that does not hold is enough', () => {
    expect(outcomes([{ conditions: { ...big, listenerIs: ['x'] }, actions: { drop: true } }])).toEqual([
      'notMatched',
    ])
  })
  it('one exception is enough', () => {
    expect(outcomes([{ exceptions: { ...big, listenerIs: ['x'] }, actions: { drop: true } }])).toEqual([
      'excepted',
    ])
  })
})

describe('a mode', () => {
  const actions = { reject: {}, notify: { to: ['x@example.com'], text: 'See.' } }
  it.each<[string, boolean, number]>([
    ['enforce', true, 1],
    ['audit', false, 1],
    ['test', false, 0],
  ])('%s: refuses %s, sends %d notices', (mode, refuses, notices) => {
    const verdict = judged(rulesOf([{ name: 'r', mode, actions }]), abc)
    expect(verdict.kind).toBe(refuses ? 'refuse' : 'pass')
    expect(verdict.matches).toMatchObject([{ rule: 'r', mode, actions: ['reject', 'notify'] }])
    expect(verdict.notices).toHaveLength(notices)
    if (!refuses) expect(verdict).toMatchObject({ variants: [{ recipients: [a, b, c], ...untouched }] })
  })
  it('a notice says who is told what, and why', () => {
    const verdict = judged(rulesOf([{ name: 'r', conditions: { listenerIs: ['exchange'] }, actions }]), abc)
    expect(verdict.notices).toEqual([
      {
        rule: 'r',
        to: ['x@example.com'],
        subject: 'A mail-flow rule matched a message',
        text: 'See.',
        because: [{ condition: 'listenerIs', value: 'exchange' }],
      },
    ])
  })
})

describe('a rule with a period', () => {
  const rule = { activeFrom: '2026-07-01', activeUntil: '2026-07-02T12:00:00+02:00', actions: { drop: true } }
  it.each([
    ['2026-06-30T23:59:59Z', 'notYetActive'],
    ['2026-07-01T00:00:00Z', 'matched'],
    ['2026-07-02T09:59:59Z', 'matched'],
    ['2026-07-02T10:00:00Z', 'noLongerActive'],
  ])('at %s: %s', (now, outcome) => {
    expect(outcomes([rule], { now: Date.parse(now) })).toEqual([outcome])
  })
  it('that is disabled is that first', () => {
    expect(outcomes([{ ...rule, enabled: false }], { now: 0 })).toEqual(['disabled'])
  })
})

describe('content', () => {
  const executable = { attachmentTypeIs: ['executable'] }
  const unread = { header: 'Subject: alpha', content: 'unread' } as const
  it.each<[string, boolean, Record<string, unknown>[]]>([
    ['a condition asks for it', true, [{ conditions: executable }]],
    ['an exception asks for it', true, [{ exceptions: executable }]],
    ['a rule in test mode asks for it', true, [{ mode: 'test', conditions: executable }]],
    ['no rule does', false, [{ conditions: { subjectMatches: ['a'] } }]],
    ['the rule is disabled', false, [{ enabled: false, conditions: executable }]],
    ['the rule is not active', false, [{ activeFrom: '2030-01-01', conditions: executable }]],
    ['the envelope rules it out', false, [{ conditions: { ...executable, senderIs: [a] } }]],
    ['no recipient is selected', false, [{ conditions: { ...executable, recipientIs: [a] } }]],
    ['the header rules it out', false, [{ conditions: { ...executable, subjectContainsWords: ['beta'] } }]],
    [
      'a cheap exception does',
      false,
      [{ conditions: executable, exceptions: { subjectContainsWords: ['alpha'] } }],
    ],
    ['a rule before has settled all', false, [{ actions: { drop: true } }, { conditions: executable }]],
    ['a rule before stopped for all', false, [{ stop: true }, { conditions: executable }]],
    ['a rule before defers', false, [{ conditions: {}, actions: { defer: {} } }, { conditions: executable }]],
    ['the subject has it already', false, [{ conditions: { subjectOrBodyContainsWords: ['alpha'] } }]],
    ['the subject has not', true, [{ conditions: { subjectOrBodyContainsWords: ['beta'] } }]],
    [
      'the subject excepts',
      false,
      [{ conditions: executable, exceptions: { subjectOrBodyMatches: ['alp'] } }],
    ],
  ])('is read or not: %s', (_claim, needed, rules) => {
    const compiled = rulesOf(rules.map((rule) => ({ actions: { audit: 'low' }, ...rule })))
    expect(evaluate(compiled, viewOf(unread)) === 'needsContent').toBe(needed)
    expect(explainRules(compiled, viewOf(unread)) === 'needsContent').toBe(needed)
  })
  it('is looked at after everything else', () => {
    const conditions = { ...executable, subjectContainsWords: ['alpha'] }
    const message = {
      header: 'Subject: alpha',
      content: { attachments: [attachment('x', { types: ['executable'] })] },
    } as const
    expect(passed(rulesOf([{ conditions, actions: { audit: 'low' } }]), message).matches[0]?.because).toEqual(
      [
        { condition: 'subjectContainsWords', value: 'alpha' },
        { condition: 'attachmentTypeIs', value: 'executable (x)' },
      ],
    )
  })
})

describe('content that could not be inspected', () => {
  const executable = { attachmentTypeIs: ['executable'] }
  const failed = { header: 'Subject: alpha', content: 'failed' } as const
  it.each<[string, Record<string, unknown>, string | null, string]>([
    ['defers', {}, '451 4.7.0', 'notInspected'],
    ['is ignored', { onError: 'ignore' }, null, 'passedOver'],
    ['defers nothing in mode audit', { mode: 'audit' }, null, 'passedOver'],
    ['defers nothing in mode test', { mode: 'test' }, null, 'passedOver'],
    [
      'is nothing to a rule that does not match',
      { conditions: { ...executable, senderIs: [a] } },
      null,
      'notMatched',
    ],
    [
      'is nothing where the subject has it',
      { conditions: { subjectOrBodyMatches: ['alpha'] } },
      null,
      'matched',
    ],
    ['defers for an exception', { conditions: {}, exceptions: executable }, '451 4.7.0', 'notInspected'],
  ])('%s', (_claim, rule, reply, outcome) => {
    const rules = [{ conditions: executable, actions: { audit: 'low' }, ...rule }]
    expect(refusal(rules, failed)?.slice(0, 9) ?? null).toBe(reply)
    expect(outcomes(rules, failed)).toEqual([outcome])
  })
  it('sends no notices: the message comes again', () => {
    const notify = { to: ['x@example.com'] }
    const rules = [{ actions: { notify } }, { conditions: executable, actions: { drop: true, notify } }]
    expect(judged(rulesOf(rules), failed)).toMatchObject({ kind: 'refuse', rule: 'rule 1', notices: [] })
  })
})

describe('explained', () => {
  it('every rule has an outcome, in order', () => {
    const rules = [
      { enabled: false, actions: { drop: true } },
      { conditions: { senderIs: [a] }, actions: { drop: true } },
      { exceptions: { listenerIs: ['exchange'] }, actions: { drop: true } },
      { conditions: only(a), actions: { reject: {} } },
      { actions: { drop: true } },
      { actions: { drop: true } },
    ]
    const explained = explainRules(rulesOf(rules), viewOf(abc))
    expect(explained).toMatchObject({
      outcomes: [
        { rule: 'rule 0', outcome: { kind: 'disabled' } },
        { rule: 'rule 1', outcome: { kind: 'notMatched', condition: 'senderIs' } },
        { rule: 'rule 2', outcome: { kind: 'excepted', condition: 'listenerIs', value: 'exchange' } },
        { rule: 'rule 3', outcome: { kind: 'matched', match: { recipients: [a] } } },
        { rule: 'rule 4', outcome: { kind: 'matched', match: { recipients: [b, c] } } },
        { rule: 'rule 5', outcome: { kind: 'stoppedBefore' } },
      ],
    })
  })
})
