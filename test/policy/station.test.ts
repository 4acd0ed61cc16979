/** The station whole: in which order its parts are asked, what each sees of those before it, and what comes out. */
import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { CheckedMessage } from '../../src/policy/checkers/checker.ts'
import { QueueUnavailable } from '../../src/queue/queue.ts'
import { permanent, temporary } from '../../src/reply.ts'
import { transactionOf } from '../support/checked-message.ts'
import { type CheckerScript, RunningStation, type StationSetUp, withField } from './running-station.ts'

const from = 'sender@example.com'
const two = { to: ['anna@example.org', 'bert@example.net'] }
const letter = 'From: <sender@example.com>\r\nSubject: A letter\r\n\r\nHello\r\n'
const no = permanent('7.1', 'No')
const later = temporary('7.1', 'Later')

const rejecting = (conditions: object, fields: object = {}) => ({
  conditions,
  actions: { reject: { text: 'Against the rules' } },
  ...fields,
})
const refusing: CheckerScript = {
  name: 'refusing',
  check: () => ({ kind: 'refuse', reply: no, note: 'bad' }),
}

/** What is recorded, in order: the event and who caused it. */
const recorded = ({ events }: RunningStation): string[] =>
  events.all.map((event) => {
    switch (event.event) {
      case 'limited':
        return `limited by ${event.limit}: ${event.over}`
      case 'checked':
        return `checked by ${event.checker}: ${event.verdict}`
      case 'rule':
        return `rule ${event.rule}`
      default:
        return event.event
    }
  })

describe('the order', () => {
  const limit = { name: 'small', per: 'sender', recipientsPerDay: 1 }
  const parts = {
    rights: { session: { senders: ['other@example.com'] } },
    limits: [limit],
    checkers: [refusing],
    rules: [rejecting({}, { name: 'all' })],
  }
  const answers = {
    rights: expect.stringMatching(/^550 5\.7\.60 /),
    limits: expect.stringMatching(/^5\d\d 5\.7\.28 /),
    checkers: '550 5.7.1 No',
    rules: '550 5.7.1 Against the rules',
  }
  it.each<[keyof typeof answers, (keyof typeof answers)[], string[]]>([
    ['rights', ['rights', 'limits', 'checkers', 'rules'], []],
    ['limits', ['limits', 'checkers', 'rules'], ['limited by small: reject']],
    ['checkers', ['checkers', 'rules'], ['checked by refusing: reject']],
    ['rules', ['rules'], ['rule all']],
  ])(
    '%s decide where %j would refuse, and what comes behind is not asked',
    async (first, refusers, events) => {
      const has = (part: keyof typeof parts) => refusers.includes(part)
      const running = await RunningStation.start({
        policy: { limits: has('limits') ? parts.limits : [], rules: has('rules') ? parts.rules : [] },
        checkers: has('checkers') ? parts.checkers : [],
      })
      const told = await running.told({ ...two, ...(has('rights') && parts.rights) })
      expect(told).toEqual({ refusal: answers[first], forms: [], refused: [], dropped: [], notices: [] })
      expect(recorded(running)).toEqual(events)
    },
  )

  it('of checkers is that of the configuration; the first that refuses is the last asked', async () => {
    const running = await RunningStation.start({ checkers: [{ name: 'a' }, refusing, { name: 'c' }] })
    expect((await running.told()).refusal).toBe('550 5.7.1 No')
    expect(running.events.of('checked')).toMatchObject([
      { checker: 'a', verdict: 'pass', away: null, note: null },
      { checker: 'refusing', verdict: 'reject', away: null, note: 'bad' },
    ])
  })
})

describe('without a word on a message', () => {
  it('gives the very draft back, as it came', async () => {
    const running = await RunningStation.start({
      checkers: [{ name: 'a' }],
      policy: { rules: [{ conditions: { subjectContainsWords: ['x'] }, actions: { drop: true } }] },
    })
    const submission = running.submission(two)
    const ruling = await running.judge(submission)
    expect(ruling.kind === 'pass' && ruling.forms[0]!.draft).toBe(submission.draft)
    expect(await running.told(submission)).toEqual({
      refusal: null,
      forms: [{ text: letter, groups: [`${from} > anna@example.org, bert@example.net`] }],
      refused: [],
      dropped: [],
      notices: [],
    })
  })

  it('concerns nobody where nothing is configured, but whom the From field is not free for', async () => {
    const { station } = await RunningStation.start()
    expect(station.concerns(transactionOf())).toBe(false)
    expect(station.concerns(transactionOf({ session: { senders: [from] } }))).toBe(true)
    const busy = await RunningStation.start({ checkers: [{ name: 'a' }] })
    expect(busy.station.concerns(transactionOf())).toBe(true)
  })

  it('judges by the rules that are in force by now', async () => {
    const running = await RunningStation.start()
    running.changeRules([rejecting({})])
    expect(running.station.concerns(transactionOf())).toBe(true)
    expect(await running.told(running.submission(two))).toMatchObject({
      refusal: '550 5.7.1 Against the rules',
    })
    running.changeRules([])
    expect(running.station.concerns(transactionOf())).toBe(false)
    // One whose DATA began under the old rules.
    expect(await running.told(running.submission(two))).toMatchObject({ refusal: null })
  })
})

describe('what a checker makes of a message', () => {
  it('is what the next one sees, and then the rules, and what leaves', async () => {
    const seen: CheckedMessage[] = []
    const running = await RunningStation.start({
      checkers: [
        {
          name: 'first',
          check: ({ draft }) => ({
            draft: withField(draft, 'X-Seen: by first'),
            sender: 'changed@example.com',
            added: ['carl@example.edu', 'carl@example.edu', 'bert@example.net'],
            removed: ['anna@example.org'],
          }),
        },
        {
          name: 'second',
          check: (message) => {
            seen.push(message)
            return {}
          },
        },
      ],
      policy: {
        rules: [
          {
            conditions: {
              headerContainsWords: [{ header: 'X-Seen', words: ['first'] }],
              senderIs: ['changed@example.com'],
              recipientIs: ['carl@example.edu'],
            },
            actions: { requireTLS: true },
          },
        ],
      },
    })
    const submission = running.submission(two)
    const told = await running.told(submission)
    const [second] = seen
    expect(second!.transaction.sender.from).toBe('changed@example.com')
    expect(second!.transaction.recipients.map(({ address }) => address)).toEqual([
      'bert@example.net',
      'carl@example.edu',
    ])
    expect(second!.submitted).toBe(submission.transaction)
    expect(told.forms).toEqual([
      {
        text: `X-Seen: by first\r\n${letter}`,
        groups: [
          'changed@example.com > bert@example.net',
          'changed@example.com > (carl@example.edu); with TLS',
        ],
      },
    ])
  })

  it('may be a report', async () => {
    const running = await RunningStation.start({ checkers: [{ name: 'a', check: () => ({ sender: '' }) }] })
    expect((await running.told()).forms[0]!.groups).toEqual(['<> > user@example.org'])
  })

  it('may be a new body, which is kept until the message is done', async () => {
    const body = async function* () {
      yield Buffer.from('Other words\r\n')
    }
    const running = await RunningStation.start({
      checkers: [
        {
          name: 'a',
          check: (async ({ draft, keep }: CheckedMessage) => ({
            draft: { ...draft, body: await keep(body()) },
          })) as never,
        },
      ],
      policy: { rules: [rejecting({ subjectOrBodyContainsWords: ['other'] })] },
    })
    expect((await running.told()).refusal).toBe('550 5.7.1 Against the rules')
  })
})

describe('recipients that a checker', () => {
  const says = (name: string, check: CheckerScript['check']): CheckerScript => ({
    name,
    ...(check && { check }),
  })
  const [anna, bert] = two.to as [string, string]
  it.each<[string, CheckerScript[], object]>([
    [
      'refuses are told by a DSN while others go on',
      [says('a', () => ({ refused: [{ recipient: bert, reply: no }] }))],
      {
        refusal: null,
        forms: [{ groups: [`${from} > ${anna}`] }],
        refused: [`${bert} by a: 550 5.7.1 No`],
        dropped: [],
      },
    ],
    [
      'refuses, all of them, are told by the reply',
      [says('a', () => ({ refused: two.to.map((recipient) => ({ recipient, reply: no })) }))],
      { refusal: '550 5.7.1 No' },
    ],
    [
      'and another refuse until nobody is left are told by the reply',
      [
        says('a', () => ({ refused: [{ recipient: anna, reply: no }] })),
        says('b', () => ({ refused: [{ recipient: bert, reply: no }] })),
      ],
      { refusal: '550 5.7.1 No' },
    ],
    [
      'cannot decide yet have the message come again for all',
      [
        says('a', () => ({
          refused: [
            { recipient: anna, reply: no },
            { recipient: bert, reply: later },
          ],
        })),
        says('b', () => ({ kind: 'drop', note: null })),
      ],
      { refusal: '451 4.7.1 Later' },
    ],
    [
      'takes away are dropped, by its name',
      [says('a', () => ({ removed: [anna] }))],
      { refusal: null, forms: [{ groups: [`${from} > ${bert}`] }], dropped: [`${anna} by a`] },
    ],
    [
      'takes away, all of them, are dropped',
      [says('a', () => ({ removed: [anna] })), says('b', () => ({ removed: [bert] })), refusing],
      { refusal: null, forms: [], refused: [], dropped: [`${anna} by a`, `${bert} by b`] },
    ],
    [
      'replaces by others are not dropped',
      [says('a', () => ({ removed: two.to, added: ['desk@example.com'] }))],
      { refusal: null, forms: [{ groups: [`${from} > (desk@example.com)`] }], refused: [], dropped: [] },
    ],
    [
      'drops are not told, those that one before refused are',
      [
        says('a', () => ({ refused: [{ recipient: anna, reply: no }] })),
        says('b', () => ({ kind: 'drop', note: null })),
      ],
      { refusal: null, forms: [], refused: [`${anna} by a: 550 5.7.1 No`], dropped: [`${bert} by b`] },
    ],
    [
      'takes away beside one that it refuses are dropped, and the other is told by a DSN',
      [says('a', () => ({ removed: [anna], refused: [{ recipient: bert, reply: no }] }))],
      { refusal: null, forms: [], refused: [`${bert} by a: 550 5.7.1 No`], dropped: [`${anna} by a`] },
    ],
    [
      'refuses, and which are not there, are nobody',
      [
        says('a', () => ({
          refused: [{ recipient: 'x@example.org', reply: no }],
          removed: ['y@example.org'],
        })),
      ],
      { refusal: null, refused: [], dropped: [], forms: [{ groups: [`${from} > ${anna}, ${bert}`] }] },
    ],
    [
      'refuses are told so, though it takes them away too',
      [says('a', () => ({ refused: [{ recipient: anna, reply: no }], removed: [anna] }))],
      { refused: [`${anna} by a: 550 5.7.1 No`], dropped: [] },
    ],
  ])('%s', async (_, checkers, expected) => {
    const running = await RunningStation.start({ checkers })
    expect(await running.told(two)).toMatchObject(expected)
  })

  it('are nobody to the rules any more', async () => {
    const running = await RunningStation.start({
      checkers: [says('a', () => ({ refused: [{ recipient: anna, reply: no }] }))],
      policy: {
        rules: [
          { conditions: { anyRecipientIs: [anna] }, actions: { drop: true } },
          rejecting({ recipientIs: [bert] }),
        ],
      },
    })
    expect((await running.told(two)).refusal).toBe('550 5.7.1 Against the rules')
    expect(recorded(running)).toEqual(['checked by a: pass', 'rule rule 1'])
  })

  it('drops, all of them, are asked about no more', async () => {
    const running = await RunningStation.start({
      checkers: [says('a', () => ({ kind: 'drop', note: 'virus' })), { name: 'b' }],
      policy: { rules: [rejecting({})] },
    })
    expect(await running.told(two)).toMatchObject({
      refusal: null,
      forms: [],
      dropped: [`${anna} by a`, `${bert} by a`],
    })
    expect(recorded(running)).toEqual(['checked by a: drop'])
  })
})

describe('what is held', () => {
  const limits = [{ name: 'small', per: 'sender', recipientsPerDay: 1, over: 'hold' }]
  const holding: CheckerScript = { name: 'a', check: () => ({ hold: 'looks odd' }) }
  const rules = [{ actions: { hold: 'by rule' } }]
  const group = (reason: string) => [`${from} > anna@example.org, bert@example.net; held: ${reason}`]
  it.each<[string, StationSetUp, unknown]>([
    ['by a rule', { policy: { rules } }, group('by rule')],
    ['by a checker', { checkers: [holding] }, group('looks odd')],
    [
      'by the first of two checkers',
      { checkers: [holding, { name: 'b', check: () => ({ hold: 'very odd' }) }] },
      group('looks odd'),
    ],
    ['by a checker before a rule', { checkers: [holding], policy: { rules } }, group('looks odd')],
  ])('%s gives the first reason', async (_, setUp, expected) => {
    const running = await RunningStation.start(setUp)
    expect((await running.told(two)).forms.map(({ groups }) => groups)).toEqual([expected])
  })

  it('by a limit before all others, who are asked all the same and may refuse', async () => {
    const running = await RunningStation.start({ policy: { limits, rules }, checkers: [holding] })
    const [form] = (await running.told(two)).forms
    expect(form!.groups).toEqual([expect.stringMatching(/; held: .*5\.7\.28 .*small/)])
    expect(recorded(running)).toEqual(['limited by small: hold', 'checked by a: hold', 'rule rule 0'])
    const strict = await RunningStation.start({ policy: { limits }, checkers: [refusing] })
    expect((await strict.told(two)).refusal).toBe('550 5.7.1 No')
  })
})

describe('a checker that is away', () => {
  const reason = 'connect ECONNREFUSED'
  const away = (answer: CheckerScript['away']): CheckerScript => ({
    name: 'gone',
    check: () => Promise.reject(new Error(reason)),
    ...(answer && { away: answer }),
  })
  it.each([
    ['accept', { refusal: null, forms: [{ groups: [`${from} > user@example.org`] }] }, 'pass'],
    ['defer', { refusal: '451 4.7.0 A content check is not available, please try again later' }, 'defer'],
    ['reject', { refusal: '554 5.7.0 A content check is not available, message refused' }, 'reject'],
    [
      'hold',
      { forms: [{ groups: [`${from} > user@example.org; held: gone did not answer: ${reason}`] }] },
      'hold',
    ],
  ] as const)('%s', async (answer, expected, verdict) => {
    const running = await RunningStation.start({ checkers: [away(answer), { name: 'next' }] })
    expect(await running.told()).toMatchObject(expected)
    expect(running.events.of('checked')[0]).toMatchObject({ checker: 'gone', verdict, away: reason })
    expect(running.events.of('checked')).toHaveLength(answer === 'accept' || answer === 'hold' ? 2 : 1)
  })

  it('is not taken for one where it is our own store that fails', async () => {
    const running = await RunningStation.start({
      checkers: [{ name: 'a', check: () => Promise.reject(new QueueUnavailable('the disk is gone')) }],
    })
    await expect(running.judge()).rejects.toThrow(QueueUnavailable)
  })
})

describe('limits', () => {
  it('count what is submitted, also what is refused afterwards', async () => {
    const running = await RunningStation.start({
      policy: { limits: [{ name: 'two', per: 'sender', messagesPerDay: 2, over: 'reject' }] },
      checkers: [refusing],
    })
    const refusals = []
    for (let i = 0; i < 3; i++) refusals.push((await running.told()).refusal)
    expect(refusals).toEqual(['550 5.7.1 No', '550 5.7.1 No', expect.stringMatching(/^550 5\.7\.28 /)])
    expect(running.events.of('limited')).toMatchObject([{ limit: 'two', of: from, over: 'reject' }])
  })

  it('of size refuse a recipient already, where the client announced it', async () => {
    const running = await RunningStation.start({
      policy: { limits: [{ name: 'small', per: 'client', maxMessageSize: '2KB' }] },
    })
    const asked = (declaredSizeBytes: number | null) =>
      running.atRcpt(transactionOf({ declaredSizeBytes }), 'anna@example.org')
    expect([await asked(null), await asked(2048)]).toEqual([null, null])
    expect(await asked(2049)).toMatch(/^552 5\.3\.4 /)
  })

  it('that cannot be counted are no permission', async () => {
    const running = await RunningStation.start({
      policy: { limits: [{ name: 'a', per: 'sender', messagesPerDay: 9 }] },
    })
    running.queue.fail('spend', new QueueUnavailable('Redis is away'))
    await expect(running.judge()).rejects.toThrow('Redis is away')
    expect(running.events.all).toEqual([])
  })
})

describe('at RCPT', () => {
  const asks = (name: string, reply: typeof no | null): CheckerScript => ({ name, recipient: () => reply })
  it.each<[string, StationSetUp, string | null]>([
    [
      'rules about the envelope come before checkers',
      { policy: { rules: [rejecting({ recipientDomainIs: ['example.net'] })] }, checkers: [asks('a', no)] },
      '550 5.7.1 Against the rules',
    ],
    [
      'the first checker that refuses is told',
      { checkers: [{ name: 'x' }, asks('a', null), asks('b', later), asks('c', no)] },
      '451 4.7.1 Later',
    ],
    ['no refusal accepts', { checkers: [asks('a', null)] }, null],
    ['checkers that do not want to be asked are not', { checkers: [refusing] }, null],
  ])('%s', async (_, setUp, expected) => {
    const running = await RunningStation.start(setUp)
    expect(await running.atRcpt(transactionOf(), 'bert@example.net')).toBe(expected)
  })

  it('the rule that refused is recorded: there is no message yet that it could be found by', async () => {
    const rules = [rejecting({ recipientDomainIs: ['example.net'] }, { name: 'Competitors' })]
    const running = await RunningStation.start({ policy: { rules } })
    await running.atRcpt(transactionOf(), 'anna@example.org')
    await running.atRcpt(transactionOf(), 'bert@example.net')
    expect(running.events.all).toMatchObject([
      { event: 'rule', messageId: null, rule: 'Competitors', from, recipients: ['bert@example.net'] },
    ])
  })
})

describe('forms', () => {
  const [anna, bert] = two.to as [string, string]
  const mark = (recipient: string, value: string, fields: object = {}) => ({
    conditions: { recipientIs: [recipient] },
    actions: { setHeaders: [{ name: 'X-Mark', value }], ...fields },
  })
  const marked = (value: string) => letter.replace('\r\n\r\n', `\r\nX-Mark: ${value}\r\n\r\n`)
  it.each<[string, object[], object]>([
    [
      'are one for each set of changes, the rest as it came',
      [mark(bert, 'b')],
      {
        forms: [
          { text: letter, groups: [`${from} > ${anna}`] },
          { text: marked('b'), groups: [`${from} > ${bert}`] },
        ],
      },
    ],
    [
      'are made once, however differently they leave',
      [
        mark(anna, 'x', { requireTLS: true }),
        mark(bert, 'x', { routeThrough: 7, rewriteSender: 'other@example.com' }),
      ],
      {
        forms: [
          {
            text: marked('x'),
            groups: [`${from} > ${anna}; with TLS`, `other@example.com > ${bert}; through 7`],
          },
        ],
      },
    ],
    [
      'are for whom a rule redirects and adds, each once',
      [
        {
          actions: {
            redirectTo: ['desk@example.com'],
            addBcc: ['desk@example.com', 'log@example.com', 'log@example.com'],
          },
        },
      ],
      { forms: [{ groups: [`${from} > desk@example.com, (log@example.com)`] }] },
    ],
    [
      'are none for whom a disclaimer cannot be shown, who is told so',
      [
        {
          conditions: { recipientIs: [bert] },
          actions: { disclaimer: { text: 'Confidential.', fallback: 'reject' } },
        },
      ],
      {
        forms: [{ groups: [`${from} > ${anna}`] }],
        refused: [expect.stringContaining(`${bert} by disclaimer: 550 5.7.1 `)],
      },
    ],
    [
      'are none where it can be shown to nobody: the reply says so',
      [{ actions: { disclaimer: { text: 'Confidential.', fallback: 'reject' } } }],
      { refusal: expect.stringMatching(/^550 5\.7\.1 /) },
    ],
    [
      'are none for those refused and dropped',
      [rejecting({ recipientIs: [anna] }), { conditions: { recipientIs: [bert] }, actions: { drop: true } }],
      {
        refusal: null,
        forms: [],
        refused: [`${anna} by rule 0: 550 5.7.1 Against the rules`],
        dropped: [`${bert} by rule 1`],
      },
    ],
  ])('%s', async (_, rules, expected) => {
    const running = await RunningStation.start({ policy: { rules } })
    // A comment that is never closed would hide what is added to it.
    const header = 'Content-Type: text/html\r\n\r\n'
    const open = JSON.stringify(rules).includes('disclaimer') ? { header, body: '<!-- ' } : {}
    expect(await running.told({ ...two, ...open })).toMatchObject(expected)
  })

  it('are signed each for itself, after all changes', async () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const key = { domain: 'example.com', selector: 'k', algorithm: 'ed25519-sha256', privateKey } as const
    const rules = [
      mark(bert, 'b', { addCc: ['carl@example.com'] }),
      { conditions: { recipientIs: [anna] }, actions: { rewriteFrom: 'x@example.net' } },
    ]
    const running = await RunningStation.start({ policy: { rules }, keys: [key] })
    const { forms } = await running.told({ to: [anna, bert, 'dora@example.org'] })
    const signatures = forms.map(
      ({ text }) => /\bb=([^;]+?)\r\n\S/s.exec(text)?.[1]?.replace(/\s/g, '') ?? null,
    )
    expect(forms.map(({ groups }) => groups)).toEqual([
      [`${from} > ${anna}`],
      [`${from} > ${bert}, (carl@example.com)`],
      [`${from} > dora@example.org`],
    ])
    // Whose From field is of another domain by now is not signed by ours.
    expect(signatures).toEqual([null, expect.any(String), expect.any(String)])
    expect(signatures[1]).not.toBe(signatures[2])
    expect(forms[1]!.text).toMatch(/^DKIM-Signature: .*\bh=[^;]*Cc/is)
  })
})

describe('content that cannot be read', () => {
  const broken = {
    async *read(): AsyncIterable<Buffer> {
      yield Buffer.from('Hel')
      throw new Error('the disk is gone')
    },
  }
  const about = { subjectOrBodyContainsWords: ['hello'] }
  it.each([
    ['defer', 451],
    ['ignore', null],
  ] as const)('is what the rule says: %s', async (onError, code) => {
    const running = await RunningStation.start({ policy: { rules: [rejecting(about, { onError })] } })
    const ruling = await running.judge({ body: broken })
    expect(ruling.kind === 'refuse' ? ruling.reply.code : null).toBe(code)
    expect(running.logged.join()).toContain('the disk is gone')
  })

  it('is not read where no rule asks for it', async () => {
    const running = await RunningStation.start({
      policy: { rules: [rejecting({ ...about, subjectContainsWords: ['invoice'] })] },
    })
    expect((await running.told({ header: 'Subject: A letter\r\n\r\n' })).refusal).toBeNull()
    expect(running.inspected).toBe(0)
    expect((await running.told({ header: 'Subject: An invoice\r\n\r\n' })).refusal).not.toBeNull()
    expect(running.inspected).toBe(1)
  })
})

it('tells whom a rule notifies, also of a message that is refused', async () => {
  const notify = { to: ['watch@example.com'] }
  const rules = [
    { conditions: { subjectContainsWords: ['letter'] }, actions: { notify } },
    { conditions: { recipientIs: ['bert@example.net'] }, actions: { reject: {}, notify } },
  ]
  const running = await RunningStation.start({ policy: { rules } })
  const both = ['rule 0 to watch@example.com', 'rule 1 to watch@example.com']
  expect(await running.told(two)).toMatchObject({ refusal: null, notices: both })
  expect(await running.told({ to: ['bert@example.net'] })).toMatchObject({
    refusal: '550 5.7.1 Delivery not authorized, message refused',
    notices: both,
  })
  expect(running.events.of('rule')).toHaveLength(4)
})

it('closes its checkers', async () => {
  const running = await RunningStation.start({ checkers: [{ name: 'a' }, { name: 'b' }] })
  await running.station.close()
  expect(running.checkers.map(({ closed }) => closed)).toEqual([true, true])
})
