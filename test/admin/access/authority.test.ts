import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Authority } from '../../../src/admin/access/authority.ts'
import { createLog } from '../../../src/observe/log.ts'
import { QueueUnavailable } from '../../../src/queue/queue.ts'
import type { Setup } from '../../../src/setup/setup.ts'
import { newToken, type Scope } from '../../../src/setup/token.ts'
import { planTokenNew, planTokenRemove } from '../../../src/setup/token-plans.ts'
import { type RunningSetup, runSetup } from '../../support/running-setup.ts'

const localToken = 'A'.repeat(43)
const address = '127.0.0.1'

let running: RunningSetup
let logged: string
let authority: Authority

beforeEach(async () => {
  running = await runSetup()
  logged = ''
  authority = authorityOver(running.setup)
})

afterEach(() => running.close())

function authorityOver(setup: Pick<Setup, 'current' | 'apply'>): Authority {
  const write = (line: string) => {
    logged += line
  }
  return new Authority({
    localToken,
    setup,
    clock: running.clock,
    log: createLog({ level: 'info', destination: { write } }),
  })
}

async function tokenOf(
  name: string,
  change: { scopes?: Scope[]; lifeMs?: number } = {},
): Promise<{ id: string; presented: string }> {
  const now = running.clock.now()
  const { scopes = ['read'], lifeMs } = change
  const random = (bytes: number) => Buffer.alloc(bytes, name)
  const expiresAt = lifeMs === undefined ? null : now + lifeMs
  const made = newToken({ name, scopes, expiresAt, now, random })
  await running.setup.apply((current) => planTokenNew(current, { ...made, now }), { by: 'test' })
  return made
}

it('takes the token of this machine, for everything', async () => {
  expect(await authority.identify(localToken, { address })).toEqual({
    name: 'local',
    scopes: ['read', 'operate', 'admin'],
    tokenId: null,
  })
})

it.each<[Scope[], Scope[]]>([
  [['read'], ['read']],
  [['operate'], ['read', 'operate']],
  [['admin'], ['read', 'operate', 'admin']],
])('takes a token of the state for its scopes and those they include: %j', async (scopes, all) => {
  const { id, presented } = await tokenOf('monitoring', { scopes })
  expect(await authority.identify(presented, { address })).toEqual({
    name: 'monitoring',
    scopes: all,
    tokenId: id,
  })
  expect(authority.holderOf(id)).toMatchObject({ name: 'monitoring', scopes: all })
})

it.each(['', 'guess', `${localToken}A`, localToken.slice(1), 'A'.repeat(5000), `relay_${'A'.repeat(43)}`])(
  'takes nothing else: %j',
  async (presented) => {
    await expect(authority.identify(presented, { address })).rejects.toMatchObject({ status: 401 })
  },
)

it('takes no token that expired or was removed, and says the same of both; the log says more', async () => {
  const expired = await tokenOf('expired', { lifeMs: 1000 })
  const removed = await tokenOf('removed')
  await running.setup.apply((current) => planTokenRemove(current, removed), { by: 'test' })
  running.clock.advance(1000)
  const refusals = [expired, removed].map(({ presented }) =>
    authority.identify(presented, { address }).catch((error: Error) => error.message),
  )
  expect(await Promise.all(refusals)).toEqual(Array(2).fill('The token is not one of this relay'))
  expect(authority.holderOf(expired.id)).toBeNull()
  expect(authority.holderOf(removed.id)).toBeNull()
  expect(logged).toContain('expired at')
  expect(logged).not.toContain(expired.presented)
})

it('answers wrong tokens ever later, then with 429, and the right one at once', async () => {
  const guess = (from = address) =>
    authority.identify('guess', { address: from }).catch((error: unknown) => error)
  await Promise.all([guess(), guess()])
  const began = performance.now()
  const held = Array.from({ length: 8 }, () => guess())
  expect(await guess()).toMatchObject({ status: 429, retryAfterMs: expect.any(Number) })
  expect(await authority.identify(localToken, { address })).toMatchObject({ name: 'local' })
  expect(performance.now() - began).toBeLessThan(900)
  expect(await held[0]).toMatchObject({ status: 401 })
  expect(performance.now() - began).toBeGreaterThan(900)
  expect(await guess('192.0.2.1')).toMatchObject({ status: 401 })
})

describe('the last use of a token', () => {
  const stored = () => running.setup.current.tokens[0]!.lastUsedAt ?? null
  const change = () => new Promise((resolve) => running.setup.watch(resolve))

  it('is stored, by the hour', async () => {
    const { presented } = await tokenOf('monitoring')
    const firstAt = running.clock.now()
    let changed = change()
    await authority.identify(presented, { address })
    await changed
    expect(stored()).toBe(firstAt)
    running.clock.advance(60 * 60_000 - 1)
    await authority.identify(presented, { address })
    running.clock.advance(1)
    changed = change()
    await authority.identify(presented, { address })
    await changed
    expect(stored()).toBe(firstAt + 60 * 60_000)
  })

  it('is nobody’s act, so no event', async () => {
    const { presented } = await tokenOf('monitoring')
    const changed = change()
    await authority.identify(presented, { address })
    await changed
    expect(running.events).toHaveLength(1)
  })

  it('costs nobody an answer where the store is away, and is not tried at each request', async () => {
    const { presented } = await tokenOf('monitoring')
    let tries = 0
    const away = authorityOver({
      current: running.setup.current,
      apply: () => {
        tries++
        return Promise.reject(new QueueUnavailable('Redis is away'))
      },
    })
    for (const _ of [1, 2, 3])
      expect(await away.identify(presented, { address })).toMatchObject({ name: 'monitoring' })
    expect(tries).toBe(1)
    expect(logged).toContain('Redis is away')
    running.clock.advance(60_000)
    await away.identify(presented, { address })
    expect(tries).toBe(2)
  })
})
