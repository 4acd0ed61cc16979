import { describe, expect, it } from 'vitest'
import type { ConditionKey } from '../../../src/policy/rules/condition.ts'
import { explainRules } from '../../../src/policy/rules/evaluate.ts'
import type { RuleOutcome } from '../../../src/policy/rules/verdict.ts'
import { cpuMsOf } from '../cpu-time.ts'
import { attachment, rulesOf, type TestMessage, viewOf } from '../messages.ts'

const MB = 1024 ** 2

const lists = {
  partners: ['Anna@example.org', 'example.net', '*.example.com'],
  others: ['bob@example.org'],
  everybody: ['*'],
}

/** What is claimed, the condition's value, the message, and the value that satisfies it; null: it does not hold. */
type Case = readonly [claim: string, value: unknown, message: TestMessage, found: string | null]

const header = (...lines: string[]): TestMessage => ({ header: lines.join('\n') })
const from = (value: string): TestMessage => header(`From: ${value}`)
const subject = (value: string): TestMessage => header(`Subject: ${value}`)
const to = (...recipients: string[]): TestMessage => ({ recipients })
const text = (body: string): TestMessage => ({ content: { text: body } })
const attached = (...attachments: ReturnType<typeof attachment>[]): TestMessage => ({
  content: { attachments },
})

/** Of an address, whoever it is. */
function addressCases(of: (address: string) => TestMessage) {
  return {
    Is: [
      ['the address', ['b@example.org', 'a@example.org'], of('a@example.org'), 'a@example.org'],
      ['in any letter case', ['Anna@Example.org'], of('aNNa@example.org'), 'aNNa@example.org'],
      ['quoted without need', ['"anna"@example.org'], of('anna@example.org'), 'anna@example.org'],
      ['another address', ['a@example.org'], of('b@example.org'), null],
      ['the same name elsewhere', ['a@example.org'], of('a@sub.example.org'), null],
    ],
    DomainIs: [
      ['the domain', ['example.net', 'example.org'], of('a@example.org'), 'example.org'],
      ['no subdomain without a wildcard', ['example.org'], of('a@sub.example.org'), null],
      ['a subdomain by wildcard', ['*.example.org'], of('a@x.sub.example.org'), '*.example.org'],
      ['the domain itself by wildcard', ['*.example.org'], of('a@example.org'), '*.example.org'],
      ['whole labels alone', ['*.example.org'], of('a@evilexample.org'), null],
      [
        'a U-label as its A-label',
        ['bücher.example'],
        of('a@xn--bcher-kva.example'),
        'xn--bcher-kva.example',
      ],
    ],
    ContainsWords: [
      ['a word of the local part', ['sales'], of('john.Sales@example.org'), 'sales'],
      ['a word of the domain', ['example'], of('a@example.org'), 'example'],
      ['no part of a word', ['sale'], of('sales@example.org'), null],
      ['several words in a row', ['x', 'example.org'], of('a@example.org'), 'example.org'],
    ],
    Matches: [
      ['anywhere', ['^x', 's[a-z]+@'], of('john.Sales@example.org'), 'Sales@'],
      ['not', ['^sales'], of('john.sales@example.org'), null],
    ],
    In: [
      [
        'an address of a list, in any letter case',
        ['partners'],
        of('anna@example.org'),
        'partners: anna@example.org',
      ],
      ['a domain of a list', ['others', 'partners'], of('x@example.net'), 'partners: example.net'],
      ['a wildcard of a list', ['partners'], of('x@a.example.com'), 'partners: *.example.com'],
      ['no list that has it', ['others', 'partners'], of('carol@example.org'), null],
      ['everybody', ['everybody'], of('x@example.edu'), 'everybody: *'],
    ],
  } as const satisfies Record<string, readonly Case[]>
}

const ofSender = addressCases((sender) => ({ sender }))
const ofFrom = addressCases((address) => from(`"Bob Builder" <${address}>`))
const ofRecipient = addressCases((address) => to(address))
const ofAnyRecipient = addressCases((address) => to('1@test.edu', address, '2@test.edu'))

const nullSender: TestMessage = { sender: '' }

const table: Record<ConditionKey, readonly Case[]> = {
  senderIs: ofSender.Is,
  senderDomainIs: [...ofSender.DomainIs, ['not the null sender', ['*'], nullSender, null]],
  senderContainsWords: ofSender.ContainsWords,
  senderMatches: [...ofSender.Matches, ['the null sender', ['^$'], nullSender, '']],
  senderIn: [...ofSender.In, ['not the null sender', ['everybody'], nullSender, null]],

  fromIs: [
    ...ofFrom.Is,
    ['any of several mailboxes', ['b@example.org'], from('a@example.org, b@example.org'), 'b@example.org'],
    [
      'of a second field',
      ['b@example.org'],
      header('From: a@example.org', 'From: b@example.org'),
      'b@example.org',
    ],
    [
      'of a field without a clear reading',
      ['b@example.org'],
      from('Builder, Bob <b@example.org>'),
      'b@example.org',
    ],
    [
      'and what one could read there',
      ['c@example.org'],
      from('c@example.org <b@example.org>'),
      'c@example.org',
    ],
    ['no display name', ['c@example.org'], from('"c@example.org" <b@example.org>'), null],
    ['no field', ['a@example.org'], {}, null],
  ],
  fromDomainIs: ofFrom.DomainIs,
  fromContainsWords: [
    ...ofFrom.ContainsWords,
    ['not the display name', ['builder'], from('Builder <b@example.org>'), null],
  ],
  fromMatches: ofFrom.Matches,
  fromIn: ofFrom.In,
  fromDefectIs: [
    ['no field', ['several', 'none'], header('To: a@example.org'), 'none'],
    ['several mailboxes', ['several'], from('a@example.org, b@example.org'), 'several'],
    ['unparsable', ['unparsable'], from('a@b@example.org'), 'unparsable'],
    ['another defect', ['none', 'several'], from('a@b@example.org'), null],
    ['no defect', ['none', 'several', 'unparsable'], from('a@example.org'), null],
  ],
  senderDiffersFromFrom: [
    [
      'another address',
      true,
      { sender: 'a@example.com', ...from('b@example.com') },
      'a@example.com, From: b@example.com',
    ],
    ['the same in another letter case', true, { sender: 'a@example.com', ...from('A@EXAMPLE.com') }, null],
    [
      'no clear author',
      true,
      { sender: 'a@example.com', ...from('a@example.com, b@example.com') },
      'a@example.com, From: several',
    ],
    ['no author', true, { sender: 'a@example.com' }, 'a@example.com, From: none'],
    ['not for the null sender', true, { sender: '', ...from('b@example.com') }, null],
  ],

  recipientIs: ofRecipient.Is,
  recipientDomainIs: ofRecipient.DomainIs,
  recipientContainsWords: ofRecipient.ContainsWords,
  recipientMatches: ofRecipient.Matches,
  recipientIn: ofRecipient.In,
  anyRecipientIs: ofAnyRecipient.Is,
  anyRecipientDomainIs: ofAnyRecipient.DomainIs,
  anyRecipientContainsWords: ofAnyRecipient.ContainsWords,
  anyRecipientMatches: ofAnyRecipient.Matches,
  anyRecipientIn: ofAnyRecipient.In,
  recipientCountOver: [
    ['more', 1, to('a@example.org', 'b@example.org'), '2'],
    ['as many', 2, to('a@example.org', 'b@example.org'), null],
  ],

  clientNetworkIs: [
    [
      'within a network',
      ['198.51.100.0/24', '192.0.2.0/24'],
      { client: { address: '192.0.2.200' } },
      '192.0.2.200',
    ],
    ['beside it', ['192.0.2.0/25'], { client: { address: '192.0.2.200' } }, null],
    ['a single address', ['192.0.2.1'], { client: { address: '192.0.2.1' } }, '192.0.2.1'],
    ['IPv6', ['2001:db8::/32'], { client: { address: '2001:db8:1::5' } }, '2001:db8:1::5'],
    ['IPv4 written as IPv6', ['::ffff:192.0.2.0/120'], { client: { address: '192.0.2.7' } }, '192.0.2.7'],
    ['all of IPv6 is no IPv4', ['::/0'], { client: { address: '192.0.2.7' } }, null],
    ['nobody', ['0.0.0.0/0', '::/0'], { client: { address: null } }, null],
  ],
  userIs: [
    ['the user', ['anna', 'bob'], { client: { user: 'bob' } }, 'bob'],
    ['composed and decomposed', ['z\u00f6e'], { client: { user: 'zo\u0308e' } }, 'zo\u0308e'],
    ['another', ['bob'], { client: { user: 'Bob' } }, null],
    ['without AUTH', ['bob'], {}, null],
  ],
  listenerIs: [
    ['the listener', ['public', 'exchange'], {}, 'exchange'],
    ['another', ['public'], {}, null],
    ['none', ['public'], { client: { listener: null } }, null],
  ],

  subjectContainsWords: [
    ['a word', ['alpha', 'beta'], subject('The Beta report'), 'beta'],
    ['a phrase', ['beta report'], subject('The Beta report'), 'beta report'],
    ['a phrase over a folded line', ['beta report'], header('Subject: The Beta', ' report'), 'beta report'],
    ['no part of a word', ['port'], subject('The Beta report'), null],
    ['an encoded word', ['prüfung'], subject('=?utf-8?Q?Die_PR=C3=9CFUNG?='), 'prüfung'],
    ['octets of UTF-8 as they are', ['prüfung'], subject('Die Prüfung'), 'prüfung'],
    ['a second Subject field', ['beta'], header('Subject: Alpha', 'Subject: Beta'), 'beta'],
    ['no Subject', ['beta'], {}, null],
    ['a star is a star', ['b*'], subject('The Beta report'), null],
  ],
  subjectMatches: [
    ['the text as it stands', ['x', 'pro[jg]ect-\\d+'], subject('On Project-2026!'), 'Project-2026'],
    ['an encoded word', ['prüf\\w+'], subject('=?iso-8859-1?Q?Die_Pr=FCfung?='), 'Prüfung'],
    ['not', ['^project'], subject('On Project-2026'), null],
    ['no card number in clear', ['\\d{4}.*'], subject('4111 1111 1111 1111'), '***************1111'],
  ],
  subjectOrBodyContainsWords: [
    ['in the subject', ['beta'], subject('Beta'), 'beta'],
    ['in the text', ['beta'], text('About\nbeta.'), 'beta'],
    ['over a line break', ['project beta'], text('about project\r\nbeta'), 'project beta'],
    ['in neither', ['beta'], { ...subject('alpha'), ...text('betas') }, null],
    ['not half in each', ['alpha beta'], { ...subject('alpha'), ...text('beta') }, null],
  ],
  subjectOrBodyMatches: [
    ['in the subject', ['be+ta'], subject('Beta'), 'Beta'],
    ['in the text', ['be+ta'], text('a beeeta'), 'beeeta'],
    ['in neither', ['be+ta'], { ...subject('alpha'), ...text('gamma') }, null],
    [
      'one line of at most 100 characters',
      ['a[\\s\\S]*'],
      text(`a\n${'b'.repeat(200)}`),
      `a?${'b'.repeat(98)}`,
    ],
  ],
  headerContainsWords: [
    [
      'a word of the field',
      [{ header: 'X-Mailer', words: ['bulk'] }],
      header('x-mailer: Big Bulk 1.0'),
      'X-Mailer: bulk',
    ],
    [
      'any of the fields',
      [
        { header: 'X-A', words: ['a'] },
        { header: 'X-B', words: ['b'] },
      ],
      header('X-B: b'),
      'X-B: b',
    ],
    ['any field of that name', [{ header: 'X-A', words: ['b'] }], header('X-A: a', 'X-A: b'), 'X-A: b'],
    ['another field', [{ header: 'X-A', words: ['b'] }], header('X-B: b'), null],
    ['not the name', [{ header: 'X-Mailer', words: ['mailer'] }], header('X-Mailer: Bulk'), null],
  ],
  headerMatches: [
    [
      'the decoded value',
      [{ header: 'X-A', patterns: ['x', '^fü'] }],
      header('X-A: =?utf-8?B?RsO8bmY=?='),
      'X-A: Fü',
    ],
    ['another field', [{ header: 'X-A', patterns: ['b'] }], header('X-B: b'), null],
    ['not', [{ header: 'X-A', patterns: ['^b'] }], header('X-A: ab'), null],
  ],
  headerPresent: [
    ['in any letter case', ['X-A', 'X-B'], header('x-b: 1'), 'X-B'],
    ['empty', ['X-B'], header('X-B:'), 'X-B'],
    ['not', ['X-B'], header('X-BB: 1'), null],
  ],
  headerAbsent: [
    ['any of them', ['X-A', 'X-B'], header('X-A: 1'), 'X-B'],
    ['none of them', ['X-A', 'X-B'], header('X-A: 1', 'X-b: 2'), null],
  ],
  messageSizeOver: [
    ['larger', '1MB', { sizeBytes: 2 * MB }, '2MB'],
    ['exactly, as in Exchange', '1MB', { sizeBytes: MB }, '1MB'],
    ['smaller', '1MB', { sizeBytes: MB - 1 }, null],
  ],
  messageTypeIs: [
    ['one of them', ['signed', 'calendar'], { content: { types: ['autoReply', 'calendar'] } }, 'calendar'],
    ['another', ['signed'], { content: { types: ['calendar'] } }, null],
  ],
  importanceIs: [
    ['Importance', ['low', 'high'], header('Importance: High'), 'high'],
    ['X-Priority', ['high'], header('X-Priority: 1 (Highest)'), 'high'],
    ['X-Priority 4', ['low'], header('X-Priority: 4'), 'low'],
    ['X-MSMail-Priority', ['low'], header('X-MSMail-Priority: Low'), 'low'],
    ['Priority', ['high'], header('Priority: urgent'), 'high'],
    ['Priority non-urgent', ['low'], header('Priority: non-urgent'), 'low'],
    ['Importance before the others', ['low'], header('X-Priority: 1', 'Importance: low'), 'low'],
    ['what says nothing is passed over', ['high'], header('Importance: ?', 'X-Priority: 2'), 'high'],
    ['normal where nothing is said', ['normal'], {}, 'normal'],
    ['another', ['high'], header('X-Priority: 3'), null],
  ],
  characterSetIs: [
    ['in any letter case', ['KOI8-R'], { content: { characterSets: ['us-ascii', 'koi8-r'] } }, 'koi8-r'],
    ['another', ['koi8-r'], { content: { characterSets: ['koi8-u'] } }, null],
  ],
  sensitiveData: [
    [
      'a card number in the text',
      [{ type: 'iban' }, { type: 'cardNumber' }],
      text('4111-1111-1111-1111'),
      'cardNumber: ************1111',
    ],
    ['in the subject', [{ type: 'iban' }], subject('DE89 3704 0044 0532 0130 00'), 'iban: ************3000'],
    ['own patterns', [{ type: 'custom', pattern: 'K-\\d{6}' }], text('K-123456'), 'custom: 1 value'],
    ['nothing', [{ type: 'cardNumber' }, { type: 'iban' }], text('4111-1111-1111-1112'), null],
  ],

  attachmentNameMatches: [
    [
      'a name',
      ['^x', 'inv.*\\.pdf$'],
      attached(attachment('a.txt'), attachment('Invoice 1.pdf')),
      'Invoice 1.pdf (Invoice 1.pdf)',
    ],
    [
      'of a member',
      ['tool'],
      attached(attachment('a.zip'), attachment('tool.exe', { within: ['a.zip'] })),
      'tool (a.zip/tool.exe)',
    ],
    ['without a name', ['.*'], attached(attachment(null)), null],
    ['no attachment', ['.*'], {}, null],
  ],
  attachmentExtensionIs: [
    ['in any letter case', ['EXE'], attached(attachment('tool.Exe')), 'exe (tool.Exe)'],
    ['the last one', ['pdf'], attached(attachment('invoice.pdf.exe')), null],
    [
      'of a member',
      ['exe'],
      attached(attachment('x.exe', { within: ['a.zip', 'b.7z'] })),
      'exe (a.zip/b.7z/x.exe)',
    ],
    ['without one', ['exe'], attached(attachment('exe'), attachment(null)), null],
  ],
  attachmentTypeIs: [
    [
      'by content',
      ['archive', 'executable'],
      attached(attachment('a.txt', { types: ['executable'] })),
      'executable (a.txt)',
    ],
    [
      'of a member',
      ['officeWithMacros'],
      attached(attachment('m.docm', { types: ['office', 'officeWithMacros'], within: ['a.zip'] })),
      'officeWithMacros (a.zip/m.docm)',
    ],
    [
      'without a name',
      ['archive'],
      attached(attachment(null, { types: ['archive'] })),
      'archive (without a name)',
    ],
    ['not by name', ['executable'], attached(attachment('tool.exe')), null],
  ],
  attachmentSizeOver: [
    [
      'larger',
      '1MB',
      attached(attachment('a.bin'), attachment('b.bin', { sizeBytes: 2 * MB })),
      '2MB (b.bin)',
    ],
    ['exactly', '1MB', attached(attachment('b.bin', { sizeBytes: MB })), '1MB (b.bin)'],
    [
      'of a member, unpacked',
      '1MB',
      attached(attachment('b.bin', { sizeBytes: MB, within: ['a.zip'] })),
      '1MB (a.zip/b.bin)',
    ],
    [
      'not together',
      '1MB',
      attached(...Array.from({ length: 9 }, () => attachment('a', { sizeBytes: MB / 2 }))),
      null,
    ],
  ],
  attachmentCountOver: [
    ['more', 1, attached(attachment('a'), attachment('b')), '2'],
    ['as many', 2, attached(attachment('a'), attachment('b')), null],
    ['none', 0, {}, null],
    ['members do not count', 1, attached(attachment('a.zip'), attachment('b', { within: ['a.zip'] })), null],
  ],
  attachmentNotInspected: [
    ['encrypted', true, attached(attachment('a.zip', { notInspected: 'encrypted' })), 'encrypted (a.zip)'],
    [
      'a member beyond the limits',
      true,
      attached(attachment('b.zip', { notInspected: 'tooDeep', within: ['a.zip'] })),
      'tooDeep (a.zip/b.zip)',
    ],
    ['all seen', true, attached(attachment('a.zip')), null],
  ],
  contentAmbiguous: [
    [
      'ambiguous',
      true,
      { content: { ambiguities: ['two Content-Type fields', 'x'] } },
      'two Content-Type fields',
    ],
    ['clear', true, {}, null],
  ],
}

const rows = Object.entries(table).flatMap(([key, cases]) => cases.map((row) => [key, ...row] as const))

function outcomeOf(rule: Record<string, unknown>, message: TestMessage): RuleOutcome['outcome'] {
  const explained = explainRules(rulesOf([rule], lists), viewOf(message))
  if (explained === 'needsContent') throw new Error('The rule asks for content')
  return explained.outcomes[0]!.outcome
}

describe('a condition', () => {
  it.each(rows)('%s: %s', (key, _claim, value, message, found) => {
    const outcome = outcomeOf({ conditions: { [key]: value }, actions: { audit: 'low' } }, message)
    if (found === null) expect(outcome).toEqual({ kind: 'notMatched', condition: key })
    else
      expect(outcome).toMatchObject({
        kind: 'matched',
        match: { because: [{ condition: key, value: found }] },
      })
  })
})

describe('its twin among the exceptions', () => {
  it.each(rows)('%s: %s', (key, _claim, value, message, found) => {
    const outcome = outcomeOf({ exceptions: { [key]: value }, actions: { audit: 'low' } }, message)
    if (found === null) expect(outcome).toMatchObject({ kind: 'matched', match: { because: [] } })
    else expect(outcome).toEqual({ kind: 'excepted', condition: key, value: found })
  })
})

describe('what conditions tell', () => {
  it('is one printable line, whatever the message says', () => {
    const outcome = outcomeOf(
      { conditions: { attachmentNameMatches: ['exe'] }, actions: { audit: 'low' } },
      attached(attachment('\u202efdp.\r\nexe')),
    )
    expect(outcome).toMatchObject({ match: { because: [{ value: 'exe (?fdp.??exe)' }] } })
  })
})

describe('a named list of 100,000 entries', () => {
  it('is asked about 10,000 recipients in a fraction of a second', () => {
    const list = Array.from({ length: 100_000 }, (_, index) => `user${index}@example.org`)
    const rules = rulesOf([{ conditions: { recipientIn: ['large'] }, actions: { drop: true } }], {
      large: list,
    })
    const recipients = Array.from({ length: 10_000 }, (_, index) => `user${index * 20}@example.org`)
    let explained: ReturnType<typeof explainRules> = 'needsContent'
    const explain = () => {
      explained = explainRules(rules, viewOf({ recipients }))
    }
    expect(cpuMsOf(explain)).toBeLessThan(500)
    expect(explained).toMatchObject({ verdict: { dropped: [{ recipients: recipients.slice(0, 5000) }] } })
  })
})
