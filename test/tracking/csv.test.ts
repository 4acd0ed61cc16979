import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  fileHead,
  formatLine,
  joinList,
  parseLine,
  splitList,
  type TrackingField,
  trackingFields,
} from '../../src/tracking/csv.ts'

describe('the head of a file', () => {
  it('is that of a file of Exchange, which tools look for', () => {
    expect(fileHead(Date.UTC(2026, 0, 5, 8)).split('\r\n')).toEqual([
      '#Software: smarthost-relay',
      '#Version: 1',
      '#Log-type: Message Tracking Log',
      '#Date: 2026-01-05T08:00:00.000Z',
      '#Fields: date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,connector-id,source,event-id,internal-message-id,message-id,network-message-id,recipient-address,recipient-status,total-bytes,recipient-count,related-recipient-address,reference,message-subject,sender-address,return-path,message-info,directionality,tenant-id,original-client-ip,original-server-ip,custom-data,transport-traffic-type,log-id,schema-version',
      '',
    ])
  })
})

describe('a line', () => {
  it('has every field, in its order', () => {
    const line = formatLine({ 'date-time': 'now', 'event-id': 'SEND', 'custom-data': 'S:Item=1' })
    expect(line).toBe('now,,,,,,,,SEND,,,,,,,,,,,,,,,,,,S:Item=1,,,1\r\n')
    expect(line.split(',')).toHaveLength(trackingFields.length)
  })

  it.each([
    ['a, b', '"a, b"'],
    ['say "so"', '"say ""so"""'],
    ['a;b', 'a;b'],
    ["o'brien@example.com", "o'brien@example.com"],
    // What a spreadsheet would take for a formula.
    ['=HYPERLINK("https://example.com")', `"'=HYPERLINK(""https://example.com"")"`],
    ['+1@example.com', "'+1@example.com"],
    ['-x', "'-x"],
    ['@SUM(1)', "'@SUM(1)"],
    ["'=1", "''=1"],
    // What would make two lines of one, or move a terminal's cursor.
    ['a\r\nb\tc\u001b[2J', 'a??b?c?[2J'],
    ['a\u202eb', 'a?b'],
  ])('writes %j as %s', (value, written) => {
    expect(formatLine({ 'source-context': value }).split(',').slice(5, -24).join(',')).toBe(written)
  })

  it.each([
    ['too few fields', 'a,b,c'],
    ['too many fields', `${','.repeat(30)}`],
    ['a quote that never ends', `"a${','.repeat(29)}`],
    ['text behind a quote', `"a"b${','.repeat(29)}`],
    ['nothing', ''],
  ])('with %s is broken', (_name, line) => {
    expect(parseLine(line)).toBeNull()
  })

  it('reads back as it was written, whatever it holds', () => {
    const value = fc.string({ unit: fc.constantFrom(...'ab ,;"\'=+-@|é\u{1f4e7}'), maxLength: 12 })
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...trackingFields.slice(0, -1)), value), (fields) => {
        const line = formatLine(fields)
        const read = parseLine(line.slice(0, -2))
        for (const field of trackingFields.slice(0, -1) as TrackingField[])
          expect(read?.[field]).toBe(fields[field] ?? '')
      }),
    )
  })
})

describe('a list in a field', () => {
  it.each([
    [[], ''],
    [['a@example.com'], 'a@example.com'],
    [['a@example.com', 'b@example.com'], 'a@example.com;b@example.com'],
    [['"a;b"@example.com', "o'brien@example.com"], `'"a;b"@example.com';o'brien@example.com`],
    [['550 5.1.1 No; never', '250 Ok'], "'550 5.1.1 No; never';250 Ok"],
    [['a@example.com', '=1+1@example.com'], "a@example.com;'''=1+1@example.com'"],
  ])('of %j is written %s', (elements, text) => {
    expect(joinList(elements)).toBe(text)
    expect(splitList(text)).toEqual(elements)
  })

  it('reads back as it was written, also through a line', () => {
    const element = fc.string({ unit: fc.constantFrom(...'ab;\'",=+-@'), maxLength: 8 })
    fc.assert(
      fc.property(fc.array(element, { maxLength: 5 }), (elements) => {
        const line = formatLine({ 'recipient-address': joinList(elements) })
        expect(splitList(parseLine(line.slice(0, -2))!['recipient-address'])).toEqual(elements)
      }),
    )
  })
})
