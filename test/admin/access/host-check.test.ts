import { expect, it } from 'vitest'
import { isHostAllowed } from '../../../src/admin/access/host-check.ts'

it.each([
  ['127.0.0.1', 'localhost:8080', true],
  ['127.0.0.1', 'LOCALHOST', true],
  ['127.0.0.1', '127.0.0.1:8080', true],
  ['127.0.0.1', '127.1.2.3', true],
  ['::1', '[::1]:8080', true],
  ['127.0.0.1', 'evil.example', false],
  ['127.0.0.1', 'localhost.evil.example:8080', false],
  ['127.0.0.1', '127.0.0.1.evil.example', false],
  ['127.0.0.1', '192.0.2.1:8080', false],
  ['127.0.0.1', '', false],
  ['127.0.0.1', undefined, false],
  ['0.0.0.0', 'relay:8080', true],
  ['192.0.2.1', 'relay.example.com', true],
])('bound to %s, a request to %s is answered: %s', (boundTo, host, allowed) => {
  expect(isHostAllowed(boundTo, host)).toBe(allowed)
})
