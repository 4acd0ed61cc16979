import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CurrentSetup } from '../../src/setup/current.ts'
import type { Plan } from '../../src/setup/plan.ts'
import { newToken, type TokenValue } from '../../src/setup/token.ts'
import { planTokenNew, planTokenRemove, planTokenUse } from '../../src/setup/token-plans.ts'
import { type RunningSetup, runSetup } from '../support/running-setup.ts'

let running: RunningSetup
beforeEach(async () => {
  running = await runSetup()
})
afterEach(() => running.close())

const hourMs = 60 * 60_000

function made(name: string, change: Partial<TokenValue> = {}) {
  const now = running.clock.now()
  const token = newToken({
    name,
    scopes: ['read'],
    expiresAt: null,
    now,
    random: (n) => Buffer.alloc(n, name),
  })
  return { ...token, value: { ...token.value, ...change }, now }
}

const apply = (plan: (current: CurrentSetup) => Plan) => running.setup.apply(plan, { by: 'anna' })
const refusal = async (plan: (current: CurrentSetup) => Plan) =>
  apply(plan).then(
    () => null,
    ({ refusal, field }) => [refusal, field],
  )

describe('a new token', () => {
  it('is stored, and told without what it is', async () => {
    const token = made('monitoring', { expiresAt: running.clock.now() + hourMs })
    await apply((current) => planTokenNew(current, token))
    expect(running.setup.current.tokens).toMatchObject([{ ...token.value, id: token.id, version: 1 }])
    const after = { name: 'monitoring', scopes: ['read'], expiresAt: token.value.expiresAt }
    expect(running.events).toEqual([
      { event: 'configured', by: 'anna', act: 'created', what: 'token', id: token.id, before: null, after },
    ])
    expect(JSON.stringify(running.events)).not.toContain(token.value.hash)
  })

  it.each<[string, string, Partial<TokenValue>, [string, string]]>([
    ['a name that another has', 'monitoring', {}, ['conflict', 'name']],
    ['the name of the token of the machine', 'local', {}, ['invalid', 'name']],
    ['an end that is over', 'other', { expiresAt: 1 }, ['invalid', 'expiresAt']],
  ])('is refused with %s', async (_name, name, change, expected) => {
    await apply((current) => planTokenNew(current, made('monitoring')))
    expect(await refusal((current) => planTokenNew(current, made(name, change)))).toEqual(expected)
    expect(running.setup.current.tokens).toHaveLength(1)
  })
})

describe('the removal of a token', () => {
  it('leaves nothing of it, and says whose it was', async () => {
    const token = made('monitoring')
    await apply((current) => planTokenNew(current, token))
    await apply((current) => planTokenRemove(current, token))
    expect(running.setup.current.tokens).toEqual([])
    expect(running.events[1]).toMatchObject({
      act: 'removed',
      before: { name: 'monitoring', scopes: ['read'], expiresAt: null },
      after: null,
    })
  })

  it('also takes one that cannot be read, which else nobody could', async () => {
    const value = { name: 'no token' }
    await running.state.change([{ kind: 'token', id: '0123456789ab', expected: null, value }], { now: 1 })
    expect(running.setup.current.unusable).toHaveLength(1)
    await apply((current) => planTokenRemove(current, { id: '0123456789ab' }))
    expect(running.setup.current.unusable).toEqual([])
  })

  it('is refused where there is none', async () => {
    expect(await refusal((current) => planTokenRemove(current, { id: '0123456789ab' }))).toEqual([
      'missing',
      undefined,
    ])
  })
})

describe('a use of a token', () => {
  it('is kept once an hour', async () => {
    const token = made('monitoring')
    await apply((current) => planTokenNew(current, token))
    const use = (now: number) => planTokenUse(running.setup.current, { id: token.id, now })
    await apply(() => use(token.now + 5))
    expect(running.setup.current.tokens).toMatchObject([{ lastUsedAt: token.now + 5, version: 2 }])
    expect(use(token.now + 4 + hourMs).changes).toEqual([])
    expect(use(token.now + 5 + hourMs).changes).toHaveLength(1)
  })

  it('is nothing where the token went meanwhile', () => {
    expect(planTokenUse(running.setup.current, { id: '0123456789ab', now: 1 })).toEqual({
      changes: [],
      audit: [],
    })
  })
})
