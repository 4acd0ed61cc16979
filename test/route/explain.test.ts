import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildRoutes, explain, mayRoute, type Question, route } from '../../src/route/route.ts'
import type { RoutableConnector, RoutingConfig } from '../../src/route/routes.ts'
import { describeCandidate, describeStep } from '../../src/route/steps.ts'
import { naiveRoute } from './naive-route.ts'

// Few names, so that bindings, spaces and questions meet often.
const domains = ['example.org', 'a.example.org', 'b.a.example.org', 'example.com', 'org', 'badexample.org']
const senders = ['n@example.com', 'm@example.com', 'n@example.org', 'x@a.example.org']
const sizes = [1, 2, 3]

const space = fc
  .tuple(fc.constantFrom('', '*.'), fc.constantFrom(...domains), fc.integer({ min: 1, max: 3 }))
  .map(([wild, domain, cost]) => `SMTP:${wild}${domain};${cost}`)

const connectors: fc.Arbitrary<RoutableConnector[]> = fc
  .uniqueArray(
    fc.record({
      id: fc.constantFrom('1', '2', '3', '4', '5', '6'),
      enabled: fc.boolean(),
      default: fc.boolean(),
      addressSpaces: fc.uniqueArray(fc.oneof(space, fc.constantFrom('*', '*;2')), {
        maxLength: 3,
        selector: (text) => text.replace(/^SMTP:/, '').replace(/;\d+$/, ''),
      }),
      maxSendSize: fc.constantFrom(...sizes),
    }),
    { selector: ({ id }) => id, minLength: 1, maxLength: 6 },
  )
  .map((list) => {
    const first = list.findIndex((connector) => connector.default)
    return list.map((connector, index) => ({
      ...connector,
      name: `${connector.id > '3' ? 'relay' : 'Relay'} ${9 - Number(connector.id)}`,
      default: index === first,
    }))
  })

const someConnector = fc.constantFrom('1', '2', '3', '7')
const binding = fc.oneof(
  fc.record({ address: fc.constantFrom(...senders), connector: fc.oneof(someConnector, fc.constant(null)) }),
  fc.record({ domain: fc.constantFrom(...domains), connector: someConnector }),
)

const config: fc.Arbitrary<RoutingConfig> = fc.record({
  connectors,
  senders: fc.uniqueArray(binding, {
    maxLength: 4,
    selector: (entry) => ('address' in entry ? entry.address : entry.domain),
  }),
  routing: fc.record({ unroutable: fc.constantFrom('reject' as const, 'hold' as const) }),
})

const recipient = fc
  .constantFrom(...domains, 'example.net', '[192.0.2.1]', 'c.b.a.example.org')
  .map((domain) => `user@${domain}`)

const question: fc.Arbitrary<Question> = fc.record({
  sender: fc.constantFrom(null, ...senders, 'N@example.com', 'other@example.net'),
  recipient,
  sizeBytes: fc.constantFrom(null, ...sizes, 4),
})

const runs = { numRuns: 3000 }

function outcome(decision: ReturnType<typeof route>): string {
  if (decision.kind === 'unreachable') return 'unreachable'
  return decision.kind === 'connector'
    ? decision.connector
    : `${decision.reply.code} ${decision.reply.enhanced}`
}

describe('for every configuration', () => {
  it('route decides as the prose does', () => {
    fc.assert(
      fc.property(config, question, (settings, asked) => {
        expect(outcome(route(buildRoutes(settings), asked))).toBe(naiveRoute(settings, asked))
      }),
      runs,
    )
  })

  it('explain decides as route does, and its steps end in that decision', () => {
    fc.assert(
      fc.property(config, question, (settings, asked) => {
        const routes = buildRoutes(settings)
        const { steps, decision } = explain(routes, asked)
        expect(decision).toEqual(route(routes, asked))
        expect(chosenBy(steps)).toEqual(decision.kind === 'connector' ? [decision.connector] : [])
      }),
      runs,
    )
  })

  it('mayRoute refuses a recipient only where every sender would be refused for good', () => {
    fc.assert(
      fc.property(config, recipient, (settings, address) => {
        const routes = buildRoutes(settings)
        const outcomes = [
          null,
          ...senders,
          'other@example.net',
          ...domains.map((domain) => `q@${domain}`),
        ].map((sender) => outcome(route(routes, { sender, recipient: address, sizeBytes: null })))
        expect(mayRoute(routes, address) !== null).toBe(outcomes.every((text) => text === '550 5.4.4'))
      }),
      runs,
    )
  })
})

/** Every connector that some step calls chosen. */
function chosenBy(steps: ReturnType<typeof explain>['steps']): string[] {
  return steps.flatMap((step) => {
    if (step.step === 'boundConnector' || step.step === 'default')
      return step.outcome === 'chosen' ? [step.connector!] : []
    if (step.step !== 'addressSpaces') return []
    return step.candidates.filter((entry) => entry.outcome === 'chosen').map((entry) => entry.connector)
  })
}

it('says of every candidate why it lost, in the order of the rules', () => {
  const connector = (id: string, addressSpaces: string[], fields: Partial<RoutableConnector> = {}) => ({
    id,
    name: id,
    enabled: true,
    default: false,
    addressSpaces,
    maxSendSize: 1000,
    ...fields,
  })
  const routes = buildRoutes({
    connectors: [
      connector('elsewhere', ['example.net']),
      connector('everything', ['*']),
      connector('dear', ['*.example.org;20']),
      connector('late', ['*.example.org;10']),
      connector('best', ['*.example.org;10', '*;1']),
      connector('off', ['a.example.org'], { enabled: false }),
      connector('small', ['a.example.org;5'], { maxSendSize: 10 }),
      connector('bound-only', []),
    ],
    senders: [],
    routing: { unroutable: 'reject' },
  })
  const { steps } = explain(routes, { sender: 's@example.com', recipient: 'r@a.example.org', sizeBytes: 500 })
  const spaces = steps.find((step) => step.step === 'addressSpaces')
  expect(steps.map(describeStep)).toEqual([
    'Neither s@example.com nor its domain has a binding',
    expect.stringContaining('Address spaces: the most specific one'),
  ])
  expect(spaces?.candidates.map((entry) => [entry.connector, entry.space, describeCandidate(entry)])).toEqual(
    [
      ['off', 'SMTP:a.example.org;1', 'is disabled'],
      ['small', 'SMTP:a.example.org;5', 'is too small: its maxSendSize is below the message'],
      ['best', 'SMTP:*.example.org;10', 'is chosen'],
      ['late', 'SMTP:*.example.org;10', 'loses: as specific and as cheap, but its name comes later'],
      ['dear', 'SMTP:*.example.org;20', 'loses: its address space is as specific, but costs more'],
      ['best', 'SMTP:*;1', 'loses: its address space is less specific'],
      ['everything', 'SMTP:*;1', 'loses: its address space is less specific'],
      ['elsewhere', null, 'has no address space that matches'],
    ],
  )
})

it.each<[string, Partial<RoutingConfig>, Question['sender'], string[]]>([
  [
    'a binding that takes it',
    { senders: [{ domain: 'example.com', connector: '1' }] },
    'a@example.com',
    ['The domain example.com is bound to the connector 1', 'The bound connector 1 takes it'],
  ],
  [
    'an address bound to none, and nothing else',
    { senders: [{ address: 'a@example.com', connector: null }] },
    'a@example.com',
    [
      'The address a@example.com is bound to no connector, whatever its domain has',
      'Address spaces: none takes it',
      'No connector is the default',
      'Nothing takes it: refused (routing.unroutable is reject)',
    ],
  ],
  [
    'the null reverse-path, held',
    { routing: { unroutable: 'hold' } },
    null,
    [
      'No sender counts for a binding',
      'Address spaces: none takes it',
      'No connector is the default',
      'Nothing takes it: kept as unreachable until the configuration changes (routing.unroutable is hold)',
    ],
  ],
])('tells the steps of %s', (_, part, sender, texts) => {
  const routes = buildRoutes({
    connectors: [
      { id: '1', name: 'One', enabled: true, default: false, addressSpaces: [], maxSendSize: 1000 },
    ],
    senders: [],
    routing: { unroutable: 'reject' },
    ...part,
  })
  const { steps } = explain(routes, { sender, recipient: 'r@example.org', sizeBytes: null })
  expect(steps.map(describeStep)).toEqual(texts)
})
