/** What is tested before it is saved, and that nobody has a stored password sent to himself by it. */
import { describe, expect, it } from 'vitest'
import type { GivenConnector } from '../../src/setup/connector-object.ts'
import { createConnector } from '../../src/setup/connector-plans.ts'
import { connectorToTest, usableConnector } from '../../src/setup/connector-to-test.ts'
import { certificates } from '../support/scripted-host.ts'
import { PlannedState, refusalOf } from './planned-state.ts'

const strict = {
  name: 'Provider',
  addressSpaces: ['example.org'],
  smartHosts: ['smtp.example.com', 'smtp2.example.com'],
  port: 587,
  smartHostAuthMechanism: 'basicAuthRequireTLS',
  user: 'newsletter@example.com',
  tlsDomain: 'smtp.example.com',
  ca: certificates.ca,
} satisfies GivenConnector
const secrets = { password: 'canary-hunter2', clientCertificate: certificates.client }

const saved = (): PlannedState => {
  const state = new PlannedState()
  state.apply(createConnector({ ...strict, ...secrets }, { id: '5' }))
  return state
}

const toTest = (change: Partial<GivenConnector> = {}, id = '5') =>
  connectorToTest(saved().current, { ...strict, ...change, id })

describe('a connector to test', () => {
  it('is what it would be', () => {
    const input: GivenConnector = { name: 'New', smartHosts: ['[192.0.2.1]'], tls: 'implicit', ca: null }
    expect(connectorToTest(new PlannedState().current, input)).toMatchObject({
      id: '30',
      smartHosts: ['192.0.2.1'],
      requireTLS: true,
      fqdn: 'relay.example.com',
      password: null,
      ca: null,
      clientCertificate: null,
    })
  })

  it('has the secrets that are stored, where it goes the same way', () => {
    expect(toTest()).toMatchObject(secrets)
  })

  it.each<[string, Partial<GivenConnector>]>([
    ['fewer hosts', { smartHosts: ['smtp2.example.com'] }],
    ['TLS from the first byte', { tls: 'implicit' }],
    ['another size', { maxSendSize: '1MB', name: 'Another' }],
  ])('has them with %s too', (_what, change) => {
    expect(toTest(change)).toMatchObject(secrets)
  })

  it.each<[string, Partial<GivenConnector>, string]>([
    ['a host of somebody', { smartHosts: ['smtp.example.com', 'smtp.example.net'] }, 'smartHosts'],
    ['another port', { port: 2500 }, 'port'],
    ['TLS that may be missing', { smartHostAuthMechanism: 'basicAuth' }, 'requireTLS'],
    ['a lower level', { tlsAuthLevel: 'certificateValidation' }, 'tlsAuthLevel'],
    ['another name in the certificate', { tlsDomain: null }, 'tlsDomain'],
    ['other roots', { ca: null }, 'ca'],
    ['another user', { user: 'other@example.com' }, 'user'],
  ])('does not have the stored password for %s', (_what, change, setting) => {
    const refusal = `invalid password: password is missing: the stored one is not sent where ${setting} differs`
    expect(refusalOf(() => toTest(change))).toBe(refusal)
    const given = { ...change, password: 'another', clientCertificate: null }
    expect(toTest(given)).toMatchObject({ password: 'another', clientCertificate: null })
  })

  it('does not have the stored client certificate elsewhere either', () => {
    const change = { smartHosts: ['smtp.example.net'], password: 'another' }
    expect(refusalOf(() => toTest(change))).toBe(
      'invalid clientCertificate: clientCertificate is missing: the stored one is not used where smartHosts differs',
    )
  })

  it('that does not log in has no password', () => {
    expect(toTest({ smartHostAuthMechanism: 'none', requireTLS: true, user: null }).password).toBeNull()
  })

  it.each<[string, () => unknown, string]>([
    [
      'could not be saved',
      () => toTest({ name: 'Of the file' }),
      'invalid name: name must be another: the connector 29 has this name',
    ],
    ['changes none', () => toTest({}, '6'), 'missing id: There is no connector 6'],
    [
      'logs in without a password',
      () => connectorToTest(saved().current, { ...strict, name: 'New' }),
      'invalid password: password is missing',
    ],
  ])('is refused where it %s', (_what, test, refusal) => {
    expect(refusalOf(test)).toContain(refusal)
  })
})

describe('a connector that is there', () => {
  it('is found whoever made it', () => {
    expect(usableConnector(saved().current, '29').name).toBe('Of the file')
    expect(usableConnector(saved().current, '5').password).toBe(secrets.password)
  })

  it('is not used where it cannot be', () => {
    const { current } = new PlannedState().put('connector', 'odd', { settings: 5 })
    expect(refusalOf(() => usableConnector(current, 'odd'))).toMatch(
      /^conflict id: The connector odd cannot be used: /,
    )
  })
})
