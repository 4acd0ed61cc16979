import { describe, expect, it } from 'vitest'
import { formatReply } from '../../src/reply.ts'
import { buildRoutes, type Decision, mayRoute, route } from '../../src/route/route.ts'
import type { RoutableConnector, RoutingConfig } from '../../src/route/routes.ts'

const MB = 1024 ** 2

function connector(id: string, fields: Partial<RoutableConnector> = {}): RoutableConnector {
  return { id, name: id, enabled: true, default: false, addressSpaces: [], maxSendSize: 100 * MB, ...fields }
}

function routesOf(
  connectors: RoutableConnector[],
  rest: { senders?: RoutingConfig['senders']; unroutable?: 'reject' | 'hold' } = {},
) {
  const { senders = [], unroutable = 'reject' } = rest
  return buildRoutes({ connectors, senders, routing: { unroutable } })
}

/** The connector's id, or the reply as one line, or `unreachable`. */
function outcome(decision: Decision): string {
  if (decision.kind === 'connector') return decision.connector
  return decision.kind === 'refuse' ? formatReply(decision.reply) : 'unreachable'
}

const to = (recipient: string, sizeBytes: number | null = null) => ({ sender: null, recipient, sizeBytes })

describe('address spaces', () => {
  const routes = routesOf([
    connector('exact', { addressSpaces: ['marketing.example.org;100'] }),
    connector('longer', { addressSpaces: ['*.marketing.example.org;50'] }),
    connector('shorter', { addressSpaces: ['*.example.org;10'] }),
    connector('tld', { addressSpaces: ['*.org'] }),
    connector('all', { addressSpaces: ['*'] }),
    connector('alone', { addressSpaces: ['example.net'] }),
  ])
  it.each([
    ['a@marketing.example.org', 'exact'],
    ['a@MARKETING.example.org'.toLowerCase(), 'exact'],
    ['a@eu.marketing.example.org', 'longer'],
    ['a@sales.example.org', 'shorter'],
    ['a@x.y.z.example.org', 'shorter'],
    ['a@example.org', 'shorter'], // `*.example.org` is the domain and all below it
    ['a@evilexample.org', 'tld'], // wildcards match whole labels
    ['a@org', 'tld'],
    ['a@example.net', 'alone'],
    ['a@sub.example.net', 'all'], // `example.net` is that domain, no subdomains
    ['a@[192.0.2.1]', 'all'],
    ['a@[IPv6:2001:db8::1]', 'all'],
  ])('take %s to the most specific one: %s', (recipient, id) => {
    expect(outcome(route(routes, to(recipient)))).toBe(id)
  })

  it.each<[string, RoutableConnector[], string]>([
    [
      'cost never beats specificity',
      [
        connector('cheap', { addressSpaces: ['*.example.org;1'] }),
        connector('precise', { addressSpaces: ['example.org;100'] }),
      ],
      'precise',
    ],
    [
      'the lowest cost wins among equals',
      [
        connector('a', { addressSpaces: ['example.org;3'] }),
        connector('b', { addressSpaces: ['example.org;2'] }),
      ],
      'b',
    ],
    [
      'the lowest name wins at equal cost, whatever its case',
      [
        connector('1', { name: 'Zeta', addressSpaces: ['example.org'] }),
        connector('2', { name: 'alpha', addressSpaces: ['SMTP:example.org;1'] }),
        connector('3', { name: 'Beta', addressSpaces: ['example.org;1'] }),
      ],
      '2',
    ],
    [
      'names are compared as text, not as numbers',
      [
        connector('1', { name: 'Relay 2', addressSpaces: ['*'] }),
        connector('2', { name: 'Relay 10', addressSpaces: ['*'] }),
      ],
      '2',
    ],
    [
      'a disabled connector is not seen',
      [
        connector('off', { addressSpaces: ['example.org'], enabled: false }),
        connector('on', { addressSpaces: ['*'] }),
      ],
      'on',
    ],
    [
      'each space has its own cost',
      [
        connector('a', { addressSpaces: ['example.com;1', 'example.org;9'] }),
        connector('b', { addressSpaces: ['example.com;9', 'example.org;1'] }),
      ],
      'b',
    ],
  ])('%s', (_, connectors, id) => {
    expect(outcome(route(routesOf(connectors), to('a@example.org')))).toBe(id)
  })
})

describe('size', () => {
  const routes = routesOf([
    connector('precise', { addressSpaces: ['example.org'], maxSendSize: 10 * MB }),
    connector('cheap', { addressSpaces: ['*;1'], maxSendSize: 20 * MB }),
    connector('same', { addressSpaces: ['*;2'], maxSendSize: 20 * MB }),
    connector('roomy', { addressSpaces: ['*;3'], maxSendSize: 50 * MB }),
    connector('off', { addressSpaces: ['*'], maxSendSize: 500 * MB, enabled: false }),
  ])
  it.each([
    [null, 'precise'],
    [0, 'precise'],
    [10 * MB, 'precise'],
    [10 * MB + 1, 'cheap'],
    [20 * MB + 1, 'roomy'],
    [50 * MB + 1, '552 5.3.4 The message is larger than 50MB, the most any connector takes for example.org'],
  ])('comes before specificity: %s bytes leave by %s', (sizeBytes, expected) => {
    expect(outcome(route(routes, to('a@example.org', sizeBytes)))).toBe(expected)
  })

  it('refuses what only the default connector could take and is too large for it', () => {
    const only = routesOf([connector('d', { default: true, maxSendSize: 5 * MB })], { unroutable: 'hold' })
    expect(outcome(route(only, to('a@example.org', 6 * MB)))).toMatch(/^552 5\.3\.4 .* 5MB/)
  })
})

describe('sender bindings', () => {
  const connectors = [
    connector('29'),
    connector('30'),
    connector('own', { addressSpaces: ['*.example.org', 'example.net'] }),
    connector('off', { enabled: false }),
    connector('off-own', { enabled: false, addressSpaces: ['example.net'] }),
    connector('small', { maxSendSize: 1 * MB }),
    connector('all', { addressSpaces: ['*'] }),
  ]
  const routes = routesOf(connectors, {
    senders: [
      { domain: 'example.com', connector: '29' },
      { address: 'news@example.com', connector: '30' },
      { address: 'boss@example.com', connector: null },
      { address: 'own@example.com', connector: 'own' },
      { address: 'off@example.com', connector: 'off' },
      { address: 'off-own@example.com', connector: 'off-own' },
      { address: 'small@example.com', connector: 'small' },
      { address: 'gone@example.com', connector: 'gone' },
    ],
  })
  it.each<[string | null, string, string, number?]>([
    ['news@example.com', 'a@example.org', '30'],
    ['NEWS@example.com', 'a@example.org', '30'],
    ['"news"@example.com', 'a@example.org', '30'],
    ['anybody@example.com', 'a@example.org', '29'], // the domain's default
    ['anybody@example.com', 'a@[192.0.2.1]', '29'],
    ['anybody@sub.example.com', 'a@sub.example.net', 'all'], // of that domain alone
    ['boss@example.com', 'a@sub.example.net', 'all'], // explicitly none, although the domain has one
    ['other@example.net', 'a@sub.example.net', 'all'],
    [null, 'a@sub.example.net', 'all'],
    ['own@example.com', 'a@sub.example.org', 'own'],
    ['own@example.com', 'a@example.org', 'own'],
    ['own@example.com', 'a@example.net', 'own'],
    [null, 'a@example.org', 'own'], // being bound to does not close its address spaces to others
    ['own@example.com', 'a@sub.example.net', 'all'], // not covered: on to everybody's
    ['own@example.com', 'a@[192.0.2.1]', 'all'],
    ['off@example.com', 'a@example.org', "451 4.3.2 The sender's connector is disabled"],
    ['off-own@example.com', 'a@example.net', "451 4.3.2 The sender's connector is disabled"],
    ['off-own@example.com', 'a@example.org', 'own'],
    ['gone@example.com', 'a@example.org', "451 4.3.5 The sender's connector does not exist"],
    ['small@example.com', 'a@example.org', 'small', MB],
    [
      'small@example.com',
      'a@example.org',
      "552 5.3.4 The message is larger than 1MB, the limit of the sender's connector",
      MB + 1,
    ],
  ])('send mail of %s to %s by %s', (sender, recipient, expected, sizeBytes) => {
    expect(outcome(route(routes, { sender, recipient, sizeBytes: sizeBytes ?? null }))).toBe(expected)
  })

  it('say which binding it was', () => {
    const why = (sender: string) => route(routes, { sender, recipient: 'a@example.org', sizeBytes: null })
    expect(why('News@example.com')).toMatchObject({
      why: { rule: 'senderAddress', entry: 'news@example.com' },
    })
    expect(why('x@example.com')).toMatchObject({ why: { rule: 'senderDomain', entry: 'example.com' } })
    expect(why('x@example.net')).toMatchObject({
      why: { rule: 'addressSpace', entry: 'SMTP:*.example.org;1' },
    })
  })
})

describe('the default connector', () => {
  const spaces = connector('spaces', { addressSpaces: ['example.org'] })
  it.each<[string, RoutableConnector[], string, string]>([
    ['takes what is left', [spaces, connector('d', { default: true })], 'a@example.net', 'd'],
    ['comes after address spaces', [spaces, connector('d', { default: true })], 'a@example.org', 'spaces'],
    [
      'takes literals too',
      [connector('d', { default: true, addressSpaces: ['example.com'] })],
      'a@[192.0.2.1]',
      'd',
    ],
    [
      'is not seen when disabled',
      [spaces, connector('d', { default: true, enabled: false })],
      'a@example.net',
      '550 5.4.4 No connector takes mail for example.net',
    ],
  ])('%s', (_, connectors, recipient, expected) => {
    expect(outcome(route(routesOf(connectors), to(recipient)))).toBe(expected)
  })
})

describe('no connector', () => {
  const connectors = [connector('c', { addressSpaces: ['example.org'] })]
  it('refuses and names the domain, or keeps the mail where unroutable is hold', () => {
    const question = to('a@example.net')
    expect(outcome(route(routesOf(connectors), question))).toBe(
      '550 5.4.4 No connector takes mail for example.net',
    )
    expect(outcome(route(routesOf(connectors, { unroutable: 'hold' }), question))).toBe('unreachable')
  })
})

describe('mayRoute', () => {
  const spaces = connector('spaces', { addressSpaces: ['*.example.org'] })
  const bound = (fields: Partial<RoutableConnector>) => [connector('bound', fields), spaces]
  const senders = [{ address: 'news@example.com', connector: 'bound' }]
  it.each<[string, ReturnType<typeof routesOf>, string, boolean]>([
    ['an address space', routesOf([spaces]), 'a@example.org', true],
    ['no address space', routesOf([spaces]), 'a@example.net', false],
    [
      'an address space of a disabled connector',
      routesOf([connector('c', { addressSpaces: ['*'], enabled: false })]),
      'a@example.org',
      false,
    ],
    ['a connector that senders are bound to', routesOf(bound({}), { senders }), 'a@example.net', true],
    ['a connector that nobody is bound to', routesOf(bound({})), 'a@example.net', false],
    [
      'a bound connector whose spaces do not cover it',
      routesOf(bound({ addressSpaces: ['example.com'] }), { senders }),
      'a@example.net',
      false,
    ],
    [
      'a bound connector that is disabled, which is a temporary refusal',
      routesOf(bound({ enabled: false, addressSpaces: ['example.net'] }), { senders }),
      'a@example.net',
      true,
    ],
    ['a default connector', routesOf([connector('d', { default: true })]), 'a@example.net', true],
    [
      'a disabled default connector',
      routesOf([connector('d', { default: true, enabled: false })]),
      'a@example.net',
      false,
    ],
    ['unroutable mail that is held', routesOf([spaces], { unroutable: 'hold' }), 'a@example.net', true],
    ['a literal without *', routesOf([spaces]), 'a@[192.0.2.1]', false],
  ])('knows whether any sender could send by %s', (_, routes, recipient, possible) => {
    const reply = mayRoute(routes, recipient)
    expect(reply === null).toBe(possible)
    if (reply !== null) expect(formatReply(reply)).toMatch(/^550 5\.4\.4 /)
  })
})

it('does not slow down with 100,000 bindings and 1,000 connectors', () => {
  const small = measured(routesOf(manyConnectors(10), { senders: manyBindings(10) }))
  const large = measured(routesOf(manyConnectors(1000), { senders: manyBindings(100_000) }))
  // Hash probes in a large map miss the processor's caches; a scan would be thousands of times slower.
  expect(large / small).toBeLessThan(20)
})

function manyConnectors(count: number): RoutableConnector[] {
  return Array.from({ length: count }, (_, n) =>
    connector(`c${n}`, { addressSpaces: ['*', `*.d${n}.example.org;${1 + (n % 100)}`, 'example.net'] }),
  )
}

function manyBindings(count: number): RoutingConfig['senders'] {
  return Array.from({ length: count }, (_, n) => ({ address: `user${n}@example.com`, connector: null }))
}

function measured(routes: ReturnType<typeof routesOf>): number {
  const questions = Array.from({ length: 2000 }, (_, n) => ({
    sender: `user${n % 20}@example.com`,
    recipient: `a@d${n % 20}.example.org`,
    sizeBytes: 4096,
  }))
  const round = () => {
    const before = process.cpuUsage()
    for (const question of questions) route(routes, question)
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
  round()
  return Math.max(1, Math.min(round(), round(), round()))
}
