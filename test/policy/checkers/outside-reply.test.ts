import { describe, expect, it } from 'vitest'
import { outsideReply, parseRefusal } from '../../../src/policy/checkers/outside-reply.ts'
import { formatReply } from '../../../src/reply.ts'

describe("a reply in a checker's words", () => {
  it.each<[Parameters<typeof outsideReply>[0], string]>([
    [{ code: 550, enhanced: '5.7.25', text: 'No' }, '550 5.7.25 No'],
    [{ code: 550, text: 'No' }, '550 5.7.1 No'],
    [{ code: 450, enhanced: null, text: 'Later' }, '450 4.7.1 Later'],
    [{ code: 450, enhanced: '5.7.1', text: 'Later' }, '450 4.7.1 Later'],
    [{ code: 421, enhanced: '4.3.2', text: 'Later' }, '451 4.3.2 Later'],
    [{ code: 521, text: 'No' }, '554 5.7.1 No'],
    [{ code: 550, text: ' one\r\n250 two\t\0 ' }, '550 5.7.1 one??250 two??'],
    [{ code: 550, text: 'Grüße \u202e' }, '550 5.7.1 Gr??e ?'],
    [{ code: 550, text: '' }, '550 5.7.1 Refused by a content check'],
    [{ code: 550, text: 'x'.repeat(5000) }, `550 5.7.1 ${'x'.repeat(400)}`],
  ])('%j becomes fit for SMTP', (words, line) => {
    expect(formatReply(outsideReply(words))).toBe(line)
  })

  it.each<[string, string | null]>([
    ['550 5.7.1 No', '550 5.7.1 No'],
    ['450 Later', '450 4.7.1 Later'],
    ['554', '554 5.7.1 Refused by a content check'],
    ['250 Ok', null],
    ['No', null],
  ])('%j is read', (text, line) => {
    const reply = parseRefusal(text)
    expect(reply && formatReply(reply)).toBe(line)
  })
})
