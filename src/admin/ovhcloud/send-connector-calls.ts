/** `/sendConnector`: connectors, by their numbers. */
import {
  type ConnectorPlan,
  changeAuthentication,
  createConnector,
  editConnector,
  removeConnector,
} from '../../setup/connector-plans.ts'
import type { SetConnector } from '../../setup/current.ts'
import type { TaskFunction, TaskWork } from '../../setup/task-plans.ts'
import { type Call, call } from './call.ts'
import { OvhcloudError } from './ovhcloud-error.ts'
import {
  aboutConnector,
  changedAuthentication,
  changedSendConnector,
  connectorChanges,
  connectorGiven,
  connectorNames as names,
  newSendConnector,
  numbered,
  sendConnectorModel,
} from './send-connector-model.ts'
import type { Service } from './service.ts'

export function sendConnectorCalls({ setup, clock, changes, since }: Service): Call[] {
  const path = '/sendConnector/:id'
  return [
    call({
      method: 'GET',
      path: '/sendConnector',
      handle: async () => [...numbered(setup.current).keys()].sort((a, b) => a - b),
    }),
    call({
      method: 'POST',
      path: '/sendConnector',
      body: newSendConnector,
      handle: ({ body, by }) =>
        changes.task(createConnector(connectorGiven(body)), { by, names, work: working('addSendConnector') }),
    }),
    call({
      method: 'GET',
      path,
      handle: async ({ path: { id } }) =>
        sendConnectorModel(setup.current, connectorAt(numbered(setup.current), id), {
          now: clock.now(),
          since,
        }),
    }),
    call({
      method: 'PUT',
      path,
      body: changedSendConnector,
      handle: ({ path: { id }, body, by }) =>
        changes.silently(
          (current, planning) => {
            const connector = connectorAt(numbered(current), id)
            const edit = { version: undefined, changes: connectorChanges(connector, body) }
            return editConnector(connector.id, edit)(current, planning)
          },
          { by, names, work: { function: 'setSendConnector', about: aboutConnector(String(id)) } },
        ),
    }),
    call({
      method: 'DELETE',
      path,
      handle: ({ path: { id }, by }) =>
        changes.task(removeConnector(String(id), { version: undefined }), {
          by,
          names,
          work: working('deleteSendConnector'),
        }),
    }),
    call({
      method: 'POST',
      path: `${path}/changeAuthentication`,
      body: changedAuthentication,
      handle({ path: { id }, body, by }) {
        const authentication = {
          smartHostAuthMechanism: body.smartHostAuthMechanism ?? undefined,
          user: body.user || undefined,
          password: body.password || undefined,
        }
        return changes.task(changeAuthentication(String(id), { version: undefined, ...authentication }), {
          by,
          names,
          work: working('setSendConnector'),
        })
      },
    }),
  ]
}

const working =
  (what: TaskFunction) =>
  ({ id }: ConnectorPlan): TaskWork => ({ function: what, about: aboutConnector(id) })

function connectorAt(connectors: ReadonlyMap<number, SetConnector>, id: number): SetConnector {
  const connector = connectors.get(id)
  if (connector === undefined) throw new OvhcloudError(404, `There is no connector ${id}`, { field: 'id' })
  return connector
}
