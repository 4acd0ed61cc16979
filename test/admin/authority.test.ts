import { expect, it } from 'vitest'
import { Authority } from '../../src/admin/authority.ts'
import { TestClock } from '../support/test-clock.ts'

const localToken = 'A'.repeat(43)
const address = '127.0.0.1'
const authority = (clock = new TestClock()) => new Authority({ localToken, clock })

it.each([`Bearer ${localToken}`, `bearer  ${localToken} `])(
  'takes the local token: %j',
  async (authorization) => {
    for (const needs of ['read', 'operate', 'admin'] as const)
      expect(await authority().authorize({ authorization, address }, needs)).toEqual({
        granted: true,
        by: 'local',
      })
  },
)

it.each([
  undefined,
  '',
  localToken,
  `Basic ${localToken}`,
  `Bearer ${localToken}A`,
  'Bearer ',
  `Bearer ${'A'.repeat(5000)}`,
])('takes nothing else: %j', async (authorization) => {
  expect(await authority().authorize({ authorization, address }, 'operate')).toMatchObject({
    granted: false,
    status: 401,
  })
})

it('answers wrong tokens ever later, then with 429, and the right one at once', async () => {
  const clock = new TestClock()
  const asked = authority(clock)
  const guess = () => asked.authorize({ authorization: 'Bearer guess', address }, 'operate')
  await Promise.all([guess(), guess()])
  const began = performance.now()
  const held = Array.from({ length: 8 }, guess)
  expect(await guess()).toMatchObject({ granted: false, status: 429, retryAfterMs: expect.any(Number) })
  const authorization = `Bearer ${localToken}`
  expect(await asked.authorize({ authorization, address }, 'operate')).toMatchObject({ granted: true })
  expect(performance.now() - began).toBeLessThan(900)
  expect(await held[0]).toMatchObject({ status: 401 })
  expect(performance.now() - began).toBeGreaterThan(900)
  const elsewhere = { authorization: 'Bearer guess', address: '192.0.2.1' }
  expect(await asked.authorize(elsewhere, 'operate')).toMatchObject({ status: 401 })
})
