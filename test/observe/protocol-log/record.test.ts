import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { commandText, decodeLine, replyText } from '../../../src/observe/protocol-log/dialogue-text.ts'
import {
  formatEndpoint,
  formatHeader,
  formatRecord,
  type ProtocolRecord,
} from '../../../src/observe/protocol-log/record.ts'
import { readCsvLine, readProtocolLog } from '../../support/protocol-log-reader.ts'

const record: ProtocolRecord = {
  at: Date.UTC(2026, 10, 21, 23, 5, 7, 42),
  connector: 'Newsletter provider',
  session: '08DAB13335961996',
  sequence: 3,
  local: '192.0.2.1:10437',
  remote: '192.0.2.25:25',
  event: '<',
  data: '220 mx.example.net ESMTP',
  context: '',
}
const dataOf = (line: string): string => readCsvLine(line.replace(/\r\n$/, ''))[7]!

describe('a record', () => {
  it('has the fields and the form of a line of Exchange 2016', () => {
    expect(formatRecord(record)).toBe(
      '2026-11-21T23:05:07.042Z,Newsletter provider,08DAB13335961996,3,192.0.2.1:10437,192.0.2.25:25,<,220 mx.example.net ESMTP,\r\n',
    )
  })

  it.each<[string, string]>([
    ['250 2.1.0 Ok', '250 2.1.0 Ok'],
    ['one, two', '"one, two"'],
    ['say "x"', '"say ""x"""'],
    ['"', '""""'],
    [' blank', '" blank"'],
    ['a\r\nb\nc', 'a  b c'],
    ['a\u2028b\u0085c', 'a b c'],
    ['', ''],
  ])('writes %j as %s', (data, written) => {
    expect(formatRecord({ ...record, data })).toContain(`,<,${written},\r\n`)
  })

  it('is one line, and a CSV reader gets back its fields, whatever they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (data, context) => {
        const line = formatRecord({ ...record, data, context })
        expect(line.match(/[\r\n]/g)).toEqual(['\r', '\n'])
        const values = readCsvLine(line.slice(0, -2))
        const whole = (text: string) => text.replace(/[\r\n\v\f\u0085\u2028\u2029]/g, ' ')
        expect(values).toHaveLength(9)
        expect(values.slice(6)).toEqual(['<', whole(data), whole(context)])
      }),
    )
  })

  it('is one line of nine fields without controls for any octets a peer says, as command and as reply', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
        const text = decodeLine(Buffer.from(octets))
        for (const data of [
          commandText(`MAIL ${text}`),
          replyText(`250-${text}\r\n250 ${text}`, { concealed: false }),
        ]) {
          const line = formatRecord({ ...record, data })
          expect(line.slice(0, -2)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
          expect(dataOf(line)).toBe(data)
        }
      }),
    )
  })
})

describe('a file', () => {
  it.each([
    ['send', 'SMTP Send Protocol Log'],
    ['receive', 'SMTP Receive Protocol Log'],
  ] as const)('begins with the header of a %s log', (direction, type) => {
    const text = formatHeader(direction, record.at) + formatRecord(record)
    const { header, records } = readProtocolLog(text)
    expect(header).toEqual([
      '#Software: smarthost-relay',
      '#Version: 15.0.0.0',
      `#Log-type: ${type}`,
      '#Date: 2026-11-21T23:05:07.042Z',
      '#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context',
    ])
    expect(records).toEqual([
      {
        'date-time': '2026-11-21T23:05:07.042Z',
        'connector-id': 'Newsletter provider',
        'session-id': '08DAB13335961996',
        'sequence-number': '3',
        'local-endpoint': '192.0.2.1:10437',
        'remote-endpoint': '192.0.2.25:25',
        event: '<',
        data: '220 mx.example.net ESMTP',
        context: '',
      },
    ])
  })
})

it.each<[string | undefined, number | undefined, string]>([
  ['192.0.2.1', 25, '192.0.2.1:25'],
  ['::ffff:192.0.2.1', 25, '192.0.2.1:25'],
  ['2001:db8::1', 587, '[2001:db8::1]:587'],
  [undefined, undefined, ''],
])('names the endpoint %s %s', (address, port, text) => {
  expect(formatEndpoint(address, port)).toBe(text)
})
