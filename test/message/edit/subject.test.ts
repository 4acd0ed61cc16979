import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { prefixSubject } from '../../../src/message/edit/subject.ts'
import { HeaderView } from '../../../src/message/header-view.ts'

const edited = (header: string, text = '[EXT]'): string =>
  prefixSubject(Buffer.from(header, 'latin1'), text).toString('latin1')

describe('prefixSubject', () => {
  it.each<[string, string, string]>([
    ['a subject', 'Subject: Hello', 'Subject: [EXT] Hello'],
    ['a reply', 'Subject: Re: Hello', 'Subject: [EXT] Re: Hello'],
    ['a subject in another case, without a blank', 'SUBJECT:Hello', 'SUBJECT: [EXT] Hello'],
    ['an encoded one', 'Subject: =?utf-8?Q?f=C3=BCr?=', 'Subject: [EXT] =?utf-8?Q?f=C3=BCr?='],
    ['a folded one', 'Subject: Hello\r\n  world', 'Subject: [EXT] Hello\r\n  world'],
    ['one that begins with a fold', 'Subject:\r\n Hello', 'Subject: [EXT]\r\n Hello'],
    ['an empty one', 'Subject:', 'Subject: [EXT]'],
    ['one of blanks', 'Subject:   ', 'Subject: [EXT]'],
    ['a line that becomes too long', `Subject: ${'a'.repeat(68)}`, `Subject: [EXT]\r\n ${'a'.repeat(68)}`],
    ['octets that are not ASCII', 'Subject: f\xfcr \xc3\xbc', 'Subject: [EXT] f\xfcr \xc3\xbc'],
    ['two, as programs differ', 'Subject: a\r\nSubject: b', 'Subject: [EXT] a\r\nSubject: [EXT] b'],
    ['none', 'From: a', 'From: a\r\nSubject: [EXT]'],
  ])('stands before %s', (_name, before, after) => {
    expect(edited(`${before}\r\n\r\n`)).toBe(`${after}\r\n\r\n`)
  })

  it.each<[string, string]>([
    ['at its beginning', 'Subject: [EXT] Hello'],
    ['behind Re:', 'Subject: Re: [EXT] Hello'],
    ['behind marks in several languages', 'Subject: AW: Fwd: RE[2]: \xd1\x82: [EXT] Hello'],
    ['without the blank', 'Subject: [EXT]Hello'],
    ['encoded', 'Subject: =?utf-8?Q?=5BEXT=5D_Hello?='],
    ['in a fold', 'Subject:\r\n [EXT]\r\n Hello'],
  ])('is not set twice: %s', (_name, header) => {
    expect(edited(`${header}\r\n\r\n`)).toBe(`${header}\r\n\r\n`)
  })

  it('is set where it stands elsewhere in the subject', () => {
    expect(edited('Subject: what is [EXT]?\r\n\r\n')).toBe('Subject: [EXT] what is [EXT]?\r\n\r\n')
  })

  it('knows itself where it looks like a reply mark', () => {
    expect(edited('Subject: Ext: Hello\r\n\r\n', 'Ext:')).toBe('Subject: Ext: Hello\r\n\r\n')
  })

  it.each<[string, string]>([
    ['Hello', '[\u00e4u\u00dfern] Hello'],
    ['=?utf-8?Q?f=C3=BCr?=', '[\u00e4u\u00dfern] für'],
    ['\r\n =?utf-8?Q?f=C3=BCr?=', '[\u00e4u\u00dfern] für'],
  ])('is encoded where it is not ASCII, and shown with its blank before %j', (subject, expected) => {
    const header = prefixSubject(Buffer.from(`Subject: ${subject}\r\n\r\n`), '[äußern]')
    expect(header.toString()).toMatch(/^[\x00-\x7f]*$/)
    expect(new HeaderView(header).subject).toBe(expected)
    expect(prefixSubject(header, '[äußern]').equals(header)).toBe(true)
  })

  it('changes only Subject fields, once, whatever the bytes', () => {
    const piece = fc.constantFrom(
      'Subject',
      'subject: Re: x',
      'A: b',
      ':',
      ' ',
      '\r\n',
      '\n',
      '\r',
      '\0',
      '\xff',
      '=?utf-8?Q?=5BEXT=5D?=',
      '[EXT]',
      'Re: ',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const before = pieces.join('')
        const once = edited(before)
        expect(edited(once)).toBe(once)
        const others = (text: string) => text.split(/\n/).filter((line) => /^A: b/.test(line)).length
        expect(others(once)).toBe(others(before))
      }),
    )
  })
})
