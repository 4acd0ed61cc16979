import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/parse.ts'

/** Errors of policy stand in `bad/policy-*.yaml`; these do not stop the start. */
function warningsOf(rule: string): string[] {
  const parsed = parseConfig(`
hostname: relay.example.com
listeners: [{ name: a, port: 2525 }]
connectors:
  - { id: 1, name: One, addressSpaces: ["*"], smartHosts: [smtp.example.com], requireTLS: true }
  - { id: 2, name: Two, enabled: false, addressSpaces: ["*"], smartHosts: [smtp.example.com] }
policy:
  lists: { partners: [example.org, a@example.com] }
  rules: [{ name: r, ${rule} }]
`)
  if ('errors' in parsed)
    throw new Error(parsed.errors.map(({ path, message }) => `${path}: ${message}`).join('\n'))
  return parsed.warnings.map(({ path, message }) => `${path}: ${message}`)
}

describe('a warning about policy', () => {
  it.each([
    [
      'a disabled connector',
      'actions: { routeThrough: 2 }',
      'policy.rules[0].actions.routeThrough: connector 2 is disabled: such mail is refused with 451 4.3.2 until it is enabled',
    ],
    [
      'a pattern too large for a body',
      'conditions: { subjectOrBodyMatches: ["a", "x{500}"] }, actions: { drop: true }',
      'policy.rules[0].conditions.subjectOrBodyMatches[1]: is a large pattern, which reads only the first 9960 characters of a body: several smaller ones read more',
    ],
    [
      'a pattern for sensitive data too large for a body',
      'exceptions: { sensitiveData: [{ type: iban }, { type: custom, pattern: "x{500}" }] }, actions: { drop: true }',
      'policy.rules[0].exceptions.sensitiveData[1].pattern: is a large pattern, which reads only the first 9960 characters of a body: several smaller ones read more',
    ],
  ])('is given for %s', (_claim, rule, warning) => {
    expect(warningsOf(rule)).toEqual([warning])
  })

  it('is not given for what is as it should be', () => {
    const conditions = '{ senderIn: [partners], subjectMatches: ["x{500}"], subjectOrBodyMatches: ["x{50}"] }'
    const period = 'activeFrom: 2027-01-01, activeUntil: 2027-01-02'
    expect(warningsOf(`conditions: ${conditions}, ${period}, actions: { routeThrough: 1 }`)).toEqual([])
  })
})
