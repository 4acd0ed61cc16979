import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addMailboxes, rewriteFrom } from '../../../src/message/edit/address-fields.ts'
import {
  fieldsNamed,
  fieldValue,
  fromAddresses,
  parseHeader,
  parseMailboxes,
} from '../../../src/message/header.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const rewritten = (fields: string): string =>
  rewriteFrom(bytes(`${fields}\r\n\r\n`), 'new@example.org').toString('latin1')

describe('rewriteFrom', () => {
  it.each<[string, string, string]>([
    ['an address', 'From: a@example.com', 'From: new@example.org'],
    ['an address in brackets', 'From: <a@example.com>', 'From: <new@example.org>'],
    ['a display name', 'From: Ann Bell <a@example.com>', 'From: Ann Bell <new@example.org>'],
    ['a quoted one', 'From: "Bell, <Ann>" <a@example.com>', 'From: "Bell, <Ann>" <new@example.org>'],
    [
      'an encoded one',
      'From: =?utf-8?Q?J=C3=B6rg?= <a@example.com>',
      'From: =?utf-8?Q?J=C3=B6rg?= <new@example.org>',
    ],
    ['one in 8-bit', 'From: J\xc3\xb6rg <a@example.com>', 'From: J\xc3\xb6rg <new@example.org>'],
    ['one in Latin-1', 'From: J\xf6rg <a@example.com>', 'From: J\xf6rg <new@example.org>'],
    ['a comment behind', 'From: a@example.com (Ann)', 'From: new@example.org (Ann)'],
    ['a comment with brackets', 'From: (<x@y>) Ann <a@example.com>', 'From: (<x@y>) Ann <new@example.org>'],
    ['folding', 'From: Ann\r\n\tBell\r\n <a@example.com>', 'From: Ann\r\n\tBell\r\n <new@example.org>'],
    [
      'Sender, which it leaves',
      'Sender: s@example.com\r\nFrom: a@example.com',
      'Sender: s@example.com\r\nFrom: new@example.org',
    ],
    ['no blank behind the colon', 'FROM:a@example.com', 'FROM:new@example.org'],
    [
      'a long name, with a fold',
      `From: "${'n'.repeat(60)}" <a@b.de>`,
      `From: "${'n'.repeat(60)}"\r\n <new@example.org>`,
    ],
  ])('keeps %s', (_name, before, after) => {
    expect(rewritten(before)).toBe(`${after}\r\n\r\n`)
  })

  it.each<[string, string, string]>([
    [
      'several mailboxes',
      'From: Ann <a@example.com>, b@example.com\r\nTo: c',
      'From: new@example.org\r\nTo: c',
    ],
    [
      'several fields',
      'From: a@example.com\r\nTo: c\r\nFrom: b@example.com',
      'From: new@example.org\r\nTo: c',
    ],
    ['a field that cannot be read', 'From: a@b@c <d\r\nTo: c', 'From: new@example.org\r\nTo: c'],
    ['an empty field', 'From:\r\nTo: c', 'From: new@example.org\r\nTo: c'],
    ['no field', 'To: c', 'To: c\r\nFrom: new@example.org'],
  ])('writes the address alone for %s', (_name, before, after) => {
    expect(rewritten(before)).toBe(`${after}\r\n\r\n`)
  })

  it('always leaves exactly one author, the new one', () => {
    const piece = fc.constantFrom(
      'From: ',
      'a@example.com',
      '<',
      '>',
      '"',
      '(',
      ')',
      ',',
      ':',
      ';',
      '\\',
      ' ',
      '\r\n',
      '\r\n ',
      '\n',
      '\xfc',
      'Ann',
      '\r\nFrom: b@example.com',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 16 }), (pieces) => {
        const header = rewriteFrom(bytes(`From: ${pieces.join('')}\r\n\r\n`), 'new@example.org')
        expect(fromAddresses(parseHeader(header))).toMatchObject({ address: 'new@example.org' })
      }),
      { numRuns: 1000 },
    )
  })
})

describe('addMailboxes', () => {
  const added = (fields: string, addresses: readonly string[], field: 'To' | 'Cc' = 'To'): string =>
    addMailboxes(bytes(`${fields}\r\n\r\n`), { field, addresses })
      .toString('latin1')
      .replace(/\r\n\r\n$/, '')

  it.each<[string, string, string]>([
    ['a list', 'To: a@example.com', 'To: a@example.com, n@example.org'],
    [
      'a folded list',
      'To: a@example.com,\r\n\tb@example.com',
      'To: a@example.com,\r\n\tb@example.com, n@example.org',
    ],
    ['a display name in 8-bit', 'To: J\xf6rg <a@example.com>', 'To: J\xf6rg <a@example.com>, n@example.org'],
    ['an empty group', 'To: undisclosed-recipients:;', 'To: undisclosed-recipients:;, n@example.org'],
    ['a list that ends in a comma', 'To: a@example.com,', 'To: a@example.com, n@example.org'],
    ['an empty field', 'To: ', 'To: n@example.org'],
    ['another field alone', 'Cc: a@example.com', 'Cc: a@example.com\r\nTo: n@example.org'],
    ['a list that knows the address', 'To: Ann <n@EXAMPLE.org>', 'To: Ann <n@EXAMPLE.org>'],
    ['a quote that does not end', 'To: "Ann, a@example.com', 'To: "Ann, a@example.com\r\nTo: n@example.org'],
    ['a comment that does not end', 'To: a@example.com (x', 'To: a@example.com (x\r\nTo: n@example.org'],
    [
      'a bracket that does not end',
      'To: <a@example.com>, <b@',
      'To: <a@example.com>, <b@\r\nTo: n@example.org',
    ],
  ])('adds to %s', (_name, before, after) => {
    expect(added(before, ['n@example.org'])).toBe(after)
  })

  it('folds long lists at 78, and names nobody twice', () => {
    const addresses = Array.from({ length: 1000 }, (_, index) => `recipient-${index}@example.org`)
    const text = added('Subject: x', [...addresses, ...addresses], 'Cc')
    expect(text.split('\r\n').every((line) => line.length <= 78)).toBe(true)
    const [field] = fieldsNamed(parseHeader(bytes(`${text}\r\n\r\n`)), 'cc')
    expect(parseMailboxes(fieldValue(field!))?.map(({ address }) => address)).toEqual(addresses)
  })

  it('adds to a line that is as long as lines may be', () => {
    const longest = `To: "${'n'.repeat(998 - 4 - 15)}" <a@b.example>`.slice(0, 998)
    const lines = added(longest, ['n@example.org']).split('\r\n')
    expect(lines.every((line) => line.length <= 998)).toBe(true)
  })

  it('keeps the addresses that were there, whatever list', () => {
    const mailbox = fc.constantFrom(
      'a@example.com',
      'Ann <b@example.com>',
      '"x, y" <c@example.com>',
      'd@example.com (e)',
      'g: f@example.com, h@example.com;',
    )
    const gap = fc.constantFrom(', ', ',\r\n ', ',')
    fc.assert(
      fc.property(fc.array(fc.tuple(mailbox, gap), { minLength: 1, maxLength: 8 }), (pairs) => {
        const list = pairs.flat().slice(0, -1).join('')
        const before = bytes(`To: ${list}\r\n\r\n`)
        const read = (header: Buffer) =>
          parseMailboxes(fieldValue(fieldsNamed(parseHeader(header), 'to')[0]!))!.map(
            ({ address }) => address,
          )
        const after = addMailboxes(before, { field: 'To', addresses: ['n@example.org'] })
        expect(read(after)).toEqual([...read(before), 'n@example.org'])
        expect(after.toString()).toContain(list)
      }),
    )
  })
})
