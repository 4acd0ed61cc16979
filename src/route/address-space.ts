/**
 * Address spaces, in Exchange's syntax `Type:Space;Cost`: `SMTP:*.example.org;10`, or only `example.org`.
 * The type is SMTP where it is left out, the cost 1. `example.org` is that domain alone; `*.example.org` is
 * that domain and everything below it; `*` is every domain. Wildcards match whole labels: `*.example.org`
 * never matches `evilexample.org`.
 */
import { canonicalDomain } from '../address.ts'

export interface AddressSpace {
  /** `example.org`, `*.example.org` or `*`, with the domain in canonical form. */
  readonly pattern: string
  /** 1 to 100; lower is better, but never beats a more specific space. */
  readonly cost: number
}

export function parseAddressSpace(text: string): AddressSpace | { readonly error: string } {
  if (/^(?:SMTP:)?\[/i.test(text))
    return { error: 'must be a domain: address literals are matched by * alone' }
  const [, type, space, costText] = /^(?:([^:;]*):)?([^;]*)(?:;(.*))?$/.exec(text) ?? []
  if (type !== undefined && type.toUpperCase() !== 'SMTP')
    return { error: `must have the type SMTP: this relay does not route ${type || 'an empty type'}` }
  const cost = costText === undefined ? 1 : /^\d{1,3}$/.test(costText) ? Number(costText) : 0
  if (cost < 1 || cost > 100) return { error: 'must have a cost from 1 to 100 after the semicolon' }
  const pattern = canonicalPattern(space ?? '')
  if (pattern === null) return { error: `must be * or a domain such as example.org${hint(space ?? '')}` }
  return { pattern, cost }
}

export function formatAddressSpace(space: AddressSpace): string {
  return `SMTP:${space.pattern};${space.cost}`
}

/**
 * The patterns that match a domain, most specific first: itself, then `*.` and itself, then the wildcards of
 * ever fewer labels, then `*`. An address literal has no labels and is matched by `*` alone.
 */
export function patternsFor(domain: string): string[] {
  if (domain.startsWith('[')) return ['*']
  const patterns = [domain]
  for (let start = 0; start < domain.length; ) {
    patterns.push(`*.${domain.slice(start)}`)
    const dot = domain.indexOf('.', start)
    start = dot < 0 ? domain.length : dot + 1
  }
  patterns.push('*')
  return patterns
}

function canonicalPattern(space: string): string | null {
  if (space === '*') return '*'
  const wildcard = space.startsWith('*.')
  const domain = canonicalDomain(wildcard ? space.slice(2) : space)
  // A last label of digits is an IP address or a slip of one, never a mail domain (RFC 3696 §2).
  if (domain === null || /(^|\.)\d+$/.test(domain)) return null
  return wildcard ? `*.${domain}` : domain
}

function hint(space: string): string {
  if (space === '--') return '; -- stands for the domains of an Exchange organisation, name them'
  if (/^\*[^.]/.test(space)) return `; a wildcard takes whole labels, as in *.${space.slice(1)}`
  if (space.includes('*')) return '; a wildcard stands only at the start, as in *.example.org'
  return ' or *.example.org'
}
