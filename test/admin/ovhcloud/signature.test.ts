/** OVHcloud's signature, against what its clients sign, and what is not signed. */
import { createHash } from 'node:crypto'
import ovh from 'ovh'
import { describe, expect, it } from 'vitest'
import { isSigned, type SignedRequest, timestampOf } from '../../../src/admin/ovhcloud/signature.ts'

const secret = 'application-secret'
const request: SignedRequest = {
  method: 'PUT',
  target: '/1.0/email/exchange/a/service/b/account/user%40example.com?x=1',
  hosts: ['relay.example.com:8443'],
  body: Buffer.from('{"sendConnectorId":29,"displayName":"Zo\u00eb"}'),
  consumerKey: 'consumer-key',
  timestamp: '1767600000',
}

/** As its documentation has it. */
function signed(url: string, { method, body, consumerKey, timestamp } = request): string {
  const text = [secret, consumerKey, method, url, body.toString(), timestamp].join('+')
  return `$1$${createHash('sha1').update(text).digest('hex')}`
}

describe('a request is signed', () => {
  it.each([
    ['with the URL as it was called', `https://relay.example.com:8443${request.target}`, {}],
    ['as npm ovh does, without the port', `https://relay.example.com${request.target}`, {}],
    ['in clear, as curl calls it', `http://relay.example.com:8443${request.target}`, {}],
    ['by an IPv6 address', `https://[::1]:8443${request.target}`, { hosts: ['[::1]:8443'] }],
    ['by an IPv6 address as npm ovh writes it', `https://::1${request.target}`, { hosts: ['[::1]:8443'] }],
    [
      'through a proxy that passes the Host field',
      `https://ovh.example.com${request.target}`,
      { hosts: ['ovh.example.com'] },
    ],
    [
      'without a body',
      `https://relay.example.com${request.target}`,
      { method: 'DELETE', body: Buffer.alloc(0) },
    ],
  ])('%s', (_what, url, change) => {
    const asked = { ...request, ...change }
    expect(isSigned(signed(url, asked), asked, secret)).toBe(true)
  })

  it('with what npm ovh makes of it', () => {
    const client = ovh({
      appKey: 'a',
      appSecret: secret,
      consumerKey: request.consumerKey,
      host: 'relay.example.com',
    })
    const url = `https://relay.example.com${request.target}`
    const signature = client.signRequest('PUT', url, request.body.toString(), request.timestamp)
    expect(isSigned(signature, request, secret)).toBe(true)
  })
})

describe('a request is not signed', () => {
  const signature = signed(`https://relay.example.com${request.target}`)
  it.each<[string, Partial<SignedRequest>, string]>([
    ['with another method', { method: 'POST' }, secret],
    ['with another path', { target: `${request.target}1` }, secret],
    ['with another host', { hosts: ['relay.example.net:8443'] }, secret],
    ['with another body', { body: Buffer.from('{"sendConnectorId":30}') }, secret],
    ['with another consumer key', { consumerKey: 'other' }, secret],
    ['at another time', { timestamp: '1767600001' }, secret],
    ['with another secret', {}, 'other'],
  ])('%s', (_what, change, used) => {
    expect(isSigned(signature, { ...request, ...change }, used)).toBe(false)
  })

  it.each(['', '$1$', signature.slice(0, -1), `${signature}0`, signature.toUpperCase()])('by %j', (other) => {
    expect(isSigned(other, request, secret)).toBe(false)
  })
})

describe('a timestamp', () => {
  const now = Date.UTC(2026, 0, 5)
  const seconds = now / 1000
  it.each([
    [String(seconds), now],
    [String(seconds - 300), now - 300_000],
    [String(seconds + 300), now + 300_000],
    [String(seconds - 301), null],
    [String(seconds + 301), null],
    [`${seconds}.5`, null],
    [`-${seconds}`, null],
    [String(now), null],
    ['', null],
    [undefined, null],
  ])('%j means %j', (text, at) => {
    expect(timestampOf(text, { now })).toBe(at)
  })
})
