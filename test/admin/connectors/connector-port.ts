/** The admin port with the endpoints of connectors, over a real setup; how delivery stands is the test's to say. */
import { connectorEndpoints } from '../../../src/admin/connectors/connector-endpoints.ts'
import type { ConnectorStatus } from '../../../src/delivery/status.ts'
import type { Queue } from '../../../src/queue/queue.ts'
import { type AdminPort, startAdminPort } from '../../support/admin-port.ts'
import { type RunningSetup, runSetup } from '../../support/running-setup.ts'

export interface ConnectorPortOptions {
  readonly running?: RunningSetup
  readonly statuses?: readonly ConnectorStatus[]
  readonly queue?: Pick<Queue, 'totals'>
}

const emptyQueue: Pick<Queue, 'totals'> = {
  totals: async () => ({ connectors: new Map(), items: 0, bytes: 0, corrupt: 0 }),
}

export async function startConnectorPort(options: ConnectorPortOptions = {}): Promise<AdminPort> {
  const running = options.running ?? (await runSetup())
  const { setup, clock } = running
  const queue = options.queue ?? emptyQueue
  const connectors = () => options.statuses ?? []
  const rates = () => ({ incoming: 0, outgoing: 0 })
  const endpoints = connectorEndpoints({ setup, clock, queue, connectors, rates })
  return startAdminPort({ running, endpoints })
}

/** What a person would send for a provider, its password included. */
export const provider = {
  name: 'Newsletter provider',
  addressSpaces: ['SMTP:*.example.org;10'],
  smartHosts: ['smtp-relay.example.com'],
  port: 587,
  smartHostAuthMechanism: 'basicAuthRequireTLS',
  user: 'newsletter@example.com',
  password: 'canary-hunter2',
}
