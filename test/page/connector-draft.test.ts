import { describe, expect, it } from 'vitest'
import type { ConnectorSettingsView } from '../../src/admin/connectors/connector-view.ts'
import { smartHost } from '../../src/config/values.ts'
import {
  type ConnectorDraft,
  changed,
  changesOf,
  draftOf,
  inputOf,
  isSmartHost,
  newDraft,
  spaceDraftOf,
  spaceFault,
  withType,
} from '../../src/page/connectors/connector-draft.ts'
import { faultsIn, stepOf, steps } from '../../src/page/connectors/wizard-steps.ts'
import { en } from '../../src/page/connectors/words-en.ts'
import { parseAddressSpace } from '../../src/route/address-space.ts'
import { connectorInput } from '../../src/setup/connector-object.ts'

const draft = (change: Partial<ConnectorDraft> = {}): ConnectorDraft => ({
  ...newDraft(),
  name: 'Provider',
  smartHosts: ['smtp.example.com'],
  ...change,
})

const settings: ConnectorSettingsView = {
  enabled: true,
  default: false,
  addressSpaces: ['SMTP:*.example.org;10', 'example.net'],
  smartHosts: ['smtp.example.com'],
  port: 587,
  tls: 'starttls',
  smartHostAuthMechanism: 'basicAuthRequireTLS',
  user: 'relay',
  passwordSet: true,
  requireTLS: true,
  tlsAuthLevel: 'domainValidation',
  tlsDomain: null,
  ca: null,
  clientCertificate: null,
  fqdn: null,
  maxSendSize: 36_700_160,
  limits: {
    connections: 20,
    messagesPerConnection: 20,
    messagesPerSecond: null,
    messagesPerMinute: 200,
    messagesPerHour: null,
    messagesPerDay: null,
    recipientsPerDay: null,
  },
  protocolLogging: 'none',
}

describe('what is said at once, before the relay is asked', () => {
  it.each([
    '*',
    'example.org',
    '*.example.org',
    '*.org',
    'bücher.example',
    '_tcp.example.org',
    '*example.org',
    '*.',
    '',
    'example..org',
    'a b.org',
    'foo*.example.org',
    '10.0.0.1',
    '[10.0.0.1]',
    '--',
    'example.org;5',
  ])('agrees with the relay about the address space %j', (domain) => {
    const taken = spaceFault({ domain, cost: '1' }) === null
    expect(taken).toBe(!('error' in parseAddressSpace(`SMTP:${domain};1`)))
  })

  it.each(['1', '100', '0', '101', '-1', '1.5', '', 'x'])(
    'agrees with the relay about the cost %j',
    (cost) => {
      const taken = spaceFault({ domain: '*', cost }) === null
      expect(taken).toBe(!('error' in parseAddressSpace(`SMTP:*;${cost}`)))
    },
  )

  it.each([
    'smtp.example.com',
    '192.0.2.10',
    '[192.0.2.10]',
    '2001:db8::1',
    '[IPv6:2001:db8::1]',
    'localhost',
    '192.0.2.300',
    '192.0.2',
    'smtp.example.com:25',
    'two words',
    '',
    'smtp..example.com',
  ])('agrees with the relay about the smart host %j', (host) => {
    expect(isSmartHost(host)).toBe(smartHost.safeParse(host).success)
  })
})

describe('a draft', () => {
  it('of a new connector is what the API takes', () => {
    const given = draft({
      addressSpaces: [{ domain: '*', cost: '5' }],
      authentication: 'basicAuth',
      user: 'relay',
      password: 'secret',
      limits: { ...newDraft().limits, messagesPerHour: '500' },
    })
    expect(connectorInput.safeParse(inputOf(given))).toMatchObject({
      success: true,
      data: {
        addressSpaces: ['SMTP:*;5'],
        smartHostAuthMechanism: 'basicAuthRequireTLS',
        requireTLS: true,
        password: 'secret',
        maxSendSize: 35 * 1024 ** 2,
        limits: { connections: 20, messagesPerHour: 500, messagesPerDay: null },
      },
    })
  })

  it.each<[string, Partial<ConnectorDraft>, unknown, unknown]>([
    ['no TLS required', { tlsDomain: 'a.example.com' }, undefined, undefined],
    ['TLS required', { requireTLS: true, tlsDomain: 'a.example.com' }, 'domainValidation', 'a.example.com'],
    [
      'no certificate checked',
      { requireTLS: true, tlsAuthLevel: 'encryptionOnly', tlsDomain: 'a.example.com' },
      'encryptionOnly',
      undefined,
    ],
    ['implicit TLS', { tls: 'implicit' }, 'domainValidation', undefined],
  ])('names level and domain only where they count: %s', (_what, change, tlsAuthLevel, tlsDomain) => {
    expect(inputOf(draft(change)).tlsAuthLevel).toBe(tlsAuthLevel)
    expect(inputOf(draft(change)).tlsDomain).toBe(tlsDomain)
  })

  it('changes nothing where nothing was typed', () => {
    const stored = draftOf(settings, { id: '29', name: 'Provider' })
    expect(changesOf(stored, stored)).toEqual({})
  })

  it('changes only what was typed', () => {
    const stored = draftOf(settings, { id: '29', name: 'Provider' })
    const typed = { ...stored, tlsDomain: 'mx.example.com', port: '2525' }
    expect(changesOf(typed, stored)).toEqual({ tlsDomain: 'mx.example.com', port: 2525 })
  })

  it.each<[string, Partial<ConnectorDraft>, Partial<ConnectorDraft>, string]>([
    ['a login', { port: '25' }, { authentication: 'basicAuth' }, '587'],
    ['implicit TLS', { port: '25' }, { tls: 'implicit' }, '465'],
    ['no login any more', { port: '587', authentication: 'basicAuth' }, { authentication: 'none' }, '25'],
    ['a login, where another port was typed', { port: '2525' }, { authentication: 'basicAuth' }, '2525'],
    ['a port', { port: '25' }, { port: '26' }, '26'],
  ])('takes the usual port along with %s', (_what, before, change, port) => {
    expect(changed(draft(before), change).port).toBe(port)
  })

  it('takes what a type proposes, and leaves what was typed', () => {
    const internet = withType(draft(), 'custom', 'internet')
    expect(internet).toMatchObject({ addressSpaces: [{ domain: '*', cost: '1' }], name: 'Provider' })
    expect(withType(internet, 'internet', 'internal')).toMatchObject({
      addressSpaces: [],
      maxSendSize: '2048',
    })
    const typed = { ...internet, addressSpaces: [{ domain: 'example.org', cost: '1' }] }
    expect(withType(typed, 'internet', 'partner')).toMatchObject({
      addressSpaces: typed.addressSpaces,
      requireTLS: true,
    })
  })

  it.each([
    ['SMTP:*.example.org;10', { domain: '*.example.org', cost: '10' }],
    ['example.org', { domain: 'example.org', cost: '1' }],
    ['smtp:*', { domain: '*', cost: '1' }],
    ['*;3', { domain: '*', cost: '3' }],
  ])('reads the address space %s', (space, read) => {
    expect(spaceDraftOf(space)).toEqual(read)
  })
})

describe('the steps of the wizard', () => {
  it('find the field of every setting that the API may refuse', () => {
    for (const setting of Object.keys(connectorInput.shape).filter((name) => name !== 'enabled'))
      expect([setting, stepOf(setting)]).toEqual([setting, expect.toBeOneOf([...steps])])
    expect(stepOf('addressSpaces.1')).toBe('spaces')
    expect(stepOf('limits.messagesPerDay')).toBe('limits')
    expect(stepOf('addressSpacesOfAnother')).toBeNull()
    expect(stepOf(null)).toBeNull()
  })

  it.each<[(typeof steps)[number], Partial<ConnectorDraft>, readonly string[]]>([
    ['type', { name: ' ' }, ['name']],
    ['hosts', { smartHosts: [] }, ['smartHosts']],
    ['authentication', {}, []],
    ['authentication', { authentication: 'basicAuth' }, ['user', 'password']],
    ['spaces', {}, []],
    ['security', { port: '0' }, ['port']],
    ['security', { port: '65536' }, ['port']],
    ['limits', { maxSendSize: '2049' }, ['maxSendSize']],
    [
      'limits',
      { limits: { ...newDraft().limits, connections: '', messagesPerDay: '1.5' } },
      ['limits.connections', 'limits.messagesPerDay'],
    ],
    ['summary', {}, []],
  ])('say what is wrong in %s with %j', (step, change, wrong) => {
    expect([...faultsIn(step, draft(change), en).keys()]).toEqual(wrong)
  })
})
