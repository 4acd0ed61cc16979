import { describe, expect, it } from 'vitest'
import { formatAddressSpace, parseAddressSpace, patternsFor } from '../../src/route/address-space.ts'

describe('parseAddressSpace', () => {
  // The four spellings that Exchange takes as equal, then its legal wildcards.
  it.each([
    ['SMTP:contoso.example.com;1', 'contoso.example.com', 1],
    ['contoso.example.com;1', 'contoso.example.com', 1],
    ['SMTP:contoso.example.com', 'contoso.example.com', 1],
    ['contoso.example.com', 'contoso.example.com', 1],
    ['smtp:Example.ORG;100', 'example.org', 100],
    ['*', '*', 1],
    ['SMTP:*;1', '*', 1],
    ['*;7', '*', 7],
    ['*.com', '*.com', 1],
    ['*.example.com;10', '*.example.com', 10],
    ['*.münchen.example;2', '*.xn--mnchen-3ya.example', 2],
    ['example.org.', 'example.org', 1],
    ['localhost', 'localhost', 1],
  ])('reads %s', (text, pattern, cost) => {
    expect(parseAddressSpace(text)).toEqual({ pattern, cost })
  })

  it.each([
    ['*example.com', 'a wildcard takes whole labels, as in *.example.com'],
    ['example.*', 'a wildcard stands only at the start'],
    ['*.*.com', 'a wildcard stands only at the start'],
    ['**', 'a wildcard'],
    ['*.', 'must be * or a domain'],
    ['', 'must be * or a domain'],
    ['SMTP:', 'must be * or a domain'],
    [';1', 'must be * or a domain'],
    ['--', '-- stands for the domains of an Exchange organisation'],
    ['user@example.com', 'must be * or a domain'],
    ['under_score.example.com', 'must be * or a domain'],
    ['192.0.2.1', 'must be * or a domain'],
    ['192.0.2.300', 'must be * or a domain'],
    ['[192.0.2.1]', 'address literals are matched by * alone'],
    ['[IPv6:2001:db8::1]', 'address literals are matched by * alone'],
    ['SMTP:[192.0.2.1];5', 'address literals are matched by * alone'],
    ['example.com;0', 'cost from 1 to 100'],
    ['example.com;101', 'cost from 1 to 100'],
    ['example.com;', 'cost from 1 to 100'],
    ['example.com;ten', 'cost from 1 to 100'],
    ['example.com;1.5', 'cost from 1 to 100'],
    ['example.com;-1', 'cost from 1 to 100'],
    ['example.com;1;2', 'cost from 1 to 100'],
    ['X400:c=US;a=ADMD;1', 'must have the type SMTP: this relay does not route X400'],
    ['FAX:example.com', 'does not route FAX'],
    [':example.com', 'does not route an empty type'],
  ])('refuses %j', (text, error) => {
    expect(parseAddressSpace(text)).toEqual({ error: expect.stringContaining(error) })
  })

  it('is undone by formatAddressSpace', () => {
    expect(formatAddressSpace({ pattern: '*.example.org', cost: 10 })).toBe('SMTP:*.example.org;10')
    expect(parseAddressSpace('SMTP:*.example.org;10')).toEqual({ pattern: '*.example.org', cost: 10 })
  })
})

describe('patternsFor', () => {
  it.each([
    [
      'a.b.example.org',
      ['a.b.example.org', '*.a.b.example.org', '*.b.example.org', '*.example.org', '*.org', '*'],
    ],
    ['example.org', ['example.org', '*.example.org', '*.org', '*']],
    ['localhost', ['localhost', '*.localhost', '*']],
    ['[192.0.2.1]', ['*']],
    ['[IPv6:2001:db8::1]', ['*']],
  ])('names what matches %s, most specific first', (domain, patterns) => {
    expect(patternsFor(domain)).toEqual(patterns)
  })
})
