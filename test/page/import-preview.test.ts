import { describe, expect, it } from 'vitest'
import { previewOf } from '../../src/page/senders/import-preview.ts'

const connectors = new Set(['29', '30'])

describe('the preview of an import', () => {
  it.each([
    ['commas', 'a@example.com,29\n@example.net,0'],
    [
      'semicolons, a head and a byte order mark',
      '\uFEFFsender;connector\r\na@example.com;29\r\n@example.net;30\r\n',
    ],
    ['quotes', '"a@example.com","29"\n\n"@example.net","0"'],
  ])('reads %s', (_what, text) => {
    expect(previewOf(text, connectors)).toEqual({ good: 2, bad: 0, problems: [] })
  })

  it('names the lines that are wrong', () => {
    const text = 'a@example.com,29\nnobody,29\nb@example.com\nc@example.com,31'
    expect(previewOf(text, connectors)).toEqual({
      good: 1,
      bad: 3,
      problems: [
        { line: 2, kind: 'sender' },
        { line: 3, kind: 'fields' },
        { line: 4, kind: 'connector', connector: '31' },
      ],
    })
  })

  it('names the first ten, and counts all', () => {
    const preview = previewOf('nobody,29\n'.repeat(25), connectors)
    expect(preview).toMatchObject({ good: 0, bad: 25 })
    expect(preview.problems).toHaveLength(10)
  })
})
