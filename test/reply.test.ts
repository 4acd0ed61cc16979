import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatReply, parseReply, permanent, printable, success, temporary } from '../src/reply.ts'

describe('constructors', () => {
  it('write the class digit themselves', () => {
    expect(formatReply(success('6.0', 'Queued'))).toBe('250 2.6.0 Queued')
    expect(formatReply(temporary('3.0', 'Later'))).toBe('451 4.3.0 Later')
    expect(formatReply(permanent('7.1', 'No', 554))).toBe('554 5.7.1 No')
  })
  it('refuse a code of another class', () => {
    expect(() => temporary('3.0', 'x', 550)).toThrow(RangeError)
    expect(() => permanent('3.0', 'x', 451)).toThrow(RangeError)
  })
})

describe('parseReply', () => {
  it.each([
    ['250 2.0.0 Ok: queued as 4711', { code: 250, enhanced: '2.0.0', text: 'Ok: queued as 4711' }],
    ['550 no such user', { code: 550, enhanced: null, text: 'no such user' }],
    ['550-5.7.1 first\r\n550 5.7.1 second', { code: 550, enhanced: '5.7.1', text: 'first second' }],
    ['421', { code: 421, enhanced: null, text: '' }],
    ['450 5.7.1 mismatched class', { code: 450, enhanced: null, text: '5.7.1 mismatched class' }],
    ['550 x\u001b]0;pwn\u0007', { code: 550, enhanced: null, text: 'x?]0;pwn?' }],
  ])('reads %j', (raw, reply) => {
    expect(parseReply(raw)).toEqual(reply)
  })
  it('reads a line alone as it reads the same line of several', () => {
    const words = fc.constantFrom(
      '250',
      '550',
      '650',
      ' ',
      '-',
      '2.1.0',
      '5.7.1',
      '2.1',
      'Ok',
      '\r',
      '\u0007',
      '\u2028',
    )
    fc.assert(
      fc.property(
        fc.array(words, { maxLength: 8 }).map((each) => each.join('')),
        (line) => {
          expect(parseReply(line)).toEqual(parseReply(`${line}\r\n`))
        },
      ),
      { numRuns: 5000 },
    )
  })
  it.each(['', 'hello', '99 x', '650 x', '2500 x'])('does not take %j for a reply', (raw) => {
    expect(parseReply(raw)).toBeNull()
  })
})

it('caps text from outside and shows its control characters', () => {
  expect(printable(`a\u202eb${'x'.repeat(2000)}`)).toHaveLength(1000)
  expect(printable('a\u2028b\u202ec\r\nd')).toBe('a?b?c??d')
})
