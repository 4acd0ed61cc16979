/** The connectors of a running relay, as the commands ask for them and change them. */
import { type ConnectorTest, connectorTestSchema } from '../admin/connectors/connector-test-view.ts'
import {
  type ChangedConnector,
  type ConnectorView,
  changedConnectorSchema,
  connectorViewSchema,
} from '../admin/connectors/connector-view.ts'
import type { AdminClient } from './admin-client.ts'

/** Longer than the longest test. */
const testTimeoutMs = 90_000

export class ConnectorClient {
  readonly #relay: AdminClient

  constructor(relay: AdminClient) {
    this.#relay = relay
  }

  show(id: string): Promise<ConnectorView> {
    return this.#relay.ask(pathOf(id), { answer: connectorViewSchema })
  }

  create(body: object): Promise<ChangedConnector> {
    return this.#relay.ask('/connectors', { method: 'POST', body, answer: changedConnectorSchema })
  }

  edit(id: string, body: object): Promise<ChangedConnector> {
    return this.#relay.ask(pathOf(id), { method: 'PATCH', body, answer: changedConnectorSchema })
  }

  changeAuthentication(id: string, body: object): Promise<ChangedConnector> {
    const path = `${pathOf(id)}/authentication`
    return this.#relay.ask(path, { method: 'PUT', body, answer: changedConnectorSchema })
  }

  enable(id: string, { enabled }: { enabled: boolean }): Promise<ChangedConnector> {
    const path = `${pathOf(id)}/${enabled ? 'enable' : 'disable'}`
    return this.#relay.ask(path, { method: 'POST', body: {}, answer: changedConnectorSchema })
  }

  /** As it was seen: what somebody changed meanwhile is not removed unseen. */
  remove({ connector, version }: ConnectorView): Promise<void> {
    const query = version === null ? '' : `?version=${version}`
    return this.#relay.ask(`${pathOf(connector)}${query}`, { method: 'DELETE', answer: null })
  }

  test(id: string): Promise<ConnectorTest> {
    const question = { method: 'POST', body: {}, answer: connectorTestSchema } as const
    return this.#relay.ask(`${pathOf(id)}/test`, { ...question, timeoutMs: testTimeoutMs })
  }
}

const pathOf = (id: string): string => `/connectors/${encodeURIComponent(id)}`
