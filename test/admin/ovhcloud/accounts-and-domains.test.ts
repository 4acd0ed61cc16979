/** Accounts and domains as OVHcloud's API has them: which connector an address leaves by, and the default of a domain. */
import { beforeEach, describe, expect, it } from 'vitest'
import { domainOf } from '../../../src/address.ts'
import { route } from '../../../src/route/route.ts'
import { InForce } from '../../../src/setup/in-force.ts'
import { plainFile } from '../../support/running-setup.ts'
import { OvhcloudPort } from './ovhcloud-port.ts'

const yaml = `${plainFile}
senders:
  - { address: file@example.net, connector: 29 }
  - { domain: example.net, connector: 29 }
`

let ovhcloud: OvhcloudPort
beforeEach(async () => {
  ovhcloud = await OvhcloudPort.start(yaml)
  for (const displayName of ['Thirty', 'Thirty-one'])
    await ovhcloud.expect('POST', '/sendConnector', { displayName, smartHost: 'smtp.example.com' })
  ovhcloud.port.clock.advance(1000)
})

const put = (address: string, body: object) => ovhcloud.expect('PUT', `/account/${address}`, body)
const connectorOf = async (address: string) => (await ovhcloud.get(`/account/${address}`)).sendConnectorId
const setDefault = (sendConnectorIdDefault: number, domain = 'example.com') =>
  ovhcloud.expect('PUT', `/domain/${domain}/changeDefaultSBR`, { sendConnectorIdDefault })
const record = (address: string) => {
  const { senders } = ovhcloud.port.setup.current
  return senders.has(address) ? senders.get(address)!.connector : 'none stored'
}
/** What the mail of a sender leaves by, as routing has it; `29` takes everything. */
const leavesBy = (sender: string) => {
  const { routes } = new InForce(ovhcloud.port.setup.current)
  const decision = route(routes, { sender, recipient: 'a@example.org', sizeBytes: null })
  return decision.kind === 'connector' ? `${decision.connector} ${decision.why.rule}` : decision.kind
}

describe('an account', () => {
  it('is there by every address, and leaves by no connector of its own', async () => {
    const account = await ovhcloud.get('/account/Some.One@Example.COM')
    expect(account).toMatchObject({
      primaryEmailAddress: 'some.one@example.com',
      login: 'some.one',
      domain: 'example.com',
      sendConnectorId: 0,
      sbrDestination: null,
      state: 'ok',
      taskPendingId: 0,
      creationDate: null,
      spamAndVirusConfiguration: { deleteVirus: true },
    })
    expect(Object.keys(account)).toHaveLength(58)
    expect(await ovhcloud.get('/account')).toEqual(['file@example.net'])
  })

  it('is attached to a connector, and detached with 0', async () => {
    expect(
      await put('User@example.com', {
        sendConnectorId: 30,
        spamAndVirusConfiguration: { deleteVirus: true },
      }),
    ).toBeNull()
    expect(await ovhcloud.get('/account/user@example.com')).toMatchObject({
      sendConnectorId: 30,
      taskPendingId: 3,
    })
    expect(leavesBy('user@example.com')).toBe('30 senderAddress')
    expect(await ovhcloud.get('/account')).toEqual(['file@example.net', 'user@example.com'])
    expect(await ovhcloud.get('/account/user@example.com/tasks')).toEqual([3])
    ovhcloud.port.clock.advance(1000)
    expect(await ovhcloud.get('/account/user@example.com/tasks/3')).toMatchObject({
      function: 'setAccount',
      status: 'done',
    })
    expect(await put('user@example.com', { sendConnectorId: 0 })).toBeNull()
    expect(await connectorOf('user@example.com')).toBe(0)
    expect(leavesBy('user@example.com')).toBe('29 addressSpace')
    expect(await ovhcloud.get('/account')).toEqual(['file@example.net', 'user@example.com'])
  })

  it('that is detached is not taken by the default of its domain', async () => {
    await setDefault(30)
    await put('user@example.com', { sendConnectorId: 0 })
    expect(leavesBy('user@example.com')).toBe('29 addressSpace')
    expect(await connectorOf('user@example.com')).toBe(0)
    expect(leavesBy('other@example.com')).toBe('30 senderDomain')
    expect(await connectorOf('other@example.com')).toBe(30)
  })

  it('can be written back as it was read, and its mail goes the same way', async () => {
    await setDefault(30)
    await put('attached@example.com', { sendConnectorId: 31 })
    await put('detached@example.com', { sendConnectorId: 0 })
    for (const address of [
      'attached@example.com',
      'detached@example.com',
      'new@example.com',
      'a@example.org',
    ]) {
      const before = leavesBy(address).split(' ')[0]
      const account = await ovhcloud.get(`/account/${address}`)
      expect(await put(address, { ...account, displayName: 'Somebody' })).toBeNull()
      expect(leavesBy(address).split(' ')[0]).toBe(before)
      expect(await connectorOf(address)).toBe(account.sendConnectorId)
    }
  })

  it('is not changed by what belongs to a mailbox', async () => {
    const mailbox = {
      displayName: 'A',
      quota: 50,
      accountLicense: 'standard',
      spamAndVirusConfiguration: { deleteVirus: false },
    }
    expect(
      await put('user@example.com', { ...mailbox, sendConnectorId: null, sbrDestination: '' }),
    ).toBeNull()
    expect(record('user@example.com')).toBe('none stored')
    expect(await ovhcloud.get('/account/user@example.com/tasks')).toEqual([])
  })

  it.each<[string, string, object, string]>([
    [
      'a connector that is not there',
      'user@example.com',
      { sendConnectorId: 99 },
      '400 Client::BadRequest sendConnectorId: sendConnectorId must be the id of a connector, or 0 for none: there is no 99',
    ],
    [
      'a number in text',
      'user@example.com',
      { sendConnectorId: '30' },
      '400 Client::BadRequest sendConnectorId: sendConnectorId must be a',
    ],
    [
      'a number below 0',
      'user@example.com',
      { sendConnectorId: -1 },
      '400 Client::BadRequest sendConnectorId: sendConnectorId must be',
    ],
    [
      'the older mechanism',
      'user@example.com',
      { sbrDestination: 'relay.example.com' },
      '400 Client::BadRequest sbrDestination: sbrDestination must be left empty: a connector is named by sendConnectorId',
    ],
    [
      'a field that is none',
      'user@example.com',
      { connectorId: 30 },
      '400 Client::BadRequest connectorId: There is no field connectorId',
    ],
    [
      'a nested field that is none',
      'user@example.com',
      { spamAndVirusConfiguration: { deleteAll: true } },
      '400 Client::BadRequest spamAndVirusConfiguration.deleteAll',
    ],
    [
      'an address that is none',
      'user',
      { sendConnectorId: 30 },
      '400 Client::BadRequest primaryEmailAddress: primaryEmailAddress must be a mail address',
    ],
    [
      'a sender of the file',
      'file@example.net',
      { sendConnectorId: 30 },
      '403 Client::Forbidden primaryEmailAddress: file@example.net is bound in the configuration file',
    ],
  ])('is refused %s', async (_what, address, body, refusal) => {
    expect(await ovhcloud.refusal('PUT', `/account/${address}`, body)).toContain(refusal)
    expect(await ovhcloud.get('/account')).toEqual(['file@example.net'])
  })
})

describe('a new account', () => {
  const required = { domain: 'example.com', login: 'New.One', password: 'top secret', license: 'basic' }
  const post = (body: object = {}) => ovhcloud.expect('POST', '/account', { ...required, ...body })

  it('has the connector that it is given; nothing of a mailbox is kept', async () => {
    expect(await post({ sendConnectorId: 31, firstName: 'New' })).toMatchObject({
      function: 'addAccount',
      status: 'todo',
    })
    expect(await ovhcloud.get('/account/new.one@example.com')).toMatchObject({
      state: 'creating',
      sendConnectorId: 31,
    })
    expect(record('new.one@example.com')).toBe('31')
    const { objects } = ovhcloud.port.setup.current.snapshot
    expect(JSON.stringify([objects, ovhcloud.port.events]) + ovhcloud.port.logged()).not.toContain(
      'top secret',
    )
  })

  it('has the default of its domain as it is then, and keeps it', async () => {
    await setDefault(30)
    await post()
    await setDefault(31)
    expect(await connectorOf('new.one@example.com')).toBe(30)
    expect(await connectorOf('another@example.com')).toBe(31)
  })

  it('has none where there is no default', async () => {
    await post()
    await setDefault(31)
    expect(await connectorOf('new.one@example.com')).toBe(0)
  })

  it.each<[string, object, string]>([
    ['without a password', { password: undefined }, '400 Client::BadRequest password: password is missing'],
    ['without a license', { license: undefined }, '400 Client::BadRequest license: license is missing'],
    [
      'with a login that is none',
      { login: 'a b' },
      '400 Client::BadRequest login: login and domain must be a mail address together',
    ],
    ['with a connector that is not there', { sendConnectorId: 99 }, '400 Client::BadRequest sendConnectorId'],
    ['with the older mechanism', { sbrDestination: 'x' }, '400 Client::BadRequest sbrDestination'],
    ['of the file', { login: 'file', domain: 'example.net' }, '409 Client::Conflict login'],
  ])('%s is refused', async (_what, change, refusal) => {
    expect(await ovhcloud.refusal('POST', '/account', { ...required, ...change })).toContain(refusal)
  })

  it('that is there already is refused', async () => {
    await post()
    expect(await ovhcloud.refusal('POST', '/account', required)).toBe(
      '409 Client::Conflict login: The account new.one@example.com is there already',
    )
  })

  it('is deleted, and its domain counts again', async () => {
    await post()
    await setDefault(30)
    expect(await ovhcloud.expect('DELETE', '/account/new.one@example.com')).toMatchObject({
      function: 'deleteAccount',
    })
    expect(await connectorOf('new.one@example.com')).toBe(30)
    expect(await ovhcloud.refusal('DELETE', '/account/new.one@example.com')).toContain('404 Client::NotFound')
  })
})

describe('the list of accounts', () => {
  beforeEach(async () => {
    for (const address of ['anna@example.com', 'bert@example.com', 'anna@example.org'])
      await put(address, { sendConnectorId: 30 })
  })

  it.each([
    ['?primaryEmailAddress=anna@example.com', ['anna@example.com']],
    ['?primaryEmailAddress=%25example.com', ['anna@example.com', 'bert@example.com']],
    ['?primaryEmailAddress=ANNA%25', ['anna@example.com', 'anna@example.org']],
    ['?primaryEmailAddress=anna', []],
    ['?primaryEmailAddress=.%25', []],
    ['?company=Example', []],
    ['?accountLicense=enterprise', []],
    [
      '?accountLicense=basic',
      ['anna@example.com', 'anna@example.org', 'bert@example.com', 'file@example.net'],
    ],
  ])('%s', async (query, addresses) => {
    expect((await ovhcloud.get(`/account${query}`)).sort()).toEqual(addresses)
  })

  it.each([
    ['anna%25%25@%25.com', ['anna@example.com']],
    ['%25anna@example.com%25', ['anna@example.com']],
    ['anna@example.com%25example.com', []],
    ['%25n%25@%25m%25e%25', ['anna@example.com', 'anna@example.org']],
    ['%25m%25m%25m', []],
    ['', []],
  ])('like %s', async (pattern, addresses) => {
    expect((await ovhcloud.get(`/account?primaryEmailAddress=${pattern}`)).sort()).toEqual(addresses)
  })

  it('is found without trying every place for every %', async () => {
    await put(`${'a'.repeat(64)}@example.com`, { sendConnectorId: 30 })
    const began = performance.now()
    expect(await ovhcloud.get(`/account?primaryEmailAddress=${'%25a'.repeat(7)}%25%21`)).toEqual([])
    expect(performance.now() - began).toBeLessThan(1000)
  })

  it('finds one by its id, which stays the same', async () => {
    const { id } = await ovhcloud.get('/account/bert@example.com')
    expect(await ovhcloud.get(`/account?id=${id}`)).toEqual(['bert@example.com'])
  })

  it('refuses a filter that is none', async () => {
    expect(await ovhcloud.refusal('GET', '/account?email=a')).toContain(
      '400 Client::BadRequest email: There is no parameter email',
    )
  })
})

describe('a domain', () => {
  it('is there by every name, without a default', async () => {
    const domain = await ovhcloud.get('/domain/Example.ORG')
    expect(domain).toMatchObject({
      name: 'example.org',
      sendConnectorIdDefault: 0,
      sbrDefault: null,
      state: 'ok',
    })
    expect(Object.keys(domain)).toHaveLength(23)
    expect(await ovhcloud.get('/domain')).toEqual(['example.net'])
  })

  it('has a default for those without a connector of their own, until it is reset with 0', async () => {
    expect(await setDefault(30)).toBeNull()
    expect(await ovhcloud.get('/domain/example.com')).toMatchObject({
      sendConnectorIdDefault: 30,
      taskPendingId: 3,
    })
    expect(leavesBy('any@example.com')).toBe('30 senderDomain')
    expect(await ovhcloud.get('/domain')).toEqual(['example.net', 'example.com'])
    expect(await setDefault(0)).toBeNull()
    expect(await ovhcloud.get('/domain/example.com')).toMatchObject({ sendConnectorIdDefault: 0 })
    expect(leavesBy('any@example.com')).toBe('29 addressSpace')
    expect(await ovhcloud.get('/task/4')).toMatchObject({ function: 'setDomain' })
  })

  it('that never had one is not changed by 0', async () => {
    await setDefault(0)
    expect(record('@example.com')).toBe('none stored')
  })

  it('is made with a default, and deleted', async () => {
    const body = { name: 'Example.org', type: 'authoritative', sendConnectorIdDefault: 31, configureMx: true }
    expect(await ovhcloud.expect('POST', '/domain', body)).toMatchObject({
      function: 'addDomain',
      status: 'todo',
    })
    expect(await ovhcloud.get('/domain/example.org')).toMatchObject({
      state: 'creating',
      sendConnectorIdDefault: 31,
    })
    expect(leavesBy(`any@${domainOf('a@example.org')}`)).toBe('31 senderDomain')
    expect(await ovhcloud.refusal('POST', '/domain', body)).toContain('409 Client::Conflict name')
    expect(await ovhcloud.expect('DELETE', '/domain/example.org')).toMatchObject({ function: 'deleteDomain' })
    expect(await ovhcloud.refusal('DELETE', '/domain/example.org')).toContain('404 Client::NotFound')
  })

  it('is made without a default', async () => {
    await ovhcloud.expect('POST', '/domain', { name: 'example.org', type: 'nonAuthoritative' })
    expect(record('@example.org')).toBeNull()
    expect(leavesBy('any@example.org')).toBe('29 addressSpace')
  })

  it('can be written back as it was read', async () => {
    await setDefault(30)
    expect(
      await ovhcloud.expect('PUT', '/domain/example.com', await ovhcloud.get('/domain/example.com')),
    ).toBeNull()
    expect(leavesBy('any@example.com')).toBe('30 senderDomain')
  })

  it.each([
    ['?main=true', []],
    ['?main=false', ['example.net']],
    ['?state=ok', ['example.net']],
    ['?state=creating', []],
  ])('is found by %s', async (query, domains) => {
    expect(await ovhcloud.get(`/domain${query}`)).toEqual(domains)
  })

  it.each<[string, string, string, object, string]>([
    [
      'a connector that is not there',
      'PUT',
      '/domain/example.com/changeDefaultSBR',
      { sendConnectorIdDefault: 99 },
      '400 Client::BadRequest sendConnectorIdDefault: sendConnectorIdDefault must be the id',
    ],
    [
      'the older mechanism',
      'PUT',
      '/domain/example.com/changeDefaultSBR',
      { sbrDefault: 'relay.example.com' },
      '400 Client::BadRequest sbrDefault: sbrDefault must be left empty: a connector is named by sendConnectorIdDefault',
    ],
    [
      'a field that is none',
      'PUT',
      '/domain/example.com/changeDefaultSBR',
      { sendConnectorId: 30 },
      '400 Client::BadRequest sendConnectorId: There is no field',
    ],
    [
      'a name that is none',
      'PUT',
      '/domain/-/changeDefaultSBR',
      {},
      '400 Client::BadRequest domainName: domainName must be a domain name',
    ],
    [
      'a domain of the file',
      'PUT',
      '/domain/example.net/changeDefaultSBR',
      { sendConnectorIdDefault: 30 },
      '403 Client::Forbidden domainName',
    ],
    [
      'a new one without a type',
      'POST',
      '/domain',
      { name: 'example.org' },
      '400 Client::BadRequest type: type is missing',
    ],
    [
      'a new one with a name that is none',
      'POST',
      '/domain',
      { name: '-', type: 'authoritative' },
      '400 Client::BadRequest name: name must be a domain name',
    ],
  ])('is refused %s', async (_what, method, path, body, refusal) => {
    expect(await ovhcloud.refusal(method, path, body)).toContain(refusal)
    expect(await ovhcloud.get('/domain')).toEqual(['example.net'])
  })
})
