/** `relay token` and `relay rekey`, over the admin port. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { registerRekey } from '../../src/cli/rekey.ts'
import { registerToken } from '../../src/cli/token.ts'
import type { Token } from '../../src/setup/token.ts'
import { type AdminPort, localToken, startAdminPort } from '../support/admin-port.ts'
import { runCommand } from './run-command.ts'

let port: AdminPort

beforeEach(async () => {
  port = await startAdminPort()
  process.env.RELAY_TOKEN = localToken
})
afterEach(async () => {
  delete process.env.RELAY_TOKEN
  await port.stop()
})

const token = (...args: string[]) => runCommand(registerToken, ['token', ...args, '--admin', port.url])
const tokens = () => port.setup.current.tokens

describe('relay token new', () => {
  it('prints the token alone, and beside it what it is', async () => {
    const { out, err, code } = await token('new', 'Terraform', '--scope', 'operate')
    expect(code).toBe(0)
    expect(out).toMatch(/^relay_[A-Za-z0-9_-]{43}\n$/)
    expect(err).toMatch(/^The token Terraform \([0-9a-f]{12}\) may operate until it is removed\. /)
    expect(err).not.toContain(out.trim())
    expect(tokens()).toMatchObject([{ name: 'Terraform', scopes: ['operate'], expiresAt: null }])
    expect(
      (await port.ask('/session', { method: 'POST', token: null, body: { token: out.trim() } })).code,
    ).toBe(200)
  })

  it('prints one object with --json', async () => {
    const { out, err } = await token('new', 'a', '--scope', 'read', '--json')
    expect(JSON.parse(out)).toMatchObject({ token: expect.stringMatching(/^relay_/), name: 'a' })
    expect(err).toBe('')
  })

  it("prints what OVHcloud's clients read from their environment", async () => {
    const { out } = await token('new', 'Terraform', '--scope', 'admin', '--ovhcloud')
    const [{ id, applicationSecret }] = tokens() as [Token]
    expect(out).toMatch(
      new RegExp(
        `^OVH_APPLICATION_KEY=${id}\nOVH_APPLICATION_SECRET=[\\w-]{43}\nOVH_CONSUMER_KEY=relay_[\\w-]{43}\n$`,
      ),
    )
    expect(applicationSecret).toEqual({ sealed: expect.any(String) })
  })

  it('ends it after a duration, or with a day', async () => {
    // The port's clock stands far in the past.
    const before = Date.now()
    expect((await token('new', 'a', '--scope', 'read', '--expires', '90d')).err).toMatch(/until 20\d\d-/)
    await token('new', 'b', '--scope', 'read', '--expires', '2099-01-31')
    await token('new', 'c', '--scope', 'read', '--expires', '2099-01-31T12:00:00Z')
    const [a, b, c] = ['a', 'b', 'c'].map(
      (wanted) => tokens().find(({ name }) => name === wanted)!.expiresAt!,
    )
    expect(a! - before).toBeGreaterThanOrEqual(90 * 86_400_000)
    expect(a! - before).toBeLessThan(90 * 86_400_000 + 10_000)
    expect(b).toBe(new Date(2099, 0, 31, 23, 59, 59, 999).getTime())
    expect(c).toBe(Date.UTC(2099, 0, 31, 12))
  })

  it.each([
    [['new', 'a'], /--scope/],
    [['new', 'a', '--scope', 'root'], /Allowed choices are read, operate, admin/],
    [['new', '--scope', 'read'], /missing required argument/],
    [['new', 'a', '--scope', 'read', '--expires', 'soon'], /a duration such as 90d, or a day/],
    [['new', 'a', '--scope', 'read', '--expires', '0d'], /a duration such as 90d, or a day/],
    [['new', 'a', '--scope', 'read', '--expires', '2027-02-99'], /a duration such as 90d, or a day/],
    [['new', ' a', '--scope', 'read'], /name must not begin or end with a blank/],
    [['new', 'a', '--scope', 'read', '--expires', '2001-01-01'], /expiresAt must lie in the future/],
  ])('refuses %j as wrong usage', async (args, message) => {
    const { err, code } = await token(...args)
    expect(err).toMatch(message)
    expect(code).toBe(2)
    expect(tokens()).toEqual([])
  })
})

describe('relay token list', () => {
  it('prints an aligned table, without what the tokens are', async () => {
    await port.tokenFor('read')
    const { out } = await token('list')
    expect(out).toMatch(/^ID +NAME +SCOPE +CREATED +EXPIRES +LAST USED\n/)
    expect(out).toMatch(/\n[0-9a-f]{12} +for read +read +\S+ +never +never\n$/)
    expect((await token('list', '--json')).out).toContain('"name":"for read"')
  })

  it('says so where there is none', async () => {
    expect((await token('list')).out).toBe('There is no token but that of the machine (admin-token).\n')
    expect((await token('list', '--json')).out).toBe('')
  })
})

describe('relay token remove', () => {
  it('takes the name or the id', async () => {
    await port.tokenFor('read')
    await port.tokenFor('admin')
    expect(await token('remove', 'for read')).toMatchObject({ out: '', code: 0 })
    const { id } = tokens()[0]!
    expect((await token('remove', id)).err).toBe(`The token for admin (${id}) is removed.\n`)
    expect(tokens()).toEqual([])
  })

  it('fails for one that does not exist', async () => {
    expect(await token('remove', 'x')).toMatchObject({ err: 'The running relay has no token x\n', code: 1 })
  })
})

it('relay rekey says how many objects were sealed anew', async () => {
  const rekey = (...args: string[]) => runCommand(registerRekey, ['rekey', ...args, '--admin', port.url])
  expect(await rekey()).toEqual({ out: '0 objects were sealed anew.\n', err: '', code: 0 })
  expect(await rekey('--json')).toMatchObject({ out: '{"resealed":0}\n' })
})
