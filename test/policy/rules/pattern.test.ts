import { describe, expect, it } from 'vitest'
import { compilePattern, type Pattern } from '../../../src/policy/rules/pattern.ts'
import { cpuMsOf } from '../cpu-time.ts'

function pattern(source: string): Pattern {
  const compiled = compilePattern(source)
  if ('error' in compiled) throw new Error(compiled.error)
  return compiled
}

describe('a pattern finds', () => {
  it.each<[string, string, string, string | null]>([
    ['the first match, as it stands', 'b+', 'aBBa bb', 'BB'],
    ['letters in any case, of any script', 'straße|ПРИВЕТ', 'Привет', 'Привет'],
    ['nothing', 'b', 'aaa', null],
    ['an empty text', '^$', '', ''],
    ['with classes', '\\p{Greek}+', 'a λόγος', 'λόγος'],
    ['at borders of lines, asked for', '(?m)^b$', 'a\nb', 'b'],
    ['at the end of the text', 'b$', 'b\na', null],
    ['what alternatives say first', 'a|ab', 'ab', 'a'],
    ['an astral character', '.b', '😀b', '😀b'],
  ])('%s', (_claim, source, text, found) => {
    expect(pattern(source).find(text)).toBe(found)
  })
})

describe('a pattern is refused', () => {
  it.each([
    ['(a', 'missing closing ): (a'],
    ['(a)\\1', 'invalid escape sequence: \\1'],
    ['a(?=b)', 'invalid or unsupported Perl syntax: (?='],
    ['a{1001}', 'invalid repeat count: {1001}'],
    ['((a{1,100}){1,100}){1,100}', 'invalid repeat count'],
    ['((a{1,31}){1,31})(b?c?){30}', 'too large: it compiles to 2167 instructions, 2000 are allowed'],
  ])('%s: %s', (source, error) => {
    expect(compilePattern(source)).toEqual({ error: expect.stringContaining(error) })
  })
})

describe('all finds', () => {
  it.each<[string, string, string, string[]]>([
    ['follow each other', 'a+', 'aabaaa', ['aa', 'aaa']],
    ['are none', 'c', 'aab', []],
    ['are never empty', 'a*', 'baab', ['aa']],
    ['know what precedes', '\\bab', 'ab xab ab', ['ab', 'ab']],
  ])('%s', (_claim, source, text, found) => {
    const { finds, complete } = pattern(source).findAll(text)
    expect(finds.map(({ start, end }) => text.slice(start, end))).toEqual(found)
    expect(complete).toBe(true)
  })

  it('are the same as without windows, wherever they lie', () => {
    const text = Array.from(
      { length: 700 },
      (_, index) => 'x'.repeat((index * 31) % 57) + 'ab'.repeat(1 + (index % 9)),
    ).join(' ')
    const expected = [...text.matchAll(/\bx*(?:ab)+\b/g)].map((match) => ({
      start: match.index,
      end: match.index + match[0].length,
    }))
    expect(pattern('\\bx*(?:ab)+\\b').findAll(text).finds).toEqual(expected)
  })

  it('end where there are too many', () => {
    const { finds, complete } = pattern('a').findAll('a '.repeat(100_000))
    expect(complete).toBe(false)
    expect(finds.length).toBeGreaterThan(1000)
  })
})

const random = (letters: string, length: number): string => {
  let seed = 4711
  return Array.from({ length }, () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return letters[(seed >>> 16) % letters.length]
  }).join('')
}

describe('a hostile pattern', () => {
  it.each<[string, string]>([
    ['(x+x+)+y', 'x'.repeat(262_144)],
    ['(?:a?){400}a{400}b', 'a'.repeat(262_144)],
    ['a[ab]{14}c', random('ab', 262_144)],
    ['a[ab]{100}c', random('ab', 262_144)],
    ['a.{0,900}b$', random('ab', 262_144)],
    ['\\d{2}.{0,100}secret', random('0123456789   ', 262_144)],
    ['(?:a|b|ab)*c', random('ab', 262_144)],
    ['(a.*b)*c', random('ab', 262_144)],
    ['a.*b|a', 'a'.repeat(262_144)],
    ['\\p{L}{1000}x', 'ä'.repeat(262_144)],
  ])('%s costs bounded time on a hostile text', (source, text) => {
    const compiled = pattern(source)
    // Measured: 240 ms each at worst.
    expect(cpuMsOf(() => compiled.find(text))).toBeLessThan(1000)
    expect(cpuMsOf(() => compiled.findAll(text))).toBeLessThan(1000)
  })

  it('reads less of a text the larger it is', () => {
    expect(pattern('a').longestText).toBeGreaterThan(1_000_000)
    expect(pattern('a{900}').longestText).toBeLessThan(10_000)
    const { longestText } = pattern('a{100}')
    expect(pattern('a{100}').find(`${' '.repeat(longestText - 100)}${'a'.repeat(100)}`)).not.toBeNull()
    expect(pattern('a{100}').find(`${' '.repeat(longestText - 99)}${'a'.repeat(100)}`)).toBeNull()
  })
})
