import { describe, expect, it } from 'vitest'
import { AllowedNetworks, clientAddress, senderRefusal, submissionRefusal } from '../../src/smtp/access.ts'

describe('AllowedNetworks', () => {
  const networks = new AllowedNetworks([
    '127.0.0.0/8',
    '10.1.0.0/16',
    '192.0.2.7',
    '::1/128',
    '2001:db8::/32',
    '::ffff:198.51.100.0/120',
  ])
  it.each([
    ['127.0.0.1', true],
    ['127.255.255.255', true],
    ['128.0.0.1', false],
    ['10.1.255.1', true],
    ['10.2.0.1', false],
    ['::ffff:10.1.0.1', true],
    ['::FFFF:10.2.0.1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['::1', true],
    ['::2', false],
    ['2001:db8:1::1', true],
    ['2001:db9::1', false],
    ['198.51.100.9', true],
    ['::ffff:198.51.100.9', true],
    ['198.51.101.9', false],
    ['fe80::1%eth0', false],
  ])('%s: %s', (address, allowed) => {
    expect(networks.has(address)).toBe(allowed)
  })
  it('allows nobody where there are none', () => {
    expect(new AllowedNetworks([]).has('127.0.0.1')).toBe(false)
  })
  it('allows a link-local network whatever the interface', () => {
    expect(new AllowedNetworks(['fe80::/10']).has('fe80::1%eth0')).toBe(true)
  })
})

it.each([
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['2001:db8::1', '2001:db8::1'],
])('names the client %s as %s', (reported, address) => {
  expect(clientAddress(reported)).toBe(address)
})

const user = { name: 'alice', passwordHash: '', senders: ['alice@Example.com', '*@münchen.example'] }

describe('submissionRefusal', () => {
  const stranger = { address: '192.0.2.1', trusted: false, user: null, authOffered: false }
  it('lets clients of allowed networks and users submit, and nobody else', () => {
    expect(submissionRefusal({ ...stranger, trusted: true })).toBeNull()
    expect(submissionRefusal({ ...stranger, user })).toBeNull()
    expect(submissionRefusal(stranger)).toMatchObject({ code: 550, enhanced: '5.7.1' })
  })
  it('mentions AUTH only where there is any', () => {
    expect(submissionRefusal(stranger)?.text).not.toContain('authenticate')
    expect(submissionRefusal({ ...stranger, authOffered: true })?.text).toContain('authenticate')
  })
})

describe('senderRefusal', () => {
  it.each([
    ['alice@example.com', true],
    ['ALICE@example.com', true],
    ['bob@example.com', false],
    ['alice@sub.example.com', false],
    ['any@xn--mnchen-3ya.example', true],
    ['any@evil-xn--mnchen-3ya.example', false],
    ['', true],
  ])('alice as <%s>: %s', (from, allowed) => {
    const refusal = senderRefusal(user, from)
    if (allowed) expect(refusal).toBeNull()
    else expect(refusal).toMatchObject({ code: 553, enhanced: '5.7.1', text: expect.stringContaining(from) })
  })
  it('lets a user of * send as anybody', () => {
    expect(senderRefusal({ ...user, senders: ['*'] }, 'any@example.org')).toBeNull()
  })
})
