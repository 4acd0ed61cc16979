import { expect, it } from 'vitest'
import { readinessOf } from '../../src/admin/readiness.ts'

it('is ready when the queue can be written and every listener is up', () => {
  expect(readinessOf({ queueFault: null, listeners: [{ name: 'exchange', fault: null }] })).toEqual({
    ready: true,
    checks: [
      { name: 'queue', ok: true, detail: null },
      { name: 'listener exchange', ok: true, detail: null },
    ],
  })
})

it('says which part is not', () => {
  const { ready, checks } = readinessOf({
    queueFault: null,
    listeners: [
      { name: 'exchange', fault: null },
      { name: 'clients', fault: 'listen EADDRINUSE' },
    ],
  })
  expect(ready).toBe(false)
  expect(checks.filter((check) => !check.ok)).toEqual([
    { name: 'listener clients', ok: false, detail: 'listen EADDRINUSE' },
  ])
  expect(readinessOf({ queueFault: 'Redis is away', listeners: [] }).ready).toBe(false)
})
