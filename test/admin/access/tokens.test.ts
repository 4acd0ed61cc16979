/** The tokens and the key of the state, over the real port. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { applicationSecretContext } from '../../../src/setup/token.ts'
import { type AdminPort, type Asked, startAdminPort } from '../../support/admin-port.ts'
import { runSetup } from '../../support/running-setup.ts'

let port: AdminPort
beforeEach(async () => {
  port = await startAdminPort()
})
afterEach(() => port.stop())

const make = (body: object, asked: Partial<Asked> = {}) =>
  port.ask('/tokens', { method: 'POST', body, ...asked })
const list = async () => (await port.ask('/tokens')).json.tokens

it('makes a token that is shown once, works, and has its name in the audit', async () => {
  const expiresAt = port.clock.now() + 1000
  const made = await make({ name: 'Terraform', scopes: ['admin', 'read', 'admin'], expiresAt })
  expect(made.code).toBe(201)
  const { token, ...view } = made.json
  expect(token).toMatch(/^relay_[A-Za-z0-9_-]{43}$/)
  expect(view).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{12}$/),
    name: 'Terraform',
    scopes: ['read', 'admin'],
    createdAt: port.clock.now(),
    expiresAt,
    lastUsedAt: null,
  })
  expect(await list()).toEqual([view])
  expect((await make({ name: 'second', scopes: ['read'] }, { token })).code).toBe(201)
  expect(port.events).toMatchObject([
    { event: 'configured', by: 'local', act: 'created', what: 'token', id: view.id },
    { event: 'configured', by: 'Terraform', act: 'created', what: 'token' },
  ])
  expect(JSON.stringify(port.events) + port.logged()).not.toContain(token)
  port.clock.advance(1000)
  expect((await port.ask('/tokens', { token })).code).toBe(401)
})

it("makes an application for OVHcloud's clients, whose secret is shown once too, and sealed with the key of the state", async () => {
  const { code, json } = await make({ name: 'Terraform', scopes: ['admin'], ovhcloud: true })
  expect(code).toBe(201)
  const { applicationSecret } = json.ovhcloud
  expect(json.ovhcloud).toEqual({
    applicationKey: json.id,
    applicationSecret: expect.stringMatching(/^[\w-]{43}$/),
    consumerKey: json.token,
  })
  const { objects } = port.setup.current.snapshot
  expect(JSON.stringify([objects, port.events, await list()]) + port.logged()).not.toContain(
    applicationSecret,
  )
  const [stored] = port.setup.current.tokens
  expect(port.setup.unseal(stored!.applicationSecret!, applicationSecretContext(json.id))).toBe(
    applicationSecret,
  )
})

it('makes no application where there is no key to seal its secret with', async () => {
  const keyless = await startAdminPort({ running: await runSetup({ box: null }) })
  const body = { name: 'Terraform', scopes: ['admin'], ovhcloud: true }
  const answer = await keyless.ask('/tokens', { method: 'POST', body })
  await keyless.stop()
  expect(answer).toMatchObject({ code: 409, json: { detail: expect.stringContaining('state.key') } })
})

it('shows when a token was last used', async () => {
  const token = await port.tokenFor('admin')
  const stored = new Promise((resolve) => port.setup.watch(resolve))
  await port.ask('/tokens', { token })
  await stored
  expect(await list()).toMatchObject([{ lastUsedAt: port.clock.now() }])
})

it('removes a token, which is none from then on', async () => {
  const token = await port.tokenFor('admin')
  const [{ id }] = await list()
  expect(await port.ask(`/tokens/${id}`, { method: 'DELETE' })).toMatchObject({ code: 204, text: '' })
  expect(await list()).toEqual([])
  expect((await port.ask('/tokens', { token })).code).toBe(401)
  expect(await port.ask(`/tokens/${id}`, { method: 'DELETE' })).toMatchObject({ code: 404 })
})

describe('a token is refused', () => {
  it.each<[string, object, number, string, string]>([
    ['without a name', { scopes: ['read'] }, 400, 'name', 'name is missing'],
    ['with an empty name', { name: '', scopes: ['read'] }, 400, 'name', '1 to 100 characters'],
    ['with the name of another', { name: 'for read', scopes: ['read'] }, 409, 'name', 'already'],
    ['under the name of this machine', { name: 'local', scopes: ['read'] }, 400, 'name', 'local'],
    ['without scopes', { name: 'a', scopes: [] }, 400, 'scopes', 'must not be empty'],
    ['with another scope', { name: 'a', scopes: ['root'] }, 400, 'scopes.0', 'read, operate, admin'],
    ['expired', { name: 'a', scopes: ['read'], expiresAt: 5 }, 400, 'expiresAt', 'in the future'],
    ['with a date', { name: 'a', scopes: ['read'], expiresAt: '2030-01-01' }, 400, 'expiresAt', 'number'],
    ['with a field of its own', { name: 'a', scopes: ['read'], hash: 'x' }, 400, 'hash', 'no field hash'],
  ])('%s', async (_name, body, code, field, detail) => {
    await port.tokenFor('read')
    const answer = await make(body)
    expect(answer).toMatchObject({ code, json: { field } })
    expect(answer.json.detail).toContain(detail)
    expect(await list()).toHaveLength(1)
  })

  it('to whoever is no administrator', async () => {
    const token = await port.tokenFor('operate')
    const ways: [string, Asked][] = [
      ['/tokens', {}],
      ['/tokens', { method: 'POST', body: { name: 'mine', scopes: ['admin'] } }],
      ['/tokens/0123456789ab', { method: 'DELETE' }],
      ['/state/rekey', { method: 'POST', body: {} }],
    ]
    for (const [path, asked] of ways) expect((await port.ask(path, { ...asked, token })).code).toBe(403)
    expect(await list()).toHaveLength(1)
  })
})

it('knows ids that are wrong', async () => {
  expect(await port.ask('/tokens/x', { method: 'DELETE' })).toMatchObject({
    code: 400,
    json: { field: 'id' },
  })
})

describe('POST /state/rekey', () => {
  it('says how many objects were sealed anew; none is no change', async () => {
    expect(await port.ask('/state/rekey', { method: 'POST', body: {} })).toMatchObject({
      code: 200,
      json: { resealed: 0 },
    })
    expect(port.events).toEqual([])
  })

  it('is refused where there is no key', async () => {
    const keyless = await startAdminPort({ running: await runSetup({ box: null }) })
    const answer = await keyless.ask('/state/rekey', { method: 'POST', body: {} })
    await keyless.stop()
    expect(answer).toMatchObject({ code: 409, json: { detail: expect.stringContaining('state.key') } })
  })
})
