/** Every way to make, change and remove a connector at run time, and every way in which that is refused. */
import { describe, expect, it } from 'vitest'
import { connectorSecret, type GivenConnector } from '../../src/setup/connector-object.ts'
import {
  type ConnectorChanges,
  changeAuthentication,
  createConnector,
  editConnector,
  enableConnector,
  removeConnector,
} from '../../src/setup/connector-plans.ts'
import { box } from '../support/running-setup.ts'
import { certificates } from '../support/scripted-host.ts'
import { PlannedState, refusalOf } from './planned-state.ts'

const plain: GivenConnector = {
  name: 'Provider',
  addressSpaces: ['example.org'],
  smartHosts: ['smtp.example.com'],
}
const login = {
  smartHostAuthMechanism: 'basicAuthRequireTLS',
  user: 'newsletter@example.com',
  password: 'canary-hunter2',
} as const

/** With one of these, and of the file the connector 29. */
const stateWith = (input: Partial<GivenConnector> = {}, id = '5'): PlannedState => {
  const state = new PlannedState()
  state.apply(createConnector({ ...plain, ...input }, { id }))
  return state
}

const storedIn = (state: PlannedState, id = '5') =>
  state.get('connector', id)?.value as {
    settings: Record<string, unknown>
    password: { sealed: string } | null
  }

const connectorOf = (state: PlannedState, id = '5') =>
  state.current.connectors.find((each) => each.id === id)?.connector

describe('a new connector', () => {
  it('keeps what was given as it was given, and gets the defaults of today', () => {
    const state = new PlannedState()
    const input = { ...plain, smartHosts: ['[192.0.2.1]'], maxSendSize: '35MB', limits: { connections: 3 } }
    const { id, changes } = state.apply(createConnector(input))
    expect(id).toBe('30')
    expect(changes[0]).toMatchObject({
      kind: 'connector',
      expected: null,
      value: { settings: input, password: null, clientKey: null, createdAt: 1_000 },
    })
    expect(connectorOf(state, '30')).toMatchObject({
      smartHosts: ['192.0.2.1'],
      maxSendSize: 35 * 1024 ** 2,
      port: 25,
      fqdn: 'relay.example.com',
      limits: { connections: 3, messagesPerConnection: 20, messagesPerDay: null },
    })
  })

  it('has its secrets sealed for itself', () => {
    const { cert, key } = certificates.client
    const state = stateWith({ ...login, clientCertificate: { cert, key } })
    const stored = storedIn(state)
    expect(JSON.stringify(stored)).not.toContain(login.password)
    expect(JSON.stringify(stored)).not.toContain('PRIVATE KEY')
    expect(box.open(stored.password!, { context: connectorSecret('5', 'password') })).toBe(login.password)
    expect(connectorOf(state)).toMatchObject({
      password: login.password,
      clientCertificate: { cert, key },
      requireTLS: true,
    })
  })

  it('stands in the audit without secrets, its certificates by fingerprint', () => {
    const { audit } = new PlannedState().plan(
      createConnector({ ...plain, ...login, ca: certificates.ca, clientCertificate: certificates.client }),
    )
    expect(audit).toEqual([
      {
        act: 'created',
        what: 'connector',
        id: '30',
        before: null,
        after: {
          ...plain,
          smartHostAuthMechanism: 'basicAuthRequireTLS',
          user: login.user,
          ca: [expect.stringMatching(/^SHA-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}$/)],
          clientCertificate: [expect.stringMatching(/^SHA-256 /)],
          passwordSet: true,
          clientKeySet: true,
        },
      },
    ])
  })

  it('takes null for what is left out', () => {
    const state = stateWith({
      tlsDomain: null,
      ca: null,
      user: null,
      password: null,
      clientCertificate: null,
    })
    expect(storedIn(state).settings).toEqual(plain)
  })
})

describe('the number of a new connector', () => {
  const created = (state: PlannedState, id?: string) => {
    const name = `Provider ${state.current.snapshot.objects.length}`
    return state.apply(createConnector({ ...plain, name, addressSpaces: ['*'] }, { id })).id
  }

  it('is the next after every number there is', () => {
    const state = new PlannedState()
    expect(created(state)).toBe('30')
    expect(created(state, '100')).toBe('100')
    expect(created(state)).toBe('101')
  })

  it('is not given twice, also when the connector is gone', () => {
    const state = new PlannedState()
    expect(created(state)).toBe('30')
    state.apply(removeConnector('30', {}))
    expect(created(state)).toBe('31')
    state.apply(removeConnector('31', {}))
    expect(state.get('counter', 'connector')?.value).toEqual({ last: 31 })
  })

  it('is counted in the same step, also where it is none, as the name must be unique', () => {
    const counted = (id?: string) =>
      new PlannedState().plan(createConnector(plain, { id })).changes.filter(({ kind }) => kind === 'counter')
    const counter = { kind: 'counter', id: 'connector', expected: null }
    expect(counted()).toEqual([{ ...counter, value: { last: 30 } }])
    expect(counted('7')).toEqual([{ ...counter, value: { last: 29 } }])
    expect(counted('newsletter')).toEqual([{ ...counter, value: { last: 29 } }])
  })

  it('is found anew where the counter is damaged', () => {
    expect(created(stateWith({}, '40').put('counter', 'connector', { last: 'many' }))).toBe('41')
  })

  it('runs out', () => {
    const state = stateWith({}, String(2 ** 31))
    expect(refusalOf(() => created(state))).toBe(
      'invalid id: id is missing: there is no number left to give, name another id',
    )
  })
})

describe('a connector is refused', () => {
  const file = `
hostname: relay.example.com
listeners: [{ name: exchange, address: 127.0.0.1, port: 2525 }]
connectors: [{ id: 29, name: Of the file, default: true, smartHosts: [192.0.2.29] }]
`
  it.each<[string, GivenConnector & { id?: string }, string]>([
    [
      'id of the file',
      { ...plain, id: '29' },
      'conflict id: id 29 is taken by a connector of the configuration file',
    ],
    [
      'id of another, in other letters',
      { ...plain, id: 'ALPHA' },
      'conflict id: id ALPHA is taken by another connector',
    ],
    [
      'id of one that is damaged',
      { ...plain, id: 'broken' },
      'conflict id: id broken is taken by a connector that cannot be read; remove it first',
    ],
    [
      'name twice',
      { ...plain, name: 'of the FILE' },
      'invalid name: name must be another: the connector 29 has this name',
    ],
    [
      'a second default',
      { ...plain, default: true },
      'invalid default: default must be false: the connector 29 (Of the file) is the default, and there is one',
    ],
    [
      'cost 0',
      { ...plain, addressSpaces: ['example.net', 'example.org;0'] },
      'invalid addressSpaces.1: addressSpaces.1 must have a cost from 1 to 100 after the semicolon',
    ],
    [
      'a wildcard within a label',
      { ...plain, addressSpaces: ['*example.org'] },
      'invalid addressSpaces.0: addressSpaces.0 must be * or a domain such as example.org; a wildcard takes whole labels, as in *.example.org',
    ],
    [
      'a domain twice',
      { ...plain, addressSpaces: ['example.org;3', 'SMTP:EXAMPLE.org'] },
      'invalid addressSpaces.1: addressSpaces.1 repeats the domain of entry 0: it must be unique',
    ],
    [
      'a host twice',
      { ...plain, smartHosts: ['192.0.2.1', '[192.0.2.1]'] },
      'invalid smartHosts.1: smartHosts.1 repeats the host of entry 0: it must be unique',
    ],
    [
      'a loop to a listener of the relay',
      { ...plain, smartHosts: ['smtp.example.com', 'localhost'], port: 2525 },
      "invalid smartHosts.1: smartHosts.1 must be another host: with port 2525 it is this relay's own listener exchange",
    ],
    [
      'a login without user',
      { ...plain, smartHostAuthMechanism: 'basicAuth', password: 'x' },
      'invalid user: user is missing: basicAuth logs in with user and password',
    ],
    [
      'a login without password',
      { ...plain, smartHostAuthMechanism: 'basicAuth', user: 'x' },
      'invalid password: password is missing: basicAuth logs in with user and password',
    ],
    [
      'a password without a login',
      { ...plain, password: 'x' },
      'invalid password: password must be left out while smartHostAuthMechanism is none; to log in, set it to basicAuthRequireTLS',
    ],
    [
      'a TLS level where TLS may be missing',
      { ...plain, requireTLS: false, tlsAuthLevel: 'domainValidation' },
      'invalid tlsAuthLevel: tlsAuthLevel must be left out where requireTLS is false: what may go in clear is not made safe by a certificate; set requireTLS: true',
    ],
  ])('for its %s', (_what, { id, ...input }, refusal) => {
    const state = new PlannedState({ yaml: file }).unreadable('connector/broken')
    state.apply(
      createConnector({ name: 'Alpha', addressSpaces: ['*'], smartHosts: ['192.0.2.2'] }, { id: 'alpha' }),
    )
    expect(refusalOf(() => state.plan(createConnector(input, { id })))).toBe(refusal)
  })
})

describe('a doubt stops nothing and is told:', () => {
  const warned = (input: Partial<GivenConnector>) =>
    new PlannedState().plan(createConnector({ ...plain, ...input })).warnings

  it.each<[string, Partial<GivenConnector>, string, string]>([
    [
      'nothing leads to it',
      { addressSpaces: [] },
      'addressSpaces',
      'addressSpaces are empty: no mail takes this connector before a sender is bound to it, or a rule routes through it',
    ],
    [
      'a login in clear',
      { ...login, smartHostAuthMechanism: 'basicAuth' },
      'smartHostAuthMechanism',
      'smartHostAuthMechanism may send user and password in clear; basicAuthRequireTLS never does',
    ],
    [
      'certificates that nothing is compared with',
      { ca: certificates.ca, requireTLS: true, tlsAuthLevel: 'encryptionOnly' },
      'ca',
      'ca is not used: encryptionOnly takes every certificate',
    ],
  ])('%s', (_what, input, field, message) => {
    expect(warned(input)).toEqual([{ field, message }])
  })

  it('and what a sender or a rule leads to is not doubted', () => {
    const state = stateWith({ addressSpaces: [] })
    const edit = editConnector('5', { changes: { port: 587 } })
    expect(state.plan(edit).warnings).toHaveLength(1)
    state.put('sender', 'a@example.com', { connector: '5', createdAt: 1 })
    expect(state.plan(edit).warnings).toEqual([])
    const ruled = stateWith({ addressSpaces: [] })
    ruled.put('rule', 'Newsletter', { rule: { actions: { routeThrough: 5 } }, createdAt: 1 })
    expect(ruled.plan(edit).warnings).toEqual([])
  })
})

describe('a changed connector', () => {
  it.each<[string, Partial<GivenConnector>, ConnectorChanges, Record<string, unknown>]>([
    [
      'keeps what is left out',
      { port: 587 },
      { fqdn: 'mail.example.com' },
      { ...plain, port: 587, fqdn: 'mail.example.com' },
    ],
    ['takes null for the default', { port: 587, enabled: false }, { port: null, enabled: null }, plain],
    [
      'changes limits one by one',
      { limits: { connections: 3, messagesPerHour: 50 } },
      { limits: { messagesPerHour: 60, messagesPerDay: 70 } },
      { ...plain, limits: { connections: 3, messagesPerHour: 60, messagesPerDay: 70 } },
    ],
    [
      'takes limits back one by one',
      { limits: { connections: 3, messagesPerHour: 50 } },
      { limits: { messagesPerHour: null } },
      { ...plain, limits: { connections: 3 } },
    ],
    [
      'takes back the last limit',
      { limits: { connections: 3 } },
      { limits: { connections: null } as never },
      plain,
    ],
    ['takes back all limits', { limits: { connections: 3 } }, { limits: null }, plain],
    [
      'keeps its login',
      login,
      { port: 587 },
      { ...plain, smartHostAuthMechanism: login.smartHostAuthMechanism, user: login.user, port: 587 },
    ],
    ['may keep its own name', {}, { name: 'PROVIDER' }, { ...plain, name: 'PROVIDER' }],
  ])('%s', (_what, input, changes, settings) => {
    const state = stateWith(input)
    state.now = 2_000
    state.apply(editConnector('5', { version: 1, changes }))
    expect(state.get('connector', '5')).toMatchObject({ version: 2, value: { createdAt: 1_000 } })
    expect(storedIn(state).settings).toEqual(settings)
    expect(connectorOf(state)?.password).toBe(input.password ?? null)
  })

  it('that stays what it was is not stored', () => {
    const state = stateWith({ ...login, port: 587 })
    const planned = state.plan(
      editConnector('5', { changes: { port: 587, smartHosts: ['smtp.example.com'] } }),
    )
    expect(planned).toMatchObject({ changes: [], audit: [] })
  })

  it('stands in the audit as it was and as it is', () => {
    const { audit } = stateWith().plan(editConnector('5', { changes: { port: 587 } }))
    const [before, after] = [
      { ...plain, passwordSet: false, clientKeySet: false },
      { ...plain, port: 587, passwordSet: false, clientKeySet: false },
    ]
    expect(audit).toEqual([{ act: 'changed', what: 'connector', id: '5', before, after }])
  })

  it('gets another client certificate with its key, or none', () => {
    const state = stateWith({ clientCertificate: certificates.client })
    state.apply(editConnector('5', { changes: { clientCertificate: certificates.good } }))
    expect(connectorOf(state)?.clientCertificate).toEqual(certificates.good)
    state.apply(editConnector('5', { changes: { clientCertificate: null } }))
    expect(connectorOf(state)?.clientCertificate).toBeNull()
    expect(storedIn(state)).toMatchObject({ clientKey: null })
  })

  it.each<[string, { version?: number; changes: ConnectorChanges; id?: string }, string]>([
    [
      'at another version',
      { version: 7, changes: { port: 587 } },
      'conflict version: The connector 5 was changed meanwhile: it is at version 1, not 7',
    ],
    ['that is not there', { id: '6', changes: {} }, 'missing -: There is no connector 6'],
    [
      'of the file',
      { id: '29', changes: { port: 587 } },
      'readOnly -: The connector 29 stands in the configuration file, as connectors[0]: it is changed there',
    ],
    [
      'that is damaged',
      { id: 'broken', changes: {} },
      'conflict -: The connector broken cannot be read: it can only be removed',
    ],
    [
      'for the name of another',
      { changes: { name: 'of the file' } },
      'invalid name: name must be another: the connector 29 has this name',
    ],
    ['for a setting that is none', { changes: { port: 0 } }, 'invalid port: port must be 1 or more'],
    [
      'for a loop',
      { changes: { smartHosts: ['127.0.0.1'], port: 2525 } },
      "invalid smartHosts.0: smartHosts.0 must be another host: with port 2525 it is this relay's own listener exchange",
    ],
  ])('%s is refused', (_what, { id = '5', ...options }, refusal) => {
    const state = stateWith().put('connector', 'broken', { settings: 5 })
    expect(refusalOf(() => state.plan(editConnector(id, options)))).toBe(refusal)
  })
})

describe('a stored password that would go elsewhere is told', () => {
  const strict = { ...login, tlsDomain: 'smtp.example.com', ca: certificates.ca }

  it.each<[string, ConnectorChanges, string | null]>([
    [
      'another host',
      { smartHosts: ['smtp.example.com', 'smtp.example.net'] },
      'smartHosts changed: the stored password is sent to another place from now on',
    ],
    [
      'another port',
      { port: 2500 },
      'port changed: the stored password is sent to another place from now on',
    ],
    [
      'a lower level',
      { tlsAuthLevel: 'encryptionOnly' },
      'tlsAuthLevel changed: the stored password is sent with other protection from now on',
    ],
    [
      'another name in the certificate',
      { tlsDomain: 'smtp.example.net' },
      'tlsDomain changed: the stored password is sent with other protection from now on',
    ],
    [
      'other roots',
      { ca: certificates.otherCa },
      'ca changed: the stored password is sent with other protection from now on',
    ],
    ['TLS from the first byte', { tls: 'implicit' }, null],
    ['other settings', { fqdn: 'mail.example.com', limits: { connections: 1 } }, null],
  ])('%s', (_what, changes, message) => {
    const state = stateWith(strict)
    const { warnings } = state.plan(editConnector('5', { changes }))
    const told = warnings.map((warning) => warning.message).filter((each) => each.includes('stored password'))
    expect(told).toEqual(message === null ? [] : [message])
  })

  it('but not where there is none, or it is given anew', () => {
    const changes = { smartHosts: ['smtp.example.net'] }
    expect(stateWith().plan(editConnector('5', { changes })).warnings).toEqual([])
    const authentication = { user: 'other', password: 'canary-2' }
    expect(stateWith(login).plan(editConnector('5', { changes, authentication })).warnings).toEqual([])
  })

  it('also where AUTH may go without TLS from then on', () => {
    const { warnings } = stateWith(login).plan(
      changeAuthentication('5', { smartHostAuthMechanism: 'basicAuth' }),
    )
    expect(warnings.map(({ field }) => field)).toEqual(['smartHostAuthMechanism', 'requireTLS'])
  })
})

describe('authentication', () => {
  it.each<[string, Partial<GivenConnector>, object, object]>([
    ['is begun', {}, login, { user: login.user, password: login.password }],
    [
      'is ended, and user and password are forgotten',
      login,
      { smartHostAuthMechanism: 'none' },
      { user: null, password: null },
    ],
    [
      'may change its mechanism alone',
      login,
      { smartHostAuthMechanism: 'basicAuth' },
      { user: login.user, password: login.password },
    ],
    [
      'may change its password alone',
      login,
      { password: 'another' },
      { user: login.user, password: 'another' },
    ],
    [
      'may change its user with the password',
      login,
      { user: 'b', password: 'another' },
      { user: 'b', password: 'another' },
    ],
    ['may repeat its user', login, { user: login.user }, { user: login.user, password: login.password }],
  ])('%s', (_what, input, change, expected) => {
    const state = stateWith(input)
    state.apply(changeAuthentication('5', { version: 1, ...change }))
    expect(connectorOf(state)).toMatchObject(expected)
    if (connectorOf(state)?.smartHostAuthMechanism === 'none')
      expect(storedIn(state)).toMatchObject({
        password: null,
        settings: expect.not.objectContaining({ user: expect.anything() }),
      })
  })

  it.each<[string, Partial<GivenConnector>, object, string]>([
    [
      'begun without a user',
      {},
      { smartHostAuthMechanism: 'basicAuth', password: 'x' },
      'invalid user: user is missing: basicAuth logs in with user and password',
    ],
    [
      'begun without a password',
      {},
      { smartHostAuthMechanism: 'basicAuth', user: 'x' },
      'invalid password: password is missing: basicAuth logs in with user and password',
    ],
    [
      'ended with a password',
      login,
      { smartHostAuthMechanism: 'none', password: 'x' },
      'invalid password: password must be left out while smartHostAuthMechanism is none; to log in, set it to basicAuthRequireTLS',
    ],
    [
      'ended with a user',
      login,
      { smartHostAuthMechanism: 'none', user: 'x' },
      'invalid user: user must be left out while smartHostAuthMechanism is none; to log in, set it to basicAuthRequireTLS',
    ],
    [
      'another user with the password of the first',
      login,
      { user: 'b' },
      'invalid password: password is missing: the one that is stored belongs to another user',
    ],
  ])('is refused where it is %s', (_what, input, change, refusal) => {
    const state = stateWith(input)
    expect(refusalOf(() => state.plan(changeAuthentication('5', change)))).toBe(refusal)
  })

  it('says in the audit that the password was changed, and not what it is', () => {
    const { audit } = stateWith(login).plan(changeAuthentication('5', { password: 'canary-other' }))
    expect(audit[0]).toMatchObject({
      before: { passwordSet: true },
      after: { passwordSet: true, passwordChanged: true },
    })
    expect(JSON.stringify(audit)).not.toContain('canary')
  })

  it('mends a connector whose password cannot be opened any more', () => {
    const state = stateWith(login)
    const value = storedIn(state)
    state.put('connector', '5', {
      ...value,
      password: { sealed: 'v1:00000000:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAA' },
    })
    expect(connectorOf(state)).toBeUndefined()
    state.apply(changeAuthentication('5', { password: 'another' }))
    expect(connectorOf(state)?.password).toBe('another')
  })

  it('comes with new hosts in one step', () => {
    const state = stateWith()
    state.apply(editConnector('5', { changes: { smartHosts: ['smtp.example.net'] }, authentication: login }))
    expect(connectorOf(state)).toMatchObject({ smartHosts: ['smtp.example.net'], password: login.password })
  })
})

describe('a connector is enabled and disabled', () => {
  it.each([
    [true, true, false],
    [true, false, true],
    [false, true, true],
    [false, false, false],
  ])('from %s to %s, stored: %s', (from, enabled, isStored) => {
    const state = stateWith({ enabled: from })
    const { changes } = state.apply(enableConnector('5', { enabled }))
    expect(changes).toHaveLength(isStored ? 1 : 0)
    expect(connectorOf(state)?.enabled).toBe(enabled)
  })

  it('without being told that it is what it is', () => {
    expect(stateWith().plan(enableConnector('5', { enabled: true })).changes).toEqual([])
  })

  it('also where something else is wrong with it, if it is to be disabled', () => {
    const state = stateWith()
    state.put('connector', '5', { ...storedIn(state), settings: { ...plain, name: 'Of the file' } })
    expect(state.plan(enableConnector('5', { enabled: false })).changes).toHaveLength(1)
  })

  it('at its version', () => {
    expect(refusalOf(() => stateWith().plan(enableConnector('5', { enabled: false, version: 2 })))).toBe(
      'conflict version: The connector 5 was changed meanwhile: it is at version 1, not 2',
    )
  })
})

describe('a connector is removed', () => {
  it('with what it was in the audit, without its secrets', () => {
    const state = stateWith(login)
    const { audit } = state.apply(removeConnector('5', { version: 1 }))
    expect(state.current.connectors.map(({ id }) => id)).toEqual(['29'])
    expect(audit).toMatchObject([{ act: 'removed', id: '5', before: { passwordSet: true }, after: null }])
    expect(JSON.stringify(audit)).not.toContain('canary')
  })

  it('also where it cannot be read', () => {
    const state = new PlannedState().unreadable('connector/broken').put('connector', 'odd', { settings: 1 })
    const removed = (id: string) => state.plan(removeConnector(id, {})).changes
    expect(removed('broken')).toEqual([{ kind: 'connector', id: 'broken', expected: null, value: null }])
    expect(removed('odd')).toEqual([{ kind: 'connector', id: 'odd', expected: 1, value: null }])
  })

  it('but not while senders are bound to it, which are named', () => {
    const state = stateWith()
    state.put('sender', '@example.com', { connector: '5', createdAt: 1 })
    expect(refusalOf(() => state.plan(removeConnector('5', {})))).toBe(
      'inUse -: The connector 5 is in use, with 1 sender bound to it: @example.com',
    )
    for (const n of [1, 2, 3, 4, 5, 6])
      state.put('sender', `${n}@example.com`, { connector: '5', createdAt: 1 })
    state.put('sender', 'other@example.com', { connector: '29', createdAt: 1 })
    expect(refusalOf(() => state.plan(removeConnector('5', {})))).toBe(
      'inUse -: The connector 5 is in use, with 7 senders bound to it: @example.com, 1@example.com, 2@example.com, 3@example.com, 4@example.com and 2 more',
    )
  })

  it('nor while a rule routes through it', () => {
    const state = stateWith().put('rule', 'Newsletter', {
      rule: { actions: { routeThrough: 5 } },
      createdAt: 1,
    })
    expect(refusalOf(() => state.plan(removeConnector('5', {})))).toBe(
      'inUse -: The connector 5 is in use, with 1 rule routing through it: Newsletter',
    )
  })

  it.each([
    [
      '29',
      {},
      'readOnly -: The connector 29 stands in the configuration file, as connectors[0]: it is changed there',
    ],
    ['6', {}, 'missing -: There is no connector 6'],
    [
      '5',
      { version: 2 },
      'conflict version: The connector 5 was changed meanwhile: it is at version 1, not 2',
    ],
  ])('%s %o: refused', (id, options, refusal) => {
    expect(refusalOf(() => stateWith().plan(removeConnector(id, options)))).toBe(refusal)
  })
})
