import { describe, expect, it } from 'vitest'
import { parseRspamdAnswer } from '../../../src/policy/checkers/rspamd-answer.ts'

const parse = (answer: object) => parseRspamdAnswer(JSON.stringify({ action: 'no action', ...answer }))

describe('the answer of rspamd', () => {
  it('is read where it says no more than its action', () => {
    expect(parse({})).toEqual({
      action: 'no action',
      note: 'no action',
      smtpMessage: null,
      subject: null,
      dkimSignatures: [],
      milter: {
        addFields: [],
        removeFields: [],
        spamFields: [{ name: 'X-Spam', value: 'Yes' }],
        sender: null,
        added: [],
        removed: [],
        onReject: 'reject',
        ignoreAction: false,
      },
    })
  })

  it('tells of the symbols that weigh most', () => {
    const symbols = {
      MIME_GOOD: { score: -0.1, options: ['text/plain'] },
      FORGED: { score: 7.123 },
      'A\r\nB': {},
      WHITELISTED: { score: -8 },
    }
    expect(parse({ score: 6.1, required_score: 15, symbols }).note).toBe(
      'no action, score 6.1 of 15: WHITELISTED(-8), FORGED(7.12), MIME_GOOD(-0.1), A??B(0)',
    )
  })

  it('is read with all that its milter block may hold', () => {
    const milter = {
      add_headers: {
        'X-A': 'a',
        'X-B': { value: 'b', order: 0 },
        'X-C': [{ value: 'c', index: -1 }, 'd'],
        'X-Folded': { value: 'one;\n\ttwo;\r\n three' },
      },
      remove_headers: { 'X-Old': 0, 'X-Other': -1 },
      spam_header: 'very',
      change_from: '<BOUNCE@EXAMPLE.com>',
      add_rcpt: ['a@example.org'],
      del_rcpt: ['<b@example.org>'],
      reject: 'quarantine',
      no_action: true,
      unknown: {},
    }
    expect(parse({ milter }).milter).toEqual({
      addFields: [
        { name: 'X-A', value: 'a', order: null },
        { name: 'X-B', value: 'b', order: 0 },
        { name: 'X-C', value: 'c', order: -1 },
        { name: 'X-C', value: 'd', order: null },
        { name: 'X-Folded', value: 'one;\n\ttwo;\r\n three', order: null },
      ],
      removeFields: [
        { name: 'X-Old', nth: 0 },
        { name: 'X-Other', nth: -1 },
      ],
      spamFields: [{ name: 'X-Spam', value: 'very' }],
      sender: 'BOUNCE@example.com',
      added: ['a@example.org'],
      removed: ['b@example.org'],
      onReject: 'quarantine',
      ignoreAction: true,
    })
  })

  it.each([
    ['', ''],
    ['<>', ''],
    ['<a@example.com>', 'a@example.com'],
  ])('may change the sender to %j', (given, sender) => {
    expect(parse({ milter: { change_from: given } }).milter.sender).toBe(sender)
  })

  it.each([
    { symbols: [] },
    { messages: [] },
    { milter: [] },
    { milter: { add_headers: [], remove_headers: [] } },
  ])('is read where an empty table came as a list: %j', (answer) => {
    expect(parse(answer)).toEqual(parse({}))
  })

  it('may have one signature or several', () => {
    expect(parse({ 'dkim-signature': 'v=1; a' }).dkimSignatures).toEqual(['v=1; a'])
    expect(parse({ 'dkim-signature': ['v=1; a', 'v=1; b'] }).dkimSignatures).toEqual(['v=1; a', 'v=1; b'])
  })

  it.each<[string, object]>([
    ['no action', { action: undefined }],
    ['an action that is no text', { action: 1 }],
    ['a score that is no number', { score: 'high' }],
    ['a field of two lines', { milter: { add_headers: { 'X-A': 'a\r\nBcc: b' } } }],
    ['a field with a bare CR', { milter: { add_headers: { 'X-A': { value: 'a\r b' } } } }],
    ['a field with NUL', { milter: { add_headers: { 'X-A': 'a\0' } } }],
    ['a field name of two lines', { milter: { add_headers: { 'X-A:\r\nX-B': 'a' } } }],
    ['a field name that is none, to remove', { milter: { remove_headers: { 'X A': 1 } } }],
    ['a field to remove by no number', { milter: { remove_headers: { 'X-A': 1.5 } } }],
    ['a subject of two lines', { subject: 'a\nb' }],
    ['a signature of two lines', { 'dkim-signature': ['v=1\nX-A: b'] }],
    ['a sender that is none', { milter: { change_from: 'nobody' } }],
    ['a recipient that is none', { milter: { add_rcpt: ['a@b c'] } }],
  ])('that has %s is an error', (_what, answer) => {
    expect(() => parse(answer)).toThrow('answered what cannot be understood')
  })

  it.each(['', 'no action', '[]', '"reject"', '{"action":'])('%j is none', (text) => {
    expect(() => parseRspamdAnswer(text)).toThrow(/^answered what (is no JSON|cannot be understood)/)
  })
})
