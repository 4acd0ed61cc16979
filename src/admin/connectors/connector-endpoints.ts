/** Connectors: how they stand, and their settings to read and, where the API made them, to change. */
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Clock } from '../../clock.ts'
import type { Connector } from '../../config/connector.ts'
import { testHosts } from '../../delivery/smart-host-test.ts'
import type { ConnectorStatus } from '../../delivery/status.ts'
import type { QueueRate } from '../../observe/queue-rates.ts'
import type { Queue } from '../../queue/queue.ts'
import { printable } from '../../reply.ts'
import {
  type ConnectorPlanner,
  changeAuthentication,
  createConnector,
  editConnector,
  enableConnector,
  removeConnector,
} from '../../setup/connector-plans.ts'
import { connectorToTest, usableConnector } from '../../setup/connector-to-test.ts'
import type { CurrentSetup } from '../../setup/current.ts'
import type { Setup } from '../../setup/setup.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Refused } from '../problem.ts'
import { versionQuery } from '../query-values.ts'
import {
  authenticationBody,
  type ConnectorPatch,
  connectorParams,
  connectorPatch,
  connectorVersion,
  type NewConnectorBody,
  newConnectorBody,
  type TestBody,
  testBody,
} from './connector-body.ts'
import { type ConnectorTest, connectorTestSchema } from './connector-test-view.ts'
import {
  type ChangedConnector,
  type ConnectorView,
  changedConnectorSchema,
  connectorListSchema,
  connectorViewSchema,
  connectorViews,
} from './connector-view.ts'
import { TestTurns } from './test-turns.ts'

export interface ConnectorEndpointsOptions {
  readonly setup: Pick<Setup, 'current' | 'apply'>
  /** Of delivery, on this node. */
  readonly connectors: () => readonly ConnectorStatus[]
  readonly queue: Pick<Queue, 'totals'>
  readonly rates: (connector: string) => QueueRate
  readonly clock: Clock
}

const part = 'Connectors'
/** Certificates, with their chains, are the most of it. */
const bodyLimitBytes = 1024 * 1024

export function connectorEndpoints(options: ConnectorEndpointsOptions): Endpoint[] {
  const connectors = new Connectors(options)
  return [...reading(connectors), ...making(connectors), ...changing(connectors), ...testing(connectors)]
}

function reading(connectors: Connectors): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/connectors',
      scope: 'read',
      part,
      summary: 'The connectors, how they stand and what waits for them',
      answer: connectorListSchema,
      handle: async () => ({ connectors: await connectors.views() }),
    }),
    endpoint({
      method: 'GET',
      path: '/connectors/:id',
      scope: 'read',
      part,
      summary: 'One connector',
      params: connectorParams,
      answer: connectorViewSchema,
      problems: [404],
      handle: ({ params }) => connectors.view(params.id),
    }),
  ]
}

function making(connectors: Connectors): Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: '/connectors',
      scope: 'admin',
      part,
      summary: 'Make a connector',
      body: newConnectorBody,
      bodyLimitBytes,
      answer: changedConnectorSchema,
      status: 201,
      problems: [409],
      handle({ request, body: { id }, by }) {
        // As it was sent: what was left out stays a default.
        const { id: _id, ...input } = request.body as NewConnectorBody
        return connectors.change(createConnector(input, { id }), by)
      },
    }),
    endpoint({
      method: 'DELETE',
      path: '/connectors/:id',
      scope: 'admin',
      part,
      summary: 'Remove a connector that no sender and no rule names; mail that waits for it is routed again',
      params: connectorParams,
      query: versionQuery,
      answer: null,
      problems: [404, 409],
      handle: ({ params, query, by }) => connectors.remove(removeConnector(params.id, query), by),
    }),
  ]
}

function changing(connectors: Connectors): Endpoint[] {
  return [
    endpoint({
      method: 'PATCH',
      path: '/connectors/:id',
      scope: 'admin',
      part,
      summary: 'Change settings of a connector: what is left out stays as it is, null is the default',
      params: connectorParams,
      body: connectorPatch,
      bodyLimitBytes,
      answer: changedConnectorSchema,
      problems: [404, 409],
      handle({ params, request, by }) {
        const { version, authentication, ...changes } = request.body as ConnectorPatch
        return connectors.change(editConnector(params.id, { version, authentication, changes }), by)
      },
    }),
    endpoint({
      method: 'PUT',
      path: '/connectors/:id/authentication',
      scope: 'admin',
      part,
      summary: 'Change how a connector logs in at its smart hosts',
      params: connectorParams,
      body: authenticationBody,
      answer: changedConnectorSchema,
      problems: [404, 409],
      handle: ({ params, body, by }) => connectors.change(changeAuthentication(params.id, body), by),
    }),
    enabling(connectors, { path: '/connectors/:id/enable', enabled: true }),
    enabling(connectors, { path: '/connectors/:id/disable', enabled: false }),
  ]
}

function enabling(
  connectors: Connectors,
  { path, enabled }: { readonly path: string; readonly enabled: boolean },
): Endpoint {
  return endpoint({
    method: 'POST',
    path,
    scope: 'operate',
    part,
    summary: enabled
      ? 'Let mail leave by a connector'
      : 'Let no mail leave by a connector; what waits for it is routed again',
    params: connectorParams,
    body: z.strictObject({ version: connectorVersion.optional() }),
    answer: changedConnectorSchema,
    problems: [404, 409],
    handle: ({ params, body: { version }, by }) =>
      connectors.change(enableConnector(params.id, { version, enabled }), by),
  })
}

function testing(connectors: Connectors): Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: '/connectors/:id/test',
      scope: 'operate',
      part,
      summary: 'Try the smart hosts of a connector as mail would, without sending any',
      params: connectorParams,
      body: z.strictObject({}),
      answer: connectorTestSchema,
      problems: [404, 409],
      handle: ({ params, reply }) =>
        connectors.test(reply, (current) => usableConnector(current, params.id), params.id),
    }),
    endpoint({
      method: 'POST',
      path: '/connectors/test',
      scope: 'admin',
      part,
      summary: 'Try a connector before it is saved',
      body: testBody,
      bodyLimitBytes,
      answer: connectorTestSchema,
      problems: [404, 409],
      handle: ({ request, body: { id }, reply }) =>
        connectors.test(reply, (current) => connectorToTest(current, { ...(request.body as TestBody), id })),
    }),
  ]
}

class Connectors {
  readonly #options: ConnectorEndpointsOptions
  readonly #tests = new TestTurns()

  constructor(options: ConnectorEndpointsOptions) {
    this.#options = options
  }

  async views(): Promise<ConnectorView[]> {
    const { setup, connectors, queue, rates, clock } = this.#options
    // How connectors stand is known without the store, and wanted most when something is wrong.
    const totals = await queue.totals({ now: clock.now() }).catch(() => null)
    return connectorViews({ current: setup.current, statuses: connectors(), totals, rates })
  }

  async view(id: string): Promise<ConnectorView> {
    const view = (await this.views()).find(({ connector }) => connector === id)
    if (view === undefined) throw new Refused(404, `There is no connector ${printable(id)}`)
    return view
  }

  async change(plan: ConnectorPlanner, by: string): Promise<ChangedConnector> {
    const { id, warnings } = await this.#options.setup.apply(plan, { by })
    return { connector: await this.view(id), warnings: [...warnings] }
  }

  async remove(plan: ConnectorPlanner, by: string): Promise<void> {
    await this.#options.setup.apply(plan, { by })
  }

  /** `saved`: its id, where it is. */
  test(
    reply: FastifyReply,
    connectorOf: (current: CurrentSetup) => Connector,
    saved: string | null = null,
  ): Promise<ConnectorTest> {
    const connector = connectorOf(this.#options.setup.current)
    const { name, port } = connector
    return this.#tests.run(reply, async (signal) => ({
      connector: saved,
      name,
      port,
      ...(await testHosts(connector, { signal })),
    }))
  }
}
