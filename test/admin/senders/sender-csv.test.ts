import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCsv, readJson } from '../../../src/admin/senders/import-reader.ts'
import { csvHead, csvLines, formatCsvLine } from '../../../src/admin/senders/sender-csv.ts'
import type { SetupRefused } from '../../../src/setup/plan.ts'
import { formatSender, parseSender } from '../../../src/setup/sender-object.ts'

const bindings = async (text: string) =>
  (await readCsv(text)).map(({ at, sender, connector }) => `${at} ${sender} ${connector}`)

const refusal = (promise: Promise<unknown>): Promise<SetupRefused> =>
  promise.then(
    () => Promise.reject(new Error('not refused')),
    (error: SetupRefused) => error,
  )

describe('an import', () => {
  it.each([
    [
      'commas',
      'a@example.com,29\nb@example.com,word\n',
      ['line 1 a@example.com 29', 'line 2 b@example.com word'],
    ],
    ['semicolons', 'a@example.com;29\n', ['line 1 a@example.com 29']],
    ['tabs', 'a@example.com\t29\n', ['line 1 a@example.com 29']],
    [
      'CRLF',
      'a@example.com,29\r\nb@example.com,30\r\n',
      ['line 1 a@example.com 29', 'line 2 b@example.com 30'],
    ],
    ['CR', 'a@example.com,29\rb@example.com,30', ['line 1 a@example.com 29', 'line 2 b@example.com 30']],
    ['a line of names', 'Sender;Connector\na@example.com;29', ['line 2 a@example.com 29']],
    ['quotes', '"sender","connector"\n"a@example.com","29"', ['line 2 a@example.com 29']],
    ['blanks around quotes', ' "a@example.com" , "29" ', ['line 1 a@example.com 29']],
    ['empty lines', '\n\n a@example.com , 29 \n\n', ['line 3 a@example.com 29']],
    ['0 for none', 'a@example.com,0', ['line 1 a@example.com null']],
    ['a domain', '@Example.COM,29', ['line 1 @example.com 29']],
    ['a domain as a spreadsheet leaves it', "'@example.com,29", ['line 1 @example.com 29']],
    ['other spellings of an address', '"""A.B""@Example.com",29', ['line 1 a.b@example.com 29']],
    ['nothing', '', []],
    ['the line of names alone', csvHead, []],
  ])('reads %s', async (_, text, expected) => {
    expect(await bindings(text)).toEqual(expected)
  })

  it.each([
    ['a@example.com', 'line 1: there must be two fields, the sender and its connector; there are 1'],
    ['a@example.com,29,x', 'line 1: there must be two fields, the sender and its connector; there are 3'],
    [
      'a@example.com;29\nb@example.com,30',
      'line 2: there must be two fields, the sender and its connector; there are 1',
    ],
    ['absender;connector', 'line 1: the sender must be a mail address such as user@example.com'],
    ['a@example.com,29\nsender,connector', 'line 2: the sender must be a mail address'],
    ['"a@example.com,29', 'line 1: a quote begins inside a field, or does not end'],
    ['a"b@example.com",29', 'line 1: a quote begins inside a field, or does not end'],
    ['"a@example.com"x,29', 'line 1: a quote begins inside a field, or does not end'],
    ['a@example.com,29 "x"', 'line 1: a quote begins inside a field, or does not end'],
    ['a@example.com,', 'line 1: the connector must be the id of a connector, or 0 for none'],
    ['a@example.com,007', 'line 1: the connector must be the id of a connector, or 0 for none'],
    ['a@example.com,-1', 'line 1: the connector must be the id of a connector, or 0 for none'],
    ['a@b@example.com,29', 'line 1: the sender must be a mail address'],
    [
      'a@example.com,29\nx@example.com,29\nA@EXAMPLE.COM,30',
      'line 3: a@example.com stands in line 1 already',
    ],
  ])('is refused with its line: %j', async (text, message) => {
    const refused = await refusal(readCsv(text))
    expect(refused.message).toContain(message)
    expect(refused).toMatchObject({ refusal: 'invalid', field: /^line \d/.exec(message)![0] })
  })

  it.each([`a@example.com,${' '.repeat(100_000)}x"`, `"a@example.com"${' '.repeat(100_000)}x`])(
    'reads a long row of blanks once: %#',
    async (text) => {
      const began = performance.now()
      expect((await refusal(readCsv(text))).message).toContain('a quote begins inside')
      expect(performance.now() - began).toBeLessThan(1000)
    },
  )

  it('tells of all lines at once', async () => {
    const { message } = await refusal(readCsv('a@example.com,29\nb,29\nc@example.com\n'))
    expect(message.split('\n').map((line) => line.slice(0, 7))).toEqual(['line 2:', 'line 3:'])
  })

  it.each<[string, unknown[], string]>([
    ['no object', ['a@example.com'], 'senders.0: must be an object with sender and connector'],
    [
      'an unknown field',
      [{ sender: 'a@example.com', connector: 29, name: 'x' }],
      'senders.0: there is no field name here',
    ],
    ['no sender', [{ connector: 29 }], 'senders.0: the sender is missing'],
    [
      'no connector',
      [{ sender: 'a@example.com' }],
      'senders.0: the connector must be the id of a connector, or 0 for none',
    ],
    ['a wrong type', [{ sender: 7, connector: 29 }], 'senders.0: the sender must be a mail address'],
    [
      'one twice',
      [
        { sender: 'a@example.com', connector: null },
        { sender: 'a@example.com', connector: 29 },
      ],
      'senders.1: a@example.com stands in senders.0 already',
    ],
  ])('as JSON is refused with %s', async (_, list, message) => {
    expect((await refusal(readJson(list))).message).toContain(message)
  })

  it('has a limit', async () => {
    const lines = Array.from({ length: 100_001 }, (_, n) => `u${n}@example.com,0`).join('\n')
    expect((await refusal(readCsv(lines))).message).toBe('line 100001: an import has at most 100000 bindings')
  })
})

describe('an export', () => {
  it('is no formula', () => {
    expect(formatCsvLine({ sender: '@example.com', connector: '29' })).toBe("'@example.com,29\r\n")
    expect(formatCsvLine({ sender: '=cmd@example.com', connector: null })).toBe("'=cmd@example.com,0\r\n")
  })

  it('is read again as it was, whatever the address', () => {
    const local = fc.stringMatching(/^[a-z0-9!#$&'*+/=?^_`{|}~.\-" ,;\\()<>äß]{1,12}$/)
    fc.assert(
      fc.property(local, fc.constantFrom('29', null), (text, connector) => {
        const quoted = `"${text.replace(/["\\]/g, '\\$&')}"@example.com`
        const id = parseSender(quoted)
        fc.pre(id !== null)
        const sender = formatSender(id!)
        const [line] = csvLines(csvHead + formatCsvLine({ sender, connector }))
        expect(line).toEqual({ line: 2, sender, connector: connector ?? '0' })
        expect(parseSender(sender)).toBe(id)
      }),
    )
  })
})
