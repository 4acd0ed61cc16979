import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/parse.ts'
import { formatProblem } from '../../src/config/problem.ts'

const directory = new URL('bad/', import.meta.url)

describe('a bad configuration gets every error it is expected to get, and no other', () => {
  it.each(readdirSync(directory))('%s', (file) => {
    const text = readFileSync(new URL(file, directory), 'utf8')
    const expected = [...text.matchAll(/^# expect: (.*)$/gm)].map((match) => match[1]!)
    expect(expected).not.toEqual([])
    const result = parseConfig(text)
    const told = 'errors' in result ? result.errors.map(({ path, message }) => `${path}: ${message}`) : []
    for (const line of expected) expect(told).toContainEqual(expect.stringContaining(line.trimEnd()))
    expect(told).toHaveLength(expected.length)
  })
})

describe('broken YAML', () => {
  it.each([
    ['hostname: "relay\nlog: {}\n', 'line 3', 'Missing closing "quote (column'],
    ['log:\n\tlevel: info\n', 'line 2', 'Tabs are not allowed as indentation'],
    ['log: { level: info\n', 'line 2', 'Flow map in block collection must be sufficiently indented'],
    ['hostname: a: b\n', 'line 1', 'Nested mappings are not allowed'],
    ['%FOO\n---\nhostname: a\n', 'line 1', 'Unknown directive %FOO'],
  ])('%j is told with its line', (text, path, message) => {
    const result = parseConfig(text)
    expect('errors' in result && result.errors).toContainEqual(
      expect.objectContaining({ path, message: expect.stringContaining(message) }),
    )
  })
})

const valid = `
hostname: relay.example.com
listeners: [{ name: a, port: 2525 }]
connectors:
  - { id: 1, name: One, addressSpaces: ["*"], smartHosts: [smtp.example.com], requireTLS: true }
`

/** `valid`, with one more connector that has the given keys. */
const withConnector = (keys: string) =>
  `${valid}  - { id: 2, name: Two, smartHosts: [smtp.example.com], ${keys} }\n`

function parsed(text: string) {
  const result = parseConfig(text)
  if ('errors' in result) throw new Error(result.errors.map((each) => formatProblem(each, 'test')).join('\n'))
  return result
}

const warningsOf = (text: string) => parsed(text).warnings.map(({ path, message }) => `${path}: ${message}`)

describe('an error', () => {
  it('names the line of the file', () => {
    const result = parseConfig(`${valid}log: { level: loud }\n`)
    expect('errors' in result && result.errors).toEqual([
      { path: 'log.level', line: 6, message: 'must be one of debug, info, warn, error; it is "loud"' },
    ])
  })

  it('is one line, the file and its line first', () => {
    const problem = { path: 'log.level', line: 6, message: 'must be another' }
    expect(formatProblem(problem, 'config/relay.yaml')).toBe(
      'config/relay.yaml:6: log.level: must be another',
    )
    expect(formatProblem({ ...problem, path: '', line: null }, 'x.yaml')).toBe('x.yaml: must be another')
  })

  it('never repeats a secret', () => {
    const text = readFileSync(new URL('secrets-in-the-file.yaml', directory), 'utf8')
    expect(text).toContain('canary-hunter2')
    expect(JSON.stringify(parseConfig(text))).toContain('connectors[0].password')
    expect(JSON.stringify({ ...parseConfig(text), draft: null })).not.toContain('canary-hunter2')
    const broken = parseConfig('connectors: [{ password: "canary-hunter2 }]')
    expect('errors' in broken && broken.errors.length).toBeGreaterThan(0)
    expect(JSON.stringify(broken)).not.toContain('canary-hunter2')
  })

  it('comes for nesting that is too deep, and not as a crash', () => {
    const result = parseConfig('['.repeat(50_000))
    expect('errors' in result && result.errors[0]?.message).toMatch(/nesting is too deep/)
    expect('errors' in result && result.errors.length).toBeLessThanOrEqual(20)
  })
})

describe('a valid configuration', () => {
  it('has its defaults, and no warning', () => {
    const { config, warnings } = parsed(valid)
    expect(warnings).toEqual([])
    expect(config.listeners[0]).toMatchObject({ address: '127.0.0.1', tls: 'starttls', maxRecipients: 1000 })
    expect(config.connectors[0]).toMatchObject({ id: '1', port: 25, tlsAuthLevel: 'domainValidation' })
    expect(config.queue.store).toBe('embedded')
    expect(config.sandbox).toBeNull()
  })

  it('takes smart hosts as Exchange writes them', () => {
    const { config } = parsed(
      withConnector(
        'addressSpaces: ["*"], smartHosts: ["[10.0.0.1]", "[IPv6:2001:db8::1]", Smtp.Example.COM]',
      ).replace('smartHosts: [smtp.example.com], addressSpaces', 'addressSpaces'),
    )
    expect(config.connectors[1]!.smartHosts).toEqual(['10.0.0.1', '2001:db8::1', 'smtp.example.com'])
  })

  it.each([
    ['smartHostAuthMechanism: basicAuthRequireTLS, user: u, password: { env: X }', true],
    ['tls: implicit', true],
    ['smartHostAuthMechanism: basicAuth, user: u, password: { env: X }', false],
  ])('requires TLS wherever something demands it: %s', (keys, requireTLS) => {
    const { config } = parsed(withConnector(`addressSpaces: ["*"], ${keys}`))
    expect(config.connectors[1]!.requireTLS).toBe(requireTLS)
  })

  it.each([0, '"0"', 'null'])('reads a binding to %s as bound to no connector', (none) => {
    const { config } = parsed(`${valid}senders: [{ address: a@example.com, connector: ${none} }]\n`)
    expect(config.senders).toEqual([{ address: 'a@example.com', connector: null }])
  })

  it('takes anchors and aliases', () => {
    expect(parsed(`${valid}dataDir: &d /var/lib/relay\nlog: { level: &l warn }\n`).config.log.level).toBe(
      'warn',
    )
    expect(parsed(valid.replace('[{ name: a', '[&one { name: a')).config.listeners).toHaveLength(1)
  })
})

describe('a warning', () => {
  const exposed = valid.replace('port: 2525', 'port: 2525, address: 0.0.0.0')
  it.each<[string, string, string[]]>([
    ['a connector nothing leads to', withConnector('requireTLS: true'), ['connectors[1]: no mail can reach']],
    [
      'a bound connector',
      `${withConnector('requireTLS: true')}senders: [{ domain: example.com, connector: 2 }]`,
      [],
    ],
    ['a default connector', withConnector('default: true'), []],
    [
      'senders bound to a disabled connector',
      `${withConnector('enabled: false')}senders: [{ domain: example.com, connector: 2 }, { address: a@example.com, connector: 2 }]`,
      ['connectors[1].enabled: 2 sender bindings name this disabled connector'],
    ],
    [
      'requireTLS: false that basicAuthRequireTLS overrides',
      withConnector(
        'default: true, requireTLS: false, smartHostAuthMechanism: basicAuthRequireTLS, user: u, password: { env: X }',
      ),
      ['connectors[1].requireTLS: has no effect: basicAuthRequireTLS never sends without TLS'],
    ],
    [
      'requireTLS: false that implicit TLS overrides',
      withConnector('default: true, requireTLS: false, tls: implicit, tlsAuthLevel: certificateValidation'),
      ['connectors[1].requireTLS: has no effect: implicit TLS never sends without TLS'],
    ],
    [
      'a certificate level where TLS is not demanded',
      withConnector('default: true, tlsAuthLevel: domainValidation'),
      ['connectors[1].tlsAuthLevel: is checked only where the smart host offers STARTTLS'],
    ],
    [
      'passwords that may go in clear',
      withConnector('default: true, smartHostAuthMechanism: basicAuth, user: u, password: { env: X }'),
      ['connectors[1].smartHostAuthMechanism: may send user and password in clear'],
    ],
    [
      'passwords within the machine',
      withConnector(
        'default: true, smartHostAuthMechanism: basicAuth, user: u, password: { env: X }',
      ).replace('Two, smartHosts: [smtp.example.com]', 'Two, smartHosts: [127.0.0.1]'),
      [],
    ],
    [
      'a name and a CA that are not used',
      withConnector(
        'default: true, requireTLS: true, tlsAuthLevel: encryptionOnly, tlsDomain: a.example.com, caFile: ca.pem',
      ),
      [
        'connectors[1].tlsDomain: is not compared with the certificate: encryptionOnly ignores names',
        'connectors[1].caFile: is not used: encryptionOnly takes every certificate',
      ],
    ],
    [
      'an open relay',
      `${exposed}access: { networks: [127.0.0.0/8, 0.0.0.0/0, "::/0", 10.0.0.0/8, "2000::/3", "::ffff:8.0.0.0/101"] }`,
      [1, 2, 4, 5].map((index) => `access.networks[${index}]: makes an open relay`),
    ],
    [
      'an open relay for some senders',
      `${exposed}access: { networks: [{ network: 0.0.0.0/0, senders: ["*@example.com"] }] }`,
      ['access.networks[0].network: makes an open relay'],
    ],
    ['every network, on loopback', `${valid}access: { networks: [0.0.0.0/0] }`, []],
    [
      'passwords of clients in clear',
      exposed.replace('port:', 'authWithoutTls: true, port:'),
      ['listeners[0].authWithoutTls: lets'],
    ],
    [
      'an admin port for everyone',
      `${valid}admin: { address: "::" }`,
      ['admin.address: is not loopback: anyone who can reach it'],
    ],
    [
      'a sandbox for everyone',
      `${valid}sandbox: { address: 192.0.2.1 }`,
      ['sandbox.address: is not loopback'],
    ],
    ['nobody who may submit', `${valid}access: { networks: [] }`, ['access: nobody may submit']],
    [
      'users who cannot log in',
      `${valid.replace('port:', 'tls: off, port:')}access: { users: [{ name: u, senders: ["*"], passwordHash: "scrypt$16384$8$1$MDEyMzQ1Njc4OWFiY2RlZg==$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" }] }`,
      ['access.users: cannot log in: no listener offers TLS'],
    ],
    [
      'a delay notice that never comes',
      `${valid}delivery: { expireAfter: 4h }`,
      ['delivery.delayNoticeAfter: is not before'],
    ],
  ])('is given for %s, and does not stop the start', (_, text, expected) => {
    const told = warningsOf(text)
    for (const line of expected) expect(told).toContainEqual(expect.stringContaining(line))
    expect(told).toHaveLength(expected.length)
  })
})
