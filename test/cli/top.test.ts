/** `relay top` without a terminal, against an admin port. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ConnectorView } from '../../src/admin/connectors/connector-view.ts'
import { connectorListSchema } from '../../src/admin/connectors/connector-view.ts'
import { endpoint } from '../../src/admin/endpoint.ts'
import { liveEndpoints } from '../../src/admin/live/live-endpoints.ts'
import { queueEndpoints } from '../../src/admin/queue/queue-endpoints.ts'
import { registerTop } from '../../src/cli/top.ts'
import type { QueueActs } from '../../src/delivery/queue-acts.ts'
import { Live } from '../../src/observe/live.ts'
import { type AdminPort, localToken, startAdminPort } from '../support/admin-port.ts'
import { FaultyQueue } from '../support/faulty-queue.ts'
import { runSetup } from '../support/running-setup.ts'
import { runCommand } from './run-command.ts'

let port: AdminPort
let queue: FaultyQueue

beforeEach(async () => {
  process.env.RELAY_TOKEN = localToken
  queue = await FaultyQueue.open()
  const running = await runSetup()
  const { clock, setup } = running
  const live = new Live({ clock })
  const connectors = () => []
  const listed = endpoint({
    ...{ method: 'GET', path: '/connectors', scope: 'read', part: 'Connectors', summary: 'All of them' },
    answer: connectorListSchema,
    handle: async () => ({ connectors: [] as ConnectorView[] }),
  })
  const endpoints = [
    listed,
    ...queueEndpoints({ queue, connectors, limits: [], configured: () => [], acts: {} as QueueActs, clock }),
    ...liveEndpoints({
      ...{ live, setup, queue, clock, version: '1.2.3', node: 'relay.example.com-7' },
      readiness: () => ({ ready: true, checks: [] }),
      listeners: () => [],
    }),
  ]
  live.note({ event: 'rejected' } as Parameters<Live['note']>[0])
  clock.advance(1000)
  port = await startAdminPort({ running, endpoints })
})
afterEach(async () => {
  delete process.env.RELAY_TOKEN
  await port.stop()
  await queue.destroy()
})

const top = (...args: string[]) => runCommand(registerTop, ['top', '--admin', port.url, ...args])

it('prints one screen where there is no terminal, and then ends', async () => {
  const { out, err, code } = await top('--once')
  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(/^relay\.example\.com {2}relay\.example\.com-7 {2}embedded {2}version 1\.2\.3/)
  expect(out).toMatch(/^refused +1 /m)
  expect(out).not.toContain('\u001b')
  expect((await top()).out).toMatch(/^relay\.example\.com/)
})

it('prints one object', async () => {
  const { out } = await top('--once', '--json')
  expect(out.trim().split('\n')).toHaveLength(1)
  const { status, samples, connectors, limits } = JSON.parse(out)
  expect([status.version, samples.at(-1).refused, connectors, limits]).toEqual(['1.2.3', 1, [], []])
})

it('says so where no relay answers', async () => {
  await port.admin.stop()
  expect(await top('--once')).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringContaining('connection refused'),
  })
})
