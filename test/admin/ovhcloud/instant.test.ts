import { afterEach, expect, it, vi } from 'vitest'
import { instant } from '../../../src/admin/ovhcloud/instant.ts'

afterEach(() => vi.unstubAllEnvs())

it.each([
  ['Europe/Paris', Date.UTC(2023, 8, 25, 12, 6, 2, 999), '2023-09-25T14:06:02+02:00'],
  ['Europe/Paris', Date.UTC(2023, 11, 31, 23, 30), '2024-01-01T00:30:00+01:00'],
  ['UTC', Date.UTC(2023, 8, 25, 12, 6, 2), '2023-09-25T12:06:02+00:00'],
  ['America/St_Johns', Date.UTC(2023, 0, 1, 1, 0), '2022-12-31T21:30:00-03:30'],
  ['Asia/Kathmandu', Date.UTC(2023, 0, 1), '2023-01-01T05:45:00+05:45'],
])('in %s: %j is %s', (zone, at, text) => {
  vi.stubEnv('TZ', zone)
  expect(instant(at)).toBe(text)
  expect(Date.parse(text)).toBe(Math.floor(at / 1000) * 1000)
})
