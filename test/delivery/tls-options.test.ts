import { type PeerCertificate, rootCertificates } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { certificateName, tlsIsRequired, tlsOptions } from '../../src/delivery/tls-options.ts'

const settings = {
  tlsAuthLevel: 'domainValidation',
  tlsDomain: null,
  ca: null,
  clientCertificate: null,
} as const
const named = { name: 'smtp.example.com' }
const carrying = (names: string) => ({ subject: { CN: 'x' }, subjectaltname: names }) as PeerCertificate

describe('tlsOptions', () => {
  it.each([
    ['encryptionOnly', false],
    ['certificateValidation', true],
    ['domainValidation', true],
  ] as const)('%s says rejectUnauthorized: %s, so that the environment cannot', (tlsAuthLevel, rejects) => {
    expect(tlsOptions({ ...settings, tlsAuthLevel }, named)).toMatchObject({
      rejectUnauthorized: rejects,
      minVersion: 'TLSv1.2',
      servername: 'smtp.example.com',
    })
  })

  it.each([
    ['domainValidation', null, 'smtp.example.com', 'DNS:smtp.example.com', true],
    ['domainValidation', null, 'smtp.example.com', 'DNS:*.example.com', true],
    ['domainValidation', null, 'smtp.example.com', 'DNS:mx1.example.net', false],
    ['domainValidation', null, '192.0.2.1', 'IP Address:192.0.2.1', true],
    ['domainValidation', null, '192.0.2.1', 'DNS:smtp.example.com', false],
    ['domainValidation', null, '[2001:db8::1]', 'IP Address:2001:DB8:0:0:0:0:0:1', true],
    ['domainValidation', 'mail.example.org', '192.0.2.1', 'DNS:mail.example.org', true],
    ['domainValidation', 'mail.example.org', 'smtp.example.com', 'DNS:smtp.example.com', false],
    ['certificateValidation', null, 'smtp.example.com', 'DNS:mx1.example.net', true],
    ['encryptionOnly', null, 'smtp.example.com', 'DNS:mx1.example.net', true],
  ] as const)('%s, tlsDomain %s: %s may carry %s: %s', (tlsAuthLevel, tlsDomain, name, names, fits) => {
    const { checkServerIdentity } = tlsOptions({ ...settings, tlsAuthLevel, tlsDomain }, { name })
    // What the connection goes to, which a resolver chose, does not count.
    const error = checkServerIdentity!('mx1.example.net', carrying(names))
    expect(error === undefined).toBe(fits)
  })

  it('sends no address in SNI', () => {
    expect(tlsOptions(settings, { name: '192.0.2.1' })).not.toHaveProperty('servername')
    expect(tlsOptions({ ...settings, tlsDomain: 'a.example.com' }, { name: '192.0.2.1' }).servername).toBe(
      'a.example.com',
    )
  })

  it('replaces the trusted roots, and shows a certificate, only where that is set', () => {
    expect(Object.keys(tlsOptions(settings, named))).not.toEqual(expect.arrayContaining(['ca']))
    const ca = rootCertificates[0]!
    const clientCertificate = { cert: 'CERT', key: 'KEY' }
    expect(tlsOptions({ ...settings, ca, clientCertificate }, named)).toMatchObject({
      ca,
      ...clientCertificate,
    })
  })
})

it.each([
  [null, 'smtp.example.com', 'smtp.example.com'],
  [null, 'smtp.example.com.', 'smtp.example.com'],
  [null, '[192.0.2.1]', '192.0.2.1'],
  [null, '[IPv6:2001:db8::1]', '2001:db8::1'],
  ['mail.example.org', 'smtp.example.com', 'mail.example.org'],
])('the name with tlsDomain %s and smart host %s is %s', (tlsDomain, name, expected) => {
  expect(certificateName({ tlsDomain }, { name })).toBe(expected)
})

it.each([
  [{ requireTLS: false, smartHostAuthMechanism: 'none', tls: 'starttls' }, false],
  [{ requireTLS: false, smartHostAuthMechanism: 'basicAuth', tls: 'starttls' }, false],
  [{ requireTLS: true, smartHostAuthMechanism: 'none', tls: 'starttls' }, true],
  [{ requireTLS: false, smartHostAuthMechanism: 'basicAuthRequireTLS', tls: 'starttls' }, true],
  [{ requireTLS: false, smartHostAuthMechanism: 'none', tls: 'implicit' }, true],
] as const)('%o requires TLS: %s', (connector, required) => {
  expect(tlsIsRequired(connector)).toBe(required)
})
