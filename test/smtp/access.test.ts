import { describe, expect, it } from 'vitest'
import { AllowedNetworks, admit, clientAddress } from '../../src/smtp/access.ts'
import type { SenderRights } from '../../src/smtp/transaction.ts'

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
    expect(networks.sendersOf(address)).toBe(allowed ? 'all' : null)
  })
  it('allows nobody where there are none', () => {
    expect(new AllowedNetworks([]).sendersOf('127.0.0.1')).toBeNull()
  })
  it('allows a link-local network whatever the interface', () => {
    expect(new AllowedNetworks(['fe80::/10']).sendersOf('fe80::1%eth0')).toBe('all')
  })
  it('allows no IPv4 address by an IPv6 network', () => {
    expect(new AllowedNetworks(['::/0']).sendersOf('192.0.2.1')).toBeNull()
  })

  const [wide, host, hexHost, six] = [['*@wide'], ['a@host'], ['a@hex'], ['a@six']] as const
  it.each<[string, SenderRights | null]>([
    ['10.0.0.1', 'all'],
    ['10.1.0.1', wide],
    ['10.1.2.3', host],
    ['::ffff:10.1.2.3', host],
    ['10.1.2.4', 'all'],
    ['10.1.9.9', hexHost],
    ['10.2.0.1', 'all'],
    ['192.0.2.1', null],
    ['2001:db8::1', six],
    ['2001:db9::1', 'all'],
  ])('lets %s send as those of its most specific network: %j', (address, expected) => {
    const rights = new AllowedNetworks([
      '10.0.0.0/8',
      { network: '10.1.0.0/16', senders: [...wide] },
      { network: '10.1.2.3', senders: [...host] },
      '10.1.2.4',
      { network: '::ffff:a01:909/128', senders: [...hexHost] },
      { network: '10.2.0.0/16', senders: ['a@b', '*'] },
      '2000::/3',
      { network: '2001:db8::/32', senders: [...six] },
    ])
    expect(rights.sendersOf(address)).toEqual(expected)
  })
})

it.each([
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['2001:db8::1', '2001:db8::1'],
])('names the client %s as %s', (reported, address) => {
  expect(clientAddress(reported)).toBe(address)
})

describe('at MAIL', () => {
  const user = { name: 'alice', passwordHash: '', senders: ['alice@Example.com', '*@münchen.example'] }
  const stranger = { address: '192.0.2.1', networkSenders: null, user: null, authOffered: false }
  const inNetwork = { ...stranger, networkSenders: ['bob@example.com'] }

  it('lets nobody submit who is in no allowed network and not logged in', () => {
    for (const from of ['', 'a@example.com'])
      expect(admit(stranger, from)).toMatchObject({ refusal: { code: 550, enhanced: '5.7.1' } })
  })
  it('mentions AUTH only where there is any', () => {
    expect(JSON.stringify(admit(stranger, ''))).not.toContain('authenticate')
    expect(JSON.stringify(admit({ ...stranger, authOffered: true }, ''))).toContain('authenticate')
  })
  it.each([
    ['alice@example.com', true],
    ['ALICE@example.com', true],
    ['bob@example.com', false],
    ['any@xn--mnchen-3ya.example', true],
    ['', true],
  ])('a user as <%s>: %s', (from, allowed) => {
    const refusal = { code: 553, enhanced: '5.7.1', text: `You may not send as <${from}>` }
    const expected = allowed ? { senders: user.senders } : { refusal }
    for (const networkSenders of [null, 'all', ['bob@example.com']] as const)
      expect(admit({ ...stranger, networkSenders, user }, from)).toEqual(expected)
  })
  it.each([
    ['bob@example.com', true],
    ['alice@example.com', false],
    ['', true],
  ])('a client of a network with senders of its own as <%s>: %s', (from, allowed) => {
    const refusal = { code: 553, enhanced: '5.7.1', text: `You may not send as <${from}>` }
    expect(admit(inNetwork, from)).toEqual(allowed ? { senders: ['bob@example.com'] } : { refusal })
  })
  it('lets a network without senders of its own, and a user of *, send as anybody', () => {
    expect(admit({ ...stranger, networkSenders: 'all' }, 'any@example.org')).toEqual({ senders: 'all' })
    const anybody = { ...user, senders: ['*', 'a@example.com'] }
    expect(admit({ ...inNetwork, user: anybody }, 'any@example.org')).toEqual({ senders: 'all' })
  })
})
