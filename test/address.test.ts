import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalDomain, domainOf, needsSmtpUtf8, parseAddress, readAddress } from '../src/address.ts'

describe('parseAddress', () => {
  it.each([
    ['User@Example.COM', 'User@example.com'],
    ['user@example.com.', 'user@example.com'],
    ['a+b=c@sub.example.org', 'a+b=c@sub.example.org'],
    ['"quoted local"@example.com', '"quoted local"@example.com'],
    ['"a\\"b"@example.com', '"a\\"b"@example.com'],
    ['user@[192.0.2.1]', 'user@[192.0.2.1]'],
    ['user@[IPv6:2001:DB8::1]', 'user@[IPv6:2001:db8::1]'],
    ['info@münchen.example', 'info@xn--mnchen-3ya.example'],
    ['info@xn--mnchen-3ya.example', 'info@xn--mnchen-3ya.example'],
    ['müller@example.com', 'müller@example.com'],
    ['a@localhost', 'a@localhost'],
  ])('reads %s as %s', (text, address) => {
    expect(parseAddress(text)).toMatchObject({ address })
  })

  it.each([
    ['', 'syntax'],
    ['user', 'syntax'],
    ['@example.com', 'syntax'],
    ['a b@example.com', 'syntax'],
    ['.a@example.com', 'syntax'],
    ['a..b@example.com', 'syntax'],
    ['<a@example.com>', 'syntax'],
    ['a@b@example.com', 'syntax'],
    ['x@y.com NOTIFY=NEVER', 'domain'],
    ['a@example.com\r\nRCPT', 'syntax'],
    ['a\u0000@example.com', 'syntax'],
    ['a@exa\u200bmple.com', 'syntax'],
    ['u%evil.com@example.com', 'source-route'],
    ['evil.com!u@example.com', 'source-route'],
    ['"a@b"@example.com', 'source-route'],
    ['a@', 'domain'],
    ['a@-bad.com', 'domain'],
    ['a@bad-.com', 'domain'],
    ['a@a..b', 'domain'],
    ['a@example.xn--com-', 'domain'],
    ['a@evil\u3002com', 'domain'],
    ['a@\uff45vil.com', 'domain'],
    ['a@under_score.com', 'domain'],
    [`${'a'.repeat(65)}@example.com`, 'too-long'],
    [`a@${'b'.repeat(64)}.com`, 'domain'],
    [`${'a'.repeat(64)}@${`${'b'.repeat(60)}.`.repeat(4)}com`, 'too-long'],
  ])('refuses %j: %s', (text, error) => {
    expect(parseAddress(text)).toEqual({ error })
  })

  it('finds in the usual form what all rules find', () => {
    const words = fc.constantFrom(
      'a',
      'b1',
      '.',
      '-',
      '--',
      '+',
      '@',
      '%',
      '!',
      '"',
      ' ',
      'xn--',
      'Z',
      'é',
      '[',
      '\r',
    )
    const parts = fc.array(words, { maxLength: 12 }).map((each) => each.join(''))
    const local = fc.oneof(parts, fc.constantFrom('anna', 'a.b', 'a'.repeat(64), 'a'.repeat(65)))
    const domain = fc.oneof(
      parts,
      fc.constantFrom('example.com', 'a-b.org', `${'b'.repeat(63)}`, 'c.'.repeat(130)),
    )
    fc.assert(
      fc.property(local, domain, (before, after) => {
        const text = `${before}@${after}`
        expect(parseAddress(text)).toEqual(readAddress(text))
      }),
      { numRuns: 5000 },
    )
  })
})

describe('canonicalDomain', () => {
  it.each([
    ['EXAMPLE.com', 'example.com'],
    ['straße.example', 'xn--strae-oqa.example'],
    ['xn--200b-.com', null],
    ['a b.com', null],
    ['', null],
    ['.', null],
  ])('maps %j to %j', (text, domain) => {
    expect(canonicalDomain(text)).toBe(domain)
  })
})

it('knows the domain of an address and of the null reverse-path', () => {
  expect(domainOf('"a@b"@example.com')).toBe('example.com')
  expect(domainOf('')).toBe('')
})

it('asks for SMTPUTF8 only for local parts that need it', () => {
  expect(needsSmtpUtf8('müller@example.com')).toBe(true)
  expect(needsSmtpUtf8('info@xn--mnchen-3ya.example')).toBe(false)
})
