/** Which changes of a connector make another queue of it. */
import { expect, it } from 'vitest'
import type { Connector } from '../../src/config/connector.ts'
import { deliversAlike, sameHosts } from '../../src/delivery/delivers-alike.ts'
import { connectorTo } from '../support/scripted-host.ts'

const connector = connectorTo({ port: 587 })

it.each<[string, boolean, Partial<Connector>]>([
  ['nothing', true, {}],
  ['the name', true, { name: 'Other' }],
  ['address spaces', true, { addressSpaces: ['*'] }],
  ['the size', true, { maxSendSize: 1 }],
  ['the default', true, { default: true }],
  ['smart hosts', false, { smartHosts: ['other.example.com'] }],
  ['the port', false, { port: 25 }],
  ['TLS', false, { tls: 'implicit' }],
  ['the demand for TLS', false, { requireTLS: true }],
  ['what certificates must be', false, { tlsAuthLevel: 'encryptionOnly' }],
  ['whom certificates must name', false, { tlsDomain: 'example.com' }],
  ['whom to trust', false, { ca: 'other' }],
  ['our certificate', false, { clientCertificate: { cert: 'a', key: 'b' } }],
  ['how to log in', false, { smartHostAuthMechanism: 'basicAuth' }],
  ['the user', false, { user: 'other' }],
  ['the password', false, { password: 'other' }],
  ['the EHLO name', false, { fqdn: 'other.example.com' }],
  ['a limit', false, { limits: { ...connector.limits, messagesPerHour: 1 } }],
  ['the protocol log', false, { protocolLogging: 'verbose' }],
])('a change of %s: it delivers alike: %s', (_what, alike, change) => {
  expect(deliversAlike(connector, { ...structuredClone(connector), ...change })).toBe(alike)
})

it.each<[string, boolean, Partial<Connector>]>([
  ['the password', true, { password: 'other' }],
  ['the port', false, { port: 25 }],
  ['one smart host more', false, { smartHosts: [...connector.smartHosts, 'other.example.com'] }],
])('a change of %s: they are the same hosts: %s', (_what, same, change) => {
  expect(sameHosts(connector, { ...connector, ...change })).toBe(same)
})
