import { describe, expect, it } from 'vitest'
import { foreignness, type Sender } from '../../../src/admin/access/same-origin.ts'

const host = 'relay.example.com:8080'
const none: Sender = { fetchSite: undefined, origin: undefined, host, isTls: false }

describe('our own page', () => {
  it.each<[string, Partial<Sender>]>([
    ['says so by Sec-Fetch-Site', { fetchSite: 'same-origin' }],
    ['also behind a proxy with TLS', { fetchSite: 'same-origin', origin: 'https://relay.example.com' }],
    ['has our scheme, host and port', { origin: 'http://relay.example.com:8080' }],
    ['in whatever case', { origin: 'http://Relay.Example.com:8080' }],
    ['has https with TLS', { origin: 'https://relay.example.com:8080', isTls: true }],
  ])('%s', (_name, sender) => {
    expect(foreignness({ ...none, ...sender })).toBeNull()
  })
})

describe('is not proved by', () => {
  it.each<[string, Partial<Sender>, RegExp]>([
    ['nothing', {}, /neither Sec-Fetch-Site nor Origin/],
    ['another site', { origin: 'http://evil.example' }, /it came from http:\/\/evil\.example/],
    ['another port of this host', { origin: 'http://relay.example.com:9090' }, /not from http/],
    ['http where we speak TLS', { origin: 'http://relay.example.com:8080', isTls: true }, /not from https/],
    ['an opaque origin', { origin: 'null' }, /it came from null/],
    ['the same site, another host', { fetchSite: 'same-site', origin: `http://${host}` }, /same-site/],
    ['another site by both', { fetchSite: 'cross-site', origin: 'http://evil.example' }, /cross-site/],
    ['a person who typed the address', { fetchSite: 'none' }, /none/],
    ['a request without a host', { origin: 'http://', host: undefined, isTls: true }, /it came from/],
  ])('%s', (_name, sender, why) => {
    expect(foreignness({ ...none, ...sender })).toMatch(why)
  })
})
