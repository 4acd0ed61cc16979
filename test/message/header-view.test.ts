import { describe, expect, it } from 'vitest'
import { HeaderView } from '../../src/message/header-view.ts'
import { cpuMsOf } from '../policy/cpu-time.ts'

const view = (...lines: string[]) => new HeaderView(Buffer.from([...lines, '', ''].join('\r\n')))

describe('values', () => {
  it('are unfolded and decoded, in their order, whatever the letter case of the name', () => {
    const header = view('X-A: one', 'x-a: =?utf-8?Q?zw=C3=B6lf?=', 'X-B: b', 'X-A: folded', '\tvalue')
    expect(header.values('X-a')).toEqual(['one', 'zwölf', 'folded\tvalue'])
    expect(header.values('X-C')).toEqual([])
  })
  it('hold no line breaks, also where an encoded word hides one', () => {
    expect(view('X-A: =?utf-8?Q?a=0D=0Ab?=').values('x-a')).toEqual(['a b'])
  })
})

describe('has', () => {
  it.each([
    ['X-A', true],
    ['x-a', true],
    ['X-B', true],
    ['X', false],
    ['', false],
  ])('%j: %s', (name, has) => {
    expect(view('X-A : 1', 'X-B:').has(name)).toBe(has)
  })
})

describe('the subject', () => {
  it('is all Subject fields, so that none hides another', () => {
    expect(view('Subject: one', 'Subject: two').subject).toBe('one\ntwo')
    expect(view('To: a@example.org').subject).toBe('')
  })
})

describe('mentioned addresses', () => {
  it.each<[string, string[]]>([
    ['From: Anna <a@example.org>', ['a@example.org']],
    ['From: a@example.org, "b" <b@EXAMPLE.org>', ['a@example.org', 'b@example.org']],
    ['From: Builder, Bob <b@example.org>', ['b@example.org']],
    ['From: c@example.org <b@example.org>', ['c@example.org', 'b@example.org']],
    ['From: a@b@example.org (d@example.org', ['d@example.org']],
    ['From: "c@example.org" <b@example.org>', ['b@example.org']],
    ['From: nobody', []],
    ['To: a@example.org', []],
  ])('of %s: %j', (line, addresses) => {
    expect(view(line).mentioned('from')).toEqual(addresses)
  })
  it('are those of all fields of that name', () => {
    expect(view('From: a@example.org', 'From: b@example.org').mentioned('From')).toEqual([
      'a@example.org',
      'b@example.org',
    ])
  })
})

describe('a hostile header', () => {
  const quarterMegabyte = 262_144
  const times = (text: string) => text.repeat(Math.floor(quarterMegabyte / text.length))
  it.each<[string, string]>([
    ['of two thousand fields and more', times(`X-A: ${'x'.repeat(80)}\r\n`)],
    ['of subjects in unknown character sets', times('Subject: =?x-unknown?B?w6TDtsO8?=\r\n')],
    ['of subjects in ISO-2022-JP', times('Subject: =?iso-2022-jp?B?GyRCIngbKEI=?=\r\n')],
    ['of one subject of encoded words', `Subject: ${times('=?utf-8?Q?=C3=A4?=\r\n ')}`],
    ['of one folded subject', `Subject: ${times(' a\r\n')}`],
    ['of an author list', `From: ${times('a@example.com <b@example.org>, ')}`],
    ['of quotes that never end', `From: ${times('"a\\')}`],
    ['of comments that never end', `From: ${times('(')}`],
    ['of colons', times(':\r\n')],
    ['of no field', times('x')],
  ])('%s costs bounded time', (_claim, header) => {
    const read = () => {
      const hostile = new HeaderView(Buffer.from(`${header}\r\n\r\n`))
      for (const name of ['subject', 'from', 'to', 'x-a', 'importance']) hostile.values(name)
      hostile.mentioned('from')
      hostile.mailboxes('from')
      return [hostile.subject, hostile.from]
    }
    // Measured: 200 ms at worst.
    expect(cpuMsOf(read)).toBeLessThan(1000)
  })

  it('is decoded as far as anybody reads', () => {
    const short = view(...Array.from({ length: 1900 }, () => 'Subject: =?utf-8?Q?=C3=A4?='))
    expect(new Set(short.values('subject'))).toEqual(new Set(['ä']))
    const long = view(...Array.from({ length: 1900 }, () => `Subject: =?utf-8?Q?=C3=A4?= ${'x'.repeat(100)}`))
    expect(long.values('subject').at(-1)).toMatch(/^=\?utf-8\?Q\?=C3=A4\?= x/)
  })
})
